/* Offers: the section's shard keeps a seat and asks; the home claims it by an ordinary attempt,
 * or declines with the reason. */
#include "base/assert.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_private.h"
#include "enrol/request.h"
#include "proto/envelope.pb-c.h"

/* ---- the section's shard */

static void send_offer(struct across *across, const struct enrol_offer *offer)
{
    const struct campus *campus = &across->enrol->campus;
    struct slice token = across__token(across, offer->student);
    uint32_t home = campus_shard_of(token, campus->shard_count);
    struct across_decline message = {.number = offer->number};

    campus_section_name(campus, offer->section, &message.name);
    buf_clear(&across->message);
    across_put_head(
        &across->message,
        &(struct across_head){.kind = ACROSS_OFFER, .id = {.home = home}, .token = token});
    across_put_decline(&across->message, &message);
    across__send(across, home, buf_slice(&across->message));
}

/* An offer ends by logged time: an entry that says how late it is. */
static void expire(struct across *across, uint64_t now_ms)
{
    if (now_ms >= across->expire_ms) {
        across->expire_ms = now_ms + ACROSS_REPEAT_MS;
        across__propose(across, CARILLON__METHOD__METHOD_NONE, SLICE_NONE, SLICE_NONE);
    }
}

void across__offer_send(struct across *across, uint64_t now_ms)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = state->offer_first; at != CAMPUS_NONE;
         at = enrol__offer(state, at)->next) {
        const struct enrol_offer *offer = enrol__offer(state, at);
        const struct enrol_attempt_id id = {offer->section, offer->student, offer->number};
        struct across_news *news =
            across__news(across, &across->offer_news, &across->offer_news_cap, at, &id, 1);

        if (offer->since_ms + ENROL_OFFER_MS <= across->wall_ms) {
            expire(across, now_ms);
        } else if (news->next_ms <= now_ms) {
            news->next_ms = now_ms + ACROSS_REPEAT_MS;
            send_offer(across, offer);
        }
    }
}

/* Those who were passed over may have become eligible: their homes are asked again after a
 * while, as long as there is a seat. */
void across__offer_due(struct across *across, uint64_t now_ms)
{
    const struct campus *campus = &across->enrol->campus;

    if (now_ms < across->due_ms) {
        return;
    }
    across->due_ms = now_ms + ACROSS_ASK_MS;
    for (uint32_t i = 0; i < campus->stalled_count; i++) {
        const struct campus_section *section = campus_section(campus, campus->stalled[i]);

        for (uint32_t at = section->wait_first; at != CAMPUS_NONE;
             at = campus_place(campus, at)->next) {
            const struct campus_place *place = campus_place(campus, at);

            if (enrol__is_foreign_place(across->enrol, place) &&
                enrol__can_be_offered(place, across->wall_ms)) {
                expire(across, now_ms);
                return;
            }
        }
    }
}

void across__decline_take(struct across *across, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);
    struct across_head head;
    struct across_decline decline;

    across_take_head(&in, &head);
    across_take_decline(&in, &decline);
    if (unpack_is_done(&in)) {
        across->enrol->reserved += enrol__across_growth(ENROL_ENTRY_DECLINE, bytes);
        across__propose(across, ENROL_ENTRY_DECLINE, SLICE_NONE, bytes);
    }
}

/* ---- the home */

static void send_decline(struct across *across, uint32_t shard, struct slice token,
                         const struct across_decline *decline)
{
    buf_clear(&across->message);
    across_put_head(&across->message,
                    &(struct across_head){.kind = ACROSS_DECLINE,
                                          .id = {.home = across->enrol->campus.shard},
                                          .token = token});
    across_put_decline(&across->message, decline);
    across__send(across, shard, buf_slice(&across->message));
}

void across__decline(struct across *across, const struct across_flight *flight,
                     const struct across_reserved *reserved)
{
    struct across_decline decline = {.number = flight->claim};
    struct request *request = arena_alloc(&across->own, sizeof *request);
    int rc = request_decode(flight->body, request);

    ASSERT(rc == OK && reserved->refusal_count > 0);
    decline.name = request->ops[request->op_count - 1].name; /* the add is the last */
    decline.kind = reserved->refusals[0].kind;
    decline.evidence = reserved->refusals[0].evidence;
    send_decline(across, flight->claim_shard, across__token(across, flight->asking.student),
                 &decline);
    arena_free(&across->own, request, sizeof *request);
}

