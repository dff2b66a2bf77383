/* Clusters of more nodes than there are votes, with several shards: nodes come, go and are drained
 * in the middle of the traffic and of everything else that goes wrong, and the votes move with
 * them. What was told stays true. SEED=n runs one seed of the campaign, SEEDS=n so many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/cluster_campaign.h"

enum {
    NODES = 5,
    SHARDS = 4,
    SEEDS_MERGE = 1,
    SEEDS_NIGHTLY = 2000,
};

static const struct cluster_campaign campaign = {
    .shards = SHARDS, .nodes = NODES, .seeds_merge = SEEDS_MERGE, .seeds_nightly = SEEDS_NIGHTLY};

static void votes__that_move_in_any_trouble__lose_nothing(void **state)
{
    (void)state;
    assert_true(cluster_campaign_run(&campaign));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes__that_move_in_any_trouble__lose_nothing),
    };
    cluster_campaign_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
