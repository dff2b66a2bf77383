#include "raft/configuration.h"

#include "base/assert.h"

enum { FORMAT = 1, MEMBER_BYTES = 9 };

uint32_t raft_configuration_find(const struct raft_configuration *configuration, raft_id id)
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        if (configuration->members[i].id == id) {
            return i;
        }
    }
    return configuration->count;
}

bool raft_configuration_is_voter(const struct raft_configuration *configuration, raft_id id)
{
    uint32_t at = raft_configuration_find(configuration, id);
    return at < configuration->count && configuration->members[at].is_voter;
}

uint32_t raft_configuration_voters(const struct raft_configuration *configuration)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        voters += configuration->members[i].is_voter ? 1 : 0;
    }
    return voters;
}

uint32_t raft_configuration_quorum(const struct raft_configuration *configuration)
{
    return raft_configuration_voters(configuration) / 2 + 1;
}

static int add(struct raft_configuration *configuration, raft_id id)
{
    if (configuration->count == RAFT_MEMBERS_MAX) {
        return ERR_FULL;
    }
    configuration->members[configuration->count++] = (struct raft_member){id, false};
    return OK;
}

int raft_configuration_change(struct raft_configuration *configuration,
                              enum raft_change_kind kind, raft_id id)
{
    uint32_t at = raft_configuration_find(configuration, id);
    bool is_member = at < configuration->count;
    bool is_voter = is_member && configuration->members[at].is_voter;
    bool is_last_voter = is_voter && raft_configuration_voters(configuration) == 1;

    if (id == 0) {
        return ERR_ARGUMENT;
    }
    switch (kind) {
    case RAFT_ADD_LEARNER:
        return is_member ? ERR_ARGUMENT : add(configuration, id);
    case RAFT_PROMOTE:
        if (!is_member || is_voter) {
            return ERR_ARGUMENT;
        }
        configuration->members[at].is_voter = true;
        return OK;
    case RAFT_DEMOTE:
        if (!is_voter || is_last_voter) {
            return ERR_ARGUMENT;
        }
        configuration->members[at].is_voter = false;
        return OK;
    case RAFT_REMOVE:
        if (!is_member || is_last_voter) {
            return ERR_ARGUMENT;
        }
        configuration->count--;
        for (uint32_t i = at; i < configuration->count; i++) {
            configuration->members[i] = configuration->members[i + 1];
        }
        return OK;
    }
    return ERR_ARGUMENT;
}

uint32_t raft_configuration_encode(const struct raft_configuration *configuration,
                                   uint8_t out[RAFT_CONFIGURATION_BYTES_MAX])
{
    uint8_t *at = out;

    ASSERT(configuration->count <= RAFT_MEMBERS_MAX);
    *at++ = FORMAT;
    *at++ = (uint8_t)configuration->count;
    for (uint32_t i = 0; i < configuration->count; i++) {
        for (uint32_t byte = 0; byte < 8; byte++) {
            *at++ = (uint8_t)(configuration->members[i].id >> (8 * byte));
        }
        *at++ = configuration->members[i].is_voter ? 1 : 0;
    }
    return (uint32_t)(at - out);
}

int raft_configuration_decode(struct slice payload, raft_index index,
                              struct raft_configuration *ret_configuration)
{
    struct raft_configuration read = {.index = index};

    if (payload.len < 2 || payload.data[0] != FORMAT || payload.data[1] > RAFT_MEMBERS_MAX ||
        payload.len != 2 + (size_t)payload.data[1] * MEMBER_BYTES) {
        return ERR_MALFORMED;
    }
    for (uint32_t i = 0; i < payload.data[1]; i++) {
        const uint8_t *at = payload.data + 2 + (size_t)i * MEMBER_BYTES;
        raft_id id = 0;
        for (uint32_t byte = 0; byte < 8; byte++) {
            id |= (raft_id)at[byte] << (8 * byte);
        }
        if (id == 0 || at[8] > 1 || raft_configuration_find(&read, id) < read.count) {
            return ERR_MALFORMED;
        }
        read.members[read.count++] = (struct raft_member){id, at[8] == 1};
    }
    *ret_configuration = read;
    return OK;
}
