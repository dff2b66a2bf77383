/* A witness of a real daemon that is killed in the middle of its work again and again: what its
 * clients were told before, in between and afterwards must fit together, though some requests
 * never got an answer and were never asked again. A history that is not believed is kept in the
 * folder that CARILLON_KEEP names. */
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
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/daemon.h"
#include "tests/lib/population.h"
#include "tests/lib/witness.h"
#include "tests/lib/witness_record.h"
#include "wire/message.h"

enum {
    COURSES = 10,
    STUDENTS = 24,
    CAPACITY = 3,
    SLOTS = 6,
    OUTSTANDING = 16,
    CONNECTIONS = 3,
    KILLS_MERGE = 3,
    KILLS_NIGHTLY = 12,
    CALLS_BEFORE_KILL = 130,
    ROSTER_LIMIT = 1000,
};

/* One request under way, or one that nobody answered. */
struct asking {
    struct bed *bed;
    uint32_t method;
    uint64_t call;
    struct carillon_key key;
    struct buf body; /* packed, to be asked again */
    bool is_used;
    bool is_unknown;
};

struct bed {
    struct daemon daemon;
    struct carillon_client *client;
    struct rng rng;
    struct witness_record record;
    struct asking askings[OUTSTANDING];
    uint64_t asked;
    uint64_t answered;
    uint64_t unanswered;
    uint64_t snapshots;
};

static void start(struct bed *bed)
{
    static const char *const flags[] = {"--set", "log_segment_bytes=2M", "--set",
                                        "snapshot_log_bytes=1M", NULL};

    assert_true(daemon_start(&bed->daemon, BINARY_FOLDER "/bin/carillond", flags));
    struct carillon_options options = {
        .address = bed->daemon.address,
        .name = "test-witness",
        .connections = CONNECTIONS,
        .outstanding_max = OUTSTANDING + 8,
        .retry_never = true,
    };

    assert_int_equal(carillon_create(&options, &bed->client), OK);
    assert_int_equal(carillon_connect(bed->client), OK);
}

static void catalogue_record(struct bed *bed, const struct population *population)
{
    for (uint32_t i = 1; i <= COURSES; i++) {
        struct population_slot slot = population_slot(population, i);

        witness_record_line(&bed->record, "course C_%u 300", i);
        witness_record_line(&bed->record, "section C_%u#1 %d %u:%u-%u", i, CAPACITY, slot.days,
                            slot.start_min, slot.end_min);
    }
    for (uint32_t i = 1; i <= STUDENTS; i++) {
        witness_record_line(&bed->record, "student s%u level 1", i);
    }
}

/* ---- asking ---- */

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct asking *asking = context;
    struct bed *bed = asking->bed;
    bool is_write = asking->method == CARILLON__METHOD__METHOD_SUBMIT ||
                    asking->method == CARILLON__METHOD__METHOD_CAP;

    witness_record_done(&bed->record, asking->call, asking->method, reply->status,
                        slice_from(reply->body, reply->body_bytes));
    asking->is_unknown = is_write && reply->status == ERR_TIMEOUT;
    asking->is_used = asking->is_unknown;
    bed->answered += !asking->is_unknown;
    bed->unanswered += asking->is_unknown;
}

static void send_asking(struct asking *asking, const ProtobufCMessage *message)
{
    struct bed *bed = asking->bed;
    bool is_read = asking->method == CARILLON__METHOD__METHOD_SCHEDULE ||
                   asking->method == CARILLON__METHOD__METHOD_ROSTER;

    asking->is_used = true;
    asking->is_unknown = false;
    asking->call = witness_record_call(&bed->record, asking->method,
                                       is_read ? NULL : asking->key.bytes, message);
    struct carillon_call call = {
        .method = asking->method,
        .key = is_read ? NULL : &asking->key,
        .message = message,
        .done = on_done,
        .context = asking,
    };
    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
    bed->asked++;
}

