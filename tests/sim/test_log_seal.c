/* A batch that a process wrote and could not sync is taken up by the next one; power may fail
 * while that writes it again and seals the end. The start after that must not call it damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/log_world.h"

enum { SEEDS = 40, CALLS = 40, VALUES = 6, FILLING = 500 };

/* A batch is in the file, whole for whoever reads it, and its sync has failed. */
static void write_without_sync(struct log_world *world)
{
    assert_int_equal(log_world_open(world), OK);
    assert_int_equal(log_world_propose(world, 0, FILLING), OK);
    assert_true(log_world_settle(world));
    io_sim_fail(world->io, IO_SIM_SYNC, 1, ERR_IO, false);
    for (int i = 0; i < VALUES; i++) {
        assert_int_equal(log_world_propose(world, 1, FILLING), OK);
    }
    for (int i = 0; i < 1000 && !world->ledger.is_failed; i++) {
        log_world_step(world, 1);
    }
    assert_true(world->ledger.is_failed);
    log_world_drop(world);
    io_sim_fail_clear(world->io);
    io_sim_restart(world->io);
}

static void log__power_cut_while_the_end_is_sealed__starts_again(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (uint64_t call = 1; call <= CALLS; call++) {
            struct log_world world;

            log_world_init(&world, seed, NULL);
            write_without_sync(&world);
            io_sim_crash_at(world.io, call);
            int rc = log_world_open(&world);
            io_sim_fail_clear(world.io);
            io_sim_crash(world.io);
            if (rc == OK) {
                log_world_drop(&world);
            }
            io_sim_restart(world.io);
            rc = log_world_open(&world);
            if (rc != OK) {
                print_error("seed %llu call %llu: %s\n", (unsigned long long)seed,
                            (unsigned long long)call, engine_raft_text(world.engine));
            }
            assert_int_equal(rc, OK);
            assert_string_equal(world.violation, "");
            log_world_fini(&world);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log__power_cut_while_the_end_is_sealed__starts_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
