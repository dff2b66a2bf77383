/* log/identity.h -- who a data folder belongs to: written once, compared ever after.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 1
 */
#ifndef CARILLON_LOG_IDENTITY_H
#define CARILLON_LOG_IDENTITY_H

#include "io/io.h"

enum { LOG_ID_BYTES = 16, LOG_PATH_BYTES = 512 };

struct log_identity {
    uint8_t cluster[LOG_ID_BYTES];
    uint8_t node[LOG_ID_BYTES];
    uint32_t shards; /* groups 1..shards; fixed when the cluster is created */
    bool is_joined;  /* the node came to a cluster that was there: its groups began without members */
};

/* The 64 bits of it that every record carries. */
uint64_t log_identity_hash(const struct log_identity *identity);

/* The same of the cluster alone: what its nodes may hand one another carries that. */
uint64_t log_cluster_hash(const struct log_identity *identity);

/* Random cluster and node ids. */
void log_identity_make(struct io *io, uint32_t shards, struct log_identity *ret_identity);

/* Read @folder/identity. Errors: ERR_GONE there is none; ERR_DAMAGED; ERR_VERSION; ERR_IO. */
int log_identity_read(struct io *io, const char *folder,
                      struct log_identity *ret_identity) CHECKED;

/* Write @folder/identity. It is the last step of making a data folder: a folder without it
 * holds nothing that anyone was told. Errors: ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE. */
int log_identity_write(struct io *io, const char *folder,
                       const struct log_identity *identity) CHECKED;

/* Replace @folder/@name by @bytes as a whole: temporary file, sync, rename, sync of the folder.
 * Errors: ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE the path. */
int log_file_replace(struct io *io, const char *folder, const char *name,
                     struct slice bytes) CHECKED;

/* Join @folder and @name to a terminated path. Errors: ERR_TOO_LARGE. */
int log_path_join(char out[LOG_PATH_BYTES], const char *folder, const char *name) CHECKED;

#endif
