/* Snapshot files on their way to members that are too far behind for entries, and from a leader
 * to us: docs/spec/raft.md section 8. */
#include <stdio.h>

#include "base/assert.h"
#include "node/engine_raft_private.h"
#include "node/event.h"

enum { CHUNK_BYTES = 256 << 10, ROOM_MS = 1000 };

static void fail(struct engine_raft *engine, const char *what, int status)
{
    char text[LOG_TEXT_BYTES];

    (void)snprintf(text, sizeof text, "%.*s: %s failed: %s", LOG_PATH_BYTES, engine->snapshots,
                   what, error_text(status));
    engine_raft__fail(engine, text);
}

static bool is_over(const struct engine_raft *engine)
{
    return engine->is_failed || engine->is_log_closing;
}

/* ---- sending */

static void on_chunk_read(struct log_send *send, int status)
{
    struct engine_sending *sending = CONTAINER_OF(send, struct engine_sending, send);
    struct engine_raft *engine = sending->engine;
    struct raft_event event = {
        .kind = RAFT_CHUNK_READ,
        .peer = sending->peer,
        .term = sending->term,
        .index = send->index,
        .offset = send->offset,
        .data = send->data,
        .is_last = send->is_last,
        .status = status,
    };

    sending->is_busy = false;
    if (is_over(engine)) {
        return;
    }
    if (status == ERR_IO) {
        fail(engine, "reading a snapshot", status);
        return;
    }
    if (status == ERR_DAMAGED) {
        event_log(EVENT_WARNING, "snapshot-damaged", "group=%u index=%llu", send->group,
                  (unsigned long long)send->index);
    }
    if (status == ERR_VERSION || status == ERR_DAMAGED) {
        /* One that others can take: the state is here. */
        engine->groups[send->group].is_wanted = true;
        engine->groups[send->group].is_snapshot_useless = true;
    }
    engine_raft__step(engine, send->group, &event);
}

/* The one of this transfer, so that it never gets bytes of two files; or a new one. */
static struct engine_sending *sending_take(struct engine_raft *engine, uint32_t group,
                                           raft_id peer)
{
    struct engine_sending *sending;
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, &engine->sendings)
    {
        sending = CONTAINER_OF(node, struct engine_sending, node);
        if (!sending->is_busy && sending->send.group == group && sending->peer == peer) {
            return sending;
        }
    }
    sending = arena_alloc_zero(&engine->arena, sizeof *sending);
    sending->engine = engine;
    sending->peer = peer;
    sending->send.group = group;
    sending->send.bytes_max = CHUNK_BYTES;
    sending->send.done = on_chunk_read;
    list_add(&engine->sendings, &sending->node);
    return sending;
}

static void read_chunk(struct engine_raft *engine, uint32_t group,
                       const struct raft_request *request)
{
    struct engine_sending *sending = sending_take(engine, group, request->peer);

    sending->is_busy = true;
    sending->term = request->term;
    sending->send.index = request->index;
    sending->send.offset = request->offset;
    log_send_submit(engine->io, engine->snapshots, &sending->send);
}

/* ---- receiving */

static void on_received(struct log_receive *receive, int status);

static struct engine_receiving *receiving_take(struct engine_raft *engine, uint32_t group,
                                               const struct raft_request *request)
{
    struct engine_receiving *receiving;

    if (list_is_empty(&engine->idle_receivings)) {
        receiving = arena_alloc_zero(&engine->arena, sizeof *receiving);
        receiving->engine = engine;
        receiving->receive.done = on_received;
    } else {
        receiving =
            CONTAINER_OF(engine->idle_receivings.next, struct engine_receiving, node);
        list_remove(&receiving->node);
    }
    receiving->kind = request->kind;
    receiving->group = group;
    receiving->term = request->term;
    receiving->index = request->index;
    receiving->offset = request->offset + request->data.len;
    list_add(&engine->receivings, &receiving->node);
    return receiving;
}

