/* Several shards: each section's seats and its roster, against what its students were told.
 *
 * When a section's shard hears of a decision is not in a history. But a roster is read only
 * when every request that held anything there as the read began is settled. So, of each
 * student, it shows the section as his home had it at some moment between the read's request
 * and its answer. And a seat is reserved in the section's own log, in order with its caps: of
 * those who have one without a permit, whoever reserved last found room beside all the others.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { HAS_NOTHING = 1, HAS_SEAT = 2, HAS_PLACE = 4 }; /* bits of what may be */

/* From some moment on a student has the section, waits for it, or neither. */
struct point {
    uint64_t index; /* in his home */
    int begin;      /* the line in which it was asked for, */
    int end;        /* and in which it was known */
    uint32_t has;
    uint64_t behind; /* the section's group as it was known when it was asked for */
    bool is_read;
};

/* A student and the section. */
struct pair {
    struct point *points;
    int count;
    int room;
    int wild;        /* the first line of a request without an answer that may have moved it */
    bool has_permit; /* was ever spoken of: seats may lie over capacity */
};

struct cap {
    uint64_t index; /* 0: it may have been at any time since @begin */
    int begin;
    uint32_t capacity;
};

struct view {
    struct witness_history *history;
    const struct witness_deeds *deeds;
    int section;
    int group; /* of the section, or WITNESS_NONE while nobody names a place there */
    struct pair pairs[WITNESS_STUDENTS_MAX];
    struct cap *caps; /* those with a place first, in order */
    int cap_count;
    int cap_room;
};

/* ---- what is known of a pair ---- */

static void point_add(struct pair *pair, struct point point)
{
    pair->points = witness__grow(pair->points, pair->count, &pair->room, sizeof *pair->points);
    pair->points[pair->count++] = point;
}

static bool names(const struct view *view, const struct witness_call *call)
{
    for (int i = 0; i < call->wish_count; i++) {
        const struct witness_wish *wish = &call->wishes[i];

        if (wish->section == view->section) {
            return true;
        }
        for (int k = 0; k < wish->drop_count; k++) {
            if (wish->drops[k] == view->section) {
                return true;
            }
        }
    }
    return false;
}

static void wild_from(struct pair *pair, int line)
{
    if (pair->wild == 0 || line < pair->wild) {
        pair->wild = line;
    }
}

/* A promotion that drops this section takes it in an entry that nobody is told of. */
static void look_at_drops(struct view *view, const struct witness_call *call, struct pair *pair)
{
    for (int i = 0; i < call->wish_count; i++) {
        for (int k = 0; k < call->wishes[i].drop_count; k++) {
            if (call->wishes[i].drops[k] == view->section) {
                wild_from(pair, call->line);
            }
        }
    }
}

static void look_at_change(struct view *view, const struct witness_deed *deed,
                           struct pair *pair)
{
    static const uint32_t after[WITNESS_CHANGES] = {[WITNESS_REGISTERED] = HAS_SEAT,
                                                    [WITNESS_DROPPED] = HAS_NOTHING,
                                                    [WITNESS_WAITLISTED] = HAS_PLACE,
                                                    [WITNESS_LEFT] = HAS_NOTHING};
    const struct witness_history *history = view->history;
    const struct witness_call *call = &history->calls[deed->call];

    for (int i = 0; i < call->wish_count; i++) {
        if (call->wishes[i].section != view->section) {
            continue;
        }
        if (deed->told == WITNESS_NONE) {
            wild_from(pair, call->line);
            return;
        }
        const struct witness_answer *answer = &history->calls[deed->told].answer;

        if (i < answer->item_count &&
            history->items[answer->item_first + i].kind == WITNESS_ITEM_CHANGE) {
            point_add(pair,
                      (struct point){.index = deed->at.index,
                                     .begin = call->line,
                                     .end = deed->line,
                                     .has = after[history->items[answer->item_first + i].code],
                                     .behind = view->group == WITNESS_NONE
                                                   ? 0
                                                   : deed->floor[view->group]});
        }
    }
}

static void look_at_deed(struct view *view, const struct witness_deed *deed)
{
    const struct witness_call *call = &view->history->calls[deed->call];

    if (call->student == WITNESS_NONE) {
        return;
    }
    struct pair *pair = &view->pairs[call->student];

    if (call->verb == WITNESS_PERMIT && call->section == view->section) {
        pair->has_permit = true;
    }
    if (call->verb != WITNESS_SUBMIT || !names(view, call)) {
        return;
    }
    look_at_drops(view, call, pair);
    if (deed->status == WITNESS_OK) {
        look_at_change(view, deed, pair);
    } else if (deed->may_have_happened) {
        wild_from(pair, call->line);
    }
}

