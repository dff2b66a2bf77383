#include <stdlib.h>

#include "carillon/bench.h"
#include "carillon/bench_crowd.h"
#include "carillon/verbs.h"

enum {
    OPTION_OUTSTANDING = 0x200,
    OPTION_CONNECTIONS,
    OPTION_SECONDS,
    OPTION_WARMUP,
    OPTION_RUNS,
    OPTION_SHARDS,
    OPTION_STUDENTS,
    OPTION_SECTIONS,
    OPTION_SEED,
    OPTION_WORKLOAD,
    OPTION_FOLDER,
    OPTION_QUERIES,
    OPTION_DATA,
    OPTION_DISTINCT,
    OPTION_REGISTRATIONS,
    OPTION_TLS,
    OPTION_CROWD,
    OPTION_TIMES,
};

/* clang-format off */
static const struct argp_option options[] = {
    {"outstanding",   OPTION_OUTSTANDING,   "N",       0, "requests kept outstanding (register: 256, search: 16)", 0},
    {"connections",   OPTION_CONNECTIONS,   "N",       0, "over so many connections (register: 4, search: 16)", 0},
    {"seconds",       OPTION_SECONDS,       "S",       0, "measure for so long (default 10)", 0},
    {"warmup",        OPTION_WARMUP,        "S",       0, "after a warm-up of so long (default 2)", 0},
    {"runs",          OPTION_RUNS,          "N",       0, "repeat on a fresh node; the median is shown (default 3)", 0},
    {"shards",        OPTION_SHARDS,        "N",       0, "split the node's students and courses into N parts, a power of two (default 1)", 0},
    {"students",      OPTION_STUDENTS,      "N",       0, "draw so many students (default 40000)", 0},
    {"sections",      OPTION_SECTIONS,      "N",       0, "draw so many sections (default 3000)", 0},
    {"seed",          OPTION_SEED,          "N",       0, "draw from this seed (default 1)", 0},
    {"workload",      OPTION_WORKLOAD,      "FOLDER",  0, "take sections.psv and students.tsv from there instead", 0},
    {"folder",        OPTION_FOLDER,        "FOLDER",  0, "make the temporary data folder there (default TMPDIR, else /var/tmp)", 0},
    {"queries",       OPTION_QUERIES,       "FILE",    0, "search: query, institution or *, expected codes (default queries.tsv beside the data)", 0},
    {"data",          OPTION_DATA,          "FOLDER",  0, "the catalogues, *.jsonl (default CARILLON_DATA)", 0},
    {"distinct",      OPTION_DISTINCT,      "N",       0, "search: then so many queries drawn from titles, people and codes (default 10000)", 0},
    {"registrations", OPTION_REGISTRATIONS, "N",       0, "start, snapshot: how many the folder holds (default 1000000)", 0},
    {"crowd",         OPTION_CROWD,         "N",       0, "flood: half-open connections at a time, and new ones a second (default 1000)", 0},
    {"times",         OPTION_TIMES,         "X",       0, "overload: so many times the peak (default 3)", 0},
    {"tls",           OPTION_TLS,           NULL,      0, "connect by TLS, with a token of its own", 0},
    {NULL,            0,                    NULL,      0, NULL, 0},
};
/* clang-format on */

static uint32_t parse_count(struct argp_state *state, const char *arg, uint64_t max)
{
    uint64_t value = 0;

    if (slice_parse_u64(slice_from_text(arg), max, &value) != OK || value == 0) {
        argp_error(state, "%s: a whole number from 1 to %llu is expected", arg,
                   (unsigned long long)max);
    }
    return (uint32_t)value;
}

static uint32_t parse_seconds(struct argp_state *state, const char *arg)
{
    char *end = NULL;
    double seconds = strtod(arg, &end);

    if (end == arg || *end != '\0' || !(seconds >= 0.1 && seconds <= 600)) {
        argp_error(state, "%s: a number of seconds from 0.1 to 600 is expected", arg);
    }
    return (uint32_t)(seconds * 1000);
}

static double parse_times(struct argp_state *state, const char *arg)
{
    char *end = NULL;
    double times = strtod(arg, &end);

    if (end == arg || *end != '\0' || !(times >= 0.1 && times <= 100)) {
        argp_error(state, "%s: a number from 0.1 to 100 is expected", arg);
    }
    return times;
}

