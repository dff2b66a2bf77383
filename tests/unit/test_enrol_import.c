/* Imports: staged out of sight, visible at once, nobody dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "campus/name.h"
#include "tests/lib/campus_fixture.h"

enum {
    COURSES = CARILLON__IMPORT_KIND__IMPORT_COURSES,
    STUDENTS = CARILLON__IMPORT_KIND__IMPORT_STUDENTS
};

static int setup(void **state)
{
    static struct campus_fixture f;

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 1, ""), OK);
    assert_int_equal(fixture_simple(&f, "CS1", "A:2:01:600-660"), OK);
    assert_int_equal(fixture_simple(&f, "CS2", "A:2"), OK);
    assert_int_equal(fixture_simple(&f, "CS3", "A:2"), OK);
    return 0;
}

static Carillon__ImportCommitReply totals(struct campus_fixture *f)
{
    Carillon__ImportCommitReply *reply =
        carillon__import_commit_reply__unpack(NULL, f->result.reply.len, f->result.reply.data);

    assert_non_null(reply);
    Carillon__ImportCommitReply copy = *reply;

    carillon__import_commit_reply__free_unpacked(reply, NULL);
    return copy;
}

static int begin(struct campus_fixture *f, uint32_t kind, struct uuid *ret_id)
{
    Carillon__ImportBeginRequest request = CARILLON__IMPORT_BEGIN_REQUEST__INIT;

    *ret_id = fixture_key(f);
    request.kind = (Carillon__ImportKind)kind;
    request.institution = (char[]){"x"};
    request.term = kind == COURSES ? (char[]){"t"} : (char[]){""};
    request.import_id = (ProtobufCBinaryData){UUID_BYTES, ret_id->bytes};
    return fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &request.base);
}

/* A chunk with the courses named, each with one section, and the names to remove. */
static int chunk(struct campus_fixture *f, struct uuid *id, uint32_t sequence,
                 const char *codes, const char *removed)
{
    Carillon__ImportChunkRequest request = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    static Carillon__Course courses[16];
    Carillon__Course *list[16];
    char *gone[16];
    char copy[256];
    char copy_gone[256];
    char *rest = copy;
    char *rest_gone = copy_gone;

    request.import_id = (ProtobufCBinaryData){UUID_BYTES, id->bytes};
    request.sequence = sequence;
    request.courses = list;
    request.removed = gone;
    (void)snprintf(copy, sizeof copy, "%s", codes);
    (void)snprintf(copy_gone, sizeof copy_gone, "%s", removed);
    for (char *at = strsep(&rest, " "); at != NULL && at[0] != '\0'; at = strsep(&rest, " ")) {
        Carillon__Course *course = list[request.n_courses] = &courses[request.n_courses];

        carillon__course__init(course);
        course->code = at;
        request.n_courses++;
    }
    for (char *at = strsep(&rest_gone, " "); at != NULL && at[0] != '\0';
         at = strsep(&rest_gone, " ")) {
        gone[request.n_removed++] = at;
    }
    return fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &request.base);
}

static int commit(struct campus_fixture *f, struct uuid *id, uint32_t chunks, bool force)
{
    Carillon__ImportCommitRequest request = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    request.import_id = (ProtobufCBinaryData){UUID_BYTES, id->bytes};
    request.chunks = chunks;
    request.force = force;
    return fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &request.base);
}

static void import__staged__is_seen_at_the_commit_and_not_before(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 0, "NEW1 NEW2", ""), OK);
    assert_int_equal(chunk(f, &id, 1, "CS1", "CS3"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+NEW1"), "ERR_UNKNOWN_COURSE");
    assert_string_equal(fixture_check(f, "ann", "+CS1#A"), "REGISTERED x:CS1#A");
    assert_int_equal(commit(f, &id, 2, false), OK);
    Carillon__ImportCommitReply reply = totals(f);

    assert_int_equal(reply.added, 2);
    assert_int_equal(reply.changed, 1);
    assert_int_equal(reply.removed, 1);
    assert_int_equal(reply.withdrawn, 0);
    assert_int_equal(reply.total, 4);
    assert_string_equal(fixture_submit(f, "ann", "+NEW1"), "REGISTERED x:NEW1#1");
    assert_string_equal(fixture_submit(f, "ann", "+CS3"), "ERR_UNKNOWN_COURSE");
    assert_string_equal(fixture_submit(f, "ann", "+CS1#A"), "ERR_UNKNOWN_SECTION");
}

static void import__chunks__come_in_order_and_may_come_twice(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 1, "NEW1", ""), ERR_ARGUMENT);
    assert_int_equal(chunk(f, &id, 0, "NEW1", ""), OK);
    assert_int_equal(chunk(f, &id, 0, "NEW1", ""), OK);
    assert_int_equal(commit(f, &id, 2, false), ERR_ARGUMENT);
    assert_int_equal(commit(f, &id, 1, false), OK);
    assert_int_equal(totals(f).added, 1);
    assert_int_equal(commit(f, &id, 1, false), ERR_UNKNOWN_IMPORT);
}

