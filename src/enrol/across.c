/* The leader's part: where events come in and effects go out. */
#include "enrol/across.h"

#include "base/assert.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_private.h"

enum {
    OWN_BYTES_MAX = 256 << 20,
    EFFECTS_BYTES_MAX = 64 << 20,
};

/* An effect with its slices as places in the bytes. */
struct packed_effect {
    struct across_effect effect;
    size_t at;
    size_t key_len;
    size_t body_len;
    size_t text_len;
};

struct across *across_create(struct enrol *enrol)
{
    struct arena own;

    arena_init(&own, OWN_BYTES_MAX);
    struct across *across = arena_alloc_zero(&own, sizeof *across);

    across->own = own;
    across->enrol = enrol;
    buf_init(&across->effects, EFFECTS_BYTES_MAX);
    buf_init(&across->bytes, EFFECTS_BYTES_MAX);
    buf_init(&across->message, (size_t)ACROSS_BYTES_MAX * ACROSS_OPS_MAX);
    /* Megabytes, of which a calm leader uses little: a slot is written when it is first taken.
     */
    across->flights = arena_alloc(&across->own, ACROSS_FLIGHT_MAX * sizeof *across->flights);
    across->parked = arena_alloc(&across->own, ACROSS_FLIGHT_MAX * sizeof *across->parked);
    across->inquiries =
        arena_alloc(&across->own, ACROSS_FLIGHT_MAX * sizeof *across->inquiries);
    across->rosters = arena_alloc(&across->own, ACROSS_ROSTERS_MAX * sizeof *across->rosters);
    across->questions = arena_alloc(&across->own, ACROSS_ASKED_MAX * sizeof *across->questions);
    return across;
}

void across_destroy(struct across *across)
{
    if (across == NULL) {
        return;
    }
    struct arena own = across->own;

    buf_fini(&across->effects);
    buf_fini(&across->bytes);
    buf_fini(&across->message);
    arena_fini(&own);
}

/* ---- effects */

void across__begin(struct across *across)
{
    buf_clear(&across->effects);
    buf_clear(&across->bytes);
}

static size_t put_bytes(struct across *across, struct slice bytes)
{
    int rc = buf_append_slice(&across->bytes, bytes);

    ASSERT(rc == OK);
    return bytes.len;
}

void across__effect(struct across *across, const struct across_effect *effect)
{
    struct packed_effect packed = {.effect = *effect, .at = across->bytes.len};

    packed.key_len = put_bytes(across, effect->key);
    packed.body_len = put_bytes(across, effect->body);
    packed.text_len = put_bytes(across, effect->text);
    int rc = buf_append(&across->effects, &packed, sizeof packed);

    ASSERT(rc == OK);
}

size_t across_effect_count(const struct across *across)
{
    return across->effects.len / sizeof(struct packed_effect);
}

struct across_effect across_effect_at(const struct across *across, size_t i)
{
    const struct packed_effect *packed =
        &((const struct packed_effect *)(const void *)across->effects.data)[i];
    struct across_effect effect = packed->effect;
    struct slice bytes = buf_slice(&across->bytes);

    effect.key = slice_sub(bytes, packed->at, packed->key_len);
    effect.body = slice_sub(bytes, packed->at + packed->key_len, packed->body_len);
    effect.text =
        slice_sub(bytes, packed->at + packed->key_len + packed->body_len, packed->text_len);
    return effect;
}

void across__send(struct across *across, uint32_t shard, struct slice message)
{
    across__effect(
        across, &(struct across_effect){.kind = ACROSS_SEND, .shard = shard, .body = message});
}

void across__propose(struct across *across, uint32_t method, struct slice key,
                     struct slice body)
{
    across__effect(across,
                   &(struct across_effect){
                       .kind = ACROSS_PROPOSE, .method = method, .key = key, .body = body});
}

void across__local(struct across *across, uint64_t client)
{
    across__effect(across, &(struct across_effect){.kind = ACROSS_LOCAL, .client = client});
}

void across__send_head(struct across *across, uint32_t shard, uint32_t kind,
                       const struct enrol_attempt_id *id, struct slice token, uint32_t verdict)
{
    buf_clear(&across->message);
    across_put_head(&across->message,
                    &(struct across_head){.kind = kind, .id = *id, .token = token});
    if (verdict != 0) {
        across_put_number(&across->message, verdict);
    }
    across__send(across, shard, buf_slice(&across->message));
}

