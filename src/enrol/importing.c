/* The methods of an import: begin, chunk, commit, abort. */
#include "base/assert.h"
#include "campus/document.h"
#include "campus/import.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "campus/text.h"
#include "enrol/enrol_private.h"
#include "wire/message.h"

static void on_document(void *context, enum campus_document_event event, uint32_t document)
{
    struct enrol_work *work = context;
    struct enrol_effect effect = {.kind = event, .document = document};
    int rc = buf_append(&work->result->effects, &effect, sizeof effect);

    ASSERT(rc == OK); /* the bound is that of documents */
}

_Static_assert((int)ENROL_DOCUMENT_STAGED == (int)CAMPUS_DOCUMENT_STAGED &&
                   (int)ENROL_DOCUMENT_PUBLISHED == (int)CAMPUS_DOCUMENT_PUBLISHED &&
                   (int)ENROL_DOCUMENT_REMOVED == (int)CAMPUS_DOCUMENT_REMOVED,
               "campus tells, enrol passes on");

static struct campus_sink sink_of(struct enrol_work *work)
{
    return (struct campus_sink){.on_document = on_document, .context = work};
}

static int find_import(const struct enrol *enrol, ProtobufCBinaryData id,
                       struct campus_import **ret_import, struct buf *text)
{
    struct uuid uuid;

    if (id.len != UUID_BYTES) {
        return ENROL_SAY(text, ERR_ARGUMENT, "an import id has 16 bytes");
    }
    memcpy(uuid.bytes, id.data, UUID_BYTES);
    *ret_import = campus_import_find(&enrol->campus, &uuid);
    return *ret_import != NULL
               ? OK
               : ENROL_SAY(text, ERR_UNKNOWN_IMPORT, "%s", error_text(ERR_UNKNOWN_IMPORT));
}

/* ---- begin */

static int begin_check(const Carillon__ImportBeginRequest *request, struct buf *text)
{
    bool is_courses = request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    struct uuid id;

    if (!is_courses && request->kind != CARILLON__IMPORT_KIND__IMPORT_STUDENTS) {
        return ENROL_SAY(text, ERR_ARGUMENT, "an import is of courses or of students");
    }
    if (!text_is_name(request->institution, CAMPUS_INSTITUTION_BYTES_MAX)) {
        return ENROL_SAY(text, ERR_ARGUMENT,
                         "the institution is empty, too long or not plain text");
    }
    if (is_courses && !text_is_name(request->term, CAMPUS_TERM_BYTES_MAX)) {
        return ENROL_SAY(text, ERR_ARGUMENT, "the term is empty, too long or not plain text");
    }
    if (request->import_id.len != UUID_BYTES) {
        return ENROL_SAY(text, ERR_ARGUMENT, "an import id has 16 bytes");
    }
    memcpy(id.bytes, request->import_id.data, UUID_BYTES);
    if (!uuid_is_v7(&id)) {
        return ENROL_SAY(text, ERR_ARGUMENT, "an import id is a UUID of version 7");
    }
    return OK;
}

/* A newer import drops an open one of the same, unless that is being committed in all shards.
 */
static int is_free(const struct enrol *enrol, uint32_t catalogue, const struct uuid *id,
                   struct buf *text)
{
    uint32_t slot = catalogue == CAMPUS_NONE
                        ? CAMPUS_NONE
                        : campus_catalogue(&enrol->campus, catalogue)->import;
    const struct campus_import *import =
        slot == CAMPUS_NONE ? NULL : enrol->campus.imports[slot];

    return import == NULL || memcmp(&import->id, id, sizeof *id) == 0 ||
                   !enrol__is_prepared(enrol, &import->id)
               ? OK
               : ENROL_SAY(text, ERR_BUSY, "another import of the same is being committed");
}

