/* base/sm.h -- operations that wait, as a table of states.
 *
 * Layer: base
 *
 * An operation is one struct with a `struct sm` in it and one table. Each state starts its work
 * in `start` and returns OK (done at once), an error, or SM_PENDING; in the last case the
 * callback of what it waits for calls sm_done() with the result. Success and failure name the
 * next state; edges only go forward. A state without `start` is the end: `finished` is called
 * once with the first error, or OK.
 */
#ifndef CARILLON_BASE_SM_H
#define CARILLON_BASE_SM_H

#include <stdbool.h>

enum { SM_PENDING = 1 };

struct sm;

struct sm_state {
    const char *name;
    int (*start)(struct sm *sm); /* NULL: the end */
    int success;
    int failure;
};

struct sm {
    const struct sm_state *states;
    void (*finished)(struct sm *sm, int status);
    int current;
    int status; /* the first error, or OK */
    bool is_stepping;
};

/* Begin at state 0 and run until a state waits or the end is reached. `finished` may be called
 * before it returns. */
void sm_start(struct sm *sm, const struct sm_state *states,
              void (*finished)(struct sm *sm, int status));

/* What the current state waited for has ended with @status (OK or an error). */
void sm_done(struct sm *sm, int status);

/* The current state's name, for logs. */
const char *sm_name(const struct sm *sm);

#endif
