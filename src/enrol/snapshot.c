/* The state as a stream: a head, the campus, the answers, a tail. Everything is records of
 * kind, length and bytes. */
#include "campus/snapshot.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/sm.h"
#include "campus/image.h"
#include "campus/section.h"
#include "enrol/enrol_private.h"

enum {
    SNAPSHOT_MAGIC = 0x43524e53, /* "CRNS" */
    SNAPSHOT_VERSION = 2,       /* with tokens; 1 is read */
    ANSWERS_PER_RECORD = 64,
    TOKENS_PER_RECORD = 64,
    RECORD_BYTES_MAX = 1 << 30,
};

enum enrol_record {
    ENROL_RECORD_HEAD = CAMPUS_RECORD_NR,
    ENROL_RECORD_ANSWERS,
    ENROL_RECORD_TAIL,
    ENROL_RECORD_TOKENS,
    ENROL_RECORD_HOLD,
    ENROL_RECORD_TO_DO,
    ENROL_RECORD_OFFER,
    ENROL_RECORD_FACTS, /* the newest fact, and prepared imports; left out when there are none */
};

enum snapshot_phase {
    SNAPSHOT_NONE,
    SNAPSHOT_CAMPUS,
    SNAPSHOT_ANSWERS,
    SNAPSHOT_LAST, /* what is in the stream is all that is left */
};

/* ---- answers */

static void image_answer(const struct enrol_answer *answer, struct buf *out)
{
    image_raw(out, slice_from(answer->key, ANSWER_KEY_BYTES));
    image_fixed64(out, answer->request_hash);
    image_u64(out, answer->index);
    image_u64(out, answer->wall_ms);
    image_ordinal(out, answer->student);
    image_u64(out, answer->term);
    image_u64(out, answer->method);
    image_u64(out, answer->status);
    image_u64(out, answer->change);
    if (answer->change != 0) {
        image_ordinal(out, answer->section);
        image_u64(out, answer->more.place);
    } else {
        image_bytes(out, answer_reply(answer));
        image_bytes(out, answer_text(answer));
    }
}

static int load_answer(struct enrol *enrol, struct unpack *in)
{
    struct enrol_answer answer = {0};
    struct slice key = slice_sub(in->rest, 0, ANSWER_KEY_BYTES);

    if (key.len != ANSWER_KEY_BYTES) {
        return ERR_DAMAGED;
    }
    in->rest = slice_sub(in->rest, ANSWER_KEY_BYTES, SIZE_MAX);
    memcpy(answer.key, key.data, ANSWER_KEY_BYTES);
    answer.request_hash = unpack_fixed64(in);
    answer.index = load_u64(in);
    answer.wall_ms = load_u64(in);
    answer.student = load_ordinal(in, enrol->campus.students.count);
    answer.term = (uint32_t)load_u64_max(in, UINT32_MAX);
    answer.method = (uint8_t)load_u64_max(in, UINT8_MAX);
    answer.status = (uint8_t)load_u64_max(in, UINT8_MAX);
    answer.change = (uint8_t)load_u64_max(in, UINT8_MAX);
    if (answer.change != 0) {
        answer.section = load_index(in, enrol->campus.sections.count);
        answer.more.place = (uint32_t)load_u64_max(in, UINT32_MAX);
    } else {
        struct slice reply = load_bytes(in);
        struct slice text = load_bytes(in);

        if (!in->failed) {
            answer.more.blob = answer_blob_make(&enrol->answers, reply, text);
        }
    }
    if (in->failed) {
        return ERR_DAMAGED;
    }
    answers_load(&enrol->answers, &answer);
    return OK;
}

static void save_answers(struct enrol *enrol, uint32_t count)
{
    struct buf image;

    buf_init(&image, RECORD_BYTES_MAX);
    for (; count > 0 && enrol->saved_answers_from != enrol->saved_answers_to; count--) {
        image_answer(answers_at(&enrol->answers, enrol->saved_answers_from++), &image);
    }
    campus_record_append(&enrol->stream, ENROL_RECORD_ANSWERS, buf_slice(&image));
    buf_fini(&image);
}

