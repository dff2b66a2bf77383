#include "log/snapshot.h"

#include <stdio.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "log/snapshot_format.h"

enum { COMPRESSION_LEVEL = 1 };

int log_snapshot_init(struct log_snapshot_writer *writer, struct io *io, const char *folder,
                      const struct log_snapshot_info *info,
                      void (*done)(struct log_snapshot_writer *, int))
{
    char name[LOG_SNAPSHOT_NAME_BYTES];
    char temporary[LOG_SNAPSHOT_NAME_BYTES + 4];

    memset(writer, 0, sizeof *writer);
    log_snapshot_name(info->group, info->index, name);
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", name);
    if (log_path_join(writer->temporary, folder, temporary) != OK) {
        return ERR_TOO_LARGE;
    }
    (void)snprintf(writer->folder, sizeof writer->folder, "%s", folder);
    writer->io = io;
    writer->done = done;
    writer->info = *info;
    writer->packer = ZSTD_createCCtx();
    if (writer->packer == NULL) {
        return ERR_NOMEM;
    }
    buf_init(&writer->raw, LOG_SNAPSHOT_RAW_MAX);
    buf_init(&writer->packed, SNAPSHOT_CHUNK_BYTES + SNAPSHOT_PACKED_MAX);
    return OK;
}

void log_snapshot_fini(struct log_snapshot_writer *writer)
{
    if (writer->file != NULL) {
        io_file_close(writer->io, writer->file);
        writer->file = NULL;
    }
    (void)ZSTD_freeCCtx(writer->packer);
    writer->packer = NULL;
    buf_fini(&writer->raw);
    buf_fini(&writer->packed);
}

/* ---- in the bulk lane ---- */

static int write_piece(struct log_snapshot_writer *writer, const void *data, size_t len)
{
    writer->operation = "write";
    int status = io_file_write(writer->io, writer->file, writer->offset, data, len);
    if (status == OK) {
        writer->hash = hash_bytes_seeded(writer->hash, data, len);
        writer->offset += len;
    }
    return status;
}

static int sync_file(struct log_snapshot_writer *writer)
{
    writer->operation = "sync";
    int status = io_file_sync(writer->io, writer->file);
    if (status == OK) {
        writer->synced = writer->offset;
    }
    return status;
}

static int remove_old(struct io *io, const char *path)
{
    int status = io_file_remove(io, path);
    return status == ERR_GONE ? OK : status;
}

static int begin_file(struct log_snapshot_writer *writer)
{
    uint8_t header[SNAPSHOT_HEADER_MAX];

    writer->operation = "create";
    int status = remove_old(writer->io, writer->temporary);
    if (status == OK) {
        status = io_file_open(writer->io, writer->temporary, IO_OPEN_CREATE, &writer->file);
    }
    if (status != OK) {
        return status;
    }
    return write_piece(writer, header, snapshot_header_encode(&writer->info, header));
}

/* Compress raw behind the place of the chunk's header, both in one buffer for one write. */
static int pack(struct log_snapshot_writer *writer)
{
    struct buf *packed = &writer->packed;
    struct snapshot_chunk chunk = {.raw = (uint32_t)writer->raw.len, .number = writer->chunks};

    int status = buf_reserve(packed, packed->max);
    if (status != OK) {
        return status;
    }
    uint8_t *data = packed->data + SNAPSHOT_CHUNK_BYTES;
    size_t len = ZSTD_compressCCtx(writer->packer, data, packed->cap - SNAPSHOT_CHUNK_BYTES,
                                   writer->raw.data, writer->raw.len, COMPRESSION_LEVEL);
    if (ZSTD_isError(len)) {
        writer->operation = "compress";
        return ERR_INTERNAL;
    }
    chunk.packed = (uint32_t)len;
    snapshot_chunk_encode(&chunk, data, packed->data);
    packed->len = SNAPSHOT_CHUNK_BYTES + len;
    return OK;
}

static void put_run(struct io *io, struct io_job *job)
{
    struct log_snapshot_writer *writer = CONTAINER_OF(job, struct log_snapshot_writer, job);
    (void)io;

    int status = writer->file == NULL ? begin_file(writer) : OK;
    if (status == OK) {
        status = pack(writer);
    }
    if (status == OK) {
        status = write_piece(writer, writer->packed.data, writer->packed.len);
    }
    if (status == OK && writer->offset - writer->synced >= LOG_SNAPSHOT_SYNC_BYTES) {
        status = sync_file(writer);
    }
    buf_clear(&writer->packed);
    writer->status = status;
}

static int finish_file(struct log_snapshot_writer *writer)
{
    uint8_t bytes[SNAPSHOT_FOOTER_BYTES];
    struct snapshot_footer footer = {
        .chunks = writer->chunks,
        .raw_bytes = writer->raw_bytes,
        .bytes = writer->offset,
        .hash = writer->hash,
    };

    snapshot_footer_encode(&footer, bytes);
    int status = write_piece(writer, bytes, sizeof bytes);
    if (status == OK) {
        status = sync_file(writer);
    }
    return status;
}

static void finish_run(struct io *io, struct io_job *job)
{
    struct log_snapshot_writer *writer = CONTAINER_OF(job, struct log_snapshot_writer, job);
    struct snapshot_place place = {
        .folder = writer->folder,
        .temporary = writer->temporary,
        .group = writer->info.group,
        .index = writer->info.index,
    };

    int status = writer->file == NULL ? begin_file(writer) : OK;
    if (status == OK) {
        status = finish_file(writer);
    }
    if (status == OK) {
        status = snapshot_publish(io, &place, &writer->operation);
    }
    if (status == OK) {
        io_file_close(io, writer->file);
        writer->file = NULL;
        writer->info.bytes = writer->offset;
    }
    writer->status = status;
}

static void give_up_run(struct io *io, struct io_job *job)
{
    struct log_snapshot_writer *writer = CONTAINER_OF(job, struct log_snapshot_writer, job);

    if (writer->file != NULL) {
        io_file_close(io, writer->file);
        writer->file = NULL;
    }
    int status = remove_old(io, writer->temporary);
    if (writer->status == OK) {
        writer->status = status == OK ? ERR_CANCELLED : status;
    }
}

/* ---- on the loop ---- */

static void job_done(struct io_job *job)
{
    struct log_snapshot_writer *writer = CONTAINER_OF(job, struct log_snapshot_writer, job);

    writer->done(writer, writer->status);
}

static void put_done(struct io_job *job)
{
    struct log_snapshot_writer *writer = CONTAINER_OF(job, struct log_snapshot_writer, job);

    if (writer->status == OK) {
        writer->raw_bytes += writer->raw.len;
        writer->chunks++;
        buf_clear(&writer->raw);
    }
    writer->done(writer, writer->status);
}

static void submit(struct log_snapshot_writer *writer,
                   void (*run)(struct io *io, struct io_job *job),
                   void (*done)(struct io_job *job))
{
    writer->job = (struct io_job){.run = run, .done = done};
    io_lane_submit(writer->io, IO_LANE_BULK, &writer->job);
}

void log_snapshot_put(struct log_snapshot_writer *writer)
{
    ASSERT(writer->raw.len > 0);
    ASSERT(writer->status == OK);
    submit(writer, put_run, put_done);
}

void log_snapshot_finish(struct log_snapshot_writer *writer)
{
    ASSERT(writer->raw.len == 0);
    ASSERT(writer->status == OK);
    submit(writer, finish_run, job_done);
}

void log_snapshot_give_up(struct log_snapshot_writer *writer)
{
    submit(writer, give_up_run, job_done);
}
