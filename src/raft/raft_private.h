/* raft/raft_private.h -- what the files of this room share.
 *
 * Layer: raft (base)
 */
#ifndef CARILLON_RAFT_PRIVATE_H
#define CARILLON_RAFT_PRIVATE_H

#include "base/assert.h"
#include "raft/raft.h"

/* effect.c: adding to the effects of the step. */
struct raft_message *raft__send(struct raft *raft, enum raft_message_type type, raft_id to);
void raft__persist(struct raft *raft, struct raft_persist record);
void raft__persist_entries(struct raft *raft, raft_index from);
void raft__request(struct raft *raft, struct raft_request request);
void raft__reply(struct raft *raft, enum raft_reply_kind kind, enum raft_outcome outcome,
                 uint64_t token);
/* The newest term and vote are on disk. */
static inline bool raft__is_hard_stored(const struct raft *raft)
{
    return raft->stored >= raft->hard_sequence;
}
/* The protocol is broken or the disk is: nothing more is said by this member. */
void raft__stop(struct raft *raft, const char *text);

/* restore.c: write down what the log does not say about the snapshot. */
void raft__repair(struct raft *raft);

/* snapshot.c */
void raft__put_mark(struct raft *raft);
void raft__want_snapshot(struct raft *raft);

/* role.c */
void raft__become_follower(struct raft *raft, raft_term term, raft_id leader);
void raft__become_leader(struct raft *raft);
void raft__campaign(struct raft *raft);
void raft__campaign_for_real(struct raft *raft, bool is_transfer);
void raft__set_hard(struct raft *raft, raft_term term, raft_id vote);
void raft__reset_election(struct raft *raft);
/* After the hard state became durable: what waited for it. */
void raft__hard_stored(struct raft *raft);
bool raft__is_voter(const struct raft *raft);
/* "A server that is not part of its own latest configuration should still start new elections"
 * while that is not committed (Ongaro, section 4.2.2): nobody else may be able to commit it. */
bool raft__may_campaign(const struct raft *raft);
/* Whether granted votes are a majority. */
bool raft__has_won(const struct raft *raft);
struct raft_progress *raft__progress(struct raft *raft, raft_id id);
/* Append to the own log in the own term. The entries fit. */
void raft__append_own(struct raft *raft, enum raft_entry_kind kind, struct slice payload);

/* membership.c: the newest configuration of the log changed. */
void raft__configuration_take(struct raft *raft, const struct raft_configuration *next);
void raft__configuration_roll_back(struct raft *raft, raft_index truncated);

/* refill.c: members that lost their logs. */
/* What is known of who sent @message; NULL: nothing that counts. */
struct raft_progress *raft__progress_of(struct raft *raft, const struct raft_message *message);
/* Whether the member at @at of the configuration is a voter that counts. */
bool raft__counts(const struct raft *raft, uint32_t at);
/* Whether @change is out of the question while voters are refilled. */
bool raft__refill_forbids(const struct raft *raft, enum raft_change_kind change, raft_id peer);
void raft__refill_advance(struct raft *raft);
void raft__recv_readmission(struct raft *raft, const struct raft_message *message);

/* commit.c */
void raft__commit_by_count(struct raft *raft);
void raft__apply(struct raft *raft);
void raft__on_entries_read_to_apply(struct raft *raft, const struct raft_event *event);

/* replicate.c */
void raft__replicate(struct raft *raft);
void raft__progress_reset(struct raft *raft, struct raft_progress *progress, raft_id id);
void raft__progress_probe(struct raft_progress *progress, raft_index next);
void raft__on_entries_read(struct raft *raft, const struct raft_event *event);

/* read.c */
void raft__on_read_asked(struct raft *raft, const struct raft_event *event);
void raft__reads_advance(struct raft *raft);
void raft__reads_fail(struct raft *raft);
uint64_t raft__quorum_round(const struct raft *raft);

/* transfer.c */
void raft__on_transfer_asked(struct raft *raft, const struct raft_event *event);
void raft__transfer_advance(struct raft *raft);
void raft__transfer_end(struct raft *raft, enum raft_outcome outcome);

/* One file per message or event. */
void raft__on_tick(struct raft *raft, const struct raft_event *event);
void raft__on_received(struct raft *raft, const struct raft_event *event);
void raft__on_stored(struct raft *raft, const struct raft_event *event);
void raft__on_proposed(struct raft *raft, const struct raft_event *event);
void raft__on_change_asked(struct raft *raft, const struct raft_event *event);
void raft__on_chunk_read(struct raft *raft, const struct raft_event *event);
void raft__on_chunk_written(struct raft *raft, const struct raft_event *event);
void raft__on_installed(struct raft *raft, const struct raft_event *event);
void raft__on_taken(struct raft *raft, const struct raft_event *event);
void raft__on_let_go(struct raft *raft, const struct raft_event *event);

void raft__recv_vote(struct raft *raft, const struct raft_message *message);
void raft__recv_vote_reply(struct raft *raft, const struct raft_message *message);
void raft__recv_append(struct raft *raft, const struct raft_message *message);
void raft__recv_append_reply(struct raft *raft, const struct raft_message *message);
void raft__recv_snapshot(struct raft *raft, const struct raft_message *message);
void raft__recv_snapshot_reply(struct raft *raft, const struct raft_message *message);
void raft__recv_timeout_now(struct raft *raft, const struct raft_message *message);

/* recv_append.c: say what is proved and durable, or what does not fit, once that may be said.
 */
void raft__flush_ack(struct raft *raft);
void raft__announce_room(struct raft *raft);

#endif
