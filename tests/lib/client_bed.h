/* tests/lib/client_bed.h -- a client and a scripted node in one real world on one thread.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_LIB_CLIENT_BED_H
#define CARILLON_TESTS_LIB_CLIENT_BED_H

#include "client/carillon.h"
#include "io_uv/io_uv.h"
#include "tests/lib/fake_node.h"

enum { STEP_MS = 20, PATIENCE_STEPS = 20000, ANSWERS_MAX = 4096, HELD_MAX = 64 };

#define READ_METHOD  CARILLON__METHOD__METHOD_SHOW
#define WRITE_METHOD CARILLON__METHOD__METHOD_SUBMIT

/* What the callbacks saw. */
struct answers {
    uint32_t count;
    int status[ANSWERS_MAX];
    uint32_t attempts[ANSWERS_MAX];
    uint32_t number[ANSWERS_MAX]; /* the first byte of the body */
};

struct bed {
    struct io_uv *world;
    struct io *io;
    struct fake_node *node;
    struct carillon_client *client;
    struct answers answers;
    bool is_destroyed;
    /* for the scripts */
    struct {
        struct fake_conn *conn;
        uint64_t id;
        uint8_t body;
    } held[HELD_MAX];
    uint32_t held_count;
    uint32_t script;
    uint8_t key[16];
    uint32_t chain_left;
};

/* A world with a node that listens; for cmocka's setup and teardown. */
int bed_setup(void **state);

void bed_client_make(struct bed *bed, struct carillon_options options);

void bed_on_destroyed(void *context);

void bed_client_end(struct bed *bed);

void bed_node_end(struct bed *bed);

int bed_teardown(void **state);

void bed_on_done(void *context, const struct carillon_reply *reply);

struct carillon_call bed_call(struct bed *bed, uint32_t method, const uint8_t *body,
                              uint32_t deadline_ms);

void bed_ask(struct bed *bed, uint32_t method, uint8_t body, uint32_t deadline_ms);

void bed_ask_with_key(struct bed *bed, uint8_t body, uint32_t deadline_ms);

void bed_wait_answers(struct bed *bed, uint32_t count);

void bed_wait_requests(struct bed *bed, uint32_t count);

void bed_run_for(struct bed *bed, uint64_t ms);

#endif
