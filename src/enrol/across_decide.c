/* The student's home: the decision, and the list of those who still have to hear of it. */
#include "base/assert.h"
#include "campus/foreign.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_entry.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"

enum {
    GROWTH_BYTES = 32768, /* stand-ins, a roster that doubles, a hold or items */
    GROWTH_PER_BYTE = 32,
};

uint64_t enrol__across_growth(uint32_t method, struct slice body)
{
    switch (method) {
    case ENROL_ENTRY_RESERVE:
    case ENROL_ENTRY_DECIDE:
    case ENROL_ENTRY_DECLINE:
    case ENROL_ENTRY_FACT:
    case ENROL_ENTRY_PERMIT:
    case ENROL_ENTRY_REFRESH:
        return GROWTH_BYTES + GROWTH_PER_BYTE * (uint64_t)body.len;
    case ENROL_ENTRY_SETTLE:
        return GROWTH_BYTES * ((uint64_t)across_settle_count(body) + 1);
    case ENROL_ENTRY_SETTLED:
    case ENROL_ENTRY_PREPARE:
        return GROWTH_BYTES;
    default:
        return 0;
    }
}

void enrol__across_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_entry *entry = work->entry;

    enrol_forget(enrol, entry->method, entry->body);
    arena_reset(&enrol->scratch);
    switch (entry->method) {
    case ENROL_ENTRY_RESERVE:
        work->result->status = enrol__reserve_apply(work);
        break;
    case ENROL_ENTRY_SETTLE:
        work->result->status = enrol__settle_apply(work);
        break;
    case ENROL_ENTRY_DECIDE:
        work->result->status = enrol__decide_apply(work);
        break;
    case ENROL_ENTRY_DECLINE:
        work->result->status = enrol__decline_apply(work);
        break;
    case ENROL_ENTRY_FACT:
        work->result->status = enrol__fact_apply(work);
        break;
    case ENROL_ENTRY_PERMIT:
        work->result->status = enrol__permit_entry_apply(work);
        break;
    case ENROL_ENTRY_REFRESH:
        work->result->status = enrol__refresh_apply(work);
        break;
    case ENROL_ENTRY_PREPARE:
        work->result->status = enrol__prepare_apply(work);
        break;
    default:
        work->result->status = enrol__settled_apply(work);
        break;
    }
    ASSERT(enrol->queue_count == 0);
}

/* ---- decide */

/* Whom to tell: the shards that keep something for the attempt. */
struct holders {
    uint32_t count;
    uint32_t shards[ACROSS_OPS_MAX];
};

bool enrol__parts_take(struct enrol *enrol, struct slice bytes, bool is_learning,
                       struct enrol_parts *parts, uint32_t *ret_outcome)
{
    struct unpack in = unpack_from(bytes);
    struct across_reserved *reserved = arena_alloc(&enrol->scratch, sizeof *reserved);
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserved(&in, reserved);
    if (!unpack_is_done(&in)) {
        return false;
    }
    for (uint32_t i = 0; i < reserved->part_count; i++) {
        const struct across_part *from = &reserved->parts[i];
        struct unpack description = unpack_from(from->description);
        uint32_t section = is_learning
                               ? campus_section_stand_in(&enrol->campus, &description)
                               : campus_stand_in_find(&enrol->campus, from->description);

        if (section == CAMPUS_NONE) {
            return false;
        }
        parts->of[from->op] = (struct enrol_part){
            .is_foreign = true,
            .what = (uint8_t)from->what,
            .permits = (uint8_t)from->permits,
            .section = section,
            .place = from->place,
        };
    }
    for (uint32_t i = 0;
         i < reserved->refusal_count && parts->refusal_count < ENROL_REFUSALS_MAX; i++) {
        const struct across_refusal *from = &reserved->refusals[i];

        parts->refusals[parts->refusal_count++] =
            (struct enrol_refusal){from->kind, from->op, from->rule_node, from->evidence};
    }
    *ret_outcome = reserved->outcome;
    return true;
}

