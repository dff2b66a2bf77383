/* An import over several shards: what each gets, what it says, and what becomes of the whole.
 */
#include "enrol/staging.h"

#include "base/assert.h"
#include "campus/shard.h"
#include "enrol/enrol_private.h"
#include "wire/field.h"
#include "wire/field_append.h"
#include "wire/pack.h"

/* Numbers of fields, as in proto/registrar.proto and proto/catalogue.proto. */
enum {
    CHUNK_COURSES = 3,
    CHUNK_STUDENTS = 4,
    CHUNK_REMOVED = 5,
    COURSE_CODE = 3,
    STUDENT_TOKEN = 2,
    BEGIN_ID = 4,
    COMMIT_ID = 1,
    COMMIT_CHUNKS = 2,
    COMMIT_FORCE = 3,
};

/* ---- chunks */

/* A text of the packed message, like the key of a record. Returns: false when that is none. */
static bool bytes_find(struct slice message, uint32_t number, struct slice *ret_bytes)
{
    struct field_reader in = field_reader_from(message);
    struct field field;

    *ret_bytes = SLICE_NONE;
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return false;
        }
        if (field.number == number && field.type == FIELD_BYTES) {
            *ret_bytes = field.bytes;
        }
    }
    return true;
}

int enrol_chunk_split(struct slice body, uint32_t shards, uint32_t shard, struct buf *out)
{
    struct field_reader in = field_reader_from(body);
    struct field field;
    int rc = OK;

    while (rc == OK && !field_reader_is_done(&in)) {
        const uint8_t *from = in.at;
        struct slice key = SLICE_NONE;

        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        bool is_record = field.type == FIELD_BYTES && field.number >= CHUNK_COURSES &&
                         field.number <= CHUNK_REMOVED;

        if (is_record && field.number == CHUNK_REMOVED) {
            key = field.bytes;
        } else if (is_record &&
                   !bytes_find(field.bytes,
                               field.number == CHUNK_COURSES ? COURSE_CODE : STUDENT_TOKEN,
                               &key)) {
            return ERR_MALFORMED;
        }
        if (!is_record || campus_shard_of(key, shards) == shard) {
            rc = buf_append(out, from, (size_t)(in.at - from));
        }
    }
    return rc;
}

/* ---- questions */

struct question {
    struct uuid key;
    struct uuid id;
    uint32_t chunks;
};

struct commit {
    struct slice id;
    uint32_t chunks;
    bool force;
};

static int commit_read(struct slice body, struct commit *ret_commit)
{
    struct field_reader in = field_reader_from(body);
    struct field field;

    *ret_commit = (struct commit){.id = SLICE_NONE};
    while (!field_reader_is_done(&in)) {
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number == COMMIT_ID && field.type == FIELD_BYTES) {
            ret_commit->id = field.bytes;
        } else if (field.number == COMMIT_CHUNKS && field.type == FIELD_VARINT) {
            ret_commit->chunks = (uint32_t)field.value;
        } else if (field.number == COMMIT_FORCE && field.type == FIELD_VARINT) {
            ret_commit->force = field.value != 0;
        }
    }
    return OK;
}

static int question_pack(struct slice key, struct slice id, uint32_t chunks, struct buf *out)
{
    if (id.len != UUID_BYTES || key.len != UUID_BYTES) {
        return ERR_ARGUMENT;
    }
    int rc = pack_bytes(out, key);

    rc = rc == OK ? pack_bytes(out, id) : rc;
    return rc == OK ? pack_u64(out, chunks) : rc;
}

int enrol_begin_ask(struct slice key, struct slice body, struct buf *out)
{
    struct slice id;

    return bytes_find(body, BEGIN_ID, &id) ? question_pack(key, id, 0, out) : ERR_MALFORMED;
}

int enrol_staging_ask(struct slice key, struct slice body, struct buf *out)
{
    struct commit commit;
    int rc = commit_read(body, &commit);

    return rc == OK ? question_pack(key, commit.id, commit.chunks, out) : rc;
}

static bool question_read(struct slice body, struct question *question)
{
    struct unpack in = unpack_from(body);
    struct slice key = unpack_bytes(&in);
    struct slice id = unpack_bytes(&in);

    question->chunks = (uint32_t)unpack_u64_max(&in, UINT32_MAX);
    if (!unpack_is_done(&in) || key.len != UUID_BYTES || id.len != UUID_BYTES) {
        return false;
    }
    memcpy(question->key.bytes, key.data, UUID_BYTES);
    memcpy(question->id.bytes, id.data, UUID_BYTES);
    return true;
}

