/* What holds after every committed entry. It looks at the truths of all shards, which no leader
 * ever sees together. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/sm.h"
#include "campus/foreign.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"

enum { ALL_EVERY = 16, ROSTER_MS = 2000 };

static struct campus *campus_of(const struct shards_world *world, uint32_t shard)
{
    return &world->shard[shard].truth->campus;
}

static uint32_t shard_of(const struct shards_world *world, const char *name)
{
    return campus_shard_of(slice_from_text(name), world->shard_count);
}

/* The section A of a course in @campus, its own or a stand-in, or CAMPUS_NONE. */
static uint32_t section_in(const struct campus *campus, uint32_t course)
{
    uint32_t catalogue =
        campus_catalogue_find(campus, slice_from_text("x"), slice_from_text("t"));
    uint32_t ordinal = catalogue == CAMPUS_NONE
                           ? CAMPUS_NONE
                           : campus_course_find(campus, catalogue,
                                                slice_from_text(shards_course_name(course)));

    return ordinal == CAMPUS_NONE ? CAMPUS_NONE
                                  : campus_section_find(campus, ordinal, SLICE_LITERAL("A"));
}

static bool is_registered(const struct campus *campus, uint32_t student, uint32_t section)
{
    return student != CAMPUS_NONE && section != CAMPUS_NONE &&
           campus_registration_find(campus_student(campus, student), section) != NULL;
}

/* Which of the world's students this is. */
static uint32_t student_of(struct slice token)
{
    uint32_t i = 0;

    while (!slice_is_equal(token, slice_from_text(shards_student_name(i)))) {
        i++;
        ASSERT(i < SHARDS_STUDENTS);
    }
    return i;
}

static bool has_place(const struct campus *campus, uint32_t student, uint32_t section)
{
    return student != CAMPUS_NONE && section != CAMPUS_NONE &&
           campus_place_find(campus, student, section) != CAMPUS_NONE;
}

/* ---- outcomes */

static void note_permit(struct shards_world *world, const struct shards_request *request,
                        uint32_t method)
{
    world->permits[request->student][request->course] = request->kinds;
    world->permits_ever[request->student][request->course] |= request->kinds;
    shards_mark(world, request->kinds == 0            ? SHARDS_PERMIT_TAKEN_BACK
                       : method == ENROL_ENTRY_PERMIT ? SHARDS_PERMITTED_ACROSS
                                                      : SHARDS_PERMITTED);
}

static void check_outcome(struct shards_world *world, const struct shards_entry *entry,
                          const struct enrol_result *result)
{
    uint32_t number = shards_request_find(world, entry->key);

    if (number == UINT32_MAX || result->is_undecided || result->status == ERR_KEY_REUSED) {
        return;
    }
    struct shards_request *request = &world->requests[number];
    uint64_t outcome =
        hash_bytes_seeded((uint64_t)-result->status, result->reply.data, result->reply.len);

    if (request->is_decided && request->outcome != outcome) {
        shards_fail(world, "request %u has two outcomes", number);
    } else if (request->is_decided && !result->is_repeated) {
        shards_fail(world, "request %u is performed twice", number);
    }
    if (request->is_given_up && result->status == OK) {
        shards_fail(world, "request %u happens after its client was told that it does not",
                    number);
    }
    shards_mark(world, request->is_decided ? SHARDS_REPEATED : SHARDS_ACROSS);
    if (!request->is_decided && request->method == CARILLON__METHOD__METHOD_PERMIT &&
        result->status == OK) {
        note_permit(world, request, entry->method);
    }
    request->is_decided = true;
    request->outcome = outcome;
}

