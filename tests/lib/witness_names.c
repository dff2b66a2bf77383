/* The words of a history, and those of its format. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { SLOTS_FIRST = 64 };

const char *const witness_kind_names[WITNESS_KINDS] = {
    [WITNESS_GOOD] = "good",         [WITNESS_UNDECIDED] = "undecided",
    [WITNESS_FORMAT] = "format",     [WITNESS_CLUSTER] = "cluster",
    [WITNESS_POSITION] = "position", [WITNESS_TERM] = "term",
    [WITNESS_ORDER] = "order",       [WITNESS_STALE] = "stale",
    [WITNESS_KEY] = "key",           [WITNESS_ERROR] = "error",
    [WITNESS_ANSWER] = "answer",     [WITNESS_READ] = "read",
};

const char *const witness__verbs[WITNESS_VERBS] = {
    [WITNESS_SUBMIT] = "submit",     [WITNESS_CAP] = "cap",
    [WITNESS_BLOCK] = "block",       [WITNESS_UNBLOCK] = "unblock",
    [WITNESS_PERMIT] = "permit",     [WITNESS_LIMITS] = "limits",
    [WITNESS_WINDOW] = "window",     [WITNESS_CHECK] = "check",
    [WITNESS_SCHEDULE] = "schedule", [WITNESS_ROSTER] = "roster",
    [WITNESS_OUTCOME] = "outcome",
};

const char *const witness__changes[WITNESS_CHANGES] = {
    [WITNESS_REGISTERED] = "registered",
    [WITNESS_DROPPED] = "dropped",
    [WITNESS_WAITLISTED] = "waitlisted",
    [WITNESS_LEFT] = "left",
};

const char *const witness__numbers[WITNESS_NUMBERS] = {
    [WITNESS_CAPACITY] = "capacity",  [WITNESS_ENROLLED] = "enrolled",
    [WITNESS_WAITING] = "waiting",    [WITNESS_PROMOTED] = "promoted",
    [WITNESS_BLOCK_COUNT] = "blocks",
};

const char *const witness__refusals[WITNESS_REFUSALS] = {
    [WITNESS_SEAT_UNAVAILABLE] = "SEAT_UNAVAILABLE",
    [WITNESS_WAITLIST_AVAILABLE] = "WAITLIST_AVAILABLE",
    [WITNESS_TIME_CONFLICT] = "TIME_CONFLICT",
    [WITNESS_CREDIT_LOAD_EXCEEDED] = "CREDIT_LOAD_EXCEEDED",
    [WITNESS_COURSE_LIMIT] = "COURSE_LIMIT",
    [WITNESS_PREREQUISITE_UNMET] = "PREREQUISITE_UNMET",
    [WITNESS_COREQUISITE_MISSING] = "COREQUISITE_MISSING",
    [WITNESS_LEVEL_RESTRICTED] = "LEVEL_RESTRICTED",
    [WITNESS_ALREADY_REGISTERED] = "ALREADY_REGISTERED",
    [WITNESS_ALREADY_TAKEN] = "ALREADY_TAKEN",
    [WITNESS_BLOCKED] = "BLOCKED",
    [WITNESS_WINDOW_CLOSED] = "WINDOW_CLOSED",
    [WITNESS_WINDOW_NOT_OPEN] = "WINDOW_NOT_OPEN",
    [WITNESS_NOT_REGISTERED] = "NOT_REGISTERED",
    [WITNESS_WAITLIST_FULL] = "WAITLIST_FULL",
    [WITNESS_ALREADY_WAITLISTED] = "ALREADY_WAITLISTED",
    [WITNESS_DUPLICATE_OP] = "DUPLICATE_OP",
    [WITNESS_SEAT_UNDECIDED] = "SEAT_UNDECIDED",
};

void *witness__grow(void *rows, int count, int *room, size_t size)
{
    if (count < *room) {
        return rows;
    }
    *room = *room == 0 ? 64 : *room * 2;
    rows = realloc(rows, (size_t)*room * size);
    ASSERT(rows != NULL);
    return rows;
}

void witness__names_fini(struct witness_names *names)
{
    free(names->text);
    free(names->slots);
}

static int slot_of(const struct witness_names *names, const char *text)
{
    uint32_t hash = 2166136261U;

    for (const char *at = text; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    }
    int slot = (int)(hash % (uint32_t)names->slot_count);
    while (names->slots[slot] != WITNESS_NONE &&
           strcmp(names->text[names->slots[slot]], text) != 0) {
        slot = (slot + 1) % names->slot_count;
    }
    return slot;
}

int witness__name_find(const struct witness_names *names, const char *text)
{
    return names->slot_count == 0 ? WITNESS_NONE : names->slots[slot_of(names, text)];
}

static void slots_grow(struct witness_names *names)
{
    free(names->slots);
    names->slot_count = names->slot_count == 0 ? SLOTS_FIRST : names->slot_count * 2;
    names->slots = malloc((size_t)names->slot_count * sizeof *names->slots);
    ASSERT(names->slots != NULL);
    for (int i = 0; i < names->slot_count; i++) {
        names->slots[i] = WITNESS_NONE;
    }
    for (int i = 0; i < names->count; i++) {
        names->slots[slot_of(names, names->text[i])] = i;
    }
}

int witness__name_put(struct witness_names *names, const char *text)
{
    if (2 * (names->count + 1) > names->slot_count) {
        slots_grow(names);
    }
    int slot = slot_of(names, text);

    if (names->slots[slot] == WITNESS_NONE) {
        names->text =
            witness__grow(names->text, names->count, &names->room, sizeof *names->text);
        (void)snprintf(names->text[names->count], WITNESS_NAME_BYTES, "%s", text);
        names->slots[slot] = names->count++;
    }
    return names->slots[slot];
}
