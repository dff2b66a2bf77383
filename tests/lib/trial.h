/* tests/lib/trial.h -- one seed's history, put to the state machine and to the model at once.
 *
 * Every answer is compared. Now and then all schedules, rosters and outcomes are, the state is
 * verified, CHECK is asked before a submit (and must change nothing), and a snapshot is taken
 * while entries go on, restored into a new state, brought up to date and compared by hash; half
 * of the time the trial then goes on with the restored one.
 */
#ifndef CARILLON_TESTS_TRIAL_H
#define CARILLON_TESTS_TRIAL_H

#include "base/buf.h"
#include "enrol/enrol.h"
#include "tests/lib/history.h"
#include "tests/lib/model.h"

/* What the trials have come across: a test that asks for each of them cannot pass idly. */
enum trial_mark {
    TRIAL_ENTRIES,
    TRIAL_REFUSED_AT_ADMISSION,
    TRIAL_IN_FLIGHT, /* applied after others that were admitted before it */
    TRIAL_FORGOTTEN, /* admitted and never applied */
    TRIAL_REPEATED,  /* the stored answer of a key */
    TRIAL_KEY_REUSED,
    TRIAL_KEY_EXPIRED,
    TRIAL_PROMOTED,
    TRIAL_PROMOTED_BY_TIME,
    TRIAL_PROMOTION_DROP,
    TRIAL_CASCADE, /* a promotion that a promotion drop made room for */
    TRIAL_SKIPPED,
    TRIAL_SETTLED_THEN_REFUSED, /* a refused submit that promoted somebody else */
    TRIAL_OVER_CAPACITY,
    TRIAL_SWAPPED,
    TRIAL_SECTION_WITHDRAWN, /* an import left a section with students behind */
    TRIAL_STUDENT_WITHDRAWN,
    TRIAL_SHRINK,
    TRIAL_CHUNK_REFUSED,
    TRIAL_FULL, /* ERR_FULL: blocks or permits */
    TRIAL_CHECKED,
    TRIAL_CHECKED_OK,
    TRIAL_COMPARED,
    TRIAL_VERIFIED,
    TRIAL_RESTORED,
    TRIAL_CONTINUED, /* went on with the restored state */
    TRIAL_MARKS,
};

extern const char *const trial_mark_names[TRIAL_MARKS];

struct trial_counters {
    uint64_t marks[TRIAL_MARKS];
    uint64_t refusals[32]; /* by RefusalKind */
    uint64_t changes[8];   /* by ChangeKind */
};

/* Run @ops requests of the history of @seed, adding to @counters.
 *
 * Returns: whether both agreed all the way; if not, @why says where and how they differ.
 */
bool trial_run(uint64_t seed, unsigned ops, struct trial_counters *counters, struct buf *why);

#endif
