/* Snapshots while entries go on, and replays. */
#include "base/sm.h"
#include "tests/lib/trial_private.h"

enum { BEGIN_PPM = 20000, STEP_PPM = 300000, ABORT_PPM = 20000 };

static void entries_replay(struct trial *trial, struct enrol *enrol, unsigned from)
{
    struct enrol_result result;

    enrol_result_init(&result);
    for (unsigned i = from; i < trial->entry_count; i++) {
        trial__enrol_apply(enrol, &trial->entries[i], &result);
    }
    enrol_result_fini(&result);
}

/* Load the snapshot in pieces of any size. */
static bool snapshot_load(struct trial *trial, struct enrol *enrol)
{
    struct slice rest = buf_slice(&trial->snapshot);

    while (rest.len > 0) {
        size_t len = rng_between(&trial->rng, 1, 1 + rest.len / 2);

        if (enrol_restore_chunk(enrol, slice_sub(rest, 0, len)) != OK) {
            return trial__differ(trial, "a snapshot is refused");
        }
        rest = slice_sub(rest, len, rest.len);
    }
    if (enrol_restore_end(enrol) != OK) {
        return trial__differ(trial, "a snapshot is refused at its end");
    }
    return true;
}

/* Say what can be read of the difference. */
static void restored_differ(struct trial *trial, struct enrol *restored)
{
    struct enrol *live = trial->enrol;
    int status = buf_append_format(trial->why, "of %u entries the snapshot holds %u",
                                   trial->entry_count, trial->snapshot_entries);

    ASSERT(status == OK);
    trial__differ(trial, "a restored state differs");
    trial->enrol = restored;
    if (trial__state_compare(trial)) {
        trial__differ(trial, "but it reads the same");
    }
    trial->enrol = live;
}

/* Restore the snapshot, apply what came after it, compare; and perhaps go on with it. */
static bool snapshot_try(struct trial *trial)
{
    struct enrol *restored = trial__enrol_create();
    bool is_same = snapshot_load(trial, restored);

    if (is_same && enrol_hash(restored) != trial->snapshot_hash) {
        is_same =
            trial__differ(trial, "a snapshot restores another state than it was taken of");
    }
    if (is_same) {
        entries_replay(trial, restored, trial->snapshot_entries);
        is_same = enrol_hash(restored) == enrol_hash(trial->enrol);
        if (!is_same) {
            restored_differ(trial, restored);
        }
        is_same = is_same && trial__documents_compare(trial, restored);
        trial->counters->marks[TRIAL_RESTORED]++;
    }
    /* What is in flight was admitted by the old state. */
    if (is_same && trial->flight_count == 0 && rng_chance(&trial->rng, 500000)) {
        struct enrol *old = trial->enrol;

        trial->enrol = restored;
        restored = old;
        trial->counters->marks[TRIAL_CONTINUED]++;
    }
    enrol_destroy(restored);
    return is_same;
}

static bool snapshot_begin(struct trial *trial)
{
    if (enrol_snapshot_begin(trial->enrol) != OK) {
        return trial__differ(trial, "a snapshot does not begin");
    }
    buf_clear(&trial->snapshot);
    trial->is_snapshotting = true;
    trial->is_snapshot_quick = rng_chance(&trial->rng, 300000);
    trial->snapshot_entries = trial->entry_count;
    trial->snapshot_hash = enrol_hash(trial->enrol);
    return true;
}

bool trial__snapshot_step(struct trial *trial)
{
    int status = SM_PENDING;

    if (!trial->is_snapshotting) {
        if (!rng_chance(&trial->rng, BEGIN_PPM)) {
            return true;
        }
        if (!snapshot_begin(trial)) {
            return false;
        }
    }
    /* A quick one is whole before the next entry. */
    if (!trial->is_snapshot_quick && !rng_chance(&trial->rng, STEP_PPM)) {
        return true;
    }
    if (rng_chance(&trial->rng, ABORT_PPM)) {
        enrol_snapshot_abort(trial->enrol);
        trial->is_snapshotting = false;
        return true;
    }
    do {
        status = enrol_snapshot_step(trial->enrol, &trial->snapshot);
    } while (status == SM_PENDING && trial->is_snapshot_quick);
    if (status == SM_PENDING) {
        return true;
    }
    trial->is_snapshotting = false;
    return status == OK ? snapshot_try(trial) : trial__differ(trial, "a snapshot fails");
}

bool trial__replay(struct trial *trial)
{
    struct enrol *replayed = trial__enrol_create();
    bool is_same;

    entries_replay(trial, replayed, 0);
    is_same = enrol_hash(replayed) == enrol_hash(trial->enrol) ||
              trial__differ(trial, "the same entries again give another state");
    enrol_destroy(replayed);
    return is_same;
}
