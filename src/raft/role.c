#include "raft/raft_private.h"

/* Who a member is: follower, pre-candidate, candidate, leader. docs/spec/raft.md section 2 has
 * the table of transitions. */

bool raft__is_voter(const struct raft *raft)
{
    return raft_configuration_is_voter(&raft->configuration, raft->options.id);
}

bool raft__may_campaign(const struct raft *raft)
{
    return !raft->is_refilling &&
           (raft__is_voter(raft) ||
            (raft->configuration.index > raft->commit &&
             raft_configuration_is_voter(&raft->configuration_before, raft->options.id)));
}

struct raft_progress *raft__progress(struct raft *raft, raft_id id)
{
    uint32_t at = raft_configuration_find(&raft->configuration, id);
    return at < raft->configuration.count ? &raft->progress[at] : NULL;
}

/* Randomized, so that members seldom ask for votes at the same time (Ongaro, section 3.4). */
void raft__reset_election(struct raft *raft)
{
    raft->election_ms = raft->now_ms + raft->options.election_ms +
                        rng_below(&raft->rng, raft->options.election_ms);
}

void raft__set_hard(struct raft *raft, raft_term term, raft_id vote)
{
    struct raft_effects *out = raft->out;
    struct raft_persist *newest =
        out->persist_count == 0 ? NULL : &out->persists[out->persist_count - 1];

    ASSERT(term > raft->term || (term == raft->term && raft->vote == 0));
    raft->term = term;
    raft->vote = vote;
    if (newest != NULL && newest->kind == RAFT_PERSIST_HARD) {
        newest->term = term; /* a term and the vote given in it are one write */
        newest->vote = vote;
        return;
    }
    raft__persist(raft, (struct raft_persist){
                            .kind = RAFT_PERSIST_HARD,
                            .term = term,
                            .vote = vote,
                        });
    raft->hard_sequence = raft->sequence;
}

/* What belonged to the role that ends here. */
static void forget(struct raft *raft)
{
    if (raft->role == RAFT_LEADER) {
        raft__transfer_end(raft, RAFT_DONE);
        raft__reads_fail(raft);
    }
    raft->is_vote_asked = false;
    raft->is_transfer_election = false;
    raft->vote_reply_to = 0;
    raft->is_ack_due = false;
    raft->is_reject_due = false;
    raft->is_full = false;
    /* What an earlier leader proved says nothing about the log of the next: an append on its
     * way to the disk is not acknowledged across a change of leaders. */
    raft->verified = 0;
    raft->round = 0;
    if (raft->receipt.is_active && !raft->receipt.is_installing) {
        raft__request(raft, (struct raft_request){.kind = RAFT_ABANDON});
        raft->receipt.is_active = false;
    }
}

void raft__become_follower(struct raft *raft, raft_term term, raft_id leader)
{
    ASSERT(term >= raft->term);
    if (term > raft->term) {
        forget(raft);
        raft__set_hard(raft, term, 0);
        raft__reset_election(raft);
    } else if (raft->role != RAFT_FOLLOWER) {
        forget(raft);
        raft__reset_election(raft);
    }
    raft->role = RAFT_FOLLOWER;
    raft->leader = leader;
}

static void clear_votes(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft->progress[i].id = raft->configuration.members[i].id;
        raft->progress[i].is_granted = false;
    }
}

static void grant_own_vote(struct raft *raft)
{
    struct raft_progress *own = raft__progress(raft, raft->options.id);
    if (own != NULL) {
        own->is_granted = true;
    }
}

bool raft__has_won(const struct raft *raft)
{
    uint32_t votes = 0;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        votes += raft->configuration.members[i].is_voter && raft->progress[i].is_granted;
    }
    return votes >= raft_configuration_quorum(&raft->configuration);
}

static void ask_for_votes(struct raft *raft, bool is_pre)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (!member->is_voter || member->id == raft->options.id) {
            continue;
        }
        struct raft_message *message = raft__send(raft, RAFT_VOTE, member->id);
        message->term = is_pre ? raft->term + 1 : raft->term;
        message->vote = (struct raft_vote){
            .last_index = raft->log.last,
            .last_term = raft_log_last_term(&raft->log),
            .is_pre = is_pre,
            .is_transfer = raft->is_transfer_election,
        };
    }
}

/* The wait for a leader has ended. First ask whether an election could be won at all, so that a
 * member that was cut off does not disturb the others with a higher term when it comes back
 * (Ongaro, section 9.6). */
void raft__campaign(struct raft *raft)
{
    raft__reset_election(raft);
    /* A member whose log is about to be replaced does not know what it would stand for; one
     * whose disk does not take its last vote should not pile others on top. */
    if (!raft__may_campaign(raft) || raft->receipt.is_installing ||
        !raft__is_hard_stored(raft)) {
        return;
    }
    forget(raft);
    raft->role = RAFT_PRE_CANDIDATE;
    raft->leader = 0;
    clear_votes(raft);
    grant_own_vote(raft);
    if (raft__has_won(raft)) {
        raft__campaign_for_real(raft, false);
        return;
    }
    ask_for_votes(raft, true);
}

void raft__campaign_for_real(struct raft *raft, bool is_transfer)
{
    ASSERT(raft__may_campaign(raft) && !raft->receipt.is_installing);
    raft__become_follower(raft, raft->term + 1, 0);
    raft__set_hard(raft, raft->term, raft->options.id);
    raft->role = RAFT_CANDIDATE;
    raft->is_transfer_election = is_transfer;
    clear_votes(raft);
    raft__reset_election(raft);
}

void raft__hard_stored(struct raft *raft)
{
    if (raft->role == RAFT_CANDIDATE && !raft->is_vote_asked) {
        /* All earlier entries were written before the vote: they are durable as well, and what
         * the request says of the own log is true after a crash too. */
        raft->is_vote_asked = true;
        grant_own_vote(raft);
        if (raft__has_won(raft)) {
            raft__become_leader(raft);
        } else {
            ask_for_votes(raft, false);
        }
    }
    if (raft->vote_reply_to != 0) {
        struct raft_message *reply = raft__send(raft, RAFT_VOTE_REPLY, raft->vote_reply_to);
        reply->vote_reply.is_granted = true;
        raft->vote_reply_to = 0;
    }
}

void raft__append_own(struct raft *raft, enum raft_entry_kind kind, struct slice payload)
{
    raft_log_append(&raft->log, &(struct raft_entry){
                                    .term = raft->term,
                                    .kind = kind,
                                    .payload = payload,
                                });
}

void raft__become_leader(struct raft *raft)
{
    ASSERT(raft->role == RAFT_CANDIDATE && raft->vote == raft->options.id);
    ASSERT(raft__is_hard_stored(raft) && raft->log.durable == raft->log.last);
    if (!raft_log_has_room(&raft->log, raft->term, 0)) {
        return; /* the runs are full: without its own entry a leader could commit nothing */
    }
    raft->role = RAFT_LEADER;
    raft->leader = raft->options.id;
    raft->round = 0;
    raft->round_confirmed = 0;
    raft->heartbeat_ms = raft->now_ms;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft__progress_reset(raft, &raft->progress[i], raft->configuration.members[i].id);
    }
    /* Entries of earlier terms are never committed by counting; an entry of the own term, once
     * committed, commits them all (Raft, section 5.4.2). */
    raft__append_own(raft, RAFT_ENTRY_NOOP, SLICE_NONE);
    raft__persist_entries(raft, raft->log.last);
}
