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

/* What is sent again must be the same: it is packed once. */
static struct slice reserve_pack(struct across *across, const struct across_asking *asking,
                                 const struct request *request, uint32_t shard, uint64_t claim)
{
    struct across_reserve *reserve = arena_alloc(&across->own, sizeof *reserve);

    across__facts(&across->enrol->campus, asking->student, request, shard, claim, reserve);
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
                .reserve = reserve_pack(across, asking, request, shard, claim),
            };
            send(across, now_ms, asking, asked);
        }
    }
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
