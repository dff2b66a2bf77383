/* What registering takes while a crowd stands at the door: connections that begin a handshake
 * and do not end it, each kind in turns with nobody there, on the same node. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "carillon/bench.h"
#include "carillon/bench_crowd.h"
#include "carillon/bench_load.h"
#include "carillon/bench_readback.h"

enum { BESIDE = 2 }; /* the questions about processor time travel beside the load */

/* What is known of one kind, of all rounds. */
struct part {
    struct bench_histogram latency;
    uint64_t p99_ns[BENCH_RUNS_MAX];
    uint64_t answers;
    uint64_t window_ns;
    uint64_t crowd_ns; /* how long the crowd was there */
    uint64_t server_us;
    struct bench_crowd_counts crowd;
};

struct flood {
    struct bench_session session;
    struct bench_workload workload;
    struct part parts[BENCH_CROWD_NR];
    struct bench_history history; /* of all rounds */
    struct bench_load_result window;
    struct bench_load_result all; /* samples and failures of all rounds */
    struct bench_histogram floor;
    struct bench_verdict verdict;
    struct bench_answers_check check;
    uint16_t port;
};

static const struct {
    const char *prefix;
    const char *heading;
} kinds[BENCH_CROWD_NR] = {
    [BENCH_CROWD_NONE] = {"alone",  "Registering with nobody at the door"              },
    [BENCH_CROWD_SILENT] = {"silent",
                          "Beside connections that begin a handshake and fall silent"  },
    [BENCH_CROWD_HELLO] = {"hello",  "Beside handshakes that are answered and not ended"},
    [BENCH_CROWD_SLOW] = {"slow",   "Beside handshakes of one byte a second"           },
};

/* ---- measuring ---- */

static void samples_keep(struct bench_load_result *all, const struct bench_load_result *window)
{
    all->failed += window->failed;
    all->unknown += window->unknown;
    for (uint32_t i = 0; i < window->sample_count && all->sample_count < BENCH_SAMPLES_MAX;
         i++) {
        all->samples[all->sample_count++] = window->samples[i];
    }
}

static void part_add(struct part *part, const struct bench_load_result *window, uint32_t round)
{
    bench_histogram_merge(&part->latency, &window->latency);
    part->p99_ns[round] = bench_histogram_quantile_ns(&window->latency, 990);
    part->answers += window->answers;
    part->window_ns += window->window_ns;
    part->server_us += window->cpu.server_us;
}

/* One window of the load, with the crowd there before it and until it has ended. */
static int window_run(struct flood *flood, enum bench_crowd_kind kind, uint32_t round)
{
    const struct bench_options *options = flood->session.options;
    struct bench_load_options load = {
        .outstanding = options->outstanding,
        .warmup_ms = options->warmup_ms,
        .window_ms = options->window_ms,
        .seed = options->seed + (uint64_t)round * BENCH_CROWD_NR + kind,
        .title = flood->session.cli->is_terminal ? kinds[kind].prefix : NULL,
    };
    struct bench_crowd crowd = {0};
    struct bench_crowd_counts counts;
    struct part *part = &flood->parts[kind];
    uint64_t since_ns = io_now_exact_ns(flood->session.io);
    int rc = kind == BENCH_CROWD_NONE
                 ? OK
                 : bench_crowd_start(&crowd, kind, flood->port, options->crowd);

    if (rc != OK) {
        return bench_session_fail(&flood->session, "cannot send a crowd", rc);
    }
    rc = bench_load_run(flood->session.client, flood->session.io, &flood->workload, &load,
                        &flood->history, &flood->window);
    int ended = bench_crowd_stop(&crowd, &counts);

    part->crowd_ns += io_now_exact_ns(flood->session.io) - since_ns;
    part->crowd.begun += counts.begun;
    part->crowd.ended += counts.ended;
    part->crowd.cpu_us += counts.cpu_us;
    part_add(part, &flood->window, round);
    samples_keep(&flood->all, &flood->window);
    if (rc != OK) {
        return bench_session_fail(&flood->session, "the load ended early", rc);
    }
    if (ended != OK || (kind != BENCH_CROWD_NONE && counts.begun == 0)) {
        return bench_session_fail(&flood->session, "the crowd did not come", ERR_IO);
    }
    return bench_disk_floor(flood->session.io, flood->session.daemon.folder,
                            BENCH_FLOOR_WRITES / (BENCH_CROWD_NR * options->runs) + 1,
                            &flood->floor);
}

