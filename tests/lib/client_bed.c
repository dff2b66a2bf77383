#include "tests/lib/client_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int bed_setup(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);

    bed->world = io_uv_create();
    assert_non_null(bed->world);
    bed->io = io_uv_world(bed->world);
    bed->node = calloc(1, sizeof *bed->node);
    fake_node_open(bed->node, bed->io, 0);
    bed->node->context = bed;
    *state = bed;
    return 0;
}

void bed_client_make(struct bed *bed, struct carillon_options options)
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)bed->node->port);
    options.address = address;
    options.io = bed->io;
    options.credential = options.credential == NULL ? "" : options.credential;
    assert_int_equal(carillon_create(&options, &bed->client), OK);
}

void bed_on_destroyed(void *context)
{
    ((struct bed *)context)->is_destroyed = true;
}

void bed_client_end(struct bed *bed)
{
    carillon_destroy_in(bed->client, bed_on_destroyed, bed);
    for (int i = 0; !bed->is_destroyed && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_true(bed->is_destroyed);
    bed->client = NULL;
}

void bed_node_end(struct bed *bed)
{
    if (bed->node->is_listening) {
        fake_node_close(bed->node);
    }
    for (int i = 0; !fake_node_is_closed(bed->node) && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_true(fake_node_is_closed(bed->node));
}

int bed_teardown(void **state)
{
    struct bed *bed = *state;

    if (bed->client != NULL) {
        bed_client_end(bed);
    }
    bed_node_end(bed);
    arena_fini(&bed->node->arena);
    io_uv_destroy(bed->world);
    free(bed->node);
    free(bed);
    return 0;
}

void bed_on_done(void *context, const struct carillon_reply *reply)
{
    struct bed *bed = context;
    struct answers *answers = &bed->answers;
    uint32_t at = answers->count++;

    assert_true(at < ANSWERS_MAX);
    assert_non_null(reply->text);
    answers->status[at] = reply->status;
    answers->attempts[at] = reply->attempts;
    answers->number[at] = reply->body_bytes > 0 ? reply->body[0] : 0;
}

struct carillon_call bed_call(struct bed *bed, uint32_t method, const uint8_t *body,
                              uint32_t deadline_ms)
{
    return (struct carillon_call){.method = method,
                                  .deadline_ms = deadline_ms,
                                  .body = body,
                                  .body_bytes = 1,
                                  .done = bed_on_done,
                                  .context = bed};
}

void bed_ask(struct bed *bed, uint32_t method, uint8_t body, uint32_t deadline_ms)
{
    struct carillon_call call = bed_call(bed, method, &body, deadline_ms);

    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

void bed_ask_with_key(struct bed *bed, uint8_t body, uint32_t deadline_ms)
{
    struct carillon_call call = bed_call(bed, WRITE_METHOD, &body, deadline_ms);
    struct carillon_key key = carillon_key_make(bed->client);

    call.key = &key;
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

void bed_wait_answers(struct bed *bed, uint32_t count)
{
    carillon_flush(bed->client);
    for (int i = 0; bed->answers.count < count && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_int_equal(bed->answers.count, count);
}

void bed_wait_requests(struct bed *bed, uint32_t count)
{
    carillon_flush(bed->client);
    for (int i = 0; bed->node->requests < count && i < PATIENCE_STEPS; i++) {
        io_uv_run_once(bed->world, STEP_MS);
    }
    assert_int_equal(bed->node->requests, count);
}

void bed_run_for(struct bed *bed, uint64_t ms)
{
    uint64_t end_ns = io_now_exact_ns(bed->io) + ms * 1000000;

    while (io_now_exact_ns(bed->io) < end_ns) {
        io_uv_run_once(bed->world, 5);
    }
}
