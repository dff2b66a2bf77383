/* Leaders come and go; snapshots are taken, and states made of them. */
#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"

enum { SLOW_MS = 2500 };

const char *shards_student_name(uint32_t student)
{
    static const char *const names[SHARDS_STUDENTS] = {"s0", "s1", "s2", "s3", "s4",
                                                       "s5", "s6", "s7", "s8", "s9"};
    return names[student];
}

const char *shards_course_name(uint32_t course)
{
    static const char *const names[SHARDS_COURSES] = {"C0", "C1", "C2", "C3", "C4",
                                                      "C5", "C6", "C7", "C8", "C9"};
    return names[course];
}

/* Few seats, two courses that go together, two that meet at once, one that asks for another. */
static void course_make(struct campus_fixture *f, uint32_t course)
{
    static const char *const sections[SHARDS_COURSES] = {
        "A:1:01:600-660", "A:2:02:600-660", "A:-:01:630-700", "A:3:04:600-660",
        "A:2:08:600-660", "A:-:10:600-660", "A:2:",           "A:5:04:700-760",
        "A:1:",           "A:3:02:700-760"};
    static const char *const rules[SHARDS_COURSES] = {
        [4] = ":C5*", [6] = "|2 :X1 :C7*", [7] = "L2", [8] = "&2 :X1>300 $600", [9] = ":C3*"};
    const char *list[] = {sections[course], NULL};
    int rc = fixture_course(f, shards_course_name(course), 100 + (int)course * 50,
                            rules[course], list);

    ASSERT(rc == OK);
}

/* One state at a time is filled through a fixture that lends itself. */
void shards_world_populate(struct enrol *enrol, uint32_t shards, uint32_t shard,
                           uint64_t *index)
{
    static const char *const taken[] = {"", "X1=401", "X1=250", "X1 X2=301"};
    struct campus_fixture f;

    fixture_init(&f);
    enrol_destroy(f.enrol);
    f.enrol = enrol;
    f.index = *index;
    for (uint32_t i = 0; i < SHARDS_COURSES; i++) {
        if (campus_shard_of(slice_from_text(shards_course_name(i)), shards) == shard) {
            course_make(&f, i);
        }
    }
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        if (campus_shard_of(slice_from_text(shards_student_name(i)), shards) == shard) {
            int rc = fixture_student(&f, shards_student_name(i), 1 + i % 3, taken[i % 4]);

            ASSERT(rc == OK);
        }
    }
    /* As after an import over all shards: every one knows the catalogue. */
    int rc = fixture_remove(&f, CARILLON__IMPORT_KIND__IMPORT_COURSES, "none", true);

    ASSERT(rc == OK);
    *index = f.index;
    f.enrol = NULL;
    fixture_fini(&f);
}

/* ---- snapshots */

void shards_snapshot(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];

    buf_clear(&of->snapshot);
    int rc = enrol_snapshot_begin(of->truth);

    ASSERT(rc == OK);
    for (rc = SM_PENDING; rc == SM_PENDING;) {
        rc = enrol_snapshot_step(of->truth, &of->snapshot);
    }
    ASSERT(rc == OK);
    of->snapshot_index = of->committed;
    if (of->truth->across.hold_count > 0) {
        shards_mark(world, SHARDS_SNAPSHOT_HOLDING);
    }
    if (of->truth->across.todo_count > 0) {
        shards_mark(world, SHARDS_SNAPSHOT_OWING);
    }
    if (of->truth->prepared_count > 0) {
        shards_mark(world, SHARDS_SNAPSHOT_PREPARED);
    }
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        uint32_t student = campus_student_find(&of->truth->campus,
                                               slice_from_text(shards_student_name(i)));
        const struct campus_extra *extra =
            student == CAMPUS_NONE ? NULL
                                   : campus_student(&of->truth->campus, student)->extra;

        if (extra != NULL && extra->permit_count > 0) {
            shards_mark(world, SHARDS_SNAPSHOT_PERMITTING);
        }
    }
}

static struct enrol *restore(struct shards_world *world, uint32_t shard)
{
    const struct shards_shard *of = &world->shard[shard];
    struct enrol *enrol = enrol_create(&of->truth->config);
    int rc = enrol_restore_chunk(enrol, buf_slice(&of->snapshot));

