/* Several shards: each student's record by itself, in the order of his home's log.
 *
 * What a request leaves in a student's record is one entry of his home, whatever shards its
 * sections lie in, and so is every promotion. What other students do reaches a record only
 * through seats: whether there was one is not judged here but taken from the answers. So the
 * record has few ways to have gone: an add that would wait met a full section or did not; a
 * place became a seat in some entry or did not; a request without an answer happened or did
 * not. All of them are followed at once, and a history is wrong when none is left.
 *
 * Sections count as full (capacity 0) or without a limit here, as each step needs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { WAYS_MAX = 2048, UNKNOWN_MAX = 64, OPEN_ADDS_MAX = 6 };

/* One way it may have gone so far. */
struct way {
    struct witness_state *state;
    uint64_t used; /* bits of unanswered requests that have happened */
    uint64_t hash;
    bool is_spread;
};

struct ways {
    struct way rows[WAYS_MAX];
    int count;
    bool is_over; /* there were more */
};

struct record_step {
    uint64_t index;
    int deed; /* WITNESS_NONE: a read */
    int call; /* whose answer is looked at; WITNESS_NONE: nobody was told more than the status
               */
    int line;
};

struct record {
    struct witness_history *history;
    const struct witness_deeds *deeds;
    int student;
    int group;
    struct record_step *steps;
    int step_count;
    int unknown[UNKNOWN_MAX];
    int unknown_count;
    struct ways now;
    struct ways next;
    struct witness_items expected;
};

int witness__group_find(const struct witness_deeds *deeds, uint32_t group)
{
    for (int i = 0; i < deeds->group_count; i++) {
        if (deeds->groups[i] == group) {
            return i;
        }
    }
    return WITNESS_NONE;
}

/* ---- ways ---- */

static void ways_clear(struct ways *ways)
{
    for (int i = 0; i < ways->count; i++) {
        free(ways->rows[i].state);
    }
    ways->count = 0;
}

static struct witness_state *state_copy(const struct witness_state *from)
{
    struct witness_state *state = malloc(sizeof *state);

    ASSERT(state != NULL);
    witness__state_copy(state, from);
    return state;
}

static int by_section(const void *a, const void *b)
{
    const struct witness_seat *left = a;
    const struct witness_seat *right = b;

    return left->section - right->section;
}

static int by_section_waited_for(const void *a, const void *b)
{
    const struct witness_place *left = a;
    const struct witness_place *right = b;

    return left->section - right->section;
}

/* Ways that came to the same are made the same: no order of seats and places, which no rule
 * looks at, and nothing kept that no seat is since. All sections are full: nothing is promoted
 * by the way. */
static void settle_down(struct witness_state *state)
{
    struct witness_hidden kept[WITNESS_UNKNOWN_MAX];
    int count = 0;

    memset(state->capacity, 0, sizeof state->capacity);
    qsort(state->seats, (size_t)state->seat_count, sizeof *state->seats, by_section);
    qsort(state->places, (size_t)state->place_count, sizeof *state->places,
          by_section_waited_for);
    for (int i = 0; i < state->seat_count; i++) {
        struct witness_seat *seat = &state->seats[i];

        if (seat->since >= WITNESS_HIDDEN_BASE) {
            kept[count] = state->hidden[seat->since - WITNESS_HIDDEN_BASE];
            seat->since = WITNESS_HIDDEN_BASE + (uint64_t)count++;
        }
        seat->is_over = false;
    }
    for (int i = 0; i < state->place_count; i++) {
        state->places[i].since = 0;
    }
    memcpy(state->hidden, kept, (size_t)count * sizeof *kept);
    state->hidden_count = count;
}

static uint64_t way_hash(struct witness_state *state, uint64_t used)
{
    int count = state->hidden_count;

    state->hidden_count = 0; /* the ways that differ only in since when are one */
    uint64_t hash = witness__state_hash(state) ^ used * UINT64_C(0xff51afd7ed558ccd);
    state->hidden_count = count;
    return hash;
}

/* Of one way and another that came to the same, since when may be either. */
static void way_widen(struct way *way, const struct witness_state *other)
{
    for (int i = 0; i < other->hidden_count; i++) {
        struct witness_hidden *hidden = &way->state->hidden[i];
        const struct witness_hidden *also = &other->hidden[i];

        if (also->low < hidden->low || also->high > hidden->high) {
            hidden->low = also->low < hidden->low ? also->low : hidden->low;
            hidden->high = also->high > hidden->high ? also->high : hidden->high;
            way->is_spread = false;
        }
    }
}

