/* Thousands of random requests of every kind: the invariants hold all along, and replaying the
 * entries, or going on from a snapshot taken on the way, gives the same state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/sm.h"
#include "campus/name.h"
#include "tests/lib/campus_fixture.h"

enum {
    STUDENTS = 60,
    COURSES = 24,
    OPERATIONS = 30000,
    VERIFY_EVERY = 200,
    LOG_MAX = 64 << 20
};

struct world {
    struct campus_fixture f;
    struct rng rng;
    struct buf log; /* what was applied: for each entry its head, then key and body */
    uint32_t accepted;
    uint32_t refused;
    uint32_t promoted;
    uint32_t skipped;
};

struct logged {
    uint64_t wall_ms;
    uint32_t method;
    uint32_t len;
    struct uuid key;
};

static uint32_t pick(struct world *w, uint32_t bound)
{
    return (uint32_t)rng_below(&w->rng, bound);
}

static void keep(struct world *w, uint32_t method)
{
    struct logged entry = {.wall_ms = w->f.wall_ms,
                           .method = method,
                           .len = method == 0 ? 0 : (uint32_t)w->f.body.len,
                           .key = w->f.key};

    assert_int_equal(buf_append(&w->log, &entry, sizeof entry), OK);
    assert_int_equal(buf_append(&w->log, w->f.body.data, entry.len), OK);
}

static void course_name(struct world *w, char *name, size_t size)
{
    uint32_t course = pick(w, COURSES);

    (void)snprintf(name, size, "C%u#%c", course, 'A' + (char)pick(w, 2));
}

/* Something the student has, so that drops mostly find what they name. */
static bool own_section(struct world *w, const char *token, char *name, size_t size)
{
    const struct campus *campus = enrol_campus(w->f.enrol);
    struct campus_name full;
    uint32_t student;

    if (enrol_student_find(w->f.enrol, slice_from_text(token), &student) != OK ||
        campus_student(campus, student)->registration_count == 0) {
        return false;
    }
    const struct campus_student *of = campus_student(campus, student);

    campus_section_name(
        campus, campus_registration(of, pick(w, of->registration_count))->section, &full);
    (void)snprintf(name, size, "%.*s#%.*s", (int)full.code.len, full.code.data,
                   (int)full.section.len, full.section.data);
    return true;
}

static void submit(struct world *w)
{
    char student[16];
    char ops[512];
    size_t len = 0;
    uint32_t count = 1 + pick(w, 4) / 2 + pick(w, 8) / 7;

    (void)snprintf(student, sizeof student, "s%u", pick(w, STUDENTS));
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        char drop[40] = "";
        char kind = "+++~~~--"[pick(w, 8)];

        if (kind != '-' || pick(w, 8) == 0 || !own_section(w, student, name, sizeof name)) {
            course_name(w, name, sizeof name);
        }
        if (kind == '~' && pick(w, 2) == 0) {
            char other[32];

            if (!own_section(w, student, other, sizeof other)) {
                course_name(w, other, sizeof other);
            }
            (void)snprintf(drop, sizeof drop, "(%s)", other);
        }
        len += (size_t)snprintf(ops + len, sizeof ops - len, "%s%c%s%s", i == 0 ? "" : " ",
                                kind, name, drop);
    }
    (void)fixture_submit(&w->f, student, ops);
    keep(w, CARILLON__METHOD__METHOD_SUBMIT);
    w->accepted += w->f.result.status == OK ? 1 : 0;
    w->refused += w->f.result.status == ERR_REFUSED ? 1 : 0;
}

/* Imports are several entries; they are made by the fixture and kept one by one, by watching
 * the index. */
static void reimport(struct world *w)
{
    static const char *const rules[] = {
        NULL, NULL, NULL, NULL, NULL, "L1", ":C0", "|2 :C1 :C2*", "%1/2 :C3* $300", ":C4*"};
    char code[16];
    char a[64];
    char b[64];
    const char *sections[] = {a, b, NULL};
    uint32_t hour = 480 + 60 * pick(w, 8);

    (void)snprintf(code, sizeof code, "C%u", pick(w, COURSES));
    (void)snprintf(a, sizeof a, "A:%u:%x:%u-%u", pick(w, 6), 1 + pick(w, 31), hour, hour + 50);
    (void)snprintf(b, sizeof b, "B:%s:%x:%u-%u", pick(w, 4) == 0 ? "-" : "3", 1 + pick(w, 31),
                   hour + 30, hour + 90);
    sections[pick(w, 8) == 0 ? 1 : 2] = NULL;
    assert_int_equal(fixture_course(&w->f, code, (int)pick(w, 5) * 100,
                                    rules[pick(w, sizeof rules / sizeof rules[0])], sections),
                     OK);
}

