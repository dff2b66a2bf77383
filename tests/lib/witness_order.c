/* Keys, places in the log and real time: what can be said of a history without any rule.
 *
 * An event's line is its moment. Whoever asks after an answer with place p was seen asks behind
 * p: an entry of his has a higher place, a read of his shows at least p. That every key has one
 * outcome, that a place holds one entry and that terms never go down needs no replay either. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

struct ordering {
    struct witness_history *history;
    struct witness_deeds *deeds;
    uint64_t seen[WITNESS_GROUPS_MAX];
    uint64_t (*floors)[WITNESS_GROUPS_MAX]; /* of each call */
    int *deed_of;                           /* of each call that is no read */
    int *open;                              /* of each deed: attempts that may have happened */
    int *first_of_key;                      /* deed, or WITNESS_NONE */
    int *next_of_key;                       /* of each deed */
};

static bool is_read(const struct witness_call *call)
{
    return call->verb >= WITNESS_CHECK;
}

/* ---- what was asked ---- */

static bool is_same_body(const struct witness_call *a, const struct witness_call *b)
{
    bool is_same = a->verb == b->verb && a->student == b->student && a->section == b->section &&
                   a->word == b->word && a->wish_count == b->wish_count &&
                   memcmp(a->numbers, b->numbers, sizeof a->numbers) == 0;

    for (int i = 0; is_same && i < a->wish_count; i++) {
        const struct witness_wish *one = &a->wishes[i];
        const struct witness_wish *other = &b->wishes[i];

        is_same = one->is_drop == other->is_drop && one->is_wait == other->is_wait &&
                  one->section == other->section && one->drop_count == other->drop_count &&
                  memcmp(one->drops, other->drops, sizeof one->drops) == 0;
    }
    return is_same;
}

static int deed_of_key(const struct ordering *ordering, const struct witness_call *call)
{
    int deed = call->key == WITNESS_NONE ? WITNESS_NONE : ordering->first_of_key[call->key];

    while (deed != WITNESS_NONE &&
           !is_same_body(&ordering->history->calls[ordering->deeds->rows[deed].call], call)) {
        deed = ordering->next_of_key[deed];
    }
    return deed;
}

static int deed_add(struct ordering *ordering, int number)
{
    struct witness_deeds *deeds = ordering->deeds;
    const struct witness_call *call = &ordering->history->calls[number];
    int deed = deeds->count;

    deeds->rows = witness__grow(deeds->rows, deeds->count, &deeds->room, sizeof *deeds->rows);
    deeds->rows[deeds->count++] =
        (struct witness_deed){.call = number, .key = call->key, .told = WITNESS_NONE};
    memcpy(deeds->rows[deed].floor, ordering->seen, sizeof ordering->seen);
    ordering->next_of_key[deed] = WITNESS_NONE;
    if (call->key != WITNESS_NONE) {
        ordering->next_of_key[deed] = ordering->first_of_key[call->key];
        ordering->first_of_key[call->key] = deed;
    }
    return deed;
}

static void ask(struct ordering *ordering, int number)
{
    const struct witness_call *call = &ordering->history->calls[number];

    memcpy(ordering->floors[number], ordering->seen, sizeof ordering->seen);
    if (is_read(call)) {
        return;
    }
    int deed = deed_of_key(ordering, call);

    if (deed == WITNESS_NONE) {
        deed = deed_add(ordering, number);
    }
    ordering->deed_of[number] = deed;
    ordering->open[deed]++;
}

/* ---- what was answered ---- */

static int group_of(struct ordering *ordering, uint32_t group)
{
    struct witness_deeds *deeds = ordering->deeds;

    for (int i = 0; i < deeds->group_count; i++) {
        if (deeds->groups[i] == group) {
            return i;
        }
    }
    if (deeds->group_count == WITNESS_GROUPS_MAX) {
        return WITNESS_NONE;
    }
    deeds->groups[deeds->group_count] = group;
    return deeds->group_count++;
}

/* The receipt of an answer: there, of this cluster, in a group. Returns: the group's number, or
 * WITNESS_NONE when that is wrong. */