static void todo_add(struct enrol *enrol, uint32_t student, const struct enrol_attempt_id *id,
                     const struct holders *holders, uint32_t verdict)
{
    for (uint32_t i = 0; i < holders->count; i++) {
        (void)enrol__todo_add(&enrol->across, &(struct enrol_todo){
                                                  .id = *id,
                                                  .student = student,
                                                  .shard = holders->shards[i],
                                                  .verdict = (uint8_t)verdict,
                                              });
    }
}

/* An accepted attempt: performed, and put on the list. */
static void accept(struct enrol_work *work, struct enrol_attempt *attempt,
                   const struct enrol_attempt_id *id, const struct holders *holders)
{
    enrol__confirm(work, attempt);
    enrol__attempt_queue(work->enrol, attempt);
    todo_add(work->enrol, attempt->student, id, holders, ACROSS_CONFIRM);
    for (uint32_t i = 0; attempt->is_promotion && i < attempt->op_count; i++) {
        enrol__note(work,
                    attempt->ops[i].kind == CARILLON__OP_KIND__OP_ADD
                        ? ENROL_NOTE_PROMOTED
                        : ENROL_NOTE_PROMOTION_DROP,
                    attempt->student, attempt->ops[i].section, NULL);
    }
    if (attempt->op_count == 1) {
        work->change = attempt->ops[0].change;
        work->section = attempt->ops[0].section;
        work->place = attempt->ops[0].place;
    }
}

/* A promotion is for one who waits: he may have left the line meanwhile. */
static bool has_left(const struct enrol_attempt *attempt)
{
    for (uint32_t i = 0; attempt->is_promotion && i < attempt->op_count; i++) {
        if (attempt->ops[i].kind == CARILLON__OP_KIND__OP_ADD &&
            campus_place_find(&attempt->enrol->campus, attempt->student,
                              attempt->ops[i].section) == CAMPUS_NONE) {
            return true;
        }
    }
    return false;
}

/* Judge as for a submit of one shard, with what the others have said. */
static int perform(struct enrol_work *work, const struct across_decide *decide,
                   const struct enrol_parts *parts, const struct holders *holders)
{
    struct enrol *enrol = work->enrol;
    struct enrol_attempt attempt;
    int rc = enrol__attempt_make_across(enrol, decide->request, parts, &attempt,
                                        &work->result->text);

    work->result->student = attempt.student;
    attempt.is_promotion = work->entry->key.len == 0;
    if (rc == OK && has_left(&attempt)) {
        rc = ERR_GONE;
    }
    if (rc != OK) {
        if (attempt.student != CAMPUS_NONE) {
            todo_add(enrol, attempt.student, &decide->id, holders, ACROSS_RELEASE);
        }
        return rc;
    }
    attempt.wall_ms = work->entry->wall_ms;
    for (uint32_t i = 0; i < attempt.op_count; i++) {
        if (attempt.ops[i].kind == CARILLON__OP_KIND__OP_ADD && !parts->of[i].is_foreign) {
            (void)enrol__settle(work, attempt.ops[i].section);
        }
    }
    attempt.is_settled = true;
    enrol__attempt_judge(&attempt);
    if (attempt.refusal_count == 0) {
        accept(work, &attempt, &decide->id, holders);
    } else {
        todo_add(enrol, attempt.student, &decide->id, holders, ACROSS_RELEASE);
    }
    return enrol__attempt_reply(work, &attempt);
}

/* Settling the local sections may promote this very student: the version that counts is the one
 * before. */
static bool is_moved(const struct enrol *enrol, const struct across_decide *decide)
{
    struct unpack in = unpack_from(decide->replies[0].bytes);
    struct across_head head;

    across_take_head(&in, &head);
    uint32_t student = campus_student_find(&enrol->campus, head.token);

    return student == CAMPUS_NONE ||
           campus_student(&enrol->campus, student)->version != decide->version;
}

