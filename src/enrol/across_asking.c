/* One question to several shards, until all have answered. */
#include "base/assert.h"
#include "campus/shard.h"
#include "enrol/across_facts.h"
#include "enrol/across_private.h"
#include "enrol/request.h"

static struct across_asked *asked_find(struct across_asking *asking, uint32_t shard)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        if (asking->of[i].shard == shard) {
            return &asking->of[i];
        }
    }
    return NULL;
}

static void send(struct across *across, uint64_t now_ms, const struct across_asking *asking,
                 struct across_asked *asked)
{
    uint64_t left = asking->deadline_ms > now_ms ? asking->deadline_ms - now_ms : 0;

    buf_clear(&across->message);
    across_put_head(&across->message,
                    &(struct across_head){.kind = asking->kind,
                                          .id = asking->id,
                                          .token = across__token(across, asking->student)});
    across_put_number(&across->message, left);
    int rc = buf_append_slice(&across->message, asked->reserve);

    ASSERT(rc == OK);
    asked->send_ms = now_ms + ACROSS_REPEAT_MS;
    across__send(across, asked->shard, buf_slice(&across->message));
}

static bool is_add_of(const struct across *across, const struct request_op *op, uint32_t shard)
{
    return op->kind == CARILLON__OP_KIND__OP_ADD &&
           campus_shard_of(op->name.code, across->enrol->campus.shard_count) == shard;
}

/* Which courses elsewhere have a rule is no part of the state: it is remembered of those that said
 * so. Too many are no harm. */
static void ruled_learn(struct across *across, const struct request *request, uint32_t shard)
{
    for (uint32_t i = 0; i < request->op_count; i++) {
        if (is_add_of(across, &request->ops[i], shard)) {
            uint64_t bit = hash_slice(request->ops[i].name.code) % ACROSS_RULED_BITS;

            across->ruled[bit / 64] |= 1ULL << (bit % 64);
        }
    }
}

static bool is_ruled(const struct across *across, const struct request *request, uint32_t shard)
{
    for (uint32_t i = 0; i < request->op_count; i++) {
        uint64_t bit = hash_slice(request->ops[i].name.code) % ACROSS_RULED_BITS;

        if (is_add_of(across, &request->ops[i], shard) &&
            (across->ruled[bit / 64] >> (bit % 64) & 1) != 0) {
            return true;
        }
    }
    return false;
}

/* What is sent again must be the same: it is packed once. */
static struct slice reserve_pack(struct across *across, const struct across_asking *asking,
                                 const struct across_asked *asked,
                                 const struct request *request, uint64_t claim)
{
    struct across_reserve *reserve = arena_alloc(&across->own, sizeof *reserve);

    reserve->is_whole = asked->is_whole;
    across__facts(&across->enrol->campus, asking->student, request, asked->shard, claim,
                  reserve);
    reserve->fact = asking->fact;
    reserve->left_ms =
        0; /* one byte, which gives way to the time that is left when it is sent */
    buf_clear(&across->message);
    across_put_reserve(&across->message, reserve);
    arena_free(&across->own, reserve, sizeof *reserve);
    return across__keep(across, slice_sub(buf_slice(&across->message), 1, SIZE_MAX));
}

void across__asking_start(struct across *across, uint64_t now_ms, struct across_asking *asking,
                          const struct request *request, uint64_t claim)
{
    const struct campus *campus = &across->enrol->campus;

    across__asking_forget(across, asking);
    asking->id = (struct enrol_attempt_id){campus->shard, across->term, ++across->counter};
    for (uint32_t i = 0; i < request->op_count; i++) {
        uint32_t shard = campus_shard_of(request->ops[i].name.code, campus->shard_count);

        if (shard != campus->shard && asked_find(asking, shard) == NULL) {
            struct across_asked *asked = &asking->of[asking->count++];

            *asked = (struct across_asked){
                .shard = shard,
                .is_whole = asking->kind == ACROSS_CHECK || is_ruled(across, request, shard),
            };
            asked->reserve = reserve_pack(across, asking, asked, request, claim);
            send(across, now_ms, asking, asked);
        }
    }
}

void across__asking_tell(struct across *across, uint64_t now_ms, struct across_asking *asking,
                         const struct across_flight *flight, uint32_t shard)
{
    struct across_asked *asked = asked_find(asking, shard);

    if (asked == NULL || asked->is_answered || asked->is_whole) {
        return; /* said already */
    }
    struct request *request = arena_alloc(&across->own, sizeof *request);
    int rc = request_decode(flight->body, request);

    ASSERT(rc == OK); /* as when it was taken */
    ruled_learn(across, request, shard);
    across__give_back(across, &asked->reserve);
    asked->is_whole = true;
    asked->reserve = reserve_pack(across, asking, asked, request, flight->claim);
    send(across, now_ms, asking, asked);
    arena_free(&across->own, request, sizeof *request);
}

static bool is_answered(const struct across_asking *asking)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        if (!asking->of[i].is_answered) {
            return false;
        }
    }
    return true;
}

bool across__asking_take(struct across *across, struct across_asking *asking, uint32_t shard,
                         struct slice message)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    struct unpack in = unpack_from(message);
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserved(&in, reserved);
    bool is_sound = unpack_is_done(&in);
    struct across_asked *asked = asked_find(asking, shard);

    arena_free(&across->own, reserved, sizeof *reserved);
    if (!is_sound || asked == NULL || asked->is_answered) {
        return false; /* once more, or of nobody who was asked */
    }
    asked->is_answered = true;
    asked->reply = across__keep(across, message);
    return is_answered(asking);
}

void across__asking_again(struct across *across, uint64_t now_ms, struct across_asking *asking)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        if (!asking->of[i].is_answered && now_ms >= asking->of[i].send_ms) {
            send(across, now_ms, asking, &asking->of[i]);
        }
    }
}

void across__asking_forget(struct across *across, struct across_asking *asking)
{
    for (uint32_t i = 0; i < asking->count; i++) {
        across__give_back(across, &asking->of[i].reserve);
        across__give_back(across, &asking->of[i].reply);
    }
    asking->count = 0;
}