int enrol__begin_check(struct enrol *enrol, const void *body, struct buf *text)
{
    const Carillon__ImportBeginRequest *request = body;
    struct slice institution = slice_from_text(request->institution);
    int rc = begin_check(request, text);
    struct uuid id;

    if (rc != OK) {
        return rc;
    }
    memcpy(id.bytes, request->import_id.data, UUID_BYTES);
    return is_free(
        enrol,
        request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES
            ? campus_catalogue_find(&enrol->campus, institution, slice_from_text(request->term))
            : campus_body_find(&enrol->campus, institution),
        &id, text);
}

int enrol__begin_apply(struct enrol_work *work, const void *body)
{
    const Carillon__ImportBeginRequest *request = body;
    struct campus *campus = &work->enrol->campus;
    struct campus_sink sink = sink_of(work);
    Carillon__ImportBeginReply reply = CARILLON__IMPORT_BEGIN_REPLY__INIT;
    int rc = begin_check(request, &work->result->text);
    struct uuid id;

    if (rc != OK) {
        return rc;
    }
    memcpy(id.bytes, request->import_id.data, UUID_BYTES);
    if (campus_import_find(campus, &id) == NULL) {
        struct slice institution = slice_from_text(request->institution);
        uint32_t catalogue =
            request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES
                ? campus_catalogue_intern(campus, institution, slice_from_text(request->term))
                : campus_body_intern(campus, institution);

        rc = is_free(work->enrol, catalogue, &id, &work->result->text);
        if (rc != OK) {
            return rc;
        }
        rc = campus_import_open(campus, request->kind, catalogue, &id, &sink);
    }
    if (rc != OK) {
        return ENROL_SAY(&work->result->text, ERR_BUSY, "%d imports are open already",
                         CAMPUS_IMPORTS_MAX);
    }
    reply.import_id = request->import_id;
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- chunk */

static int course_check(const struct enrol *enrol, const struct campus_import *import,
                        const Carillon__Course *course, struct buf *text)
{
    const struct campus_catalogue *of = campus_catalogue(&enrol->campus, import->catalogue);

    if ((course->institution[0] != '\0' &&
         !slice_is_equal(slice_from_text(course->institution),
                         campus_word(&enrol->campus, of->institution)->text)) ||
        (course->term[0] != '\0' &&
         !slice_is_equal(slice_from_text(course->term),
                         campus_word(&enrol->campus, of->term)->text))) {
        return ENROL_SAY(text, ERR_ARGUMENT,
                         "course \"%s\" is of another institution or term than the import",
                         text_or_mark(course->code, CAMPUS_CODE_BYTES_MAX));
    }
    if (!campus_is_own(&enrol->campus, slice_from_text(course->code))) {
        return ENROL_SAY(text, ERR_ARGUMENT, "course \"%s\" is another shard's",
                         text_or_mark(course->code, CAMPUS_CODE_BYTES_MAX));
    }
    return campus_course_check(course, text);
}

static int student_check(const struct enrol *enrol, const struct campus_import *import,
                         const Carillon__Student *student, struct buf *text)
{
    const struct campus_catalogue *of = campus_catalogue(&enrol->campus, import->catalogue);

    if (student->institution[0] != '\0' &&
        !slice_is_equal(slice_from_text(student->institution),
                        campus_word(&enrol->campus, of->institution)->text)) {
        return ENROL_SAY(text, ERR_ARGUMENT,
                         "student \"%.64s\" is of another institution than the import",
                         student->token);
    }
    if (!campus_is_own(&enrol->campus, slice_from_text(student->token))) {
        return ENROL_SAY(text, ERR_ARGUMENT, "student \"%.64s\" is another shard's",
                         student->token);
    }
    return campus_student_check(student, text);
}

/* Everything but what depends on the order of entries: whether a record is staged already. */
static int chunk_check(const struct enrol *enrol, const Carillon__ImportChunkRequest *request,
                       struct campus_import **ret_import, struct buf *text)
{
    int rc = find_import(enrol, request->import_id, ret_import, text);

    if (rc != OK) {
        return rc;
    }
    bool is_courses = (*ret_import)->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;

    if ((is_courses ? request->n_students : request->n_courses) > 0) {
        return ENROL_SAY(text, ERR_ARGUMENT, "courses and students do not mix in an import");
    }
    for (size_t i = 0; rc == OK && i < request->n_courses; i++) {
        rc = course_check(enrol, *ret_import, request->courses[i], text);
    }
    for (size_t i = 0; rc == OK && i < request->n_students; i++) {
        rc = student_check(enrol, *ret_import, request->students[i], text);
    }
    return rc;
}

int enrol__chunk_check(struct enrol *enrol, const void *request, struct buf *text)
{
    struct campus_import *import = NULL;

    return chunk_check(enrol, request, &import, text);
}

static int stage_course(struct enrol_work *work, struct campus_import *import,
                        Carillon__Course *course, const struct campus_sink *sink)
{
    struct campus *campus = &work->enrol->campus;
    const struct campus_catalogue *of = campus_catalogue(campus, import->catalogue);

    /* What is stored says where it belongs, whether the file did or not. */
    course->institution = enrol__text(work->enrol, campus_word(campus, of->institution)->text);
    course->term = enrol__text(work->enrol, campus_word(campus, of->term)->text);
    int rc = campus_import_course(campus, import, course, sink);

    return rc == OK ? OK
                    : ENROL_SAY(&work->result->text, rc, "course \"%.128s\" is there twice",
                                course->code);
}

static int stage_student(struct enrol_work *work, struct campus_import *import,
                         const Carillon__Student *student)
{
    int rc = campus_import_student(&work->enrol->campus, import, student);

    return rc == OK ? OK
                    : ENROL_SAY(&work->result->text, rc,
                                "student \"%.64s\" is there twice, or of another institution",
                                student->token);
}

static int stage(struct enrol_work *work, struct campus_import *import,
                 const Carillon__ImportChunkRequest *request)
{
    struct campus_sink sink = sink_of(work);
    uint32_t items = import->items.count;
    uint32_t removed = import->removed_count;
    int rc = OK;

    for (size_t i = 0; rc == OK && i < request->n_courses; i++) {
        rc = stage_course(work, import, request->courses[i], &sink);
    }
    for (size_t i = 0; rc == OK && i < request->n_students; i++) {
        rc = stage_student(work, import, request->students[i]);
    }
    for (size_t i = 0; rc == OK && i < request->n_removed; i++) {
        campus_import_removed(&work->enrol->campus, import,
                              slice_from_text(request->removed[i]));
    }
    if (rc != OK) {
        campus_import_undo(&work->enrol->campus, import, items, removed, &sink);
    }
    return rc;
}

int enrol__chunk_apply(struct enrol_work *work, const void *body)
{
    const Carillon__ImportChunkRequest *request = body;
    Carillon__ImportChunkReply reply = CARILLON__IMPORT_CHUNK_REPLY__INIT;
    struct campus_import *import = NULL;
    int rc = chunk_check(work->enrol, request, &import, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    if (request->sequence == import->next_sequence &&
        enrol__is_prepared(work->enrol, &import->id)) {
        return ENROL_SAY(&work->result->text, ERR_ARGUMENT, "the import is being committed");
    }
    if (request->sequence > import->next_sequence) {
        return ENROL_SAY(&work->result->text, ERR_ARGUMENT, "chunk %u came, %u is next",
                         request->sequence, import->next_sequence);
    }
    if (request->sequence == import->next_sequence) {
        rc = stage(work, import, request);
        if (rc != OK) {
            return rc;
        }
        import->next_sequence++;
    }
    reply.next_sequence = import->next_sequence;
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- commit and abort */

int enrol__commit_check(struct enrol *enrol, const void *body, struct buf *text)
{
    const Carillon__ImportCommitRequest *request = body;
    struct campus_import *import = NULL;

    return find_import(enrol, request->import_id, &import, text);
}

/* Over all shards nothing is judged here: that was done over the whole, and this shard has
 * promised to take part. Returns: whether it has, under this key. */
static bool has_promised(const struct enrol_work *work, const struct campus_import *import)
{
    const struct enrol_prepared *prepared = enrol__prepared_find(work->enrol, &import->id);

    return prepared != NULL &&
           memcmp(prepared->key.bytes, work->entry->key.data, UUID_BYTES) == 0;
}

static int judge_commit(const struct enrol_work *work,
                        const Carillon__ImportCommitRequest *request,
                        const struct campus_import *import, struct buf *text)
{
    const struct campus *campus = &work->enrol->campus;

    if (work->fact != NULL) {
        return has_promised(work, import)
                   ? OK
                   : ENROL_SAY(text, ERR_UNKNOWN_IMPORT, "%s", error_text(ERR_UNKNOWN_IMPORT));
    }
    if (enrol__is_prepared(work->enrol, &import->id)) {
        return ENROL_SAY(text, ERR_BUSY, "the import is being committed");
    }
    if (request->chunks != import->next_sequence) {
        return ENROL_SAY(text, ERR_ARGUMENT, "%u chunks were sent, %u arrived", request->chunks,
                         import->next_sequence);
    }
    if (!request->force && campus_import_shrinks(campus, import)) {
        return ENROL_SAY(text, ERR_SHRINK, "%u of %u would be removed", import->removed_count,
                         campus_catalogue(campus, import->catalogue)->offered);
    }
    return OK;
}

int enrol__commit_apply(struct enrol_work *work, const void *body)
{
    const Carillon__ImportCommitRequest *request = body;
    struct campus *campus = &work->enrol->campus;
    struct campus_sink sink = sink_of(work);
    struct campus_commit commit = {work->entry->index, work->entry->wall_ms};
    Carillon__ImportCommitReply reply = CARILLON__IMPORT_COMMIT_REPLY__INIT;
    struct campus_import *import = NULL;
    struct campus_import_totals totals;
    int rc = find_import(work->enrol, request->import_id, &import, &work->result->text);

    rc = rc == OK ? judge_commit(work, request, import, &work->result->text) : rc;
    if (rc != OK) {
        return rc;
    }
    enrol__prepared_end(work->enrol, &import->id);
    campus_import_commit(campus, import, &commit, &sink, &totals);
    enrol__queue_all(work->enrol);
    (void)enrol__queue_work(work);
    reply.added = totals.added;
    reply.changed = totals.changed;
    reply.removed = totals.removed;
    reply.withdrawn = totals.withdrawn;
    reply.total = totals.total;
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* An import that is not there is aborted already. */
int enrol__abort_check(struct enrol *enrol, const void *body, struct buf *text)
{
    const Carillon__ImportAbortRequest *request = body;
    struct uuid id;

    if (request->import_id.len != UUID_BYTES) {
        return ENROL_SAY(text, ERR_ARGUMENT, "an import id has 16 bytes");
    }
    memcpy(id.bytes, request->import_id.data, UUID_BYTES);
    return enrol__is_prepared(enrol, &id)
               ? ENROL_SAY(text, ERR_BUSY, "the import is being committed")
               : OK;
}

int enrol__abort_apply(struct enrol_work *work, const void *body)
{
    const Carillon__ImportAbortRequest *request = body;
    struct campus_sink sink = sink_of(work);
    Carillon__ImportAbortReply reply = CARILLON__IMPORT_ABORT_REPLY__INIT;
    struct campus_import *import = NULL;
    int rc = find_import(work->enrol, request->import_id, &import, &work->result->text);

    if (rc == OK && work->fact == NULL && enrol__is_prepared(work->enrol, &import->id)) {
        return ENROL_SAY(&work->result->text, ERR_BUSY, "the import is being committed");
    }
    if (rc == OK) {
        enrol__prepared_end(work->enrol, &import->id);
        campus_import_drop(&work->enrol->campus, import, &sink);
        reply.existed = true;
    } else if (rc == ERR_UNKNOWN_IMPORT) {
        buf_clear(&work->result->text);
    } else {
        return rc;
    }
    return enrol__pack(&reply.base, &work->result->reply);
}
