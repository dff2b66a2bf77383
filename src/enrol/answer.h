/* enrol/answer.h -- what was answered to each idempotency key, for 25 hours of logged time.
 *
 * Layer: enrol (base, campus)     Spec: docs/spec/registration.md section 2
 *
 * Answers are added in the order of entries and leave in the same order. A number grows with
 * each; it names a slot as long as the answer lives. The answer to the common request, one add
 * or drop that was accepted, is kept in the 64 bytes of the slot; any other keeps its packed
 * reply.
 */
#ifndef CARILLON_ENROL_ANSWER_H
#define CARILLON_ENROL_ANSWER_H

#include "base/arena.h"
#include "base/map.h"
#include "base/slice.h"

enum {
    ANSWER_CHUNK_BITS = 10,
    ANSWER_CHUNK = 1 << ANSWER_CHUNK_BITS,
    ANSWER_MAPS = 64, /* so that growing a table moves little at once */
    ANSWER_KEY_BYTES = 16,
};

struct enrol_answer {
    uint8_t key[ANSWER_KEY_BYTES];
    uint64_t request_hash; /* of method and body */
    uint64_t index;
    uint64_t wall_ms;
    uint32_t student; /* whom it was about, or CAMPUS_NONE */
    uint32_t term;
    uint8_t method;
    uint8_t status; /* as on the wire: positive */
    uint8_t change; /* enum ChangeKind of the one op, or 0: see blob */
    uint8_t unused;
    uint32_t section;
    union {
        uint32_t place;
        uint8_t *blob; /* length of the reply, length of the text (4 bytes each), reply, text;
                          or NULL */
    } more;
};

struct enrol_answers {
    struct arena *arena;
    struct enrol_answer **chunks; /* a ring */
    uint32_t chunk_cap;           /* a power of two, or 0 */
    uint32_t first;               /* number of the oldest answer */
    uint32_t next;                /* number of the next */
    struct map maps[ANSWER_MAPS];
};

void answers_init(struct enrol_answers *answers, struct arena *arena);

static inline uint32_t answers_count(const struct enrol_answers *answers)
{
    return answers->next - answers->first;
}

static inline struct enrol_answer *answers_at(const struct enrol_answers *answers,
                                              uint32_t number)
{
    return &answers->chunks[(number >> ANSWER_CHUNK_BITS) & (answers->chunk_cap - 1)]
                           [number & (ANSWER_CHUNK - 1)];
}

/* The answer to @key, or NULL. */
struct enrol_answer *answers_find(const struct enrol_answers *answers, struct slice key);

/* Bring the place where the answer to @key is looked for into the processor's cache. */
void answers_prefetch(const struct enrol_answers *answers, struct slice key);

/* Add an answer, whose blob now belongs to the list. */
void answers_add(struct enrol_answers *answers, const struct enrol_answer *answer);

/* For loading: add without finding it yet; then make all of them found at once. */
void answers_load(struct enrol_answers *answers, const struct enrol_answer *answer);
void answers_index(struct enrol_answers *answers);

/* Forget the oldest. */
void answers_remove_first(struct enrol_answers *answers);

/* A blob, and what is in it. */
uint8_t *answer_blob_make(struct enrol_answers *answers, struct slice reply, struct slice text);
struct slice answer_reply(const struct enrol_answer *answer);
struct slice answer_text(const struct enrol_answer *answer);

#endif