static void restudent(struct world *w)
{
    static const char *const taken[] = {"", "C0", "C1 C4=1", "C2=201 C9", "C0 C3=401"};
    char token[16];

    (void)snprintf(token, sizeof token, "s%u", pick(w, STUDENTS));
    assert_int_equal(fixture_student(&w->f, token, pick(w, 4), taken[pick(w, 5)]), OK);
}

static void registrar(struct world *w)
{
    char token[16];
    char name[32];
    int rc = OK;
    uint32_t method = 0;

    (void)snprintf(token, sizeof token, "s%u", pick(w, STUDENTS));
    course_name(w, name, sizeof name);
    switch (pick(w, 5)) {
    case 0:
        rc = fixture_block(&w->f, token, pick(w, 2) == 0 ? "fees" : "rent", pick(w, 6) != 0);
        method = CARILLON__METHOD__METHOD_BLOCK;
        break;
    case 1:
        rc = fixture_permit(&w->f, token, name, pick(w, 8));
        method = CARILLON__METHOD__METHOD_PERMIT;
        break;
    case 2:
        rc = fixture_cap(&w->f, name, (int)pick(w, 7) - 1);
        method = CARILLON__METHOD__METHOD_CAP;
        break;
    case 3:
        rc = fixture_limits(&w->f, 3 + pick(w, 4), pick(w, 2) * 1500, 1 + pick(w, 9));
        method = CARILLON__METHOD__METHOD_LIMITS;
        break;
    default:
        rc = fixture_window(&w->f, pick(w, 8) == 0 ? w->f.wall_ms + pick(w, 500) : 0, 0,
                            pick(w, 9) / 8);
        method = CARILLON__METHOD__METHOD_WINDOW;
        break;
    }
    assert_true(rc == OK || rc == ERR_GONE || rc == ERR_UNKNOWN_SECTION ||
                rc == ERR_UNKNOWN_STUDENT || rc == ERR_UNKNOWN_COURSE);
    keep(w, method);
}

static void count_notes(struct world *w)
{
    for (size_t i = 0; i < enrol_note_count(&w->f.result); i++) {
        w->promoted += enrol_note_at(&w->f.result, i).kind == ENROL_NOTE_PROMOTED ? 1 : 0;
        w->skipped += enrol_note_at(&w->f.result, i).kind == ENROL_NOTE_SKIPPED ? 1 : 0;
    }
}

static void step(struct world *w)
{
    uint32_t what = pick(w, 1000);

    w->f.wall_ms += pick(w, 50);
    if (what < 900) {
        submit(w);
    } else if (what < 985) {
        registrar(w);
    } else {
        fixture_tick(&w->f, 1);
        keep(w, 0);
    }
    count_notes(w);
}

static void world_init(struct world *w, uint64_t seed)
{
    *w = (struct world){0};
    fixture_init(&w->f);
    rng_init(&w->rng, seed);
    buf_init(&w->log, LOG_MAX);
    w->f.is_admitting = false; /* everything becomes an entry */
    for (int i = 0; i < COURSES * 3; i++) {
        reimport(w);
    }
    for (int i = 0; i < STUDENTS * 3; i++) {
        restudent(w);
    }
}

static void world_fini(struct world *w)
{
    buf_fini(&w->log);
    fixture_fini(&w->f);
}

static struct enrol *copy_of(struct enrol *enrol)
{
    struct enrol *copy = fixture_empty();
    struct buf out;
    int rc = SM_PENDING;

    buf_init(&out, 64 << 20);
    assert_int_equal(enrol_snapshot_begin(enrol), OK);
    while (rc == SM_PENDING) {
        rc = enrol_snapshot_step(enrol, &out);
    }
    assert_int_equal(enrol_restore_chunk(copy, buf_slice(&out)), OK);
    assert_int_equal(enrol_restore_end(copy), OK);
    assert_true(enrol_hash(copy) == enrol_hash(enrol));
    buf_fini(&out);
    return copy;
}

