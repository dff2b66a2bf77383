/* enrol/staging.h -- an import over several shards: split, counted, prepared, committed as one.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 13
 *
 * BEGIN and ABORT go to every shard, so that each knows the catalogue. A chunk goes to every
 * shard with the records that are its own, also when there are none: sequences stay in step.
 * Before a BEGIN is sent, ENROL_READ_IMPORT is read in every shard (enrol_begin_ask) and judged
 * with enrol_begin_judge(): one that comes late must not drop a later import.
 *
 * To COMMIT, the node that the client speaks to reads ENROL_READ_IMPORT in every shard
 * (enrol_staging_ask) and judges the parts with enrol_staging_judge(): PREPARE, FACT, or a
 * refusal, which is told at once and changes nothing.
 *
 * On PREPARE every shard applies ENROL_ENTRY_PREPARE (the same body, no key): from then on the
 * import takes no chunk, and ends by a fact alone, whatever restarts. The replies are parts
 * again, judged with enrol_staging_decide(): FACT, when every shard is prepared under this key
 * or has answered it. Then group 0 orders IMPORT_COMMIT, and every shard commits in its place
 * among the facts. Else ABORT: group 0 orders IMPORT_ABORT, under a key of its own.
 *
 * The same key again, from anybody, comes to the same end. Who leads a shard that has a
 * prepared import and no fact about it for ENROL_PREPARED_MS lets group 0 order IMPORT_ABORT:
 * whichever fact comes first counts, in all shards alike.
 */
#ifndef CARILLON_ENROL_STAGING_H
#define CARILLON_ENROL_STAGING_H

#include "enrol/across_entry.h"
#include "enrol/enrol.h"

enum { ENROL_PREPARED_MS = 10000 };

/* ---- chunks */

/* The body of an IMPORT_CHUNK for one shard after the other: the records and removed names that
 * are @shard's, in their order, with the same id and sequence. The same bytes give the same
 * bytes. Errors: ERR_MALFORMED; ERR_FULL beyond @out's bound. */
int enrol_chunk_split(struct slice body, uint32_t shards, uint32_t shard,
                      struct buf *out) CHECKED;

/* ---- what a shard has of an import */

struct enrol_staging {
    bool is_answered; /* the key has its answer here: BEGIN, or the fact, was applied */
    bool is_known;    /* the import is open */
    bool is_prepared; /* under this key */
    bool is_other;    /* prepared under another key */
    uint32_t chunks;  /* that came */
    uint32_t removed;
    uint32_t offered; /* of the catalogue, before */
};

/* What a shard answered. Errors: ERR_MALFORMED. */
int enrol_staging_unpack(struct slice reply, struct enrol_staging *ret_part) CHECKED;

/* ---- beginnings */

/* The body of ENROL_READ_IMPORT for an ImportBeginRequest @body with the client's @key.
 * Errors: ERR_MALFORMED, ERR_ARGUMENT; ERR_FULL. */
int enrol_begin_ask(struct slice key, struct slice body, struct buf *out) CHECKED;

/* After the reads: a part of each shard. Returns: OK, it goes to every shard;
 * ERR_UNKNOWN_IMPORT, some have begun it and have it no more, and others never began it. */
int enrol_begin_judge(const struct enrol_staging *parts, uint32_t count,
                      struct buf *text) CHECKED;

/* ---- commits */

/* The body of ENROL_READ_IMPORT and of ENROL_ENTRY_PREPARE for an ImportCommitRequest @body
 * with the client's @key. Errors: ERR_MALFORMED, ERR_ARGUMENT; ERR_FULL. */
int enrol_staging_ask(struct slice key, struct slice body, struct buf *out) CHECKED;

enum enrol_staging_next {
    ENROL_STAGING_PREPARE = 1,
    ENROL_STAGING_FACT,
    ENROL_STAGING_ABORT,
    ENROL_STAGING_REFUSE, /* with the status */
};

struct enrol_staging_verdict {
    uint32_t next; /* enum enrol_staging_next */
    int status;    /* of REFUSE and ABORT: what the client hears */
};

/* After the reads: a part of each shard. @body: the ImportCommitRequest. "More than half" is
 * judged over the whole. */
struct enrol_staging_verdict enrol_staging_judge(const struct enrol_staging *parts,
                                                 uint32_t count, struct slice body,
                                                 struct buf *text);
/* After the prepares. */
struct enrol_staging_verdict enrol_staging_decide(const struct enrol_staging *parts,
                                                  uint32_t count, struct buf *text);

/* The @n-th prepared import (n from 0), and since when. Returns: false past the last.
 * enrol_open_import() tells of the others. */
bool enrol_prepared_import(const struct enrol *enrol, size_t n, struct uuid *ret_id,
                           uint64_t *ret_since_ms);

#endif
