#include "carillon/bench_fill.h"

#include <stdlib.h>

#include "proto/operator.pb-c.h"

enum { TRIES_MAX = 64, IDLE_S_MAX = 20 };

int bench_fill_init(struct bench_fill *fill, const struct bench_workload *workload,
                    uint64_t seed)
{
    *fill = (struct bench_fill){.workload = workload};
    bench_stream_init(&fill->stream, seed);
    fill->asked = calloc(workload->student_count, sizeof *fill->asked);
    fill->seats = calloc(workload->section_count, sizeof *fill->seats);
    if (fill->asked == NULL || fill->seats == NULL) {
        bench_fill_fini(fill);
        return ERR_NOMEM;
    }
    return OK;
}

void bench_fill_fini(struct bench_fill *fill)
{
    free(fill->asked);
    free(fill->seats);
    *fill = (struct bench_fill){0};
}

static uint32_t draw_below(struct bench_fill *fill, uint32_t count)
{
    return (uint32_t)(bench_stream_next(&fill->stream) % count);
}

struct bench_pair bench_fill_draw(void *context)
{
    struct bench_fill *fill = context;
    const struct bench_workload *workload = fill->workload;
    struct bench_pair pair;

    for (uint32_t i = 0; i < TRIES_MAX; i++) {
        pair.student = draw_below(fill, workload->student_count);
        pair.section = draw_below(fill, workload->section_count);
        if (fill->asked[pair.student] < BENCH_REGISTRATIONS_MAX &&
            fill->seats[pair.section] < workload->sections[pair.section].capacity &&
            bench_is_qualified(workload, pair.student, pair.section)) {
            break;
        }
    }
    if (fill->asked[pair.student] < UINT8_MAX) {
        fill->asked[pair.student]++;
    }
    fill->seats[pair.section]++;
    return pair;
}

/* Ends the load when enough was accepted, or when nothing is any more. */
struct filling {
    const struct bench_history *history;
    uint64_t wanted;
    uint64_t seen;
    uint64_t seen_ns;
};

static bool filling_turn(void *context, uint64_t now_ns)
{
    struct filling *filling = context;

    if (filling->history->accepted.count != filling->seen) {
        filling->seen = filling->history->accepted.count;
        filling->seen_ns = now_ns;
    }
    return filling->seen >= filling->wanted || now_ns - filling->seen_ns > IDLE_S_MAX * 1000000000ULL;
}

static int register_all(struct bench_session *session, struct bench_fill *fill,
                        uint64_t *ret_count)
{
    const struct bench_options *options = session->options;
    struct bench_load_result *result = calloc(1, sizeof *result);
    struct bench_history history = {0};
    struct filling filling = {.history = &history,
                              .wanted = options->registrations,
                              .seen_ns = io_now_exact_ns(session->io)};
    struct bench_load_options load = {.outstanding = BENCH_FILL_OUTSTANDING,
                                      .window_ms = UINT32_MAX,
                                      .title = session->cli->is_terminal ? "filling" : NULL,
                                      .draw = bench_fill_draw,
                                      .draw_context = fill,
                                      .beside = filling_turn,
                                      .beside_context = &filling};
    int rc = result == NULL ? ERR_NOMEM
                            : bench_load_run(session->client, session->io, fill->workload,
                                             &load, &history, result);

    *ret_count = history.accepted.count;
    bench_pairs_fini(&history.accepted);
    bench_pairs_fini(&history.unknown);
    free(result);
    return rc == OK ? OK : bench_session_fail(session, "filling the folder", rc);
}

int bench_fill_folder(struct bench_session *session, struct bench_fill *fill,
                      uint64_t *ret_courses, uint64_t *ret_count)
{
    uint64_t import_ns;
    int rc = bench_data_folder(session->options) == NULL
                 ? OK
                 : bench_session_import_catalogues(session, ret_courses);

    if (rc == OK) {
        rc = bench_session_import_workload(session, fill->workload, &import_ns);
    }
    if (rc == OK) {
        rc = register_all(session, fill, ret_count);
    }
    if (rc == OK && *ret_count < session->options->registrations) {
        fprintf(session->cli->err,
                "carillon bench: only %llu of %u registrations fit; give more --students or "
                "--sections\n",
                (unsigned long long)*ret_count, session->options->registrations);
    }
    return rc;
}

int bench_fill_count(struct bench_session *session, uint64_t *ret_count)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *status;
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_STATUS, NULL,
                                   &request.base, &carillon__status_reply__descriptor, &status);

    *ret_count = status == NULL ? 0 : status->registrations;
    carillon_message_free(status);
    return rc;
}