static void import__bad_record__refuses_the_whole_chunk(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 0, "NEW1 NEW2 NEW1", "CS2"), ERR_EXISTS);
    assert_int_equal(enrol_effect_count(&f->result), 4); /* two staged, and taken back */
    assert_int_equal(chunk(f, &id, 0, "NEW1 \x01", ""), ERR_ARGUMENT);
    assert_int_equal(chunk(f, &id, 0, "NEW1", ""), OK);
    assert_int_equal(commit(f, &id, 1, false), OK);
    assert_int_equal(totals(f).total, 4);
}

static void import__removing_more_than_half__needs_force(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 0, "", "CS1 CS2 CS1 CS9"), OK);
    assert_int_equal(commit(f, &id, 1, false), ERR_SHRINK);
    assert_string_equal(fixture_check(f, "ann", "+CS1"), "REGISTERED x:CS1#A");
    assert_int_equal(commit(f, &id, 1, true), OK);
    assert_int_equal(totals(f).removed, 2);
    assert_int_equal(totals(f).total, 1);
}

static void import__course_with_students_gone__is_withdrawn_and_comes_back(void **state)
{
    struct campus_fixture *f = *state;

    (void)fixture_submit(f, "ann", "+CS1");
    assert_int_equal(fixture_remove(f, COURSES, "CS1", false), OK);
    assert_int_equal(totals(f).withdrawn, 1);
    assert_string_equal(fixture_schedule(f, "ann"), "CS1#A");
    assert_string_equal(fixture_submit(f, "ann", "-CS1"), "DROPPED x:CS1#A");
    assert_int_equal(fixture_simple(f, "CS1", "A:5"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS1"), "REGISTERED x:CS1#A");
}

static void import__capacity_of_the_file__gives_way_to_the_operators(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_cap(f, "CS1", 0), OK);
    assert_int_equal(fixture_simple(f, "CS1", "A:2"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS1"), "WAITLIST_AVAILABLE@0[0 of 0]");
    assert_int_equal(fixture_simple(f, "CS1", "A:3"), OK);
    assert_string_equal(fixture_submit(f, "ann", "+CS1"), "REGISTERED x:CS1#A");
}

static void import__more_seats_in_the_file__promotes(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_cap(f, "CS1", 0), OK);
    (void)fixture_submit(f, "ann", "~CS1");
    assert_int_equal(fixture_simple(f, "CS1", "A:3"), OK);
    assert_string_equal(fixture_notes(f), "promoted ann A");
}

static void import__newer_of_the_same_catalogue__drops_the_older(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid older;
    struct uuid newer;

    assert_int_equal(begin(f, COURSES, &older), OK);
    assert_int_equal(chunk(f, &older, 0, "NEW1", ""), OK);
    assert_int_equal(begin(f, COURSES, &newer), OK);
    assert_int_equal(enrol_effect_count(&f->result), 1);
    assert_int_equal(enrol_effect_at(&f->result, 0).kind, ENROL_DOCUMENT_REMOVED);
    assert_int_equal(chunk(f, &older, 1, "NEW2", ""), ERR_UNKNOWN_IMPORT);
    assert_int_equal(chunk(f, &newer, 0, "NEW1", ""), OK);
    assert_int_equal(commit(f, &newer, 1, false), OK);
}

static void import__aborted__leaves_nothing(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;
    Carillon__ImportAbortRequest request = CARILLON__IMPORT_ABORT_REQUEST__INIT;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 0, "NEW1 NEW2", "CS1"), OK);
    request.import_id = (ProtobufCBinaryData){UUID_BYTES, id.bytes};
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_ABORT, &request.base),
                     OK);
    assert_int_equal(enrol_effect_count(&f->result), 2);
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_ABORT, &request.base),
                     OK);
    assert_int_equal(chunk(f, &id, 1, "NEW3", ""), ERR_UNKNOWN_IMPORT);
    assert_string_equal(fixture_submit(f, "ann", "+CS1"), "REGISTERED x:CS1#A");
}

static void import__token_of_another_institution__is_refused(void **state)
{
    struct campus_fixture *f = *state;

    f->institution = "y";
    assert_int_equal(fixture_student(f, "ann", 1, ""), ERR_EXISTS);
    f->institution = "x";
}

