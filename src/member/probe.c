#include "member/member_private.h"

/* One member after another is asked whether it is there; when it is late with its answer,
 * others are asked to ask it. */

void member__adjust_health(struct member *member, int32_t by)
{
    int32_t health = (int32_t)member->health + by;
    int32_t health_max = (int32_t)member->options.health_max;

    health = health < 0 ? 0 : health;
    member->health = (uint32_t)(health > health_max ? health_max : health);
}

static uint32_t next_sequence(struct member *member)
{
    member->sequence++;
    member->sequence += member->sequence == 0;
    return member->sequence;
}

void member__drop_probe(struct member *member)
{
    member->probe.is_active = false;
}

static void begin_probe(struct member *member)
{
    struct member_probe *probe = &member->probe;
    struct member_peer *target = member__next_target(member);
    /* Lifeguard's local health: who may be slow itself asks slower and waits longer. */
    uint64_t scale = (uint64_t)member->health + 1;

    member->probe_ms = member->now_ms + member->options.probe_ms * scale;
    if (target == NULL) {
        return;
    }
    *probe = (struct member_probe){
        .target = target->id,
        .sequence = next_sequence(member),
        .sent_ms = member->now_ms,
        .direct_ms = member->now_ms + member->options.direct_ms * scale,
        .end_ms = member->probe_ms,
        .is_active = true,
    };
    struct member_message *ping = member__begin(member, MEMBER_PING, target->id);
    ping->sequence = probe->sequence;
    (void)member__post(member);
}

static void ask_relays(struct member *member)
{
    struct member_probe *probe = &member->probe;
    const struct member_peer *target = member__find(member, probe->target);
    member_id excluded[1 + MEMBER_RELAYS_MAX] = {probe->target};

    ASSERT(target != NULL);
    probe->direct_ms = UINT64_MAX;
    while (probe->relay_count < member->options.relays) {
        const struct member_peer *relay =
            member__draw(member, excluded, 1 + probe->relay_count);
        if (relay == NULL) {
            return;
        }
        probe->relays[probe->relay_count++] = relay->id;
        excluded[probe->relay_count] = relay->id;
        struct member_message *request = member__begin(member, MEMBER_PING_REQ, relay->id);
        request->sequence = probe->sequence;
        request->target = probe->target;
        if (target->state != MEMBER_ALIVE) {
            (void)member__add_claim(member, target); /* the relay tells it */
        }
        (void)member__post(member);
    }
}

/* Lifeguard's local health: a failed probe counts by the nacks that are missing. When all
 * relays say that they hear nothing either, this member is not to blame. */
static void fail_probe(struct member *member)
{
    struct member_probe *probe = &member->probe;
    struct member_peer *target = member__find(member, probe->target);
    int32_t missed = probe->relay_count == 0 ? 1 : 0;

    for (uint32_t i = 0; i < probe->relay_count; i++) {
        missed += !probe->has_nack[i];
    }
    probe->is_active = false;
    member->counters.probes_failed++;
    member__adjust_health(member, missed);
    if (target != NULL) {
        member__accuse(member, target, probe->sent_ms);
    }
}

void member__advance_probe(struct member *member)
{
    struct member_probe *probe = &member->probe;

    if (probe->is_active && member->now_ms >= probe->end_ms) {
        fail_probe(member);
    }
    if (probe->is_active && member->now_ms >= probe->direct_ms) {
        ask_relays(member);
    }
    if (!probe->is_active && member->now_ms >= member->probe_ms) {
        begin_probe(member);
    }
}

/* ---- what comes in */

void member__recv_ping(struct member *member, const struct member_message *message)
{
    struct member_message *ack = member__begin(member, MEMBER_ACK, message->from);
    ack->sequence = message->sequence;
    (void)member__post(member);
}

static struct member_errand *find_errand(struct member *member,
                                         const struct member_message *message)
{
    for (uint32_t i = 0; i < MEMBER_ERRANDS_MAX; i++) {
        struct member_errand *errand = &member->errands[i];
        if (errand->sequence != 0 && errand->sequence == message->sequence &&
            errand->target == message->from) {
            return errand;
        }
    }
    return NULL;
}

static uint32_t find_relay(const struct member_probe *probe, member_id id)
{
    uint32_t place = 0;

    while (place < probe->relay_count && probe->relays[place] != id) {
        place++;
    }
    return place;
}

/* The answer to a ping on somebody's behalf: pass it on, with what it says of the target. */
static void finish_errand(struct member *member, struct member_errand *errand)
{
    struct member_peer *target = member__find(member, errand->target);

    struct member_message *ack = member__begin(member, MEMBER_ACK, errand->origin);
    ack->sequence = errand->origin_sequence;
    if (target != NULL) {
        (void)member__add_claim(member, target);
    }
    (void)member__post(member);
    errand->sequence = 0;
}

void member__recv_ack(struct member *member, const struct member_message *message)
{
    struct member_probe *probe = &member->probe;
    struct member_errand *errand = find_errand(member, message);

    if (errand != NULL) {
        finish_errand(member, errand);
        return;
    }
    if (!probe->is_active || message->sequence != probe->sequence) {
        return;
    }
    if (message->from == probe->target) {
        probe->is_active = false;
        member__adjust_health(member, -1);
    } else if (find_relay(probe, message->from) < probe->relay_count) {
        probe->is_active = false;
    }
}

void member__recv_nack(struct member *member, const struct member_message *message)
{
    struct member_probe *probe = &member->probe;
    uint32_t place = find_relay(probe, message->from);

    if (probe->is_active && message->sequence == probe->sequence &&
        place < probe->relay_count) {
        probe->has_nack[place] = true;
    }
}

void member__recv_ping_req(struct member *member, const struct member_message *message)
{
    struct member_errand *errand = &member->errands[member->errand_next];

    if (message->target == member->options.id ||
        member__find(member, message->target) == NULL) {
        return;
    }
    member->errand_next = (member->errand_next + 1) % MEMBER_ERRANDS_MAX;
    member->counters.errands_lost += errand->sequence != 0 && errand->nack_ms != UINT64_MAX;
    *errand = (struct member_errand){
        .origin = message->from,
        .origin_sequence = message->sequence,
        .target = message->target,
        .sequence = next_sequence(member),
        .nack_ms = member->now_ms + member->options.nack_ms,
    };
    struct member_message *ping = member__begin(member, MEMBER_PING, message->target);
    ping->sequence = errand->sequence;
    (void)member__post(member);
}

void member__advance_errands(struct member *member)
{
    for (uint32_t i = 0; i < MEMBER_ERRANDS_MAX; i++) {
        struct member_errand *errand = &member->errands[i];
        if (errand->sequence == 0 || member->now_ms < errand->nack_ms) {
            continue;
        }
        /* A late answer is still passed on; the place is taken when others need it. */
        errand->nack_ms = UINT64_MAX;
        if (member__find(member, errand->origin) != NULL) {
            struct member_message *nack = member__begin(member, MEMBER_NACK, errand->origin);
            nack->sequence = errand->origin_sequence;
            (void)member__post(member);
        }
    }
}
