/* node/config.h -- what an operator can set, from a libconfig file and from flags.
 *
 * Layer: node (base, meta)
 *
 * Everything has a default: a node runs with no configuration at all. One row of the table in
 * config.c is one setting; a name that has no row is refused with file and line.
 */
#ifndef CARILLON_NODE_CONFIG_H
#define CARILLON_NODE_CONFIG_H

#include "base/buf.h"
#include "base/error.h"
#include "node/engine.h"

enum {
    CONFIG_PATH_BYTES = 400,
    CONFIG_ADDRESS_BYTES = 64,
    CONFIG_WORD_BYTES = 16,
    CONFIG_FOLDER_BYTES = 200,
    CONFIG_NAME_BYTES = 65,
    CONFIG_INVITE_BYTES = 256,
};

struct node_config {
    char data_folder[CONFIG_PATH_BYTES];
    char listen[CONFIG_ADDRESS_BYTES]; /* "ADDRESS:PORT"; port 0: any free one */
    char advertise[CONFIG_ADDRESS_BYTES]; /* where others find it; "": as listen says */
    char join[CONFIG_INVITE_BYTES]; /* an invite, for a start with an empty folder; "": none */
    char name[CONFIG_NAME_BYTES]; /* for people; "": the machine's */
    char plain[CONFIG_WORD_BYTES];     /* "loopback" or "never": who may speak without TLS */
    char runtime_folder[CONFIG_FOLDER_BYTES]; /* for the local credential; "": it is not put
                                                 there */
    uint64_t memory_bytes_max;         /* all limits below that are 0 are derived from it */
    uint64_t shards; /* of a cluster that is made now; a power of two */
    uint64_t connections_max;
    uint64_t outstanding_max;    /* unanswered requests a connection */
    uint64_t log_segment_bytes;  /* size of a log segment */
    uint64_t snapshot_log_bytes; /* log written since the last snapshot that starts a new one */
    uint64_t audit_bytes_max;    /* oldest audit files beyond this are removed */
    bool is_joined; /* its groups wait to be added to those of other nodes; not in the file */
    enum engine_refill refill; /* not in the file */
};

/* The defaults: data in /var/lib/carillon for root, else $XDG_DATA_HOME/carillon; half of the
 * machine's memory. */
void node_config_init(struct node_config *config);

/* Read the file at @path over what is set. Errors: ERR_CONFIG, with "file:line: what and what
 * to do" in @text. */
int node_config_read_file(struct node_config *config, const char *path,
                          struct buf *text) CHECKED;

/* Set one value from a flag, @name as in the file. Errors: ERR_CONFIG with @text. */
int node_config_set(struct node_config *config, const char *name, const char *value,
                    struct buf *text) CHECKED;

/* Check the whole and fill in what is derived. Splits nothing off: the result is what the node
 * works with. Errors: ERR_CONFIG with @text. */
int node_config_finish(struct node_config *config, struct buf *text) CHECKED;

/* Split "ADDRESS:PORT" or "[ADDRESS]:PORT". Errors: ERR_ADDRESS. */
int node_config_address_split(const char *text, char ret_address[CONFIG_ADDRESS_BYTES],
                              uint16_t *ret_port) CHECKED;

/* Split `listen` into a numeric address and a port. Errors: ERR_ADDRESS. */
int node_config_listen_split(const struct node_config *config,
                             char ret_address[CONFIG_ADDRESS_BYTES],
                             uint16_t *ret_port) CHECKED;

/* Write a file with every setting, its default and a line of explanation, as `carillond
 * --print-config` shows it. */
int node_config_describe(const struct node_config *config, struct buf *out) CHECKED;

#endif
