#include "enrol/prefetch.h"

#include "base/assert.h"
#include "campus/prefetch.h"
#include "enrol/enrol_private.h"
#include "enrol/request.h"

void enrol_prefetch(const struct enrol *enrol, struct enrol_ahead *submits, size_t count)
{
    struct campus_walk walks[ENROL_PREFETCH_MAX];
    size_t first_walk[ENROL_PREFETCH_MAX]; /* of each submit */
    size_t walk_count = 0;
    struct request request;

    ASSERT(count <= ENROL_PREFETCH_MAX);
    for (size_t i = 0; i < count; i++) {
        answers_prefetch(&enrol->answers, submits[i].key);
        first_walk[i] = ENROL_PREFETCH_MAX;
        if (request_decode(submits[i].body, &request) != OK || request.op_count == 0) {
            continue;
        }
        first_walk[i] = walk_count;
        for (uint32_t op = 0;
             op < request.op_count && op < REQUEST_OPS_MAX && walk_count < ENROL_PREFETCH_MAX;
             op++) {
            walks[walk_count].token = op == 0 ? request.student : SLICE_NONE;
            walks[walk_count++].name = request.ops[op].name;
        }
    }
    for (unsigned step = 0; step < CAMPUS_WALK_STEPS; step++) {
        campus_walk_step(&enrol->campus, walks, walk_count, step);
    }
    for (size_t i = 0; i < count; i++) {
        submits[i].hint = first_walk[i] < walk_count
                              ? (struct enrol_hint){walks[first_walk[i]].student,
                                                    walks[first_walk[i]].section}
                              : ENROL_HINT_NONE;
    }
}

void enrol_prefetch_hint(const struct enrol *enrol, struct enrol_hint hint,
                         enum enrol_ahead_step step)
{
    struct campus_walk walk = {.student = hint.student, .section = hint.section};

    if (step == ENROL_AHEAD_OBJECTS) {
        campus_walk_objects(&enrol->campus, &walk);
    } else {
        campus_walk_lists(&enrol->campus, &walk);
    }
}
