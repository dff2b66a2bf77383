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

/* ---- SHOW: a course of one shard, a student of another, and what all others have to do with it.
 * First, when a student is named who is at home elsewhere, his home is asked ENROL_READ_RECORD;
 * then the code's shard SHOW, or ENROL_READ_SHOWN; then all others ENROL_READ_RELATED. */

enum { ENROL_UNLOCKS_MAX = 50 }; /* of one ShowReply */

/* The home of the student that a ShowRequest @body names, whose body of ENROL_READ_RECORD goes to
 * @out, when that is not the shard of the code. Returns: false when there is nothing to be asked
 * first. */
bool enrol_show_home(struct slice body, uint32_t shards, uint32_t *ret_home,
                     struct buf *out) CHECKED;

/* The body of ENROL_READ_SHOWN. Errors: ERR_FULL. */
int enrol_show_ask(struct slice body, struct slice record, struct buf *out) CHECKED;

/* The body of ENROL_READ_RELATED, for the ShowReply of the code's shard. Errors: ERR_MALFORMED;
 * ERR_FULL. */
int enrol_show_ask_others(struct slice reply, struct arena *scratch, struct buf *out) CHECKED;

/* Put what the others answered into @reply: what the course unlocks there; and of the codes that
 * its shard does not know only those stay that nobody knows. @is_all: all others are among
 * @answers; else nothing is said to be unknown. Errors: ERR_MALFORMED; ERR_NOSPACE_REPLY. */
int enrol_show_fill(struct slice reply, const struct slice *answers, uint32_t count,
                    bool is_all, struct arena *scratch, struct buf *out) CHECKED;

#endif
