#include "log/identity.h"

#include <stdio.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "log/bytes.h"

/* "CLRI", version, cluster, node, shards, from version 2 on flags, crc. */
enum {
    IDENTITY_FORMAT = 2,
    IDENTITY_FORMAT_FIRST = 1,
    AT_VERSION = 4,
    AT_CLUSTER = 8,
    AT_NODE = AT_CLUSTER + LOG_ID_BYTES,
    AT_SHARDS = AT_NODE + LOG_ID_BYTES,
    AT_FLAGS = AT_SHARDS + 4,
    AT_CRC = AT_FLAGS + 4,
    IDENTITY_BYTES = AT_CRC + 4,
    FLAG_JOINED = 1,
};

uint64_t log_identity_hash(const struct log_identity *identity)
{
    uint8_t both[2 * LOG_ID_BYTES];

    memcpy(both, identity->cluster, LOG_ID_BYTES);
    memcpy(both + LOG_ID_BYTES, identity->node, LOG_ID_BYTES);
    return hash_bytes(both, sizeof both);
}

uint64_t log_cluster_hash(const struct log_identity *identity)
{
    return hash_bytes(identity->cluster, LOG_ID_BYTES);
}

int log_path_join(char out[LOG_PATH_BYTES], const char *folder, const char *name)
{
    int len = snprintf(out, LOG_PATH_BYTES, "%s/%s", folder, name);
    return len < LOG_PATH_BYTES ? OK : ERR_TOO_LARGE;
}

void log_identity_make(struct io *io, uint32_t shards, struct log_identity *ret_identity)
{
    io_random(io, ret_identity->cluster, LOG_ID_BYTES);
    io_random(io, ret_identity->node, LOG_ID_BYTES);
    ret_identity->shards = shards;
    ret_identity->is_joined = false;
}

static int decode(const uint8_t *bytes, size_t len, struct log_identity *ret_identity)
{
    uint32_t version = len >= AT_CLUSTER ? bytes_get_u32(bytes + AT_VERSION) : 0;
    size_t at_crc = version == IDENTITY_FORMAT_FIRST ? AT_FLAGS : AT_CRC;
    uint32_t flags = 0;

    if (len < AT_CLUSTER || memcmp(bytes, "CLRI", 4) != 0) {
        return ERR_DAMAGED;
    }
    if (len >= 8 && version > IDENTITY_FORMAT &&
        bytes_get_u32(bytes + len - 4) == crc32c(0, bytes, len - 4)) {
        return ERR_VERSION;
    }
    if (len != at_crc + 4 || version < IDENTITY_FORMAT_FIRST || version > IDENTITY_FORMAT ||
        bytes_get_u32(bytes + at_crc) != crc32c(0, bytes, at_crc)) {
        return ERR_DAMAGED;
    }
    if (version != IDENTITY_FORMAT_FIRST) {
        flags = bytes_get_u32(bytes + AT_FLAGS);
    }
    if ((flags & ~(uint32_t)FLAG_JOINED) != 0) {
        return ERR_VERSION;
    }
    memcpy(ret_identity->cluster, bytes + AT_CLUSTER, LOG_ID_BYTES);
    memcpy(ret_identity->node, bytes + AT_NODE, LOG_ID_BYTES);
    ret_identity->shards = bytes_get_u32(bytes + AT_SHARDS);
    ret_identity->is_joined = flags == FLAG_JOINED;
    return OK;
}

int log_identity_read(struct io *io, const char *folder, struct log_identity *ret_identity)
{
    char path[LOG_PATH_BYTES];
    uint8_t bytes[2 * IDENTITY_BYTES]; /* of later versions too */
    struct io_file *file;
    size_t len;

    int status = log_path_join(path, folder, "identity");
    if (status == OK) {
        status = io_file_open(io, path, IO_OPEN_READ, &file);
    }
    if (status != OK) {
        return status;
    }
    status = io_file_read(io, file, 0, bytes, sizeof bytes, &len);
    io_file_close(io, file);
    return status == OK ? decode(bytes, len, ret_identity) : status;
}

static int write_whole(struct io *io, const char *path, struct slice bytes)
{
    struct io_file *file;

    int status = io_file_remove(io, path);
    if (status != OK && status != ERR_GONE) {
        return status;
    }
    status = io_file_open(io, path, IO_OPEN_CREATE, &file);
    if (status != OK) {
        return status;
    }
    status = io_file_write(io, file, 0, bytes.data, bytes.len);
    if (status == OK) {
        status = io_file_sync(io, file);
    }
    io_file_close(io, file);
    return status;
}

int log_file_replace(struct io *io, const char *folder, const char *name, struct slice bytes)
{
    char path[LOG_PATH_BYTES];
    char temporary[LOG_PATH_BYTES];

    int status = log_path_join(path, folder, name);
    if (status != OK || strlen(path) + sizeof ".tmp" > sizeof temporary) {
        return ERR_TOO_LARGE;
    }
    memcpy(temporary, path, strlen(path));
    memcpy(temporary + strlen(path), ".tmp", sizeof ".tmp");
    status = write_whole(io, temporary, bytes);
    if (status == OK) {
        status = io_file_rename(io, temporary, path);
    }
    if (status == OK) {
        status = io_folder_sync(io, folder);
    }
    return status;
}

int log_identity_write(struct io *io, const char *folder, const struct log_identity *identity)
{
    uint8_t bytes[IDENTITY_BYTES];

    memcpy(bytes, "CLRI", 4);
    bytes_put_u32(bytes + AT_VERSION, IDENTITY_FORMAT);
    memcpy(bytes + AT_CLUSTER, identity->cluster, LOG_ID_BYTES);
    memcpy(bytes + AT_NODE, identity->node, LOG_ID_BYTES);
    bytes_put_u32(bytes + AT_SHARDS, identity->shards);
    bytes_put_u32(bytes + AT_FLAGS, identity->is_joined ? FLAG_JOINED : 0);
    bytes_put_u32(bytes + AT_CRC, crc32c(0, bytes, AT_CRC));
    return log_file_replace(io, folder, "identity", slice_from(bytes, sizeof bytes));
}
