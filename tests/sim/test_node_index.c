/* The search index of a node that has just started, while its lane still makes it: what changes
 * meanwhile is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "tests/lib/node_world.h"

static uint64_t sometimes[SOMETIMES_NR];

static void import(struct node_world *world)
{
    uint32_t wave = world->wave_count;

    node_world_import(world);
    while (world->waves[wave].state <= WAVE_COMMITTING && node_world_step(world)) {
    }
    assert_int_equal(world->waves[wave].state, WAVE_COMMITTED);
}

/* The lane has come past all documents, and the node has not heard of it. */
static void index__change_of_what_the_lane_has_passed__is_followed(void **state)
{
    struct node_world world;

    (void)state;
    node_world_init(&world, 1, NULL, sometimes);
    assert_int_equal(node_world_open(&world), OK);
    import(&world);
    import(&world);
    struct shard *shard = &world.node->shards[0];

    assert_false(shard->is_indexing);
    shard->is_indexing = true;
    shard->indexing_next = UINT32_MAX;
    import(&world);
    assert_true(shard->is_indexing);
    shard->is_indexing = false;
    node_world_check(&world);
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index__change_of_what_the_lane_has_passed__is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
