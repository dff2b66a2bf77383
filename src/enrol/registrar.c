/* Windows, limits, blocks, permits and capacities. Each check is what admit and apply share. */
#include "campus/foreign.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"
#include "campus/text.h"
#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"

static int by_check(const char *by, struct buf *text)
{
    return text_is_plain(by, ENROL_BY_BYTES_MAX)
               ? OK
               : ENROL_SAY(text, ERR_ARGUMENT, "who does it: more than %d bytes, or not UTF-8",
                           ENROL_BY_BYTES_MAX);
}

static int find_catalogue(const struct enrol *enrol, const char *institution, const char *term,
                          uint32_t *ret_catalogue, struct buf *text)
{
    uint32_t catalogue = campus_catalogue_find(&enrol->campus, slice_from_text(institution),
                                               slice_from_text(term));

    /* one that was begun to be imported and never was is none */
    if (catalogue == CAMPUS_NONE ||
        campus_catalogue(&enrol->campus, catalogue)->updated_ms == 0) {
        return ENROL_SAY(text, ERR_GONE, "no catalogue of \"%s\" for term \"%s\"",
                         text_or_mark(institution, CAMPUS_INSTITUTION_BYTES_MAX),
                         text_or_mark(term, CAMPUS_TERM_BYTES_MAX));
    }
    *ret_catalogue = catalogue;
    return OK;
}

/* ---- windows */

static int window_find(struct enrol *enrol, const Carillon__WindowRequest *request,
                       uint32_t *ret_catalogue, struct buf *text)
{
    int rc = by_check(request->by, text);

    if (rc == OK && request->closes_ms > 0 && request->closes_ms < request->opens_ms) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "the window closes before it opens");
    }
    return rc == OK
               ? find_catalogue(enrol, request->institution, request->term, ret_catalogue, text)
               : rc;
}

int enrol__window_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t catalogue;

    return window_find(enrol, request, &catalogue, text);
}

int enrol__window_apply(struct enrol_work *work, const void *body)
{
    const Carillon__WindowRequest *request = body;
    Carillon__WindowReply reply = CARILLON__WINDOW_REPLY__INIT;
    uint32_t catalogue = CAMPUS_NONE;
    int rc = window_find(work->enrol, request, &catalogue, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    struct campus_catalogue *of = campus_catalogue(&work->enrol->campus, catalogue);

    of->opens_ms = request->opens_ms;
    of->closes_ms = request->closes_ms;
    of->level_min = request->level_min;
    enrol__queue_all(work->enrol);
    (void)enrol__queue_work(work);
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- limits */

static int limits_find(struct enrol *enrol, const Carillon__LimitsRequest *request,
                       uint32_t *ret_catalogue, struct buf *text)
{
    int rc = by_check(request->by, text);

    if (rc == OK && (request->courses_max < 1 || request->courses_max > 16)) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "at most 1 to 16 courses a term, not %u",
                       request->courses_max);
    }
    if (rc == OK && request->waitlist_max > CAMPUS_WAITLIST_MAX) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a waitlist has at most %d places",
                       CAMPUS_WAITLIST_MAX);
    }
    return rc == OK
               ? find_catalogue(enrol, request->institution, request->term, ret_catalogue, text)
               : rc;
}

int enrol__limits_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t catalogue;

    return limits_find(enrol, request, &catalogue, text);
}

int enrol__limits_apply(struct enrol_work *work, const void *body)
{
    const Carillon__LimitsRequest *request = body;
    Carillon__LimitsReply reply = CARILLON__LIMITS_REPLY__INIT;
    uint32_t catalogue = CAMPUS_NONE;
    int rc = limits_find(work->enrol, request, &catalogue, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    struct campus_catalogue *of = campus_catalogue(&work->enrol->campus, catalogue);

    of->courses_max = request->courses_max;
    of->limits_index = work->entry->index;
    of->credits_max = request->credits_max_hundredths;
    of->waitlist_max =
        request->waitlist_max == 0 ? CAMPUS_WAITLIST_MAX_DEFAULT : request->waitlist_max;
    enrol__queue_all(work->enrol);
    (void)enrol__queue_work(work);
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- blocks */

static int block_find(struct enrol *enrol, const Carillon__BlockRequest *request,
                      uint32_t *ret_student, struct buf *text)
{
    bool is_named = text_is_name(request->reason, CAMPUS_REASON_BYTES_MAX);
    int rc = by_check(request->by, text);

    if (rc == OK && !is_named && !(request->remove && request->reason[0] == '\0')) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a block has a reason of 1 to %d bytes",
                       CAMPUS_REASON_BYTES_MAX);
    }
    return rc == OK ? enrol__find_student(enrol, slice_from_text(request->student), ret_student,
                                          text)
                    : rc;
}