static int check_place(struct ordering *ordering, const struct witness_answer *answer)
{
    struct witness_history *history = ordering->history;
    int group = WITNESS_NONE;

    if (answer->at.index == 0) {
        (void)witness__wrong(history, WITNESS_POSITION, answer->line,
                             "the answer names no place in the log");
    } else if (answer->is_of_another_cluster) {
        (void)witness__wrong(history, WITNESS_CLUSTER, answer->line,
                             "the place is one of another cluster");
    } else {
        group = group_of(ordering, answer->at.group);
        if (group == WITNESS_NONE) {
            (void)witness__wrong(history, WITNESS_FORMAT, answer->line, "too many groups");
        }
    }
    return group;
}

static bool items_equal(const struct witness_history *history, const struct witness_answer *a,
                        const struct witness_answer *b)
{
    bool is_equal = a->item_count == b->item_count;

    for (int i = 0; is_equal && i < a->item_count; i++) {
        const struct witness_item *one = &history->items[a->item_first + i];
        const struct witness_item *other = &history->items[b->item_first + i];

        is_equal = one->kind == other->kind && one->who == other->who &&
                   one->code == other->code && one->count == other->count &&
                   one->since == other->since && one->is_over == other->is_over;
    }
    return is_equal;
}

/* A second answer to one key says the same, with the same receipt. */
static bool check_repeated(struct ordering *ordering, struct witness_deed *deed, int number)
{
    struct witness_history *history = ordering->history;
    const struct witness_answer *answer = &history->calls[number].answer;
    bool is_same_place = deed->at.group == answer->at.group &&
                         deed->at.index == answer->at.index &&
                         (deed->told == WITNESS_NONE || deed->at.term == answer->at.term);

    if (deed->status != answer->status || !is_same_place ||
        (deed->told != WITNESS_NONE &&
         !items_equal(history, &history->calls[deed->told].answer, answer))) {
        return witness__wrong(history, WITNESS_KEY, answer->line,
                              "the key had another answer in line %d", deed->line);
    }
    if (deed->told == WITNESS_NONE) {
        deed->told = number;
        deed->at = answer->at;
    }
    return true;
}

/* No other body was told an outcome under this key. */
static bool check_siblings(struct ordering *ordering, const struct witness_deed *deed, int line)
{
    const struct witness_deed *rows = ordering->deeds->rows;
    int other = deed->key == WITNESS_NONE ? WITNESS_NONE : ordering->first_of_key[deed->key];

    for (; other != WITNESS_NONE; other = ordering->next_of_key[other]) {
        if (&rows[other] != deed && rows[other].status != WITNESS_UNKNOWN) {
            return witness__wrong(ordering->history, WITNESS_KEY, line,
                                  "two requests under one key, the other answered in line %d",
                                  rows[other].line);
        }
    }
    return true;
}

static bool check_behind(struct ordering *ordering, const struct witness_deed *deed, int group,
                         uint64_t index, int line)
{
    if (index <= deed->floor[group]) {
        return witness__wrong(ordering->history, WITNESS_ORDER, line,
                              "entry %llu was asked for in line %d, when %llu was known",
                              (unsigned long long)index,
                              ordering->history->calls[deed->call].line,
                              (unsigned long long)deed->floor[group]);
    }
    return true;
}

static void see(struct ordering *ordering, int group, uint64_t index)
{
    if (index > ordering->seen[group]) {
        ordering->seen[group] = index;
    }
}

static bool tell(struct ordering *ordering, int number)
{
    struct witness_history *history = ordering->history;
    const struct witness_call *call = &history->calls[number];
    struct witness_deed *deed = &ordering->deeds->rows[ordering->deed_of[number]];
    int group = check_place(ordering, &call->answer);

    if (group == WITNESS_NONE) {
        return false;
    }
    if (call->is_strange) {
        return witness__wrong(history, WITNESS_ANSWER, call->answer.line,
                              "the request names what is not there, and was not told so");
    }
    if (deed->status != WITNESS_UNKNOWN) {
        return check_repeated(ordering, deed, number);
    }
    deed->status = call->answer.status;
    deed->at = call->answer.at;
    deed->told = number;
    deed->line = call->answer.line;
    see(ordering, group, deed->at.index);
    return check_siblings(ordering, deed, deed->line) &&
           check_behind(ordering, deed, group, deed->at.index, deed->line);
}