/* Takes the state. */
static void ways_add(struct ways *ways, struct witness_state *state, uint64_t used)
{
    settle_down(state);
    uint64_t hash = way_hash(state, used);

    for (int i = 0; i < ways->count; i++) {
        if (ways->rows[i].hash == hash && ways->rows[i].used == used) {
            way_widen(&ways->rows[i], state);
            free(state);
            return;
        }
    }
    if (ways->count == WAYS_MAX) {
        ways->is_over = true;
        free(state);
        return;
    }
    ways->rows[ways->count++] = (struct way){.state = state, .used = used, .hash = hash};
}

/* The place in the log of what nobody was told, between two that are known. */
static uint64_t hidden_add(struct witness_state *state, uint64_t low, uint64_t high)
{
    ASSERT(state->hidden_count < WITNESS_UNKNOWN_MAX);
    state->hidden[state->hidden_count] =
        (struct witness_hidden){.deed = WITNESS_NONE, .low = low, .high = high};
    return WITNESS_HIDDEN_BASE + (uint64_t)state->hidden_count++;
}

/* ---- what a request did ---- */

/* Whether it is open what the section's shard said of wish @n: full or not. */
static bool is_open_add(const struct witness_state *state, const struct witness_call *call,
                        int n)
{
    const struct witness_wish *wish = &call->wishes[n];
    uint32_t permits = witness__permits(state, call->student, wish->section);

    return !wish->is_drop && (wish->is_wait || (permits & WITNESS_PERMIT_CAPACITY) != 0);
}

static int open_adds(const struct witness_state *state, const struct witness_call *call)
{
    int count = 0;

    for (int i = 0; i < call->wish_count && call->verb == WITNESS_SUBMIT; i++) {
        count += is_open_add(state, call, i);
    }
    return count;
}

/* Bits of @full, one for each open add: which met a full section. A section named twice is the
 * first one's. */
static void suppose_full(struct witness_state *state, const struct witness_call *call,
                         uint32_t full)
{
    int bit = 0;

    for (int i = 0; i < call->wish_count && call->verb == WITNESS_SUBMIT; i++) {
        const struct witness_wish *wish = &call->wishes[i];
        bool is_full = is_open_add(state, call, i) && (full >> bit++ & 1) != 0;
        bool is_first = !wish->is_drop;

        for (int k = 0; k < i; k++) {
            is_first = is_first && call->wishes[k].section != wish->section;
        }
        if (is_first) {
            state->capacity[wish->section] = is_full ? 0 : WITNESS_UNLIMITED;
        }
    }
}

/* What depends on seats, and so on others. Where one add of a request took a place, what
 * another asks for beside may have been judged with that place as a seat. */
static bool is_of_others(const struct witness_call *call, const struct witness_item *item)
{
    bool is_wait = false;

    if (item->kind != WITNESS_ITEM_REFUSAL) {
        return false;
    }
    for (int i = 0; i < call->wish_count; i++) {
        is_wait |= call->wishes[i].is_wait;
    }
    return item->code == WITNESS_SEAT_UNAVAILABLE || item->code == WITNESS_SEAT_UNDECIDED ||
           item->code == WITNESS_WAITLIST_AVAILABLE || item->code == WITNESS_WAITLIST_FULL ||
           (is_wait && item->code == WITNESS_COREQUISITE_MISSING);
}

static bool items_agree(const struct record *record, const struct witness_call *call)
{
    const struct witness_item *told = record->history->items + call->answer.item_first;
    int count = call->answer.item_count;
    int at = 0;

    for (int i = 0; i < record->expected.count; i++) {
        const struct witness_item *item = &record->expected.rows[i];

        if (is_of_others(call, item)) {
            continue;
        }
        while (at < count && is_of_others(call, &told[at])) {
            at++;
        }
        if (at == count || told[at].kind != item->kind || told[at].code != item->code ||
            told[at].who != item->who ||
            (item->kind == WITNESS_ITEM_NUMBER && told[at].count != item->count)) {
            return false;
        }
        at++;
    }
    while (at < count && is_of_others(call, &told[at])) {
        at++;
    }
    return at == count;
}

/* A request may be refused for seats alone: then nothing of the record spoke against it. */
static bool is_refused_by_others(const struct record *record, const struct witness_call *call)
{
    const struct witness_item *told = record->history->items + call->answer.item_first;
    bool is_all = call->answer.item_count > 0;

    for (int i = 0; i < call->answer.item_count; i++) {
        is_all = is_all && is_of_others(call, &told[i]);
    }
    return is_all;
}