/* Every round begins with another kind: the later a window, the fuller the sections. */
static int rounds_run(struct flood *flood)
{
    int rc = OK;

    for (uint32_t round = 0; rc == OK && round < flood->session.options->runs; round++) {
        for (uint32_t i = 0; rc == OK && i < BENCH_CROWD_NR; i++) {
            rc =
                window_run(flood, (enum bench_crowd_kind)((round + i) % BENCH_CROWD_NR), round);
        }
    }
    return rc;
}

static int verify(struct flood *flood)
{
    struct bench_readback readback;
    int rc = bench_readback(flood->session.client, &flood->workload, &flood->all, &readback,
                            &flood->check);

    if (rc == OK) {
        rc = bench_verify(&flood->workload, &flood->history, &readback, &flood->verdict);
    }
    bench_readback_fini(&readback);
    return rc == OK ? OK
                    : bench_session_fail(&flood->session, "cannot read everything back", rc);
}

static int measure(struct flood *flood)
{
    const char *colon = strrchr(flood->session.address, ':');
    uint64_t import_ns;

    ASSERT(colon != NULL); /* the address of a daemon of ours */
    flood->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    int rc = bench_session_import_workload(&flood->session, &flood->workload, &import_ns);

    rc = rc == OK ? rounds_run(flood) : rc;
    return rc == OK ? verify(flood) : rc;
}

/* ---- figures ---- */

static int u64_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double p99_ms(const struct part *part, uint32_t rounds)
{
    uint64_t order[BENCH_RUNS_MAX];
    size_t middle = rounds / 2;

    memcpy(order, part->p99_ns, sizeof order);
    qsort(order, rounds, sizeof order[0], u64_order);
    return (double)order[middle] / 1e6;
}

static double per(double value, double of)
{
    return of > 0 ? value / of : 0;
}

struct figure {
    const char *key;
    const char *label;
    double value;
    int decimals;
    const char *unit;
};

static void figures_show(struct bench_report *report, enum bench_crowd_kind kind,
                         const struct figure *figures, size_t count)
{
    char key[64];

    for (size_t i = 0; i < count; i++) {
        const struct figure *figure = &figures[i];

        snprintf(key, sizeof key, "%s_%s", kinds[kind].prefix, figure->key);
        bench_report_number(report, key, figure->label, figure->value, figure->decimals,
                            figure->unit);
    }
}

static void rounds_show(struct bench_report *report, const char *prefix,
                        const struct part *part, uint32_t rounds)
{
    char text[BENCH_RUNS_MAX * 16] = "";
    char key[64];
    size_t len = 0;

    for (uint32_t i = 0; i < rounds; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.2f", i == 0 ? "" : " ",
                                (double)part->p99_ns[i] / 1e6);
    }
    snprintf(key, sizeof key, "%s_p99s_ms", prefix);
    bench_report_text(report, key, "p99 of all rounds, ms", text);
}

static void report_part(struct bench_report *report, const struct flood *flood,
                        enum bench_crowd_kind kind)
{
    const struct part *part = &flood->parts[kind];
    uint32_t rounds = flood->session.options->runs;
    double seconds = (double)part->window_ns / 1e9;
    double crowd_s = (double)part->crowd_ns / 1e9;
    double alone = p99_ms(&flood->parts[BENCH_CROWD_NONE], rounds);
    double p99 = p99_ms(part, rounds);
    const struct figure load[] = {
        {"answers_per_s",                           "answers, refusals included", per((double)part->answers,                          seconds),   0,
         "/s"                                                                                                                                           },
        {"p50_ms",                                  "p50",                        (double)bench_histogram_quantile_ns(&part->latency, 500) / 1e6, 3,
         "ms"                                                                                                                                           },
        {"p99_ms",                                  "p99, the median round",      p99,                                                3,          "ms"},
        {"server_share", "the node's processor time, of one core",
         per((double)part->server_us / 1e6,                                                                                 seconds),          2,   ""},
    };
    const struct figure crowd[] = {
        {"p99_ratio",   "p99 as a multiple of that with nobody there", per(p99,                       alone),   2, ""  },
        {"begun_per_s", "connections begun",                           per((double)part->crowd.begun, crowd_s), 0, "/s"},
        {"cut_per_s",   "cut off by the node",                         per((double)part->crowd.ended, crowd_s), 0, "/s"},
        {"crowd_share", "the crowd's own processor time, of one core",
         per((double)part->crowd.cpu_us / 1e6,                                                        crowd_s), 2, ""  },
    };

