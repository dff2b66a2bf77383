/* Entries that the core no longer has in memory, read back from the log: for members that lag,
 * and for the own state after a restart. */
#include <stdio.h>

#include "base/assert.h"
#include "node/engine_raft_private.h"

static void tell(struct engine_fetch *fetch, uint32_t count)
{
    struct engine_raft *engine = fetch->engine;
    struct raft_event event = {
        .kind = RAFT_ENTRIES_READ,
        .peer = fetch->peer,
        .term = fetch->term,
        .index = fetch->read.index,
        .entries = engine->fetched,
        .count = count,
    };

    for (uint32_t i = 0; i < count; i++) {
        const struct log_record *record = &fetch->read.records[i];

        engine->fetched[i] = (struct raft_entry){
            .term = record->term,
            .kind = engine_raft__entry_kind(record),
            .payload = record->payload,
        };
    }
    engine_raft__step(engine, fetch->read.group, &event);
}

static void on_read(struct log_read *read, int status)
{
    struct engine_fetch *fetch = CONTAINER_OF(read, struct engine_fetch, read);
    struct engine_raft *engine = fetch->engine;

    list_remove(&fetch->node);
    if (status == ERR_DAMAGED || status == ERR_IO || status == ERR_NOMEM) {
        engine_raft__fail(engine, log_text(&engine->log));
    } else if (status != ERR_STOPPED && !engine->is_failed && !engine->is_log_closing) {
        tell(fetch, status == OK ? read->count : 0);
    }
    list_add(&engine->idle_fetches, &fetch->node);
}

static struct engine_fetch *take(struct engine_raft *engine)
{
    struct engine_fetch *fetch;

    if (list_is_empty(&engine->idle_fetches)) {
        fetch = arena_alloc_zero(&engine->arena, sizeof *fetch);
        fetch->engine = engine;
        return fetch;
    }
    fetch = CONTAINER_OF(engine->idle_fetches.next, struct engine_fetch, node);
    list_remove(&fetch->node);
    return fetch;
}

/* Of the core: at most one at a time for each member, and one for the own state. */
void engine_raft__fetch(struct engine_raft *engine, uint32_t group,
                        const struct raft_request *request)
{
    struct engine_fetch *fetch = take(engine);

    ASSERT(request->count <= engine->raft_options.append_entries_max ||
           request->count <= engine->raft_options.read_entries_max);
    fetch->peer = request->peer;
    fetch->term = request->term;
    fetch->read.group = group;
    fetch->read.index = request->index;
    fetch->read.count_max = request->count;
    fetch->read.bytes_max = engine->raft_options.append_bytes_max;
    fetch->read.done = on_read;
    list_add(&engine->fetches, &fetch->node);
    log_read_submit(&engine->log, &fetch->read);
}

static void release(struct list *fetches)
{
    while (!list_is_empty(fetches)) {
        struct engine_fetch *fetch = CONTAINER_OF(fetches->next, struct engine_fetch, node);

        list_remove(&fetch->node);
        log_read_fini(&fetch->read);
    }
}

void engine_raft__fetch_fini(struct engine_raft *engine)
{
    release(&engine->fetches);
    release(&engine->idle_fetches);
}
