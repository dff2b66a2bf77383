/* What outlives a request: answers under keys, snapshots, replay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/sm.h"
#include "tests/lib/campus_fixture.h"

enum { HOUR_MS = 3600 * 1000 };

static int setup(void **state)
{
    static struct campus_fixture f;

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 1, "CS0=301"), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    assert_int_equal(fixture_simple(&f, "CS1", "A:1:05:600-660"), OK);
    assert_int_equal(fixture_course(&f, "CS2", 400, "|2 :CS0>201 :CS1*", NULL), OK);
    return 0;
}

/* Everything a snapshot of @enrol holds, loaded into an empty state in pieces of @piece bytes.
 */
static struct enrol *copy_of(struct enrol *enrol, size_t piece)
{
    struct enrol *copy = fixture_empty();
    struct buf out;
    int rc = SM_PENDING;

    buf_init(&out, 64 << 20);
    assert_int_equal(enrol_snapshot_begin(enrol), OK);
    while (rc == SM_PENDING) {
        size_t before = out.len;

        rc = enrol_snapshot_step(enrol, &out);
        assert_true(out.len - before <= ENROL_SNAPSHOT_STEP_BYTES);
    }
    assert_int_equal(rc, OK);
    for (size_t at = 0; at < out.len; at += piece) {
        assert_int_equal(enrol_restore_chunk(copy, slice_sub(buf_slice(&out), at, piece)), OK);
    }
    assert_int_equal(enrol_restore_end(copy), OK);
    buf_fini(&out);
    return copy;
}

static void key__same_body__gives_the_first_answer_again(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    uint64_t index = f->result.index;

    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), OK);
    assert_true(f->result.is_repeated);
    assert_int_equal(f->result.index, index);
    assert_string_equal(fixture_summary(f), "REGISTERED x:CS1#A");
    assert_string_equal(fixture_roster(f, "CS1"), "ann");
}

static void key__refused__stays_refused_though_a_seat_is_free_by_now(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    (void)fixture_submit(f, "bob", "+CS1");
    struct uuid key = f->key;

    (void)fixture_submit(f, "ann", "-CS1");
    f->key = key;
    buf_clear(&f->body);
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[] = {&op};

    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = (char[]){"CS1"};
    request.student = (char[]){"bob"};
    request.n_ops = 1;
    request.ops = ops;
    uint8_t body[64];
    size_t len = carillon__submit_request__pack(&request, body);

    assert_int_equal(buf_append(&f->body, body, len), OK);
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), ERR_REFUSED);
    assert_string_equal(fixture_summary(f), "WAITLIST_AVAILABLE@0[1 of 1]");
}

static void key__other_body__is_an_error(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    struct uuid key = f->key;

    (void)fixture_submit(f, "ann", "-CS1");
    f->key = key;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), ERR_KEY_REUSED);
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_BLOCK), ERR_KEY_REUSED);
    assert_string_equal(fixture_schedule(f, "ann"), "");
}

static void key__older_than_a_day__has_expired(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    f->wall_ms += 24ULL * HOUR_MS;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), OK);
    f->wall_ms += 1;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), ERR_KEY_EXPIRED);
    f->is_admitting = false;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), ERR_KEY_EXPIRED);
}

static void key__malformed_or_ahead__is_refused(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_entry entry = {.index = f->index + 1,
                                .term = 1,
                                .wall_ms = f->wall_ms,
                                .method = CARILLON__METHOD__METHOD_SUBMIT,
                                .key = SLICE_LITERAL("short")};

    enrol_apply(f->enrol, &entry, &f->result);
    f->index++;
    assert_int_equal(f->result.status, ERR_ARGUMENT);
    f->wall_ms += HOUR_MS + 1;
    (void)fixture_submit(f, "ann", "+CS1");
    f->wall_ms -= HOUR_MS + 1;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), ERR_ARGUMENT);
}

static void answers__after_a_day_and_an_hour__are_forgotten(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_counters counters;

    (void)fixture_submit(f, "ann", "+CS1");
    enrol_count(f->enrol, &counters);
    assert_true(counters.answers >= 13);
    f->wall_ms += 26ULL * HOUR_MS;
    for (int i = 0; i < 4; i++) {
        fixture_tick(f, 1);
    }
    enrol_count(f->enrol, &counters);
    assert_int_equal(counters.answers, 0);
}

