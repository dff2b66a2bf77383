/* log/snapshot.h -- files that hold the state of one group at one index.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 7
 *
 * Writing is driven from the loop, one chunk at a time: the caller fills the raw buffer, the
 * bulk lane compresses and writes it, done() tells that the next may come. The file appears
 * under its name only when it is complete and durable; then the group's older ones are removed.
 * Reading verifies everything.
 */
#ifndef CARILLON_LOG_SNAPSHOT_H
#define CARILLON_LOG_SNAPSHOT_H

#include "io/io.h"
#include "log/identity.h"

enum {
    LOG_SNAPSHOT_FORMAT = 2,
    LOG_SNAPSHOT_FORMAT_NODE = 1,         /* still read: of a node, without a configuration */
    LOG_SNAPSHOT_CONFIGURATION_MAX = 192, /* bytes */
    LOG_SNAPSHOT_NAME_BYTES = 48,
    LOG_SNAPSHOT_RAW_MAX = 1 << 20,    /* bytes of a chunk before compression */
    LOG_SNAPSHOT_SYNC_BYTES = 1 << 20, /* written between two syncs */
};

struct log_snapshot_info {
    uint32_t group;
    uint64_t index;
    uint64_t term;
    uint64_t identity; /* log_cluster_hash(); in format 1 log_identity_hash() */
    uint64_t bytes;    /* of the file; set when reading and when finished */
    uint32_t version;  /* set when reading */

    /* Who belonged to the group at index, in bytes that mean nothing here. */
    uint32_t configuration_bytes; /* 0: nothing is said */
    uint64_t configuration_index; /* of the entry that it stems from */
    uint8_t configuration[LOG_SNAPSHOT_CONFIGURATION_MAX];
};

/* Whether a snapshot that was read is one of this cluster (format 1: of this node). */
bool log_snapshot_is_of(const struct log_snapshot_info *info,
                        const struct log_identity *identity);

struct log_snapshot_writer {
    struct io *io;
    struct io_job job;
    void (*done)(struct log_snapshot_writer *writer, int status);
    struct log_snapshot_info info;
    struct buf raw; /* the caller appends here between done() and the next put */
    struct buf packed;
    void *packer;
    struct io_file *file;
    uint64_t offset;
    uint64_t synced; /* offset up to which the file was synced */
    uint64_t hash;   /* of everything before the footer */
    uint64_t raw_bytes;
    uint32_t chunks;
    int status;
    const char *operation; /* that failed */
    char folder[LOG_PATH_BYTES];
    char temporary[LOG_PATH_BYTES];
};

/* Prepare to write a snapshot into @folder. Does no I/O.
 *
 * Owns: @writer and @done are the caller's until log_snapshot_fini(). */
int log_snapshot_init(struct log_snapshot_writer *writer, struct io *io, const char *folder,
                      const struct log_snapshot_info *info,
                      void (*done)(struct log_snapshot_writer *, int)) CHECKED;

/* Hand writer->raw (not empty) to the bulk lane. done() follows: OK, raw is empty again; ERR_IO
 * or ERR_DISK_FULL, and only log_snapshot_give_up() may follow. */
void log_snapshot_put(struct log_snapshot_writer *writer);

/* Write the footer, sync, rename, sync the folder, remove older snapshots of the group. done()
 * follows. */
void log_snapshot_finish(struct log_snapshot_writer *writer);

/* Close and remove the temporary file. done() follows with the error that was first, or
 * ERR_CANCELLED. */
void log_snapshot_give_up(struct log_snapshot_writer *writer);

/* Free the buffers and close the file. Not while the lane has the job. Takes a zeroed writer.
 */
void log_snapshot_fini(struct log_snapshot_writer *writer);

/* Where a snapshot is read from: up to @len bytes at @offset, short only at the end. */
struct log_snapshot_source {
    void *context;
    int (*read)(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len);
};

struct log_snapshot_sink {
    void *context;
    int (*begin)(void *context, const struct log_snapshot_info *info);
    int (*chunk)(void *context, struct slice bytes);
};

/* Read and verify a whole snapshot. The sink gets chunks before the footer was seen: what it
 * built counts only when this returned OK.
 *
 * Errors:  ERR_DAMAGED (@ret_offset says where), ERR_VERSION, ERR_IO, or what the sink
 * returned.
 */
int log_snapshot_read(const struct log_snapshot_source *source,
                      const struct log_snapshot_sink *sink, uint64_t *ret_offset) CHECKED;

/* The file name of a snapshot, and back. Errors: ERR_MALFORMED: not such a name. */
void log_snapshot_name(uint32_t group, uint64_t index, char out[LOG_SNAPSHOT_NAME_BYTES]);
int log_snapshot_parse(const char *name, uint32_t *ret_group, uint64_t *ret_index) CHECKED;

/* Remove what an interrupted writer left, and find the newest snapshot of each group:
 * @ret_indexes[group] is its index or 0. Makes the folder when it is not there. Errors: ERR_IO;
 * ERR_DAMAGED a snapshot of a group >= @groups. */
int log_snapshot_list(struct io *io, const char *folder, uint32_t groups,
                      uint64_t *ret_indexes) CHECKED;

#endif
