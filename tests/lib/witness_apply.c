/* What an entry does, and what is to be seen afterwards: docs/spec/registration.md sections 3,
 * 5 and 6. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { PROMOTION_DROPS_MAX = 15, COURSES_DEFAULT = 5, PLACES_DEFAULT = 500 };

/* Sections to be settled, first in first out, each in it once at a time. */
struct queue {
    struct witness_state *state;
    uint64_t index;
    int first;
    int count;
    int sections[WITNESS_SECTIONS_MAX];
    bool is_in[WITNESS_SECTIONS_MAX];
    uint32_t promoted[WITNESS_SECTIONS_MAX];
};

static void say(struct witness_items *out, struct witness_item item)
{
    ASSERT(out->count < WITNESS_ITEMS_MAX);
    out->rows[out->count++] = item;
}

static void say_number(struct witness_items *out, enum witness_number number, uint32_t count)
{
    say(out,
        (struct witness_item){.kind = WITNESS_ITEM_NUMBER, .code = number, .count = count});
}

static void say_change(struct witness_items *out, enum witness_change change, uint32_t place)
{
    say(out,
        (struct witness_item){.kind = WITNESS_ITEM_CHANGE, .code = change, .count = place});
}

/* ---- the queue ---- */

static void put(struct queue *queue, int section)
{
    if (queue->is_in[section] || witness__is_full(queue->state, section) ||
        witness__waiting(queue->state, section) == 0) {
        return;
    }
    queue->is_in[section] = true;
    queue->sections[(queue->first + queue->count++) % WITNESS_SECTIONS_MAX] = section;
}

static void put_where_waiting(struct queue *queue, int student)
{
    for (int i = 0; i < queue->state->place_count; i++) {
        if (queue->state->places[i].student == student) {
            put(queue, queue->state->places[i].section);
        }
    }
}

static void put_all(struct queue *queue)
{
    for (int i = 0; i < queue->state->history->sections.count; i++) {
        put(queue, i);
    }
}

/* What a promotion would ask for: its drops, as far as they are there, and the section. */
static void promotion_make(const struct witness_state *state, const struct witness_place *place,
                           struct witness_wish wishes[WITNESS_WISHES_MAX],
                           struct witness_request *request)
{
    *request = (struct witness_request){
        .student = place->student, .wishes = wishes, .is_promotion = true};
    for (int i = 0; i < place->drop_count && request->wish_count < PROMOTION_DROPS_MAX; i++) {
        bool is_new = true;

        for (int k = 0; k < request->wish_count; k++) {
            is_new = is_new && wishes[k].section != place->drops[i];
        }
        if (is_new &&
            witness__seat_find(state, place->student, place->drops[i]) != WITNESS_NONE) {
            wishes[request->wish_count++] =
                (struct witness_wish){.is_drop = true, .section = place->drops[i]};
        }
    }
    wishes[request->wish_count++] = (struct witness_wish){.section = place->section};
}

/* Returns: whether the seat was given to place @at, which is then gone. */
static bool promote(struct queue *queue, int at)
{
    struct witness_state *state = queue->state;
    struct witness_place place = state->places[at];
    struct witness_wish wishes[WITNESS_WISHES_MAX];
    struct witness_request request;
    struct witness_items refusals;

    promotion_make(state, &place, wishes, &request);
    witness__judge(state, &request, &refusals);
    if (refusals.count > 0) {
        return false;
    }
    for (int i = 0; i + 1 < request.wish_count; i++) {
        witness__seat_remove(state,
                             witness__seat_find(state, place.student, wishes[i].section));
    }
    witness__place_remove(state, at);
    witness__seat_add(state, &(struct witness_seat){.student = place.student,
                                                    .section = place.section,
                                                    .since = queue->index});
    queue->promoted[place.section]++;
    for (int i = 0; i + 1 < request.wish_count; i++) {
        put(queue, wishes[i].section);
    }
    put_where_waiting(queue, place.student);
    return true;
}