static bool is_told(const struct record *record, const struct record_step *step,
                    enum witness_status status)
{
    enum witness_status told = record->deeds->rows[step->deed].status;
    bool is_by_others = status == WITNESS_OK && told == WITNESS_NO;

    if (step->call == WITNESS_NONE) {
        return status == told || is_by_others;
    }
    const struct witness_call *call = &record->history->calls[step->call];

    return is_by_others ? is_refused_by_others(record, call)
                        : status == told && items_agree(record, call);
}

/* ---- between two steps ---- */

/* Every place may have become a seat, in an entry at or behind the step before. */
static void promote_from(struct record *record, const struct way *way, uint64_t low,
                         uint64_t high)
{
    for (int at = 0; at < way->state->place_count; at++) {
        struct witness_state *state = state_copy(way->state);

        if (state->hidden_count < WITNESS_UNKNOWN_MAX &&
            witness__promote(state, at, hidden_add(state, low, high))) {
            ways_add(&record->now, state, way->used);
        } else {
            free(state);
        }
    }
}

static bool is_key_used(const struct record *record, uint64_t used, int number)
{
    const struct witness_deed *rows = record->deeds->rows;
    int key = rows[record->unknown[number]].key;

    for (int i = 0; i < record->unknown_count; i++) {
        if ((used >> i & 1) != 0 &&
            (i == number || (key != WITNESS_NONE && rows[record->unknown[i]].key == key))) {
            return true;
        }
    }
    return false;
}

/* Every request without an answer may have happened. */
static void suppose_from(struct record *record, const struct way *way, uint64_t low,
                         uint64_t high)
{
    for (int i = 0; i < record->unknown_count; i++) {
        const struct witness_deed *deed = &record->deeds->rows[record->unknown[i]];
        const struct witness_call *call = &record->history->calls[deed->call];
        uint64_t behind = deed->floor[record->group] + 1;
        uint64_t first = behind > low ? behind : low;
        int open = open_adds(way->state, call);

        record->now.is_over |= open > OPEN_ADDS_MAX;
        if (first > high || is_key_used(record, way->used, i) || open > OPEN_ADDS_MAX) {
            continue;
        }
        for (uint32_t full = 0; full < 1U << open; full++) {
            struct witness_state *state = state_copy(way->state);

            suppose_full(state, call, full);
            if (state->hidden_count < WITNESS_UNKNOWN_MAX &&
                witness__apply(state, call, hidden_add(state, first, high),
                               &record->expected) == WITNESS_OK) {
                ways_add(&record->now, state, way->used | UINT64_C(1) << i);
            } else {
                free(state);
            }
        }
    }
}

/* All that may have happened before step @at. What is added is looked at in its turn. */
static void spread(struct record *record, int at)
{
    const struct record_step *step = &record->steps[at];
    const struct record_step *before = at > 0 ? step - 1 : NULL;
    uint64_t behind = before == NULL ? 1 : before->index + 1;
    bool is_behind_entry = before != NULL && before->deed != WITNESS_NONE;
    bool is_read = step->deed == WITNESS_NONE;

    for (int i = 0; i < record->now.count;) {
        struct way *way = &record->now.rows[i++];

        if (!way->is_spread) {
            const struct way from = *way;

            way->is_spread = true;
            promote_from(record, &from, is_behind_entry ? before->index : behind, step->index);
            suppose_from(record, &from, behind, is_read ? step->index : step->index - 1);
            i = 0; /* one before may have been widened */
        }
    }
}

/* ---- a step ---- */

/* The answer says of each add whether it met a full section. Returns: whether it does. */
static bool full_by_answer(const struct record *record, const struct witness_state *state,
                           const struct witness_call *call, uint32_t *ret_full)
{
    const struct witness_item *told = record->history->items + call->answer.item_first;
    int bit = 0;

    *ret_full = 0;
    if (call->answer.status != WITNESS_OK || call->answer.item_count != call->wish_count) {
        return false;
    }
    for (int i = 0; i < call->wish_count; i++) {
        if (is_open_add(state, call, i)) {
            *ret_full |= (uint32_t)(told[i].code == WITNESS_WAITLISTED) << bit++;
        }
    }
    return true;
}

