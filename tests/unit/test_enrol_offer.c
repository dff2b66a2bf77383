/* A seat that is offered to a student of another shard, and what becomes of it: the entries of
 * the section's shard alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "campus/shard.h"
#include "enrol/across_entry.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "tests/lib/campus_fixture.h"

enum { SHARDS = 2, MESSAGE_BYTES = 4096 };

static const char course[] = "HOT";

static uint32_t shard_of(const char *name)
{
    return campus_shard_of(slice_from_text(name), SHARDS);
}

/* One who is at home in the other shard. */
static struct slice student_elsewhere(void)
{
    static const char *const tokens[] = {"ann", "bob", "cid", "dot",
                                         "eve", "fay", "gus", "hal"};
    size_t at = 0;

    while (shard_of(tokens[at]) == shard_of(course)) {
        at++;
        assert_true(at < sizeof tokens / sizeof tokens[0]);
    }
    return slice_from_text(tokens[at]);
}

static int setup(void **state)
{
    static struct campus_fixture f;
    struct enrol_config config = {
        .memory_bytes_max = 1ULL << 30, .group = shard_of(course) + 1, .shards = SHARDS};

    fixture_init(&f);
    enrol_destroy(f.enrol);
    f.enrol = enrol_create(&config);
    *state = &f;
    assert_int_equal(fixture_simple(&f, course, "A:0:01:600-660"), OK);
    f.is_admitting = false; /* what other shards say is looked at elsewhere (across.h) */
    return 0;
}

static const struct campus_section *section(struct campus_fixture *f)
{
    struct campus_name name = {.code = slice_from_text(course)};
    uint32_t number = CAMPUS_NONE;

    assert_int_equal(enrol__find_section(f->enrol, &name, &number, &f->text), OK);
    return campus_section(&f->enrol->campus, number);
}

static struct across_head head_of(uint32_t kind, uint64_t counter)
{
    return (struct across_head){
        .kind = kind,
        .id = {.home = 1 - shard_of(course), .term = 1, .counter = counter},
        .token = student_elsewhere(),
    };
}

/* The student's home asks for the course: for a place too, or claiming the offer of a number.
 */
static void reserve(struct campus_fixture *f, uint64_t counter, bool waitlist, uint64_t claim)
{
    static struct across_reserve asked;
    struct across_head head = head_of(ACROSS_RESERVE, counter);
    struct buf body;

    asked = (struct across_reserve){
        .left_ms = 5000,
        .institution = SLICE_LITERAL("x"),
        .name = SLICE_LITERAL("somebody"),
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_ADD,
                 .waitlist = waitlist,
                 .claim = claim,
                 .name = {.code = slice_from_text(course)}}},
    };
    buf_init(&body, MESSAGE_BYTES);
    across_put_head(&body, &head);
    across_put_reserve(&body, &asked);
    assert_int_equal(fixture_apply(f, ENROL_ENTRY_RESERVE, buf_slice(&body)), OK);
    assert_int_equal(f->enrol->across.hold_count, 1);
    buf_fini(&body);
}

static void settle(struct campus_fixture *f, uint64_t counter, uint32_t verdict)
{
    struct across_head head = head_of(ACROSS_SETTLE, counter);
    struct buf body;

    buf_init(&body, MESSAGE_BYTES);
    across_put_head(&body, &head);
    across_put_number(&body, verdict);
    assert_int_equal(fixture_apply(f, ENROL_ENTRY_SETTLE, buf_slice(&body)), OK);
    assert_int_equal(f->enrol->across.hold_count, 0);
    buf_fini(&body);
}

/* Waits, and is offered the seat that there is then. Returns: the offer's number. */
static uint64_t offer(struct campus_fixture *f)
{
    reserve(f, 1, true, 0);
    settle(f, 1, ACROSS_CONFIRM);
    assert_int_equal(section(f)->waiting, 1);
    assert_int_equal(fixture_cap(f, course, 1), OK);
    assert_int_equal(section(f)->offered, 1);
    return f->index;
}

/* The seat was kept for him before the limit went below it: it is excused until he decides. */
static void claim__after_the_limit_was_lowered__leaves_the_seat_excused(void **state)
{
    struct campus_fixture *f = *state;
    uint64_t number = offer(f);

    assert_int_equal(fixture_cap(f, course, 0), OK);
    assert_int_equal(section(f)->excused, 1);
    reserve(f, 2, false, number);
    assert_int_equal(section(f)->offered, 0);
    assert_int_equal(section(f)->held, 1);
    assert_int_equal(section(f)->excused, 1);
    assert_string_equal(fixture_verify(f), "");
    settle(f, 2, ACROSS_CONFIRM);
    assert_int_equal(section(f)->enrolled, 1);
    assert_int_equal(section(f)->waiting, 0);
}

/* Given back, it is above the limit, and nobody's any more. */
static void claim__after_the_limit_was_lowered__given_up__excuses_no_more(void **state)
{
    struct campus_fixture *f = *state;
    uint64_t number = offer(f);

    assert_int_equal(fixture_cap(f, course, 0), OK);
    reserve(f, 2, false, number);
    settle(f, 2, ACROSS_RELEASE);
    assert_int_equal(section(f)->excused, 0);
    assert_int_equal(section(f)->offered, 0);
    assert_int_equal(section(f)->waiting, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            claim__after_the_limit_was_lowered__leaves_the_seat_excused, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            claim__after_the_limit_was_lowered__given_up__excuses_no_more, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
