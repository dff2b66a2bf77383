#include "tests/lib/members_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct node *members_bed_node(const struct node_world *world, uint32_t number)
{
    return number == 0 ? world->node : world->replicas[number - 1].node;
}

struct io *members_bed_io(const struct node_world *world, uint32_t number)
{
    return number == 0 ? world->io : world->replicas[number - 1].io;
}

static bool is_well(const struct node *node)
{
    return node != NULL && !node->is_failed && !node->is_removed;
}

void members_bed_expect_fine(const struct node_world *world)
{
    if (world->violation[0] != '\0') {
        fail_msg("%s", world->violation);
    }
}

static bool all_are_members(const struct node_world *world)
{
    for (uint32_t i = 0; i < MEMBERS_BED_NODES; i++) {
        const struct meta *meta = &members_bed_node(world, i)->meta;
        uint32_t count = 0;

        for (uint32_t k = 0; k < meta->member_count; k++) {
            count += meta->members[k].state == META_PRESENT;
        }
        if (count != MEMBERS_BED_NODES) {
            return false;
        }
    }
    return true;
}

void members_bed_begin(struct node_world *world, uint64_t seed, uint64_t *sometimes)
{
    node_world_init(world, seed, NULL, sometimes);
    node_world_replicas(world, MEMBERS_BED_NODES - 1);
    assert_int_equal(node_world_open(world), OK);
    assert_true(node_world_gather(world));
    for (int i = 0; i < 100 && !all_are_members(world); i++) {
        node_world_run_ms(world, 100);
    }
    assert_true(all_are_members(world));
}

enum member_state members_bed_state(const struct node_world *world, uint32_t at, uint32_t of)
{
    uint64_t since_ms;

    return node__swim_state(members_bed_node(world, at), members_bed_node(world, of)->raft.id, &since_ms);
}

bool members_bed_all_alive(const struct node_world *world)
{
    for (uint32_t at = 0; at < MEMBERS_BED_NODES; at++) {
        for (uint32_t of = 0; of < MEMBERS_BED_NODES; of++) {
            if (at != of && members_bed_state(world, at, of) != MEMBER_ALIVE) {
                return false;
            }
        }
    }
    return true;
}

void members_bed_on_done(struct node_change *change, int status)
{
    struct members_bed_wish *wish = CONTAINER_OF(change, struct members_bed_wish, change);

    wish->is_done = true;
    wish->status = status;
}

int members_bed_change(struct node_world *world, uint32_t at, const uint8_t *id, enum meta_kind kind,
                  enum meta_member_state to)
{
    int rc = ERR_NOT_LEADER;

    for (int tries = 0; tries < 200 && error_is_retryable(rc); tries++) {
        static struct members_bed_wish wish;

        wish = (struct members_bed_wish){.change = {.done = members_bed_on_done}};
        wish.change.entry = (struct meta_entry){.kind = kind, .member = {.state = to}};
        memcpy(wish.change.entry.member.id, id, META_ID_BYTES);
        rc = is_well(members_bed_node(world, at)) ? node__change(members_bed_node(world, at), &wish.change)
                                         : ERR_NOT_LEADER;
        for (int i = 0; rc == OK && !wish.is_done && i < 200; i++) {
            node_world_run_ms(world, 10);
        }
        rc = rc == OK ? (wish.is_done ? wish.status : ERR_INTERNAL) : rc;
        node_world_run_ms(world, 50);
    }
    return rc;
}

bool members_bed_leads_any(const struct node *node)
{
    for (uint32_t group = 0; group < engine_raft_groups(&node->raft); group++) {
        if (node->raft.groups[group].is_leading) {
            return true;
        }
    }
    return false;
}

uint32_t members_bed_leader_of(const struct node_world *world, uint32_t group)
{
    for (uint32_t i = 0; i <= world->replica_count; i++) {
        const struct node *node = members_bed_node(world, i);

        if (node != NULL && node->raft.groups[group].is_leading) {
            return i;
        }
    }
    fail_msg("nobody leads group %u", group);
    return 0;
}

bool members_bed_is_voter(const struct node_world *world, uint32_t group, raft_id id)
{
    return raft_configuration_is_voter(engine_raft_configuration(&world->node->raft, group),
                                       id);
}

void members_bed_import(struct node_world *world)
{
    uint32_t wave = world->wave_count;

    node_world_import(world);
    while (world->waves[wave].state <= WAVE_COMMITTING && node_world_step(world)) {
    }
    members_bed_expect_fine(world);
}

void members_bed_work(struct node_world *world, uint32_t ops)
{
    for (uint32_t i = 0; i < ops; i++) {
        if (node_world_is_well(world)) {
            node_world_ask_random(world);
        }
        node_world_run_ms(world, rng_below(&world->rng, 30));
    }
}
