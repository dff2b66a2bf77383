/* node/engine_raft_private.h -- what the files of the engine share.
 *
 * Layer: node (base, io, log, raft)
 */
#ifndef CARILLON_NODE_ENGINE_RAFT_PRIVATE_H
#define CARILLON_NODE_ENGINE_RAFT_PRIVATE_H

#include "node/engine_raft.h"

/* ---- engine_raft_step.c: the core's events and effects */

/* Let the core of @group know of @event, after what was proposed before it, and do what it
 * asks for. */
void engine_raft__step(struct engine_raft *engine, uint32_t group, struct raft_event *event);

/* Something of @group waits for the end of the turn. */
void engine_raft__gather(struct engine_raft *engine, uint32_t group);

/* Hand over what was proposed in this turn, and ask for the read points that wait. */
void engine_raft__flush(struct engine_raft *engine);

/* log_hooks.stored and .batch_stored. */
void engine_raft__stored(struct engine_raft *engine, const struct log_record *record);
void engine_raft__batch_stored(struct engine_raft *engine);

/* Append what found no room before, as far as there is room now. Returns: whether all is
 * appended. */
bool engine_raft__backlog_drain(struct engine_raft *engine);

/* Have the clock run until the earliest deadline of all groups. */
void engine_raft__clock_start(struct engine_raft *engine);

/* Tell all who wait for a read point that none will come. */
void engine_raft__refuse_reads(struct engine_raft *engine, int status);

/* ---- engine_raft_fetch.c */

/* RAFT_READ_ENTRIES. */
void engine_raft__fetch(struct engine_raft *engine, uint32_t group,
                        const struct raft_request *request);

/* Free what reads have used; none is on its way, or the process has died. */
void engine_raft__fetch_fini(struct engine_raft *engine);

/* ---- engine_raft_transfer.c */

/* RAFT_READ_CHUNK, WRITE_CHUNK, INSTALL, ABANDON. */
void engine_raft__transfer(struct engine_raft *engine, uint32_t group,
                           const struct raft_request *request);

/* Wait for room no more. */
void engine_raft__transfer_stop(struct engine_raft *engine);

/* Free what transfers have used; nothing is on its way, or the process has died. */
void engine_raft__transfer_fini(struct engine_raft *engine);

/* ---- engine_raft_snapshot.c */

/* What the file of a snapshot of @group says of it. */
void engine_raft__snapshot_info(const struct engine_raft *engine, uint32_t group,
                                const struct raft_snapshot *snapshot,
                                struct log_snapshot_info *ret_info);

/* Begin the state of @group again from its newest snapshot file. Waits for the disk. */
void engine_raft__begin_again(struct engine_raft *engine, uint32_t group,
                              const struct raft_snapshot *snapshot);

/* Restore all groups from the newest snapshots, and begin their cores there. */
int engine_raft__restore(struct engine_raft *engine) CHECKED;

/* A batch was applied: whether the log has grown enough for a round of snapshots. */
void engine_raft__policy(struct engine_raft *engine);

/* Want a snapshot of every group that has entries since its last. */
void engine_raft__round(struct engine_raft *engine);

/* The disk is full: snapshots are what frees segments. Begin them if they can. */
void engine_raft__needs_room(struct engine_raft *engine);

/* There is room again: a snapshot that waits to be tried again need not wait long. */
void engine_raft__has_room(struct engine_raft *engine);

/* At the end of a turn: begin, or write the next slice. */
void engine_raft__snapshot_turn(struct engine_raft *engine);

/* Tell all who wait for a snapshot that none will come. */
void engine_raft__refuse_waits(struct engine_raft *engine);

/* ---- engine_raft.c */

/* A member's number: the last 8 bytes of its node's id, little endian. Writing leaves the first
 * 8 of @out as they are. */
raft_id engine_raft__id_read(const uint8_t id[LOG_ID_BYTES]);
void engine_raft__id_write(raft_id id, uint8_t out[LOG_ID_BYTES]);

/* What a record of a group's sequence is to the core. */
enum raft_entry_kind engine_raft__entry_kind(const struct log_record *record);

/* The disk failed, or the log contradicts what was committed. */
void engine_raft__fail(struct engine_raft *engine, const char *text);

/* Go on with closing, when it was asked for and no snapshot is being written. */
void engine_raft__close_step(struct engine_raft *engine);

#endif
