/* tests/lib/ledger.h -- the simplest state machine for an engine: each group is a list of
 * numbers.
 *
 * Layer: tests
 *
 * An entry is a number (8 bytes) and as many bytes of filling as it likes. What was applied, in
 * which order, and what was told is kept, so that tests can compare before and after a crash.
 */
#ifndef CARILLON_TESTS_LIB_LEDGER_H
#define CARILLON_TESTS_LIB_LEDGER_H

#include "node/engine.h"

enum { LEDGER_GROUPS_MAX = 16 };

struct ledger_group {
    uint64_t *values;
    uint64_t index; /* of the newest; consensus has entries of its own in between */
    uint64_t term;
    size_t count;
    size_t cap;
    size_t frozen;   /* values of the snapshot being written */
    size_t written;  /* of them */
    struct buf part; /* of a value cut by a chunk's end */
    bool is_frozen;
    bool is_leading;
};

struct ledger {
    struct ledger_group groups[LEDGER_GROUPS_MAX];
    size_t slice_values; /* per snapshot step; 0: 1000 */
    uint64_t replayed;
    uint64_t applied;
    int snapshots_begun;
    int snapshots_ended;
    int snapshot_status;
    int writable_calls;
    bool is_writable;
    bool is_failed;
    bool is_closed;
    char text[1024];
    void (*applied_hook)(void *context, uint32_t group, uint64_t index, uint64_t value);
    void *applied_context;
};

void ledger_init(struct ledger *ledger);
void ledger_fini(struct ledger *ledger);

/* Hooks that keep @ledger. */
struct engine_hooks ledger_hooks(struct ledger *ledger);

/* Whether the node leads groups 0..@groups-1. */
bool ledger_leads(const struct ledger *ledger, uint32_t groups);

/* Propose @value with @filling more bytes (at most 1 MiB). */
int ledger_propose(struct engine *engine, uint32_t group, uint64_t value, size_t filling,
                   uint64_t *ret_index) CHECKED;

#endif
