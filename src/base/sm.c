#include "base/sm.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/error.h"

/* Leave the current state, which ended with @status. The first error is the one that is
 * reported. */
static void advance(struct sm *sm, int status)
{
    const struct sm_state *state = &sm->states[sm->current];
    ASSERT(status <= OK);
    if (status < OK && sm->status == OK) {
        sm->status = status;
    }
    int next = status == OK ? state->success : state->failure;
    ASSERT(next > sm->current);
    sm->current = next;
}

/* Run from the current state until one waits or the end is reached. `finished` may free the
 * struct: nothing touches it afterwards. */
static void run(struct sm *sm)
{
    for (;;) {
        const struct sm_state *state = &sm->states[sm->current];
        if (state->start == NULL) {
            sm->finished(sm, sm->status);
            return;
        }
        sm->is_stepping = true;
        int status = state->start(sm);
        sm->is_stepping = false;
        if (status == SM_PENDING) {
            return;
        }
        advance(sm, status);
    }
}

void sm_start(struct sm *sm, const struct sm_state *states,
              void (*finished)(struct sm *sm, int status))
{
    ASSERT(states != NULL);
    ASSERT(finished != NULL);
    *sm = (struct sm){.states = states, .finished = finished};
    run(sm);
}

void sm_done(struct sm *sm, int status)
{
    ASSERT(!sm->is_stepping); /* a callback never comes inside the call that asked for it */
    ASSERT(sm->states[sm->current].start != NULL);
    advance(sm, status);
    run(sm);
}

const char *sm_name(const struct sm *sm)
{
    return sm->states[sm->current].name;
}
