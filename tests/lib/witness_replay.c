/* The replay: entries in the order of their places, reads between them, by rules of our own.
 *
 * A request without an answer may stand in any gap between two steps, behind what was known
 * when it was asked. Only one that changes something matters: one that was refused leaves no
 * trace but its place. So the search supposes none, replays, and where something does not fit
 * it puts one such request into a gap before, the nearest first, and goes on from there. Every
 * way to explain the history has a first supposed request, and that stands before the first
 * step that does not fit without it; so trying all gaps up to there, again and again, misses
 * none.
 *
 * A read that shows a registration since a place that no known entry holds says that one of
 * these requests stands there: the gap around that place must not stay empty.
 *
 * Two things keep it short. What was reached once at a step with the same state and the same
 * requests supposed is not followed again. And the search is repeated with growing patience:
 * how many requests may be supposed one after the other without getting any further. When a
 * round was never cut short by that, there is no explanation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { VISITED_SLOTS = 1 << 18, PATIENCE_MAX = WITNESS_UNKNOWN_MAX, STEPS = 400000 };

/* A place that something is shown to be since, and that no known entry holds. */
struct pin {
    uint64_t index;
    int line;
    int student;
    int section;
};

struct step {
    uint64_t index;
    int pin_first; /* of those in the gap before it */
    int pin_count;
    int deed; /* WITNESS_NONE: a read */
    int call; /* whose answer is looked at; WITNESS_NONE: nobody was told more than the status
               */
    int line;
};

struct replay {
    struct witness_history *history;
    const struct witness_deeds *deeds;
    struct step *steps;
    int step_count;
    struct pin *pins;
    int pin_count;
    struct witness_state **before; /* of each step, when something is unknown */
    int unknown[WITNESS_UNKNOWN_MAX];
    int unknown_count;
    bool is_supposed[WITNESS_UNKNOWN_MAX];
    uint64_t *visited;
    uint32_t visited_count;
    uint64_t tried;
    uint64_t tried_max;
    int patience;
    bool is_cut; /* by patience */
    int furthest;
    struct witness_items expected;
    enum witness_status expected_status;
    struct witness_result wrong; /* at the furthest step */
};

/* ---- one step ---- */

static const struct witness_call *call_of(const struct replay *replay, const struct step *step)
{
    int call = step->call != WITNESS_NONE ? step->call : replay->deeds->rows[step->deed].call;

    return &replay->history->calls[call];
}

/* Whether hidden request @n can have the place @index: between its neighbours. The first that
 * shows its place fixes it. */
static bool is_place_of(struct witness_state *state, uint64_t n, uint64_t index)
{
    ASSERT(n < (uint64_t)state->hidden_count);
    struct witness_hidden *hidden = &state->hidden[n];

    if (hidden->index != 0 || index < hidden->low || index > hidden->high) {
        return hidden->index == index;
    }
    for (int i = 0; i < state->hidden_count; i++) {
        uint64_t other = state->hidden[i].index;

        if (other != 0 && (i < (int)n ? other >= index : other <= index)) {
            return false;
        }
    }
    hidden->index = index;
    return true;
}

static bool is_same_item(struct witness_state *state, const struct witness_item *expected,
                         const struct witness_item *told)
{
    return expected->kind == told->kind && expected->who == told->who &&
           expected->code == told->code && expected->count == told->count &&
           expected->is_over == told->is_over &&
           (expected->since >= WITNESS_HIDDEN_BASE
                ? is_place_of(state, expected->since - WITNESS_HIDDEN_BASE, told->since)
                : expected->since == told->since);
}

static int by_section(const void *a, const void *b)
{
    const struct witness_item *left = a;
    const struct witness_item *right = b;

    return left->who < right->who ? -1 : left->who > right->who;
}