static void try_entry(struct record *record, const struct way *way,
                      const struct record_step *step, uint32_t full)
{
    const struct witness_deed *deed = &record->deeds->rows[step->deed];
    int number = step->call != WITNESS_NONE ? step->call : deed->call;
    const struct witness_call *call = &record->history->calls[number];
    struct witness_state *state = state_copy(way->state);

    suppose_full(state, call, full);
    enum witness_status status = witness__apply(state, call, step->index, &record->expected);
    if (!is_told(record, step, status)) {
        free(state);
        return;
    }
    if (deed->status != WITNESS_OK) {
        witness__state_copy(state, way->state); /* seats stood in the way */
    }
    ways_add(&record->next, state, way->used);
}

static void perform_entry(struct record *record, const struct way *way,
                          const struct record_step *step)
{
    const struct witness_deed *deed = &record->deeds->rows[step->deed];
    int number = step->call != WITNESS_NONE ? step->call : deed->call;
    const struct witness_call *call = &record->history->calls[number];
    int open = open_adds(way->state, call);
    uint32_t full = 0;

    if (call->verb == WITNESS_SUBMIT && full_by_answer(record, way->state, call, &full)) {
        try_entry(record, way, step, full);
        return;
    }
    if (open > OPEN_ADDS_MAX) {
        record->next.is_over = true;
        return;
    }
    for (full = 0; full < 1U << open; full++) {
        try_entry(record, way, step, full);
    }
}

/* The first read that shows since when fixes it. */
static bool is_since(struct witness_state *state, struct witness_seat *seat, uint64_t since)
{
    if (seat->since < WITNESS_HIDDEN_BASE) {
        return seat->since == since;
    }
    const struct witness_hidden *hidden = &state->hidden[seat->since - WITNESS_HIDDEN_BASE];

    if (since < hidden->low || since > hidden->high) {
        return false;
    }
    seat->since = since;
    return true;
}

static bool shows(const struct record *record, struct witness_state *state,
                  const struct witness_call *call)
{
    const struct witness_item *told = record->history->items + call->answer.item_first;

    if (call->answer.item_count != state->seat_count + state->place_count) {
        return false;
    }
    for (int i = 0; i < call->answer.item_count; i++) {
        bool is_seat = told[i].kind == WITNESS_ITEM_SEAT;
        int at = is_seat ? witness__seat_find(state, record->student, told[i].who)
                         : witness__place_find(state, record->student, told[i].who);

        for (int k = 0; k < i; k++) {
            if (told[k].kind == told[i].kind && told[k].who == told[i].who) {
                return false;
            }
        }
        if (at == WITNESS_NONE ||
            (is_seat && !is_since(state, &state->seats[at], told[i].since))) {
            return false;
        }
    }
    return true;
}

/* "No answer is kept under this key": then its request has not happened. */
static bool is_without_outcome(const struct record *record, const struct way *way,
                               const struct witness_call *call)
{
    for (int i = 0; i < record->deeds->count; i++) {
        const struct witness_deed *deed = &record->deeds->rows[i];
        bool is_asked = deed->key == call->word &&
                        record->history->calls[deed->call].student == call->student;

        if (is_asked && deed->status != WITNESS_UNKNOWN &&
            deed->at.index <= call->answer.at.index) {
            return false;
        }
    }
    for (int i = 0; i < record->unknown_count; i++) {
        if ((way->used >> i & 1) != 0 &&
            record->deeds->rows[record->unknown[i]].key == call->word) {
            return false;
        }
    }
    return true;
}

static void perform_read(struct record *record, const struct way *way,
                         const struct record_step *step)
{
    const struct witness_call *call = &record->history->calls[step->call];
    struct witness_state *state = state_copy(way->state);
    bool fits = true;

    if (call->verb == WITNESS_SCHEDULE) {
        fits = shows(record, state, call);
    } else if (call->verb == WITNESS_OUTCOME && call->answer.item_count == 1 &&
               record->history->items[call->answer.item_first].kind == WITNESS_ITEM_NOTHING) {
        fits = is_without_outcome(record, way, call);
    }
    if (fits) {
        ways_add(&record->next, state, way->used);
    } else {
        free(state);
    }
}

static void complain(struct record *record, const struct record_step *step)
{
    int number = step->call != WITNESS_NONE ? step->call : record->deeds->rows[step->deed].call;
    const struct witness_call *call = &record->history->calls[number];
    char told[400];
    char expected[400] = "";

    witness__items_print(record->history, call,
                         record->history->items + call->answer.item_first,
                         call->answer.item_count, told, sizeof told);
    if (call->verb == WITNESS_SCHEDULE) {
        (void)witness__look(record->now.rows[0].state, call, &record->expected);
        witness__items_print(record->history, call, record->expected.rows,
                             record->expected.count, expected, sizeof expected);
    }
    (void)witness__wrong(record->history,
                         step->deed == WITNESS_NONE ? WITNESS_READ : WITNESS_ANSWER, step->line,
                         "%s of line %d at %llu: told%s, and of %d ways it may have gone none "
                         "leads there; the first has%s",
                         witness__verbs[call->verb], call->line,
                         (unsigned long long)step->index, told, record->now.count, expected);
}