static error_t parse_numbers(int key, char *arg, struct argp_state *state,
                             struct bench_options *bench)
{
    switch (key) {
    case OPTION_OUTSTANDING:
        bench->outstanding = parse_count(state, arg, CARILLON_OUTSTANDING_MAX / 2);
        return 0;
    case OPTION_CONNECTIONS:
        bench->connections = parse_count(state, arg, CARILLON_CONNECTIONS_MAX);
        return 0;
    case OPTION_RUNS:
        bench->runs = parse_count(state, arg, BENCH_RUNS_MAX);
        return 0;
    case OPTION_SHARDS:
        bench->shards = parse_count(state, arg, BENCH_SHARDS_MAX);
        return 0;
    case OPTION_STUDENTS:
        bench->students = parse_count(state, arg, BENCH_STUDENTS_MAX);
        return 0;
    case OPTION_SECTIONS:
        bench->sections = parse_count(state, arg, BENCH_SECTIONS_MAX);
        return 0;
    case OPTION_SEED:
        bench->seed = parse_count(state, arg, UINT32_MAX);
        return 0;
    case OPTION_DISTINCT:
        bench->distinct = parse_count(state, arg, 1000000);
        return 0;
    case OPTION_CROWD:
        bench->crowd = parse_count(state, arg, BENCH_CROWD_MAX);
        return 0;
    case OPTION_REGISTRATIONS:
        bench->registrations = parse_count(state, arg, 10000000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct bench_options *bench = input;

    switch (key) {
    case OPTION_SECONDS:
        bench->window_ms = parse_seconds(state, arg);
        return 0;
    case OPTION_WARMUP:
        bench->warmup_ms = parse_seconds(state, arg);
        return 0;
    case OPTION_TIMES:
        bench->times = parse_times(state, arg);
        return 0;
    case OPTION_WORKLOAD:
        bench->workload = arg;
        return 0;
    case OPTION_FOLDER:
        bench->folder = arg;
        return 0;
    case OPTION_QUERIES:
        bench->queries = arg;
        return 0;
    case OPTION_DATA:
        bench->data = arg;
        return 0;
    case OPTION_TLS:
        bench->is_tls = true;
        return 0;
    case ARGP_KEY_ARG:
        if (bench->kind != NULL) {
            argp_error(state, "one kind of benchmark at a time: %s or %s", bench->kind, arg);
        }
        bench->kind = arg;
        return 0;
    default:
        return parse_numbers(key, arg, state, bench);
    }
}

/* clang-format off */
static const struct {
    const char *name;
    int (*run)(struct cli *cli, const struct bench_options *options);
    uint32_t outstanding, connections, students, sections;
} kinds[] = {
    {"register", bench_register, 256, 4,  BENCH_STUDENTS, BENCH_SECTIONS},
    {"search",   bench_search,   16,  16, BENCH_STUDENTS, BENCH_SECTIONS},
    {"start",    bench_start,    256, 4,  400000,         30000},
    {"snapshot", bench_snapshot, 32,  4,  400000,         60000},
    {"import",   bench_import,   16,  4,  BENCH_STUDENTS, BENCH_SECTIONS},
    {"handshake", bench_handshake, 16, 16, BENCH_STUDENTS, BENCH_SECTIONS},
    {"flood",    bench_flood,    16,  16, BENCH_STUDENTS, BENCH_SECTIONS},
    {"overload", bench_overload, 256, 64, BENCH_STUDENTS, BENCH_SECTIONS},
};
/* clang-format on */

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given != 0 ? given : otherwise;
}

static void options_finish(struct bench_options *bench, size_t kind)
{
    bench->outstanding = or_default(bench->outstanding, kinds[kind].outstanding);
    bench->connections = or_default(bench->connections, kinds[kind].connections);
    bench->connections =
        bench->connections < bench->outstanding ? bench->connections : bench->outstanding;
    bench->students = or_default(bench->students, kinds[kind].students);
    bench->sections = or_default(bench->sections, kinds[kind].sections);
    bench->window_ms = or_default(bench->window_ms, 10000);
    bench->warmup_ms = or_default(bench->warmup_ms, 2000);
    bench->distinct = or_default(bench->distinct, 10000);
    bench->registrations = or_default(bench->registrations, 1000000);
    bench->crowd = or_default(bench->crowd, 1000);
    bench->times = bench->times > 0 ? bench->times : 3;
    bench->seed = bench->seed != 0 ? bench->seed : 1;
    /* On a node that is not ours a second run would not find a fresh state. */
    bench->runs = bench->connect != NULL ? 1 : or_default(bench->runs, 3);
}

int verb_bench(struct cli *cli, int argc, char **argv)
{
    static const struct cli_syntax syntax = {
        .options = options,
        .parse = parse,
        .arguments = "register|search|start|snapshot|import|handshake|flood|overload",
        .about = "Measure registrations, searches, the start on a full folder, registering while "
                 "it is written out, importing, connecting by TLS, registering beside a crowd "
                 "that only begins to, or being asked for more than a node can do.\v"
                 "A daemon is started on a new temporary folder and removed afterwards, unless "
                 "--connect names a node. "
                 "What was acknowledged is read back and checked; figures that fail the check "
                 "are void.\n\n"
                 "Example: carillon bench register --outstanding 64 --connections 64 --runs 1",
    };
    struct bench_options bench = {0};
    const char *connect = cli->connect;

    cli->connect =
        NULL; /* only an explicit --connect counts here: no benchmark meets a node by default */
    cli_parse(cli, argc, argv, &syntax, &bench);
    bench.connect = cli->connect;
    cli->connect = bench.connect != NULL ? bench.connect : connect;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (bench.kind != NULL && strcmp(bench.kind, kinds[i].name) == 0) {
            options_finish(&bench, i);
            bench_signals_watch();
            int code = kinds[i].run(cli, &bench);
            return bench_is_interrupted() ? EXIT_FAILED : code;
        }
    }
    fprintf(cli->err, "carillon bench: say which: register, search, start, snapshot, "
                      "import, handshake, flood or overload (see carillon bench --help)\n");
    return EXIT_USAGE;
}
