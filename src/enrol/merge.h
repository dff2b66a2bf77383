/* enrol/merge.h -- one answer of the cluster, made of those of its shards.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 14
 */
#ifndef CARILLON_ENROL_MERGE_H
#define CARILLON_ENROL_MERGE_H

#include "base/arena.h"
#include "base/buf.h"

/* What one shard answered. */
struct enrol_merge_part {
    int status;
    struct slice text;
    struct slice reply;
};

struct enrol_merge {
    uint32_t method;
    uint32_t count; /* of all shards, from 0 */
    const struct enrol_merge_part *parts;
};

/* Merge the answers to IMPORT_BEGIN, IMPORT_CHUNK, IMPORT_COMMIT, IMPORT_ABORT, WINDOW, LIMITS,
 * GRANT, REVOKE, TOKEN_REVOKE, CATALOGUES or VERIFY. @scratch holds what is unpacked.
 *
 * Returns: the status that the client hears, with @reply, or with @text. That of the first
 * shard that failed; of what is revoked: OK when it was in some shard.
 * Errors: ERR_MALFORMED a reply is none; ERR_NOSPACE_REPLY; ERR_METHOD of none of these. */
int enrol_merge(const struct enrol_merge *merge, struct arena *scratch, struct buf *reply,
                struct buf *text) CHECKED;

/* ---- schedules: what the home does not know of sections elsewhere */

/* For SCHEDULE: the names of the sections in @reply (a ScheduleReply of the home) that lie in
 * @shard, as the body of ENROL_READ_SECTIONS for that shard's leader. Returns: OK; @out stays
 * empty when there is none. Errors: ERR_MALFORMED; ERR_FULL. */
int enrol_schedule_ask(struct slice reply, uint32_t shards, uint32_t shard,
                       struct arena *scratch, struct buf *out) CHECKED;

/* Put titles, teachers, times and rooms, places in line and what was withdrawn into @reply,
 * from the answers to ENROL_READ_SECTIONS, one a shard that was asked. A section that its shard
 * does not know stays as it is. Errors: ERR_MALFORMED; ERR_NOSPACE_REPLY. */
int enrol_schedule_fill(struct slice reply, const struct slice *answers, uint32_t count,
                        struct arena *scratch, struct buf *out) CHECKED;

#endif
