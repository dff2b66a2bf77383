/* tests/lib/log_world.h -- one node's engine on a simulated machine, with what was submitted
 * and what was told.
 *
 * Layer: tests
 *
 * Group g gets the values 1, 2, 3, ... in order, so that what is recovered must be 1..n with
 * told <= n <= submitted.
 */
#ifndef CARILLON_TESTS_LIB_LOG_WORLD_H
#define CARILLON_TESTS_LIB_LOG_WORLD_H

#include "base/rng.h"
#include "io_sim/io_sim.h"
#include "node/engine_raft.h"
#include "tests/lib/ledger.h"

enum { LOG_WORLD_GROUPS = 3 };

/* How much a sweep does: a tenth in a build with a sanitizer, all of it at night
 * (CARILLON_CAMPAIGN=nightly). */
enum log_world_size { LOG_WORLD_SMALL, LOG_WORLD_MERGE, LOG_WORLD_NIGHTLY };
enum log_world_size log_world_size(void);

struct log_world {
    struct io_sim *sim;
    struct io *io;
    struct engine_options options;
    struct engine_raft *engine;
    struct ledger ledger;
    struct rng rng;
    uint64_t submitted[LOG_WORLD_GROUPS];
    uint64_t told[LOG_WORLD_GROUPS];
    bool has_hard_state[LOG_WORLD_GROUPS]; /* one was durable */
    bool is_open;
    int snapshots;       /* asked for and not told about */
    char violation[256]; /* "" while all is well */
};

/* A new world with an empty disk. Segments of 16 KiB, batches of 8 KiB. */
void log_world_init(struct log_world *world, uint64_t seed,
                    const struct io_sim_options *options);
void log_world_fini(struct log_world *world);

/* Open the engine, compare what it holds with what was submitted and told, and wait until it
 * leads its groups, or is not well. */
int log_world_open(struct log_world *world) CHECKED;

/* The process is gone (crashed, killed or given up): free what it had. */
void log_world_drop(struct log_world *world);

/* Close the engine and wait for it. Ends early when the machine goes down. */
void log_world_close(struct log_world *world);

/* Propose the next value of @group. */
int log_world_propose(struct log_world *world, uint32_t group, size_t filling) CHECKED;

/* Ask for a snapshot and do not wait. */
void log_world_snapshot(struct log_world *world, uint32_t group);

/* Deliver @events events, or fewer when the machine goes down. */
void log_world_step(struct log_world *world, int events);

/* Whether the process is up and its disk has not failed. */
bool log_world_is_well(const struct log_world *world);

/* Open, append to three groups, idle, snapshot, rotate, recycle, close. Ends early when the
 * machine goes down, the disk fails, or opening does. Returns: what opening answered. */
int log_world_story(struct log_world *world);

/* Wait until everything submitted was told. Returns: whether it was. */
bool log_world_settle(struct log_world *world);

#endif
