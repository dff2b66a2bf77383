#include "enrol/prefetch.h"

#include "base/assert.h"
#include "campus/prefetch.h"
#include "enrol/enrol_private.h"
#include "enrol/request.h"

void enrol_prefetch(const struct enrol *enrol, const struct enrol_ahead *submits, size_t count)
{
    struct campus_walk walks[ENROL_PREFETCH_MAX];
    size_t walk_count = 0;
    struct request request;

    ASSERT(count <= ENROL_PREFETCH_MAX);
    for (size_t i = 0; i < count; i++) {
        answers_prefetch(&enrol->answers, submits[i].key);
        if (request_decode(submits[i].body, &request) != OK || request.op_count == 0) {
            continue;
        }
        for (uint32_t op = 0; op < request.op_count && op < REQUEST_OPS_MAX &&
                              walk_count < ENROL_PREFETCH_MAX;
             op++) {
            walks[walk_count].token = op == 0 ? request.student : SLICE_NONE;
            walks[walk_count++].name = request.ops[op].name;
        }
    }
    for (unsigned step = 0; step < CAMPUS_WALK_STEPS; step++) {
        campus_walk_step(&enrol->campus, walks, walk_count, step);
    }
}