/* ---- what a shard has */

const struct enrol_prepared *enrol__prepared_find(const struct enrol *enrol,
                                                  const struct uuid *id)
{
    for (uint32_t i = 0; i < enrol->prepared_count; i++) {
        if (memcmp(&enrol->prepared[i].id, id, sizeof *id) == 0) {
            return &enrol->prepared[i];
        }
    }
    return NULL;
}

void enrol__prepared_end(struct enrol *enrol, const struct uuid *id)
{
    const struct enrol_prepared *prepared = enrol__prepared_find(enrol, id);

    if (prepared != NULL) { /* the order of the others stays */
        uint32_t at = (uint32_t)(prepared - enrol->prepared);

        memmove(&enrol->prepared[at], &enrol->prepared[at + 1],
                (enrol->prepared_count - at - 1) * sizeof enrol->prepared[0]);
        enrol->prepared_count--;
    }
}

bool enrol_prepared_import(const struct enrol *enrol, size_t n, struct uuid *ret_id,
                           uint64_t *ret_since_ms)
{
    if (n >= enrol->prepared_count) {
        return false;
    }
    *ret_id = enrol->prepared[n].id;
    *ret_since_ms = enrol->prepared[n].since_ms;
    return true;
}

static struct enrol_staging staging_of(struct enrol *enrol, const struct question *question)
{
    const struct campus_import *import = campus_import_find(&enrol->campus, &question->id);
    const struct enrol_prepared *prepared = enrol__prepared_find(enrol, &question->id);
    struct enrol_staging part = {
        .is_answered =
            answers_find(&enrol->answers, slice_from(question->key.bytes, UUID_BYTES)) != NULL,
        .is_known = import != NULL,
    };

    if (import != NULL) {
        part.chunks = import->next_sequence;
        part.removed = import->removed_count;
        part.offered = campus_catalogue(&enrol->campus, import->catalogue)->offered;
    }
    if (prepared != NULL) {
        part.is_prepared = memcmp(&prepared->key, &question->key, sizeof question->key) == 0;
        part.is_other = !part.is_prepared;
    }
    return part;
}

static int staging_pack(const struct enrol_staging *part, struct buf *out)
{
    uint64_t flags = (part->is_answered ? 1U : 0U) | (part->is_known ? 2U : 0U) |
                     (part->is_prepared ? 4U : 0U) | (part->is_other ? 8U : 0U);
    int rc = pack_u64(out, flags);

    rc = rc == OK ? pack_u64(out, part->chunks) : rc;
    rc = rc == OK ? pack_u64(out, part->removed) : rc;
    rc = rc == OK ? pack_u64(out, part->offered) : rc;
    return rc == OK ? OK : ERR_NOSPACE_REPLY;
}

int enrol_staging_unpack(struct slice reply, struct enrol_staging *ret_part)
{
    struct unpack in = unpack_from(reply);
    uint64_t flags = unpack_u64_max(&in, 15);

    ret_part->is_answered = (flags & 1) != 0;
    ret_part->is_known = (flags & 2) != 0;
    ret_part->is_prepared = (flags & 4) != 0;
    ret_part->is_other = (flags & 8) != 0;
    ret_part->chunks = (uint32_t)unpack_u64_max(&in, UINT32_MAX);
    ret_part->removed = (uint32_t)unpack_u64_max(&in, UINT32_MAX);
    ret_part->offered = (uint32_t)unpack_u64_max(&in, UINT32_MAX);
    return unpack_is_done(&in) ? OK : ERR_MALFORMED;
}

int enrol__read_staging(struct enrol_reading *reading, const void *request)
{
    struct question question;

    if (!question_read(*(const struct slice *)request, &question)) {
        return ENROL_SAY(reading->text, ERR_MALFORMED, "not a question about an import");
    }
    struct enrol_staging part = staging_of(reading->enrol, &question);

    return staging_pack(&part, reading->reply);
}

/* An import that is whole is nobody's to end any more but a fact's. */
int enrol__prepare_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    struct question question;

    if (!question_read(work->entry->body, &question)) {
        return ERR_MALFORMED;
    }
    struct enrol_staging part = staging_of(enrol, &question);

    if (!part.is_answered && part.is_known && !part.is_prepared && !part.is_other &&
        part.chunks == question.chunks) {
        ASSERT(enrol->prepared_count < CAMPUS_IMPORTS_MAX);
        enrol->prepared[enrol->prepared_count++] =
            (struct enrol_prepared){question.id, question.key, work->entry->wall_ms};
        part.is_prepared = true;
    }
    return staging_pack(&part, &work->result->reply);
}