    bench_report_heading(report, kinds[kind].heading);
    figures_show(report, kind, load, sizeof load / sizeof load[0]);
    rounds_show(report, kinds[kind].prefix, part, rounds);
    if (kind != BENCH_CROWD_NONE) {
        figures_show(report, kind, crowd, sizeof crowd / sizeof crowd[0]);
    }
}

static int report_all(struct cli *cli, const struct flood *flood,
                      const struct bench_options *options)
{
    struct bench_report report;
    bool is_sound = bench_verdict_is_clean(&flood->verdict) &&
                    flood->check.outcomes_wrong == 0 && flood->check.is_state_sound &&
                    flood->all.failed == 0;

    bench_report_begin(&report, cli, "flood");
    for (int kind = 0; kind < BENCH_CROWD_NR; kind++) {
        report_part(&report, flood, (enum bench_crowd_kind)kind);
    }
    bench_report_heading(&report, "The disk itself, in the same run");
    bench_report_number(&report, "floor_p50_ms", "4 KiB overwritten and synced, p50",
                        (double)bench_histogram_quantile_ns(&flood->floor, 500) / 1e6, 3, "ms");
    bench_report_number(&report, "floor_p99_ms", "p99",
                        (double)bench_histogram_quantile_ns(&flood->floor, 990) / 1e6, 3, "ms");
    bench_report_heading(&report, "Settings");
    bench_report_number(&report, "crowd", "at a time, and new ones a second", options->crowd, 0,
                        "");
    bench_report_number(&report, "outstanding", "requests outstanding", options->outstanding, 0,
                        "");
    bench_report_number(&report, "connections", "connections", options->connections, 0, "");
    bench_report_number(&report, "rounds", "rounds", options->runs, 0, "");
    bench_report_number(&report, "seconds", "measured, of each kind in a round",
                        options->window_ms / 1000.0, 1, "s");
    bench_report_conditions(&report, bench_folder_parent(options->folder));
    bench_report_heading(&report, "Check");
    bench_report_number(&report, "failed", "errors", (double)flood->all.failed, 0, "");
    bench_report_number(&report, "checked", "registrations read back and compared",
                        (double)flood->verdict.registrations, 0, "");
    bench_report_number(&report, "checked_keys", "keys asked for their outcome",
                        (double)flood->check.outcomes, 0, "");
    bench_report_text(&report, "verdict", "verdict", is_sound ? "passed" : "VOID");
    bench_report_end(&report);
    return is_sound ? EXIT_DONE : EXIT_FAILED;
}

int bench_flood(struct cli *cli, const struct bench_options *options)
{
    if (options->connect != NULL) {
        fprintf(cli->err, "carillon bench: flood measures a daemon of its own; leave "
                          "--connect out\n");
        return EXIT_USAGE;
    }
    struct flood *flood = calloc(1, sizeof *flood);
    int rc = flood == NULL ? ERR_NOMEM : bench_workload_open(cli, options, &flood->workload);

    if (rc != OK) {
        free(flood);
        return error_exit_code(rc);
    }
    rc = bench_session_open(&flood->session, cli, options, options->connections,
                            options->outstanding + BESIDE);
    rc = rc == OK ? measure(flood) : rc;
    int code = rc == OK ? report_all(cli, flood, options) : error_exit_code(rc);

    bench_session_close(&flood->session);
    bench_pairs_fini(&flood->history.accepted);
    bench_pairs_fini(&flood->history.unknown);
    bench_workload_fini(&flood->workload);
    free(flood);
    return code;
}
