/* kill -9 at any moment loses nothing acknowledged: load, kill, start again, and every
 * student's registrations are compared with what was answered. Requests without an answer are
 * asked again with the same key before the comparison. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "client/carillon.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/daemon.h"
#include "tests/lib/population.h"
#include "wire/message.h"

#ifdef __SANITIZE_THREAD__
#define SECOND_OPS 500 /* a tenth of the speed */
#else
#define SECOND_OPS 5000
#endif

enum {
    COURSES = 3000,
    STUDENTS = 60000,
    CAPACITY = 90,
    SLOTS = 60,
    HELD_MAX = 5,
    OUTSTANDING = 256,
    CONNECTIONS = 4,
    KILLS_MERGE = 3,
    KILLS_NIGHTLY = 20,
    OPS_BEFORE_KILL = SECOND_OPS, /* in the last second */
    LOAD_MS_MIN = 1200,
    LOAD_MS_SPREAD = 900,
    LOAD_MS_MAX = 120000, /* on a machine with much else to do */
};

/* What a student was told to have: the ledger that the node's state is compared with. */
struct student {
    uint32_t held[HELD_MAX + 1];
    uint32_t count;
    bool is_busy;
};

struct attempt {
    struct load *load;
    struct carillon_key key;
    uint32_t student;
    uint32_t add;
    uint32_t drop; /* 0: none */
    bool is_used;
    bool is_unknown;
};

struct load {
    struct daemon daemon;
    struct carillon_client *client;
    struct rng rng;
    struct student *students;
    struct attempt attempts[OUTSTANDING];
    uint64_t *answered_ms; /* ring of the times of the last OPS_BEFORE_KILL answers */
    uint64_t answered;
    uint64_t accepted;
    uint64_t refused;
    uint64_t unknown;
    uint32_t used;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void connect_client(struct load *load)
{
    struct carillon_options options = {
        .address = load->daemon.address,
        .name = "test-kill",
        .connections = CONNECTIONS,
        .outstanding_max = OUTSTANDING + 8,
        .retry_never = true,
    };

    assert_int_equal(carillon_create(&options, &load->client), OK);
    int rc = carillon_connect(load->client);
    if (rc != OK) {
        print_error("connect: %s\n", carillon_text(load->client));
    }
    assert_int_equal(rc, OK);
}

/* ---- the ledger
 * -----------------------------------------------------------------------------------------------------
 */

static void ledger_accept(struct load *load, const struct attempt *attempt)
{
    struct student *student = &load->students[attempt->student];

    for (uint32_t i = 0; i < student->count && attempt->drop != 0; i++) {
        if (student->held[i] == attempt->drop) {
            student->held[i] = student->held[--student->count];
            break;
        }
    }
    if (attempt->add != 0) {
        assert_true(student->count < HELD_MAX);
        student->held[student->count++] = attempt->add;
    }
}

static void settle(struct attempt *attempt, int status)
{
    struct load *load = attempt->load;

    if (status == OK) {
        ledger_accept(load, attempt);
        load->accepted++;
    } else if (status == ERR_REFUSED) {
        load->refused++;
    } else {
        attempt->is_unknown = true;
        load->unknown++;
        return;
    }
    load->answered_ms[load->answered++ % OPS_BEFORE_KILL] = now_ms();
    load->students[attempt->student].is_busy = false;
    attempt->is_used = false;
    load->used--;
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    settle(context, reply->status);
}

/* ---- load
 * -------------------------------------------------------------------------------------------------------------
 */

/* An add, a drop, or both as a swap, as the student's own state allows. */
static void choose(struct load *load, struct attempt *attempt)
{
    struct student *student;

    do {
        attempt->student = (uint32_t)rng_between(&load->rng, 1, STUDENTS);
        student = &load->students[attempt->student];
    } while (student->is_busy);
    student->is_busy = true;
    attempt->add = (uint32_t)rng_between(&load->rng, 1, COURSES);
    attempt->drop = 0;
    if (student->count == HELD_MAX || (student->count > 0 && rng_chance(&load->rng, 150000))) {
        attempt->drop = student->held[rng_below(&load->rng, student->count)];
        if (rng_chance(&load->rng, 500000)) {
            attempt->add = 0;
        }
    }
}

static int ask(struct load *load, struct attempt *attempt)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[2] = {CARILLON__OP__INIT, CARILLON__OP__INIT};
    Carillon__Op *rows[2] = {&ops[0], &ops[1]};
    char token[16];
    char add[16];
    char drop[16];

