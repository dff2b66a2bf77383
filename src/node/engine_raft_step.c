/* Steps of the core and what they ask for, in the one order: persist, request, send, apply,
 * reply. docs/spec/raft.md section 1 has the rules that bind us here. */
#include <stdio.h>

#include "base/assert.h"
#include "node/engine_raft_private.h"

/* That a message or a change may bring along: a vote, a truncation, a mark, a no-op. */
enum { CONTROL_RECORDS = 4 };

static uint64_t now_ms(struct engine_raft *engine)
{
    return io_now_ns(engine->io) / 1000000;
}

/* ---- persist */

/* Remember that @records more of this group complete the write @sequence. */
static void push_write(struct engine_raft *engine, uint32_t group, uint64_t sequence,
                       uint32_t records)
{
    uint32_t count = engine->writes_last - engine->writes_first;

    if (count == engine->writes_cap) {
        struct engine_write *grown =
            arena_alloc(&engine->arena, 2 * (size_t)count * sizeof *grown);

        for (uint32_t i = 0; i < count; i++) {
            grown[i] = engine->writes[(engine->writes_first + i) % engine->writes_cap];
        }
        arena_free(&engine->arena, engine->writes, count * sizeof *grown);
        engine->writes = grown;
        engine->writes_cap = 2 * count;
        engine->writes_first = 0;
        engine->writes_last = count;
    }
    ASSERT(engine->writes_cap > 0);
    engine->writes[engine->writes_last++ % engine->writes_cap] =
        (struct engine_write){.sequence = sequence, .group = group, .records = records};
}

static void backlog_add(struct engine_raft *engine, const struct log_record *record)
{
    size_t bytes = sizeof(struct engine_backlog) + record->payload.len;
    struct engine_backlog *waiting = arena_alloc(&engine->arena, bytes);

    waiting->record = *record;
    if (record->payload.len > 0) {
        memcpy(waiting + 1, record->payload.data, record->payload.len);
        waiting->record.payload.data = (const uint8_t *)(waiting + 1);
    }
    list_add(&engine->backlog, &waiting->node);
}

bool engine_raft__backlog_drain(struct engine_raft *engine)
{
    while (!list_is_empty(&engine->backlog)) {
        struct engine_backlog *waiting =
            CONTAINER_OF(engine->backlog.next, struct engine_backlog, node);
        size_t bytes = sizeof *waiting + waiting->record.payload.len;

        if (log_append(&engine->log, &waiting->record) != OK) {
            return false;
        }
        list_remove(&waiting->node);
        arena_free(&engine->arena, waiting, bytes);
    }
    return true;
}

/* A failed or closing log takes nothing more: what this step wanted to write never becomes
 * durable, and nobody is told of it. */
static void append(struct engine_raft *engine, const struct log_record *record)
{
    int status = list_is_empty(&engine->backlog) ? log_append(&engine->log, record) : ERR_BUSY;

    ASSERT(status != ERR_TOO_LARGE);
    if (status == ERR_BUSY || status == ERR_DISK_FULL) {
        backlog_add(engine, record);
    }
}

static void persist_entries(struct engine_raft *engine, uint32_t group,
                            const struct raft_persist *persist)
{
    for (uint32_t i = 0; i < persist->count; i++) {
        const struct raft_entry *entry = &persist->entries[i];
        const struct log_record record = {
            .type = entry->kind == RAFT_ENTRY_CONFIGURATION ? LOG_CONFIGURATION : LOG_ENTRY,
            .group = group,
            .index = persist->index + i,
            .term = entry->term,
            .payload = entry->payload,
        };

        append(engine, &record);
    }
}

static void persist_hard(struct engine_raft *engine, uint32_t group,
                         const struct raft_persist *persist)
{
    uint8_t vote[LOG_ID_BYTES] = {0};
    struct log_record record = {.type = LOG_HARD_STATE, .group = group, .term = persist->term};

    if (persist->vote != 0) {
        engine_raft__id_write(persist->vote, vote);
        record.payload = slice_from(vote, sizeof vote);
    }
    append(engine, &record);
}

