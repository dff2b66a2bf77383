#include "tests/lib/rush.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/population.h"
#include "tests/lib/witness.h"
#include "wire/message.h"

enum {
    CAPACITY = 4,
    SLOTS = 7,
    ROSTER_LIMIT = 1000,
    DEADLINE_MS = 1500,
    THINK_MS = 8, /* between two requests: the witness has to read it all */
    REST_MS = 40, /* after a no for now */
    POLL_MS = 5,
    SETTLE_MS = 30000,
    ABANDONED_MAX = 40, /* the witness searches among so many with ease */
    SCRATCH_BYTES = 1 << 20,
};

static const struct population population = {RUSH_COURSES, RUSH_STUDENTS, CAPACITY, SLOTS};

uint64_t rush_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t rush_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

bool rush_is_nightly(void)
{
    const char *campaign = getenv("CARILLON_CAMPAIGN");

    return campaign != NULL && strcmp(campaign, "nightly") == 0;
}

/* ---- clients ---- */

static void client_make(struct rush *rush, uint32_t node)
{
    struct carillon_options options = {
        .address = rush->bed->nodes[node].address,
        .name = "test-rush",
        .outstanding_max = RUSH_OUTSTANDING + 4,
        .deadline_ms = DEADLINE_MS,
        .retry_never = true,
        .stays = true, /* each asks its own node */
    };

    assert_int_equal(carillon_create(&options, &rush->clients[node]), OK);
}

/* A client's sockets are made when it is polled, and belong where it is then. */
static void poll_one(struct rush *rush, uint32_t node)
{
    cluster_enter(rush->bed, node);
    int rc = carillon_poll(rush->clients[node], 0);

    cluster_leave(rush->bed);
    assert_int_equal(rc, OK);
}

static void poll_all(struct rush *rush)
{
    struct pollfd polls[CLUSTER_NODES_MAX];

    for (uint32_t i = 0; i < rush->bed->count; i++) {
        polls[i] =
            (struct pollfd){.fd = carillon_descriptor(rush->clients[i]), .events = POLLIN};
        poll_one(rush, i);
    }
    (void)poll(polls, rush->bed->count, POLL_MS);
    for (uint32_t i = 0; i < rush->bed->count; i++) {
        poll_one(rush, i);
    }
}

static void catalogue_record(struct rush *rush)
{
    for (uint32_t i = 1; i <= RUSH_COURSES; i++) {
        struct population_slot slot = population_slot(&population, i);

        witness_record_line(&rush->record, "course C_%u 300", i);
        witness_record_line(&rush->record, "section C_%u#1 %d %u:%u-%u", i, CAPACITY, slot.days,
                            slot.start_min, slot.end_min);
    }
    for (uint32_t i = 1; i <= RUSH_STUDENTS; i++) {
        witness_record_line(&rush->record, "student s%u level 1", i);
    }
}

void rush_open(struct rush *rush, struct cluster_bed *bed, uint64_t seed)
{
    uint32_t leader = cluster_leader(bed);

    *rush = (struct rush){.bed = bed};
    rng_init(&rush->rng, seed);
    witness_record_init(&rush->record);
    for (uint32_t i = 0; i < bed->count; i++) {
        client_make(rush, i);
        for (uint32_t k = 0; k < RUSH_OUTSTANDING; k++) {
            rush->askings[i][k] = (struct rush_asking){.rush = rush, .node = i};
            buf_init(&rush->askings[i][k].body, 4096);
        }
    }
    cluster_enter(bed, leader);
    int rc = population_import(rush->clients[leader], &population);
    cluster_leave(bed);
    if (rc != OK) {
        cluster_print(bed);
    }
    assert_int_equal(rc, OK);
    catalogue_record(rush);
    rush_since(rush);
}

void rush_close(struct rush *rush)
{
    for (uint32_t i = 0; i < rush->bed->count; i++) {
        carillon_destroy(rush->clients[i]);
        for (uint32_t k = 0; k < RUSH_OUTSTANDING; k++) {
            buf_fini(&rush->askings[i][k].body);
        }
    }
    witness_record_fini(&rush->record);
}

/* ---- asking ---- */

static bool is_change(const struct rush_asking *asking)
{
    return asking->method == CARILLON__METHOD__METHOD_SUBMIT ||
           asking->method == CARILLON__METHOD__METHOD_CAP;
}

static void count_answer(struct rush *rush, const struct rush_asking *asking)
{
    bool is_since = asking->asked_ms >= rush->since_ms;

    if (!is_change(asking)) {
        rush->read[asking->node] += is_since;
        return;
    }
    rush->registered++;
    rush->accepted[asking->node] += is_since;
    if (is_since && rush->resumed_ms == 0) {
        rush->resumed_ms = rush_now_ms();
    }
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct rush_asking *asking = context;
    struct rush *rush = asking->rush;

    witness_record_done(&rush->record, asking->call, asking->method, reply->status,
                        slice_from(reply->body, reply->body_bytes));
    asking->status = reply->status;
    asking->is_busy = false;
    asking->is_unknown = is_change(asking) && reply->status == ERR_TIMEOUT;
    rush->unknown += asking->is_unknown;
    bool is_no_for_now = reply->status != OK && reply->status != ERR_REFUSED;
    asking->rest_ms = rush_now_ms() + (is_no_for_now ? REST_MS : THINK_MS);
    rush->full += reply->status == ERR_DISK_FULL;
    if (reply->status == OK) {
        count_answer(rush, asking);
    }
}