static void save_tokens(struct enrol *enrol, uint32_t count)
{
    struct buf image;

    buf_init(&image, RECORD_BYTES_MAX);
    for (; count > 0 && enrol->saved_tokens_from < enrol->saved_tokens_to; count--) {
        enrol__token_image(enrol, enrol->saved_tokens_from++, enrol->snapshot_index, &image);
    }
    campus_record_append(&enrol->stream, ENROL_RECORD_TOKENS, buf_slice(&image));
    buf_fini(&image);
}

void enrol__save_oldest_answer(struct enrol *enrol)
{
    if (enrol->snapshot_phase != SNAPSHOT_NONE &&
        enrol->saved_answers_from == enrol->answers.first &&
        enrol->saved_answers_from != enrol->saved_answers_to) {
        save_answers(enrol, 1);
    }
}

/* ---- holds and the to-do list: few at any moment, and gone soon; so they are written at once
 */

static void save_across(struct enrol *enrol)
{
    const struct enrol_across *across = &enrol->across;
    struct buf image;

    buf_init(&image, RECORD_BYTES_MAX);
    for (uint32_t at = across->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(across, at)->next) {
        buf_clear(&image);
        enrol__hold_image(across, at, &image);
        campus_record_append(&enrol->stream, ENROL_RECORD_HOLD, buf_slice(&image));
    }
    for (uint32_t at = across->todo_first; at != CAMPUS_NONE;
         at = enrol__todo(across, at)->next) {
        buf_clear(&image);
        enrol__todo_image(across, at, &image);
        campus_record_append(&enrol->stream, ENROL_RECORD_TO_DO, buf_slice(&image));
    }
    for (uint32_t at = across->offer_first; at != CAMPUS_NONE;
         at = enrol__offer(across, at)->next) {
        buf_clear(&image);
        enrol__offer_image(across, at, &image);
        campus_record_append(&enrol->stream, ENROL_RECORD_OFFER, buf_slice(&image));
    }
    buf_fini(&image);
}

/* ---- facts of the cluster */

static bool has_facts(const struct enrol *enrol)
{
    return enrol->fact > 0 || enrol->prepared_count > 0;
}

static void image_facts(const struct enrol *enrol, struct buf *out)
{
    image_u64(out, enrol->fact);
    image_u64(out, enrol->prepared_count);
    for (uint32_t i = 0; i < enrol->prepared_count; i++) {
        const struct enrol_prepared *prepared = &enrol->prepared[i];

        image_bytes(out, slice_from(prepared->id.bytes, UUID_BYTES));
        image_bytes(out, slice_from(prepared->key.bytes, UUID_BYTES));
        image_u64(out, prepared->since_ms);
    }
}

static void save_facts(struct enrol *enrol)
{
    struct buf image;

    if (has_facts(enrol)) {
        buf_init(&image, RECORD_BYTES_MAX);
        image_facts(enrol, &image);
        campus_record_append(&enrol->stream, ENROL_RECORD_FACTS, buf_slice(&image));
        buf_fini(&image);
    }
}

static int load_facts(struct enrol *enrol, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);

    enrol->fact = load_u64(&in);
    enrol->prepared_count = (uint32_t)load_u64_max(&in, CAMPUS_IMPORTS_MAX);
    for (uint32_t i = 0; i < enrol->prepared_count; i++) {
        struct enrol_prepared *prepared = &enrol->prepared[i];
        struct slice id = load_bytes(&in);
        struct slice key = load_bytes(&in);

        if (id.len != UUID_BYTES || key.len != UUID_BYTES) {
            return ERR_DAMAGED;
        }
        memcpy(prepared->id.bytes, id.data, UUID_BYTES);
        memcpy(prepared->key.bytes, key.data, UUID_BYTES);
        prepared->since_ms = load_u64(&in);
    }
    return unpack_is_done(&in) ? OK : ERR_DAMAGED;
}

/* What is prepared is an open import. */
static bool are_prepared_open(const struct enrol *enrol)
{
    for (uint32_t i = 0; i < enrol->prepared_count; i++) {
        if (campus_import_find(&enrol->campus, &enrol->prepared[i].id) == NULL) {
            return false;
        }
    }
    return true;
}

/* The seats and places that restored holds and offers keep. Returns: false when an offer is to
 * nobody who waits. */
