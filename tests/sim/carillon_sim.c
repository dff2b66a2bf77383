/* carillon-sim -- lives through one seed of the simulation of a whole cluster and prints what
 * happens, a line an event: simulated seconds, whom it is about, what. Ends with 0 when nothing
 * was wrong, with 1 when something was, and with 64 when it was not used rightly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/cluster_world.h"

enum { EXIT_WRONG_USE = 64 };

static void say(void *context, uint64_t ms, uint32_t node, const char *text)
{
    (void)context;
    printf("%3" PRIu64 ".%03" PRIu64 "  ", ms / 1000, ms % 1000);
    if (node == UINT32_MAX) {
        printf("        %s\n", text);
    } else {
        printf("node %u  %s\n", node, text);
    }
}

static int refuse(const char *program)
{
    fprintf(stderr, "usage: %s --seed N [--nodes 3|5] [--shards 1|2|4|8] [--verbose]\n", program);
    return EXIT_WRONG_USE;
}

static bool take_number(int argc, char **argv, int *at, uint64_t *ret_value)
{
    char *end;

    if (*at + 1 >= argc) {
        return false;
    }
    *ret_value = strtoull(argv[++*at], &end, 10);
    return end != argv[*at] && *end == '\0';
}

int main(int argc, char **argv)
{
    static struct cluster_world cluster;
    static uint64_t counts[CLUSTER_MARK_NR];
    static uint64_t sometimes[SOMETIMES_NR];
    struct cluster_options options = {.counts = counts, .sometimes = sometimes, .say = say};
    uint64_t seed = 0;
    uint64_t nodes = 0;
    uint64_t shards = 1;
    bool has_seed = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && take_number(argc, argv, &i, &seed)) {
            has_seed = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            options.is_verbose = true;
        } else if (strcmp(argv[i], "--shards") == 0) {
            if (!take_number(argc, argv, &i, &shards) || shards == 0 ||
                shards >= CLUSTER_GROUPS_MAX || (shards & (shards - 1)) != 0) {
                return refuse(argv[0]);
            }
        } else if (strcmp(argv[i], "--nodes") != 0 || !take_number(argc, argv, &i, &nodes) ||
                   (nodes != 3 && nodes != 5)) {
            return refuse(argv[0]);
        }
    }
    if (!has_seed) {
        return refuse(argv[0]);
    }
    options.nodes = nodes == 0 ? cluster_world_nodes(seed) : (uint32_t)nodes;
    options.shards = (uint32_t)shards;
    bool is_fine = cluster_world_run(&cluster, seed, &options);
    printf("%s, trace %016" PRIx64 "\n", is_fine ? "nothing was wrong" : "SOMETHING WAS WRONG",
           io_sim_trace_hash(cluster.world.sim));
    cluster_world_fini(&cluster);
    return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
