#include "carillon/import_private.h"

#include <stdio.h>

#include "proto/envelope.pb-c.h"
#include "wire/message.h"

/* Chunks travel pipelined over the client's connection, each with its sequence number. When the
 * node turns one away for the moment and the library repeats it, chunks behind it arrive out of
 * order and are refused; such a chunk is sent again, with a new key, as soon as every chunk
 * before it is acknowledged.
 *
 * Leaders move and nodes die while an import is sent. What was answered unknown, or by nobody
 * who could, is asked again with the same key, whatever it was; the end comes only when that has
 * happened so many times in a row.
 */
enum { AGAIN_MAX = 8, UNHEARD_MAX = 12, POLL_MS = 200, REST_MS_MAX = 5000, CHUNK_ROOM = 256 };

struct slot {
    struct sender *sender;
    struct buf body;
    uint32_t sequence;
    unsigned disordered; /* how often it was refused because it came too early */
    struct carillon_key key;
    enum { SLOT_FREE, SLOT_SENT, SLOT_AGAIN } state;
    bool was_in_order; /* every chunk before it was acknowledged when it had its key */
    bool is_unheard;   /* it is sent again with the same key */
};

struct sender {
    struct import_run *run;
    Carillon__ImportChunkRequest chunk; /* being filled; its records are in run->arena */
    size_t chunk_bytes;
    struct slot slots[IMPORT_SLOTS];
    uint32_t sequence; /* of the next chunk */
    struct carillon_key id;
    unsigned unheard; /* answers in a row that said neither yes nor no */
    int error;        /* the first one of any chunk */
};

/* Whether @status says neither yes nor no, and another node, or the same in a while, would. */
static bool is_unheard(int status)
{
    return status == ERR_TIMEOUT || status == ERR_BUSY || status == ERR_NOT_LEADER ||
           status == ERR_STOPPED;
}

/* Whether what was not heard may be asked again. */
static bool may_go_on(struct sender *sender)
{
    uint32_t max = sender->run->options->unheard_max;

    return sender->unheard++ < (max > 0 ? max : UNHEARD_MAX);
}

/* Before something is asked again. */
static int rest(struct sender *sender)
{
    uint32_t ms = POLL_MS;

    for (unsigned i = 1; i < sender->unheard && ms < REST_MS_MAX; i++) {
        ms *= 2;
    }
    int error = carillon_poll(sender->run->client, ms < REST_MS_MAX ? ms : REST_MS_MAX);

    return error == OK && import__is_interrupted(sender->run) ? ERR_CANCELLED : error;
}

static bool is_acknowledged_before(const struct sender *sender, uint32_t sequence)
{
    for (size_t i = 0; i < IMPORT_SLOTS; i++) {
        const struct slot *slot = &sender->slots[i];

        if (slot->state != SLOT_FREE && slot->sequence < sequence) {
            return false;
        }
    }
    return true;
}

static void chunk_on_done(void *context, const struct carillon_reply *reply)
{
    struct slot *slot = context;
    struct sender *sender = slot->sender;
    struct import_summary *summary = sender->run->summary;

    if (reply->status == OK) {
        slot->state = SLOT_FREE;
        sender->unheard = 0;
        return;
    }
    slot->is_unheard = is_unheard(reply->status);
    if (slot->is_unheard && may_go_on(sender)) {
        slot->state = SLOT_AGAIN;
        return;
    }
    if (reply->status == ERR_ARGUMENT && !slot->was_in_order &&
        slot->disordered++ < AGAIN_MAX) {
        slot->state = SLOT_AGAIN;
        return;
    }
    slot->state = SLOT_FREE;
    if (sender->error == OK) {
        sender->error = reply->status;
        snprintf(summary->error, sizeof summary->error, "%s", reply->text);
    }
}

static int send_slot(struct sender *sender, struct slot *slot)
{
    if (!slot->is_unheard) {
        slot->key = carillon_key_make(sender->run->client);
        slot->was_in_order = is_acknowledged_before(sender, slot->sequence);
    }
    struct carillon_call call = {
        .method = CARILLON__METHOD__METHOD_IMPORT_CHUNK,
        .key = &slot->key,
        .body = slot->body.data,
        .body_bytes = slot->body.len,
        .done = chunk_on_done,
        .context = slot,
    };

    slot->state = SLOT_SENT;
    int error = carillon_submit_call(sender->run->client, &call);

    if (error != OK) {
        slot->state = SLOT_FREE;
    }
    return error;
}

