#include <stdio.h>
#include <zstd.h>

#include "base/hash.h"
#include "log/snapshot.h"
#include "log/snapshot_format.h"

struct reading {
    const struct log_snapshot_source *source;
    const struct log_snapshot_sink *sink;
    uint64_t offset; /* of the piece at hand */
    uint64_t hash;
    uint64_t raw_bytes;
    uint64_t chunks;
    struct buf packed;
    struct buf raw;
    ZSTD_DCtx *unpacker;
};

/* All of @len bytes at @offset. Errors: ERR_DAMAGED the file ends before. */
static int read_whole(struct reading *reading, uint64_t offset, void *data, size_t len)
{
    size_t got;

    int status = reading->source->read(reading->source->context, offset, data, len, &got);
    if (status != OK) {
        return status;
    }
    return got == len ? OK : ERR_DAMAGED;
}

static int read_header(struct reading *reading, struct log_snapshot_info *ret_info)
{
    uint8_t header[SNAPSHOT_HEADER_MAX];
    size_t more = 0;

    int status = read_whole(reading, 0, header, SNAPSHOT_HEADER_BYTES);
    if (status == OK) {
        status = snapshot_header_decode(header, ret_info);
    }
    if (status == OK) {
        more = snapshot_configuration_bytes(ret_info);
        status =
            read_whole(reading, SNAPSHOT_HEADER_BYTES, header + SNAPSHOT_HEADER_BYTES, more);
    }
    if (status == OK) {
        status = snapshot_configuration_decode(header, ret_info);
    }
    if (status == OK) {
        reading->offset = SNAPSHOT_HEADER_BYTES + more;
        reading->hash = hash_bytes_seeded(0, header, reading->offset);
    }
    return status;
}

static int unpack(struct reading *reading, const struct snapshot_chunk *chunk)
{
    int status = buf_reserve(&reading->raw, chunk->raw);
    if (status != OK) {
        return status;
    }
    size_t len =
        ZSTD_decompressDCtx(reading->unpacker, reading->raw.data, chunk->raw,
                            reading->packed.data + SNAPSHOT_CHUNK_BYTES, chunk->packed);
    if (ZSTD_isError(len) || len != chunk->raw) {
        return ERR_DAMAGED;
    }
    return reading->sink->chunk(reading->sink->context, slice_from(reading->raw.data, len));
}

/* The chunk whose header was just read into packed. */
static int read_chunk(struct reading *reading)
{
    struct snapshot_chunk chunk;

    int status = snapshot_chunk_decode(reading->packed.data, &chunk);
    if (status == OK) {
        status = buf_reserve(&reading->packed, SNAPSHOT_CHUNK_BYTES + (size_t)chunk.packed);
    }
    if (status != OK) {
        return status;
    }
    uint8_t *bytes = reading->packed.data;
    status = read_whole(reading, reading->offset + SNAPSHOT_CHUNK_BYTES,
                        bytes + SNAPSHOT_CHUNK_BYTES, chunk.packed);
    if (status != OK) {
        return status;
    }
    struct slice data = slice_from(bytes + SNAPSHOT_CHUNK_BYTES, chunk.packed);
    if (!snapshot_chunk_is_intact(bytes, data) || chunk.number != reading->chunks) {
        return ERR_DAMAGED;
    }
    size_t whole = SNAPSHOT_CHUNK_BYTES + (size_t)chunk.packed;
    reading->hash = hash_bytes_seeded(reading->hash, bytes, whole);
    reading->offset += whole;
    reading->raw_bytes += chunk.raw;
    reading->chunks++;
    return unpack(reading, &chunk);
}

static int read_footer(struct reading *reading)
{
    uint8_t bytes[SNAPSHOT_FOOTER_BYTES + 1];
    struct snapshot_footer footer;
    size_t got;

    int status = reading->source->read(reading->source->context, reading->offset, bytes,
                                       sizeof bytes, &got);
    if (status != OK) {
        return status;
    }
    if (got != SNAPSHOT_FOOTER_BYTES) {
        return ERR_DAMAGED;
    }
    status = snapshot_footer_decode(bytes, &footer);
    if (status != OK) {
        return status;
    }
    bool is_whole = footer.chunks == reading->chunks &&
                    footer.raw_bytes == reading->raw_bytes && footer.bytes == reading->offset &&
                    footer.hash == reading->hash;
    return is_whole ? OK : ERR_DAMAGED;
}