static bool is_under_way(const struct across *across, uint32_t student, uint32_t shard,
                         uint64_t number)
{
    for (uint32_t i = 0; i < across->flight_end; i++) {
        const struct across_flight *flight = &across->flights[i];

        if (flight->phase != 0 && flight->asking.student == student &&
            flight->claim == number && flight->claim_shard == shard) {
            return true;
        }
    }
    return false;
}

/* The request that a promotion stands for, with full names. */
static struct slice pack_request(struct across *across, const struct enrol_attempt *attempt)
{
    struct enrol *enrol = across->enrol;
    Carillon__SubmitRequest message = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[ENROL_OPS_MAX];
    Carillon__Op *list[ENROL_OPS_MAX];

    message.student = enrol__text(enrol, across__token(across, attempt->student));
    message.ops = list;
    message.n_ops = attempt->op_count;
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        Carillon__SectionName *name = enrol__section_message(enrol, attempt->ops[i].section);

        carillon__op__init(&ops[i]);
        ops[i].kind = (Carillon__OpKind)attempt->ops[i].kind;
        ops[i].institution = name->institution;
        ops[i].code = name->code;
        ops[i].section = name->section;
        ops[i].term = name->term;
        list[i] = &ops[i];
    }
    buf_clear(&across->message);
    int rc = enrol__pack(&message.base, &across->message);

    ASSERT(rc == OK);
    return across__keep(across, buf_slice(&across->message));
}

/* What the home would say: a claim that would be refused is declined at once. */
static void judge(struct across *across, uint32_t place, struct enrol_parts *parts,
                  struct enrol_attempt *attempt)
{
    struct enrol *enrol = across->enrol;

    enrol__promotion_make(enrol, campus_place(&enrol->campus, place), across->wall_ms, attempt);
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct enrol_op *op = &attempt->ops[i];
        uint32_t course = campus_section(&enrol->campus, op->section)->course;

        parts->of[i] = (struct enrol_part){
            .is_foreign = campus_course(&enrol->campus, course)->is_foreign,
            .what = op->kind == CARILLON__OP_KIND__OP_ADD ? ENROL_HELD_SEAT : ENROL_HELD_DROP,
            .section = op->section,
        };
    }
    attempt->parts = parts;
    enrol__attempt_judge(attempt);
}

void across__offered(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head, struct slice bytes)
{
    struct enrol *enrol = across->enrol;
    struct unpack in = unpack_from(bytes);
    struct across_head again;
    struct across_decline offer;

    across_take_head(&in, &again);
    across_take_decline(&in, &offer);
    uint32_t student = campus_student_find(&enrol->campus, head->token);

    if (!unpack_is_done(&in) || offer.number == 0 || student == CAMPUS_NONE ||
        !across->is_ready || is_under_way(across, student, shard, offer.number)) {
        return;
    }
    uint32_t section = campus_full_name_find(&enrol->campus, &offer.name);
    uint32_t place = section == CAMPUS_NONE
                         ? CAMPUS_NONE
                         : campus_place_find(&enrol->campus, student, section);

    arena_reset(&enrol->scratch);
    struct enrol_attempt *attempt = enrol__scratch(enrol, sizeof *attempt);
    struct enrol_parts *parts = enrol__scratch(enrol, sizeof *parts);

    if (place == CAMPUS_NONE) {
        offer.evidence = SLICE_LITERAL("not on the waitlist");
        send_decline(across, shard, head->token, &offer);
        return;
    }
    judge(across, place, parts, attempt);
    if (attempt->refusal_count > 0) {
        offer.kind = attempt->refusals[0].kind;
        offer.evidence = attempt->refusals[0].evidence;
        send_decline(across, shard, head->token, &offer);
        return;
    }
    struct across_flight as = {
        .claim = offer.number,
        .claim_shard = shard,
        .asking = {.student = student, .deadline_ms = now_ms + ENROL_OFFER_MS},
    };
    struct slice body = pack_request(across, attempt);

    across__claim(across, now_ms, &as, body);
    across__give_back(across, &body);
}
