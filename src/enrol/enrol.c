#include "enrol/enrol.h"

#include "base/assert.h"
#include "base/hash.h"
#include "campus/snapshot.h"
#include "enrol/across_entry.h"
#include "enrol/enrol_private.h"
#include "enrol/verdict.h"
#include "wire/message.h"
#include "wire/method.h"

enum {
    SCRATCH_BYTES_MAX = 64 << 20, /* one request or reply with all its parts */
    RESULT_BYTES_MAX = 4 << 20,
    LINE_BYTES_MAX = 4096,
    EFFECTS_BYTES_MAX = 256 << 20,
    EXPIRED_PER_ENTRY = 8,
    MARGIN_EVERY = 1024,    /* entries */
    MARGIN_BYTES = 4 << 20, /* chunks of tables, lists and other small growth */
    ANSWER_BYTES = 128,     /* a slot, and its share of the tables */
    HOUR_MS = 3600 * 1000,
    KEY_HOURS = 24,
    ANSWER_HOURS = 25,
};

struct enrol *enrol_create(const struct enrol_config *config)
{
    struct arena own;

    arena_init(&own, sizeof(struct enrol));
    struct enrol *enrol = arena_alloc_zero(&own, sizeof *enrol);

    enrol->own = own;
    enrol->config = *config;
    campus_init(&enrol->campus, config->memory_bytes_max);
    enrol->campus.shard_count = config->shards;
    enrol->campus.shard = config->shards <= 1 ? 0 : config->group - 1;
    ASSERT((config->shards & (config->shards - 1)) == 0 &&
           (config->shards == 0 || enrol->campus.shard < config->shards));
    arena_init(&enrol->scratch, SCRATCH_BYTES_MAX);
    answers_init(&enrol->answers, &enrol->campus.arena);
    enrol__across_init(&enrol->across, &enrol->campus.arena);
    enrol__tokens_init(enrol);
    buf_init(&enrol->stream, INT32_MAX);
    buf_init(&enrol->image, INT32_MAX);
    buf_init(&enrol->line, LINE_BYTES_MAX);
    return enrol;
}

void enrol_destroy(struct enrol *enrol)
{
    if (enrol == NULL) {
        return;
    }
    struct arena own = enrol->own;

    campus_fini(&enrol->campus);
    buf_fini(&enrol->stream);
    buf_fini(&enrol->image);
    buf_fini(&enrol->line);
    arena_fini(&enrol->scratch);
    arena_fini(&own);
}

void enrol_result_init(struct enrol_result *result)
{
    *result = (struct enrol_result){.student = CAMPUS_NONE};
    buf_init(&result->text, ENROL_TEXT_BYTES_MAX);
    buf_init(&result->reply, RESULT_BYTES_MAX);
    buf_init(&result->effects, EFFECTS_BYTES_MAX);
    buf_init(&result->notes, EFFECTS_BYTES_MAX);
    buf_init(&result->note_text, EFFECTS_BYTES_MAX);
}

void enrol_result_fini(struct enrol_result *result)
{
    buf_fini(&result->text);
    buf_fini(&result->reply);
    buf_fini(&result->effects);
    buf_fini(&result->notes);
    buf_fini(&result->note_text);
}

static void result_clear(struct enrol_result *result)
{
    result->status = OK;
    result->is_repeated = false;
    result->is_undecided = false;
    result->is_outdated = false;
    result->student = CAMPUS_NONE;
    buf_clear(&result->text);
    buf_clear(&result->reply);
    buf_clear(&result->effects);
    buf_clear(&result->notes);
    buf_clear(&result->note_text);
}

/* ---- the rows: a method that changes state, what it does, how much memory it may need */

static uint64_t growth_small(const struct enrol *enrol, struct slice body)
{
    (void)enrol;
    return 2048 + 2 * (uint64_t)body.len;
}

/* Registering touches a roster, which may double. */
static uint64_t growth_submit(const struct enrol *enrol, struct slice body)
{
    (void)enrol;
    return 16384 + 4 * (uint64_t)body.len;
}

/* The shortest record, a code of a few bytes, becomes a course, a section, a document and a
 * name, each with a share of its table. */
static uint64_t growth_chunk(const struct enrol *enrol, struct slice body)
{
    (void)enrol;
    return 65536 + 128 * (uint64_t)body.len;
}