static bool is_same(struct replay *replay, struct witness_state *state,
                    const struct witness_call *call)
{
    struct witness_item told[WITNESS_ITEMS_MAX];
    int count = call->answer.item_count;
    int seats = 0;

    if (call->answer.status != replay->expected_status || count != replay->expected.count) {
        return false;
    }
    memcpy(told, replay->history->items + call->answer.item_first,
           (size_t)count * sizeof *told);
    while (call->verb == WITNESS_SCHEDULE && seats < count &&
           told[seats].kind == WITNESS_ITEM_SEAT) {
        seats++;
    }
    qsort(told, (size_t)seats, sizeof *told, by_section);
    for (int i = 0; i < count; i++) {
        if (!is_same_item(state, &replay->expected.rows[i], &told[i])) {
            return false;
        }
    }
    return true;
}

/* "No answer is kept under this key": then none of its requests has happened. */
static bool is_without_outcome(const struct replay *replay, const struct witness_state *state,
                               const struct witness_call *call)
{
    for (int i = 0; i < replay->deeds->count; i++) {
        const struct witness_deed *deed = &replay->deeds->rows[i];
        bool is_asked = deed->key == call->word &&
                        replay->history->calls[deed->call].student == call->student &&
                        replay->history->calls[deed->call].verb == WITNESS_SUBMIT;

        if (is_asked && deed->status != WITNESS_UNKNOWN &&
            deed->at.index <= call->answer.at.index) {
            return false;
        }
        for (int k = 0; is_asked && k < state->hidden_count; k++) {
            if (state->hidden[k].deed == i) {
                return false;
            }
        }
    }
    return true;
}

static bool perform(struct replay *replay, struct witness_state *state, const struct step *step)
{
    const struct witness_call *call = call_of(replay, step);

    replay->tried++;
    if (step->deed != WITNESS_NONE) {
        replay->expected_status = witness__apply(state, call, step->index, &replay->expected);
        return step->call != WITNESS_NONE
                   ? is_same(replay, state, call)
                   : replay->expected_status == replay->deeds->rows[step->deed].status;
    }
    if (call->verb == WITNESS_OUTCOME) {
        replay->expected.count = 0;
        return call->answer.item_count == 1 &&
               (replay->history->items[call->answer.item_first].kind != WITNESS_ITEM_NOTHING ||
                is_without_outcome(replay, state, call));
    }
    replay->expected_status = witness__look(state, call, &replay->expected);
    return is_same(replay, state, call);
}

static void note_failure(struct replay *replay, int at)
{
    const struct step *step = &replay->steps[at];
    const struct witness_call *call = call_of(replay, step);
    char told[400] = "";
    char expected[400];

    if (at < replay->furthest) {
        return;
    }
    replay->furthest = at;
    if (step->call != WITNESS_NONE) {
        witness__items_print(replay->history, call,
                             replay->history->items + call->answer.item_first,
                             call->answer.item_count, told, sizeof told);
    }
    witness__items_print(replay->history, call, replay->expected.rows, replay->expected.count,
                         expected, sizeof expected);
    replay->wrong.kind = step->deed == WITNESS_NONE ? WITNESS_READ : WITNESS_ANSWER;
    replay->wrong.line = step->line;
    (void)snprintf(replay->wrong.text, sizeof replay->wrong.text,
                   "%s of line %d at %llu: told%s, by the rules%s", witness__verbs[call->verb],
                   call->line, (unsigned long long)step->index, told, expected);
}

/* ---- the search ---- */

static bool visit(struct replay *replay, int at, const struct witness_state *state,
                  int patience, int goal)
{
    uint64_t hash = witness__state_hash(state);

    hash = (hash ^ (uint64_t)at << 32 ^ (uint64_t)goal) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 31 ^ (uint64_t)patience) * UINT64_C(0xc4ceb9fe1a85ec53);
    hash |= 1;
    uint32_t slot = (uint32_t)(hash >> 40) % VISITED_SLOTS;
    while (replay->visited[slot] != 0 && replay->visited[slot] != hash) {
        slot = (slot + 1) % VISITED_SLOTS;
    }
    bool is_new = replay->visited[slot] == 0;

    if (is_new && replay->visited_count < VISITED_SLOTS / 2) {
        replay->visited[slot] = hash;
        replay->visited_count++;
    }
    return is_new;
}