/* Wait for something to happen, and send again what may go again. */
static int pump(struct sender *sender)
{
    int error = carillon_poll(sender->run->client, POLL_MS);

    for (size_t i = 0; i < IMPORT_SLOTS && error == OK && sender->error == OK; i++) {
        struct slot *slot = &sender->slots[i];

        if (slot->state == SLOT_AGAIN && is_acknowledged_before(sender, slot->sequence)) {
            error = slot->is_unheard ? rest(sender) : OK;
            error = error == OK ? send_slot(sender, slot) : error;
        }
    }
    if (error == OK && import__is_interrupted(sender->run)) {
        error = ERR_CANCELLED;
    }
    return error != OK ? error : sender->error;
}

static int find_free_slot(struct sender *sender, struct slot **ret_slot)
{
    for (;;) {
        for (size_t i = 0; i < IMPORT_SLOTS; i++) {
            if (sender->slots[i].state == SLOT_FREE) {
                *ret_slot = &sender->slots[i];
                return OK;
            }
        }
        int error = pump(sender);

        if (error != OK) {
            return error;
        }
    }
}

/* Send the chunk that was filled, if there is anything in it, and begin the next. */
static int flush_chunk(struct sender *sender)
{
    Carillon__ImportChunkRequest *chunk = &sender->chunk;
    struct slot *slot = NULL;

    if (chunk->n_courses + chunk->n_students + chunk->n_removed == 0) {
        return OK;
    }
    int error = find_free_slot(sender, &slot);

    if (error != OK) {
        return error;
    }
    chunk->import_id = (ProtobufCBinaryData){sizeof sender->id.bytes, sender->id.bytes};
    chunk->sequence = sender->sequence;
    slot->sequence = sender->sequence++;
    slot->disordered = 0;
    slot->is_unheard = false;
    buf_clear(&slot->body);
    error = wire_pack(&chunk->base, &slot->body);
    if (error == OK) {
        sender->run->summary->bytes_sent += slot->body.len;
        error = send_slot(sender, slot);
    }
    carillon__import_chunk_request__init(chunk);
    sender->chunk_bytes = 0;
    arena_reset(&sender->run->arena);
    return error;
}

/* Make room in the chunk for @bytes more. */
static int make_room(struct sender *sender, size_t bytes)
{
    if (sender->chunk_bytes > 0 &&
        sender->chunk_bytes + bytes > IMPORT_CHUNK_BYTES - CHUNK_ROOM) {
        return flush_chunk(sender);
    }
    return OK;
}

int import__reload(struct import_run *run, const struct import_entry *entry,
                   struct import_record *ret_record)
{
    int error = run->source->load(run->source, &run->context, &entry->unit, ret_record);
    uint64_t hash = error != OK                  ? 0
                    : ret_record->course != NULL ? ret_record->course->content_hash
                                                 : ret_record->student->content_hash;

    if (error == OK && hash == entry->content_hash) {
        return OK;
    }
    run->report->line = entry->unit.line;
    import_find(run->report, IMPORT_FOUND_FILE_CHANGED, NULL, entry->name);
    return ERR_MALFORMED;
}

static int add_record(struct sender *sender, const struct import_entry *entry)
{
    struct import_run *run = sender->run;
    Carillon__ImportChunkRequest *chunk = &sender->chunk;
    struct import_record record = {.course = NULL};
    int error = make_room(sender, entry->packed_bytes);

    if (error == OK) {
        error = import__reload(run, entry, &record);
    }
    if (error != OK) {
        return error;
    }
    if (record.course != NULL) {
        chunk->courses =
            import_append(&run->arena, chunk->courses, &chunk->n_courses, record.course);
    } else {
        chunk->students =
            import_append(&run->arena, chunk->students, &chunk->n_students, record.student);
    }
    sender->chunk_bytes += entry->packed_bytes + 4;
    return OK;
}

static int add_removed(struct sender *sender, struct slice name)
{
    struct import_run *run = sender->run;
    Carillon__ImportChunkRequest *chunk = &sender->chunk;
    int error = make_room(sender, name.len + 4);

    if (error != OK) {
        return error;
    }
    char *copy = arena_alloc(&run->arena, name.len + 1);

    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    chunk->removed = import_append(&run->arena, chunk->removed, &chunk->n_removed, copy);
    sender->chunk_bytes += name.len + 4;
    return OK;
}

static int send_all(struct sender *sender)
{
    struct import_run *run = sender->run;
    struct import_summary *summary = run->summary;
    uint64_t total = summary->fresh + summary->differing;
    uint64_t sent = 0;
    int error = OK;

    for (size_t i = 0; i < run->index.count && error == OK; i++) {
        if (!run->index.entries[i].is_same) {
            error = add_record(sender, &run->index.entries[i]);
            import__progress(run, IMPORT_SENDING, ++sent, total);
        }
    }
    for (size_t i = 0; i < run->index.removed_count && error == OK; i++) {
        error = add_removed(sender, run->index.removed[i]);
    }
    if (error == OK) {
        error = flush_chunk(sender);
    }
    while (error == OK && !is_acknowledged_before(sender, UINT32_MAX)) {
        error = pump(sender);
    }
    summary->chunks = sender->sequence;
    return error != OK ? error : sender->error;
}

