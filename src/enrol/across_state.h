/* enrol/across_state.h -- what a shard keeps of attempts across shards: holds and to-do list.
 *
 * Layer: enrol (base, campus)     Spec: docs/spec/enrol.md section 3
 *
 * Part of the state: changed by entries alone, hashed, in every snapshot. A student has at most
 * one hold in a shard (his newest attempt took over the older ones) and at most a few items on
 * his home's to-do list, at most one an attempt and shard.
 */
#ifndef CARILLON_ENROL_ACROSS_STATE_H
#define CARILLON_ENROL_ACROSS_STATE_H

#include "base/buf.h"
#include "base/map.h"
#include "campus/campus.h"
#include "campus/table.h"

enum {
    /* A leader proposes nothing that could bring a shard above these; entries of the leader
     * before may add a few. */
    ENROL_HOLDS_MAX = 65536,
    ENROL_TODOS_MAX = 65536,
    ENROL_HELD_OPS_MAX = 16,
};

/* Names an attempt for ever: the home shard, the term of its leader, and the leader's count. Of
 * one home, ids rise with time. */
struct enrol_attempt_id {
    uint32_t home; /* shard, from 0 */
    uint64_t term;
    uint64_t counter;
};

static inline int enrol_attempt_id_compare(const struct enrol_attempt_id *a,
                                           const struct enrol_attempt_id *b)
{
    if (a->term != b->term) {
        return a->term < b->term ? -1 : 1;
    }
    return a->counter == b->counter ? 0 : a->counter < b->counter ? -1 : 1;
}

/* What is held for one op. */
enum enrol_held {
    ENROL_HELD_NOTHING = 0,
    ENROL_HELD_SEAT,       /* a seat is kept */
    ENROL_HELD_PLACE,      /* a place at the end of the waitlist */
    ENROL_HELD_DROP,       /* a mark: the registration ends when this is confirmed */
    ENROL_HELD_PLACE_DROP, /* the same for a place */
    ENROL_HELD_NR,
};

struct enrol_held_op {
    uint32_t section;
    uint8_t op;   /* in the request */
    uint8_t what; /* enum enrol_held */
    uint8_t permits;
    bool is_over;   /* a seat over the limit, by a permit */
    uint32_t place; /* the number that was told */
};

struct enrol_hold {
    struct enrol_attempt_id id;
    uint64_t since_ms; /* wall */
    uint64_t since_index;
    uint32_t student; /* CAMPUS_NONE: a free slot */
    uint32_t op_count;
    struct enrol_held_op ops[ENROL_HELD_OPS_MAX];
    uint32_t next; /* in order of their making; of a free slot, the next free one */
    uint32_t previous;
};

/* A seat kept for someone of another shard who waits, until his home answers. */
struct enrol_offer {
    uint32_t section; /* CAMPUS_NONE: a free slot */
    uint32_t student;
    uint64_t number;   /* the entry that made it */
    uint64_t since_ms; /* wall */
    uint32_t next;
    uint32_t previous;
};

/* A decision that a section's shard has not yet acknowledged. */
struct enrol_todo {
    struct enrol_attempt_id id;
    uint32_t student; /* CAMPUS_NONE: a free slot */
    uint32_t shard;
    uint8_t verdict; /* enum across_verdict */
    uint32_t next_of_student;
    uint32_t next;
    uint32_t previous;
};

struct enrol_across {
    struct table holds;
    struct table todos;
    struct table offers;
    struct map hold_map; /* by student */
    struct map todo_map; /* by student: his first */
    uint32_t hold_first;
    uint32_t hold_last;
    uint32_t hold_free;
    uint32_t hold_count;
    uint32_t todo_first;
    uint32_t todo_last;
    uint32_t todo_free;
    uint32_t todo_count;
    uint32_t offer_first; /* in the order of their making, so of their end */
    uint32_t offer_last;
    uint32_t offer_free;
    uint32_t offer_count;
};

void enrol__across_init(struct enrol_across *across, struct arena *arena);

static inline struct enrol_hold *enrol__hold(const struct enrol_across *across, uint32_t slot)
{
    return table_at(&across->holds, slot);
}

static inline struct enrol_todo *enrol__todo(const struct enrol_across *across, uint32_t slot)
{
    return table_at(&across->todos, slot);
}

static inline struct enrol_offer *enrol__offer(const struct enrol_across *across, uint32_t slot)
{
    return table_at(&across->offers, slot);
}

/* Add a copy of @offer; the seat and the place are the caller's to mark. */
uint32_t enrol__offer_add(struct enrol_across *across, const struct enrol_offer *offer);
void enrol__offer_remove(struct enrol_across *across, uint32_t slot);
void enrol__offer_image(const struct enrol_across *across, uint32_t slot, struct buf *out);
struct unpack;
int enrol__offer_load(struct enrol_across *across, const struct campus *campus,
                      struct unpack *in) CHECKED;

/* The student's hold, or CAMPUS_NONE. */
uint32_t enrol__hold_find(const struct enrol_across *across, uint32_t student);
/* Add a copy of @hold, whose student has none. The seats are the caller's to keep. */
uint32_t enrol__hold_add(struct enrol_across *across, const struct enrol_hold *hold);
void enrol__hold_remove(struct enrol_across *across, uint32_t slot);

/* The student's first item, or CAMPUS_NONE; that of an attempt and shard, or CAMPUS_NONE. */
uint32_t enrol__todo_first(const struct enrol_across *across, uint32_t student);
uint32_t enrol__todo_find(const struct enrol_across *across, uint32_t student,
                          const struct enrol_attempt_id *id, uint32_t shard);
uint32_t enrol__todo_add(struct enrol_across *across, const struct enrol_todo *todo);
void enrol__todo_remove(struct enrol_across *across, uint32_t slot);

/* One hold's, one item's bytes; and back, without the seats. Errors: ERR_DAMAGED. */
struct unpack;
void enrol__hold_image(const struct enrol_across *across, uint32_t slot, struct buf *out);
void enrol__todo_image(const struct enrol_across *across, uint32_t slot, struct buf *out);
int enrol__hold_load(struct enrol_across *across, const struct campus *campus,
                     struct unpack *in);
int enrol__todo_load(struct enrol_across *across, const struct campus *campus,
                     struct unpack *in);

#endif