/* The first place free in the gap before @at, and the last. */
static uint64_t gap_low(const struct replay *replay, int at)
{
    return at == 0 ? 1 : replay->steps[at - 1].index + 1;
}

static uint64_t gap_high(const struct replay *replay, int at)
{
    const struct step *step = &replay->steps[at];

    return step->deed == WITNESS_NONE ? step->index : step->index - 1;
}

static bool is_key_free(const struct replay *replay, int number)
{
    int key = replay->deeds->rows[replay->unknown[number]].key;

    for (int i = 0; i < replay->unknown_count; i++) {
        if (replay->is_supposed[i] &&
            (i == number ||
             (key != WITNESS_NONE && replay->deeds->rows[replay->unknown[i]].key == key))) {
            return false;
        }
    }
    return true;
}

/* How many requests are supposed in the gap before @at. */
static int supposed_before(const struct replay *replay, const struct witness_state *state,
                           int at)
{
    uint64_t low = gap_low(replay, at);
    int count = 0;

    for (int i = state->hidden_count; i > 0 && state->hidden[i - 1].low >= low; i--) {
        count++;
    }
    return count;
}

static void note_pin(struct replay *replay, int at)
{
    const struct step *step = &replay->steps[at];

    if (at >= replay->furthest) {
        const struct pin *pin = &replay->pins[step->pin_first + step->pin_count - 1];

        replay->furthest = at;
        replay->wrong.kind = WITNESS_READ;
        replay->wrong.line = pin->line;
        (void)snprintf(replay->wrong.text, sizeof replay->wrong.text,
                       "something is since %llu, and no request explains it",
                       (unsigned long long)pin->index);
    }
}

/* In which order unanswered requests are tried: one that asks for what the next pin of the gap
 * before @gap shows; one that has to do with the step @failed; the others. */
enum rank { RANK_PIN, RANK_RELATED, RANK_OTHER, RANKS };

static bool asks_for(const struct witness_call *call, const struct pin *pin)
{
    for (int i = 0; i < call->wish_count && call->student == pin->student; i++) {
        if (!call->wishes[i].is_drop && call->wishes[i].section == pin->section) {
            return true;
        }
    }
    return false;
}

static bool is_related(const struct witness_call *call, const struct witness_call *other)
{
    if (call->student != WITNESS_NONE && call->student == other->student) {
        return true;
    }
    for (int i = 0; i < call->wish_count; i++) {
        for (int k = 0; k < other->wish_count; k++) {
            if (call->wishes[i].section == other->wishes[k].section) {
                return true;
            }
        }
        if (call->wishes[i].section == other->section) {
            return true;
        }
    }
    return call->wish_count == 0;
}

static enum rank rank_of(const struct replay *replay, int number, int failed, int gap,
                         int supposed)
{
    const struct witness_call *call =
        &replay->history->calls[replay->deeds->rows[replay->unknown[number]].call];
    const struct step *step = &replay->steps[gap];

    if (supposed < step->pin_count &&
        asks_for(call, &replay->pins[step->pin_first + supposed])) {
        return RANK_PIN;
    }
    return is_related(call, call_of(replay, &replay->steps[failed])) ? RANK_RELATED
                                                                     : RANK_OTHER;
}

struct node {
    int from;
    uint64_t low; /* the first place free in the gap before @from */
    int patience;
    int goal; /* the step that was not reached or did not fit so far */
};

static bool explain(struct replay *replay, const struct witness_state *state,
                    const struct node *node);

/* Suppose that unknown request @number happened in the gap before @at. Returns: whether all
 * fits then. */
