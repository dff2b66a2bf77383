#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "carillon/cli.h"
#include "carillon/verbs.h"
#include "wire/message.h"

enum { PATH_BYTES = 4096, VALUES_MAX = 10 };

struct arguments {
    const char *seed;
    const char *nodes;
    const char *shards;
    bool is_verbose;
};

static void expect_number(struct argp_state *state, const char *text)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        argp_error(state, "%s is not a number", text);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 's':
        arguments->seed = arg;
        expect_number(state, arg);
        return 0;
    case 'n':
        arguments->nodes = arg;
        expect_number(state, arg);
        return 0;
    case 'S':
        arguments->shards = arg;
        expect_number(state, arg);
        return 0;
    case 'v':
        arguments->is_verbose = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->seed == NULL) {
            argp_error(state, "--seed is expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"seed", 's', "N", 0, "the world to live through again", 0},
                                     {"nodes", 'n', "N", 0, "3 or 5 to begin with (default: as the tests choose)", 0},
                                     {"shards", 'S', "N", 0, "how many shards it has (1)", 0},
                                     {"verbose", 'v', NULL, 0, "show requests and the nodes' own lines too", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "",
    .about =
        "Live through one seed of the simulation of a whole cluster, and show what happens. "
        "The program carillon-sim beside this one does it; it is built with the tests.\v"
        "  carillon sim --seed 117",
};

/* Returns: false when this program does not know where it lies. */
static bool find_program(char out[PATH_BYTES])
{
    static const char name[] = "carillon-sim";
    ssize_t len = readlink("/proc/self/exe", out, PATH_BYTES - sizeof name);

    if (len <= 0) {
        return false;
    }
    out[len] = '\0';
    char *slash = strrchr(out, '/');

    memcpy(slash == NULL ? out : slash + 1, name, sizeof name);
    return true;
}

int verb_sim(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {0};
    char program[PATH_BYTES] = "";
    char *values[VALUES_MAX] = {wire_text("carillon-sim")};
    size_t count = 1;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    values[count++] = wire_text("--seed");
    values[count++] = wire_text(arguments.seed);
    if (arguments.nodes != NULL) {
        values[count++] = wire_text("--nodes");
        values[count++] = wire_text(arguments.nodes);
    }
    if (arguments.shards != NULL) {
        values[count++] = wire_text("--shards");
        values[count++] = wire_text(arguments.shards);
    }
    if (arguments.is_verbose) {
        values[count++] = wire_text("--verbose");
    }
    if (find_program(program)) {
        execv(program, values);
    }
    fprintf(cli->err, "carillon sim: no carillon-sim beside this program (%s): %s\n", program,
            strerror(errno));
    return EXIT_FAILED;
}
