/* Seeds that once found something wrong in the core, kept. What each found is told as a
 * schedule in tests/unit where it can be; a seed's meaning changes with the world that draws
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/raft_world.h"

static const struct {
    uint64_t seed;
    uint32_t voters;
    const char *found;
} seeds[] = {
    {816,   3, "entries read back for applying reached into what memory had cut off"          },
    {185,   5, "the same"                                                                     },
    {399,   3, "a voter that had demoted itself did not campaign, and nobody else could win"  },
    {1329,  5, "the same"                                                                     },
    {78,    3, "a follower without room and its leader refused one another without end"       },
    {4014,  5, "the same"                                                                     },
    {1030,  3, "a follower whose snapshot overtook its disk never said that it had room again"},
    {15776, 5, "the same"                                                                     },
};

static void raft_seed__that_found_something__holds(void **state)
{
    struct world *world = world_create();
    (void)state;

    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        world_begin(world, seeds[i].seed, seeds[i].voters);
        if (!world_run(world)) {
            fail_msg("SEED=%llu CARILLON_VOTERS=%u (%s): %s", (unsigned long long)seeds[i].seed,
                     seeds[i].voters, seeds[i].found, world->violation);
        }
    }
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raft_seed__that_found_something__holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
