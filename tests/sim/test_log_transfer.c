/* A snapshot file goes from one node to another: what arrives is whole and verified, or it is
 * not there, whenever power fails, calls fail or bytes are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/rng.h"
#include "io_sim/io_sim.h"
#include "log/bytes.h"
#include "log/transfer.h"

enum { GROUP = 3, GROUPS = 8, PART = 700, OLD_INDEX = 40, NEW_INDEX = 77 };

static const struct log_identity sender_id = {.cluster = {7}, .node = {1}};
static const struct log_identity receiver_id = {.cluster = {7}, .node = {2}};

static struct log_snapshot_info info_of(uint64_t index)
{
    struct log_snapshot_info info = {
        .group = GROUP,
        .index = index,
        .term = 5,
        .identity = log_cluster_hash(&sender_id),
        .configuration_bytes = 11,
        .configuration_index = index - 3,
        .configuration = "three nodes",
    };

    return info;
}

/* A receiving node, and the sender's file in memory. */
struct fixture {
    struct io_sim *sim;
    struct io *io;
    struct buf file;
    struct log_receiver receiver;
    struct log_receive receive;
    struct log_receive other;
    int done;
    int status;
    uint64_t told; /* index of the newest snapshot that was told to be durable */
};

/* ---- snapshots */

struct writing {
    struct log_snapshot_writer writer;
    int done;
    int status;
};

static void on_written(struct log_snapshot_writer *writer, int status)
{
    struct writing *writing = CONTAINER_OF(writer, struct writing, writer);

    writing->done++;
    writing->status = status;
}

static void wait_written(struct io_sim *sim, struct writing *writing)
{
    int before = writing->done;

    while (writing->done == before && io_sim_step(sim)) {
    }
    assert_int_equal(writing->status, OK);
}

/* Write a snapshot whose contents follow from @index and @seed. */
static void write_snapshot(struct io_sim *sim, struct io *io, uint64_t index, uint64_t seed)
{
    struct writing writing = {.done = 0};
    struct log_snapshot_info info = info_of(index);
    struct rng rng;
    uint8_t raw[900];

    assert_int_equal(log_snapshot_init(&writing.writer, io, "snapshots", &info, on_written),
                     OK);
    rng_init(&rng, index + seed);
    for (int i = 0; i < 4; i++) {
        for (size_t k = 0; k < sizeof raw; k++) {
            raw[k] = (uint8_t)rng_below(&rng, 200);
        }
        assert_int_equal(buf_append(&writing.writer.raw, raw, sizeof raw), OK);
        log_snapshot_put(&writing.writer);
        wait_written(sim, &writing);
    }
    log_snapshot_finish(&writing.writer);
    wait_written(sim, &writing);
    log_snapshot_fini(&writing.writer);
}

static void path_of(uint64_t index, char out[LOG_PATH_BYTES])
{
    char name[LOG_SNAPSHOT_NAME_BYTES];

    log_snapshot_name(GROUP, index, name);
    assert_int_equal(log_path_join(out, "snapshots", name), OK);
}

/* What the sender has at NEW_INDEX. */
static void make_file(struct buf *file)
{
    struct io_sim *sim = io_sim_create(1, NULL);
    struct io *io = io_sim_machine_create(sim, "10.0.0.9");
    char path[LOG_PATH_BYTES];

    buf_init(file, 1 << 20);
    assert_int_equal(io_folder_make(io, "snapshots"), OK);
    write_snapshot(sim, io, NEW_INDEX, 0);
    path_of(NEW_INDEX, path);
    assert_int_equal(io_sim_durable_read(io, path, file), OK);
    io_sim_destroy(sim);
}

/* ---- the receiving node */

static void on_received(struct log_receive *receive, int status)
{
    struct fixture *f = CONTAINER_OF(receive, struct fixture, receive);

    f->done++;
    f->status = status;
}

static void on_other(struct log_receive *receive, int status)
{
    (void)receive;
    (void)status;
}

