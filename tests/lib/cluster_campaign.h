/* tests/lib/cluster_campaign.h -- many seeds of cluster_world, one after the other, and what
 * came of them.
 *
 * Layer: tests
 *
 * In the environment: SEED=n is the first seed, and the only one unless SEEDS=n says how many;
 * CARILLON_CAMPAIGN=nightly runs the night's number. Without any of them those of every change
 * run.
 */
#ifndef CARILLON_TESTS_LIB_CLUSTER_CAMPAIGN_H
#define CARILLON_TESTS_LIB_CLUSTER_CAMPAIGN_H

#include "tests/lib/cluster_world.h"

struct cluster_campaign {
    uint32_t shards; /* a power of two */
    uint32_t nodes;  /* to begin with; 0: as the seed has it */
    uint64_t seeds_merge;
    uint64_t seeds_nightly;
};

/* The C library's memory as suits clusters that come and go by the hundred: what one had, the
 * next one gets, and the system is not asked. Before the first. */
void cluster_campaign_memory(void);

/* Run one seed. Returns: whether nothing was wrong; stderr hears what was. */
bool cluster_campaign_seed(const struct cluster_campaign *campaign, uint64_t seed);

/* Run them all, one in a hundred twice, and print what they met and how many there are a
 * minute. Returns: whether nothing was wrong, no two runs of one seed differed, and, of many
 * seeds, every kind of trouble was met. */
bool cluster_campaign_run(const struct cluster_campaign *campaign);

#endif