static int decide_new(struct enrol_work *work, const struct across_decide *decide)
{
    struct enrol *enrol = work->enrol;
    struct enrol_parts *parts = enrol__scratch(enrol, sizeof *parts);
    struct holders holders = {0};

    if (is_moved(enrol, decide)) {
        work->result->is_undecided = true;
        return ERR_BUSY;
    }
    for (uint32_t i = 0; i < decide->reply_count; i++) {
        uint32_t outcome;

        if (!enrol__parts_take(enrol, decide->replies[i].bytes, true, parts, &outcome)) {
            return ERR_MALFORMED;
        }
        if (outcome == ACROSS_GRANTED) {
            holders.shards[holders.count++] = decide->replies[i].shard;
        }
    }
    int rc = perform(work, decide, parts, &holders);

    (void)enrol__queue_work(work);
    return rc;
}

/* With a key: what a client asked for. */
static int decide_asked(struct enrol_work *work, const struct across_decide *decide)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_entry *entry = work->entry;
    int rc = enrol__key_check(entry->key, entry->wall_ms, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    uint64_t hash = enrol__request_hash(CARILLON__METHOD__METHOD_SUBMIT, decide->request);
    const struct enrol_answer *answer = answers_find(&enrol->answers, entry->key);

    if (answer != NULL && answer->request_hash == hash) {
        enrol__answer_repeat(enrol, answer, work->result);
        return work->result->status;
    }
    if (answer != NULL) {
        return ENROL_SAY(&work->result->text, ERR_KEY_REUSED, "%s", error_text(ERR_KEY_REUSED));
    }
    work->result->status = decide_new(work, decide);
    if (!work->result->is_undecided && work->result->status != ERR_MALFORMED) {
        enrol__answer_store(work, CARILLON__METHOD__METHOD_SUBMIT, hash);
    }
    return work->result->status;
}

/* Who was promised something by an attempt that was not decided hears nothing: the leader tells
 * him at once, and if that is lost he asks. */
int enrol__decide_apply(struct enrol_work *work)
{
    struct unpack in = unpack_from(work->entry->body);
    struct across_decide *decide = enrol__scratch(work->enrol, sizeof *decide);

    across_take_decide(&in, decide);
    if (!unpack_is_done(&in) || decide->reply_count == 0) {
        return ERR_MALFORMED;
    }
    return work->entry->key.len == 0 ? decide_new(work, decide) : decide_asked(work, decide);
}

/* ---- what has changed elsewhere */

/* Who waits here may have become eligible, or not any more, by another section's times. */
int enrol__refresh_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    struct unpack in = unpack_from(work->entry->body);
    uint32_t count = (uint32_t)unpack_u64_max(&in, ACROSS_OPS_MAX);

    for (uint32_t i = 0; i < count && !in.failed; i++) {
        struct unpack description = unpack_from(unpack_bytes(&in));

        in.failed = in.failed ||
                    campus_section_stand_in(&enrol->campus, &description) == CAMPUS_NONE;
    }
    enrol__queue_all(enrol);
    (void)enrol__queue_work(work);
    return unpack_is_done(&in) ? OK : ERR_MALFORMED;
}

/* ---- acknowledged */

static void settled(struct enrol *enrol, const struct across_head *head, uint32_t shard)
{
    uint32_t student = campus_student_find(&enrol->campus, head->token);
    uint32_t slot = student == CAMPUS_NONE
                        ? CAMPUS_NONE
                        : enrol__todo_find(&enrol->across, student, &head->id, shard);

    if (slot != CAMPUS_NONE) {
        enrol__todo_remove(&enrol->across, slot);
    }
}

int enrol__settled_apply(struct enrol_work *work)
{
    struct unpack in = unpack_from(work->entry->body);
    struct across_head head;

    do {
        across_take_head(&in, &head);
        uint32_t shard = (uint32_t)unpack_u64_max(&in, CAMPUS_SHARDS_MAX - 1);

        if (in.failed) {
            return ERR_MALFORMED; /* not proposed by any leader */
        }
        settled(work->enrol, &head, shard);
    } while (!unpack_is_done(&in));
    return OK;
}
