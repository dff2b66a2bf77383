/* A full disk refuses writes and serves reads, and is waited out without a restart; a daemon
 * that is told to stop finishes what it has begun. The data folder is a small file system of
 * its own where the test may mount one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "client/carillon.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/daemon.h"
#include "tests/lib/population.h"
#include "wire/message.h"

enum {
    COURSES = 20,
    STUDENTS = 150000,
    CAPACITY = STUDENTS,
    OUTSTANDING = 64,
    DISK_MIB = 160,
    ROOM_MS = 30000,
    LOAD_OPS = 3000,
    EARLY_OPS = 200, /* before the log keeps many segments ahead */
};

struct attempt {
    struct carillon_key key;
    int status; /* 1: not answered yet */
};

struct world {
    struct daemon daemon;
    struct carillon_client *client;
    struct attempt *attempts; /* one a student */
    uint32_t asked;
    uint32_t accepted;
    uint32_t full;
    uint32_t unknown;
    char data[DAEMON_PATH_BYTES + 16];
    char ballast[DAEMON_PATH_BYTES + 32];
    bool is_mounted;
};

static struct world world;

static void start(void)
{
    static const char *const flags[] = {
        "--set", "log_segment_bytes=2M", "--set", "snapshot_log_bytes=4M", "--memory", "256M",
        NULL};
    struct carillon_options options = {
        .name = "test-disk", .outstanding_max = OUTSTANDING, .retry_never = true};

    if (!daemon_start(&world.daemon, BINARY_FOLDER "/bin/carillond", flags)) {
        char *log = daemon_log(&world.daemon);

        print_error("%s\n", log);
        free(log);
        fail_msg("carillond does not start");
    }
    options.address = world.daemon.address;
    assert_int_equal(carillon_create(&options, &world.client), OK);
    assert_int_equal(carillon_connect(world.client), OK);
}

static void begin(void)
{
    const struct population population = {COURSES, STUDENTS, CAPACITY, 0};

    memset(&world, 0, sizeof world);
    world.attempts = calloc(STUDENTS + 1, sizeof *world.attempts);
    assert_non_null(world.attempts);
    daemon_init(&world.daemon);
    (void)snprintf(world.data, sizeof world.data, "%s/data", world.daemon.folder);
    (void)snprintf(world.ballast, sizeof world.ballast, "%s/ballast", world.data);
    assert_int_equal(mkdir(world.data, 0700), 0);
    char size[32];
    (void)snprintf(size, sizeof size, "size=%dm", DISK_MIB);
    world.is_mounted = mount("tmpfs", world.data, "tmpfs", 0, size) == 0;
    start();
    assert_int_equal(population_import(world.client, &population), OK);
}

static void end(void)
{
    carillon_destroy(world.client);
    assert_int_equal(daemon_signal(&world.daemon, SIGTERM), 0);
    if (world.is_mounted) {
        assert_int_equal(umount2(world.data, MNT_DETACH), 0);
    }
    daemon_fini(&world.daemon);
    free(world.attempts);
}

/* ---- load ---- */

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct attempt *attempt = context;

    attempt->status = reply->status;
    world.accepted += reply->status == OK;
    world.full += reply->status == ERR_DISK_FULL;
    world.unknown += reply->status == ERR_TIMEOUT;
}

static void ask(uint32_t student)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *rows[1] = {&op};
    struct attempt *attempt = &world.attempts[student];
    char token[16];
    char code[16];

    population_token(student, token);
    population_code(student % COURSES + 1, code);
    request.student = token;
    request.n_ops = 1;
    request.ops = rows;
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = code;
    if (attempt->status == OK) {
        attempt->key = carillon_key_make(world.client);
    }
    attempt->status = 1;
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_SUBMIT,
        .key = &attempt->key,
        .message = &request.base,
        .done = on_done,
        .context = attempt,
    };
    assert_int_equal(carillon_submit_call(world.client, &call), OK);
}