int enrol__block_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t student;

    return block_find(enrol, request, &student, text);
}

static int block_set(struct enrol_work *work, const Carillon__BlockRequest *request,
                     uint32_t student)
{
    const struct campus_extra *extra = campus_extra(&work->enrol->campus, student);
    struct campus_block block = {
        .reason = slice_from_text(request->reason),
        .by = slice_from_text(request->by),
        .since_ms = work->entry->wall_ms,
    };

    for (uint32_t i = 0; i < extra->block_count; i++) {
        if (slice_is_equal(extra->blocks[i].reason, block.reason)) {
            return OK;
        }
    }
    if (extra->block_count == CAMPUS_BLOCKS_MAX) {
        return ENROL_SAY(&work->result->text, ERR_FULL, "a student has at most %d blocks",
                         CAMPUS_BLOCKS_MAX);
    }
    campus_block_add(&work->enrol->campus, student, &block);
    return OK;
}

static int block_lift(struct enrol_work *work, const Carillon__BlockRequest *request,
                      uint32_t student)
{
    struct campus *campus = &work->enrol->campus;
    const struct campus_extra *extra = campus_extra(campus, student);
    struct slice reason = slice_from_text(request->reason);
    uint32_t lifted = 0;

    for (uint32_t i = extra->block_count; i-- > 0;) {
        if (reason.len == 0 || slice_is_equal(extra->blocks[i].reason, reason)) {
            campus_block_remove(campus, student, i);
            lifted++;
        }
    }
    if (lifted == 0 && reason.len > 0) {
        return ENROL_SAY(&work->result->text, ERR_GONE, "\"%.64s\" has no such block",
                         request->student);
    }
    enrol__queue_student(work->enrol, student);
    (void)enrol__queue_work(work);
    return OK;
}

int enrol__block_apply(struct enrol_work *work, const void *body)
{
    const Carillon__BlockRequest *request = body;
    Carillon__BlockReply reply = CARILLON__BLOCK_REPLY__INIT;
    uint32_t student = CAMPUS_NONE;
    int rc = block_find(work->enrol, request, &student, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    work->result->student = student;
    rc = request->remove ? block_lift(work, request, student)
                         : block_set(work, request, student);
    if (rc != OK) {
        return rc;
    }
    reply.receipt = enrol__receipt_of(work);
    reply.blocks = campus_extra(&work->enrol->campus, student)->block_count;
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- permits */

struct permit_of {
    uint32_t student;
    uint32_t section;
};

int enrol__permit_shape(struct enrol *enrol, const Carillon__PermitRequest *request,
                        uint32_t *ret_student, struct buf *text)
{
    const uint32_t all = CARILLON__PERMIT_KIND__PERMIT_CAPACITY |
                         CARILLON__PERMIT_KIND__PERMIT_RULE |
                         CARILLON__PERMIT_KIND__PERMIT_TIME;
    int rc = by_check(request->by, text);

    if (rc == OK && request->section == NULL) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a permit names a section");
    }
    if (rc == OK && (request->kinds & ~all) != 0) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "unknown kinds of permit: %u", request->kinds);
    }
    if (rc == OK && !text_is_plain(request->reason, CAMPUS_REASON_BYTES_MAX)) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a reason has at most %d bytes",
                       CAMPUS_REASON_BYTES_MAX);
    }
    return rc == OK ? enrol__find_student(enrol, slice_from_text(request->student), ret_student,
                                          text)
                    : rc;
}

/* @described: the section, when it is another shard's. */
static int permit_find(struct enrol *enrol, const Carillon__PermitRequest *request,
                       struct slice described, struct permit_of *ret_of, struct buf *text)
{
    struct campus_name name = enrol__name(request->section);
    int rc = enrol__permit_shape(enrol, request, &ret_of->student, text);

    if (rc != OK || described.len == 0) {
        return rc == OK ? enrol__find_section(enrol, &name, &ret_of->section, text) : rc;
    }
    struct unpack in = unpack_from(described);

    ret_of->section = campus_section_stand_in(&enrol->campus, &in);
    return ret_of->section == CAMPUS_NONE ? ERR_MALFORMED : OK;
}