struct slice across__token(const struct across *across, uint32_t student)
{
    return campus_profile_token(campus_student(&across->enrol->campus, student)->profile);
}

struct slice across__keep(struct across *across, struct slice bytes)
{
    return arena_copy(&across->own, bytes);
}

void across__give_back(struct across *across, struct slice *bytes)
{
    arena_free_slice(&across->own, *bytes);
    *bytes = SLICE_NONE;
}

/* ---- leading */

void across_lead(struct across *across, uint64_t term)
{
    ASSERT(term > across->term);
    across_follow(across);
    across->term = term;
    across->counter = 0;
    across->asked = 0;
    across->untold_count = 0;
    across->settled_count = 0;
    across__news_reset(across);
    across->walk.is_wanted = true;
    across__read(across);
    across->token_first = across->token;
}

void across__read(struct across *across)
{
    across__effect(across,
                   &(struct across_effect){.kind = ACROSS_READ, .token = ++across->token});
}

/* What was under way is forgotten. Its decisions may still happen: whoever asks hears that from
 * the next leader. */
void across_follow(struct across *across)
{
    across__begin(across);
    for (uint32_t i = 0; i < across->flight_end; i++) {
        if (across->flights[i].phase != 0) {
            across__flight_end(across, &across->flights[i], ERR_TIMEOUT,
                               "the shard has another leader now");
        }
    }
    across__inquiries_end(across);
    for (uint32_t i = 0; i < across->parked_end; i++) {
        across__give_back(across, &across->parked[i].message);
        across->parked[i].deadline_ms = 0;
    }
    for (uint32_t i = 0; i < across->question_count; i++) {
        across__give_back(across, &across->questions[i].head.token);
        across__give_back(across, &across->questions[i].message);
    }
    across->check_count = 0;
    for (uint32_t i = 0; i < across->roster_count; i++) {
        across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                       .client = across->rosters[i].client,
                                                       .status = ERR_BUSY});
    }
    across->roster_count = 0;
    across->parked_count = 0;
    across->reserving = 0;
    across->question_count = 0;
    across->is_ready = false;
    across->term = 0;
}

void across_read_done(struct across *across, uint64_t now_ms, uint64_t token)
{
    across__begin(across);
    if (across->term == 0 || token < across->token_first) {
        return; /* of an earlier term: it says nothing about this one */
    }
    across->is_ready = true;
    across->token_done = token > across->token_done ? token : across->token_done;
    across__answer(across);
    if (across->question_count > 0 && across->token == across->token_done) {
        across__read(across);
    }
    across__todo_send(across, now_ms);
    across__home_look(across, now_ms);
}

void across_tick(struct across *across, uint64_t now_ms, uint64_t wall_ms)
{
    across__begin(across);
    across->wall_ms = wall_ms > across->wall_ms ? wall_ms : across->wall_ms;
    if (across->term == 0) {
        return;
    }
    across__todo_send(across, now_ms);
    across__hold_ask(across, now_ms);
    across__offer_send(across, now_ms);
    across__offer_due(across, now_ms);
    across__section_look(across, now_ms);
    across__roster_look(across, now_ms);
    across__home_look(across, now_ms);
    across__inquiry_look(across, now_ms);
    across__walk_look(across, now_ms);
    if (across->question_count > 0 || !across->is_ready) {
        across__read(across); /* the last one may have been lost */
    }
}

/* ---- messages and entries */

