/* raft/configuration.h -- who belongs to a group: voters and learners.
 *
 * Layer: raft (base)     Spec: docs/spec/raft.md section 7
 *
 * A value without pointers. Members stand in the order they were added, which is the same on
 * every node because changes come from the log.
 */
#ifndef CARILLON_RAFT_CONFIGURATION_H
#define CARILLON_RAFT_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

typedef uint64_t raft_id; /* a member; 0 is nobody */
typedef uint64_t raft_index;
typedef uint64_t raft_term;

enum {
    RAFT_MEMBERS_MAX = 16,
    RAFT_CONFIGURATION_BYTES_MAX = 2 + RAFT_MEMBERS_MAX * 9, /* encoded */
};

struct raft_member {
    raft_id id;
    bool is_voter; /* else a learner: it gets the log and counts for nothing */
};

struct raft_configuration {
    raft_index index; /* of the entry it stems from; 0: what the group began with */
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX];
};

enum raft_change_kind {
    RAFT_ADD_LEARNER = 1,
    RAFT_PROMOTE, /* a learner becomes a voter */
    RAFT_DEMOTE,  /* a voter becomes a learner */
    RAFT_REMOVE,
};

/* The member's place, or @count when there is none. */
uint32_t raft_configuration_find(const struct raft_configuration *configuration, raft_id id);

bool raft_configuration_is_voter(const struct raft_configuration *configuration, raft_id id);

uint32_t raft_configuration_voters(const struct raft_configuration *configuration);

/* The smallest majority of the voters. */
uint32_t raft_configuration_quorum(const struct raft_configuration *configuration);

/* Make one change. Errors: ERR_ARGUMENT it changes nothing, makes no sense, or would leave no
 * voter; ERR_FULL no room for another member. Nothing has changed then. */
int raft_configuration_change(struct raft_configuration *configuration,
                              enum raft_change_kind kind, raft_id id) CHECKED;

/* The payload of a configuration entry; the index is not part of it. Returns: its length. */
uint32_t raft_configuration_encode(const struct raft_configuration *configuration,
                                   uint8_t out[RAFT_CONFIGURATION_BYTES_MAX]);

/* Errors: ERR_MALFORMED. */
int raft_configuration_decode(struct slice payload, raft_index index,
                              struct raft_configuration *ret_configuration) CHECKED;

#endif