static void ask_submit(struct asking *asking)
{
    struct rng *rng = &asking->bed->rng;
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[2] = {CARILLON__OP__INIT, CARILLON__OP__INIT};
    Carillon__Op *rows[2] = {&ops[0], &ops[1]};
    char codes[2][16];
    char token[16];

    population_token((uint32_t)rng_between(rng, 1, STUDENTS), token);
    request.student = token;
    request.ops = rows;
    request.n_ops = rng_chance(rng, 300000) ? 2 : 1;
    for (size_t i = 0; i < request.n_ops; i++) {
        bool is_drop = rng_chance(rng, i == 0 ? 350000 : 150000);

        population_code((uint32_t)rng_between(rng, 1, COURSES), codes[i]);
        ops[i].code = codes[i];
        ops[i].kind = is_drop ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
        ops[i].waitlist = !is_drop && rng_chance(rng, 500000);
    }
    asking->method = CARILLON__METHOD__METHOD_SUBMIT;
    buf_clear(&asking->body);
    assert_int_equal(wire_pack(&request.base, &asking->body), OK);
    send_asking(asking, &request.base);
}

static void ask_cap(struct asking *asking)
{
    struct rng *rng = &asking->bed->rng;
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char code[16];

    population_code((uint32_t)rng_between(rng, 1, COURSES), code);
    name.code = code;
    request.section = &name;
    request.capacity_known = true;
    request.capacity = (uint32_t)rng_below(rng, CAPACITY + 2);
    asking->method = CARILLON__METHOD__METHOD_CAP;
    buf_clear(&asking->body);
    assert_int_equal(wire_pack(&request.base, &asking->body), OK);
    send_asking(asking, &request.base);
}

static void ask_schedule(struct asking *asking, uint32_t student)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;
    char token[16];

    population_token(student, token);
    request.student = token;
    asking->method = CARILLON__METHOD__METHOD_SCHEDULE;
    send_asking(asking, &request.base);
}

static void ask_roster(struct asking *asking, uint32_t course)
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

static void ask_random(struct asking *asking)
{
    struct rng *rng = &asking->bed->rng;
    uint64_t dice = rng_below(rng, 100);

    asking->key = carillon_key_make(asking->bed->client);
    if (dice < 70) {
        ask_submit(asking);
    } else if (dice < 75) {
        ask_cap(asking);
    } else if (dice < 88) {
        ask_schedule(asking, (uint32_t)rng_between(rng, 1, STUDENTS));
    } else {
        ask_roster(asking, (uint32_t)rng_between(rng, 1, COURSES));
    }
}

static void on_snapshot(void *context, const struct carillon_reply *reply)
{
    struct bed *bed = context;

    bed->snapshots += reply->status == OK;
}

/* So that later starts begin with a snapshot, and a kill may meet one being written. */
static void ask_snapshot(struct bed *bed)
{
    Carillon__SnapshotRequest request = CARILLON__SNAPSHOT_REQUEST__INIT;
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SNAPSHOT,
        .message = &request.base,
        .done = on_snapshot,
        .context = bed,
    };

    assert_int_equal(carillon_submit_call(bed->client, &call), OK);
}

static void wait_for_all(struct bed *bed)
{
    while (carillon_outstanding(bed->client) > 0) {
        assert_int_equal(carillon_poll(bed->client, 100), OK);
    }
}

/* ---- the story ---- */

/* Ask until so many were asked and some are under way, then kill. */
static void work_and_kill(struct bed *bed)
{
    uint64_t end = bed->asked + CALLS_BEFORE_KILL + rng_below(&bed->rng, CALLS_BEFORE_KILL);

    ask_snapshot(bed);
    while (bed->asked < end) {
        for (int i = 0; i < OUTSTANDING; i++) {
            if (!bed->askings[i].is_used) {
                ask_random(&bed->askings[i]);
            }
        }
        if (bed->asked < end) {
            assert_int_equal(carillon_poll(bed->client, 10), OK);
        }
    }
    carillon_flush(bed->client);
    if (rng_chance(&bed->rng, 500000)) { /* else the daemon has hardly seen the last ones */
        assert_int_equal(carillon_poll(bed->client, 1), OK);
    }
    int status = daemon_signal(&bed->daemon, SIGKILL);
    assert_true(WIFSIGNALED(status));
    wait_for_all(bed);
    carillon_destroy(bed->client);
}