static void begin_receiver(struct fixture *f)
{
    log_receive_fini(&f->receive);
    memset(&f->receive, 0, sizeof f->receive);
    f->receive.done = on_received;
    f->other.done = on_other;
    assert_int_equal(log_receiver_init(&f->receiver, f->io, "snapshots", GROUP, &receiver_id),
                     OK);
}

/* @file is borrowed from another fixture, or made. */
static void init(struct fixture *f, uint64_t seed, const struct io_sim_options *options,
                 const struct buf *file)
{
    memset(f, 0, sizeof *f);
    f->sim = io_sim_create(seed, options);
    f->io = io_sim_machine_create(f->sim, "10.0.0.1");
    f->told = OLD_INDEX;
    if (file != NULL) {
        f->file = *file;
    } else {
        make_file(&f->file);
    }
    assert_int_equal(io_folder_make(f->io, "snapshots"), OK);
    write_snapshot(f->sim, f->io, OLD_INDEX, 0);
    begin_receiver(f);
}

static void fini(struct fixture *f, bool is_file_own)
{
    log_receive_fini(&f->receive);
    log_receive_fini(&f->other);
    log_receiver_fini(&f->receiver);
    if (is_file_own) {
        buf_fini(&f->file);
    }
    io_sim_destroy(f->sim);
}

static int setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);

    assert_non_null(f);
    init(f, 3, NULL, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fini(*state, true);
    free(*state);
    return 0;
}

/* Returns: what done() said, or ERR_CLOSED when power failed before. */
static int wait_received(struct fixture *f)
{
    int before = f->done;

    while (f->done == before && !io_sim_is_down(f->io) && io_sim_step(f->sim)) {
    }
    return f->done == before ? ERR_CLOSED : f->status;
}

static int write_part(struct fixture *f, uint64_t offset, size_t len)
{
    log_receive_write(&f->receiver, &f->receive, offset,
                      slice_sub(buf_slice(&f->file), offset, len));
    return wait_received(f);
}

static int install(struct fixture *f)
{
    struct log_snapshot_info info = info_of(NEW_INDEX);

    log_receive_install(&f->receiver, &f->receive, &info);
    int status = wait_received(f);
    if (status == OK) {
        f->told = NEW_INDEX;
    }
    return status;
}

static int receive_all(struct fixture *f)
{
    int status = OK;

    for (uint64_t offset = 0; offset < f->file.len && status == OK; offset += PART) {
        status = write_part(f, offset, PART);
    }
    return status == OK ? install(f) : status;
}

/* ---- what is there */

struct opened {
    struct io *io;
    struct io_file *file;
    struct log_snapshot_info info;
};

static int opened_read(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    struct opened *opened = context;

    return io_file_read(opened->io, opened->file, offset, data, len, ret_len);
}

static int opened_begin(void *context, const struct log_snapshot_info *info)
{
    struct opened *opened = context;

    opened->info = *info;
    return OK;
}

static int opened_chunk(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
    return OK;
}

static void found_name(const char *name)
{
    if (strstr(name, ".tmp") != NULL) {
        fail_msg("%s is left", name);
    }
}

static int count_name(void *context, const char *name)
{
    int *count = context;

    found_name(name);
    (*count)++;
    return OK;
}

/* As a node that starts: the newest snapshot verifies, and is not older than what was told. */
static uint64_t check_start(struct fixture *f)
{
    uint64_t indexes[GROUPS];
    struct opened opened = {.io = f->io};
    char path[LOG_PATH_BYTES];
    uint64_t offset;
    int files = 0;

    assert_int_equal(log_snapshot_list(f->io, "snapshots", GROUPS, indexes), OK);
    assert_true(indexes[GROUP] == OLD_INDEX || indexes[GROUP] == NEW_INDEX);
    assert_true(indexes[GROUP] >= f->told);
    path_of(indexes[GROUP], path);
    assert_int_equal(io_file_open(f->io, path, IO_OPEN_READ, &opened.file), OK);
    struct log_snapshot_source source = {&opened, opened_read};
    struct log_snapshot_sink sink = {&opened, opened_begin, opened_chunk};
    assert_int_equal(log_snapshot_read(&source, &sink, &offset), OK);
    io_file_close(f->io, opened.file);
    assert_int_equal(opened.info.index, indexes[GROUP]);
    assert_true(log_snapshot_is_of(&opened.info, &receiver_id));
    assert_int_equal(opened.info.configuration_index, indexes[GROUP] - 3);
    assert_int_equal(io_folder_list(f->io, "snapshots", count_name, &files), OK);
    assert_in_range(files, 1, 2);
    return indexes[GROUP];
}