static bool link_across(struct enrol *enrol)
{
    struct campus *campus = &enrol->campus;
    const struct enrol_across *across = &enrol->across;

    for (uint32_t at = across->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(across, at)->next) {
        const struct enrol_hold *hold = enrol__hold(across, at);

        for (uint32_t i = 0; i < hold->op_count; i++) {
            if (hold->ops[i].what == ENROL_HELD_SEAT) {
                campus_seat_hold(campus, hold->ops[i].section, hold->ops[i].is_over);
            } else if (hold->ops[i].what == ENROL_HELD_PLACE) {
                campus_section(campus, hold->ops[i].section)->places_held++;
            }
        }
    }
    for (uint32_t at = across->offer_first; at != CAMPUS_NONE;
         at = enrol__offer(across, at)->next) {
        const struct enrol_offer *offer = enrol__offer(across, at);
        uint32_t place = campus_place_find(campus, offer->student, offer->section);

        if (place == CAMPUS_NONE || campus_place(campus, place)->offer != CAMPUS_NONE) {
            return false;
        }
        campus_place(campus, place)->offer = at;
        campus_seat_offer(campus, offer->section);
    }
    return true;
}

/* ---- writing */

int enrol_snapshot_begin(struct enrol *enrol)
{
    struct buf head;

    if (enrol->snapshot_phase != SNAPSHOT_NONE) {
        return ERR_BUSY;
    }
    int rc = campus_snapshot_begin(&enrol->campus);

    if (rc != OK) {
        return rc;
    }
    buf_clear(&enrol->stream);
    enrol->stream_at = 0;
    enrol->saved_answers_from = enrol->answers.first;
    enrol->saved_answers_to = enrol->answers.next;
    enrol->saved_tokens_from = 0;
    enrol->saved_tokens_to = enrol->tokens.count;
    enrol->snapshot_index = enrol->index;
    enrol->snapshot_phase = SNAPSHOT_CAMPUS;
    buf_init(&head, ENROL_SNAPSHOT_STEP_BYTES);
    image_u64(&head, SNAPSHOT_MAGIC);
    image_u64(&head, SNAPSHOT_VERSION);
    image_bytes(&head, slice_from(enrol->config.cluster_id.bytes, UUID_BYTES));
    image_u64(&head, enrol->config.group);
    image_u64(&head, enrol->index);
    image_u64(&head, enrol->term);
    image_u64(&head, enrol->wall_ms);
    image_u64(&head, answers_count(&enrol->answers));
    image_u64(&head, enrol->tokens.count);
    campus_record_append(&enrol->stream, ENROL_RECORD_HEAD, buf_slice(&head));
    buf_fini(&head);
    /* The numbers of things come before anything that refers to them. */
    rc = campus_snapshot_step(&enrol->campus, 0, &enrol->stream);
    ASSERT(rc == SM_PENDING);
    save_across(enrol);
    save_facts(enrol);
    return OK;
}

/* Have at least a step's bytes in the stream, if there are so many. Answers wait until the
 * campus is written, since they name students and sections; those that had to be saved early
 * came in their order too. */
static void fill(struct enrol *enrol)
{
    while (enrol->stream.len - enrol->stream_at < ENROL_SNAPSHOT_STEP_BYTES &&
           enrol->snapshot_phase != SNAPSHOT_LAST) {
        if (enrol->snapshot_phase == SNAPSHOT_CAMPUS) {
            if (campus_snapshot_step(&enrol->campus, ENROL_SNAPSHOT_STEP_BYTES / 2,
                                     &enrol->stream) == OK) {
                enrol->snapshot_phase = SNAPSHOT_ANSWERS;
            }
        } else if (enrol->saved_answers_from != enrol->saved_answers_to) {
            save_answers(enrol, ANSWERS_PER_RECORD);
        } else if (enrol->saved_tokens_from < enrol->saved_tokens_to) {
            save_tokens(enrol, TOKENS_PER_RECORD);
        } else {
            campus_record_append(&enrol->stream, ENROL_RECORD_TAIL, SLICE_NONE);
            enrol->snapshot_phase = SNAPSHOT_LAST;
        }
    }
}

int enrol_snapshot_step(struct enrol *enrol, struct buf *out)
{
    ASSERT(enrol->snapshot_phase != SNAPSHOT_NONE);
    fill(enrol);
    struct slice piece =
        slice_sub(buf_slice(&enrol->stream), enrol->stream_at, ENROL_SNAPSHOT_STEP_BYTES);
    int rc = buf_append_slice(out, piece);

    if (rc != OK) {
        return rc;
    }
    enrol->stream_at += piece.len;
    if (enrol->stream_at * 2 >= enrol->stream.len) { /* each byte is moved at most once */
        buf_consume(&enrol->stream, enrol->stream_at);
        enrol->stream_at = 0;
    }
    if (enrol->snapshot_phase == SNAPSHOT_LAST && enrol->stream.len == enrol->stream_at) {
        enrol_snapshot_abort(enrol);
        return OK;
    }
    return SM_PENDING;
}

