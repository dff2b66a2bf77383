/* tests/lib/raft_story.h -- schedules: a group in which the test moves every message, every
 * write and the time, one by one.
 *
 * It is the world of raft_world.h without chance: the same members, disks and checks. Members
 * are numbered from 1. A message waits until it is delivered or lost, a write until it is
 * synced.
 */
#ifndef CARILLON_TESTS_RAFT_STORY_H
#define CARILLON_TESTS_RAFT_STORY_H

#include "tests/lib/raft_world.h"

/* The options that stories begin from: election 500 ms, heartbeat 100 ms, one entry an append.
 */
struct raft_options story_options(void);

const struct raft *story_raft(const struct world *world, uint32_t member);

void story_pass(struct world *world, uint64_t ms);
void story_tick(struct world *world, uint32_t member);
/* Time passes until @member has something to do by itself, and it does it. */
void story_timeout(struct world *world, uint32_t member);

/* Deliver what waits now from one to the other, in order; 0 stands for everybody. Returns: how
 * many. */
uint32_t story_deliver(struct world *world, uint32_t from, uint32_t to);
uint32_t story_deliver_type(struct world *world, uint32_t from, uint32_t to,
                            enum raft_message_type type);
uint32_t story_lose(struct world *world, uint32_t from, uint32_t to);
/* The newest message of the type that waits from one to the other, or NULL. */
const struct raft_message *story_waiting(const struct world *world, uint32_t from, uint32_t to,
                                         enum raft_message_type type);
/* A message that no member sent. */
void story_receive(struct world *world, uint32_t to, const struct raft_message *message);

/* What was written is on disk, and the member hears of it. */
void story_sync(struct world *world, uint32_t member);
/* Work beside the log that waits now: reads, chunks, snapshots. Returns: how much. */
uint32_t story_jobs(struct world *world, uint32_t member);
void story_disk_fails(struct world *world, uint32_t member);

/* Deliver, sync and work until nothing waits. Cut links (story_cut) lose what is sent. */
void story_settle(struct world *world);
void story_cut(struct world *world, uint32_t member);
void story_mend(struct world *world);

/* Loses what was not synced, and what waits for it. */
void story_crash(struct world *world, uint32_t member);
void story_restart(struct world *world, uint32_t member);
/* Nothing is left on the disk of @member, which is down: it restarts to be refilled. */
void story_disk_lost(struct world *world, uint32_t member);

/* @member waits long enough, campaigns, wins, and everything settles. */
void story_elect(struct world *world, uint32_t member);
/* Returns: the index, 0 when it was refused. */
raft_index story_propose(struct world *world, uint32_t member);
enum raft_outcome story_change(struct world *world, uint32_t member, enum raft_change_kind kind,
                               uint32_t whom);
enum raft_outcome story_transfer(struct world *world, uint32_t member, uint32_t whom);
/* A snapshot of what @member applied, durable and told. */
void story_snapshot(struct world *world, uint32_t member);

/* Whether all that every check looks at has held so far. */
bool story_holds(const struct world *world);

#endif
