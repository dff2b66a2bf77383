#include "tests/lib/rush.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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
    AGREE_MS = 15000, /* a seat offered to one who waits elsewhere may be on its way */
    AGAIN_MS = 300,
    IMPORT_TRIES = 50, /* and between two */
    IMPORT_PAUSE_MS = 200,
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

static void client_make(struct rush *rush, uint32_t number, const char *address, bool stays)
{
    struct carillon_options options = {
        .address = address,
        .name = "test-rush",
        .outstanding_max = RUSH_OUTSTANDING + 4,
        .deadline_ms = DEADLINE_MS,
        .retry_never = stays,
        .stays = stays,
    };

    assert_int_equal(carillon_create(&options, &rush->clients[number]), OK);
    rush->at[number] = number;
}

static void client_add(struct rush *rush, const char *address, bool stays)
{
    uint32_t number = rush->count++;

    client_make(rush, number, address, stays);
    for (uint32_t k = 0; k < RUSH_OUTSTANDING; k++) {
        rush->askings[number][k] = (struct rush_asking){.rush = rush, .node = number};
        buf_init(&rush->askings[number][k].body, 4096);
    }
}

void rush_rove(struct rush *rush)
{
    char addresses[CLUSTER_NODES_MAX * CLUSTER_ADDRESS_BYTES] = "";

    assert_false(rush->bed->options.is_networked);
    for (uint32_t i = 0; i < rush->bed->count; i++) {
        size_t len = strlen(addresses);

        (void)snprintf(addresses + len, sizeof addresses - len, "%s%s", i > 0 ? "," : "",
                       rush->bed->nodes[i].address);
    }
    client_add(rush, addresses, false);
}

void rush_meet(struct rush *rush, uint32_t node)
{
    const char *address = rush->bed->nodes[node].address;

    if (node == rush->count) {
        client_add(rush, address, true);
        return;
    }
    carillon_destroy(rush->clients[node]); /* what it has no answer to becomes unknown */
    client_make(rush, node, address, true);
    rush->silent &= ~(1U << node);
}

void rush_part(struct rush *rush, uint32_t node, uint32_t to)
{
    for (uint32_t i = 0; i < rush->bed->count; i++) {
        if (rush->at[i] == node) { /* also those whose own node had gone before */
            carillon_destroy(rush->clients[i]);
            client_make(rush, i, rush->bed->nodes[to].address, true);
            rush->at[i] = to;
            rush->silent |= 1U << i;
        }
    }
}

/* A client's sockets are made when it is polled, and belong where it is then. */
static void poll_one(struct rush *rush, uint32_t number)
{
    cluster_enter(rush->bed, rush->at[number]);
    int rc = carillon_poll(rush->clients[number], 0);

    cluster_leave(rush->bed);
    assert_int_equal(rc, OK);
}

static void poll_all(struct rush *rush)
{
    struct pollfd polls[RUSH_CLIENTS_MAX];

    for (uint32_t i = 0; i < rush->count; i++) {
        polls[i] =
            (struct pollfd){.fd = carillon_descriptor(rush->clients[i]), .events = POLLIN};
        poll_one(rush, i);
    }
    (void)poll(polls, rush->count, POLL_MS);
    for (uint32_t i = 0; i < rush->count; i++) {
        poll_one(rush, i);
    }
}

static void catalogue_record(struct rush *rush)
{
    if (rush->bed->options.shards > 1) {
        witness_record_line(&rush->record, "shards %u", rush->bed->options.shards);
    }
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
        client_add(rush, bed->nodes[i].address, true); /* each asks its own node */
    }
    /* shards are still going where they should be led: an import may be told unknown */
    int rc = ERR_BUSY;
    for (int i = 0; i < IMPORT_TRIES && rc != OK; i++) {
        (void)usleep(i == 0 ? 0 : IMPORT_PAUSE_MS * 1000);
        cluster_enter(bed, leader);
        rc = population_import(rush->clients[leader], &population);
        cluster_leave(bed);
    }
    if (rc != OK) {
        cluster_print(bed);
    }
    assert_int_equal(rc, OK);
    catalogue_record(rush);
    rush_since(rush);
}

