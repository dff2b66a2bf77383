/* What a student's home decides with what another shard has said: the entries of both, without
 * leaders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "campus/shard.h"
#include "enrol/across_entry.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "tests/lib/campus_fixture.h"
#include "wire/message.h"

enum { SHARDS = 2, HOME = 0, ELSEWHERE = 1, BODY_BYTES = 8192 };

static struct campus_fixture shards[SHARDS];

/* A name that lies in the shard. */
static const char *name_in(uint32_t shard, const char *const *names)
{
    while (*names != NULL && campus_shard_of(slice_from_text(*names), SHARDS) != shard) {
        names++;
    }
    assert_non_null(*names);
    return *names;
}

static const char *student(void)
{
    static const char *const names[] = {"ann", "bob", "cid", "dot", "eve", "fay", "gus", NULL};

    return name_in(HOME, names);
}

static const char *course_in(uint32_t shard)
{
    static const char *const names[] = {"C0", "C1", "C2", "C3", "C4", "C5", "C6", "C7", NULL};

    return name_in(shard, names);
}

static int setup(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct enrol_config config = {
            .memory_bytes_max = 1ULL << 30, .group = i + 1, .shards = SHARDS};

        fixture_init(&shards[i]);
        enrol_destroy(shards[i].enrol);
        shards[i].enrol = enrol_create(&config);
        assert_int_equal(fixture_simple(&shards[i], course_in(i), "A:9:01:600-660"), OK);
    }
    assert_int_equal(fixture_student(&shards[HOME], student(), 1, ""), OK);
    for (uint32_t i = 0; i < SHARDS; i++) {
        shards[i].is_admitting = false; /* what leaders propose is looked at elsewhere */
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SHARDS; i++) {
        assert_string_equal(fixture_verify(&shards[i]), "");
        fixture_fini(&shards[i]);
    }
    return 0;
}

static struct across_head head_of(uint64_t counter)
{
    return (struct across_head){
        .kind = ACROSS_RESERVE,
        .id = {.home = HOME, .term = 1, .counter = counter},
        .token = slice_from_text(student()),
    };
}

/* The seat elsewhere is held; the answer is in that shard's result. */
static void reserve(uint64_t counter)
{
    static struct across_reserve asked;
    struct across_head head = head_of(counter);
    struct buf body;

    asked = (struct across_reserve){
        .left_ms = 5000,
        .institution = SLICE_LITERAL("x"),
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_ADD,
                 .name = {.code = slice_from_text(course_in(ELSEWHERE))}}},
    };
    buf_init(&body, BODY_BYTES);
    across_put_head(&body, &head);
    across_put_reserve(&body, &asked);
    assert_int_equal(fixture_apply(&shards[ELSEWHERE], ENROL_ENTRY_RESERVE, buf_slice(&body)),
                     OK);
    assert_int_equal(shards[ELSEWHERE].enrol->across.hold_count, 1);
    buf_fini(&body);
}

static uint32_t version(void)
{
    const struct campus *campus = &shards[HOME].enrol->campus;

    return campus_student(campus, campus_student_find(campus, slice_from_text(student())))
        ->version;
}

/* By what the other shard said last, for the student as he was in a version. */
static int decide(uint64_t counter, uint32_t for_version)
{
    static struct across_decide decision;
    Carillon__SubmitRequest message = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *list[] = {&op};
    struct buf request;
    struct buf body;

    message.student = wire_text(student());
    message.ops = list;
    message.n_ops = 1;
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = wire_text(course_in(ELSEWHERE));
    buf_init(&request, BODY_BYTES);
    buf_init(&body, BODY_BYTES);
    assert_int_equal(wire_pack(&message.base, &request), OK);
    decision = (struct across_decide){
        .id = head_of(counter).id,
        .version = for_version,
        .request = buf_slice(&request),
        .reply_count = 1,
        .replies = {{ELSEWHERE, buf_slice(&shards[ELSEWHERE].result.reply)}},
    };
    across_put_decide(&body, &decision);
    int rc = fixture_apply(&shards[HOME], ENROL_ENTRY_DECIDE, buf_slice(&body));

    buf_fini(&request);
    buf_fini(&body);
    return rc;
}

static uint64_t registrations(void)
{
    return shards[HOME].enrol->campus.registration_count;
}

static void decision__for_the_student_as_he_is__registers(void **state)
{
    (void)state;
    reserve(1);
    assert_int_equal(decide(1, version()), OK);
    assert_false(shards[HOME].result.is_undecided);
    assert_int_equal(registrations(), 1);
    assert_int_equal(shards[HOME].enrol->across.todo_count, 1);
}

/* What the other shard was told of him, and judged by, is not so any more. */
static void decision__for_the_student_as_he_was__is_none(void **state)
{
    uint32_t before;

    (void)state;
    reserve(1);
    before = version();
    assert_int_equal(fixture_block(&shards[HOME], student(), "fees", false), OK);
    assert_int_equal(fixture_block(&shards[HOME], student(), "fees", true), OK);
    assert_int_not_equal(version(), before);
    assert_int_equal(decide(1, before), ERR_BUSY);
    assert_true(shards[HOME].result.is_undecided);
    assert_int_equal(registrations(), 0);
    assert_int_equal(shards[HOME].enrol->across.todo_count, 0);
    reserve(2); /* from the top */
    assert_int_equal(decide(2, version()), OK);
    assert_int_equal(registrations(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(decision__for_the_student_as_he_is__registers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(decision__for_the_student_as_he_was__is_none, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