    population_token(attempt->student, token);
    population_code(attempt->add, add);
    population_code(attempt->drop, drop);
    request.student = token;
    request.ops = rows;
    if (attempt->drop != 0) {
        ops[request.n_ops].kind = CARILLON__OP_KIND__OP_DROP;
        ops[request.n_ops++].code = drop;
    }
    if (attempt->add != 0) {
        ops[request.n_ops].kind = CARILLON__OP_KIND__OP_ADD;
        ops[request.n_ops++].code = add;
    }
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .key = &attempt->key,
        .message = &request.base,
        .done = on_done,
        .context = attempt,
    };
    return carillon_submit_call(load->client, &call);
}

static void fill(struct load *load)
{
    for (size_t i = 0; i < OUTSTANDING; i++) {
        struct attempt *attempt = &load->attempts[i];

        if (attempt->is_used) {
            continue;
        }
        *attempt = (struct attempt){
            .load = load, .is_used = true, .key = carillon_key_make(load->client)};
        choose(load, attempt);
        load->used++;
        assert_int_equal(ask(load, attempt), OK);
    }
}

/* Whether the last second saw enough answers. */
static bool is_busy(const struct load *load)
{
    return load->answered >= OPS_BEFORE_KILL &&
           now_ms() - load->answered_ms[load->answered % OPS_BEFORE_KILL] <= 1000;
}

/* Load for a while and until the last second saw enough answers; then kill, in the middle of
 * it. */
static void load_and_kill(struct load *load)
{
    uint64_t began = now_ms();
    uint64_t until = began + LOAD_MS_MIN + rng_below(&load->rng, LOAD_MS_SPREAD);

    load->answered = 0;
    while (now_ms() < until || !is_busy(load)) {
        assert_true(now_ms() - began < LOAD_MS_MAX);
        fill(load);
        assert_int_equal(carillon_poll(load->client, 10), OK);
    }
    uint64_t killed = now_ms();
    int status = daemon_signal(&load->daemon, SIGKILL);
    assert_true(WIFSIGNALED(status));
    uint64_t oldest = load->answered_ms[load->answered % OPS_BEFORE_KILL];
    print_message("%llu answers, the last %d of them within %llu ms before the kill\n",
                  (unsigned long long)load->answered, OPS_BEFORE_KILL,
                  (unsigned long long)(killed - oldest));
    while (carillon_outstanding(load->client) > 0) {
        assert_int_equal(carillon_poll(load->client, 100), OK);
    }
    carillon_destroy(load->client);
}

/* ---- after the start
 * ---------------------------------------------------------------------------------------------------
 */

/* Ask again, with the same key, what never got an answer: now it must get one. */
static void ask_unknown_again(struct load *load)
{
    uint32_t again = 0;

    for (size_t i = 0; i < OUTSTANDING; i++) {
        struct attempt *attempt = &load->attempts[i];

        if (attempt->is_used) {
            assert_true(attempt->is_unknown);
            attempt->is_unknown = false;
            again++;
            assert_int_equal(ask(load, attempt), OK);
        }
    }
    while (carillon_outstanding(load->client) > 0) {
        assert_int_equal(carillon_poll(load->client, 100), OK);
    }
    assert_int_equal(load->used, 0);
    print_message("%u requests without an answer were asked again\n", again);
}

/* Mark one exported registration off the ledger. Returns: whether somebody was told of it. */
static bool mark_off(struct student *students, const Carillon__ExportRow *row)
{
    uint32_t number = (uint32_t)strtoul(row->student + 1, NULL, 10);
    uint32_t course = (uint32_t)strtoul(row->code + 2, NULL, 10);
    struct student *student = &students[number];

    for (uint32_t i = 0; i < student->count; i++) {
        if (student->held[i] == course) {
            student->held[i] = student->held[--student->count];
            return true;
        }
    }
    print_message("student %s is registered for %s, which nobody was told\n", row->student,
                  row->code);
    return false;
}

static uint64_t mark_off_page(struct student *students, const Carillon__ExportReply *reply)
{
    uint64_t differences = 0;

    for (size_t i = 0; i < reply->n_rows; i++) {
        differences += !mark_off(students, reply->rows[i]);
    }
    return differences;
}

/* Every registration that is there was acknowledged, once; and every acknowledged one is there.
 * Returns: how many differ, each printed. */