static void on_room(struct io_timer *timer)
{
    struct engine_receiving *receiving = CONTAINER_OF(timer, struct engine_receiving, timer);

    log_receive_again(&receiving->receive);
}

static void tell_written(struct engine_receiving *receiving)
{
    engine_raft__step(receiving->engine, receiving->group,
                      &(struct raft_event){.kind = RAFT_CHUNK_WRITTEN,
                                           .term = receiving->term,
                                           .index = receiving->index,
                                           .offset = receiving->offset});
}

static void tell_installed(struct engine_receiving *receiving, int status)
{
    struct engine_raft *engine = receiving->engine;

    if (status == OK) {
        engine->groups[receiving->group].snapshot_bytes = receiving->receive.info.bytes;
    }
    engine_raft__step(engine, receiving->group,
                      &(struct raft_event){
                          .kind = RAFT_INSTALLED, .index = receiving->index, .status = status});
}

static void on_received(struct log_receive *receive, int status)
{
    struct engine_receiving *receiving =
        CONTAINER_OF(receive, struct engine_receiving, receive);
    struct engine_raft *engine = receiving->engine;
    bool is_write = receiving->kind == RAFT_WRITE_CHUNK;

    if (!is_over(engine) && is_write && status == ERR_DISK_FULL) {
        io_timer_start(engine->io, &receiving->timer, ROOM_MS, on_room);
        return;
    }
    list_remove(&receiving->node);
    if (!is_over(engine)) {
        if (status == ERR_IO || (is_write && status != OK)) {
            fail(engine, receive->operation == NULL ? "receiving a snapshot" : receive->operation,
                 status);
        } else if (is_write) {
            tell_written(receiving);
        } else if (receiving->kind == RAFT_INSTALL) {
            tell_installed(receiving, status);
        }
    }
    list_add(&engine->idle_receivings, &receiving->node);
}

static void install(struct engine_raft *engine, uint32_t group,
                    const struct raft_request *request)
{
    struct engine_receiving *receiving = receiving_take(engine, group, request);
    struct log_snapshot_info expected;

    engine_raft__snapshot_info(engine, group, request->snapshot, &expected);
    log_receive_install(&engine->groups[group].receiver, &receiving->receive, &expected);
}

void engine_raft__transfer(struct engine_raft *engine, uint32_t group,
                           const struct raft_request *request)
{
    struct log_receiver *receiver = &engine->groups[group].receiver;

    switch (request->kind) {
    case RAFT_READ_CHUNK:
        read_chunk(engine, group, request);
        break;
    case RAFT_WRITE_CHUNK:
        log_receive_write(receiver, &receiving_take(engine, group, request)->receive,
                          request->offset, request->data);
        break;
    case RAFT_INSTALL:
        install(engine, group, request);
        break;
    case RAFT_ABANDON:
        log_receive_abandon(receiver, &receiving_take(engine, group, request)->receive);
        break;
    case RAFT_READ_ENTRIES:
    case RAFT_WANT_SNAPSHOT:
    case RAFT_RELEASE:
        UNREACHABLE();
    }
}

void engine_raft__transfer_stop(struct engine_raft *engine)
{
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, &engine->receivings)
    {
        io_timer_stop(engine->io, &CONTAINER_OF(node, struct engine_receiving, node)->timer);
    }
}

static void receivings_fini(struct list *receivings)
{
    while (!list_is_empty(receivings)) {
        struct engine_receiving *receiving =
            CONTAINER_OF(receivings->next, struct engine_receiving, node);

        list_remove(&receiving->node);
        log_receive_fini(&receiving->receive);
    }
}

void engine_raft__transfer_fini(struct engine_raft *engine)
{
    engine_raft__transfer_stop(engine);
    receivings_fini(&engine->receivings);
    receivings_fini(&engine->idle_receivings);
    while (!list_is_empty(&engine->sendings)) {
        struct engine_sending *sending =
            CONTAINER_OF(engine->sendings.next, struct engine_sending, node);

        list_remove(&sending->node);
        log_send_fini(&sending->send);
    }
}