static int read_pieces(struct reading *reading)
{
    for (;;) {
        int status =
            read_whole(reading, reading->offset, reading->packed.data, SNAPSHOT_CHUNK_BYTES);
        if (status != OK) {
            return status;
        }
        if (!snapshot_is_chunk(reading->packed.data)) {
            return read_footer(reading);
        }
        status = read_chunk(reading);
        if (status != OK) {
            return status;
        }
    }
}

int log_snapshot_read(const struct log_snapshot_source *source,
                      const struct log_snapshot_sink *sink, uint64_t *ret_offset)
{
    struct reading reading = {.source = source, .sink = sink, .unpacker = ZSTD_createDCtx()};
    struct log_snapshot_info info;

    buf_init(&reading.packed, SNAPSHOT_CHUNK_BYTES + SNAPSHOT_PACKED_MAX);
    buf_init(&reading.raw, LOG_SNAPSHOT_RAW_MAX);
    int status = reading.unpacker == NULL ? ERR_NOMEM : OK;
    if (status == OK) {
        status = buf_reserve(&reading.packed, SNAPSHOT_CHUNK_BYTES);
    }
    if (status == OK) {
        status = read_header(&reading, &info);
    }
    if (status == OK) {
        status = sink->begin(sink->context, &info);
    }
    if (status == OK) {
        status = read_pieces(&reading);
    }
    *ret_offset = reading.offset;
    (void)ZSTD_freeDCtx(reading.unpacker);
    buf_fini(&reading.packed);
    buf_fini(&reading.raw);
    return status;
}

bool log_snapshot_is_of(const struct log_snapshot_info *info,
                        const struct log_identity *identity)
{
    uint64_t expected = info->version == LOG_SNAPSHOT_FORMAT_NODE ? log_identity_hash(identity)
                                                                  : log_cluster_hash(identity);
    return info->identity == expected;
}

/* ---- names ---- */

void log_snapshot_name(uint32_t group, uint64_t index, char out[LOG_SNAPSHOT_NAME_BYTES])
{
    (void)snprintf(out, LOG_SNAPSHOT_NAME_BYTES, "snapshot-%04x-%016llx", group,
                   (unsigned long long)index);
}

int log_snapshot_parse(const char *name, uint32_t *ret_group, uint64_t *ret_index)
{
    char again[LOG_SNAPSHOT_NAME_BYTES];
    unsigned group;
    unsigned long long index;

    if (strlen(name) >= sizeof again ||
        sscanf(name, "snapshot-%4x-%16llx", &group, &index) != 2) {
        return ERR_MALFORMED;
    }
    log_snapshot_name(group, index, again);
    if (strcmp(name, again) != 0) {
        return ERR_MALFORMED;
    }
    *ret_group = group;
    *ret_index = index;
    return OK;
}

struct listing {
    struct io *io;
    const char *folder;
    uint32_t groups;
    uint64_t *indexes;
};

static int found_file(void *context, const char *name)
{
    struct listing *listing = context;
    char path[LOG_PATH_BYTES];
    size_t len = strlen(name);
    uint32_t group;
    uint64_t index;

    if (len > 4 && strcmp(name + len - 4, ".tmp") == 0) {
        int status = log_path_join(path, listing->folder, name);
        return status == OK ? io_file_remove(listing->io, path) : status;
    }
    if (log_snapshot_parse(name, &group, &index) != OK) {
        return OK;
    }
    if (group >= listing->groups) {
        return ERR_DAMAGED;
    }
    if (index > listing->indexes[group]) {
        listing->indexes[group] = index;
    }
    return OK;
}

int log_snapshot_list(struct io *io, const char *folder, uint32_t groups, uint64_t *ret_indexes)
{
    struct listing listing = {io, folder, groups, ret_indexes};

    memset(ret_indexes, 0, groups * sizeof *ret_indexes);
    int status = io_folder_make(io, folder);
    if (status == OK) {
        status = io_folder_list(io, folder, found_file, &listing);
    }
    return status == OK ? io_folder_sync(io, folder) : status;
}