static void import__documents__are_told_in_order(void **state)
{
    struct campus_fixture *f = *state;
    struct uuid id;
    struct campus_document_view view;
    uint32_t cursor = 0;
    uint32_t documents = 0;
    struct enrol_effect effect;

    assert_int_equal(begin(f, COURSES, &id), OK);
    assert_int_equal(chunk(f, &id, 0, "NEW1 CS1", ""), OK);
    assert_int_equal(enrol_effect_count(&f->result), 2);
    assert_int_equal(enrol_effect_at(&f->result, 0).kind, ENROL_DOCUMENT_STAGED);
    campus_document_view(enrol_campus(f->enrol), enrol_effect_at(&f->result, 0).document,
                         &view);
    assert_true(slice_is_equal(view.code, SLICE_LITERAL("NEW1")));
    assert_true(slice_is_equal(view.institution, SLICE_LITERAL("x")));
    assert_int_equal(view.section_count, 1);
    assert_int_equal(commit(f, &id, 1, false), OK);
    assert_int_equal(enrol_effect_count(&f->result), 3);
    assert_int_equal(enrol_effect_at(&f->result, 0).kind, ENROL_DOCUMENT_PUBLISHED);
    assert_int_equal(enrol_effect_at(&f->result, 1).kind, ENROL_DOCUMENT_REMOVED);
    assert_int_equal(enrol_effect_at(&f->result, 2).kind, ENROL_DOCUMENT_PUBLISHED);
    while (enrol_document_next(f->enrol, &cursor, &effect)) {
        assert_int_equal(effect.kind, ENROL_DOCUMENT_PUBLISHED);
        documents++;
    }
    assert_int_equal(documents, 4);
}

static int rule_status(struct campus_fixture *f, const char *rule)
{
    return fixture_course(f, "RULED", 300, rule, NULL);
}

static void import__unsound_rule__is_refused(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(rule_status(f, "&2 :CS1"), ERR_ARGUMENT);
    assert_int_equal(rule_status(f, ":CS1 :CS2"), ERR_ARGUMENT);
    assert_int_equal(rule_status(f, "%3/2 :CS1 :CS2"), ERR_ARGUMENT);
    assert_int_equal(rule_status(f, "|0"), ERR_ARGUMENT);
    assert_int_equal(rule_status(f, ":"), ERR_ARGUMENT);
    assert_int_equal(rule_status(f, "&2 |2 :CS1 L2 %1/2 :CS2* $100"), OK);
}

static void rule__of_every_kind__lists_what_fails(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(fixture_student(f, "gus", 2, "CS1=301 CS2=201 CS9=1"), OK);
    assert_int_equal(rule_status(f, "&3 |2 :CS7 :CS8 %2/3 :CS1 :CS9 :CS3 L3"), OK);
    assert_string_equal(fixture_check(f, "gus", "+RULED"),
                        "PREREQUISITE_UNMET@0/2[CS7] PREREQUISITE_UNMET@0/3[CS8] "
                        "PREREQUISITE_UNMET@0/6[CS9] PREREQUISITE_UNMET@0/7[CS3] "
                        "LEVEL_RESTRICTED@0/8[3]");
    assert_int_equal(rule_status(f, "|2 :CS7 L2"), OK);
    assert_string_equal(fixture_check(f, "gus", "+RULED"), "REGISTERED x:RULED#1");
    assert_int_equal(rule_status(f, "&2 :CS1>301 :CS2>301"), OK);
    assert_string_equal(fixture_check(f, "gus", "+RULED"), "PREREQUISITE_UNMET@0/2[CS2]");
    assert_int_equal(rule_status(f, "$601"), OK); /* two passed courses of three credits each */
    assert_string_equal(fixture_check(f, "gus", "+RULED"), "CREDITS_UNMET@0[6.01]");
    assert_int_equal(rule_status(f, "$600"), OK);
    assert_string_equal(fixture_check(f, "gus", "+RULED"), "REGISTERED x:RULED#1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(import__staged__is_seen_at_the_commit_and_not_before),
        TEST(import__chunks__come_in_order_and_may_come_twice),
        TEST(import__bad_record__refuses_the_whole_chunk),
        TEST(import__removing_more_than_half__needs_force),
        TEST(import__course_with_students_gone__is_withdrawn_and_comes_back),
        TEST(import__capacity_of_the_file__gives_way_to_the_operators),
        TEST(import__more_seats_in_the_file__promotes),
        TEST(import__newer_of_the_same_catalogue__drops_the_older),
        TEST(import__aborted__leaves_nothing),
        TEST(import__token_of_another_institution__is_refused),
        TEST(import__documents__are_told_in_order),
        TEST(import__unsound_rule__is_refused),
        TEST(rule__of_every_kind__lists_what_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