static void persist(struct engine_raft *engine, uint32_t group,
                    const struct raft_persist *persist)
{
    uint32_t records = 1;

    switch (persist->kind) {
    case RAFT_PERSIST_HARD:
        persist_hard(engine, group, persist);
        break;
    case RAFT_PERSIST_ENTRIES:
        persist_entries(engine, group, persist);
        records = persist->count;
        break;
    case RAFT_PERSIST_TRUNCATE:
        append(engine, &(struct log_record){
                           .type = LOG_TRUNCATE, .group = group, .index = persist->index});
        break;
    case RAFT_PERSIST_MARK:
        append(engine, &(struct log_record){.type = LOG_SNAPSHOT_MARK,
                                            .group = group,
                                            .index = persist->index,
                                            .term = persist->term});
        break;
    }
    push_write(engine, group, persist->sequence, records);
}

void engine_raft__stored(struct engine_raft *engine, const struct log_record *record)
{
    ASSERT(engine->writes_first != engine->writes_last);
    struct engine_write *write = &engine->writes[engine->writes_first % engine->writes_cap];
    struct engine_group *state = &engine->groups[record->group];

    ASSERT(write->group == record->group);
    if (--write->records > 0) {
        return;
    }
    engine->writes_first++;
    state->stored = write->sequence;
    if (!state->is_dirty) {
        state->is_dirty = true;
        engine->dirty[engine->dirty_count++] = record->group;
    }
}

void engine_raft__batch_stored(struct engine_raft *engine)
{
    (void)engine_raft__backlog_drain(engine);
    for (uint32_t i = 0; i < engine->dirty_count && !engine->is_failed; i++) {
        struct engine_group *state = &engine->groups[engine->dirty[i]];
        struct raft_event event = {.kind = RAFT_STORED, .sequence = state->stored};

        state->is_dirty = false;
        engine_raft__step(engine, engine->dirty[i], &event);
    }
    engine->dirty_count = 0;
}

/* ---- request, send, apply, reply */

static void request(struct engine_raft *engine, uint32_t group,
                    const struct raft_request *request)
{
    switch (request->kind) {
    case RAFT_RELEASE:
        log_release(&engine->log, group, request->index);
        break;
    case RAFT_WANT_SNAPSHOT:
        engine->groups[group].is_wanted = true;
        break;
    case RAFT_READ_ENTRIES:
        engine_raft__fetch(engine, group, request);
        break;
    case RAFT_READ_CHUNK:
    case RAFT_WRITE_CHUNK:
    case RAFT_INSTALL:
    case RAFT_ABANDON:
        engine_raft__transfer(engine, group, request);
        break;
    }
}

static void look_ahead(struct engine_raft *engine, uint32_t group,
                       const struct raft_apply *apply, uint32_t from)
{
    struct slice payloads[ENGINE_AHEAD_MAX];
    uint32_t count = 0;

    if (engine->hooks.ahead == NULL || apply->count - from < 2) {
        return;
    }
    for (uint32_t i = from; i < apply->count && count < ENGINE_AHEAD_MAX; i++) {
        const struct raft_entry *entry = &apply->entries[i];

        payloads[count++] = entry->kind == RAFT_ENTRY_DATA ? entry->payload : SLICE_NONE;
    }
    engine->hooks.ahead(engine->hooks.context, group, apply->index + from, payloads, count);
}

static void apply(struct engine_raft *engine, uint32_t group, const struct raft_apply *apply)
{
    if (apply->snapshot != NULL) {
        engine_raft__begin_again(engine, group, apply->snapshot);
        return;
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct raft_entry *entry = &apply->entries[i];

        if (i % ENGINE_AHEAD_MAX == 0) {
            look_ahead(engine, group, apply, i);
        }
        if (entry->kind == RAFT_ENTRY_DATA) {
            engine->hooks.apply(engine->hooks.context, group, apply->index + i, entry->term,
                                entry->payload, false);
        }
    }
}

