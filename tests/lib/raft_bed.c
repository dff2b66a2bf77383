#include "tests/lib/raft_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct world *world;

int raft_bed_open(void **state)
{
    (void)state;
    world = world_create();
    return 0;
}

int raft_bed_close(void **state)
{
    (void)state;
    world_destroy(world);
    world = NULL;
    return 0;
}

void raft_bed_begin(uint32_t voters)
{
    struct raft_options options = story_options();

    world_begin_scripted(world, &options, voters);
}

void raft_bed_expect_well(void)
{
    assert_string_equal(world->violation, "");
}
