/* Whether the states of several shards fit together. */
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "node/node_private.h"
#include "tests/lib/node_world.h"

enum { COURSES_MOST = 5, REST_MS = 15000, REST_STEP_MS = 100 };

static const struct campus *campus_of(const struct node *node, uint32_t shard)
{
    return enrol_campus(node->shards[shard].enrol);
}

/* Whether the other side of a registration is where it belongs: @student of @from, in @section
 * of @from, by their names. */
static bool is_in(const struct campus *campus, const struct campus *from, uint32_t student,
                  uint32_t section)
{
    struct slice token = campus_profile_token(campus_student(from, student)->profile);
    struct campus_name name;

    campus_section_name(from, section, &name);
    uint32_t there = campus_student_find(campus, token);
    uint32_t same = campus_full_name_find(campus, &name);

    return there != CAMPUS_NONE && same != CAMPUS_NONE &&
           campus_registration_find(campus_student(campus, there), same) != NULL;
}

static void check_student(struct node_world *world, uint32_t shard, uint32_t ordinal)
{
    const struct node *node = world->node;
    const struct campus *campus = campus_of(node, shard);
    const struct campus_student *student = campus_student(campus, ordinal);
    struct slice token = campus_profile_token(student->profile);

    if (student->is_foreign) {
        return;
    }
    if (campus_shard_of(token, node->shard_count) != shard) {
        node_world_violate(world, "%.*s is at home in shard %u", (int)token.len, token.data,
                           shard);
    }
    if (student->registration_count > COURSES_MOST) {
        node_world_violate(world, "%.*s has %u courses", (int)token.len, token.data,
                           student->registration_count);
    }
    for (uint32_t i = 0; i < student->registration_count; i++) {
        uint32_t section = campus_registration(student, i)->section;
        struct campus_name name;

        campus_section_name(campus, section, &name);
        uint32_t other = campus_shard_of(name.code, node->shard_count);
        if (!is_in(campus_of(node, other), campus, ordinal, section)) {
            node_world_violate(world, "%.*s has %.*s and is not on its roster", (int)token.len,
                               token.data, (int)name.code.len, name.code.data);
        }
    }
}

static void check_section(struct node_world *world, uint32_t shard, uint32_t ordinal)
{
    const struct node *node = world->node;
    const struct campus *campus = campus_of(node, shard);
    const struct campus_section *section = campus_section(campus, ordinal);

    if (campus_course(campus, section->course)->is_foreign) {
        return;
    }
    for (uint32_t i = 0; i < section->enrolled; i++) {
        struct slice token =
            campus_profile_token(campus_student(campus, section->roster[i])->profile);
        uint32_t home = campus_shard_of(token, node->shard_count);

        if (!is_in(campus_of(node, home), campus, section->roster[i], ordinal)) {
            node_world_violate(world, "%.*s is on the roster of a section he does not have",
                               (int)token.len, token.data);
        }
    }
}

static bool is_at_rest(const struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        const struct enrol_across *across = &node->shards[i].enrol->across;

        if (across->hold_count > 0 || across->todo_count > 0) {
            return false;
        }
    }
    return true;
}

/* What stands in two shards is counted once. */
static void check_counts(struct node_world *world)
{
    const struct node *node = world->node;
    struct enrol_counters counted;
    uint64_t registrations = 0;
    uint64_t waiting = 0;

    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        const struct campus *campus = campus_of(node, shard);

        for (uint32_t i = 0; i < campus->sections.count; i++) {
            const struct campus_section *section = campus_section(campus, i);

            if (!campus_course(campus, section->course)->is_foreign) {
                registrations += section->enrolled;
                waiting += section->waiting;
            }
        }
    }
    node__count(node, &counted);
    if (counted.registrations != registrations || counted.waiting != waiting) {
        node_world_violate(world, "%llu registrations and %llu places are counted as %llu, %llu",
                           (unsigned long long)registrations, (unsigned long long)waiting,
                           (unsigned long long)counted.registrations,
                           (unsigned long long)counted.waiting);
    }
}

void node_world_check_shards(struct node_world *world)
{
    for (uint32_t ms = 0; ms < REST_MS && world->node != NULL && !is_at_rest(world->node);
         ms += REST_STEP_MS) {
        node_world_run_ms(world, REST_STEP_MS);
    }
    const struct node *node = world->node;

    if (node == NULL || !node_world_is_well(world)) {
        return;
    }
    if (!is_at_rest(node)) {
        node_world_violate(world, "holds and things to do never end");
    }
    check_counts(world);
    for (uint32_t shard = 0; shard < node->shard_count; shard++) {
        const struct campus *campus = campus_of(node, shard);

        for (uint32_t i = 0; i < campus->students.count; i++) {
            check_student(world, shard, i);
        }
        for (uint32_t i = 0; i < campus->sections.count; i++) {
            check_section(world, shard, i);
        }
    }
}

bool node_world__is_answered_elsewhere(const struct node_world *world,
                                       const struct carillon_key *key)
{
    for (uint32_t i = 0; i < world->replica_count; i++) {
        const struct node *node = world->replicas[i].node;

        for (uint32_t shard = 0; node != NULL && shard < node->shard_count; shard++) {
            if (answers_find(&node->shards[shard].enrol->answers,
                             slice_from(key->bytes, sizeof key->bytes)) != NULL) {
                return true;
            }
        }
    }
    return false;
}