/* Whether @entry was a decision with a drop in another shard and an add. */
static void mark_decision(struct shards_world *world, const struct shards_entry *entry,
                          const struct enrol_result *result)
{
    if (entry->key.len == 0 && result->status == OK) {
        shards_mark(world, SHARDS_PROMOTED_ACROSS);
    }
    if (result->is_undecided) {
        shards_mark(world, SHARDS_MOVED);
    } else if (result->status == ERR_REFUSED) {
        shards_mark(world, SHARDS_REFUSED_ACROSS);
    } else if (result->status == OK && !result->is_repeated) {
        Carillon__SubmitReply *reply =
            carillon__submit_reply__unpack(NULL, result->reply.len, result->reply.data);
        bool has_add = false;
        bool has_drop = false;

        ASSERT(reply != NULL);
        for (size_t i = 0; i < reply->n_changes; i++) {
            has_add =
                has_add || reply->changes[i]->kind == CARILLON__CHANGE_KIND__CHANGE_REGISTERED;
            has_drop =
                has_drop || reply->changes[i]->kind == CARILLON__CHANGE_KIND__CHANGE_DROPPED;
        }
        carillon__submit_reply__free_unpacked(reply, NULL);
        shards_mark(world, SHARDS_ACCEPTED_ACROSS);
        if (has_add && has_drop) {
            shards_mark(world, SHARDS_SWAPPED_ACROSS);
        }
    }
}

static void mark_reserve(struct shards_world *world, const struct enrol_result *result)
{
    struct unpack in = unpack_from(buf_slice(&result->reply));
    struct across_reserved *reserved = arena_alloc(&world->arena, sizeof *reserved);
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserved(&in, reserved);
    if (in.failed) {
        shards_fail(world, "a reserve without an answer");
        return;
    }
    if (reserved->outcome == ACROSS_OUTDATED) {
        shards_mark(world, SHARDS_OUTDATED);
    }
    for (uint32_t i = 0; i < reserved->refusal_count; i++) {
        if (reserved->refusals[i].kind == CARILLON__REFUSAL_KIND__REFUSAL_SEAT_UNDECIDED) {
            shards_mark(world, SHARDS_UNDECIDED_SEAT);
        }
    }
    arena_free(&world->arena, reserved, sizeof *reserved);
}

