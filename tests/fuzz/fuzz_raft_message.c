#include "base/assert.h"
#include "raft/raft.h"

/* Any bytes as a message to a member that follows: nothing breaks, and what was read is written
 * as a message that reads the same. */

enum { ENTRIES_MAX = 16, OUT_BYTES_MAX = 1 << 20 };

static struct raft_effects effects;

static void receive(const struct raft_message *message)
{
    struct raft_options options;
    struct raft_snapshot nothing = {
        .configuration = {.count = 2, .members = {{1, true}, {2, true}}}
    };
    struct raft raft;

    raft_options_default(&options);
    options.id = 1;
    options.tail_entries_max = 2 * ENTRIES_MAX;
    options.append_entries_max = ENTRIES_MAX;
    raft_init(&raft, &options, &nothing);
    raft_start(&raft, 1000);
    struct raft_event event = {.kind = RAFT_RECEIVED, .message = message};
    raft_step(&raft, &event, 1001, &effects);
    raft_step(&raft, &event, 1002, &effects);
    if (raft.role != RAFT_STOPPED) {
        event = (struct raft_event){.kind = RAFT_STORED, .sequence = raft.sequence};
        raft_step(&raft, &event, 1003, &effects);
    }
    raft_fini(&raft);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_entry again_entries[ENTRIES_MAX];
    struct raft_message_space space = {.entries = entries, .entries_max = ENTRIES_MAX};
    struct raft_message_space again_space = {.entries = again_entries,
                                             .entries_max = ENTRIES_MAX};
    struct raft_message message;
    struct raft_message again;
    struct buf first;
    struct buf second;

    if (raft_message_decode(slice_from(data, len), &space, &message) != OK) {
        return 0;
    }
    buf_init(&first, OUT_BYTES_MAX);
    buf_init(&second, OUT_BYTES_MAX);
    ASSERT(raft_message_encode(&message, &first) == OK);
    ASSERT(raft_message_decode(buf_slice(&first), &again_space, &again) == OK);
    ASSERT(raft_message_encode(&again, &second) == OK);
    ASSERT(slice_is_equal(buf_slice(&first), buf_slice(&second)));
    buf_fini(&first);
    buf_fini(&second);
    receive(&message);
    return 0;
}
