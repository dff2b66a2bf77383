/* A walk ends at the student and the section that resolving finds, and reads nothing wrong on
 * the way: whatever it is given, it only ever asks for memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "campus/prefetch.h"
#include "enrol/across_entry.h"
#include "enrol/across_message.h"
#include "enrol/prefetch.h"
#include "proto/envelope.pb-c.h"
#include "tests/lib/campus_fixture.h"

static struct campus_walk walk(struct campus_fixture *f, const char *student, const char *code,
                               const char *section)
{
    struct campus_walk walk = {
        .token = slice_from_text(student),
        .name = {slice_from_text("x"), slice_from_text(code), slice_from_text(section),
                 SLICE_NONE},
    };

    for (unsigned step = 0; step < CAMPUS_WALK_STEPS; step++) {
        campus_walk_step(enrol_campus(f->enrol), &walk, 1, step);
    }
    return walk;
}

static void walk__of_a_name__ends_where_resolving_does(void **state)
{
    static const char *const sections[] = {"A:2:05:600-660", "B:2:0a:600-660", NULL};
    struct campus_fixture f;
    uint32_t student, section;

    (void)state;
    fixture_init(&f);
    f.institution = "x";
    assert_int_equal(fixture_course(&f, "CS1", 400, NULL, sections), OK);
    assert_int_equal(fixture_course(&f, "CS2", 400, ":CS1", sections), OK);
    assert_int_equal(fixture_student(&f, "ann", 1, "CS1"), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    (void)fixture_submit(&f, "ann", "+CS2#A");

    struct campus_walk found = walk(&f, "ann", "CS2", "B");
    assert_int_equal(enrol_student_find(f.enrol, found.token, &student), OK);
    assert_int_equal(campus_resolve_section(enrol_campus(f.enrol), &found.name, &section), OK);
    assert_int_equal(found.student, student);
    assert_int_equal(found.section, section);
    found = walk(&f, "bob", "CS1", "");
    assert_int_not_equal(found.section, CAMPUS_NONE);
    found = walk(&f, "nobody", "CS1", "Z");
    assert_int_equal(found.student, CAMPUS_NONE);
    assert_int_equal(found.section, CAMPUS_NONE);
    found = walk(&f, "", "none", "");
    assert_int_equal(found.course, CAMPUS_NONE);
    fixture_fini(&f);
}

static void enrol_prefetch__of_anything__changes_nothing(void **state)
{
    static const uint8_t key[16] = {1, 2, 3};
    struct enrol_ahead ahead[ENROL_PREFETCH_MAX];
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[20];
    uint8_t body[1024];
    struct campus_fixture f;

    (void)state;
    fixture_init(&f);
    assert_int_equal(fixture_simple(&f, "CS1", "A:2:05:600-660"), OK);
    assert_int_equal(fixture_student(&f, "ann", 1, ""), OK);
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = "CS1";
    for (size_t i = 0; i < 20; i++) {
        ops[i] = &op; /* more than a request may have, and than walks there are */
    }
    request.student = "ann";
    request.n_ops = 20;
    request.ops = ops;
    size_t len = carillon__submit_request__pack(&request, body);

    for (size_t i = 0; i < ENROL_PREFETCH_MAX; i++) {
        ahead[i] = (struct enrol_ahead){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                        .key = slice_from(key, i % 17),
                                        .body = slice_from(body, len - i % 7)};
    }
    uint64_t before = enrol_hash(f.enrol);
    enrol_prefetch(f.enrol, ahead, ENROL_PREFETCH_MAX);
    enrol_prefetch(f.enrol, ahead, 0);
    for (uint32_t i = 0; i < 4; i++) { /* what is there, what is not, and nothing at all */
        const struct enrol_hint hint = {i < 3 ? i : CAMPUS_NONE, i < 3 ? 2 * i : CAMPUS_NONE};

        enrol_prefetch_hint(f.enrol, hint, ENROL_AHEAD_OBJECTS);
        enrol_prefetch_hint(f.enrol, hint, ENROL_AHEAD_LISTS);
    }
    assert_true(enrol_hash(f.enrol) == before);
    assert_int_equal(ahead[0].hint.student, 0);
    assert_int_equal(ahead[0].hint.section, 0);
    assert_int_equal(ahead[1].hint.section, CAMPUS_NONE); /* a body that is cut off */
    fixture_fini(&f);
}