/* ---- what becomes of the whole */

/* What is said of all shards together. */
struct sums {
    bool has_answered;
    bool has_unknown;
    bool has_prepared;
    bool has_unprepared; /* neither prepared nor answered */
    bool has_other;
    uint64_t removed;
    uint64_t offered;
};

static struct sums sum(const struct enrol_staging *parts, uint32_t count)
{
    struct sums sums = {0};

    for (uint32_t i = 0; i < count; i++) {
        sums.has_answered = sums.has_answered || parts[i].is_answered;
        sums.has_unknown = sums.has_unknown || (!parts[i].is_known && !parts[i].is_answered);
        sums.has_prepared = sums.has_prepared || parts[i].is_prepared;
        sums.has_unprepared =
            sums.has_unprepared || (!parts[i].is_prepared && !parts[i].is_answered);
        sums.has_other = sums.has_other || parts[i].is_other;
        sums.removed += parts[i].removed;
        sums.offered += parts[i].offered;
    }
    return sums;
}

int enrol_begin_judge(const struct enrol_staging *parts, uint32_t count, struct buf *text)
{
    bool is_over = false;
    bool is_everywhere = true;

    for (uint32_t i = 0; i < count; i++) {
        is_over = is_over || (parts[i].is_answered && !parts[i].is_known);
        is_everywhere = is_everywhere && parts[i].is_answered;
    }
    return is_over && !is_everywhere
               ? ENROL_SAY(text, ERR_UNKNOWN_IMPORT,
                           "the import has ended before every shard had begun it")
               : OK;
}

/* What is prepared somewhere needs a fact to end it; else the import stays as it is. */
static struct enrol_staging_verdict refuse(const struct sums *sums, int status)
{
    return (struct enrol_staging_verdict){
        sums->has_prepared ? ENROL_STAGING_ABORT : ENROL_STAGING_REFUSE, status};
}

struct enrol_staging_verdict enrol_staging_judge(const struct enrol_staging *parts,
                                                 uint32_t count, struct slice body,
                                                 struct buf *text)
{
    struct sums sums = sum(parts, count);
    struct commit commit;

    if (commit_read(body, &commit) != OK) {
        return (struct enrol_staging_verdict){
            ENROL_STAGING_REFUSE,
            ENROL_SAY(text, ERR_MALFORMED, "the request's body is malformed")};
    }
    if (sums.has_answered || !sums.has_unprepared) {
        return (struct enrol_staging_verdict){ENROL_STAGING_FACT, OK};
    }
    if (sums.has_other) {
        return (struct enrol_staging_verdict){
            ENROL_STAGING_REFUSE,
            ENROL_SAY(text, ERR_BUSY, "the import is being committed by another request")};
    }
    if (sums.has_unknown) {
        return refuse(
            &sums, ENROL_SAY(text, ERR_UNKNOWN_IMPORT, "%s", error_text(ERR_UNKNOWN_IMPORT)));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].chunks != commit.chunks) {
            return refuse(&sums,
                          ENROL_SAY(text, ERR_ARGUMENT, "%u chunks were sent, %u arrived",
                                    commit.chunks, parts[i].chunks));
        }
    }
    if (!commit.force && !sums.has_prepared && sums.removed * 2 > sums.offered) {
        return refuse(&sums, ENROL_SAY(text, ERR_SHRINK, "%llu of %llu would be removed",
                                       (unsigned long long)sums.removed,
                                       (unsigned long long)sums.offered));
    }
    return (struct enrol_staging_verdict){ENROL_STAGING_PREPARE, OK};
}

struct enrol_staging_verdict enrol_staging_decide(const struct enrol_staging *parts,
                                                  uint32_t count, struct buf *text)
{
    struct sums sums = sum(parts, count);

    if (sums.has_answered || !sums.has_unprepared) {
        return (struct enrol_staging_verdict){ENROL_STAGING_FACT, OK};
    }
    if (sums.has_other) {
        return (struct enrol_staging_verdict){
            ENROL_STAGING_REFUSE,
            ENROL_SAY(text, ERR_BUSY, "the import is being committed by another request")};
    }
    return (struct enrol_staging_verdict){
        ENROL_STAGING_ABORT,
        ENROL_SAY(text, ERR_UNKNOWN_IMPORT, "%s", error_text(ERR_UNKNOWN_IMPORT))};
}
