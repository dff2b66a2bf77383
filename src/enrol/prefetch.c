#include "enrol/prefetch.h"

#include "base/assert.h"
#include "campus/prefetch.h"
#include "enrol/across_entry.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "enrol/request.h"
#include "proto/envelope.pb-c.h"

/* Walks for what a group of entries names; those for which there is no place are left out. */
struct walks {
    size_t count;
    struct campus_walk of[ENROL_PREFETCH_MAX];
};

static void walk_add(struct walks *walks, struct slice token, const struct campus_name *name)
{
    if (walks->count < ENROL_PREFETCH_MAX) {
        walks->of[walks->count].token = token;
        walks->of[walks->count++].name = *name;
    }
}

static void walk_submit(struct walks *walks, struct slice body)
{
    struct request request;

    if (request_decode(body, &request) != OK) {
        return;
    }
    for (uint32_t op = 0; op < request.op_count && op < REQUEST_OPS_MAX; op++) {
        walk_add(walks, op == 0 ? request.student : SLICE_NONE, &request.ops[op].name);
    }
}

static void walk_reserve(struct walks *walks, struct slice body)
{
    struct unpack in = unpack_from(body);
    struct across_head head;
    struct across_reserve reserve;

    across_take_head(&in, &head);
    across_take_reserve(&in, &reserve);
    for (uint32_t op = 0; !in.failed && op < reserve.op_count; op++) {
        walk_add(walks, op == 0 ? head.token : SLICE_NONE, &reserve.ops[op].name);
    }
}

static void walk_decide(struct walks *walks, struct slice body)
{
    struct unpack in = unpack_from(body);
    struct across_decide decide;

    across_take_decide(&in, &decide);
    if (!in.failed) {
        walk_submit(walks, decide.request);
    }
}

static void walk_settle(struct walks *walks, struct slice body)
{
    static const struct campus_name nothing;
    struct unpack in = unpack_from(body);
    uint32_t count = across_settle_count(body);

    for (uint32_t i = 0; i < count; i++) {
        struct across_head head;

        across_take_head(&in, &head);
        (void)unpack_u64(&in);
        walk_add(walks, head.token, &nothing);
    }
}

bool enrol_is_prefetched(uint32_t method)
{
    return method == CARILLON__METHOD__METHOD_SUBMIT || method == ENROL_ENTRY_RESERVE ||
           method == ENROL_ENTRY_DECIDE || method == ENROL_ENTRY_SETTLE;
}

static void walk_entry(struct walks *walks, const struct enrol_ahead *entry)
{
    switch (entry->method) {
    case ENROL_ENTRY_RESERVE:
        walk_reserve(walks, entry->body);
        break;
    case ENROL_ENTRY_DECIDE:
        walk_decide(walks, entry->body);
        break;
    case ENROL_ENTRY_SETTLE:
        walk_settle(walks, entry->body);
        break;
    default:
        walk_submit(walks, entry->body);
        break;
    }
}

void enrol_prefetch(const struct enrol *enrol, struct enrol_ahead *entries, size_t count)
{
    struct walks walks; /* a place is written when it is taken */
    size_t first_walk[ENROL_PREFETCH_MAX]; /* of each submit */

    walks.count = 0;
    ASSERT(count <= ENROL_PREFETCH_MAX);
    for (size_t i = 0; i < count; i++) {
        size_t before = walks.count;

        if (entries[i].key.len > 0) {
            answers_prefetch(&enrol->answers, entries[i].key);
        }
        walk_entry(&walks, &entries[i]);
        first_walk[i] = walks.count > before &&
                                entries[i].method == CARILLON__METHOD__METHOD_SUBMIT
                            ? before
                            : ENROL_PREFETCH_MAX;
    }
    for (unsigned step = 0; step < CAMPUS_WALK_STEPS; step++) {
        campus_walk_step(&enrol->campus, walks.of, walks.count, step);
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].hint = first_walk[i] < walks.count
                              ? (struct enrol_hint){walks.of[first_walk[i]].student,
                                                    walks.of[first_walk[i]].section}
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