/* Definite errors must have a reason that the history shows. */
static bool fail(struct ordering *ordering, int number)
{
    struct witness_history *history = ordering->history;
    const struct witness_call *call = &history->calls[number];
    const char *error = history->words.text[call->answer.error];
    int other = call->key == WITNESS_NONE ? WITNESS_NONE : ordering->first_of_key[call->key];
    bool is_reused = other != WITNESS_NONE && ordering->next_of_key[other] != WITNESS_NONE;

    if (strncmp(error, "ERR_UNKNOWN_", 12) == 0 && strcmp(error, "ERR_UNKNOWN_IMPORT") != 0 &&
        !call->is_strange) {
        return witness__wrong(history, WITNESS_ERROR, call->answer.line,
                              "%s, and everything the request names is there", error);
    }
    if (strcmp(error, "ERR_KEY_REUSED") == 0 && !is_reused) {
        return witness__wrong(history, WITNESS_ERROR, call->answer.line,
                              "%s, and the key was used for nothing else", error);
    }
    return true;
}

/* OUTCOME tells what became of a request that may have had no answer itself. */
static bool learn(struct ordering *ordering, const struct witness_call *call, int group)
{
    struct witness_history *history = ordering->history;
    const struct witness_item *item = &history->items[call->answer.item_first];
    int only = ordering->first_of_key[call->word];

    if (call->answer.item_count != 1 || item->kind != WITNESS_ITEM_FOUND) {
        return true;
    }
    if (only == WITNESS_NONE || item->since > call->answer.at.index) {
        return witness__wrong(history, WITNESS_READ, call->answer.line,
                              "an outcome that cannot be known");
    }
    struct witness_deed *deed = &ordering->deeds->rows[only];
    if (deed->status != WITNESS_UNKNOWN) {
        return (deed->status == (enum witness_status)item->code &&
                deed->at.index == item->since)
                   ? true
                   : witness__wrong(history, WITNESS_KEY, call->answer.line,
                                    "the key had another answer in line %d", deed->line);
    }
    if (ordering->next_of_key[only] != WITNESS_NONE) {
        return true; /* which of them is not said */
    }
    deed->status = (enum witness_status)item->code;
    deed->at =
        (struct witness_place_in_log){call->answer.at.group, WITNESS_TERM_UNKNOWN, item->since};
    deed->line = call->answer.line;
    return check_behind(ordering, deed, group, item->since, deed->line);
}

static bool look(struct ordering *ordering, int number)
{
    struct witness_history *history = ordering->history;
    const struct witness_call *call = &history->calls[number];
    int group = check_place(ordering, &call->answer);

    if (group == WITNESS_NONE) {
        return false;
    }
    if (call->is_strange && call->verb != WITNESS_OUTCOME) {
        return witness__wrong(history, WITNESS_READ, call->answer.line,
                              "the request names what is not there, and was not told so");
    }
    if (call->answer.at.index < ordering->floors[number][group]) {
        return witness__wrong(history, WITNESS_STALE, call->answer.line,
                              "a read at %llu was asked for in line %d, when %llu was known",
                              (unsigned long long)call->answer.at.index, call->line,
                              (unsigned long long)ordering->floors[number][group]);
    }
    see(ordering, group, call->answer.at.index);
    return call->verb != WITNESS_OUTCOME || learn(ordering, call, group);
}

static bool answer(struct ordering *ordering, int number)
{
    const struct witness_call *call = &ordering->history->calls[number];
    enum witness_status status = call->answer.status;

    if (status == WITNESS_UNKNOWN) {
        return true;
    }
    if (status == WITNESS_NEVER || status == WITNESS_FAILED) {
        if (!is_read(call)) {
            ordering->open[ordering->deed_of[number]]--;
        }
        return status == WITNESS_NEVER || fail(ordering, number);
    }
    return is_read(call) ? look(ordering, number) : tell(ordering, number);
}

/* ---- places ---- */

struct holding {
    struct witness_place_in_log at;
    int line;
    bool is_entry;
};

static int by_place(const void *a, const void *b)
{
    const struct holding *left = a;
    const struct holding *right = b;

    if (left->at.group != right->at.group) {
        return left->at.group < right->at.group ? -1 : 1;
    }
    if (left->at.index != right->at.index) {
        return left->at.index < right->at.index ? -1 : 1;
    }
    return left->is_entry != right->is_entry ? (left->is_entry ? -1 : 1)
                                             : left->line - right->line;
}