void enrol_snapshot_abort(struct enrol *enrol)
{
    if (enrol->snapshot_phase != SNAPSHOT_NONE) {
        campus_snapshot_abort(&enrol->campus);
        buf_fini(&enrol->stream);
        buf_init(&enrol->stream, INT32_MAX);
        enrol->stream_at = 0;
        enrol->snapshot_phase = SNAPSHOT_NONE;
    }
}

/* ---- reading */

enum restore_phase {
    RESTORE_EMPTY,
    RESTORE_BODY,
    RESTORE_TAIL,
};

static int load_head(struct enrol *enrol, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);

    if (unpack_u64(&in) != SNAPSHOT_MAGIC) {
        return ERR_DAMAGED;
    }
    uint64_t version = unpack_u64(&in);

    if (version < 1 || version > SNAPSHOT_VERSION) {
        return ERR_VERSION;
    }
    struct slice cluster = unpack_bytes(&in);
    uint64_t group = unpack_u64(&in);

    enrol->index = unpack_u64(&in);
    enrol->term = unpack_u64(&in);
    enrol->wall_ms = unpack_u64(&in);
    enrol->restore_answers = unpack_u64(&in);
    enrol->restore_tokens = version < 2 ? 0 : unpack_u64(&in);
    if (!unpack_is_done(&in) || group != enrol->config.group ||
        !slice_is_equal(cluster, slice_from(enrol->config.cluster_id.bytes, UUID_BYTES))) {
        return ERR_DAMAGED;
    }
    enrol->restore_phase = RESTORE_BODY;
    return OK;
}

static int load_answers(struct enrol *enrol, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);
    int rc = OK;

    while (rc == OK && in.rest.len > 0) {
        rc = load_answer(enrol, &in);
    }
    return rc;
}

static int load_tokens(struct enrol *enrol, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);
    int rc = OK;

    while (rc == OK && in.rest.len > 0) {
        rc = enrol__token_load(enrol, &in);
    }
    return rc;
}

static int load_across(struct enrol *enrol, uint64_t kind, struct slice bytes)
{
    struct unpack in = unpack_from(bytes);
    int rc = kind == ENROL_RECORD_HOLD ? enrol__hold_load(&enrol->across, &enrol->campus, &in)
             : kind == ENROL_RECORD_TO_DO
                 ? enrol__todo_load(&enrol->across, &enrol->campus, &in)
                 : enrol__offer_load(&enrol->across, &enrol->campus, &in);

    return rc == OK && !unpack_is_done(&in) ? ERR_DAMAGED : rc;
}

static int load_record(struct enrol *enrol, uint64_t kind, struct slice bytes)
{
    if (enrol->restore_phase == RESTORE_EMPTY) {
        return kind == ENROL_RECORD_HEAD ? load_head(enrol, bytes) : ERR_DAMAGED;
    }
    if (enrol->restore_phase != RESTORE_BODY) {
        return ERR_DAMAGED;
    }
    if (kind == ENROL_RECORD_ANSWERS) {
        return load_answers(enrol, bytes);
    }
    if (kind == ENROL_RECORD_TOKENS) {
        return load_tokens(enrol, bytes);
    }
    if (kind == ENROL_RECORD_FACTS) {
        return load_facts(enrol, bytes);
    }
    if (kind >= ENROL_RECORD_HOLD && kind <= ENROL_RECORD_OFFER) {
        return load_across(enrol, kind, bytes);
    }
    if (kind == ENROL_RECORD_TAIL) {
        enrol->restore_phase = RESTORE_TAIL;
        return OK;
    }
    return campus_restore_record(&enrol->campus, kind, bytes);
}