static void log_receive__whole_file__becomes_the_snapshot(void **state)
{
    struct fixture *f = *state;
    char path[LOG_PATH_BYTES];
    struct buf got;

    assert_int_equal(receive_all(f), OK);
    assert_int_equal(f->receive.info.bytes, f->file.len);
    assert_int_equal(f->receive.info.configuration_bytes, 11);
    buf_init(&got, 1 << 20);
    path_of(NEW_INDEX, path);
    assert_int_equal(io_sim_durable_read(f->io, path, &got), OK);
    assert_true(slice_is_equal(buf_slice(&got), buf_slice(&f->file)));
    buf_fini(&got);
    path_of(OLD_INDEX, path);
    assert_int_equal(io_file_remove(f->io, path), ERR_GONE);
    io_sim_crash(f->io);
    log_receiver_fini(&f->receiver);
    io_sim_restart(f->io);
    assert_int_equal(check_start(f), NEW_INDEX);
}

static void log_receive__out_of_place__changes_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_part(f, PART, PART), ERR_GONE);
    assert_int_equal(install(f), ERR_GONE);
    assert_int_equal(write_part(f, 0, PART), OK);
    assert_int_equal(write_part(f, 2 * PART, PART), ERR_GONE);
    assert_int_equal(write_part(f, PART, 0), OK);
    for (uint64_t offset = PART; offset < f->file.len; offset += PART) {
        assert_int_equal(write_part(f, offset, PART), OK);
    }
    assert_int_equal(install(f), OK);
    assert_int_equal(check_start(f), NEW_INDEX);
}

/* Another transfer begins anew, whatever is on its way. */
static void log_receive__begun_anew_and_abandoned__in_the_order_asked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(write_part(f, 0, 2 * PART), OK);
    log_receive_write(&f->receiver, &f->other, (uint64_t)2 * PART,
                      SLICE_LITERAL("of the old one"));
    assert_int_equal(receive_all(f), OK);
    assert_int_equal(f->other.status, OK);
    assert_int_equal(check_start(f), NEW_INDEX);

    assert_int_equal(write_part(f, 0, 2 * PART), OK);
    log_receive_abandon(&f->receiver, &f->receive);
    assert_int_equal(wait_received(f), OK);
    assert_int_equal(write_part(f, (uint64_t)2 * PART, PART), ERR_GONE);
    assert_int_equal(check_start(f), NEW_INDEX);
    assert_int_equal(f->receiver.pending, 0);
}

/* Damage is found wherever it is, nothing of it is left, and the next try works. */
static void log_receive__every_byte_wrong_once__is_never_installed(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->file.len; i += 3) {
        f->file.data[i] ^= (uint8_t)(1U << (i % 8));
        assert_int_equal(write_part(f, 0, f->file.len), OK);
        assert_int_equal(install(f), ERR_DAMAGED);
        assert_true(f->receive.bad_offset <= i);
        f->file.data[i] ^= (uint8_t)(1U << (i % 8));
    }
    f->file.len--;
    assert_int_equal(receive_all(f), ERR_DAMAGED);
    f->file.len++;
    assert_int_equal(check_start(f), OLD_INDEX);
    assert_int_equal(receive_all(f), OK);
    assert_int_equal(check_start(f), NEW_INDEX);
}