/* A schedule says what its student has, at a place of his home. */
static void look_at_schedule(struct view *view, const struct witness_call *call)
{
    uint32_t has = HAS_NOTHING;

    for (int i = 0; i < call->answer.item_count; i++) {
        const struct witness_item *item = &view->history->items[call->answer.item_first + i];

        if (item->who == view->section) {
            has = item->kind == WITNESS_ITEM_SEAT ? HAS_SEAT : HAS_PLACE;
        }
    }
    point_add(&view->pairs[call->student], (struct point){.index = call->answer.at.index,
                                                          .begin = call->line,
                                                          .end = call->answer.line,
                                                          .has = has,
                                                          .is_read = true});
}

static int by_index(const void *a, const void *b)
{
    const struct point *left = a;
    const struct point *right = b;

    if (left->index != right->index) {
        return left->index < right->index ? -1 : 1;
    }
    return left->is_read != right->is_read ? (right->is_read ? -1 : 1) : left->end - right->end;
}

static void pairs_make(struct view *view)
{
    const struct witness_history *history = view->history;

    for (int i = 0; i < view->deeds->count; i++) {
        look_at_deed(view, &view->deeds->rows[i]);
    }
    for (int i = 0; i < history->call_count; i++) {
        const struct witness_call *call = &history->calls[i];

        if (call->verb == WITNESS_SCHEDULE && call->answer.status == WITNESS_OK &&
            call->student != WITNESS_NONE) {
            look_at_schedule(view, call);
        }
    }
    for (int i = 0; i < history->students.count; i++) {
        if (view->pairs[i].count > 0) {
            qsort(view->pairs[i].points, (size_t)view->pairs[i].count, sizeof(struct point),
                  by_index);
        }
    }
}

/* ---- between two lines ---- */

struct window {
    int from; /* the last point that was known before, or WITNESS_NONE */
    int to;   /* the last point that was asked for by then, or WITNESS_NONE */
};

static struct window window_of(const struct pair *pair, int asked, int answered)
{
    struct window window = {WITNESS_NONE, WITNESS_NONE};

    for (int i = 0; i < pair->count; i++) {
        window.from = pair->points[i].end < asked ? i : window.from;
        window.to = pair->points[i].begin < answered ? i : window.to;
    }
    window.to = window.to < window.from ? window.from : window.to;
    return window;
}

/* All that the student may have had at some moment between the two lines. */
static uint32_t may_have(const struct pair *pair, int asked, int answered)
{
    struct window window = window_of(pair, asked, answered);
    uint32_t has = 0;

    if (pair->wild != 0 && pair->wild < answered) {
        return HAS_NOTHING | HAS_SEAT | HAS_PLACE;
    }
    for (int i = window.from; i <= window.to; i++) {
        has |= i == WITNESS_NONE ? HAS_NOTHING : pair->points[i].has;
    }
    return (has & HAS_PLACE) != 0 ? has | HAS_SEAT : has;
}

/* The section's log was known up to here when the seat he has between the lines was asked for,
 * or before. */
static uint64_t asked_behind(const struct pair *pair, int asked, int answered)
{
    struct window window = window_of(pair, asked, answered);
    uint64_t behind = UINT64_MAX;

    if (pair->wild != 0) {
        return 0;
    }
    for (int i = window.to; i >= 0; i--) {
        const struct point *point = &pair->points[i];

        if (i <= window.from && point->has == HAS_NOTHING) {
            break;
        }
        if (!point->is_read && point->has != HAS_NOTHING && point->behind < behind) {
            behind = point->behind;
        }
    }
    return behind == UINT64_MAX ? 0 : behind;
}

/* ---- caps ---- */

static int by_cap(const void *a, const void *b)
{
    const struct cap *left = a;
    const struct cap *right = b;

    if ((left->index == 0) != (right->index == 0)) {
        return left->index == 0 ? 1 : -1;
    }
    return left->index < right->index ? -1 : left->index > right->index;
}