/* Apply the kept entries from @from on. */
static void replay(struct enrol *enrol, const struct buf *log, size_t from)
{
    struct enrol_result result;
    uint64_t index = enrol_index(enrol);

    enrol_result_init(&result);
    while (from < log->len) {
        struct logged entry;

        memcpy(&entry, log->data + from, sizeof entry);
        struct enrol_entry apply = {
            .index = ++index,
            .term = 1,
            .wall_ms = entry.wall_ms,
            .method = entry.method,
            .key = slice_from(entry.key.bytes, UUID_BYTES),
            .body = slice_from(log->data + from + sizeof entry, entry.len),
        };

        enrol_apply(enrol, &apply, &result);
        from += sizeof entry + entry.len;
    }
    enrol_result_fini(&result);
}

static uint64_t seed_of_run(void)
{
    const char *seed = getenv("CARILLON_SEED");

    return seed == NULL ? 20260101 : strtoull(seed, NULL, 10);
}

static void random_requests__keep_every_invariant(void **state)
{
    static struct world w;

    (void)state;
    world_init(&w, seed_of_run());
    for (int i = 0; i < OPERATIONS; i++) {
        step(&w);
        if (i % 500 == 499) { /* the files change under the students */
            w.f.wall_ms++;
            reimport(&w);
            count_notes(&w);
            restudent(&w);
            count_notes(&w);
        }
        if (i % VERIFY_EVERY == 0) {
            const char *findings = fixture_verify(&w.f);

            if (findings[0] != '\0') {
                fail_msg("seed %llu, operation %d: %s", (unsigned long long)seed_of_run(), i,
                         findings);
            }
        }
    }
    print_message("%u accepted, %u refused, %u promoted, %u skipped\n", w.accepted, w.refused,
                  w.promoted, w.skipped);
    /* The run is worth something only if everything happened often. */
    assert_true(w.accepted > OPERATIONS / 20);
    assert_true(w.refused > OPERATIONS / 20);
    assert_true(w.promoted > 200);
    assert_true(w.skipped > 200);
    world_fini(&w);
}

static void random_requests__replayed_from_any_snapshot__give_the_same_state(void **state)
{
    static struct world w;
    struct enrol *copies[4];
    size_t from[4];

    (void)state;
    world_init(&w, seed_of_run() + 1);
    for (int i = 0; i < 4; i++) {
        copies[i] = copy_of(w.f.enrol);
        from[i] = w.log.len;
        for (int n = 0; n < 500; n++) {
            step(&w);
        }
    }
    uint64_t hash = enrol_hash(w.f.enrol);

    for (int i = 0; i < 4; i++) {
        replay(copies[i], &w.log, from[i]);
        assert_true(enrol_hash(copies[i]) == hash);
        enrol_destroy(copies[i]);
    }
    world_fini(&w);
}

static void random_requests__during_a_snapshot__do_not_show_in_it(void **state)
{
    static struct world w;
    struct buf out;

    (void)state;
    buf_init(&out, 64 << 20);
    world_init(&w, seed_of_run() + 2);
    for (int round = 0; round < 10; round++) {
        struct enrol *copy = fixture_empty();
        uint64_t hash;
        int rc = SM_PENDING;

        for (int n = 0; n < 100; n++) {
            step(&w);
        }
        hash = enrol_hash(w.f.enrol);
        buf_clear(&out);
        assert_int_equal(enrol_snapshot_begin(w.f.enrol), OK);
        for (int n = 0; n < round * 20; n++) {
            step(&w);
            if (n % 7 == 0) {
                reimport(&w);
                restudent(&w);
            }
        }
        while (rc == SM_PENDING) {
            rc = enrol_snapshot_step(w.f.enrol, &out);
            step(&w);
        }
        assert_int_equal(enrol_restore_chunk(copy, buf_slice(&out)), OK);
        assert_int_equal(enrol_restore_end(copy), OK);
        assert_true(enrol_hash(copy) == hash);
        enrol_destroy(copy);
    }
    buf_fini(&out);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_requests__keep_every_invariant),
        cmocka_unit_test(random_requests__replayed_from_any_snapshot__give_the_same_state),
        cmocka_unit_test(random_requests__during_a_snapshot__do_not_show_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
