/* node/engine_single_private.h -- what the two files of the single node's engine share.
 *
 * Layer: node (base, io, log)
 */
#ifndef CARILLON_NODE_ENGINE_SINGLE_PRIVATE_H
#define CARILLON_NODE_ENGINE_SINGLE_PRIVATE_H

#include "node/engine_single.h"

/* Restore all groups from the newest snapshots. */
int engine_single__restore(struct engine_single *single) CHECKED;

/* A batch was applied: whether the log has grown enough for a round of snapshots. */
void engine_single__policy(struct engine_single *single);

/* Want a snapshot of every group that has entries since its last. */
void engine_single__round(struct engine_single *single);

/* The disk is full: snapshots are what frees segments. Begin them if they can. */
void engine_single__needs_room(struct engine_single *single);

/* There is room again: a snapshot that waits to be tried again need not wait long. */
void engine_single__has_room(struct engine_single *single);

/* At the end of a turn: begin, or write the next slice. */
void engine_single__snapshot_turn(struct engine_single *single);

/* Tell all who wait for a snapshot that none will come. */
void engine_single__refuse_waits(struct engine_single *single);

/* The disk failed outside the log. */
void engine_single__fail(struct engine_single *single, const char *text);

/* Go on with closing, when it was asked for and no snapshot is being written. */
void engine_single__close_step(struct engine_single *single);

#endif