bool witness__promote(struct witness_state *state, int at, uint64_t index)
{
    struct queue queue = {.state = state, .index = index};

    return promote(&queue, at);
}

static void settle(struct queue *queue, int section)
{
    struct witness_state *state = queue->state;

    for (int at = 0; at < state->place_count && !witness__is_full(state, section);) {
        if (state->places[at].section != section || !promote(queue, at)) {
            at++;
        }
    }
}

static void work_off(struct queue *queue)
{
    while (queue->count > 0) {
        int section = queue->sections[queue->first];

        queue->first = (queue->first + 1) % WITNESS_SECTIONS_MAX;
        queue->count--;
        queue->is_in[section] = false;
        settle(queue, section);
    }
}

/* ---- submit ---- */

static void perform_drop(struct witness_state *state, int student, int section,
                         struct witness_items *out)
{
    int seat = witness__seat_find(state, student, section);

    if (seat != WITNESS_NONE) {
        witness__seat_remove(state, seat);
        say_change(out, WITNESS_DROPPED, 0);
    } else {
        witness__place_remove(state, witness__place_find(state, student, section));
        say_change(out, WITNESS_LEFT, 0);
    }
}

static bool is_wait(const struct witness_state *state, int student,
                    const struct witness_wish *wish)
{
    return wish->is_wait && witness__is_full(state, wish->section) &&
           (witness__permits(state, student, wish->section) & WITNESS_PERMIT_CAPACITY) == 0;
}

static void perform_add(struct witness_state *state, const struct witness_call *call,
                        const struct witness_wish *wish, uint64_t index,
                        struct witness_items *out)
{
    if (is_wait(state, call->student, wish)) {
        struct witness_place place = {.student = (int16_t)call->student,
                                      .section = (int16_t)wish->section,
                                      .drop_count = (int16_t)wish->drop_count,
                                      .since = index};

        memcpy(place.drops, wish->drops, sizeof place.drops);
        witness__place_add(state, &place);
        say_change(out, WITNESS_WAITLISTED, witness__waiting(state, wish->section));
        return;
    }
    int place = witness__place_find(state, call->student, wish->section);

    if (place != WITNESS_NONE) {
        witness__place_remove(state, place);
    }
    witness__seat_add(state,
                      &(struct witness_seat){.student = (int16_t)call->student,
                                             .section = (int16_t)wish->section,
                                             .is_over = witness__is_full(state, wish->section),
                                             .since = index});
    say_change(out, WITNESS_REGISTERED, 0);
}

static enum witness_status judge_call(const struct witness_state *state,
                                      const struct witness_call *call,
                                      struct witness_items *out)
{
    const struct witness_request request = {
        .student = call->student, .wish_count = call->wish_count, .wishes = call->wishes};

    witness__judge(state, &request, out);
    return out->count > 0 ? WITNESS_NO : WITNESS_OK;
}

/* Drops come first, whatever the order of the ops; the answer keeps theirs. */
static enum witness_status apply_submit(struct queue *queue, const struct witness_call *call,
                                        struct witness_items *out)
{
    struct witness_state *state = queue->state;
    struct witness_item said[WITNESS_WISHES_MAX];
    bool was_seat[WITNESS_WISHES_MAX] = {false};

    if (judge_call(state, call, out) == WITNESS_NO) {
        return WITNESS_NO;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < call->wish_count; i++) {
            const struct witness_wish *wish = &call->wishes[i];

            if (wish->is_drop != (pass == 0)) {
                continue;
            }
            out->count = 0;
            if (wish->is_drop) {
                perform_drop(state, call->student, wish->section, out);
                was_seat[i] = out->rows[0].code == WITNESS_DROPPED;
            } else {
                perform_add(state, call, wish, queue->index, out);
            }
            said[i] = out->rows[0];
        }
    }
    memcpy(out->rows, said, (size_t)call->wish_count * sizeof said[0]);
    out->count = call->wish_count;
    for (int i = 0; i < call->wish_count; i++) {
        if (was_seat[i]) {
            put(queue, call->wishes[i].section);
        }
    }
    put_where_waiting(queue, call->student);
    return WITNESS_OK;
}

