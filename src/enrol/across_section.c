/* The section's part: reserves and decisions of other homes become entries of this shard. */
#include "base/assert.h"
#include "campus/section.h"
#include "campus/shard.h"
#include "enrol/across_private.h"
#include "enrol/fact.h"

/* A reserve that waits for holds goes on so long before its deadline. */
enum { LAST_MS = 500 };

struct message {
    struct across_head head;
    struct across_reserve *reserve;
    struct slice rest; /* what follows the time left */
};

/* Owns: the caller gives message->reserve back to the arena. Returns: false when malformed. */
static bool message_take(struct across *across, struct slice bytes, struct message *message)
{
    struct unpack in = unpack_from(bytes);

    message->reserve = arena_alloc(&across->own, sizeof *message->reserve);
    across_take_head(&in, &message->head);
    struct unpack after = in;

    (void)unpack_u64(&after);
    message->rest = after.rest;
    across_take_reserve(&in, message->reserve);
    return unpack_is_done(&in);
}

static void message_give(struct across *across, struct message *message)
{
    arena_free(&across->own, message->reserve, sizeof *message->reserve);
}

/* ---- waiting for holds */

/* A section between whose seats and the request only other students' holds stand, or
 * CAMPUS_NONE. */
static uint32_t undecided(const struct across *across, const struct message *message)
{
    const struct campus *campus = &across->enrol->campus;
    uint32_t student = campus_student_find(campus, message->head.token);

    if (student != CAMPUS_NONE &&
        enrol__hold_find(&across->enrol->across, student) != CAMPUS_NONE) {
        return CAMPUS_NONE; /* his own older hold gives way at once */
    }
    for (uint32_t i = 0; i < message->reserve->op_count; i++) {
        const struct across_op *op = &message->reserve->ops[i];
        uint32_t section;

        if (op->kind == CARILLON__OP_KIND__OP_ADD &&
            campus_resolve_section(campus, &op->name, &section) == OK &&
            campus_section_is_undecided(campus_section(campus, section))) {
            return section;
        }
    }
    return CAMPUS_NONE;
}