/* ---- one student ---- */

static int by_index(const void *a, const void *b)
{
    const struct record_step *left = a;
    const struct record_step *right = b;

    if (left->index != right->index) {
        return left->index < right->index ? -1 : 1;
    }
    bool is_entry = left->deed != WITNESS_NONE;
    return is_entry != (right->deed != WITNESS_NONE) ? (is_entry ? -1 : 1)
                                                     : left->line - right->line;
}

/* Returns: whether it is in the group that all of the student are in. */
static bool step_add(struct record *record, const struct witness_place_in_log *at,
                     struct record_step step)
{
    int group = witness__group_find(record->deeds, at->group);

    if (record->step_count > 0 && group != record->group) {
        return witness__wrong(record->history, WITNESS_POSITION, step.line,
                              "%s is at home in two shards",
                              record->history->students.text[record->student]);
    }
    record->group = group;
    record->steps[record->step_count++] = step;
    return true;
}

static bool steps_make(struct record *record)
{
    const struct witness_history *history = record->history;
    bool is_right = true;

    for (int i = 0; i < record->deeds->count && is_right; i++) {
        const struct witness_deed *deed = &record->deeds->rows[i];

        if (history->calls[deed->call].student != record->student) {
            continue;
        }
        if (deed->status != WITNESS_UNKNOWN) {
            is_right =
                step_add(record, &deed->at,
                         (struct record_step){deed->at.index, i, deed->told, deed->line});
        } else if (deed->may_have_happened && record->unknown_count < UNKNOWN_MAX) {
            record->unknown[record->unknown_count++] = i;
        } else if (deed->may_have_happened) {
            record->now.is_over = true;
        }
    }
    for (int i = 0; i < history->call_count && is_right; i++) {
        const struct witness_call *call = &history->calls[i];

        if (call->student == record->student && call->verb >= WITNESS_CHECK &&
            call->answer.at.index != 0) {
            is_right = step_add(record, &call->answer.at,
                                (struct record_step){call->answer.at.index, WITNESS_NONE, i,
                                                     call->answer.line});
        }
    }
    qsort(record->steps, (size_t)record->step_count, sizeof *record->steps, by_index);
    return is_right;
}

/* Returns: whether it could be followed. */
static bool follow(struct record *record)
{
    struct witness_state *empty = malloc(sizeof *empty);

    ASSERT(empty != NULL);
    witness__state_init(empty, record->history);
    empty->limits[2] = WITNESS_PLACES_MAX; /* how long a line is, is not known here */
    ways_add(&record->now, empty, 0);
    for (int at = 0; at < record->step_count; at++) {
        const struct record_step *step = &record->steps[at];

        spread(record, at);
        for (int i = 0; i < record->now.count; i++) {
            if (step->deed != WITNESS_NONE) {
                perform_entry(record, &record->now.rows[i], step);
            } else {
                perform_read(record, &record->now.rows[i], step);
            }
            record->history->result->tried++;
        }
        if (record->next.count == 0 && !record->now.is_over && !record->next.is_over) {
            complain(record, step);
            break;
        }
        ways_clear(&record->now);
        record->next.is_over |= record->now.is_over;
        record->now = record->next;
        record->next.count = 0;
    }
    bool is_decided = !record->now.is_over && !record->next.is_over;

    ways_clear(&record->now);
    ways_clear(&record->next);
    return is_decided;
}

bool witness__records(struct witness_history *history, const struct witness_deeds *deeds)
{
    struct record *record = malloc(sizeof *record);
    size_t count = (size_t)(deeds->count + history->call_count) + 1;
    struct record_step *steps = calloc(count, sizeof *steps);
    bool is_decided = true;

    ASSERT(record != NULL && steps != NULL);
    for (int i = 0; i < history->students.count && history->result->kind == WITNESS_GOOD; i++) {
        memset(record, 0, sizeof *record);
        record->history = history;
        record->deeds = deeds;
        record->student = i;
        record->steps = steps;
        if (steps_make(record)) {
            is_decided = follow(record) && is_decided;
        }
    }
    free(steps);
    free(record);
    return is_decided;
}