static void log_receive__of_another_group_cluster_or_index__is_damage(void **state)
{
    struct fixture *f = *state;
    struct log_snapshot_info expected[5];

    for (int i = 0; i < 5; i++) {
        expected[i] = info_of(NEW_INDEX);
    }
    expected[0].index++;
    expected[1].term++;
    expected[2].configuration_index++;
    expected[3].configuration_bytes--;
    expected[4].configuration[3] ^= 1;
    for (int i = 0; i < 7; i++) {
        f->receiver.group = i == 5 ? GROUP + 1 : GROUP;
        f->receiver.identity ^= i == 6 ? 1 : 0;
        struct log_snapshot_info info = i < 5 ? expected[i] : info_of(NEW_INDEX);
        assert_int_equal(write_part(f, 0, f->file.len), OK);
        log_receive_install(&f->receiver, &f->receive, &info);
        assert_int_equal(wait_received(f), ERR_DAMAGED);
    }
    f->receiver.identity ^= 1;
    assert_int_equal(check_start(f), OLD_INDEX);
    assert_int_equal(receive_all(f), OK);
}

static void log_receive__disk_full__goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;

    for (int first = 0; first < 2; first++) {
        if (first == 0) {
            assert_int_equal(write_part(f, 0, PART), OK);
        }
        io_sim_fail(f->io, first == 1 ? IO_SIM_OPEN : IO_SIM_WRITE, 1, ERR_DISK_FULL, true);
        uint64_t offset = first == 1 ? 0 : PART;
        assert_int_equal(write_part(f, offset, PART), ERR_DISK_FULL);
        log_receive_again(&f->receive);
        assert_int_equal(wait_received(f), ERR_DISK_FULL);
        io_sim_fail_clear(f->io);
        log_receive_again(&f->receive);
        assert_int_equal(wait_received(f), OK);
        for (offset += PART; offset < f->file.len; offset += PART) {
            assert_int_equal(write_part(f, offset, PART), OK);
        }
        assert_int_equal(install(f), OK);
    }
    assert_int_equal(check_start(f), NEW_INDEX);
}

/* A long one is synced on its way. What a failed sync leaves is not built on, be it for want of
 * room. */
static void log_receive__sync_on_the_way_fails__forgets_what_was_received(void **state)
{
    struct fixture *f = *state;
    struct slice part = {calloc(LOG_TRANSFER_BYTES_MAX, 1), LOG_TRANSFER_BYTES_MAX / 2 + 1};

    assert_non_null(part.data);
    uint64_t syncs = io_sim_calls(f->io, IO_SIM_SYNC);
    for (uint64_t i = 0; i < 4; i++) {
        log_receive_write(&f->receiver, &f->receive, i * part.len, part);
        assert_int_equal(wait_received(f), OK);
    }
    assert_int_equal(io_sim_calls(f->io, IO_SIM_SYNC) - syncs, 2);
    static const int errors[] = {ERR_IO, ERR_DISK_FULL};
    for (size_t i = 0; i < 2; i++) {
        log_receive_write(&f->receiver, &f->receive, 0, part);
        assert_int_equal(wait_received(f), OK);
        io_sim_fail(f->io, IO_SIM_SYNC, 1, errors[i], false);
        log_receive_write(&f->receiver, &f->receive, part.len, part);
        assert_int_equal(wait_received(f), ERR_IO);
        log_receive_write(&f->receiver, &f->receive, 2 * part.len, part);
        assert_int_equal(wait_received(f), ERR_GONE);
    }
    assert_int_equal(check_start(f), OLD_INDEX);
    free((void *)(uintptr_t)part.data);
}

/* ---- crashes and failures */

