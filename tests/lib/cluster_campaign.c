#include "tests/lib/cluster_campaign.h"

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SEEDS_FAULTS = 200, /* every kind of trouble strikes in that many */
    SEEDS_ALL = 1000,   /* whatever can come of trouble comes of that many */
    FAILURES_SHOWN = 5,
    REPEATED_EVERY = 100,
    SEED_FIRST = 100,
    TOLD_EVERY = 1000,
};

static uint64_t counts[CLUSTER_MARK_NR];
static uint64_t sometimes[SOMETIMES_NR];

void cluster_campaign_memory(void)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

static bool run_seed(const struct cluster_campaign *campaign, uint64_t seed,
                     uint64_t *ret_trace)
{
    static struct cluster_world cluster;
    uint32_t nodes = campaign->nodes != 0 ? campaign->nodes : cluster_world_nodes(seed);
    const struct cluster_options options = {.nodes = nodes,
                                            .shards = campaign->shards,
                                            .counts = counts,
                                            .sometimes = sometimes};
    bool is_fine = cluster_world_run(&cluster, seed, &options);

    if (!is_fine) {
        (void)fprintf(stderr, "SEED=%" PRIu64 ": %s\n", seed, cluster.world.violation);
    }
    *ret_trace = io_sim_trace_hash(cluster.world.sim);
    cluster_world_fini(&cluster);
    return is_fine;
}

bool cluster_campaign_seed(const struct cluster_campaign *campaign, uint64_t seed)
{
    uint64_t trace;

    return run_seed(campaign, seed, &trace);
}

/* One seed, one run. */
static bool is_repeated(const struct cluster_campaign *campaign, uint64_t seed, uint64_t trace)
{
    uint64_t again;

    if (!run_seed(campaign, seed, &again) || again != trace) {
        (void)fprintf(stderr, "SEED=%" PRIu64 ": two runs differ\n", seed);
        return false;
    }
    return true;
}

/* Every kind of trouble has struck, and has been trouble. */
static bool has_all(uint64_t seeds)
{
    bool is_all = true;

    for (uint32_t i = 0; i < CLUSTER_MARK_NR; i++) {
        bool is_asked_for = seeds >= (i < FAULT_NR ? SEEDS_FAULTS : SEEDS_ALL);

        printf("%8" PRIu64 " %s\n", counts[i], cluster_world_names[i]);
        if (is_asked_for && counts[i] < (seeds < SEEDS_ALL ? 1 : seeds / 100)) {
            (void)fprintf(stderr, "too seldom: %s\n", cluster_world_names[i]);
            is_all = false;
        }
    }
    return is_all;
}

static uint64_t seed_count(const struct cluster_campaign *campaign)
{
    const char *many = getenv("SEEDS");
    const char *name = getenv("CARILLON_CAMPAIGN");

    if (many != NULL) {
        return strtoull(many, NULL, 10);
    }
    if (getenv("SEED") != NULL) {
        return 1;
    }
    return name != NULL && strcmp(name, "nightly") == 0 ? campaign->seeds_nightly
                                                        : campaign->seeds_merge;
}

static void tell(uint64_t seeds, uint32_t failures, clock_t start)
{
    printf("%" PRIu64 " clusters, %" PRIu32 " wrong, %.0f a minute on one core\n", seeds,
           failures, 60.0 * (double)seeds * CLOCKS_PER_SEC / (double)(clock() - start));
    (void)fflush(stdout);
}

bool cluster_campaign_run(const struct cluster_campaign *campaign)
{
    const char *one = getenv("SEED");
    uint64_t first = one == NULL ? SEED_FIRST : strtoull(one, NULL, 10);
    uint64_t count = seed_count(campaign);
    uint64_t run = 0; /* the second runs too */
    uint32_t failures = 0;
    clock_t start = clock();

    memset(counts, 0, sizeof counts);
    for (uint64_t seed = first; seed < first + count && failures < FAILURES_SHOWN; seed++) {
        uint64_t trace;

        failures += !run_seed(campaign, seed, &trace);
        run++;
        if (seed % REPEATED_EVERY == 0) {
            failures += !is_repeated(campaign, seed, trace);
            run++;
        }
        if (run % TOLD_EVERY == 0) {
            tell(run, failures, start);
        }
    }
    bool is_all = has_all(count);

    tell(run, failures, start);
    return failures == 0 && is_all;
}
