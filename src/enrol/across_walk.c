/* The home's walk over the stand-ins that are in use. Their shards are asked what they look
 * like now, at the beginning of a leader's term and after every import: times, credits and
 * rules of what a student has count in his home. Nothing of the walk outlives the leader. */
#include "base/assert.h"
#include "campus/foreign.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_private.h"
#include "enrol/fact.h"
#include "enrol/request.h"
#include "proto/envelope.pb-c.h"

enum { LOOKED_AT_MAX = 65536 }; /* sections a call */

/* Whether it is a section of @shard that somebody here has or waits for. */
static bool is_in_use(const struct campus *campus, uint32_t ordinal, uint32_t shard)
{
    const struct campus_section *section = campus_section(campus, ordinal);
    const struct campus_course *course = campus_course(campus, section->course);

    if (!course->is_foreign || (section->enrolled == 0 && section->waiting == 0)) {
        return false;
    }
    struct slice code = campus_word(campus, campus_code(campus, course->code)->word)->text;

    return campus_shard_of(code, campus->shard_count) == shard;
}

/* Somebody of this home who has it: every message is about a student. */
static uint32_t student_of(const struct campus *campus, uint32_t ordinal)
{
    const struct campus_section *section = campus_section(campus, ordinal);

    return section->enrolled > 0 ? section->roster[0]
                                 : campus_place(campus, section->wait_first)->student;
}

/* The next sections of the walk's shard, as drops, of which nothing comes. Returns: whether
 * there are any; the walk's `next` is behind what was looked at. */
static bool gather(struct across *across, struct request *request, uint32_t *ret_student)
{
    const struct campus *campus = &across->enrol->campus;
    struct across_walk *walk = &across->walk;
    uint32_t most = walk->is_single ? 1 : REQUEST_OPS_MAX;
    uint32_t at = walk->section;
    uint32_t looked_at = 0;

    request->op_count = 0;
    for (; at < campus->sections.count && request->op_count < most && looked_at < LOOKED_AT_MAX;
         at++, looked_at++) {
        if (is_in_use(campus, at, walk->shard)) {
            struct request_op *op = &request->ops[request->op_count++];

            *op = (struct request_op){.kind = CARILLON__OP_KIND__OP_DROP};
            campus_section_name(campus, at, &op->name);
            *ret_student = student_of(campus, at);
        }
    }
    walk->next = at;
    return request->op_count > 0;
}

/* On to the next sections, the next shard, or the end. */
static void advance(struct across *across)
{
    const struct campus *campus = &across->enrol->campus;
    struct across_walk *walk = &across->walk;

    walk->section = walk->next;
    walk->is_single = false;
    if (walk->section >= campus->sections.count) {
        walk->section = 0;
        walk->shard++;
    }
    walk->is_running = walk->shard < campus->shard_count;
}

static bool is_asking(const struct across *across)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        if (across->inquiries[i].phase != 0 &&
            across->inquiries[i].kind == ACROSS_INQUIRY_REFRESH) {
            return true;
        }
    }
    return false;
}

static void ask(struct across *across, uint64_t now_ms, const struct request *request,
                uint32_t student)
{
    struct across_inquiry *inquiry = across__inquiry_take(across);

    if (inquiry != NULL) { /* else at the next tick */
        inquiry->kind = ACROSS_INQUIRY_REFRESH;
        inquiry->asking.student = student;
        inquiry->asking.deadline_ms = now_ms + ACROSS_WALK_MS;
        inquiry->asking.fact = across->walk.fact;
        across__asking_start(across, now_ms, &inquiry->asking, request, 0);
    }
}

void across__walk_applied(struct across *across, const struct enrol_entry *entry,
                          const struct enrol_result *result)
{
    struct enrol_fact fact;

    if (result->status == OK && !result->is_outdated &&
        enrol_fact_unpack(entry->body, &fact) == OK &&
        fact.method == CARILLON__METHOD__METHOD_IMPORT_COMMIT) {
        across->walk.is_wanted = true;
    }
}

void across__walk_decided(struct across *across, const struct across_decide *decide)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);

    for (uint32_t i = 0; i < decide->reply_count; i++) {
        struct unpack in = unpack_from(decide->replies[i].bytes);
        struct across_head head;

        across_take_head(&in, &head);
        across_take_reserved(&in, reserved);
        if (!in.failed && reserved->fact < enrol_fact_newest(across->enrol)) {
            across->walk.is_wanted = true;
        }
    }
    arena_free(&across->own, reserved, sizeof *reserved);
}

void across__walk_look(struct across *across, uint64_t now_ms)
{
    struct across_walk *walk = &across->walk;

    if (!across->is_ready || is_asking(across)) {
        return;
    }
    if (walk->is_wanted) {
        *walk =
            (struct across_walk){.is_running = true, .fact = enrol_fact_newest(across->enrol)};
    }
    if (!walk->is_running) {
        return;
    }
    struct request *request = arena_alloc_zero(&across->own, sizeof *request);
    uint32_t student = CAMPUS_NONE;

    if (walk->shard != across->enrol->campus.shard && gather(across, request, &student)) {
        ask(across, now_ms, request, student);
    } else {
        walk->next = walk->shard == across->enrol->campus.shard ? CAMPUS_NONE : walk->next;
        advance(across);
    }
    arena_free(&across->own, request, sizeof *request);
}

/* A name that leads nowhere fails the whole question: its sections are asked about one by one,
 * and that one is left as it is. */
void across__walk_answered(struct across *across, uint64_t now_ms,
                           struct across_inquiry *inquiry, bool has_failed)
{
    struct across_walk *walk = &across->walk;
    bool is_again = has_failed && !walk->is_single;

    across__inquiry_give(across, inquiry);
    if (is_again) {
        walk->is_single = true;
    } else {
        bool was_single = walk->is_single;

        advance(across);
        walk->is_single = was_single && walk->is_running && walk->section != 0;
    }
    across__walk_look(across, now_ms);
}
