/* enrol/route.h -- which shards a request concerns, and how a paged read goes through them.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 11
 *
 * Looks at the request alone. With one shard everything is that shard's: facts and splits are
 * then ordinary writes of it.
 */
#ifndef CARILLON_ENROL_ROUTE_H
#define CARILLON_ENROL_ROUTE_H

#include "base/buf.h"
#include "base/slice.h"
#include "campus/shard.h"

enum enrol_route_kind {
    ENROL_ROUTE_NODE = 1, /* no shard's: the node's that is asked, or of the protocol */
    ENROL_ROUTE_SHARD,    /* one shard's: its leader answers, or admits */
    ENROL_ROUTE_EVERY, /* each shard has a part of it: enrol/merge.h puts the answers together
                        */
    ENROL_ROUTE_PAGES, /* one shard after the other, by the cursor: enrol_page_open() */
    ENROL_ROUTE_SPLIT, /* a chunk of an import: each shard gets its records, enrol/staging.h */
    ENROL_ROUTE_FACT,  /* a fact of the cluster: group 0 orders it, every shard applies it
                          (enrol/fact.h); a commit is prepared first (enrol/staging.h) */
};

struct enrol_route {
    uint32_t kind;  /* enum enrol_route_kind */
    uint32_t shard; /* of SHARD; of EVERY: of whom it speaks, else 0 */
};

/* Where a request of @method goes in a cluster of @shards. What is malformed, or names nobody,
 * is shard 0's to refuse. */
struct enrol_route enrol_route(uint32_t method, struct slice body, uint32_t shards);

/* ---- pages. The cursor of the cluster is "shard.cursor", shards from 0 in order. */

/* The request for the shard that @body's cursor stands in, with that shard's own cursor.
 * Returns: OK. Errors: ERR_MALFORMED, ERR_ARGUMENT the cursor is none of ours. */
int enrol_page_open(uint32_t method, struct slice body, uint32_t shards, uint32_t *ret_shard,
                    struct buf *out) CHECKED;

/* The reply of the cluster, made of @shard's: its cursor leads on, to the next shard when this
 * one has no more. A page may be empty and not the last. Errors: ERR_MALFORMED,
 * ERR_NOSPACE_REPLY. */
int enrol_page_close(uint32_t method, uint32_t shard, uint32_t shards, struct slice reply,
                     struct buf *out) CHECKED;

#endif