static bool check_places(struct witness_history *history, struct holding *rows, int count)
{
    uint64_t term = 0;
    uint64_t term_at = 0; /* the place that it is known of */

    qsort(rows, (size_t)count, sizeof *rows, by_place);
    for (int i = 0; i < count; i++) {
        bool is_next = i > 0 && rows[i].at.group == rows[i - 1].at.group;
        bool is_same = is_next && rows[i].at.index == rows[i - 1].at.index;

        if (is_same && rows[i].is_entry && rows[i - 1].is_entry) {
            return witness__wrong(history, WITNESS_POSITION, rows[i].line,
                                  "entry %llu is that of line %d too",
                                  (unsigned long long)rows[i].at.index, rows[i - 1].line);
        }
        term = is_next ? term : 0;
        if (rows[i].at.term == WITNESS_TERM_UNKNOWN) {
            continue;
        }
        bool is_of_same = is_next && term_at == rows[i].at.index;

        if (rows[i].at.term < term || (is_of_same && rows[i].at.term != term)) {
            return witness__wrong(
                history, WITNESS_TERM, rows[i].line, "term %llu at %llu, and term %llu before",
                (unsigned long long)rows[i].at.term, (unsigned long long)rows[i].at.index,
                (unsigned long long)term);
        }
        term = rows[i].at.term;
        term_at = rows[i].at.index;
    }
    return true;
}

static bool check_all_places(struct witness_history *history, const struct witness_deeds *deeds)
{
    struct holding *rows =
        calloc((size_t)(deeds->count + history->call_count) + 1, sizeof *rows);
    int count = 0;

    ASSERT(rows != NULL);
    for (int i = 0; i < deeds->count; i++) {
        if (deeds->rows[i].status != WITNESS_UNKNOWN) {
            rows[count++] = (struct holding){deeds->rows[i].at, deeds->rows[i].line, true};
        }
    }
    for (int i = 0; i < history->call_count; i++) {
        const struct witness_call *call = &history->calls[i];

        if (is_read(call) && call->answer.at.index != 0) {
            rows[count++] = (struct holding){call->answer.at, call->answer.line, false};
        }
    }
    bool is_right = check_places(history, rows, count);

    free(rows);
    return is_right;
}

static void mark_open(struct ordering *ordering)
{
    struct witness_deeds *deeds = ordering->deeds;

    for (int i = 0; i < deeds->count; i++) {
        struct witness_deed *deed = &deeds->rows[i];
        int other =
            deed->key == WITNESS_NONE ? WITNESS_NONE : ordering->first_of_key[deed->key];

        deed->may_have_happened = deed->status == WITNESS_UNKNOWN && ordering->open[i] > 0 &&
                                  !ordering->history->calls[deed->call].is_strange;
        for (; other != WITNESS_NONE; other = ordering->next_of_key[other]) {
            deed->may_have_happened &= deeds->rows[other].status == WITNESS_UNKNOWN;
        }
    }
}

bool witness__order(struct witness_history *history, struct witness_deeds *deeds)
{
    size_t calls = (size_t)history->call_count + 1;
    struct ordering ordering = {
        .history = history,
        .deeds = deeds,
        .floors = calloc(calls, sizeof *ordering.floors),
        .deed_of = calloc(calls, sizeof(int)),
        .open = calloc(calls, sizeof(int)),
        .first_of_key = calloc((size_t)history->keys.count + 1, sizeof(int)),
        .next_of_key = calloc(calls, sizeof(int)),
    };
    bool is_right = true;

    ASSERT(ordering.floors != NULL && ordering.deed_of != NULL && ordering.open != NULL);
    ASSERT(ordering.first_of_key != NULL && ordering.next_of_key != NULL);
    for (int i = 0; i < history->keys.count; i++) {
        ordering.first_of_key[i] = WITNESS_NONE;
    }
    for (int i = 0; is_right && i < history->event_count; i++) {
        if (history->events[i].is_answer) {
            is_right = answer(&ordering, history->events[i].call);
        } else {
            ask(&ordering, history->events[i].call);
        }
    }
    is_right = is_right && check_all_places(history, deeds);
    mark_open(&ordering);
    free(ordering.floors);
    free(ordering.deed_of);
    free(ordering.open);
    free(ordering.first_of_key);
    free(ordering.next_of_key);
    return is_right;
}