/* ---- registrars ---- */

static uint32_t block_count(const struct witness_state *state, int student)
{
    uint32_t count = 0;

    for (int i = 0; i < state->block_count; i++) {
        count += state->blocks[i].student == student;
    }
    return count;
}

static enum witness_status apply_block(struct witness_state *state,
                                       const struct witness_call *call)
{
    for (int i = 0; i < state->block_count; i++) {
        if (state->blocks[i].student == call->student &&
            state->blocks[i].reason == call->word) {
            return WITNESS_OK;
        }
    }
    ASSERT(state->block_count < WITNESS_BLOCKS_MAX);
    state->blocks[state->block_count++] = (struct witness_block){call->student, call->word};
    return WITNESS_OK;
}

static enum witness_status apply_unblock(struct queue *queue, const struct witness_call *call)
{
    struct witness_state *state = queue->state;
    int kept = 0;

    for (int i = 0; i < state->block_count; i++) {
        bool is_lifted = state->blocks[i].student == call->student &&
                         (call->word == WITNESS_NONE || state->blocks[i].reason == call->word);

        if (!is_lifted) {
            state->blocks[kept++] = state->blocks[i];
        }
    }
    bool is_any = kept < state->block_count || call->word == WITNESS_NONE;

    state->block_count = kept;
    if (is_any) {
        put_where_waiting(queue, call->student);
    }
    return is_any ? WITNESS_OK : WITNESS_FAILED;
}

static enum witness_status apply_permit(struct queue *queue, const struct witness_call *call)
{
    struct witness_state *state = queue->state;
    int at = 0;

    while (at < state->permit_count && !(state->permits[at].student == call->student &&
                                         state->permits[at].section == call->section)) {
        at++;
    }
    if (call->numbers[0] != 0) {
        ASSERT(at < WITNESS_PERMITS_MAX);
        state->permit_count += at == state->permit_count;
        state->permits[at] = (struct witness_permit){(int16_t)call->student,
                                                     (int16_t)call->section, call->numbers[0]};
    } else if (at == state->permit_count) {
        return WITNESS_FAILED;
    } else {
        state->permits[at] = state->permits[--state->permit_count];
    }
    put_where_waiting(queue, call->student);
    return WITNESS_OK;
}

static void apply_limits(struct queue *queue, const struct witness_call *call)
{
    uint32_t *limits = queue->state->limits;

    memcpy(limits, call->numbers, sizeof queue->state->limits);
    limits[2] = limits[2] == 0 ? PLACES_DEFAULT : limits[2];
    put_all(queue);
}

static enum witness_status apply_other(struct queue *queue, const struct witness_call *call)
{
    struct witness_state *state = queue->state;

    if (call->verb == WITNESS_BLOCK) {
        return apply_block(state, call);
    }
    if (call->verb == WITNESS_UNBLOCK) {
        return apply_unblock(queue, call);
    }
    if (call->verb == WITNESS_PERMIT) {
        return apply_permit(queue, call);
    }
    if (call->verb == WITNESS_CAP) {
        state->capacity[call->section] = call->numbers[0];
        put(queue, call->section);
    } else if (call->verb == WITNESS_LIMITS) {
        apply_limits(queue, call);
    } else {
        ASSERT(call->verb == WITNESS_WINDOW);
        state->window = (enum witness_window)call->numbers[0];
        state->level_min = call->numbers[1];
        put_all(queue);
    }
    return WITNESS_OK;
}