static void outcome__of_own_key__is_known(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;

    (void)fixture_submit(f, "ann", "+CS1");
    request.student = (char[]){"ann"};
    request.key = (ProtobufCBinaryData){UUID_BYTES, f->key.bytes};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_OUTCOME, &request.base), OK);
    Carillon__OutcomeReply *reply =
        carillon__outcome_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_true(reply->known);
    assert_int_equal(reply->outcome->n_changes, 1);
    assert_int_equal(reply->outcome->receipt->index, f->index);
    assert_int_equal(reply->as_of->index, f->index);
    carillon__outcome_reply__free_unpacked(reply, NULL);
    request.student = (char[]){"bob"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_OUTCOME, &request.base), OK);
    reply = carillon__outcome_reply__unpack(NULL, f->reply.len, f->reply.data);
    assert_false(reply->known);
    assert_int_equal(reply->as_of->index, f->index);
    carillon__outcome_reply__free_unpacked(reply, NULL);
}

static void snapshot__restored__is_the_same_state(void **state)
{
    struct campus_fixture *f = *state;
    static const size_t pieces[] = {1, 7, 100, 65536};

    (void)fixture_submit(f, "ann", "+CS1 +CS2");
    (void)fixture_submit(f, "bob", "~CS1(CS2)");
    assert_int_equal(fixture_block(f, "bob", "fees", false), OK);
    assert_int_equal(fixture_permit(f, "bob", "CS2", 7), OK);
    assert_int_equal(fixture_limits(f, 4, 1200, 77), OK);
    assert_int_equal(fixture_window(f, 5, 0, 1), OK);
    (void)fixture_submit(f, "ann", "-CS1");
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct enrol *copy = copy_of(f->enrol, pieces[i]);

        assert_true(enrol_hash(copy) == enrol_hash(f->enrol));
        enrol_destroy(f->enrol);
        f->enrol = copy;
        assert_string_equal(fixture_verify(f), "");
    }
    assert_string_equal(fixture_schedule(f, "bob"), " | CS1#A/1");
    assert_string_equal(fixture_schedule(f, "ann"), "CS2#1");
}

/* Of a read: up to where the log was applied. */
static Carillon__OutcomeReply *place_told(struct campus_fixture *f)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;

    request.student = (char[]){"ann"};
    request.key = (ProtobufCBinaryData){UUID_BYTES, f->key.bytes};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_OUTCOME, &request.base), OK);
    return carillon__outcome_reply__unpack(NULL, f->reply.len, f->reply.data);
}

static void snapshot__restored__is_read_at_the_same_place(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    Carillon__OutcomeReply *before = place_told(f);
    struct enrol *copy = copy_of(f->enrol, 100);

    enrol_destroy(f->enrol);
    f->enrol = copy;
    Carillon__OutcomeReply *after = place_told(f);

    assert_true(before->as_of->term > 0);
    assert_int_equal(after->as_of->term, before->as_of->term);
    assert_int_equal(after->as_of->index, before->as_of->index);
    assert_int_equal(after->as_of->group, before->as_of->group);
    carillon__outcome_reply__free_unpacked(before, NULL);
    carillon__outcome_reply__free_unpacked(after, NULL);
}

static void snapshot__answers__survive_it(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    struct enrol *copy = copy_of(f->enrol, 1000);

    enrol_destroy(f->enrol);
    f->enrol = copy;
    assert_int_equal(fixture_repeat(f, CARILLON__METHOD__METHOD_SUBMIT), OK);
    assert_true(f->result.is_repeated);
    assert_string_equal(fixture_summary(f), "REGISTERED x:CS1#A");
}

static void snapshot__while_things_change__is_the_state_at_its_begin(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol *copy = fixture_empty();
    char token[] = "s00";
    struct buf out;
    int rc = SM_PENDING;

    buf_init(&out, 64 << 20);
    for (int i = 0; i < 100; i++) {
        token[1] = (char)('0' + i / 10);
        token[2] = (char)('0' + i % 10);
        assert_int_equal(fixture_student(f, token, 1, "CS0"), OK);
        (void)fixture_submit(f, token, i % 3 == 0 ? "~CS1 +CS2" : "+CS2");
    }
    uint64_t before = enrol_hash(f->enrol);

    assert_int_equal(enrol_snapshot_begin(f->enrol), OK);
    assert_int_equal(enrol_snapshot_begin(f->enrol), ERR_BUSY);
    for (int i = 0; i < 100; i++) {
        token[1] = (char)('0' + i / 10);
        token[2] = (char)('0' + i % 10);
        (void)fixture_submit(f, token, "-CS2");
        if (i % 10 == 0) {
            f->wall_ms += 3ULL * HOUR_MS; /* answers expire meanwhile */
            assert_int_equal(fixture_cap(f, "CS1", i), OK);
            assert_int_equal(fixture_simple(f, "CS1", i % 20 == 0 ? "A:5" : "B:7"), OK);
            assert_int_equal(fixture_student(f, token, 2, "NEW1 NEW2"), OK);
        }
    }
    assert_false(before == enrol_hash(f->enrol));
    while (rc == SM_PENDING) {
        rc = enrol_snapshot_step(f->enrol, &out);
        (void)fixture_submit(f, "s55", "+CS2");
        (void)fixture_submit(f, "s55", "-CS2");
    }
    assert_int_equal(enrol_restore_chunk(copy, buf_slice(&out)), OK);
    assert_int_equal(enrol_restore_end(copy), OK);
    assert_true(before == enrol_hash(copy));
    enrol_destroy(copy);
    buf_fini(&out);
}