/* The section's caps, and its group. Returns: whether all lie in one. */
static bool caps_make(struct view *view)
{
    struct witness_history *history = view->history;
    bool is_one = true;

    for (int i = 0; i < view->deeds->count && is_one; i++) {
        const struct witness_deed *deed = &view->deeds->rows[i];
        const struct witness_call *call = &history->calls[deed->call];
        bool is_told = deed->status == WITNESS_OK;

        if (call->verb != WITNESS_CAP || call->section != view->section ||
            !(is_told || deed->may_have_happened)) {
            continue;
        }
        view->caps =
            witness__grow(view->caps, view->cap_count, &view->cap_room, sizeof *view->caps);
        view->caps[view->cap_count++] =
            (struct cap){is_told ? deed->at.index : 0, call->line, call->numbers[0]};
        int group = is_told ? witness__group_find(view->deeds, deed->at.group) : view->group;
        is_one = view->group == WITNESS_NONE || group == view->group;
        view->group = group;
    }
    for (int i = 0; i < history->call_count && is_one; i++) {
        const struct witness_call *call = &history->calls[i];

        if (call->verb == WITNESS_ROSTER && call->section == view->section &&
            call->answer.at.index != 0) {
            int group = witness__group_find(view->deeds, call->answer.at.group);

            is_one = view->group == WITNESS_NONE || group == view->group;
            view->group = group;
        }
    }
    if (view->cap_count > 0) {
        qsort(view->caps, (size_t)view->cap_count, sizeof *view->caps, by_cap);
    }
    return is_one || witness__wrong(history, WITNESS_POSITION, 0, "%s lies in two shards",
                                    history->sections.text[view->section]);
}

/* The largest capacity in force behind @low up to @high, for what was answered in @line. */
static uint32_t capacity_most(const struct view *view, uint64_t low, uint64_t high, int line)
{
    uint32_t most = view->history->section_rows[view->section].capacity;

    for (int i = 0; i < view->cap_count; i++) {
        const struct cap *cap = &view->caps[i];

        if (cap->index == 0 ? cap->begin < line : cap->index <= high) {
            bool is_instead = cap->index != 0 && cap->index <= low;

            most = is_instead || cap->capacity > most ? cap->capacity : most;
        }
    }
    return most;
}

static bool is_capacity(const struct view *view, uint64_t index, uint32_t capacity, int line)
{
    uint32_t known = view->history->section_rows[view->section].capacity;
    bool is_supposed = false;

    for (int i = 0; i < view->cap_count; i++) {
        const struct cap *cap = &view->caps[i];

        if (cap->index == 0) {
            is_supposed |= cap->begin < line && cap->capacity == capacity;
        } else if (cap->index <= index) {
            known = cap->capacity;
        }
    }
    return capacity == known || is_supposed;
}

/* ---- a roster ---- */

struct roster {
    const struct witness_call *call;
    const struct witness_item *items;
    int count;
    uint32_t numbers[WITNESS_NUMBERS];
    uint32_t has[WITNESS_STUDENTS_MAX];
};

static bool roster_wrong(struct view *view, const struct roster *roster, const char *text,
                         int student)
{
    return witness__wrong(view->history, WITNESS_READ, roster->call->answer.line,
                          "roster of %s at %llu: %s%s%s",
                          view->history->sections.text[view->section],
                          (unsigned long long)roster->call->answer.at.index, text,
                          student == WITNESS_NONE ? "" : ", ",
                          student == WITNESS_NONE ? "" : view->history->students.text[student]);
}

static bool roster_make(struct view *view, const struct witness_call *call,
                        struct roster *roster)
{
    uint32_t counted[2] = {0, 0};

    *roster = (struct roster){.call = call,
                              .items = view->history->items + call->answer.item_first,
                              .count = call->answer.item_count};
    for (int i = 0; i < roster->count; i++) {
        const struct witness_item *item = &roster->items[i];

        if (item->kind == WITNESS_ITEM_NUMBER) {
            roster->numbers[item->code] = item->count;
            continue;
        }
        if (item->who == WITNESS_NONE || roster->has[item->who] != 0) {
            return roster_wrong(view, roster, "somebody stands there who cannot", item->who);
        }
        roster->has[item->who] = item->kind == WITNESS_ITEM_SEAT ? HAS_SEAT : HAS_PLACE;
        counted[item->kind == WITNESS_ITEM_PLACE]++;
    }
    return (counted[0] == roster->numbers[WITNESS_ENROLLED] &&
            counted[1] == roster->numbers[WITNESS_WAITING]) ||
           roster_wrong(view, roster, "the counts are not those of the names", WITNESS_NONE);
}

/* Nobody of those without a permit found the section full when he reserved. */
static bool check_seats(struct view *view, const struct roster *roster)
{
    int asked = roster->call->line;
    int answered = roster->call->answer.line;
    uint64_t behind = 0;
    uint32_t seats = 0;

    for (int i = 0; i < roster->count; i++) {
        const struct witness_item *item = &roster->items[i];

        if (item->kind != WITNESS_ITEM_SEAT || item->is_over) {
            continue;
        }
        uint64_t one = asked_behind(&view->pairs[item->who], asked, answered);

        seats++;
        behind = one > behind ? one : behind;
        if (seats > capacity_most(view, behind, item->since, answered)) {
            return roster_wrong(view, roster, "more seats than there were", item->who);
        }
    }
    return true;
}

