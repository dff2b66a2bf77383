/* Reads: schedules, rosters by page, courses, catalogues, exports, and what search asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "campus/name.h"
#include "proto/operator.pb-c.h"
#include "proto/search.pb-c.h"
#include "tests/lib/campus_fixture.h"

static int setup(void **state)
{
    static struct campus_fixture f;
    static const char *const two[] = {"A:2:05:600-660", "B:-:0a:700-760", NULL};

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 2, "CS0=301 CS9"), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    assert_int_equal(fixture_course(&f, "CS0", 200, NULL, NULL), OK);
    assert_int_equal(fixture_course(&f, "CS1", 400, "&2 :CS0 |2 :NOPE L2", two), OK);
    assert_int_equal(fixture_simple(&f, "CS2", "A:1:01:630-690"), OK);
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(*state);
    return 0;
}

static void schedule__shows_times_credits_blocks_and_permits(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

    (void)fixture_submit(f, "ann", "+CS1#B");
    assert_int_equal(fixture_block(f, "ann", "fees", false), OK);
    assert_int_equal(fixture_permit(f, "ann", "CS2", 5), OK);
    assert_int_equal(fixture_limits(f, 6, 1800, 0), OK);
    request.student = (char[]){"ann"};
    request.term = (char[]){"t"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_SCHEDULE, &request.base), OK);
    Carillon__ScheduleReply *reply =
        carillon__schedule_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_int_equal(reply->n_items, 1);
    assert_int_equal(reply->items[0]->n_meeting_days, 1);
    assert_int_equal(reply->items[0]->meeting_days[0], 0x0a);
    assert_int_equal(reply->items[0]->meeting_start_min[0], 700);
    assert_int_equal(reply->items[0]->credits_hundredths, 400);
    assert_int_equal(reply->items[0]->since_ms, f->wall_ms);
    assert_int_equal(reply->credits_hundredths, 400);
    assert_int_equal(reply->courses_max, 6);
    assert_int_equal(reply->credits_max_hundredths, 1800);
    assert_string_equal(reply->blocks[0]->reason, "fees");
    assert_string_equal(reply->blocks[0]->by, "reg");
    assert_int_equal(reply->permits[0]->kinds, 5);
    assert_int_equal(reply->as_of->index, f->index);
    carillon__schedule_reply__free_unpacked(reply, NULL);
    request.term = (char[]){"other"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_SCHEDULE, &request.base), OK);
    reply = carillon__schedule_reply__unpack(NULL, f->reply.len, f->reply.data);
    assert_int_equal(reply->n_items, 0);
    carillon__schedule_reply__free_unpacked(reply, NULL);
}

static void roster__by_pages__shows_each_student_once_in_order(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    char cursor[64] = "";
    char token[8];
    uint32_t seen = 0;

    for (uint32_t i = 0; i < 25; i++) {
        (void)snprintf(token, sizeof token, "s%02u", i);
        assert_int_equal(fixture_student(f, token, 1, "CS0"), OK);
        assert_int_equal(fixture_permit(f, token, "CS1#B", 2), OK);
        assert_string_equal(fixture_submit(f, token, "+CS1#B"), "REGISTERED x:CS1#B");
    }
    request.section = fixture_name("CS1#B");
    request.limit = 10;
    request.cursor = cursor;
    do {
        assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_ROSTER, &request.base), OK);
        Carillon__RosterReply *reply =
            carillon__roster_reply__unpack(NULL, f->reply.len, f->reply.data);

        assert_int_equal(reply->enrolled, 25);
        for (size_t i = 0; i < reply->n_students; i++) {
            (void)snprintf(token, sizeof token, "s%02u", seen++);
            assert_string_equal(reply->students[i]->token, token);
        }
        (void)snprintf(cursor, sizeof cursor, "%s", reply->next_cursor);
        carillon__roster_reply__free_unpacked(reply, NULL);
    } while (cursor[0] != '\0');
    assert_int_equal(seen, 25);
    request.cursor = (char[]){"x"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_ROSTER, &request.base),
                     ERR_ARGUMENT);
    request.cursor = (char[]){""};
    request.limit = 1001;
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_ROSTER, &request.base),
                     ERR_ARGUMENT);
}

static void show__with_a_student__ticks_the_rule(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__ShowRequest request = CARILLON__SHOW_REQUEST__INIT;

    request.code = (char[]){"CS1"};
    request.student = (char[]){"ann"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_SHOW, &request.base), OK);
    Carillon__ShowReply *reply =
        carillon__show_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_string_equal(reply->course->institution, "x");
    assert_string_equal(reply->course->term, "t");
    assert_int_equal(reply->n_sections, 2);
    assert_true(reply->sections[0]->capacity_known);
    assert_false(reply->sections[1]->capacity_known);
    assert_int_equal(reply->sections[0]->n_meetings, 1);
    assert_int_equal(reply->n_ticks, 5);
    assert_true(reply->ticks[0]->met && reply->ticks[1]->met && reply->ticks[2]->met);
    assert_false(reply->ticks[3]->met);
    assert_true(reply->ticks[4]->met);
    assert_int_equal(reply->n_unknown_codes, 1);
    assert_string_equal(reply->unknown_codes[0], "NOPE");
    carillon__show_reply__free_unpacked(reply, NULL);
    request.code = (char[]){"CS0"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_SHOW, &request.base), OK);
    reply = carillon__show_reply__unpack(NULL, f->reply.len, f->reply.data);
    assert_int_equal(reply->n_unlocks, 1);
    assert_string_equal(reply->unlocks[0], "CS1");
    carillon__show_reply__free_unpacked(reply, NULL);
    request.code = (char[]){"CS8"};
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_SHOW, &request.base),
                     ERR_UNKNOWN_COURSE);
}

static void catalogues__count_what_is_offered(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__CataloguesRequest request = CARILLON__CATALOGUES_REQUEST__INIT;

    assert_int_equal(fixture_cap(f, "CS2", 7), OK);
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_CATALOGUES, &request.base), OK);
    Carillon__CataloguesReply *reply =
        carillon__catalogues_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_int_equal(reply->n_items, 1);
    assert_int_equal(reply->items[0]->courses, 3);
    assert_int_equal(reply->items[0]->sections, 4);
    assert_int_equal(reply->items[0]->seats, 9);
    assert_int_equal(reply->items[0]->courses_without_sections, 1);
    assert_int_equal(reply->items[0]->sections_without_limit, 2);
    assert_int_equal(reply->students, 2);
    carillon__catalogues_reply__free_unpacked(reply, NULL);
    assert_int_equal(fixture_remove(f, CARILLON__IMPORT_KIND__IMPORT_COURSES, "CS2", true), OK);
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_CATALOGUES, &request.base), OK);
    reply = carillon__catalogues_reply__unpack(NULL, f->reply.len, f->reply.data);
    assert_int_equal(reply->items[0]->courses, 2);
    assert_int_equal(reply->items[0]->seats, 2);
    carillon__catalogues_reply__free_unpacked(reply, NULL);
}

static size_t export_rows(struct campus_fixture *f, uint32_t kind, char *said, size_t size)
{
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    char cursor[32] = "";
    size_t rows = 0;

    said[0] = '\0';
    request.kind = (Carillon__ExportKind)kind;
    request.limit = 1;
    request.cursor = cursor;
    do {
        assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_EXPORT, &request.base), OK);
        Carillon__ExportReply *reply =
            carillon__export_reply__unpack(NULL, f->reply.len, f->reply.data);

        for (size_t i = 0; i < reply->n_rows; i++) {
            size_t len = strlen(said);

            (void)snprintf(said + len, size - len, "%s %s#%s/%u,", reply->rows[i]->student,
                           reply->rows[i]->code, reply->rows[i]->section,
                           reply->rows[i]->place);
        }
        for (size_t i = 0; i < reply->n_courses; i++) {
            size_t len = strlen(said);

            (void)snprintf(said + len, size - len, "%s,", reply->courses[i]->code);
        }
        for (size_t i = 0; i < reply->n_students; i++) {
            size_t len = strlen(said);

            (void)snprintf(said + len, size - len, "%s %zu,", reply->students[i]->token,
                           reply->students[i]->n_taken);
        }
        rows += reply->n_rows + reply->n_courses + reply->n_students;
        (void)snprintf(cursor, sizeof cursor, "%s", reply->next_cursor);
        carillon__export_reply__free_unpacked(reply, NULL);
    } while (cursor[0] != '\0');
    return rows;
}

static void export__of_each_kind__gives_everything_once(void **state)
{
    struct campus_fixture *f = *state;
    char said[256];

    assert_string_equal(fixture_submit(f, "ann", "+CS1#B +CS2"),
                        "REGISTERED x:CS1#B REGISTERED x:CS2#A");
    assert_string_equal(fixture_submit(f, "bob", "~CS2 +CS0"),
                        "WAITLISTED x:CS2#A/1 REGISTERED x:CS0#1");
    assert_int_equal(
        export_rows(f, CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS, said, sizeof said), 3);
    assert_string_equal(said, "ann CS1#B/0,ann CS2#A/0,bob CS0#1/0,");
    assert_int_equal(export_rows(f, CARILLON__EXPORT_KIND__EXPORT_WAITLISTS, said, sizeof said),
                     1);
    assert_string_equal(said, "bob CS2#A/1,");
    assert_int_equal(export_rows(f, CARILLON__EXPORT_KIND__EXPORT_COURSES, said, sizeof said),
                     3);
    assert_string_equal(said, "CS0,CS1,CS2,");
    assert_int_equal(export_rows(f, CARILLON__EXPORT_KIND__EXPORT_STUDENTS, said, sizeof said),
                     2);
    assert_string_equal(said, "ann 2,bob 0,");
}

static void hashes__of_a_catalogue__are_the_importers(void **state)
{
    struct campus_fixture *f = *state;
    Carillon__ImportHashesRequest request = CARILLON__IMPORT_HASHES_REQUEST__INIT;

    request.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = (char[]){"x"};
    request.term = (char[]){"t"};
    request.limit = 2;
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_IMPORT_HASHES, &request.base),
                     OK);
    Carillon__ImportHashesReply *reply =
        carillon__import_hashes_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_int_equal(reply->n_names, 2);
    assert_int_equal(reply->n_hashes, 2);
    assert_string_equal(reply->names[0], "CS0");
    assert_string_not_equal(reply->next_cursor, "");
    carillon__import_hashes_reply__free_unpacked(reply, NULL);
    request.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    assert_int_equal(fixture_read(f, CARILLON__METHOD__METHOD_IMPORT_HASHES, &request.base),
                     OK);
    reply = carillon__import_hashes_reply__unpack(NULL, f->reply.len, f->reply.data);
    assert_int_equal(reply->n_names, 2);
    assert_string_equal(reply->next_cursor, "");
    carillon__import_hashes_reply__free_unpacked(reply, NULL);
}

static uint32_t document_of(struct campus_fixture *f, const char *code)
{
    struct campus_name name = {.code = slice_from_text(code)};
    uint32_t course = 0;

    assert_int_equal(campus_resolve_course(enrol_campus(f->enrol), &name, &course), OK);
    return campus_course(enrol_campus(f->enrol), course)->document;
}

static void filters__follow_seats_times_and_rules(void **state)
{
    struct campus_fixture *f = *state;
    uint32_t ann = 0;
    uint32_t bob = 0;

    assert_int_equal(enrol_student_find(f->enrol, SLICE_LITERAL("ann"), &ann), OK);
    assert_int_equal(enrol_student_find(f->enrol, SLICE_LITERAL("bob"), &bob), OK);
    assert_true(enrol_document_open(f->enrol, document_of(f, "CS2")));
    assert_true(enrol_document_fits(f->enrol, document_of(f, "CS2"), (struct enrol_seeker){f->enrol, bob}));
    assert_true(enrol_document_eligible(f->enrol, document_of(f, "CS1"), (struct enrol_seeker){f->enrol, ann}));
    assert_false(enrol_document_eligible(f->enrol, document_of(f, "CS1"), (struct enrol_seeker){f->enrol, bob}));
    assert_false(enrol_document_eligible(f->enrol, document_of(f, "CS0"), (struct enrol_seeker){f->enrol, ann}));
    assert_string_equal(fixture_submit(f, "ann", "+CS1#A"), "REGISTERED x:CS1#A");
    assert_string_equal(fixture_submit(f, "bob", "+CS2"), "REGISTERED x:CS2#A");
    assert_false(enrol_document_open(f->enrol, document_of(f, "CS2")));
    assert_false(enrol_document_fits(f->enrol, document_of(f, "CS2"), (struct enrol_seeker){f->enrol, ann}));
    assert_true(
        enrol_document_fits(f->enrol, document_of(f, "CS1"), (struct enrol_seeker){f->enrol, bob})); /* its other section */
    assert_false(enrol_document_eligible(f->enrol, document_of(f, "CS2"), (struct enrol_seeker){f->enrol, bob}));
}

