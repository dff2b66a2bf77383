/* tests/lib/trial_private.h -- what the files of a trial share. */
#ifndef CARILLON_TESTS_TRIAL_PRIVATE_H
#define CARILLON_TESTS_TRIAL_PRIVATE_H

#include "base/assert.h"
#include "tests/lib/trial.h"

enum { TRIAL_FLIGHT_MAX = 6, TRIAL_TEXT_BYTES = 512 };

/* An entry as the log would keep it. */
struct trial_entry {
    uint64_t index;
    uint64_t term;
    struct history_op op;
};

struct trial {
    uint64_t seed;
    bool is_traced;
    unsigned step;
    struct rng rng;
    struct history history;
    struct model model;
    struct enrol *enrol;
    struct enrol_result result;
    struct trial_counters *counters;
    struct buf *why;
    struct buf text;
    struct buf reply;
    struct buf expected;
    uint64_t index;
    uint64_t term;
    unsigned flight_target; /* how many requests are admitted before the first is applied */
    unsigned flight_count;
    struct history_op flight[TRIAL_FLIGHT_MAX];
    unsigned entry_count;
    unsigned entry_room;
    struct trial_entry *entries;
    unsigned document_count; /* ordinals seen, and the effect that each had last */
    uint32_t *documents;
    bool is_snapshotting;
    bool is_snapshot_quick;    /* no entries in between */
    unsigned snapshot_entries; /* how many entries it holds */
    uint64_t snapshot_hash;    /* of the state at its begin */
    struct buf snapshot;
};

struct enrol *trial__enrol_create(void);

/* Apply one entry to @enrol. */
void trial__enrol_apply(struct enrol *enrol, const struct trial_entry *entry,
                        struct enrol_result *result);

/* Append to why: where the trial stands, and @text. Always returns false. */
bool trial__differ(struct trial *trial, const char *text);

/* Ask CHECK about a submit that is about to be applied; its answer goes to @ret_reply. */
struct trial_check {
    bool is_asked;
    int status;
    struct buf reply;
};
bool trial__check_ask(struct trial *trial, const struct history_op *op,
                      struct trial_check *ret_check);
bool trial__check_compare(struct trial *trial, const struct model_result *expected,
                          struct trial_check *check);

/* Ask for a read; the reply and the text are the trial's. Returns its status. */
int trial__read(struct trial *trial, uint32_t method, const ProtobufCMessage *request);

/* Compare what IMPORT_HASHES lists. */
bool trial__hashes_compare(struct trial *trial);

/* Compare everything there is to read. */
bool trial__state_compare(struct trial *trial);
bool trial__verify(struct trial *trial);

/* Promotions and skips. */
bool trial__notes_compare(struct trial *trial);

/* Follow what happens to documents: each is staged, published, removed, in this order. */
bool trial__documents_follow(struct trial *trial);

/* Whether @enrol lists the documents that there are. */
bool trial__documents_compare(struct trial *trial, const struct enrol *enrol);

/* Take part of a snapshot, and when it is whole restore and compare it. */
bool trial__snapshot_step(struct trial *trial);

/* Apply all entries to a new state and compare the hashes. */
bool trial__replay(struct trial *trial);

/* Count what the entry applied last shows. */
void trial__count(struct trial *trial, const struct history_op *op,
                  const struct model_result *result);

#endif