static bool is_check(const struct shards_world *world, const struct enrol_attempt_id *id)
{
    uint32_t count =
        world->check_count < SHARDS_CHECKS_MAX ? world->check_count : SHARDS_CHECKS_MAX;

    for (uint32_t i = 0; i < count; i++) {
        if (world->checks[i].home == id->home &&
            enrol_attempt_id_compare(&world->checks[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* The student's hold against an attempt of his: below 0 an older one's, 0 its own. */
static int order_of_hold(const struct enrol *truth, const struct across_head *head)
{
    uint32_t student = campus_student_find(&truth->campus, head->token);
    uint32_t slot =
        student == CAMPUS_NONE ? CAMPUS_NONE : enrol__hold_find(&truth->across, student);

    return slot == CAMPUS_NONE
               ? 1
               : enrol_attempt_id_compare(&enrol__hold(&truth->across, slot)->id, &head->id);
}

static void check_settle(struct shards_world *world, uint32_t shard, struct slice body)
{
    struct unpack in = unpack_from(body);
    uint32_t count = across_settle_count(body);

    if (count > 1) {
        shards_mark(world, SHARDS_SETTLED_TOGETHER);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct across_head head;

        across_take_head(&in, &head);
        uint64_t verdict = unpack_u64(&in);

        if (order_of_hold(world->shard[shard].truth, &head) != 0) {
            shards_mark(world, SHARDS_SETTLED_TWICE);
            continue;
        }
        world->shard[shard].settled[student_of(head.token)] = head.id;
        if (verdict == ACROSS_RELEASE) {
            shards_mark(world, SHARDS_RELEASED);
        }
    }
}

/* Whether an entry finds a hold of the attempt it speaks of, or of an older one. */
void shards_check_before(struct shards_world *world, uint32_t shard,
                         const struct shards_entry *entry)
{
    const struct enrol *truth = world->shard[shard].truth;
    struct unpack in = unpack_from(entry->body);
    struct across_head head;

    if (entry->method == CARILLON__METHOD__METHOD_NONE &&
        truth->across.offer_first != CAMPUS_NONE &&
        enrol__offer(&truth->across, truth->across.offer_first)->since_ms + ENROL_OFFER_MS <=
            entry->wall_ms) {
        shards_mark(world, SHARDS_EXPIRED);
    }
    if (entry->method == ENROL_ENTRY_RESERVE) {
        across_take_head(&in, &head);
        if (is_check(world, &head.id)) {
            shards_fail(world, "shard %u holds something for a check", shard);
        }
        if (order_of_hold(truth, &head) < 0) {
            shards_mark(world, SHARDS_TAKEN_OVER);
        }
    } else if (entry->method == ENROL_ENTRY_SETTLE) {
        check_settle(world, shard, entry->body);
    }
}

/* What is settled is over: nothing is held for it, or for what came before it, again. */
static void check_hold(struct shards_world *world, uint32_t shard, uint32_t student)
{
    const struct enrol *truth = world->shard[shard].truth;
    uint32_t slot = enrol__hold_find(&truth->across, student);
    struct slice token = campus_profile_token(campus_student(&truth->campus, student)->profile);

    if (slot != CAMPUS_NONE &&
        enrol_attempt_id_compare(&enrol__hold(&truth->across, slot)->id,
                                 &world->shard[shard].settled[student_of(token)]) <= 0) {
        shards_fail(world, "shard %u holds again for an attempt that was settled", shard);
    }
}

void shards_check_message(struct shards_world *world, struct slice message)
{
    struct unpack in = unpack_from(message);
    struct across_head head;

    across_take_head(&in, &head);
    if (in.failed) {
        shards_fail(world, "a message without a head");
    } else if (head.kind == ACROSS_ASK) {
        shards_mark(world, SHARDS_ASKED);
    } else if (head.kind == ACROSS_RESERVED && across_outcome_of(message) == ACROSS_RULED) {
        shards_mark(world, SHARDS_RULED);
    } else if (head.kind == ACROSS_PENDING) {
        shards_mark(world, SHARDS_PENDING);
    } else if (head.kind == ACROSS_OFFER) {
        shards_mark(world, SHARDS_OFFERED);
    } else if (head.kind == ACROSS_DECLINE) {
        shards_mark(world, SHARDS_DECLINED);
    } else if (head.kind == ACROSS_CHECK && !is_check(world, &head.id)) {
        world->checks[world->check_count++ % SHARDS_CHECKS_MAX] = head.id;
    }
    shards_trace(world, "message %u of attempt %u.%llu.%llu", head.kind, head.id.home,
                 (unsigned long long)head.id.term, (unsigned long long)head.id.counter);
}

/* ---- seats */

/* Above the limit are only those who were allowed to, each by himself. */
static void check_over(struct shards_world *world, const struct campus *campus,
                       uint32_t section)
{
    uint32_t allowed = 0;
    struct campus_name name;

    campus_section_name(campus, section, &name);
    for (uint32_t course = 0; course < SHARDS_COURSES; course++) {
        for (uint32_t i = 0;
             i < SHARDS_STUDENTS &&
             slice_is_equal(name.code, slice_from_text(shards_course_name(course)));
             i++) {
            allowed +=
                (world->permits_ever[i][course] & CARILLON__PERMIT_KIND__PERMIT_CAPACITY) != 0;
        }
    }
    shards_mark(world, SHARDS_SEATED_BY_PERMIT);
    if (campus_section(campus, section)->over > allowed) {
        shards_fail(world, "%u over the limit, and %u who may",
                    campus_section(campus, section)->over, allowed);
    }
}

static void check_seats(struct shards_world *world, uint32_t shard)
{
    const struct campus *campus = campus_of(world, shard);
    const struct enrol_across *across = &world->shard[shard].truth->across;
    uint32_t held[SHARDS_COURSES * 2] = {0};
    uint32_t offered[SHARDS_COURSES * 2] = {0};

    for (uint32_t at = across->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(across, at)->next) {
        const struct enrol_hold *hold = enrol__hold(across, at);

        for (uint32_t i = 0; i < hold->op_count; i++) {
            if (hold->ops[i].what == ENROL_HELD_SEAT) {
                held[hold->ops[i].section]++;
            }
        }
    }
    for (uint32_t at = across->offer_first; at != CAMPUS_NONE;
         at = enrol__offer(across, at)->next) {
        offered[enrol__offer(across, at)->section]++;
    }
    for (uint32_t i = 0; i < campus->sections.count; i++) {
        const struct campus_section *section = campus_section(campus, i);

        if (section->over > 0) {
            check_over(world, campus, i);
        }
        if (section->capacity != CAMPUS_NONE &&
            section->enrolled + section->held + section->offered >
                section->capacity + section->over + section->excused) {
            shards_fail(world, "shard %u: %u seats, %u held and %u offered of %u", shard,
                        section->enrolled, section->held, section->offered, section->capacity);
        }
        if (section->offered != offered[i]) {
            shards_fail(world, "shard %u: %u offered, and %u offers", shard, section->offered,
                        offered[i]);
        }
        if (section->held != held[i]) {
            shards_fail(world, "shard %u: %u held, and %u on holds", shard, section->held,
                        held[i]);
        }
    }
}

/* ---- roster = schedule, but for what is decided and on its way */

/* What the student's hold in the section's shard will make of the roster, when the home has it
 * on its list; else nothing. */
static const struct enrol_hold *decided_hold(const struct shards_world *world, uint32_t home,
                                             uint32_t shard, uint32_t at_home, uint32_t there)
{
    const struct enrol_across *holds = &world->shard[shard].truth->across;
    const struct enrol_across *todos = &world->shard[home].truth->across;
    uint32_t slot = there == CAMPUS_NONE ? CAMPUS_NONE : enrol__hold_find(holds, there);

    if (slot == CAMPUS_NONE) {
        return NULL;
    }
    const struct enrol_hold *hold = enrol__hold(holds, slot);
    uint32_t item = enrol__todo_find(todos, at_home, &hold->id, shard);

    return item != CAMPUS_NONE && enrol__todo(todos, item)->verdict == ACROSS_CONFIRM ? hold
                                                                                      : NULL;
}

static void check_pair(struct shards_world *world, uint32_t student, uint32_t course)
{
    uint32_t home = shard_of(world, shards_student_name(student));
    uint32_t shard = shard_of(world, shards_course_name(course));
    const struct campus *at_home = campus_of(world, home);
    const struct campus *there = campus_of(world, shard);
    struct slice token = slice_from_text(shards_student_name(student));
    uint32_t student_home = campus_student_find(at_home, token);
    uint32_t student_there = campus_student_find(there, token);
    uint32_t section = section_in(there, course);
    bool is_waiting = has_place(at_home, student_home, section_in(at_home, course));
    bool is_in_line = has_place(there, student_there, section);
    bool is_scheduled = is_registered(at_home, student_home, section_in(at_home, course));
    bool is_seated = is_registered(there, student_there, section);
    const struct enrol_hold *hold =
        home == shard ? NULL : decided_hold(world, home, shard, student_home, student_there);

    for (uint32_t i = 0; hold != NULL && i < hold->op_count; i++) {
        if (hold->ops[i].section == section && hold->ops[i].what == ENROL_HELD_SEAT) {
            is_seated = true;
            is_in_line = false;
        } else if (hold->ops[i].section == section && hold->ops[i].what == ENROL_HELD_PLACE) {
            is_in_line = true;
        } else if (hold->ops[i].section == section &&
                   hold->ops[i].what == ENROL_HELD_PLACE_DROP) {
            is_in_line = false;
        } else if (hold->ops[i].section == section && hold->ops[i].what == ENROL_HELD_DROP) {
            is_seated = false;
        }
    }
    if (is_waiting != is_in_line) {
        shards_fail(world, "%s for %s: %s, and %s line", shards_student_name(student),
                    shards_course_name(course), is_waiting ? "waits" : "does not wait",
                    is_in_line ? "in" : "not in");
    }
    if (is_scheduled && is_waiting) {
        shards_fail(world, "%s has %s and waits for it", shards_student_name(student),
                    shards_course_name(course));
    }
    if (is_scheduled != is_seated) {
        shards_fail(world, "%s in %s: %s his schedule, %s the roster",
                    shards_student_name(student), shards_course_name(course),
                    is_scheduled ? "on" : "not on", is_seated ? "on" : "not on");
    }
}

/* Courses that go together, by the rules of shards_world_populate: whoever has the first has
 * the second, or has taken X1. */
static void check_beside(struct shards_world *world, uint32_t student, uint32_t ordinal,
                         const struct campus *campus)
{
    static const struct {
        uint32_t course;
        uint32_t beside;
        bool is_met_by_x1;
    } pairs[] = {
        {4, 5, false},
        {6, 7, true },
        {9, 3, false},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (is_registered(campus, ordinal, section_in(campus, pairs[i].course)) &&
            !is_registered(campus, ordinal, section_in(campus, pairs[i].beside)) &&
            (world->permits_ever[student][pairs[i].course] &
             CARILLON__PERMIT_KIND__PERMIT_RULE) == 0 &&
            !(pairs[i].is_met_by_x1 && student % 4 != 0)) {
            shards_fail(world, "%s has %s without %s", shards_student_name(student),
                        shards_course_name(pairs[i].course),
                        shards_course_name(pairs[i].beside));
        }
    }
}

/* The home keeps what the registrar said last, of sections of whatever shard. */
static void check_permits(struct shards_world *world, uint32_t student,
                          const struct campus_student *of, const struct campus *campus)
{
    for (uint32_t course = 0; course < SHARDS_COURSES; course++) {
        uint32_t section = section_in(campus, course);
        const struct campus_permit *permit =
            section == CAMPUS_NONE ? NULL : campus_permit_find(of, section);
        uint32_t kinds = permit == NULL ? 0 : permit->kinds;

        if (kinds != world->permits[student][course]) {
            shards_fail(world, "%s has permits %u for %s instead of %u",
                        shards_student_name(student), kinds, shards_course_name(course),
                        world->permits[student][course]);
        }
    }
}

static void check_student(struct shards_world *world, uint32_t student)
{
    const struct campus *campus =
        campus_of(world, shard_of(world, shards_student_name(student)));
    uint32_t ordinal =
        campus_student_find(campus, slice_from_text(shards_student_name(student)));

    if (campus_student(campus, ordinal)->registration_count > SHARDS_COURSES_MAX_MOST) {
        shards_fail(world, "%s has %u courses", shards_student_name(student),
                    campus_student(campus, ordinal)->registration_count);
    }
    check_beside(world, student, ordinal, campus);
    check_permits(world, student, campus_student(campus, ordinal), campus);
    for (uint32_t course = 0; course < SHARDS_COURSES; course++) {
        check_pair(world, student, course);
    }
}

void shards_check_all(struct shards_world *world)
{
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        check_student(world, i);
    }
    for (uint32_t i = 0; i < world->shard_count; i++) {
        check_seats(world, i);
    }
}

static void mark_fact(struct shards_world *world, uint32_t shard,
                      const struct enrol_result *result)
{
    uint64_t newest = enrol_fact_newest(world->shard[shard].truth);

    shards_mark(world, result->is_outdated   ? SHARDS_FACT_OUTDATED
                       : result->is_repeated ? SHARDS_FACT_REPEATED
                                             : SHARDS_FACT);
    for (uint32_t i = 0; i < world->shard_count; i++) {
        if (enrol_fact_newest(world->shard[i].truth) + 1 < newest) {
            shards_mark(world, SHARDS_FACTS_APART);
            return;
        }
    }
}

void shards_check_entry(struct shards_world *world, uint32_t shard,
                        const struct shards_entry *entry, const struct enrol_result *result)
{
    shards_trace(world, "shard %u #%llu: method %x: %s %.*s", shard,
                 (unsigned long long)result->index, entry->method, error_name(result->status),
                 (int)result->text.len,
                 result->text.len > 0 ? (const char *)result->text.data : "");
    if (entry->key.len > 0) {
        check_outcome(world, entry, result);
    }
    if (entry->method == ENROL_ENTRY_DECIDE) {
        mark_decision(world, entry, result);
    } else if (entry->method == ENROL_ENTRY_RESERVE) {
        mark_reserve(world, result);
    } else if (entry->method == ENROL_ENTRY_REFRESH) {
        shards_mark(world, SHARDS_LEARNT);
    } else if (entry->method == ENROL_ENTRY_FACT) {
        mark_fact(world, shard, result);
    }
    shards_check_facts(world, shard);
    check_seats(world, shard);
    if (result->student != CAMPUS_NONE) {
        struct slice token = campus_profile_token(
            campus_student(campus_of(world, shard), result->student)->profile);

        check_student(world, student_of(token));
        check_hold(world, shard, result->student);
    }
    if (world->shard[shard].committed % ALL_EVERY == 0) {
        shards_check_all(world);
    }
}

/* ---- rosters */

/* Somebody wants to read a roster. Whoever has the course by now, decided and on his schedule,
 * and keeps it, is on it. */
void shards_roster(struct shards_world *world)
{
    uint32_t course = (uint32_t)rng_below(&world->rng, SHARDS_COURSES);
    uint32_t shard = shard_of(world, shards_course_name(course));
    struct shards_shard *of = &world->shard[shard];

    if (!of->is_led || of->applied < of->noop) {
        return; /* the reader goes by a read point of this term */
    }
    world->roster.client++;
    world->roster.course = course;
    world->roster.index = of->applied;
    world->roster.deadline_ms = world->now_ms + ROSTER_MS;
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        const struct campus *home = campus_of(world, shard_of(world, shards_student_name(i)));

        world->roster.had[i] = is_registered(
            home, campus_student_find(home, slice_from_text(shards_student_name(i))),
            section_in(home, course));
    }
    int rc = across_roster(of->across, world->now_ms, world->roster.deadline_ms,
                           section_in(&of->enrol->campus, course),
                           SHARDS_ROSTER_CLIENT + world->roster.client);

    ASSERT(rc == OK || rc == ERR_BUSY);
    if (rc == OK && across_effect_count(of->across) > 1) {
        shards_mark(world, SHARDS_ROSTER_WAITED);
    }
    shards_perform(world, shard);
}

/* "Decided counts, undecided is shown as pending." */
void shards_check_roster(struct shards_world *world, uint32_t shard, uint64_t client)
{
    const struct enrol *enrol = world->shard[shard].enrol;
    uint32_t course = world->roster.course;
    uint32_t section = section_in(&enrol->campus, course);

    if (client != SHARDS_ROSTER_CLIENT + world->roster.client) {
        return; /* another was begun meanwhile */
    }
    for (uint32_t i = 0; i < SHARDS_STUDENTS; i++) {
        struct slice token = slice_from_text(shards_student_name(i));
        const struct campus *home = campus_of(world, shard_of(world, shards_student_name(i)));
        uint32_t there = campus_student_find(&enrol->campus, token);
        bool has =
            is_registered(home, campus_student_find(home, token), section_in(home, course));
        uint32_t slot =
            there == CAMPUS_NONE ? CAMPUS_NONE : enrol__hold_find(&enrol->across, there);
        bool is_pending =
            slot != CAMPUS_NONE &&
            (world->now_ms >= world->roster.deadline_ms ||
             enrol__hold(&enrol->across, slot)->since_index > world->roster.index);

        if (world->roster.had[i] && has && !is_pending &&
            !is_registered(&enrol->campus, there, section)) {
            shards_fail(world, "%s has %s, and is neither on its roster nor pending",
                        shards_student_name(i), shards_course_name(course));
        }
    }
}

/* ---- when all has healed */

/* Whether the home would let the student have the seat that he waits for. */
static bool is_eligible(struct shards_world *world, uint32_t student, uint32_t course)
{
    struct enrol *home = world->shard[shard_of(world, shards_student_name(student))].truth;
    uint32_t place = campus_place_find(
        &home->campus,
        campus_student_find(&home->campus, slice_from_text(shards_student_name(student))),
        section_in(&home->campus, course));
    struct enrol_parts *parts = enrol__scratch(home, sizeof *parts);
    struct enrol_attempt *attempt = enrol__scratch(home, sizeof *attempt);

    if (place == CAMPUS_NONE) {
        return false;
    }
    enrol__promotion_make(home, campus_place(&home->campus, place),
                          FIXTURE_WALL_MS + world->now_ms, attempt);
    for (uint32_t i = 0; i < attempt->op_count; i++) {
        const struct campus_section *section =
            campus_section(&home->campus, attempt->ops[i].section);

        parts->of[i].is_foreign = campus_course(&home->campus, section->course)->is_foreign;
        parts->of[i].what = ENROL_HELD_SEAT;
        parts->of[i].section = attempt->ops[i].section;
    }
    attempt->parts = parts;
    enrol__attempt_judge(attempt);
    return attempt->refusal_count == 0;
}

/* The homes say nothing of rules that are the section's: courses without any. */
static void check_lines(struct shards_world *world)
{
    static const bool has_rule[SHARDS_COURSES] = {
        [4] = true, [6] = true, [7] = true, [8] = true, [9] = true};

    for (uint32_t course = 0; course < SHARDS_COURSES; course++) {
        const struct campus *campus =
            campus_of(world, shard_of(world, shards_course_name(course)));
        uint32_t section = section_in(campus, course);

        if (has_rule[course] || campus_section_is_full(campus_section(campus, section))) {
            continue;
        }
        for (uint32_t at = campus_section(campus, section)->wait_first; at != CAMPUS_NONE;
             at = campus_place(campus, at)->next) {
            const struct campus_place *place = campus_place(campus, at);
            uint32_t student = student_of(
                campus_profile_token(campus_student(campus, place->student)->profile));

            if (place->passed_ms + ENROL_OFFER_AGAIN_MS + 2ULL * ENROL_OFFER_MS <
                    FIXTURE_WALL_MS + world->now_ms &&
                is_eligible(world, student, course)) {
                shards_fail(world, "%s waits for %s, where a seat is free",
                            shards_student_name(student), shards_course_name(course));
            }
        }
    }
}

static void check_whole(struct shards_world *world, uint32_t shard)
{
    struct enrol_verify *verify = enrol_verify_begin(world->shard[shard].truth);
    struct buf packed;

    buf_init(&packed, 1 << 20);
    while (enrol_verify_step(verify) == SM_PENDING) {
    }
    int rc = enrol_verify_end(verify, &packed);
    Carillon__VerifyReply *reply =
        carillon__verify_reply__unpack(NULL, packed.len, packed.data);

    ASSERT(rc == OK && reply != NULL);
    if (!reply->ok) {
        shards_fail(world, "shard %u: %s", shard, reply->findings[0]);
    }
    if (reply->state_hash != enrol_hash(world->shard[shard].truth)) {
        shards_fail(world, "shard %u: the hash of verify is another", shard);
    }
    carillon__verify_reply__free_unpacked(reply, NULL);
    buf_fini(&packed);
}

void shards_check_end(struct shards_world *world)
{
    check_lines(world);
    shards_check_facts_end(world);
    for (uint32_t i = 0; i < world->shard_count; i++) {
        const struct shards_shard *of = &world->shard[i];

        if (of->truth->across.todo_count > 0 || of->truth->across.hold_count > 0) {
            shards_fail(world, "shard %u: %u decisions not told, %u holds not settled", i,
                        of->truth->across.todo_count, of->truth->across.hold_count);
        }
        if (of->truth->across.offer_count > 0 &&
            enrol__offer(&of->truth->across, of->truth->across.offer_first)->since_ms +
                    2ULL * ENROL_OFFER_MS <
                FIXTURE_WALL_MS + world->now_ms) {
            shards_fail(world, "shard %u: an offer without end", i);
        }
        check_whole(world, i);
        if (across_flight_count(of->across) > 0) {
            shards_fail(world, "shard %u: %u requests under way for ever", i,
                        across_flight_count(of->across));
        }
        if (across_inquiry_count(of->across) > 0) {
            shards_fail(world, "shard %u: %u questions open for ever", i,
                        across_inquiry_count(of->across));
        }
        if (of->applied == of->committed && enrol_hash(of->enrol) != enrol_hash(of->truth)) {
            shards_fail(world, "shard %u: the leader's state differs", i);
        }
    }
    for (uint32_t i = 0; i < world->request_count; i++) {
        const struct shards_request *request = &world->requests[i];

        if (!request->is_answered && !request->is_given_up) {
            shards_fail(world, "request %u was never answered", i);
        }
    }
}