int enrol__permit_check(struct enrol *enrol, const void *request, struct buf *text)
{
    struct permit_of of;

    return permit_find(enrol, request, SLICE_NONE, &of, text);
}

int enrol__permit_apply(struct enrol_work *work, const void *body)
{
    const Carillon__PermitRequest *request = body;
    struct campus *campus = &work->enrol->campus;
    Carillon__PermitReply reply = CARILLON__PERMIT_REPLY__INIT;
    struct permit_of of_whom = {CAMPUS_NONE, CAMPUS_NONE};
    struct campus_permit permit = {
        .kinds = request->kinds,
        .reason = slice_from_text(request->reason),
        .by = slice_from_text(request->by),
        .since_ms = work->entry->wall_ms,
    };
    int rc = permit_find(work->enrol, request, work->described, &of_whom, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    permit.section = of_whom.section;
    work->result->student = of_whom.student;
    const struct campus_student *of = campus_student(campus, of_whom.student);
    bool is_there = campus_permit_find(of, permit.section) != NULL;

    if (!is_there && permit.kinds == 0) {
        return ENROL_SAY(&work->result->text, ERR_GONE,
                         "\"%.64s\" has no permit for this section", request->student);
    }
    if (!is_there && of->extra != NULL && of->extra->permit_count == CAMPUS_PERMITS_MAX) {
        return ENROL_SAY(&work->result->text, ERR_FULL, "a student has at most %d permits",
                         CAMPUS_PERMITS_MAX);
    }
    campus_permit_set(campus, of_whom.student, &permit);
    enrol__queue_student(work->enrol, of_whom.student);
    (void)enrol__queue_work(work);
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* A permit for a section of another shard: the request, and the section as that shard describes
 * it. */
int enrol__permit_entry_apply(struct enrol_work *work)
{
    const struct enrol_entry *entry = work->entry;
    struct unpack in = unpack_from(entry->body);
    struct enrol_entry as = *entry;

    as.method = CARILLON__METHOD__METHOD_PERMIT;
    as.body = unpack_bytes(&in);
    work->described = unpack_bytes(&in);
    if (!unpack_is_done(&in) || work->described.len == 0) {
        return ERR_MALFORMED; /* not admitted by any leader */
    }
    work->result->status = enrol__key_check(entry->key, entry->wall_ms, &work->result->text);
    if (work->result->status == OK) {
        work->entry = &as;
        enrol__apply_keyed(work);
        work->entry = entry;
    }
    return work->result->status;
}

/* ---- capacities */

static int cap_find(struct enrol *enrol, const Carillon__CapRequest *request,
                    uint32_t *ret_section, struct buf *text)
{
    struct campus_name name = enrol__name(request->section);
    int rc = by_check(request->by, text);

    if (rc == OK && request->section == NULL) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a capacity is for a section");
    }
    if (rc == OK && request->capacity_known && request->capacity > CAMPUS_CAPACITY_MAX) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a capacity is at most %d", CAMPUS_CAPACITY_MAX);
    }
    return rc == OK ? enrol__find_section(enrol, &name, ret_section, text) : rc;
}

int enrol__cap_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t section;

    return cap_find(enrol, request, &section, text);
}

/* How many the entry has promoted into @section so far. */
static uint32_t promoted_into(const struct enrol_result *result, uint32_t section)
{
    uint32_t count = 0;

    for (size_t i = 0; i < enrol_note_count(result); i++) {
        struct enrol_note note = enrol_note_at(result, i);

        count += note.kind == ENROL_NOTE_PROMOTED && note.section == section;
    }
    return count;
}

int enrol__cap_apply(struct enrol_work *work, const void *body)
{
    const Carillon__CapRequest *request = body;
    struct campus *campus = &work->enrol->campus;
    Carillon__CapReply reply = CARILLON__CAP_REPLY__INIT;
    uint32_t section = CAMPUS_NONE;
    int rc = cap_find(work->enrol, request, &section, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    campus_section_set_capacity(campus, section,
                                request->capacity_known ? request->capacity : CAMPUS_NONE);
    enrol__queue_section(work->enrol, section);
    (void)enrol__queue_work(work);
    reply.promoted = promoted_into(work->result, section);
    reply.receipt = enrol__receipt_of(work);
    reply.enrolled = campus_section(campus, section)->enrolled;
    return enrol__pack(&reply.base, &work->result->reply);
}
