#include "tests/lib/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/sm.h"

void ledger_init(struct ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    ledger->is_writable = true;
    for (int i = 0; i < LEDGER_GROUPS_MAX; i++) {
        buf_init(&ledger->groups[i].part, 8);
    }
}

void ledger_fini(struct ledger *ledger)
{
    for (int i = 0; i < LEDGER_GROUPS_MAX; i++) {
        free(ledger->groups[i].values);
        buf_fini(&ledger->groups[i].part);
    }
}

static void add(struct ledger_group *group, uint64_t value)
{
    if (group->count == group->cap) {
        group->cap = group->cap == 0 ? 64 : group->cap * 2;
        group->values = realloc(group->values, group->cap * sizeof *group->values);
        ASSERT(group->values != NULL);
    }
    group->values[group->count++] = value;
}

static void ledger_apply(void *context, uint32_t group, uint64_t index, uint64_t term,
                         struct slice payload, bool is_replay)
{
    struct ledger *ledger = context;
    uint64_t value;

    ASSERT(group < LEDGER_GROUPS_MAX);
    struct ledger_group *state = &ledger->groups[group];
    ASSERT(index > state->index && term >= state->term);
    state->index = index;
    state->term = term;
    ASSERT(payload.len >= sizeof value);
    memcpy(&value, payload.data, sizeof value);
    add(state, value);
    ledger->applied++;
    ledger->replayed += is_replay ? 1 : 0;
    if (!is_replay && ledger->applied_hook != NULL) {
        ledger->applied_hook(ledger->applied_context, group, index, value);
    }
}

static int ledger_restore_begin(void *context, uint32_t group, uint64_t index)
{
    struct ledger *ledger = context;
    ledger->groups[group].index = index;
    ledger->groups[group].count = 0;
    buf_clear(&ledger->groups[group].part);
    return OK;
}

static int ledger_restore_chunk(void *context, uint32_t group, struct slice chunk)
{
    struct ledger *ledger = context;
    struct ledger_group *state = &ledger->groups[group];

    for (size_t i = 0; i < chunk.len; i++) {
        int status = buf_append_byte(&state->part, chunk.data[i]);
        ASSERT(status == OK);
        if (state->part.len == 8) {
            uint64_t value;
            memcpy(&value, state->part.data, 8);
            buf_clear(&state->part);
            add(state, value);
        }
    }
    return OK;
}

static int ledger_restore_end(void *context, uint32_t group)
{
    struct ledger *ledger = context;
    return ledger->groups[group].part.len == 0 ? OK : ERR_DAMAGED;
}

static void ledger_snapshot_begin(void *context, uint32_t group)
{
    struct ledger *ledger = context;
    struct ledger_group *state = &ledger->groups[group];

    ASSERT(!state->is_frozen);
    state->is_frozen = true;
    state->frozen = state->count;
    state->written = 0;
    ledger->snapshots_begun++;
}

static int ledger_snapshot_step(void *context, uint32_t group, struct buf *out)
{
    struct ledger *ledger = context;
    struct ledger_group *state = &ledger->groups[group];
    size_t slice = ledger->slice_values == 0 ? 1000 : ledger->slice_values;
    size_t left = state->frozen - state->written;
    size_t now = left < slice ? left : slice;

    ASSERT(state->is_frozen);
    int status = buf_append(out, state->values + state->written, now * sizeof *state->values);
    ASSERT(status == OK);
    state->written += now;
    return state->written < state->frozen ? SM_PENDING : OK;
}

static void ledger_snapshot_end(void *context, uint32_t group, int status)
{
    struct ledger *ledger = context;

    ASSERT(ledger->groups[group].is_frozen);
    ledger->groups[group].is_frozen = false;
    ledger->snapshots_ended++;
    ledger->snapshot_status = status;
}

static void ledger_role(void *context, uint32_t group, bool is_leading, uint64_t term)
{
    struct ledger *ledger = context;

    ASSERT(term > 0 && ledger->groups[group].is_leading != is_leading);
    ledger->groups[group].is_leading = is_leading;
}

bool ledger_leads(const struct ledger *ledger, uint32_t groups)
{
    for (uint32_t group = 0; group < groups; group++) {
        if (!ledger->groups[group].is_leading) {
            return false;
        }
    }
    return true;
}

static void ledger_writable(void *context, bool is_writable)
{
    struct ledger *ledger = context;

    ASSERT(ledger->is_writable != is_writable);
    ledger->is_writable = is_writable;
    ledger->writable_calls++;
}

static void ledger_failed(void *context, const char *text)
{
    struct ledger *ledger = context;

    ASSERT(!ledger->is_failed);
    ledger->is_failed = true;
    (void)snprintf(ledger->text, sizeof ledger->text, "%s", text);
}

static void ledger_closed(void *context)
{
    struct ledger *ledger = context;

    ASSERT(!ledger->is_closed);
    ledger->is_closed = true;
}

struct engine_hooks ledger_hooks(struct ledger *ledger)
{
    return (struct engine_hooks){
        .context = ledger,
        .apply = ledger_apply,
        .restore_begin = ledger_restore_begin,
        .restore_chunk = ledger_restore_chunk,
        .restore_end = ledger_restore_end,
        .snapshot_begin = ledger_snapshot_begin,
        .snapshot_step = ledger_snapshot_step,
        .snapshot_end = ledger_snapshot_end,
        .role = ledger_role,
        .writable = ledger_writable,
        .failed = ledger_failed,
        .closed = ledger_closed,
    };
}

int ledger_propose(struct engine *engine, uint32_t group, uint64_t value, size_t filling,
                   uint64_t *ret_index)
{
    static uint8_t payload[8 + (1 << 20)];

    ASSERT(filling <= sizeof payload - 8);
    memcpy(payload, &value, 8);
    return engine_propose(engine, group, slice_from(payload, 8 + filling), ret_index);
}