/* Tell those whose round this was. done() may ask for the next one. */
static void tell_reads(struct list *reads, int status)
{
    struct list told;

    list_move(reads, &told);
    while (!list_is_empty(&told)) {
        struct engine_read *read = CONTAINER_OF(told.next, struct engine_read, node);

        list_remove(&read->node);
        read->done(read, status);
    }
}

void engine_raft__refuse_reads(struct engine_raft *engine, int status)
{
    for (uint32_t i = 0; i < engine->group_count; i++) {
        tell_reads(&engine->groups[i].reads_asked, status);
        tell_reads(&engine->groups[i].reads, status);
    }
}

static void reply(struct engine_raft *engine, uint32_t group, const struct raft_reply *reply)
{
    struct engine_group *state = &engine->groups[group];

    switch (reply->kind) {
    case RAFT_REPLY_PROPOSED:
        ASSERT(reply->outcome == RAFT_DONE); /* it was asked before */
        break;
    case RAFT_REPLY_READ:
        tell_reads(&state->reads_asked, reply->outcome == RAFT_DONE   ? OK
                                        : reply->outcome == RAFT_BUSY ? ERR_BUSY
                                                                      : ERR_NOT_LEADER);
        if (!list_is_empty(&state->reads)) {
            engine_raft__gather(engine, group); /* those that came meanwhile */
        }
        break;
    case RAFT_REPLY_STOPPED:
        engine_raft__fail(engine, reply->text);
        break;
    case RAFT_REPLY_CHANGED:
        engine->change_outcome = reply->outcome;
        break;
    case RAFT_REPLY_ROLE:
    case RAFT_REPLY_TRANSFERRED:
        break;
    }
}

/* A new leader knows what is committed once an entry of its own is; and it has applied that
 * before it is called leading, so that what is proposed to it is judged by the newest state. */
static void note_role(struct engine_raft *engine, uint32_t group)
{
    struct engine_group *state = &engine->groups[group];
    const struct raft *raft = &state->raft;
    bool is_leading =
        raft->role == RAFT_LEADER && raft_log_term(&raft->log, raft->applied) == raft->term;

    if (is_leading != state->is_leading && !engine->is_failed) {
        state->is_leading = is_leading;
        engine->hooks.role(engine->hooks.context, group, is_leading, raft->term);
    }
}

static void perform(struct engine_raft *engine, uint32_t group)
{
    const struct raft_effects *effects = &engine->effects;

    for (uint32_t i = 0; i < effects->persist_count; i++) {
        persist(engine, group, &effects->persists[i]);
    }
    for (uint32_t i = 0; i < effects->request_count; i++) {
        request(engine, group, &effects->requests[i]);
    }
    for (uint32_t i = 0; i < effects->send_count && engine->hooks.send != NULL; i++) {
        engine->hooks.send(engine->hooks.context, group, &effects->sends[i]);
    }
    for (uint32_t i = 0; i < effects->apply_count && !engine->is_failed; i++) {
        apply(engine, group, &effects->applies[i]);
    }
    for (uint32_t i = 0; i < effects->reply_count; i++) {
        reply(engine, group, &effects->replies[i]);
    }
    note_role(engine, group);
}

/* ---- the clock */

static void clock_fired(struct io_timer *timer)
{
    struct engine_raft *engine = CONTAINER_OF(timer, struct engine_raft, clock);
    uint64_t now = now_ms(engine);

    engine->clock_ms = UINT64_MAX;
    /* While a record waits for room, nothing may add to it: others will take over. */
    for (uint32_t i = 0; i < engine->group_count && list_is_empty(&engine->backlog); i++) {
        if (raft_deadline_ms(&engine->groups[i].raft) <= now) {
            engine_raft__step(engine, i, &(struct raft_event){.kind = RAFT_TICK});
        }
    }
    engine_raft__clock_start(engine);
}