static void log_receive__power_fails_at_every_call__leaves_a_whole_snapshot(void **state)
{
    struct fixture *f = *state;
    uint64_t crashes = 0;
    uint64_t found_new = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        bool has_struck = true;
        for (uint64_t n = 1; has_struck; n++) {
            struct fixture g;
            init(&g, seed, NULL, &f->file);
            io_sim_crash_at(g.io, n);
            int status = receive_all(&g);
            has_struck = io_sim_is_down(g.io);
            assert_true(has_struck || status == OK);
            io_sim_fail_clear(g.io);
            io_sim_crash(g.io);
            log_receiver_fini(&g.receiver);
            io_sim_restart(g.io);
            crashes += has_struck ? 1 : 0;
            found_new += check_start(&g) == NEW_INDEX && has_struck ? 1 : 0;
            /* And the transfer can be made again. */
            begin_receiver(&g);
            assert_int_equal(receive_all(&g), OK);
            io_sim_crash(g.io);
            log_receiver_fini(&g.receiver);
            io_sim_restart(g.io);
            assert_int_equal(check_start(&g), NEW_INDEX);
            fini(&g, false);
        }
    }
    print_message("%llu crashes, the new one was there after %llu\n",
                  (unsigned long long)crashes, (unsigned long long)found_new);
    assert_true(crashes > 200 && found_new > 20);
}

static void fail_calls(const struct buf *file, int error, uint64_t *failures)
{
    bool has_struck = true;

    for (uint64_t n = 1; has_struck; n++) {
        struct fixture g;
        init(&g, n, NULL, file);
        uint64_t before = io_sim_calls(g.io, IO_SIM_ANY);
        io_sim_fail(g.io, IO_SIM_ANY, n, error, false);
        int status = write_part(&g, 0, PART);
        if (status == OK) {
            log_receive_abandon(&g.receiver, &g.receive);
            status = wait_received(&g);
        }
        if (status == OK) {
            status = receive_all(&g);
        }
        has_struck = io_sim_calls(g.io, IO_SIM_ANY) - before >= n;
        assert_true(status == OK || status == error);
        *failures += has_struck ? 1 : 0;
        io_sim_fail_clear(g.io);
        (void)check_start(&g); /* removes what is left */
        log_receiver_fini(&g.receiver);
        begin_receiver(&g);
        assert_int_equal(receive_all(&g), OK);
        assert_int_equal(check_start(&g), NEW_INDEX);
        fini(&g, false);
    }
}

static void log_receive__every_call_fails__says_so_and_works_afterwards(void **state)
{
    struct fixture *f = *state;
    uint64_t failures = 0;

    fail_calls(&f->file, ERR_IO, &failures);
    fail_calls(&f->file, ERR_DISK_FULL, &failures);
    print_message("%llu failures\n", (unsigned long long)failures);
    assert_true(failures > 40);
}

/* ---- sending */

struct sending {
    struct log_send send;
    int done;
    int status;
};

static void on_sent(struct log_send *send, int status)
{
    struct sending *sending = CONTAINER_OF(send, struct sending, send);

    sending->done++;
    sending->status = status;
}

static int send_part(struct fixture *f, struct sending *sending, uint64_t index,
                     uint64_t offset, uint32_t bytes)
{
    int before = sending->done;

    sending->send.group = GROUP;
    sending->send.index = index;
    sending->send.offset = offset;
    sending->send.bytes_max = bytes;
    sending->send.done = on_sent;
    log_send_submit(f->io, "snapshots", &sending->send);
    assert_int_equal(sending->done, before);
    while (sending->done == before && io_sim_step(f->sim)) {
    }
    assert_int_equal(sending->done, before + 1);
    return sending->status;
}

static void log_send__part_by_part__is_the_file(void **state)
{
    struct fixture *f = *state;
    struct sending sending = {.done = 0};
    struct buf got;

    assert_int_equal(receive_all(f), OK);
    buf_init(&got, 1 << 20);
    do {
        assert_int_equal(send_part(f, &sending, NEW_INDEX, got.len, 311), OK);
        assert_int_equal(buf_append_slice(&got, sending.send.data), OK);
    } while (!sending.send.is_last);
    assert_true(slice_is_equal(buf_slice(&got), buf_slice(&f->file)));
    /* Resumed by another request, at the end, and behind it. */
    log_send_fini(&sending.send);
    assert_int_equal(send_part(f, &sending, NEW_INDEX, 500, 100), OK);
    assert_true(slice_is_equal(sending.send.data, slice_sub(buf_slice(&f->file), 500, 100)));
    assert_false(sending.send.is_last);
    assert_int_equal(send_part(f, &sending, NEW_INDEX, got.len, 100), OK);
    assert_true(sending.send.is_last);
    assert_int_equal(sending.send.data.len, 0);
    assert_int_equal(send_part(f, &sending, NEW_INDEX, got.len + 1, 100), ERR_GONE);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), ERR_GONE);
    log_send_fini(&sending.send);
    buf_fini(&got);
}