static void send_asking(struct rush_asking *asking, const ProtobufCMessage *message)
{
    struct rush *rush = asking->rush;

    asking->is_busy = true;
    asking->is_unknown = false;
    asking->asked_ms = rush_now_ms();
    asking->call = witness_record_call(&rush->record, asking->method,
                                       is_change(asking) ? asking->key.bytes : NULL, message);
    struct carillon_call call = {
        .method = asking->method,
        .key = is_change(asking) ? &asking->key : NULL,
        .message = message,
        .done = on_done,
        .context = asking,
    };
    cluster_enter(rush->bed, asking->node);
    int rc = carillon_submit_call(rush->clients[asking->node], &call);

    cluster_leave(rush->bed);
    assert_int_equal(rc, OK);
}

static void send_change(struct rush_asking *asking, uint32_t method,
                        const ProtobufCMessage *message)
{
    asking->method = method;
    asking->key = carillon_key_make(asking->rush->clients[asking->node]);
    buf_clear(&asking->body);
    assert_int_equal(wire_pack(message, &asking->body), OK);
    send_asking(asking, message);
}

static void ask_submit(struct rush_asking *asking)
{
    struct rng *rng = &asking->rush->rng;
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[2] = {CARILLON__OP__INIT, CARILLON__OP__INIT};
    Carillon__Op *rows[2] = {&ops[0], &ops[1]};
    char codes[2][16];
    char token[16];

    population_token((uint32_t)rng_between(rng, 1, RUSH_STUDENTS), token);
    request.student = token;
    request.ops = rows;
    request.n_ops = rng_chance(rng, 300000) ? 2 : 1;
    for (size_t i = 0; i < request.n_ops; i++) {
        bool is_drop = rng_chance(rng, i == 0 ? 350000 : 150000);

        population_code((uint32_t)rng_between(rng, 1, RUSH_COURSES), codes[i]);
        ops[i].code = codes[i];
        ops[i].kind = is_drop ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
        ops[i].waitlist = !is_drop && rng_chance(rng, 500000);
    }
    send_change(asking, CARILLON__METHOD__METHOD_SUBMIT, &request.base);
}

static void ask_cap(struct rush_asking *asking)
{
    struct rng *rng = &asking->rush->rng;
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char code[16];

    population_code((uint32_t)rng_between(rng, 1, RUSH_COURSES), code);
    name.code = code;
    request.section = &name;
    request.capacity_known = true;
    request.capacity = (uint32_t)rng_below(rng, CAPACITY + 2);
    send_change(asking, CARILLON__METHOD__METHOD_CAP, &request.base);
}

static void ask_schedule(struct rush_asking *asking, uint32_t student)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;
    char token[16];

    population_token(student, token);
    request.student = token;
    asking->method = CARILLON__METHOD__METHOD_SCHEDULE;
    send_asking(asking, &request.base);
}

static void ask_roster(struct rush_asking *asking, uint32_t course)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char code[16];

    population_code(course, code);
    name.code = code;
    request.section = &name;
    request.limit = ROSTER_LIMIT;
    asking->method = CARILLON__METHOD__METHOD_ROSTER;
    send_asking(asking, &request.base);
}

static void ask_again(struct rush_asking *asking)
{
    bool is_submit = asking->method == CARILLON__METHOD__METHOD_SUBMIT;
    struct arena scratch;

    arena_init(&scratch, SCRATCH_BYTES);
    const ProtobufCMessage *message = wire_unpack(
        is_submit ? &carillon__submit_request__descriptor : &carillon__cap_request__descriptor,
        buf_slice(&asking->body), &scratch);
    assert_non_null(message);
    send_asking(asking, message);
    arena_fini(&scratch);
}

static void ask_random(struct rush_asking *asking)
{
    struct rush *rush = asking->rush;
    uint64_t dice = rng_below(&rush->rng, 100);

    if (asking->is_unknown) {
        if (rush->abandoned < ABANDONED_MAX && rng_chance(&rush->rng, 200000)) {
            rush->abandoned++;
            asking->is_unknown = false;
            return;
        }
        ask_again(asking);
    } else if (dice < 60) {
        ask_submit(asking);
    } else if (dice < 64) {
        ask_cap(asking);
    } else if (dice < 84) {
        ask_schedule(asking, (uint32_t)rng_between(&rush->rng, 1, RUSH_STUDENTS));
    } else {
        ask_roster(asking, (uint32_t)rng_between(&rush->rng, 1, RUSH_COURSES));
    }
}

