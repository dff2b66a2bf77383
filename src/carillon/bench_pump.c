#include "carillon/bench_pump.h"

#include <stdlib.h>

#include "base/error.h"
#include "carillon/bench_daemon.h"

enum { BODY_BYTES_MAX = 1024, POLL_MS = 20 };

struct run;

struct place {
    struct run *run;
    uint32_t index;
};

struct run {
    const struct bench_pump *pump;
    struct place *places;
    uint32_t next;
    uint32_t count;
    uint32_t busy; /* places with a request on its way */
    int status;
};

static void place_next(struct place *place);

static void place_on_done(void *context, const struct carillon_reply *reply)
{
    struct place *place = context;
    struct run *run = place->run;

    run->busy--;
    if (run->status == OK) {
        run->status = run->pump->take(run->pump->context, place->index, reply);
    }
    place_next(place);
}

static void place_next(struct place *place)
{
    struct run *run = place->run;
    uint8_t body[BODY_BYTES_MAX];

    if (run->status != OK || run->next == run->count) {
        return;
    }
    place->index = run->next++;
    struct carillon_call call = {
        .method = run->pump->method,
        .body = body,
        .body_bytes = run->pump->write(run->pump->context, place->index, body, sizeof body),
        .done = place_on_done,
        .context = place,
    };
    run->status = carillon_submit_call(run->pump->client, &call);
    run->busy += run->status == OK;
}

int bench_pump_run(const struct bench_pump *pump, uint32_t count)
{
    struct run run = {.pump = pump, .count = count};

    run.places = calloc(pump->window, sizeof *run.places);
    if (run.places == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < pump->window; i++) {
        run.places[i].run = &run;
        place_next(&run.places[i]);
    }
    while (run.busy > 0) {
        int rc = carillon_poll(pump->client, POLL_MS);

        if (rc != OK && run.status == OK) {
            run.status = rc;
        }
        if (bench_is_interrupted() && run.status == OK) {
            run.status = ERR_CANCELLED;
        }
    }
    free(run.places);
    return run.status;
}