static bool suppose(struct replay *replay, const struct witness_state *state, uint64_t low,
                    int number, const struct node *next)
{
    const struct witness_deed *deed = &replay->deeds->rows[replay->unknown[number]];
    const struct witness_call *call = &replay->history->calls[deed->call];
    struct witness_items ignored;
    struct node node = *next;
    uint64_t behind = deed->floor[0] + 1;

    node.low = behind > low ? behind : low;
    uint64_t high = gap_high(replay, node.from);
    if (node.low > high || !is_key_free(replay, number)) {
        return false;
    }
    struct witness_state *with = malloc(sizeof *with);
    ASSERT(with != NULL);
    witness__state_copy(with, state);
    uint64_t hash = witness__state_hash(with);
    (void)witness__apply(with, call, WITNESS_HIDDEN_BASE + (uint64_t)with->hidden_count,
                         &ignored);
    bool fits = false;
    if (witness__state_hash(with) != hash) {
        with->hidden[with->hidden_count++] =
            (struct witness_hidden){replay->unknown[number], node.low, high, 0};
        node.low++;
        replay->is_supposed[number] = true;
        fits = explain(replay, with, &node);
        replay->is_supposed[number] = fits;
    }
    free(with);
    return fits;
}

/* Replay from @node->from on. Returns: the first step that does not fit, or one reached before;
 * @ret_last is the last gap in which something may be supposed. */
static int go_on(struct replay *replay, struct witness_state *work, const struct node *node,
                 int *ret_last)
{
    int at = node->from;

    for (; at < replay->step_count; at++) {
        if (replay->unknown_count > 0 && at > node->from) {
            if (!visit(replay, at, work, node->patience, node->goal)) {
                *ret_last = at - 1;
                return at;
            }
            if (replay->before[at] == NULL) {
                replay->before[at] = malloc(sizeof *work);
                ASSERT(replay->before[at] != NULL);
            }
            witness__state_copy(replay->before[at], work);
        }
        if (replay->unknown_count > 0 &&
            supposed_before(replay, work, at) < replay->steps[at].pin_count) {
            note_pin(replay, at);
            break;
        }
        if (!perform(replay, work, &replay->steps[at])) {
            note_failure(replay, at);
            break;
        }
    }
    *ret_last = at;
    return at;
}