/* What one client has no answer to, another may ask again. */
static void swap_unknown(struct rush *rush, struct rush_asking *asking)
{
    struct rush_asking *other = &rush->askings[rng_below(&rush->rng, rush->bed->count)]
                                              [rng_below(&rush->rng, RUSH_OUTSTANDING)];

    if (!asking->is_unknown || other->is_busy || other->is_unknown) {
        return;
    }
    struct buf body = other->body;
    other->body = asking->body;
    asking->body = body;
    other->key = asking->key;
    other->method = asking->method;
    other->is_unknown = true;
    asking->is_unknown = false;
}

static void ask_all(struct rush *rush)
{
    uint64_t now = rush_now_ms();

    for (uint32_t i = 0; i < rush->bed->count; i++) {
        for (uint32_t k = 0; k < RUSH_OUTSTANDING; k++) {
            struct rush_asking *asking = &rush->askings[i][k];

            if (asking->is_busy || asking->rest_ms > now) {
                continue;
            }
            swap_unknown(rush, asking);
            if ((rush->silent >> i & 1) == 0) {
                ask_random(asking);
            }
        }
    }
}

void rush_run(struct rush *rush, uint32_t ms)
{
    uint64_t end = rush_now_ms() + ms;

    while (rush_now_ms() < end) {
        ask_all(rush);
        poll_all(rush);
    }
}

void rush_since(struct rush *rush)
{
    rush->since_ms = rush_now_ms();
    rush->resumed_ms = 0;
    rush->full = 0;
    memset(rush->accepted, 0, sizeof rush->accepted);
    memset(rush->read, 0, sizeof rush->read);
}

uint32_t rush_await_resumed(struct rush *rush, uint32_t ms)
{
    while (rush->resumed_ms == 0) {
        ask_all(rush);
        poll_all(rush);
        if (rush_now_ms() > rush->since_ms + ms) {
            cluster_print(rush->bed);
            fail_msg("no change was accepted for %u ms", ms);
        }
    }
    return (uint32_t)(rush->resumed_ms - rush->since_ms);
}

/* ---- the end ---- */

/* Ask again what is unknown, nothing new, until all is answered. */
static void settle(struct rush *rush)
{
    uint64_t end = rush_now_ms() + SETTLE_MS;
    bool is_settled = false;

    while (!is_settled) {
        is_settled = true;
        for (uint32_t i = 0; i < rush->bed->count; i++) {
            for (uint32_t k = 0; k < RUSH_OUTSTANDING; k++) {
                struct rush_asking *asking = &rush->askings[i][k];

                if (asking->is_unknown && asking->rest_ms <= rush_now_ms()) {
                    ask_again(asking);
                }
                is_settled = is_settled && !asking->is_busy && !asking->is_unknown;
            }
        }
        poll_all(rush);
        if (rush_now_ms() > end) {
            cluster_print(rush->bed);
            fail_msg("changes are not answered though all nodes are well");
        }
    }
}

/* Ask until it is answered: a node that has just come back may not know the leader yet. */
static void read_until_answered(struct rush *rush, struct rush_asking *asking, uint32_t number,
                                bool is_roster)
{
    uint64_t before = rush->read[asking->node];
    uint64_t end = rush_now_ms() + SETTLE_MS;

    while (rush->read[asking->node] == before) {
        if (!asking->is_busy && asking->rest_ms <= rush_now_ms()) {
            if (is_roster) {
                ask_roster(asking, number);
            } else {
                ask_schedule(asking, number);
            }
        }
        poll_all(rush);
        if (rush_now_ms() > end) {
            cluster_print(rush->bed);
            fail_msg("node %u answers no reads though all nodes are well: %s", asking->node + 1,
                     error_name(asking->status));
        }
    }
}

static void read_all(struct rush *rush)
{
    rush_since(rush);
    for (uint32_t i = 1; i <= RUSH_STUDENTS; i++) {
        read_until_answered(rush, &rush->askings[i % rush->bed->count][0], i, false);
    }
    for (uint32_t i = 1; i <= RUSH_COURSES; i++) {
        read_until_answered(rush, &rush->askings[i % rush->bed->count][0], i, true);
    }
}

void rush_judge(struct rush *rush, const char *name)
{
    struct witness_result result;
    char text[512];

    settle(rush);
    read_all(rush);
    bool is_good =
        witness_record_check(&rush->record, getenv("CARILLON_KEEP"), name, text, sizeof text);
    witness_check(rush->record.text, rush->record.len, &result);
    print_message("%u calls, %u entries, %u reads, %u unanswered, %u of them supposed: %s\n",
                  result.calls, result.entries, result.reads, result.unknown, result.supposed,
                  text);
    if (!is_good) {
        cluster_print(rush->bed);
    }
    /* that nothing was found in so many steps is no reason to doubt the nodes */
    assert_true(is_good || result.kind == WITNESS_UNDECIDED);
    assert_true(rush->registered > 0 && result.entries >= rush->registered);
}