    rc = rc == OK ? enrol_restore_end(enrol) : rc;
    if (rc != OK) {
        shards_fail(world, "shard %u: a snapshot cannot be read: %s", shard, error_name(rc));
    }
    shards_mark(world, SHARDS_RESTORED);
    return enrol;
}

/* ---- leaders */

/* Some of what was proposed is on enough disks to come back, some is not. */
static void cut_tail(struct shards_world *world, struct shards_shard *of)
{
    if (of->last == of->committed) {
        return;
    }
    uint64_t kept = rng_between(&world->rng, of->committed, of->last);

    shards_mark(world, kept > of->committed ? SHARDS_TAIL_KEPT : SHARDS_TAIL_CUT);
    of->last = kept;
}

void shards_lose(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];

    if (!of->is_led) {
        return;
    }
    shards_trace(world, "shard %u loses its leader", shard);
    shards_mark(world, SHARDS_LEADER_LOST);
    if (of->truth->across.hold_count > 0) {
        shards_mark(world, SHARDS_LEADER_LOST_HOLDING);
    }
    if (of->truth->across.todo_count > 0) {
        shards_mark(world, SHARDS_LEADER_LOST_OWING);
    }
    if (across_flight_count(of->across) > 0) {
        shards_mark(world, SHARDS_LEADER_LOST_DECIDING);
    }
    if (of->truth->prepared_count > 0) {
        shards_mark(world, SHARDS_LEADER_LOST_PREPARED);
    }
    if (across_inquiry_count(of->across) > 0) {
        shards_mark(world, SHARDS_LEADER_LOST_ASKING);
    }
    of->is_led = false;
    cut_tail(world, of);
    if (rng_chance(&world->rng, 500000)) { /* deposed, not dead: it tells its clients */
        across_follow(of->across);
        shards_perform(world, shard);
    }
    shards_post(world, rng_between(&world->rng, 20, 600),
                &(struct shards_event){.kind = SHARDS_ELECT, .shard = shard});
}

/* A replica that was restarted: its newest snapshot, and as much of the log as it knows to be
 * committed. */
static void replace(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];

    across_destroy(of->across);
    enrol_destroy(of->enrol);
    of->enrol = restore(world, shard);
    of->across = across_create(of->enrol);
    of->applied = of->snapshot_index;
    uint64_t known = rng_between(&world->rng, of->applied, of->committed);

    while (of->applied < known) {
        const struct shards_entry *entry = &of->entries[++of->applied];
        struct enrol_entry applied = {.index = of->applied,
                                      .term = entry->term,
                                      .wall_ms = entry->wall_ms,
                                      .method = entry->method,
                                      .key = entry->key,
                                      .body = entry->body,
                                      .hint = ENROL_HINT_NONE};

        enrol_apply(of->enrol, &applied, &world->result);
    }
    if (of->applied < of->committed) {
        shards_mark(world, SHARDS_LEADER_BEHIND);
    } else if (enrol_hash(of->enrol) != enrol_hash(of->truth)) {
        shards_fail(world, "shard %u: a restored state differs at %llu", shard,
                    (unsigned long long)of->applied);
    }
}

void shards_elect(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];

    if (of->is_led || world->violation[0] != '\0') {
        return;
    }
    if (of->across == NULL || rng_chance(&world->rng, 600000)) {
        replace(world, shard);
    } else {
        across_follow(of->across);
        shards_perform(world, shard);
    }
    of->term += 1 + rng_below(&world->rng, 2);
    of->is_led = true;
    of->slow_ms = world->now_ms;
    if (world->faults.leader_ms > 0 && !world->is_healed && rng_chance(&world->rng, 300000)) {
        of->slow_ms += rng_between(&world->rng, 100, SLOW_MS);
        shards_mark(world, SHARDS_LEADER_SLOW);
    }
    shards_trace(world, "shard %u: a leader in term %llu, applied %llu of %llu", shard,
                 (unsigned long long)of->term, (unsigned long long)of->applied,
                 (unsigned long long)of->committed);
    of->noop = shards_append(world, shard, &(struct shards_entry){.client = UINT32_MAX});
    if (rng_chance(&world->rng, 500000)) {
        shards_imports_discard(world, shard);
    }
    across_lead(of->across, of->term);
    shards_perform(world, shard);
    shards_post(
        world, ACROSS_TICK_MS,
        &(struct shards_event){.kind = SHARDS_TICK, .shard = shard, .number = of->term});
}