static void snapshot__with_an_open_import__keeps_what_is_staged(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id = fixture_key(f);
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    Carillon__Course course = CARILLON__COURSE__INIT;
    Carillon__Course *courses[] = {&course};
    char *removed[] = {(char[]){"CS2"}};
    struct uuid open;

    begin.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    begin.institution = (char[]){"x"};
    begin.term = (char[]){"t"};
    begin.import_id = (ProtobufCBinaryData){UUID_BYTES, id.bytes};
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base), OK);
    course.code = (char[]){"NEW"};
    chunk.import_id = begin.import_id;
    chunk.n_courses = 1;
    chunk.courses = courses;
    chunk.n_removed = 1;
    chunk.removed = removed;
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base), OK);
    assert_string_equal(fixture_submit(f, "ann", "+NEW"), "ERR_UNKNOWN_COURSE");
    struct enrol *copy = copy_of(f->enrol, 4096);

    assert_true(enrol_hash(copy) == enrol_hash(f->enrol));
    enrol_destroy(f->enrol);
    f->enrol = copy;
    assert_true(enrol_open_import(f->enrol, 0, &open));
    assert_false(enrol_open_import(f->enrol, 1, &open));
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base),
                     OK);
    assert_string_equal(fixture_submit(f, "ann", "+NEW"), "REGISTERED x:NEW#1");
    assert_string_equal(fixture_submit(f, "ann", "+CS2"), "ERR_UNKNOWN_COURSE");
}

static void restore__of_damaged_bytes__is_refused(void **state)
{
    struct campus_fixture *f = *state;
    struct buf out;
    struct rng rng;
    int rc = SM_PENDING;

    (void)fixture_submit(f, "ann", "+CS1 +CS2");
    (void)fixture_submit(f, "bob", "~CS1");
    buf_init(&out, 1 << 20);
    rng_init(&rng, 42);
    assert_int_equal(enrol_snapshot_begin(f->enrol), OK);
    while (rc == SM_PENDING) {
        rc = enrol_snapshot_step(f->enrol, &out);
    }
    for (size_t len = 0; len < out.len; len += 11) { /* cut short anywhere */
        struct enrol *copy = fixture_empty();

        rc = enrol_restore_chunk(copy, slice_sub(buf_slice(&out), 0, len));
        assert_true(rc != OK || enrol_restore_end(copy) == ERR_DAMAGED);
        enrol_destroy(copy);
    }
    for (int i = 0; i < 3000; i++) { /* one byte wrong: an error or a state, never a crash */
        struct enrol *copy = fixture_empty();
        size_t at = (size_t)rng_below(&rng, out.len);
        uint8_t old = out.data[at];

        out.data[at] = (uint8_t)rng_next(&rng);
        rc = enrol_restore_chunk(copy, buf_slice(&out));
        rc = rc == OK ? enrol_restore_end(copy) : rc;
        assert_true(rc == OK || rc == ERR_DAMAGED || rc == ERR_VERSION);
        out.data[at] = old;
        enrol_destroy(copy);
    }
    buf_fini(&out);
}

static void admit__memory_used_up__is_full_and_writes_nothing(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_config config = {.memory_bytes_max = 16 << 10, .group = 1};

    enrol_destroy(f->enrol);
    f->enrol = enrol_create(&config);
    f->index = 0;
    assert_int_equal(fixture_student(f, "ann", 1, ""), ERR_FULL);
    assert_int_equal(enrol_index(f->enrol), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(key__same_body__gives_the_first_answer_again),
        TEST(key__refused__stays_refused_though_a_seat_is_free_by_now),
        TEST(key__other_body__is_an_error),
        TEST(key__older_than_a_day__has_expired),
        TEST(key__malformed_or_ahead__is_refused),
        TEST(answers__after_a_day_and_an_hour__are_forgotten),
        TEST(outcome__of_own_key__is_known),
        TEST(snapshot__restored__is_the_same_state),
        TEST(snapshot__restored__is_read_at_the_same_place),
        TEST(snapshot__answers__survive_it),
        TEST(snapshot__while_things_change__is_the_state_at_its_begin),
        TEST(snapshot__with_an_open_import__keeps_what_is_staged),
        TEST(restore__of_damaged_bytes__is_refused),
        TEST(admit__memory_used_up__is_full_and_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
