/* tests/lib/across_bed.h -- one shard of two with its leader, to whom the other may say
 * anything.
 */
#ifndef CARILLON_TESTS_ACROSS_BED_H
#define CARILLON_TESTS_ACROSS_BED_H

#include "enrol/across.h"
#include "enrol/across_message.h"

enum { ACROSS_BED_SHARDS = 2, ACROSS_BED_BYTES = 4096 };

/* A shard with its leader, whose proposals are committed at once. */
struct across_bed {
    struct enrol *enrol;
    struct across *across;
    struct enrol_result result;
    uint64_t index;
    uint64_t now_ms;
    uint32_t shard;
    uint32_t proposed;
    struct buf sent; /* the newest message sent */
    int replied;     /* status of the newest answer to a client; 1: none */
};

void across_bed_init(struct across_bed *bed, uint32_t shard);
void across_bed_fini(struct across_bed *bed);

/* An entry is committed: it is applied, and the leader hears of it. */
void across_bed_apply(struct across_bed *bed, uint32_t method, struct slice key,
                      struct slice body);
/* Perform the effects of the last call, and of what they lead to. */
void across_bed_perform(struct across_bed *bed);
/* The leader of @from says @message. Returns: whether it was understood. */
bool across_bed_receive(struct across_bed *bed, uint32_t from, struct slice message);
/* At the home that shard 0 is: its student asks for one op in section A of @course, @number
 * being the client's and the key's. */
void across_bed_submit(struct across_bed *bed, uint32_t kind, const char *course,
                       uint8_t number);
/* The state is what the verification wants it to be. */
void across_bed_assert_whole(struct across_bed *bed);

/* A student whose home is @shard; a course of it that asks for nothing, and has seats. */
const char *across_bed_student(uint32_t shard);
const char *across_bed_course(uint32_t shard);

/* What @home says of its student's attempt @counter: a head; a RESERVE or a CHECK; a RESERVE;
 * any message. */
struct across_head across_bed_head(uint32_t kind, uint32_t home, uint64_t counter);
void across_bed_asking(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter);
void across_bed_reserve(struct buf *out, uint32_t home, uint64_t counter);
void across_bed_message(struct buf *out, uint32_t kind, uint32_t home, uint64_t counter);

#endif