static void view__of_a_document__reads_the_instructors(void **state)
{
    struct campus_fixture *f = *state;
    struct campus_document_view view;
    struct slice name;
    size_t at = 0;

    campus_document_view(enrol_campus(f->enrol), document_of(f, "CS1"), &view);
    assert_true(slice_is_equal(view.title, SLICE_LITERAL("CS1")));
    assert_int_equal(campus_document_days(enrol_campus(f->enrol), document_of(f, "CS1"), 0),
                     0x05);
    assert_int_equal(view.section_count, 2);
    assert_int_equal(campus_document_days(enrol_campus(f->enrol), document_of(f, "CS1"), 1),
                     0x0a);
    assert_true(view.credits_known);
    assert_false(campus_view_instructor(&view, &at, &name));
}

static void read__of_nonsense__is_an_error(void **state)
{
    struct campus_fixture *f = *state;

    assert_int_equal(enrol_read(f->enrol, CARILLON__METHOD__METHOD_SUBMIT, SLICE_NONE, 1,
                                &f->reply, &f->text),
                     ERR_METHOD);
    assert_int_equal(enrol_read(f->enrol, 4000000000U, SLICE_NONE, 1, &f->reply, &f->text),
                     ERR_METHOD);
    assert_int_equal(enrol_read(f->enrol, CARILLON__METHOD__METHOD_SHOW, SLICE_LITERAL("\xff"),
                                1, &f->reply, &f->text),
                     ERR_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(schedule__shows_times_credits_blocks_and_permits),
        TEST(roster__by_pages__shows_each_student_once_in_order),
        TEST(show__with_a_student__ticks_the_rule),
        TEST(catalogues__count_what_is_offered),
        TEST(export__of_each_kind__gives_everything_once),
        TEST(hashes__of_a_catalogue__are_the_importers),
        TEST(filters__follow_seats_times_and_rules),
        TEST(view__of_a_document__reads_the_instructors),
        TEST(read__of_nonsense__is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