static bool is_parked(const struct across *across, const struct across_head *head)
{
    for (uint32_t i = 0; i < across->parked_end; i++) {
        struct unpack in = unpack_from(across->parked[i].message);
        struct across_head other;

        if (across->parked[i].deadline_ms != 0) {
            across_take_head(&in, &other);
            if (other.id.home == head->id.home &&
                enrol_attempt_id_compare(&other.id, &head->id) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool park(struct across *across, struct slice bytes, uint64_t deadline_ms)
{
    for (uint32_t i = 0; i < ACROSS_FLIGHT_MAX; i++) {
        struct across_parked *parked = &across->parked[i];

        if (i >= across->parked_end || parked->deadline_ms == 0) {
            parked->deadline_ms = deadline_ms;
            parked->message = across__keep(across, bytes);
            across->parked_count++;
            across->parked_end = i + 1 > across->parked_end ? i + 1 : across->parked_end;
            return true;
        }
    }
    return false;
}

/* ---- proposing */

/* Every reserve that is proposed may become a hold. */
static int admit(struct across *across, struct slice body)
{
    struct enrol *enrol = across->enrol;
    struct buf text;

    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    int rc = enrol->across.hold_count + across->reserving >= ENROL_HOLDS_MAX
                 ? ERR_FULL
                 : enrol__room_reserve(enrol, enrol__across_growth(ENROL_ENTRY_RESERVE, body),
                                       &text);

    buf_fini(&text);
    return rc;
}

/* What needs no entry, for nothing is kept. */
static void say(struct across *across, const struct message *message,
                const struct across_reserved *reserved)
{
    struct across_head back = message->head;

    back.kind = ACROSS_RESERVED;
    buf_clear(&across->message);
    across_put_head(&across->message, &back);
    across_put_reserved(&across->message, reserved);
    across__send(across, back.id.home, buf_slice(&across->message));
}

/* @left_ms: what is left for waiting when it turns out that only holds are in the way. */
static void propose(struct across *across, const struct message *message, uint64_t left_ms)
{
    buf_clear(&across->message);
    across_put_head(&across->message, &message->head);
    across_put_number(&across->message, left_ms);
    int rc = buf_append_slice(&across->message, message->rest);

    ASSERT(rc == OK);
    if (admit(across, buf_slice(&across->message)) == OK) {
        across->reserving++;
        across__propose(across, ENROL_ENTRY_RESERVE, SLICE_NONE, buf_slice(&across->message));
        return;
    }
    say(across, message, &(struct across_reserved){.outcome = ACROSS_FAILED, .error = ERR_FULL});
}

void across__reserve_take(struct across *across, uint64_t now_ms, struct slice bytes)
{
    struct message message;
    bool is_sound = message_take(across, bytes, &message);
    uint64_t left = message.reserve->left_ms;

    /* "Work past its deadline is dropped." */
    if (is_sound && left > 0 && !is_parked(across, &message.head)) {
        uint32_t section = left > LAST_MS ? undecided(across, &message) : CAMPUS_NONE;

        if (!message.reserve->is_whole &&
            enrol__foreign_is_ruled(&across->enrol->campus, message.reserve)) {
            say(across, &message, &(struct across_reserved){.outcome = ACROSS_RULED});
        } else if (section != CAMPUS_NONE && park(across, bytes, now_ms + left - LAST_MS)) {
            across__hold_hurry(across, now_ms, section);
        } else {
            propose(across, &message, left);
        }
    }
    message_give(across, &message);
}

/* Those for whom there is a seat again, or no time left. */
void across__section_look(struct across *across, uint64_t now_ms)
{
    for (uint32_t i = 0; i < across->parked_end && across->parked_count > 0; i++) {
        struct across_parked *parked = &across->parked[i];
        struct message message;

        if (parked->deadline_ms == 0) {
            continue;
        }
        bool is_sound = message_take(across, parked->message, &message);

        ASSERT(is_sound);
        bool has_time = now_ms < parked->deadline_ms;

        if (!has_time || undecided(across, &message) == CAMPUS_NONE) {
            propose(across, &message, has_time ? parked->deadline_ms - now_ms + LAST_MS : 1);
            across__give_back(across, &parked->message);
            parked->deadline_ms = 0;
            across->parked_count--;
        }
        message_give(across, &message);
    }
}

/* ---- applied */

static bool is_undecided_only(const struct across_reserved *reserved)
{
    for (uint32_t i = 0; i < reserved->refusal_count; i++) {
        if (reserved->refusals[i].kind != CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNDECIDED) {
            return false;
        }
    }
    return reserved->refusal_count > 0;
}

/* The time left that an entry of this log speaks of. */
static uint64_t left_of(const struct enrol_entry *entry)
{
    struct unpack in = unpack_from(entry->body);
    struct across_head head;

    across_take_head(&in, &head);
    return unpack_u64(&in);
}

void across__reserve_applied(struct across *across, uint64_t now_ms,
                             const struct enrol_entry *entry, const struct enrol_result *result)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    struct unpack in = unpack_from(buf_slice(&result->reply));
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserved(&in, reserved);
    if (unpack_is_done(&in)) { /* else it was malformed, and has no reply */
        uint64_t left = left_of(entry);
        bool waits = left > LAST_MS && reserved->outcome == ACROSS_REFUSED &&
                     is_undecided_only(reserved) && !is_parked(across, &head) &&
                     park(across, entry->body, now_ms + left - LAST_MS);

        if (!waits) {
            across__send(across, head.id.home, buf_slice(&result->reply));
        }
    }
    arena_free(&across->own, reserved, sizeof *reserved);
}

/* Whether @shard could have made all of the decisions. */
static bool are_of(const struct across *across, uint32_t shard, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);
    bool are = across_settle_count(bytes) > 0;

    while (are && !unpack_is_done(&in)) {
        struct across_head head;

        across_take_head(&in, &head);
        (void)unpack_u64(&in);
        are = head.id.home == shard &&
              campus_shard_of(head.token, across->enrol->campus.shard_count) == shard;
    }
    return are;
}

/* What was decided makes room: it never waits for memory. */
void across__settle_take(struct across *across, uint32_t shard, struct slice bytes)
{
    struct enrol *enrol = across->enrol;

    if (!are_of(across, shard, bytes)) {
        return;
    }
    /* Also when there is no such hold: this leader's state may be behind, and the order of the
     * log is what counts. */
    enrol->reserved += enrol__across_growth(ENROL_ENTRY_SETTLE, bytes);
    across__propose(across, ENROL_ENTRY_SETTLE, SLICE_NONE, bytes);
}

/* ---- checks: the same judging, and nothing is kept */

void across__check_take(struct across *across, uint32_t shard, struct slice bytes)
{
    struct message message;
    bool is_sound = message_take(across, bytes, &message);

    if (is_sound && message.reserve->left_ms > 0 && across->check_count < ACROSS_CHECKS_MAX &&
        across__question_add(
            across, &(struct across_question){
                        .head = message.head, .shard = shard, .message = bytes})) {
        across->check_count++;
    }
    message_give(across, &message);
}

void across__check_answer(struct across *across, struct slice bytes)
{
    struct enrol *enrol = across->enrol;
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    struct message message;
    bool is_sound = message_take(across, bytes, &message);
    struct buf text;

    ASSERT(is_sound);
    arena_reset(&enrol->scratch);
    struct enrol_attempt *attempt = enrol__scratch(enrol, sizeof *attempt);

    attempt->enrol = enrol;
    attempt->student = campus_student_find(&enrol->campus, message.head.token);
    attempt->wall_ms = across->wall_ms;
    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    int rc = enrol__foreign_judge(attempt, message.reserve, NULL, &text);

    if (rc == OK) {
        enrol__foreign_tell(attempt, message.reserve, reserved);
    } else {
        *reserved = (struct across_reserved){
            .outcome = ACROSS_FAILED, .error = rc, .text = buf_slice(&text)};
    }
    reserved->fact = enrol_fact_newest(enrol);
    /* Who has heard of less than the home says nothing: it is asked again. */
    if (message.reserve->fact <= enrol_fact_newest(enrol)) {
        message.head.kind = ACROSS_CHECKED;
        buf_clear(&across->message);
        across_put_head(&across->message, &message.head);
        across_put_reserved(&across->message, reserved);
        across__send(across, message.head.id.home, buf_slice(&across->message));
    }
    across->check_count--;
    buf_fini(&text);
    arena_free(&across->own, reserved, sizeof *reserved);
    message_give(across, &message);
}