static uint64_t compare(struct load *load)
{
    struct student *left = malloc((STUDENTS + 1) * sizeof *left);
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    char *cursor = strdup("");
    uint64_t differences = 0;

    assert_non_null(left);
    memcpy(left, load->students, (STUDENTS + 1) * sizeof *left);
    request.kind = CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS;
    request.limit = 5000;
    do {
        Carillon__ExportReply *reply = NULL;

        request.cursor = cursor;
        assert_int_equal(carillon_call_message(load->client, CARILLON__METHOD__METHOD_EXPORT,
                                               NULL, &request.base,
                                               &carillon__export_reply__descriptor, &reply),
                         OK);
        differences += mark_off_page(left, reply);
        free(cursor);
        cursor = strdup(reply->next_cursor);
        carillon_message_free(reply);
    } while (cursor[0] != '\0');
    free(cursor);
    for (uint32_t i = 1; i <= STUDENTS; i++) {
        for (uint32_t k = 0; k < left[i].count; k++) {
            print_message("student s%u was told to be registered for C %u and is not\n", i,
                          left[i].held[k]);
            differences++;
        }
    }
    free(left);
    return differences;
}

/* The comparison must notice a registration that was lost, and one that nobody was told of. */
static void check_the_comparison(struct load *load)
{
    struct student *student = &load->students[1];

    while (student->count == 0) {
        student++;
    }
    uint32_t was = student->held[0];
    student->held[0] = COURSES + 1;
    assert_int_equal(compare(load), 2);
    student->held[0] = was;
    assert_int_equal(compare(load), 0);
}

static void verify(struct load *load)
{
    Carillon__VerifyRequest request = CARILLON__VERIFY_REQUEST__INIT;
    Carillon__VerifyReply *reply = NULL;

    assert_int_equal(carillon_call_message(load->client, CARILLON__METHOD__METHOD_VERIFY, NULL,
                                           &request.base, &carillon__verify_reply__descriptor,
                                           &reply),
                     OK);
    for (size_t i = 0; i < reply->n_findings; i++) {
        print_error("finding: %s\n", reply->findings[i]);
    }
    assert_true(reply->ok);
    carillon_message_free(reply);
}

static void start(struct load *load)
{
    /* small segments and early snapshots, so that kills meet rotation, recycling and snapshots
     * too */
    static const char *const flags[] = {"--set", "log_segment_bytes=16M", "--set",
                                        "snapshot_log_bytes=24M", NULL};

    if (!daemon_start(&load->daemon, BINARY_FOLDER "/bin/carillond", flags)) {
        char *log = daemon_log(&load->daemon);

        print_error("%s\n", log);
        free(log);
        fail_msg("carillond does not start");
    }
    connect_client(load);
}

static void kill_under_load__every_acknowledged_operation_is_there_exactly_once(void **state)
{
    const struct population population = {COURSES, STUDENTS, CAPACITY, SLOTS};
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    bool is_nightly = campaign != NULL && strcmp(campaign, "nightly") == 0;
    static struct load load;

    (void)state;
    load.students = calloc(STUDENTS + 1, sizeof *load.students);
    load.answered_ms = calloc(OPS_BEFORE_KILL, sizeof *load.answered_ms);
    rng_init(&load.rng, now_ms());
    daemon_init(&load.daemon);
    start(&load);
    assert_int_equal(population_import(load.client, &population), OK);
    for (int kills = 0; kills < (is_nightly ? KILLS_NIGHTLY : KILLS_MERGE); kills++) {
        load_and_kill(&load);
        start(&load);
        ask_unknown_again(&load);
        assert_int_equal(compare(&load), 0);
        verify(&load);
    }
    print_message("accepted %llu, refused %llu, without an answer at first %llu\n",
                  (unsigned long long)load.accepted, (unsigned long long)load.refused,
                  (unsigned long long)load.unknown);
    check_the_comparison(&load);
    carillon_destroy(load.client);
    assert_int_equal(daemon_signal(&load.daemon, SIGTERM), 0);
    daemon_fini(&load.daemon);
    free(load.students);
    free(load.answered_ms);
}

static void second_start_on_the_same_folder__is_refused_while_the_first_runs(void **state)
{
    struct daemon first;
    struct daemon second;

    (void)state;
    daemon_init(&first);
    assert_true(daemon_start(&first, BINARY_FOLDER "/bin/carillond", NULL));
    second = first;
    second.pid = 0;
    assert_false(daemon_start(&second, BINARY_FOLDER "/bin/carillond", NULL));
    char *log = daemon_log(&first);
    assert_non_null(strstr(log, "another process"));
    free(log);
    assert_int_equal(daemon_signal(&first, SIGTERM), 0);
    daemon_fini(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_start_on_the_same_folder__is_refused_while_the_first_runs),
        cmocka_unit_test(kill_under_load__every_acknowledged_operation_is_there_exactly_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