/* Read whole records off the front of @bytes. Returns: how many bytes were read. */
static int load_records(struct enrol *enrol, struct slice bytes, size_t *ret_read)
{
    size_t read = 0;

    for (;;) {
        struct unpack in = unpack_from(slice_sub(bytes, read, SIZE_MAX));
        uint64_t kind = load_u64(&in);
        struct slice record = load_bytes(&in);

        if (in.failed) { /* the rest is in the next chunk */
            *ret_read = read;
            return OK;
        }
        int rc = load_record(enrol, kind, record);

        if (rc != OK) {
            return rc;
        }
        read = bytes.len - in.rest.len;
    }
}

int enrol_restore_chunk(struct enrol *enrol, struct slice chunk)
{
    size_t read = 0;

    if (chunk.len > RECORD_BYTES_MAX || buf_append_slice(&enrol->stream, chunk) != OK) {
        return ERR_DAMAGED;
    }
    int rc = load_records(enrol, buf_slice(&enrol->stream), &read);

    if (rc == OK) {
        buf_consume(&enrol->stream, read);
    }
    return rc;
}

int enrol_restore_end(struct enrol *enrol)
{
    bool is_whole = enrol->restore_phase == RESTORE_TAIL && enrol->stream.len == 0;

    buf_fini(&enrol->stream);
    buf_init(&enrol->stream, INT32_MAX);
    enrol->restore_phase = RESTORE_EMPTY;
    int rc = is_whole ? campus_restore_end(&enrol->campus) : ERR_DAMAGED;

    if (rc == OK && (answers_count(&enrol->answers) != enrol->restore_answers ||
                     enrol->tokens.count != enrol->restore_tokens)) {
        rc = ERR_DAMAGED;
    }
    if (rc == OK && (!link_across(enrol) || !are_prepared_open(enrol))) {
        rc = ERR_DAMAGED;
    }
    if (rc == OK) {
        answers_index(&enrol->answers);
        enrol__margin_update(enrol);
    }
    return rc;
}

/* ---- hash */

uint64_t enrol__answer_hash(struct enrol *enrol, uint32_t number)
{
    buf_clear(&enrol->image);
    image_answer(answers_at(&enrol->answers, number), &enrol->image);
    return hash_bytes_seeded(ENROL_RECORD_ANSWERS, enrol->image.data, enrol->image.len);
}

uint64_t enrol__token_hash(struct enrol *enrol, uint32_t number)
{
    buf_clear(&enrol->image);
    enrol__token_image(enrol, number, UINT64_MAX, &enrol->image);
    return hash_bytes_seeded(ENROL_RECORD_TOKENS, enrol->image.data, enrol->image.len);
}

uint64_t enrol__across_hash(const struct enrol *enrol)
{
    const struct enrol_across *across = &enrol->across;
    struct buf image;
    uint64_t hash = 0;

    buf_init(&image, RECORD_BYTES_MAX);
    for (uint32_t at = across->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(across, at)->next) {
        buf_clear(&image);
        enrol__hold_image(across, at, &image);
        hash += hash_bytes_seeded(ENROL_RECORD_HOLD, image.data, image.len);
    }
    for (uint32_t at = across->todo_first; at != CAMPUS_NONE;
         at = enrol__todo(across, at)->next) {
        buf_clear(&image);
        enrol__todo_image(across, at, &image);
        hash += hash_bytes_seeded(ENROL_RECORD_TO_DO, image.data, image.len);
    }
    for (uint32_t at = across->offer_first; at != CAMPUS_NONE;
         at = enrol__offer(across, at)->next) {
        buf_clear(&image);
        enrol__offer_image(across, at, &image);
        hash += hash_bytes_seeded(ENROL_RECORD_OFFER, image.data, image.len);
    }
    if (has_facts(enrol)) {
        buf_clear(&image);
        image_facts(enrol, &image);
        hash += hash_bytes_seeded(ENROL_RECORD_FACTS, image.data, image.len);
    }
    buf_fini(&image);
    return hash;
}

uint64_t enrol_hash(struct enrol *enrol)
{
    uint64_t hash = hash_u64(enrol->index);
    uint64_t cursor = 0;

    while (campus_hash_step(&enrol->campus, &cursor, UINT64_MAX, &hash)) {
    }
    for (uint32_t i = 0; i < answers_count(&enrol->answers); i++) {
        hash += enrol__answer_hash(enrol, enrol->answers.first + i);
    }
    for (uint32_t i = 0; i < enrol->tokens.count; i++) {
        hash += enrol__token_hash(enrol, i);
    }
    return hash + enrol__across_hash(enrol);
}