#define ROW(NUMBER, name, is_raw, growth)                                                      \
    [CARILLON__METHOD__METHOD_##                                                               \
        NUMBER] = {is_raw, enrol__##name##_check, enrol__##name##_apply, growth_##growth}

/* clang-format off */
static const struct enrol_method rows[] = {
    /*  number         name    raw    growth */
    ROW(SUBMIT,        submit, true,  submit),
    ROW(IMPORT_BEGIN,  begin,  false, small),
    ROW(IMPORT_CHUNK,  chunk,  false, chunk),
    ROW(IMPORT_COMMIT, commit, false, small),
    ROW(IMPORT_ABORT,  abort,  false, small),
    ROW(WINDOW,        window, false, small),
    ROW(BLOCK,         block,  false, small),
    ROW(PERMIT,        permit, false, small),
    ROW(CAP,           cap,    false, small),
    ROW(LIMITS,        limits, false, small),
    ROW(TOKEN_ISSUE,   token_issue,  false, small),
    ROW(TOKEN_REVOKE,  token_revoke, false, small),
    ROW(GRANT,         grant,  false, small),
    ROW(REVOKE,        revoke, false, small),
};
/* clang-format on */

const struct enrol_method *enrol__method(uint32_t method)
{
    return method < sizeof rows / sizeof rows[0] && rows[method].apply != NULL ? &rows[method]
                                                                               : NULL;
}

/* The request as its row wants it, in fresh scratch; NULL when malformed. */
static const void *decode(struct enrol *enrol, const struct enrol_method *row,
                          const struct enrol_entry *entry)
{
    arena_reset(&enrol->scratch);
    return row->is_raw
               ? (const void *)entry
               : wire_unpack(method_get(entry->method)->request, entry->body, &enrol->scratch);
}

/* ---- keys */

/* 1 and 2 of the specification's section 2. */
int enrol__key_check(struct slice key, uint64_t wall_ms, struct buf *text)
{
    struct uuid uuid;

    if (key.len != UUID_BYTES) {
        return ENROL_SAY(text, ERR_ARGUMENT, "the idempotency key is not 16 bytes");
    }
    memcpy(uuid.bytes, key.data, UUID_BYTES);
    uint64_t made_ms = uuid_unix_ms(&uuid);

    if (!uuid_is_v7(&uuid)) {
        return ENROL_SAY(text, ERR_ARGUMENT, "the idempotency key is not a UUID of version 7");
    }
    if (made_ms + (uint64_t)KEY_HOURS * HOUR_MS < wall_ms) {
        return ENROL_SAY(text, ERR_KEY_EXPIRED, "%s", error_text(ERR_KEY_EXPIRED));
    }
    if (made_ms > wall_ms + HOUR_MS) {
        return ENROL_SAY(text, ERR_ARGUMENT,
                         "the idempotency key is more than an hour ahead of the node's clock");
    }
    return OK;
}

uint64_t enrol__request_hash(uint32_t method, struct slice body)
{
    return hash_bytes_seeded(method, body.data, body.len);
}

/* ---- admit */

static uint64_t growth_of(const struct enrol *enrol, const struct enrol_method *row,
                          struct slice body)
{
    return row->growth(enrol, body) + ANSWER_BYTES;
}

int enrol__room_reserve(struct enrol *enrol, uint64_t growth, struct buf *text)
{
    if (!arena_has_room(&enrol->campus.arena,
                        enrol->reserved + growth + enrol->map_margin + MARGIN_BYTES)) {
        return ENROL_SAY(text, ERR_FULL,
                         "the node's memory for courses and students is used up");
    }
    enrol->reserved += growth;
    return OK;
}

int enrol__check(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text)
{
    const struct enrol_method *row = enrol__method(entry->method);

    if (row == NULL) {
        return ENROL_SAY(text, ERR_METHOD, "method %u changes nothing", entry->method);
    }
    int rc = enrol__key_check(entry->key, entry->wall_ms, text);

    if (rc != OK) {
        return rc;
    }
    /* An answered request is answered again by its entry, whatever has become of its names. */
    if (answers_find(&enrol->answers, entry->key) == NULL) {
        const void *request = decode(enrol, row, entry);

        if (request == NULL) {
            return ENROL_SAY(text, ERR_MALFORMED, "the request's body is malformed");
        }
        rc = row->check(enrol, request, text);
    }
    return rc;
}

int enrol_admit(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text)
{
    if (entry->method == ENROL_ENTRY_FACT) {
        return enrol__fact_admit(enrol, entry, text);
    }
    if (entry->method == ENROL_ENTRY_PREPARE) {
        return enrol__room_reserve(enrol, enrol__across_growth(entry->method, entry->body),
                                   text);
    }
    int rc = enrol__check(enrol, entry, text);

    return rc == OK
               ? enrol__room_reserve(
                     enrol, growth_of(enrol, enrol__method(entry->method), entry->body), text)
               : rc;
}

void enrol_forget_all(struct enrol *enrol)
{
    enrol->reserved = 0;
}

void enrol_forget(struct enrol *enrol, uint32_t method, struct slice body)
{
    const struct enrol_method *row = enrol__method(method);
    uint64_t growth =
        row != NULL ? growth_of(enrol, row, body) : enrol__across_growth(method, body);

    enrol->reserved -= growth < enrol->reserved ? growth : enrol->reserved;
}

/* ---- apply */

static uint64_t map_bytes(const struct map *map)
{
    return map->now.slots == NULL ? 0 : (map->now.mask + 1) * sizeof(struct map_slot);
}

/* Every table may double before this is looked at again. */
void enrol__margin_update(struct enrol *enrol)
{
    uint64_t bytes = map_bytes(&enrol->campus.word_map);

    for (uint32_t i = 0; i < CAMPUS_STUDENT_MAPS; i++) {
        bytes += map_bytes(&enrol->campus.student_maps[i]);
    }

    bytes += map_bytes(&enrol->across.hold_map) + map_bytes(&enrol->across.todo_map);
    bytes += map_bytes(&enrol->token_map) + map_bytes(&enrol->token_students);
    for (uint32_t i = 0; i < ANSWER_MAPS; i++) {
        bytes += map_bytes(&enrol->answers.maps[i]);
    }
    enrol->map_margin = 2 * bytes;
}

/* The answer that was stored, again. */
void enrol__answer_repeat(struct enrol *enrol, const struct enrol_answer *answer,
                          struct enrol_result *result)
{
    result->is_repeated = true;
    result->index = answer->index;
    result->student = answer->student;
    result->status = answer->status == 0 ? OK : error_from_wire(answer->status);
    int rc = enrol__answer_reply(enrol, answer, &result->reply);

    rc = rc == OK ? buf_append_slice(&result->text, answer_text(answer)) : rc;
    ASSERT(rc == OK); /* it fitted the first time */
}

int enrol__answer_reply(struct enrol *enrol, const struct enrol_answer *answer,
                        struct buf *reply)
{
    if (answer->change == 0) {
        return buf_append_slice(reply, answer_reply(answer)) == OK ? OK : ERR_NOSPACE_REPLY;
    }
    struct enrol_op op = {
        .section = answer->section, .change = answer->change, .place = answer->more.place};
    return enrol__submit_reply(
        enrol,
        &(struct enrol_verdict){
            .term = answer->term, .index = answer->index, .ops = &op, .op_count = 1},
        reply);
}

void enrol__answer_store(struct enrol_work *work, uint32_t method, uint64_t hash)
{
    const struct enrol_entry *entry = work->entry;
    const struct enrol_result *result = work->result;
    struct enrol_answer answer = {
        .request_hash = hash,
        .index = entry->index,
        .wall_ms = entry->wall_ms,
        .student = result->student,
        .term = (uint32_t)entry->term,
        .method = (uint8_t)method,
        .status = (uint8_t)-result->status,
        .change = (uint8_t)work->change,
        .section = work->section,
    };

    memcpy(answer.key, entry->key.data, ANSWER_KEY_BYTES);
    if (work->change != 0) {
        answer.more.place = work->place;
    } else {
        answer.more.blob = answer_blob_make(&work->enrol->answers, buf_slice(&result->reply),
                                            buf_slice(&result->text));
    }
    answers_add(&work->enrol->answers, &answer);
}

static void answers_expire(struct enrol *enrol, uint64_t wall_ms)
{
    for (uint32_t i = 0; i < EXPIRED_PER_ENTRY && answers_count(&enrol->answers) > 0; i++) {
        const struct enrol_answer *oldest = answers_at(&enrol->answers, enrol->answers.first);

        if (oldest->wall_ms + (uint64_t)ANSWER_HOURS * HOUR_MS >= wall_ms) {
            return;
        }
        enrol__save_oldest_answer(enrol);
        answers_remove_first(&enrol->answers);
    }
}

static int perform(struct enrol_work *work, const struct enrol_method *row)
{
    const void *request = decode(work->enrol, row, work->entry);

    return request == NULL ? ENROL_SAY(&work->result->text, ERR_MALFORMED,
                                       "the request's body is malformed")
                           : row->apply(work, request);
}

void enrol__apply_keyed(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_entry *entry = work->entry;
    struct enrol_result *result = work->result;
    uint64_t hash = enrol__request_hash(entry->method, entry->body);
    const struct enrol_answer *answer = answers_find(&enrol->answers, entry->key);

    if (answer != NULL && answer->request_hash == hash) {
        arena_reset(&enrol->scratch);
        enrol__answer_repeat(enrol, answer, result);
    } else if (answer != NULL) {
        result->status =
            ENROL_SAY(&result->text, ERR_KEY_REUSED, "%s", error_text(ERR_KEY_REUSED));
    } else {
        result->status = perform(work, enrol__method(entry->method));
        ASSERT(enrol->queue_count == 0);
        if (result->status != ERR_BUSY) { /* that is no answer: the same key is asked again */
            enrol__answer_store(work, entry->method, hash);
        }
    }
}

static void apply_method(struct enrol_work *work)
{
    const struct enrol_entry *entry = work->entry;
    struct enrol_result *result = work->result;

    if (enrol__method(entry->method) == NULL) {
        result->status =
            ENROL_SAY(&result->text, ERR_METHOD, "method %u changes nothing", entry->method);
        return;
    }
    enrol_forget(work->enrol, entry->method, entry->body);
    result->status = enrol__key_check(entry->key, entry->wall_ms, &result->text);
    if (result->status == OK) {
        enrol__apply_keyed(work);
    }
}

void enrol_apply(struct enrol *enrol, const struct enrol_entry *entry,
                 struct enrol_result *ret_result)
{
    struct enrol_work work = {
        .enrol = enrol, .entry = entry, .result = ret_result, .asked_ms = entry->wall_ms};

    ASSERT(entry->index > enrol->index);
    result_clear(ret_result);
    ret_result->index = entry->index;
    answers_expire(enrol, entry->wall_ms);
    if (entry->method == CARILLON__METHOD__METHOD_NONE) {
        enrol__offers_expire(&work);
        enrol__queue_all(enrol);
        arena_reset(&enrol->scratch);
        (void)enrol__queue_work(&work);
    } else if (enrol__across_growth(entry->method, entry->body) > 0) {
        enrol__across_apply(&work);
    } else {
        apply_method(&work);
    }
    enrol->index = entry->index;
    enrol->term = entry->term;
    enrol->wall_ms = entry->wall_ms;
    if (entry->index % MARGIN_EVERY == 0) {
        enrol__margin_update(enrol);
    }
}

uint64_t enrol_index(const struct enrol *enrol)
{
    return enrol->index;
}

const struct campus *enrol_campus(const struct enrol *enrol)
{
    return &enrol->campus;
}

struct arena *enrol_arena(struct enrol *enrol)
{
    return &enrol->campus.arena;
}

bool enrol_open_import(const struct enrol *enrol, size_t n, struct uuid *ret_id)
{
    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        const struct campus_import *import = enrol->campus.imports[slot];

        if (import != NULL && !enrol__is_prepared(enrol, &import->id) && n-- == 0) {
            *ret_id = import->id;
            return true;
        }
    }
    return false;
}

void enrol_count(const struct enrol *enrol, struct enrol_counters *ret_counters)
{
    const struct campus *campus = &enrol->campus;

    *ret_counters = (struct enrol_counters){
        .courses = campus->course_count,
        .sections = campus->section_count,
        .students = campus->student_count,
        .registrations = campus->registration_count - campus->registrations_away,
        .waiting = campus->waiting_count - campus->waiting_away,
        .answers = answers_count(&enrol->answers),
        .bytes = campus->arena.used,
        .reserved = enrol->reserved,
        .bytes_max = campus->arena.budget,
        .student_bytes =
            campus->students.count == 0 ? 0 : campus->student_bytes / campus->students.count,
        .course_bytes =
            campus->courses.count == 0 ? 0 : campus->course_bytes / campus->courses.count,
    };
}