static bool explain(struct replay *replay, const struct witness_state *state,
                    const struct node *node)
{
    struct witness_state *work = malloc(sizeof *work);
    int last = 0;

    ASSERT(work != NULL);
    witness__state_copy(work, state);
    int at = go_on(replay, work, node, &last);
    int failed = at < replay->step_count ? at : 0;
    free(work);
    if (at == replay->step_count) {
        return true;
    }
    if (replay->unknown_count == 0) {
        return false;
    }
    struct node next = *node;
    if (at > node->goal) {
        next.goal = at;
        next.patience = replay->patience;
    } else if (next.patience == 0) {
        replay->is_cut = true;
        return false;
    } else {
        next.patience--;
    }
    for (int gap = last; gap >= node->from; gap--) {
        const struct witness_state *before = gap == node->from ? state : replay->before[gap];
        uint64_t low = gap == node->from ? node->low : gap_low(replay, gap);

        next.from = gap;
        int supposed = supposed_before(replay, before, gap);
        for (int i = 0; i < RANKS * replay->unknown_count; i++) {
            int number = i % replay->unknown_count;

            if (replay->tried > replay->tried_max) {
                return false;
            }
            if ((int)rank_of(replay, number, failed, gap, supposed) ==
                    i / replay->unknown_count &&
                suppose(replay, before, low, number, &next)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- all of it ---- */

static int by_index(const void *a, const void *b)
{
    const struct step *left = a;
    const struct step *right = b;

    if (left->index != right->index) {
        return left->index < right->index ? -1 : 1;
    }
    bool is_entry = left->deed != WITNESS_NONE;
    return is_entry != (right->deed != WITNESS_NONE) ? (is_entry ? -1 : 1)
                                                     : left->line - right->line;
}

static void steps_make(struct replay *replay)
{
    const struct witness_history *history = replay->history;
    const struct witness_deeds *deeds = replay->deeds;
    struct witness_result *result = history->result;

    for (int i = 0; i < deeds->count; i++) {
        const struct witness_deed *deed = &deeds->rows[i];

        if (deed->status != WITNESS_UNKNOWN) {
            replay->steps[replay->step_count++] = (struct step){
                .index = deed->at.index, .deed = i, .call = deed->told, .line = deed->line};
            result->entries++;
        } else if (deed->may_have_happened) {
            result->unknown++;
            if (replay->unknown_count < WITNESS_UNKNOWN_MAX) {
                replay->unknown[replay->unknown_count++] = i;
            }
        }
    }
    for (int i = 0; i < history->call_count; i++) {
        const struct witness_call *call = &history->calls[i];

        if (call->verb >= WITNESS_CHECK && call->answer.at.index != 0) {
            replay->steps[replay->step_count++] = (struct step){.index = call->answer.at.index,
                                                                .deed = WITNESS_NONE,
                                                                .call = i,
                                                                .line = call->answer.line};
            result->reads++;
        }
    }
    qsort(replay->steps, (size_t)replay->step_count, sizeof *replay->steps, by_index);
}

static int by_pin(const void *a, const void *b)
{
    const struct pin *left = a;
    const struct pin *right = b;

    return left->index < right->index ? -1 : left->index > right->index;
}

static bool is_entry_at(const struct replay *replay, uint64_t index)
{
    for (int i = 0; i < replay->step_count; i++) {
        if (replay->steps[i].index == index && replay->steps[i].deed != WITNESS_NONE) {
            return true;
        }
    }
    return false;
}

static void pin_add(struct replay *replay, const struct witness_call *call,
                    const struct witness_item *item, int *room)
{
    bool is_schedule = call->verb == WITNESS_SCHEDULE;
    bool is_shown = item->since != 0 && item->kind != WITNESS_ITEM_FOUND;

    for (int i = 0; is_shown && i < replay->pin_count; i++) {
        is_shown = replay->pins[i].index != item->since;
    }
    if (is_shown && !is_entry_at(replay, item->since)) {
        replay->pins =
            witness__grow(replay->pins, replay->pin_count, room, sizeof *replay->pins);
        replay->pins[replay->pin_count++] = (struct pin){
            .index = item->since,
            .line = call->answer.line,
            .student = is_schedule ? call->student : item->who,
            .section = is_schedule ? item->who : call->section,
        };
    }
}

/* Put every pin to the gap that it lies in. One behind the last step stays alone. */
static void pins_make(struct replay *replay)
{
    const struct witness_history *history = replay->history;
    int room = 0;
    int pin = 0;

    for (int i = 0; i < history->call_count; i++) {
        const struct witness_answer *answer = &history->calls[i].answer;

        for (int k = 0; k < answer->item_count; k++) {
            pin_add(replay, &history->calls[i], &history->items[answer->item_first + k], &room);
        }
    }
    if (replay->pin_count > 0) {
        qsort(replay->pins, (size_t)replay->pin_count, sizeof *replay->pins, by_pin);
    }
    for (int i = 0; i < replay->step_count; i++) {
        struct step *step = &replay->steps[i];

        step->pin_first = pin;
        while (pin < replay->pin_count && replay->pins[pin].index <= step->index) {
            step->pin_count++;
            pin++;
        }
    }
}

/* Rounds of growing patience, until one finds an explanation or was not cut short. */
static void search(struct replay *replay, const struct witness_state *empty)
{
    struct witness_result *result = replay->history->result;
    bool fits = false;

    for (replay->patience = 0; replay->patience <= PATIENCE_MAX; replay->patience++) {
        replay->is_cut = false;
        replay->visited_count = 0;
        if (replay->unknown_count > 0) {
            memset(replay->visited, 0, VISITED_SLOTS * sizeof *replay->visited);
        }
        fits = explain(replay, empty,
                       &(struct node){.low = 1, .patience = replay->patience, .goal = -1});
        if (fits || !replay->is_cut || replay->tried > replay->tried_max) {
            break;
        }
    }
    result->tried = replay->tried;
    for (int i = 0; i < replay->unknown_count && fits; i++) {
        result->supposed += replay->is_supposed[i];
    }
    if (fits) {
        return;
    }
    bool is_given_up = replay->unknown_count > 0 && replay->tried > replay->tried_max;
    (void)witness__wrong(replay->history, is_given_up ? WITNESS_UNDECIDED : replay->wrong.kind,
                         replay->wrong.line, "%s%s", is_given_up ? "undecided: " : "",
                         replay->wrong.text);
}

/* Facts of the cluster come into each shard's log at a place that nobody is told. */
static bool has_facts(const struct witness_history *history)
{
    for (int i = 0; i < history->call_count; i++) {
        enum witness_verb verb = history->calls[i].verb;

        if (verb == WITNESS_LIMITS || verb == WITNESS_WINDOW) {
            return true;
        }
    }
    return false;
}

static void judge_shards(struct witness_history *history, const struct witness_deeds *deeds)
{
    bool is_decided = !has_facts(history);

    if (is_decided) {
        is_decided = witness__records(history, deeds);
        witness__sections(history, deeds);
    }
    if (!is_decided) {
        (void)witness__wrong(history, WITNESS_UNDECIDED, 0,
                             "a record that may have gone too many ways, or facts");
    }
}

void witness__replay(struct witness_history *history, const struct witness_deeds *deeds,
                     uint64_t steps)
{
    struct replay *replay = calloc(1, sizeof *replay);
    struct witness_state *empty = malloc(sizeof *empty);
    size_t count = (size_t)(deeds->count + history->call_count) + 1;

    ASSERT(replay != NULL && empty != NULL);
    *replay = (struct replay){.history = history,
                              .deeds = deeds,
                              .tried_max = steps == 0 ? STEPS : steps,
                              .furthest = WITNESS_NONE,
                              .steps = calloc(count, sizeof *replay->steps),
                              .before = calloc(count, sizeof(void *)),
                              .visited = calloc(VISITED_SLOTS, sizeof *replay->visited)};
    ASSERT(replay->steps != NULL && replay->before != NULL && replay->visited != NULL);
    steps_make(replay);
    if (replay->unknown_count > 0) {
        pins_make(replay);
    }
    witness__state_init(empty, history);
    if (history->shards > 1) {
        judge_shards(history, deeds);
    } else if (deeds->group_count > 1 || history->result->unknown > WITNESS_UNKNOWN_MAX) {
        (void)witness__wrong(history, WITNESS_UNDECIDED, 0, "%d groups, %u unanswered requests",
                             deeds->group_count, history->result->unknown);
    } else {
        search(replay, empty);
    }
    for (int i = 0; i < replay->step_count; i++) {
        free(replay->before[i]);
    }
    free(replay->steps);
    free(replay->pins);
    free(replay->before);
    free(replay->visited);
    free(replay);
    free(empty);
}

void witness_check_within(const char *text, size_t len, uint64_t steps,
                          struct witness_result *ret_result)
{
    struct witness_history *history = calloc(1, sizeof *history);
    struct witness_deeds deeds = {0};

    ASSERT(history != NULL);
    *ret_result = (struct witness_result){.kind = WITNESS_GOOD};
    history->result = ret_result;
    if (witness__parse(history, text, len)) {
        ret_result->calls = (uint32_t)history->call_count;
        if (witness__order(history, &deeds)) {
            witness__replay(history, &deeds, steps);
        }
    }
    free(deeds.rows);
    witness__history_fini(history);
    free(history);
}

void witness_check(const char *text, size_t len, struct witness_result *ret_result)
{
    witness_check_within(text, len, 0, ret_result);
}