/* Every section is tried for every name: true for the one that resolving finds, if any. */
static void section_is_named__of_any_pair__never_disagrees_with_resolving(void **state)
{
    static const char *const names[][4] = {
        {"x", "CS1", "A", "" },
        {"x", "CS1", "B", "" },
        {"x", "CS2", "A", "" },
        {"x", "CS1", "",  "" },
        {"",  "CS1", "A", "" },
        {"y", "CS1", "A", "" },
        {"x", "CS1", "A", "t"},
        {"x", "CS1", "A", "u"},
        {"x", "CS3", "A", "u"},
        {"x", "CS3", "A", "" },
        {"y", "CS3", "A", "" },
        {"y", "CS3", "A", "u"},
    };
    static const char *const sections[] = {"A:2:05:600-660", "B:2:0a:600-660", NULL};
    struct campus_fixture f;
    uint32_t confirmed = 0;

    (void)state;
    fixture_init(&f);
    f.institution = "x";
    f.term = "t";
    assert_int_equal(fixture_course(&f, "CS1", 400, NULL, sections), OK);
    assert_int_equal(fixture_course(&f, "CS2", 400, NULL, sections), OK);
    assert_int_equal(fixture_course(&f, "CS3", 400, NULL, sections), OK);
    f.term = "u";
    assert_int_equal(fixture_course(&f, "CS3", 400, NULL, sections), OK);
    f.institution = "y";
    assert_int_equal(fixture_course(&f, "CS3", 400, NULL, sections), OK);
    const struct campus *campus = enrol_campus(f.enrol);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct campus_name name = {
            slice_from_text(names[i][0]), slice_from_text(names[i][1]),
            slice_from_text(names[i][2]), slice_from_text(names[i][3])};
        uint32_t found = CAMPUS_NONE;
        int rc = campus_resolve_section(campus, &name, &found);

        for (uint32_t section = 0; section <= campus->sections.count; section++) {
            if (campus_section_is_named(campus, section, &name)) {
                assert_int_equal(rc, OK);
                assert_int_equal(section, found);
                confirmed++;
            }
        }
        assert_false(campus_section_is_named(campus, CAMPUS_NONE, &name));
    }
    assert_int_equal(confirmed, 6); /* the full names of what exists in one term only */
    fixture_fini(&f);
}

static void put_entry(uint32_t method, struct slice request, struct buf *out)
{
    static struct across_reserve reserve;
    const struct across_head head = {
        .kind = method == ENROL_ENTRY_SETTLE ? ACROSS_SETTLE : ACROSS_RESERVE,
        .id = {1, 1, 1},
        .token = SLICE_LITERAL("ann")
    };
    const struct across_decide decide = {.id = head.id, .request = request};

    buf_clear(out);
    if (method == ENROL_ENTRY_DECIDE) {
        across_put_decide(out, &decide);
        return;
    }
    across_put_head(out, &head);
    if (method == ENROL_ENTRY_SETTLE) {
        across_put_number(out, ACROSS_CONFIRM);
        return;
    }
    reserve = (struct across_reserve){
        .institution = SLICE_LITERAL("x"),
        .op_count = 1,
        .ops = {{.kind = CARILLON__OP_KIND__OP_ADD, .name = {.code = SLICE_LITERAL("CS1")}}}
    };
    across_put_reserve(out, &reserve);
}

/* Whole, and cut off anywhere. */
static void enrol_prefetch__of_entries_between_shards__changes_nothing(void **state)
{
    static const uint32_t methods[] = {ENROL_ENTRY_RESERVE, ENROL_ENTRY_DECIDE,
                                       ENROL_ENTRY_SETTLE};
    static const uint8_t request[] = "\x0a\x03" "ann";
    struct campus_fixture f;
    struct buf body;
    (void)state;

    fixture_init(&f);
    buf_init(&body, 4096);
    assert_int_equal(fixture_simple(&f, "CS1", "A:2:05:600-660"), OK);
    assert_int_equal(fixture_student(&f, "ann", 1, ""), OK);
    uint64_t before = enrol_hash(f.enrol);
    assert_false(enrol_is_prefetched(ENROL_ENTRY_FACT));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        assert_true(enrol_is_prefetched(methods[i]));
        put_entry(methods[i], slice_from(request, sizeof request - 1), &body);
        for (size_t len = 0; len <= body.len; len++) {
            struct enrol_ahead ahead = {.method = methods[i],
                                        .body = slice_sub(buf_slice(&body), 0, len)};

            enrol_prefetch(f.enrol, &ahead, 1);
            assert_int_equal(ahead.hint.student, CAMPUS_NONE); /* for submits alone */
        }
    }
    assert_true(enrol_hash(f.enrol) == before);
    buf_fini(&body);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk__of_a_name__ends_where_resolving_does),
        cmocka_unit_test(section_is_named__of_any_pair__never_disagrees_with_resolving),
        cmocka_unit_test(enrol_prefetch__of_anything__changes_nothing),
        cmocka_unit_test(enrol_prefetch__of_entries_between_shards__changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