static void clock_at(struct engine_raft *engine, uint64_t deadline_ms)
{
    uint64_t now = now_ms(engine);

    if (deadline_ms < engine->clock_ms && !engine->is_failed && !engine->is_log_closing) {
        engine->clock_ms = deadline_ms;
        io_timer_start(engine->io, &engine->clock, deadline_ms > now ? deadline_ms - now : 0,
                       clock_fired);
    }
}

void engine_raft__clock_start(struct engine_raft *engine)
{
    uint64_t earliest = UINT64_MAX;

    for (uint32_t i = 0; i < engine->group_count; i++) {
        uint64_t deadline = raft_deadline_ms(&engine->groups[i].raft);

        earliest = deadline < earliest ? deadline : earliest;
    }
    if (!list_is_empty(&engine->backlog) && earliest != UINT64_MAX) {
        earliest = now_ms(engine) + engine->raft_options.heartbeat_ms;
    }
    clock_at(engine, earliest);
}

/* ---- steps */

static void step(struct engine_raft *engine, uint32_t group, const struct raft_event *event)
{
    struct engine_group *state = &engine->groups[group];

    raft_step(&state->raft, event, now_ms(engine), &engine->effects);
    perform(engine, group);
    clock_at(engine, raft_deadline_ms(&state->raft));
}

/* It was asked whether they fit; nothing has happened to the group since. */
static void propose(struct engine_raft *engine, uint32_t group)
{
    struct engine_group *state = &engine->groups[group];
    uint32_t count = 0;

    if (state->proposal_count == 0) {
        return;
    }
    for (uint32_t at = state->proposal_first; count < state->proposal_count;) {
        const struct engine_proposal *proposal = &engine->proposals[at];

        engine->payloads[count++] =
            slice_sub(buf_slice(&engine->proposed), proposal->at, proposal->len);
        at = proposal->next;
    }
    state->proposal_count = 0;
    state->proposal_bytes = 0;
    engine->proposals_waiting -= count;
    const struct raft_event event = {
        .kind = RAFT_PROPOSED, .payloads = engine->payloads, .count = count};

    step(engine, group, &event);
    if (engine->proposals_waiting == 0) {
        engine->proposal_count = 0;
        buf_clear(&engine->proposed);
    }
}

static void ask_reads(struct engine_raft *engine, uint32_t group)
{
    struct engine_group *state = &engine->groups[group];

    if (list_is_empty(&state->reads) || !list_is_empty(&state->reads_asked)) {
        return;
    }
    list_move(&state->reads, &state->reads_asked);
    step(engine, group, &(struct raft_event){.kind = RAFT_READ_ASKED});
}

void engine_raft__step(struct engine_raft *engine, uint32_t group, struct raft_event *event)
{
    if (!engine->is_failed) {
        propose(engine, group);
        step(engine, group, event);
    }
}

/* The end of the turn that this makes does the rest. */
static void kick_fired(struct io_timer *timer)
{
    (void)timer;
}

void engine_raft__gather(struct engine_raft *engine, uint32_t group)
{
    struct engine_group *state = &engine->groups[group];

    if (engine->gathered_count == 0) {
        io_timer_start(engine->io, &engine->kick, 0, kick_fired);
    }
    if (!state->is_gathered) {
        state->is_gathered = true;
        engine->gathered[engine->gathered_count++] = group;
    }
}

/* A step may tell somebody something who then asks for more: that waits for the next turn. */
void engine_raft__flush(struct engine_raft *engine)
{
    uint32_t count = engine->gathered_count;

    if (!engine_raft__backlog_drain(engine)) {
        return;
    }
    for (uint32_t i = 0; i < count && !engine->is_failed; i++) {
        uint32_t group = engine->gathered[i];

        engine->groups[group].is_gathered = false;
        propose(engine, group);
        ask_reads(engine, group);
    }
    engine->gathered_count -= count;
    memmove(engine->gathered, engine->gathered + count,
            engine->gathered_count * sizeof *engine->gathered);
}

/* ---- other members */