/* Half of those without an answer ask again; nobody hears of the others any more. */
static void ask_some_again(struct bed *bed)
{
    struct arena scratch;

    arena_init(&scratch, 1 << 20);
    for (int i = 0; i < OUTSTANDING; i++) {
        struct asking *asking = &bed->askings[i];

        if (!asking->is_unknown) {
            continue;
        }
        asking->is_used = false;
        asking->is_unknown = false;
        if (rng_chance(&bed->rng, 500000)) {
            bool is_submit = asking->method == CARILLON__METHOD__METHOD_SUBMIT;
            const ProtobufCMessage *message =
                wire_unpack(is_submit ? &carillon__submit_request__descriptor
                                      : &carillon__cap_request__descriptor,
                            buf_slice(&asking->body), &scratch);

            assert_non_null(message);
            send_asking(asking, message);
        }
    }
    wait_for_all(bed);
    arena_fini(&scratch);
}

static void read_all(struct bed *bed)
{
    for (uint32_t i = 1; i <= STUDENTS; i++) {
        ask_schedule(&bed->askings[0], i);
        wait_for_all(bed);
    }
    for (uint32_t i = 1; i <= COURSES; i++) {
        ask_roster(&bed->askings[0], i);
        wait_for_all(bed);
    }
}

static void check(struct bed *bed)
{
    struct witness_result result;
    char text[512];

    bool is_good = witness_record_check(&bed->record, getenv("CARILLON_KEEP"), "witness_kill",
                                        text, sizeof text);
    witness_check(bed->record.text, bed->record.len, &result);
    print_message("%u calls, %u entries, %u reads, %u unanswered, %u of them supposed: %s\n",
                  result.calls, result.entries, result.reads, result.unknown, result.supposed,
                  text);
    /* that nothing was found in so many steps is no reason to doubt the daemon */
    assert_true(is_good || result.kind == WITNESS_UNDECIDED);
    assert_int_equal(result.entries + result.reads > bed->answered / 2, true);
}

static void witness__of_a_killed_daemon__believes_what_it_told(void **state)
{
    const struct population population = {COURSES, STUDENTS, CAPACITY, SLOTS};
    const char *campaign = getenv("CARILLON_CAMPAIGN");
    bool is_nightly = campaign != NULL && strcmp(campaign, "nightly") == 0;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    static struct bed bed;

    (void)state;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    rng_init(&bed.rng, seed);
    witness_record_init(&bed.record);
    for (int i = 0; i < OUTSTANDING; i++) {
        bed.askings[i].bed = &bed;
        buf_init(&bed.askings[i].body, 4096);
    }
    daemon_init(&bed.daemon);
    start(&bed);
    assert_int_equal(population_import(bed.client, &population), OK);
    catalogue_record(&bed, &population);
    for (int kills = 0; kills < (is_nightly ? KILLS_NIGHTLY : KILLS_MERGE); kills++) {
        work_and_kill(&bed);
        start(&bed);
        ask_some_again(&bed);
        read_all(&bed);
    }
    print_message("asked %llu, answered %llu, unanswered at first %llu, %llu snapshots\n",
                  (unsigned long long)bed.asked, (unsigned long long)bed.answered,
                  (unsigned long long)bed.unanswered, (unsigned long long)bed.snapshots);
    assert_true(bed.snapshots > 0);
    check(&bed);
    carillon_destroy(bed.client);
    assert_int_equal(daemon_signal(&bed.daemon, SIGTERM), 0);
    daemon_fini(&bed.daemon);
    for (int i = 0; i < OUTSTANDING; i++) {
        buf_fini(&bed.askings[i].body);
    }
    witness_record_fini(&bed.record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness__of_a_killed_daemon__believes_what_it_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