static void ask_more(uint32_t ops)
{
    uint32_t until = ops < STUDENTS - world.asked ? world.asked + ops : STUDENTS;

    while (world.asked < until && world.full == 0) {
        while (carillon_outstanding(world.client) < OUTSTANDING && world.asked < until) {
            ask(++world.asked);
        }
        assert_int_equal(carillon_poll(world.client, 10), OK);
    }
}

static void wait_answers(void)
{
    while (carillon_outstanding(world.client) > 0) {
        assert_int_equal(carillon_poll(world.client, 100), OK);
    }
}

/* Ask again, with the same keys, what has no yes yet. */
static void ask_again(void)
{
    for (uint32_t i = 1; i <= world.asked; i++) {
        if (world.attempts[i].status == OK) {
            continue;
        }
        while (carillon_outstanding(world.client) == OUTSTANDING) {
            assert_int_equal(carillon_poll(world.client, 10), OK);
        }
        ask(i);
    }
    wait_answers();
}

/* ---- looking ---- */

static uint64_t registrations(bool *ret_writable)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;

    assert_int_equal(carillon_call_message(world.client, CARILLON__METHOD__METHOD_STATUS, NULL,
                                           &request.base, &carillon__status_reply__descriptor,
                                           &reply),
                     OK);
    uint64_t count = reply->registrations;
    *ret_writable = reply->writable;
    carillon_message_free(reply);
    return count;
}

static void check_schedule(uint32_t student)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;
    Carillon__ScheduleReply *reply = NULL;
    char token[16];

    population_token(student, token);
    request.student = token;
    assert_int_equal(carillon_call_message(world.client, CARILLON__METHOD__METHOD_SCHEDULE,
                                           NULL, &request.base,
                                           &carillon__schedule_reply__descriptor, &reply),
                     OK);
    assert_int_equal(reply->n_items, 1);
    carillon_message_free(reply);
}

/* Take all the room there is. */
static void fill_disk(void)
{
    static char bytes[1 << 16];
    int fd = open(world.ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
}

static void full_disk__refuses_writes_serves_reads_and_recovers(void **state)
{
    struct timespec step = {.tv_nsec = 100000000L};
    bool is_writable = false;

    (void)state;
    begin();
    if (!world.is_mounted) {
        print_message("skipped: no file system may be mounted here\n");
        end();
        skip();
    }
    ask_more(EARLY_OPS);
    fill_disk();
    ask_more(STUDENTS);
    wait_answers();
    assert_true(world.full > 0);
    uint64_t count = registrations(&is_writable);
    assert_int_equal(count, world.accepted);
    assert_false(is_writable);
    check_schedule(1);
    assert_int_equal(unlink(world.ballast), 0);
    for (int ms = 0; ms < ROOM_MS && !is_writable; ms += 100) {
        (void)nanosleep(&step, NULL);
        (void)registrations(&is_writable);
    }
    assert_true(is_writable);
    ask_again();
    assert_int_equal(world.accepted, world.asked);
    assert_int_equal(registrations(&is_writable), world.asked);

    carillon_destroy(world.client);
    (void)daemon_signal(&world.daemon, SIGKILL);
    start();
    assert_int_equal(registrations(&is_writable), world.asked);
    check_schedule(world.asked);
    end();
}

static void stop_under_load__ends_cleanly_and_keeps_what_it_answered(void **state)
{
    bool is_writable;

    (void)state;
    begin();
    ask_more(LOAD_OPS);
    for (uint32_t i = 0;
         i < OUTSTANDING / 2 && carillon_outstanding(world.client) < OUTSTANDING; i++) {
        ask(++world.asked);
    }
    assert_int_equal(carillon_poll(world.client, 0), OK);
    assert_int_equal(daemon_signal(&world.daemon, SIGTERM), 0);
    wait_answers();
    uint32_t accepted = world.accepted;
    assert_true(accepted >= LOAD_OPS - OUTSTANDING);
    carillon_destroy(world.client);
    start();
    assert_true(registrations(&is_writable) >= accepted);
    ask_again();
    assert_int_equal(world.accepted, world.asked);
    assert_int_equal(registrations(&is_writable), world.asked);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk__refuses_writes_serves_reads_and_recovers),
        cmocka_unit_test(stop_under_load__ends_cleanly_and_keeps_what_it_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