static bool check_roster(struct view *view, const struct witness_call *call)
{
    static struct roster roster;

    if (!roster_make(view, call, &roster)) {
        return false;
    }
    if (!is_capacity(view, call->answer.at.index, roster.numbers[WITNESS_CAPACITY],
                     call->answer.line)) {
        return roster_wrong(view, &roster, "another capacity than was set", WITNESS_NONE);
    }
    for (int i = 0; i < view->history->students.count; i++) {
        uint32_t has = roster.has[i] == 0 ? HAS_NOTHING : roster.has[i];

        if ((may_have(&view->pairs[i], call->line, call->answer.line) & has) == 0) {
            return roster_wrong(view, &roster,
                                has == HAS_NOTHING ? "somebody is missing"
                                                   : "somebody is not so in his record",
                                i);
        }
    }
    return check_seats(view, &roster);
}

/* ---- without a roster ---- */

/* Whoever was told of his seat and has not asked for anything since has it for certain. */
static bool check_told(struct view *view, const struct point *point)
{
    uint32_t seats = 0;

    for (int i = 0; i < view->history->students.count; i++) {
        const struct pair *pair = &view->pairs[i];

        seats +=
            !pair->has_permit && may_have(pair, point->end + 1, point->end + 1) == HAS_SEAT;
    }
    return seats <= capacity_most(view, 0, UINT64_MAX, point->end) ||
           witness__wrong(view->history, WITNESS_ANSWER, point->end,
                          "%s: more seats were given than there were",
                          view->history->sections.text[view->section]);
}

static bool check_all_told(struct view *view)
{
    for (int i = 0; i < view->history->students.count; i++) {
        for (int k = 0; k < view->pairs[i].count; k++) {
            if (view->pairs[i].points[k].has == HAS_SEAT &&
                !check_told(view, &view->pairs[i].points[k])) {
                return false;
            }
        }
    }
    return true;
}

/* A section of which too few can ever have had a seat was never full. */
static bool check_full(struct view *view, const struct witness_call *call)
{
    uint32_t least = view->history->section_rows[view->section].capacity;
    uint32_t seats = 0;

    for (int i = 0; i < view->cap_count; i++) {
        if (view->caps[i].begin < call->answer.line && view->caps[i].capacity < least) {
            least = view->caps[i].capacity;
        }
    }
    for (int i = 0; i < view->history->students.count; i++) {
        seats += (may_have(&view->pairs[i], 0, call->answer.line) & HAS_SEAT) != 0;
    }
    return seats >= least ||
           witness__wrong(view->history, WITNESS_ANSWER, call->answer.line, "%s was never full",
                          view->history->sections.text[view->section]);
}

static bool is_told_full(const struct witness_item *item)
{
    return item->kind == WITNESS_ITEM_CHANGE ? item->code == WITNESS_WAITLISTED
                                             : item->kind == WITNESS_ITEM_REFUSAL &&
                                                   (item->code == WITNESS_SEAT_UNAVAILABLE ||
                                                    item->code == WITNESS_WAITLIST_AVAILABLE);
}

static bool check_refusals(struct view *view, const struct witness_call *call)
{
    for (int i = 0; i < call->answer.item_count; i++) {
        const struct witness_item *item = &view->history->items[call->answer.item_first + i];
        int wish = item->kind == WITNESS_ITEM_CHANGE ? i : item->who;

        if (is_told_full(item) && wish >= 0 && wish < call->wish_count &&
            call->wishes[wish].section == view->section && !check_full(view, call)) {
            return false;
        }
    }
    return true;
}

static bool check_section(struct view *view)
{
    const struct witness_history *history = view->history;
    bool is_right = caps_make(view);

    if (is_right) {
        pairs_make(view);
        is_right = check_all_told(view);
    }
    for (int i = 0; i < history->call_count && is_right; i++) {
        const struct witness_call *call = &history->calls[i];

        if (call->verb == WITNESS_SUBMIT && call->student != WITNESS_NONE) {
            is_right = check_refusals(view, call);
        } else if (call->verb == WITNESS_ROSTER && call->section == view->section &&
                   call->answer.status == WITNESS_OK) {
            is_right = check_roster(view, call);
        }
    }
    return is_right;
}

void witness__sections(struct witness_history *history, const struct witness_deeds *deeds)
{
    struct view *view = malloc(sizeof *view);
    bool is_right = true;

    ASSERT(view != NULL);
    for (int i = 0; i < history->sections.count && is_right; i++) {
        memset(view, 0, sizeof *view);
        view->history = history;
        view->deeds = deeds;
        view->section = i;
        view->group = WITNESS_NONE;
        is_right = check_section(view);
        for (int k = 0; k < history->students.count; k++) {
            free(view->pairs[k].points);
        }
        free(view->caps);
    }
    free(view);
}