void rush_close(struct rush *rush)
{
    for (uint32_t i = 0; i < rush->count; i++) {
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

static uint32_t number_of(const char *name)
{
    const char *digits = name + strcspn(name, "0123456789");

    return (uint32_t)strtoul(digits, NULL, 10);
}

/* What the reads show, to be compared in the end. */
static void note_schedule(struct rush *rush, uint32_t student,
                          const Carillon__ScheduleReply *reply)
{
    uint8_t *has = rush->by_schedule[student];

    memset(has, RUSH_NOTHING, RUSH_COURSES + 1);
    for (size_t i = 0; i < reply->n_items; i++) {
        has[number_of(reply->items[i]->section->code)] = RUSH_SEAT;
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        has[number_of(reply->waitlist[i]->section->code)] = RUSH_PLACE;
    }
}

static void note_roster(struct rush *rush, uint32_t course, const Carillon__RosterReply *reply)
{
    for (uint32_t i = 1; i <= RUSH_STUDENTS; i++) {
        rush->by_roster[i][course] = RUSH_NOTHING;
    }
    for (size_t i = 0; i < reply->n_students; i++) {
        rush->by_roster[number_of(reply->students[i]->token)][course] = RUSH_SEAT;
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        rush->by_roster[number_of(reply->waitlist[i]->token)][course] = RUSH_PLACE;
    }
}

static void note_read(struct rush *rush, const struct rush_asking *asking, struct slice body)
{
    bool is_roster = asking->method == CARILLON__METHOD__METHOD_ROSTER;
    struct arena scratch;

    arena_init(&scratch, SCRATCH_BYTES);
    const void *reply = wire_unpack(is_roster ? &carillon__roster_reply__descriptor
                                              : &carillon__schedule_reply__descriptor,
                                    body, &scratch);
    assert_non_null(reply);
    if (is_roster) {
        note_roster(rush, asking->number, reply);
    } else {
        note_schedule(rush, asking->number, reply);
    }
    arena_fini(&scratch);
}

/* A no for now to a change that was asked before does not tell what became of it then. */
static bool is_open(const struct rush_asking *asking, int status)
{
    return is_change(asking) &&
           (status == ERR_TIMEOUT ||
            (asking->was_unknown && (error_is_retryable(status) || status == ERR_IO)));
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct rush_asking *asking = context;
    struct rush *rush = asking->rush;
    struct slice body = slice_from(reply->body, reply->body_bytes);

    witness_record_done(&rush->record, asking->call, asking->method, reply->status, body);
    asking->status = reply->status;
    asking->is_busy = false;
    asking->is_unknown = is_open(asking, reply->status);
    rush->unknown += reply->status == ERR_TIMEOUT && is_change(asking);
    bool is_no_for_now = reply->status != OK && reply->status != ERR_REFUSED;
    asking->rest_ms = rush_now_ms() + (is_no_for_now ? REST_MS : THINK_MS);
    rush->full += reply->status == ERR_DISK_FULL;
    if (reply->status == OK) {
        count_answer(rush, asking);
    }
    if (reply->status == OK && !is_change(asking)) {
        note_read(rush, asking, body);
    }
}

static void send_asking(struct rush_asking *asking, const ProtobufCMessage *message)
{
    struct rush *rush = asking->rush;

    asking->is_busy = true;
    asking->was_unknown = asking->is_unknown;
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
    cluster_enter(rush->bed, rush->at[asking->node]);
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
    asking->number = student;
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
    asking->number = course;
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
    struct rush_asking *other = &rush->askings[rng_below(&rush->rng, rush->count)]
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

    for (uint32_t i = 0; i < rush->count; i++) {
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
        for (uint32_t i = 0; i < rush->count; i++) {
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

static bool is_agreed(const struct rush *rush)
{
    return memcmp(rush->by_schedule, rush->by_roster, sizeof rush->by_roster) == 0;
}

static void print_difference(const struct rush *rush)
{
    static const char *const words[] = {"nothing", "a seat", "a place"};

    for (uint32_t i = 1; i <= RUSH_STUDENTS; i++) {
        for (uint32_t k = 1; k <= RUSH_COURSES; k++) {
            if (rush->by_schedule[i][k] != rush->by_roster[i][k]) {
                print_error("s%u, C_%u: %s on the schedule, %s on the roster\n", i, k,
                            words[rush->by_schedule[i][k]], words[rush->by_roster[i][k]]);
            }
        }
    }
}

/* Schedules and rosters say the same, once nothing is on its way any more. */
static void read_until_agreed(struct rush *rush)
{
    uint64_t end = rush_now_ms() + AGREE_MS;

    for (read_all(rush); !is_agreed(rush); read_all(rush)) {
        if (rush_now_ms() > end) {
            print_difference(rush);
            cluster_print(rush->bed);
            fail_msg("schedules and rosters do not agree");
        }
        for (uint64_t until = rush_now_ms() + AGAIN_MS; rush_now_ms() < until;) {
            poll_all(rush);
        }
    }
}

void rush_judge(struct rush *rush, const char *name)
{
    struct witness_result result;

    settle(rush);
    read_until_agreed(rush);
    witness_record_flush(&rush->record);
    witness_check(rush->record.text, rush->record.len, &result);
    print_message("%u calls, %u entries, %u reads, %u unanswered, %u of them supposed: %s %s\n",
                  result.calls, result.entries, result.reads, result.unknown, result.supposed,
                  witness_kind_names[result.kind], result.text);
    if (result.kind != WITNESS_GOOD) {
        witness_record_keep(&rush->record, getenv("CARILLON_KEEP"), name);
    }
    /* that nothing was found in so many steps is no reason to doubt the nodes */
    if (result.kind != WITNESS_GOOD && result.kind != WITNESS_UNDECIDED) {
        cluster_print(rush->bed);
        fail_msg("what clients were told cannot be true");
    }
    assert_true(rush->registered > 0 && result.entries >= rush->registered);
}