/* How many of the entries the log has room for now. The rest is as good as lost and comes
 * again: all or nothing would not do, for more than a batch of the log takes would never come
 * in. */
static uint32_t fitting(struct engine_raft *engine, const struct raft_append *append)
{
    uint64_t records = (uint64_t)engine->proposals_waiting + CONTROL_RECORDS;
    uint64_t bytes = engine->proposed.len;
    uint32_t count = 0;

    for (; count < append->count; count++) {
        bytes += append->entries[count].payload.len;
        if (!log_has_room(&engine->log, (uint32_t)records + count + 1, bytes)) {
            break;
        }
    }
    return count;
}

/* With a full disk a member goes on hearing its leader, and a leader its followers. What would
 * have to be written waits until there is room: votes and elections, which are for members that
 * can take entries, and snapshots. */
static bool is_heard_without_room(const struct engine_raft *engine, uint32_t group,
                                  const struct raft_message *message)
{
    return (message->type == RAFT_APPEND || message->type == RAFT_APPEND_REPLY) &&
           (message->term <= engine->groups[group].raft.term ||
            log_has_control_room(&engine->log));
}

void engine_raft_receive(struct engine_raft *engine, uint32_t group,
                         const struct raft_message *message)
{
    struct raft_event event = {.kind = RAFT_RECEIVED, .message = message};
    struct raft_message some;
    uint64_t bytes = 0;
    uint32_t records = CONTROL_RECORDS;

    if (engine->is_failed || engine->is_closing || group >= engine->group_count ||
        !list_is_empty(&engine->backlog)) {
        return;
    }
    if (message->type == RAFT_APPEND) {
        records += message->append.count;
        for (uint32_t i = 0; i < message->append.count; i++) {
            bytes += message->append.entries[i].payload.len;
        }
    }
    int status = log_room(&engine->log, engine->proposals_waiting + records,
                          engine->proposed.len + bytes);
    if (status != OK) {
        uint32_t count = message->type == RAFT_APPEND ? fitting(engine, &message->append) : 0;

        event.is_without_room = count == 0;
        if (count == 0 &&
            (status != ERR_DISK_FULL || !is_heard_without_room(engine, group, message))) {
            return; /* like one that was lost: it comes again */
        }
        some = *message;
        some.append.count = count > 0 ? count : some.append.count;
        event.message = count > 0 ? &some : message;
    }
    engine_raft__step(engine, group, &event);
}

int engine_raft_change(struct engine_raft *engine, uint32_t group, enum raft_change_kind change,
                       raft_id member)
{
    ASSERT(group < engine->group_count);
    if (engine->is_failed || engine->is_closing) {
        return ERR_STOPPED;
    }
    if (!engine->groups[group].is_leading) {
        return ERR_NOT_LEADER;
    }
    if (!list_is_empty(&engine->backlog) ||
        log_room(&engine->log, engine->proposals_waiting + CONTROL_RECORDS,
                 engine->proposed.len + RAFT_CONFIGURATION_BYTES_MAX) != OK) {
        return ERR_BUSY;
    }
    engine->change_outcome = RAFT_BUSY;
    engine_raft__step(
        engine, group,
        &(struct raft_event){.kind = RAFT_CHANGE_ASKED, .change = change, .peer = member});
    switch (engine->change_outcome) {
    case RAFT_DONE:
        return OK;
    case RAFT_INVALID:
        return ERR_ARGUMENT;
    case RAFT_NOT_LEADER:
    case RAFT_LOST:
        return ERR_NOT_LEADER;
    case RAFT_BUSY:
    case RAFT_TIMED_OUT:
        break;
    }
    return ERR_BUSY;
}

void engine_raft_transfer(struct engine_raft *engine, uint32_t group, raft_id member)
{
    ASSERT(group < engine->group_count);
    if (!engine->is_failed && !engine->is_closing && engine->groups[group].is_leading) {
        engine_raft__step(engine, group,
                          &(struct raft_event){.kind = RAFT_TRANSFER_ASKED, .peer = member});
    }
}