/* A blocking call that is repeated while nobody says yes or no to it. */
static int ask(struct sender *sender, uint32_t method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *reply_type, void *ret_reply)
{
    struct import_run *run = sender->run;
    struct carillon_key key = carillon_key_make(run->client);
    bool is_unknown = false;

    for (sender->unheard = 0;;) {
        int error = carillon_call_message(run->client, method, &key, request, reply_type,
                                          ret_reply);

        is_unknown = is_unknown || error == ERR_TIMEOUT;
        if (!is_unheard(error)) {
            return error == OK ? OK : import__fail(run, error);
        }
        if (!may_go_on(sender)) {
            return import__fail(run, is_unknown ? ERR_TIMEOUT : error);
        }
        carillon_message_free(*(void **)ret_reply);
        error = rest(sender);
        if (error != OK) {
            return is_unknown ? ERR_TIMEOUT : error;
        }
    }
}

static int begin(struct sender *sender)
{
    struct import_run *run = sender->run;
    Carillon__ImportBeginRequest request = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportBeginReply *reply = NULL;
    const char *slash = strrchr(run->source->name, '/');

    request.kind = run->source->is_students ? CARILLON__IMPORT_KIND__IMPORT_STUDENTS
                                            : CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = run->summary->institution;
    request.term = run->summary->term;
    request.import_id = (ProtobufCBinaryData){sizeof sender->id.bytes, sender->id.bytes};
    request.by = wire_text(run->options->by == NULL ? "" : run->options->by);
    request.source_name = wire_text(slash == NULL ? run->source->name : slash + 1);
    int error = ask(sender, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &request.base,
                    &carillon__import_begin_reply__descriptor, &reply);

    carillon_message_free(reply);
    return error;
}

static int commit(struct sender *sender)
{
    struct import_run *run = sender->run;
    struct import_summary *summary = run->summary;
    Carillon__ImportCommitRequest request = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    Carillon__ImportCommitReply *reply = NULL;

    request.import_id = (ProtobufCBinaryData){sizeof sender->id.bytes, sender->id.bytes};
    request.chunks = sender->sequence;
    request.force = run->options->force;
    int error = ask(sender, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &request.base,
                    &carillon__import_commit_reply__descriptor, &reply);

    if (error == OK) {
        summary->was_committed = true;
        summary->added = reply->added;
        summary->changed = reply->changed;
        summary->removed = reply->removed;
        summary->withdrawn = reply->withdrawn;
        summary->total = reply->total;
        summary->receipt_index = reply->receipt == NULL ? 0 : reply->receipt->index;
    }
    carillon_message_free(reply);
    return error;
}

/* Best effort: an import that is never committed ends when the next one begins, or when nothing
 * of it has come for a while. */
static void abandon(struct sender *sender)
{
    struct import_run *run = sender->run;
    Carillon__ImportAbortRequest request = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    Carillon__ImportAbortReply *reply = NULL;
    struct carillon_key key = carillon_key_make(run->client);

    request.import_id = (ProtobufCBinaryData){sizeof sender->id.bytes, sender->id.bytes};
    int error =
        carillon_call_message(run->client, CARILLON__METHOD__METHOD_IMPORT_ABORT, &key,
                              &request.base, &carillon__import_abort_reply__descriptor, &reply);

    (void)error;
    carillon_message_free(reply);
}

/* Wait until no callback can refer to the slots any more. */
static void drain(struct sender *sender)
{
    while (carillon_outstanding(sender->run->client) > 0) {
        if (carillon_poll(sender->run->client, POLL_MS) != OK) {
            return;
        }
    }
}

int import__send(struct import_run *run)
{
    struct sender sender = {.run = run, .id = carillon_key_make(run->client)};

    carillon__import_chunk_request__init(&sender.chunk);
    for (size_t i = 0; i < IMPORT_SLOTS; i++) {
        sender.slots[i].sender = &sender;
        buf_init(&sender.slots[i].body, 2 * (size_t)IMPORT_CHUNK_BYTES_MAX);
    }
    run->report->is_muted = true;
    arena_reset(&run->arena);
    int error = begin(&sender);

    if (error == OK) {
        error = send_all(&sender);
        drain(&sender);
        bool is_whole = error == OK;

        error = is_whole ? commit(&sender) : error;
        if (error != OK && !(is_whole && error == ERR_TIMEOUT)) {
            abandon(&sender);
        }
    }
    run->report->is_muted = false;
    for (size_t i = 0; i < IMPORT_SLOTS; i++) {
        buf_fini(&sender.slots[i].body);
    }
    return error;
}