static bool dispatch(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head, struct slice message)
{
    bool is_home = campus_is_own(&across->enrol->campus, head->token);

    switch ((enum across_kind)head->kind) {
    case ACROSS_RESERVE:
        across__reserve_take(across, now_ms, message);
        return !is_home;
    case ACROSS_SETTLE:
        across__settle_take(across, shard, message);
        return !is_home;
    case ACROSS_PENDING: /* it will be asked again */
        across__pending(across, now_ms, head, message);
        return !is_home;
    case ACROSS_RESERVED:
        across__reserved(across, now_ms, shard, head, message);
        return is_home;
    case ACROSS_SETTLED:
        across__settled_take(across, now_ms, shard, message);
        return is_home;
    case ACROSS_ASK:
        across__asked(across, now_ms, shard, head, message);
        return is_home;
    case ACROSS_OFFER:
        across__offered(across, now_ms, shard, head, message);
        return is_home;
    case ACROSS_DECLINE:
        across__decline_take(across, message);
        return !is_home;
    case ACROSS_CHECK:
        across__check_take(across, shard, message);
        return !is_home;
    case ACROSS_CHECKED:
        across__checked(across, now_ms, shard, head, message);
        return is_home;
    case ACROSS_KIND_NR:
        break;
    }
    return false;
}

bool across_receive(struct across *across, uint64_t now_ms, uint32_t shard,
                    struct slice message)
{
    struct unpack in = unpack_from(message);
    struct across_head head;

    across__begin(across);
    if (across->term == 0) {
        return true; /* the sender finds the leader by itself */
    }
    across_take_head(&in, &head);
    if (in.failed || shard >= across->enrol->campus.shard_count) {
        return false;
    }
    bool is_to_home = head.kind == ACROSS_RESERVED || head.kind == ACROSS_SETTLED ||
                      head.kind == ACROSS_ASK || head.kind == ACROSS_OFFER ||
                      head.kind == ACROSS_CHECKED;
    uint32_t home = campus_shard_of(head.token, across->enrol->campus.shard_count);

    if (head.id.home != home ||
        (is_to_home ? home != across->enrol->campus.shard : home != shard)) {
        return false; /* of nobody who could say such a thing */
    }
    return dispatch(across, now_ms, shard, &head, message);
}

void across_applied(struct across *across, uint64_t now_ms, const struct enrol_entry *entry,
                    const struct enrol_result *result)
{
    across__begin(across);
    across->wall_ms = entry->wall_ms > across->wall_ms ? entry->wall_ms : across->wall_ms;
    if (across->term == 0) {
        return;
    }
    switch (entry->method) {
    case ENROL_ENTRY_RESERVE:
        across->reserving -= across->reserving > 0 ? 1 : 0;
        across__reserve_applied(across, now_ms, entry, result);
        break;
    case ENROL_ENTRY_DECIDE:
        across__decided(across, now_ms, entry, result);
        break;
    case ENROL_ENTRY_SETTLE: {
        struct unpack in = unpack_from(buf_slice(&result->reply));
        struct across_head head;

        across_take_head(&in, &head);
        if (!in.failed) {
            across__send(across, head.id.home, buf_slice(&result->reply));
        }
        across__section_look(across, now_ms);
        across__roster_look(across, now_ms);
        across__home_look(across, now_ms);
        break;
    }
    case ENROL_ENTRY_PERMIT:
    case ENROL_ENTRY_REFRESH:
        across__inquiry_applied(across, now_ms, entry, result);
        break;
    case ENROL_ENTRY_FACT:
        across__walk_applied(across, entry, result);
        break;
    default:
        break;
    }
    across__offer_send(across, now_ms);
}

void across_not_proposed(struct across *across, uint32_t method, struct slice key,
                         struct slice body)
{
    struct unpack in = unpack_from(body);
    struct across_decide decide;

    across__begin(across);
    enrol_forget(across->enrol, method, body);
    across->reserving -= method == ENROL_ENTRY_RESERVE && across->reserving > 0 ? 1 : 0;
    if (method == ENROL_ENTRY_PERMIT) {
        across__inquiry_not_proposed(across, key);
    }
    if (method != ENROL_ENTRY_DECIDE) {
        return; /* asked for again by whoever needs it */
    }
    across_take_decide(&in, &decide);
    ASSERT(!in.failed);
    for (uint32_t i = 0; i < across->flight_end; i++) {
        struct across_flight *flight = &across->flights[i];

        if (flight->phase == ACROSS_DECIDING &&
            enrol_attempt_id_compare(&flight->asking.id, &decide.id) == 0) {
            across__flight_end(across, flight, ERR_BUSY, error_text(ERR_BUSY));
        }
    }
}

uint32_t across_flight_count(const struct across *across)
{
    return across->flight_count;
}
