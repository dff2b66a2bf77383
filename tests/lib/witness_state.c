/* The facts that a prefix of the log leaves. */
#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

void witness__state_init(struct witness_state *state, const struct witness_history *history)
{
    memset(state, 0, sizeof *state);
    state->history = history;
    memcpy(state->limits, history->limits, sizeof state->limits);
    for (int i = 0; i < history->sections.count; i++) {
        state->capacity[i] = history->section_rows[i].capacity;
    }
}

void witness__state_copy(struct witness_state *to, const struct witness_state *from)
{
    memcpy(to, from, offsetof(struct witness_state, seats));
    memcpy(to->seats, from->seats, (size_t)from->seat_count * sizeof *from->seats);
    memcpy(to->places, from->places, (size_t)from->place_count * sizeof *from->places);
    memcpy(to->permits, from->permits, (size_t)from->permit_count * sizeof *from->permits);
    memcpy(to->blocks, from->blocks, (size_t)from->block_count * sizeof *from->blocks);
    memcpy(to->hidden, from->hidden, (size_t)from->hidden_count * sizeof *from->hidden);
}

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    *hash ^= *hash >> 29;
}

uint64_t witness__state_hash(const struct witness_state *state)
{
    uint64_t hash = (uint64_t)state->window << 32 | state->level_min;

    for (int i = 0; i < state->history->sections.count; i++) {
        mix(&hash, state->capacity[i]);
    }
    for (int i = 0; i < 3; i++) {
        mix(&hash, state->limits[i]);
    }
    for (int i = 0; i < state->seat_count; i++) {
        const struct witness_seat *seat = &state->seats[i];

        mix(&hash,
            (uint64_t)seat->student << 20 | (uint64_t)seat->section << 1 | seat->is_over);
        mix(&hash, seat->since);
    }
    mix(&hash, (uint64_t)state->seat_count);
    for (int i = 0; i < state->place_count; i++) {
        const struct witness_place *place = &state->places[i];

        mix(&hash, (uint64_t)place->student << 16 | (uint64_t)place->section);
        mix(&hash, place->since);
        for (int k = 0; k < place->drop_count; k++) {
            mix(&hash, (uint64_t)place->drops[k] + 1);
        }
    }
    mix(&hash, (uint64_t)state->place_count);
    for (int i = 0; i < state->permit_count; i++) {
        mix(&hash, (uint64_t)state->permits[i].student << 20 |
                       (uint64_t)state->permits[i].section << 4 | state->permits[i].kinds);
    }
    mix(&hash, (uint64_t)state->permit_count);
    for (int i = 0; i < state->block_count; i++) {
        mix(&hash,
            (uint64_t)state->blocks[i].student << 20 | (uint64_t)state->blocks[i].reason);
    }
    for (int i = 0; i < state->hidden_count; i++) {
        const struct witness_hidden *hidden = &state->hidden[i];

        mix(&hash, (uint64_t)hidden->deed);
        mix(&hash, hidden->index != 0 ? hidden->index : hidden->low << 32 ^ hidden->high);
    }
    return hash;
}

bool witness__is_full(const struct witness_state *state, int section)
{
    return state->capacity[section] != WITNESS_UNLIMITED &&
           state->enrolled[section] >= state->capacity[section];
}

int witness__seat_find(const struct witness_state *state, int student, int section)
{
    for (int i = 0; i < state->seat_count; i++) {
        if (state->seats[i].student == student && state->seats[i].section == section) {
            return i;
        }
    }
    return WITNESS_NONE;
}

int witness__place_find(const struct witness_state *state, int student, int section)
{
    for (int i = 0; i < state->place_count; i++) {
        if (state->places[i].student == student && state->places[i].section == section) {
            return i;
        }
    }
    return WITNESS_NONE;
}

uint32_t witness__waiting(const struct witness_state *state, int section)
{
    uint32_t count = 0;

    for (int i = 0; i < state->place_count; i++) {
        count += state->places[i].section == section;
    }
    return count;
}

uint32_t witness__place_number(const struct witness_state *state, int place)
{
    uint32_t number = 1;

    for (int i = 0; i < place; i++) {
        number += state->places[i].section == state->places[place].section;
    }
    return number;
}

uint32_t witness__permits(const struct witness_state *state, int student, int section)
{
    for (int i = 0; i < state->permit_count; i++) {
        if (state->permits[i].student == student && state->permits[i].section == section) {
            return state->permits[i].kinds;
        }
    }
    return 0;
}

void witness__seat_add(struct witness_state *state, const struct witness_seat *seat)
{
    ASSERT(state->seat_count < WITNESS_SEATS_MAX);
    state->seats[state->seat_count++] = *seat;
    state->enrolled[seat->section]++;
}

void witness__seat_remove(struct witness_state *state, int seat)
{
    ASSERT(seat >= 0 && seat < state->seat_count);
    ASSERT(state->enrolled[state->seats[seat].section] > 0);
    state->enrolled[state->seats[seat].section]--;
    state->seat_count--;
    memmove(&state->seats[seat], &state->seats[seat + 1],
            (size_t)(state->seat_count - seat) * sizeof *state->seats);
}

/* Places of one entry stand in the order in which the sections were imported. */
void witness__place_add(struct witness_state *state, const struct witness_place *place)
{
    int at = state->place_count;

    ASSERT(state->place_count < WITNESS_PLACES_MAX);
    while (at > 0 && state->places[at - 1].since == place->since &&
           state->places[at - 1].section > place->section) {
        state->places[at] = state->places[at - 1];
        at--;
    }
    state->places[at] = *place;
    state->place_count++;
}

void witness__place_remove(struct witness_state *state, int place)
{
    ASSERT(place >= 0 && place < state->place_count);
    state->place_count--;
    memmove(&state->places[place], &state->places[place + 1],
            (size_t)(state->place_count - place) * sizeof *state->places);
}
