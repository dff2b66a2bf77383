/* carillon/bench_pump.h -- many numbered requests through one client, as many at a time as it
 * takes.
 *
 * Layer: carillon (client)
 */
#ifndef CARILLON_CARILLON_BENCH_PUMP_H
#define CARILLON_CARILLON_BENCH_PUMP_H

#include <stdint.h>

#include "client/carillon.h"

struct bench_pump {
    struct carillon_client *client;
    uint32_t method;
    uint32_t window; /* at a time */
    void *context;

    /* Pack request number @index into @out. */
    size_t (*write)(void *context, uint32_t index, uint8_t out[], size_t out_bytes);

    /* Its answer. Anything but OK ends the pump with it. */
    int (*take)(void *context, uint32_t index, const struct carillon_reply *reply);
};

/* Run requests 0 .. @count-1. Errors: what take() returned; ERR_CANCELLED interrupted;
 * ERR_NOMEM. */
int bench_pump_run(const struct bench_pump *pump, uint32_t count) CARILLON_CHECKED;

#endif