enum witness_status witness__apply(struct witness_state *state, const struct witness_call *call,
                                   uint64_t index, struct witness_items *out)
{
    struct queue queue = {.state = state, .index = index};
    enum witness_status status;

    out->count = 0;
    status = call->verb == WITNESS_SUBMIT ? apply_submit(&queue, call, out)
                                          : apply_other(&queue, call);
    work_off(&queue);
    if (call->verb == WITNESS_CAP) {
        say_number(out, WITNESS_ENROLLED, state->enrolled[call->section]);
        say_number(out, WITNESS_PROMOTED, queue.promoted[call->section]);
    } else if (call->verb == WITNESS_BLOCK || call->verb == WITNESS_UNBLOCK) {
        say_number(out, WITNESS_BLOCK_COUNT, block_count(state, call->student));
    }
    return status;
}

/* ---- reads ---- */

static int by_section(const void *a, const void *b)
{
    const struct witness_item *left = a;
    const struct witness_item *right = b;

    return left->who < right->who ? -1 : left->who > right->who;
}

static void look_schedule(const struct witness_state *state, int student,
                          struct witness_items *out)
{
    for (int i = 0; i < state->seat_count; i++) {
        if (state->seats[i].student == student) {
            say(out, (struct witness_item){.kind = WITNESS_ITEM_SEAT,
                                           .who = state->seats[i].section,
                                           .since = state->seats[i].since});
        }
    }
    qsort(out->rows, (size_t)out->count, sizeof out->rows[0], by_section);
    for (int i = 0; i < state->place_count; i++) {
        if (state->places[i].student == student) {
            say(out, (struct witness_item){.kind = WITNESS_ITEM_PLACE,
                                           .who = state->places[i].section,
                                           .count = witness__place_number(state, i)});
        }
    }
}

static void look_roster(const struct witness_state *state, int section,
                        struct witness_items *out)
{
    say_number(out, WITNESS_CAPACITY, state->capacity[section]);
    say_number(out, WITNESS_ENROLLED, state->enrolled[section]);
    say_number(out, WITNESS_WAITING, witness__waiting(state, section));
    for (int i = 0; i < state->seat_count; i++) {
        if (state->seats[i].section == section) {
            say(out, (struct witness_item){.kind = WITNESS_ITEM_SEAT,
                                           .who = state->seats[i].student,
                                           .since = state->seats[i].since,
                                           .is_over = state->seats[i].is_over});
        }
    }
    for (int i = 0; i < state->place_count; i++) {
        if (state->places[i].section == section) {
            say(out, (struct witness_item){.kind = WITNESS_ITEM_PLACE,
                                           .who = state->places[i].student,
                                           .since = state->places[i].since});
        }
    }
}

static enum witness_status look_check(const struct witness_state *state,
                                      const struct witness_call *call,
                                      struct witness_items *out)
{
    if (judge_call(state, call, out) == WITNESS_NO) {
        return WITNESS_NO;
    }
    for (int i = 0; i < call->wish_count; i++) {
        const struct witness_wish *wish = &call->wishes[i];

        if (!wish->is_drop && is_wait(state, call->student, wish)) {
            say_change(out, WITNESS_WAITLISTED, witness__waiting(state, wish->section) + 1);
        } else if (!wish->is_drop) {
            say_change(out, WITNESS_REGISTERED, 0);
        } else {
            bool is_seat =
                witness__seat_find(state, call->student, wish->section) != WITNESS_NONE;

            say_change(out, is_seat ? WITNESS_DROPPED : WITNESS_LEFT, 0);
        }
    }
    return WITNESS_OK;
}

enum witness_status witness__look(const struct witness_state *state,
                                  const struct witness_call *call, struct witness_items *out)
{
    out->count = 0;
    if (call->verb == WITNESS_CHECK) {
        return look_check(state, call, out);
    }
    if (call->verb == WITNESS_SCHEDULE) {
        look_schedule(state, call->student, out);
    } else {
        ASSERT(call->verb == WITNESS_ROSTER);
        look_roster(state, call->section, out);
    }
    return WITNESS_OK;
}
