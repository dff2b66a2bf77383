/* Imports: section 7 of docs/spec/registration.md, from BEGIN to COMMIT. */
#include <stdlib.h>

#include "tests/lib/model_private.h"

#define IMPORT(name) CARILLON__IMPORT_KIND__IMPORT_##name

void model__import_free(struct model_import *import)
{
    for (uint32_t i = 0; i < import->chunk_count; i++) {
        carillon__import_chunk_request__free_unpacked(import->chunks[i], NULL);
    }
    free(import->chunks);
}

static void import_end(struct model *model, int at)
{
    model__import_free(&model->imports.items[at]);
    MODEL_REMOVE(model->imports, at);
}

/* The open import with this id, or MODEL_NONE. */
static int import_find(const struct model *model, ProtobufCBinaryData id)
{
    for (int i = 0; i < model->imports.count; i++) {
        if (id.len == UUID_BYTES &&
            memcmp(model->imports.items[i].id, id.data, UUID_BYTES) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

static bool is_import_id(ProtobufCBinaryData id)
{
    struct uuid uuid;

    if (id.len != UUID_BYTES) {
        return false;
    }
    memcpy(uuid.bytes, id.data, UUID_BYTES);
    return uuid_is_v7(&uuid);
}

static int import_begin(struct model *model, const Carillon__ImportBeginRequest *request,
                        struct model_answer *answer)
{
    Carillon__ImportBeginReply reply = CARILLON__IMPORT_BEGIN_REPLY__INIT;
    struct model_import *import;

    if ((request->kind != IMPORT(COURSES) && request->kind != IMPORT(STUDENTS)) ||
        !is_import_id(request->import_id) || request->institution[0] == '\0' ||
        (request->kind == IMPORT(COURSES) && request->term[0] == '\0')) {
        return ERR_ARGUMENT;
    }
    reply.import_id = request->import_id;
    if (import_find(model, request->import_id) == MODEL_NONE) {
        for (int i = model->imports.count - 1; i >= 0; i--) {
            import = &model->imports.items[i];
            if (import->kind == request->kind &&
                strcmp(import->institution, request->institution) == 0 &&
                strcmp(import->term, request->term) == 0) {
                import_end(model, i);
            }
        }
        import = MODEL_PUSH(model->imports);
        memcpy(import->id, request->import_id.data, UUID_BYTES);
        import->kind = request->kind;
        model__text_set(import->institution, MODEL_TEXT_MAX, request->institution);
        model__text_set(import->term, MODEL_TEXT_MAX, request->term);
    }
    model__reply(answer, &reply.base);
    return OK;
}

int model__import_begin(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__ImportBeginRequest *request =
        carillon__import_begin_request__unpack(NULL, body.len, body.data);
    int status = ERR_MALFORMED;

    if (request != NULL) {
        status = import_begin(model, request, answer);
        carillon__import_begin_request__free_unpacked(request, NULL);
    }
    return status;
}

/* How often a course or student of this name is staged in @chunk. */
static int staged_count(const Carillon__ImportChunkRequest *chunk, const char *name)
{
    int count = 0;

    for (size_t i = 0; i < chunk->n_courses; i++) {
        count += strcmp(chunk->courses[i]->code, name) == 0;
    }
    for (size_t i = 0; i < chunk->n_students; i++) {
        count += strcmp(chunk->students[i]->token, name) == 0;
    }
    return count;
}

static int name_check(const struct model_import *import,
                      const Carillon__ImportChunkRequest *chunk, const char *name)
{
    int count = staged_count(chunk, name);

    for (uint32_t i = 0; i < import->chunk_count; i++) {
        count += staged_count(import->chunks[i], name);
    }
    return count > 1 ? ERR_EXISTS : OK;
}

/* Whether every record has a shape that may be staged in this import; asked of every chunk. */
static bool is_chunk_valid(const struct model_import *import,
                           const Carillon__ImportChunkRequest *chunk)
{
    if ((import->kind == IMPORT(COURSES) ? chunk->n_students : chunk->n_courses) > 0) {
        return false;
    }
    for (size_t i = 0; i < chunk->n_courses; i++) {
        if (!model__is_course_valid(import, chunk->courses[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < chunk->n_students; i++) {
        if (!model__is_student_valid(import, chunk->students[i])) {
            return false;
        }
    }
    return true;
}

/* Whether no name is staged twice and no token is another institution's. */
static bool is_chunk_new(const struct model *model, const struct model_import *import,
                         const Carillon__ImportChunkRequest *chunk)
{
    for (size_t i = 0; i < chunk->n_courses; i++) {
        if (name_check(import, chunk, chunk->courses[i]->code) != OK) {
            return false;
        }
    }
    for (size_t i = 0; i < chunk->n_students; i++) {
        const char *token = chunk->students[i]->token;
        int known = model_student_find(model, token);

        if (name_check(import, chunk, token) != OK ||
            (known != MODEL_NONE &&
             strcmp(model->students.items[known].institution, import->institution) != 0)) {
            return false;
        }
    }
    return true;
}

/* Stage a chunk. Returns whether the import keeps it in @status OK; an earlier one is only
 * acknowledged. */
static int import_chunk(struct model *model, Carillon__ImportChunkRequest *chunk,
                        struct model_answer *answer, bool *ret_is_kept)
{
    Carillon__ImportChunkReply reply = CARILLON__IMPORT_CHUNK_REPLY__INIT;
    int at = import_find(model, chunk->import_id);
    struct model_import *import;

    if (at == MODEL_NONE) {
        return ERR_UNKNOWN_IMPORT;
    }
    import = &model->imports.items[at];
    if (chunk->sequence > import->chunk_count || !is_chunk_valid(import, chunk)) {
        return ERR_ARGUMENT;
    }
    if (chunk->sequence == import->chunk_count) {
        if (!is_chunk_new(model, import, chunk)) {
            return ERR_EXISTS;
        }
        import->chunks =
            realloc(import->chunks, (import->chunk_count + 1) * sizeof *import->chunks);
        ASSERT(import->chunks != NULL);
        import->chunks[import->chunk_count++] = chunk;
        *ret_is_kept = true;
    }
    reply.next_sequence = import->chunk_count;
    model__reply(answer, &reply.base);
    return OK;
}

int model__import_chunk(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__ImportChunkRequest *chunk =
        carillon__import_chunk_request__unpack(NULL, body.len, body.data);
    bool is_kept = false;
    int status = ERR_MALFORMED;

    if (chunk != NULL) {
        status = import_chunk(model, chunk, answer, &is_kept);
        if (!is_kept) {
            carillon__import_chunk_request__free_unpacked(chunk, NULL);
        }
    }
    return status;
}

/* The course or student that an import calls @name, when it is offered. */
static int offered_find(const struct model *model, const struct model_import *import,
                        const char *name)
{
    int at;

    if (import->kind == IMPORT(COURSES)) {
        at = model_course_find(model, import->institution, import->term, name);
        return at != MODEL_NONE && model->courses.items[at].presence == MODEL_OFFERED
                   ? at
                   : MODEL_NONE;
    }
    at = model_student_find(model, name);
    return at != MODEL_NONE && model->students.items[at].presence == MODEL_OFFERED &&
                   strcmp(model->students.items[at].institution, import->institution) == 0
               ? at
               : MODEL_NONE;
}

static uint32_t offered_count(const struct model *model, const struct model_import *import)
{
    uint32_t count = 0;

    if (import->kind == IMPORT(STUDENTS)) {
        for (int i = 0; i < model->students.count; i++) {
            const struct model_student *student = &model->students.items[i];

            count += student->presence == MODEL_OFFERED &&
                     strcmp(student->institution, import->institution) == 0;
        }
        return count;
    }
    for (int i = 0; i < model->courses.count; i++) {
        const struct model_course *course = &model->courses.items[i];

        count += course->presence == MODEL_OFFERED &&
                 strcmp(course->institution, import->institution) == 0 &&
                 strcmp(course->term, import->term) == 0;
    }
    return count;
}

static uint32_t removed_count(const struct model *model, const struct model_import *import)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < import->chunk_count; i++) {
        for (size_t j = 0; j < import->chunks[i]->n_removed; j++) {
            count += offered_find(model, import, import->chunks[i]->removed[j]) != MODEL_NONE;
        }
    }
    return count;
}

static void staged_publish(struct model *model, const Carillon__ImportChunkRequest *chunk,
                           Carillon__ImportCommitReply *reply)
{
    for (size_t i = 0; i < chunk->n_courses; i++) {
        bool is_added = model__course_publish(model, chunk->courses[i]);

        reply->added += is_added;
        reply->changed += !is_added;
    }
    for (size_t i = 0; i < chunk->n_students; i++) {
        bool is_added = model__student_publish(model, chunk->students[i]);

        reply->added += is_added;
        reply->changed += !is_added;
    }
}

static void removed_take(struct model *model, const struct model_import *import,
                         const Carillon__ImportChunkRequest *chunk,
                         Carillon__ImportCommitReply *reply)
{
    for (size_t i = 0; i < chunk->n_removed; i++) {
        int at = offered_find(model, import, chunk->removed[i]);
        enum model_presence left;

        if (at == MODEL_NONE) {
            continue;
        }
        left = import->kind == IMPORT(COURSES) ? model__course_remove(model, at)
                                               : model__student_remove(model, at);
        reply->removed += left == MODEL_ABSENT;
        reply->withdrawn += left == MODEL_WITHDRAWN;
    }
}

static void offer_add(struct model *model, const struct model_import *import)
{
    struct model_offer *offer;

    if (import->kind != IMPORT(COURSES) ||
        model_offer_find(model, import->institution, import->term) != MODEL_NONE) {
        return;
    }
    offer = MODEL_PUSH(model->offers);
    model__text_set(offer->institution, MODEL_TEXT_MAX, import->institution);
    model__text_set(offer->term, MODEL_TEXT_MAX, import->term);
    offer->courses_max = 5;
    offer->waitlist_max = 500;
}

static int import_commit(struct model *model, const Carillon__ImportCommitRequest *request,
                         struct model_answer *answer)
{
    Carillon__ImportCommitReply reply = CARILLON__IMPORT_COMMIT_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    int at = import_find(model, request->import_id);
    struct model_import *import;

    if (at == MODEL_NONE) {
        return ERR_UNKNOWN_IMPORT;
    }
    import = &model->imports.items[at];
    if (request->chunks != import->chunk_count) {
        return ERR_ARGUMENT;
    }
    if (2 * removed_count(model, import) > offered_count(model, import) && !request->force) {
        return ERR_SHRINK;
    }
    offer_add(model, import);
    for (uint32_t i = 0; i < import->chunk_count; i++) {
        removed_take(model, import, import->chunks[i], &reply);
    }
    for (uint32_t i = 0; i < import->chunk_count; i++) {
        staged_publish(model, import->chunks[i], &reply);
    }
    reply.total = offered_count(model, import);
    import_end(model, at);
    model__queue_all(model);
    model__queue_run(model, MODEL_NONE);
    reply.receipt = &receipt;
    model__reply(answer, &reply.base);
    return OK;
}

int model__import_commit(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__ImportCommitRequest *request =
        carillon__import_commit_request__unpack(NULL, body.len, body.data);
    int status = ERR_MALFORMED;

    if (request != NULL) {
        status = import_commit(model, request, answer);
        carillon__import_commit_request__free_unpacked(request, NULL);
    }
    return status;
}

int model__import_abort(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__ImportAbortReply reply = CARILLON__IMPORT_ABORT_REPLY__INIT;
    Carillon__ImportAbortRequest *request =
        carillon__import_abort_request__unpack(NULL, body.len, body.data);
    int at;

    if (request == NULL) {
        return ERR_MALFORMED;
    }
    at = import_find(model, request->import_id);
    if (at != MODEL_NONE) {
        import_end(model, at);
    }
    reply.existed = at != MODEL_NONE;
    model__reply(answer, &reply.base);
    carillon__import_abort_request__free_unpacked(request, NULL);
    return OK;
}