/* By a later one; and by one of the same name, which may be as long. */
static void log_send__replaced_meanwhile__is_gone(void **state)
{
    struct fixture *f = *state;
    struct sending sending = {.done = 0};

    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), OK);
    write_snapshot(f->sim, f->io, OLD_INDEX, 0); /* the same once more */
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 100, 100), OK);
    write_snapshot(f->sim, f->io, OLD_INDEX, 1);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 200, 100), ERR_GONE);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), OK);
    assert_int_equal(receive_all(f), OK);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 100, 100), ERR_GONE);
    assert_int_equal(send_part(f, &sending, NEW_INDEX, 100, 100), OK);
    log_send_fini(&sending.send);
}

static void log_send__every_call_fails__says_so(void **state)
{
    struct fixture *f = *state;
    struct sending sending = {.done = 0};
    uint64_t n = 1;

    for (;; n++) {
        uint64_t before = io_sim_calls(f->io, IO_SIM_ANY);
        io_sim_fail(f->io, IO_SIM_ANY, n, ERR_IO, false);
        int status = send_part(f, &sending, OLD_INDEX, 0, 100);
        bool has_struck = io_sim_calls(f->io, IO_SIM_ANY) - before >= n;
        io_sim_fail_clear(f->io);
        assert_int_equal(status, has_struck ? ERR_IO : OK);
        if (!has_struck) {
            break;
        }
    }
    assert_true(n > 4);
    log_send_fini(&sending.send);
}

/* A bit of the file that is sent is wrong, wherever it is: not even its beginning is sent. */
static void log_send__damaged_or_of_the_first_format__is_refused(void **state)
{
    struct fixture *f = *state;
    struct sending sending = {.done = 0};
    char path[LOG_PATH_BYTES];
    uint8_t header[64] = "CLRS";

    path_of(OLD_INDEX, path);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), OK);
    for (uint64_t at = 0; io_sim_flip_bit(f->io, path, at, 1) == OK; at += 7) {
        assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), ERR_DAMAGED);
        assert_int_equal(io_sim_flip_bit(f->io, path, at, 1), OK);
    }
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), OK);
    bytes_put_u32(header + 8, 1);
    bytes_put_u32(header + 4, crc32c(0, header + 8, sizeof header - 8));
    assert_int_equal(io_sim_durable_write(f->io, path, 0, header, sizeof header), OK);
    assert_int_equal(send_part(f, &sending, OLD_INDEX, 0, 100), ERR_VERSION);
    log_send_fini(&sending.send);
}

#define WITH_NODE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NODE(log_receive__whole_file__becomes_the_snapshot),
        WITH_NODE(log_receive__out_of_place__changes_nothing),
        WITH_NODE(log_receive__begun_anew_and_abandoned__in_the_order_asked),
        WITH_NODE(log_receive__every_byte_wrong_once__is_never_installed),
        WITH_NODE(log_receive__of_another_group_cluster_or_index__is_damage),
        WITH_NODE(log_receive__disk_full__goes_on_when_there_is_room),
        WITH_NODE(log_receive__sync_on_the_way_fails__forgets_what_was_received),
        WITH_NODE(log_receive__power_fails_at_every_call__leaves_a_whole_snapshot),
        WITH_NODE(log_receive__every_call_fails__says_so_and_works_afterwards),
        WITH_NODE(log_send__part_by_part__is_the_file),
        WITH_NODE(log_send__replaced_meanwhile__is_gone),
        WITH_NODE(log_send__every_call_fails__says_so),
        WITH_NODE(log_send__damaged_or_of_the_first_format__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
