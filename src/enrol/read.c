/* Answers from state: the rows, CHECK and OUTCOME. */
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/across_entry.h"
#include "enrol/enrol_private.h"
#include "enrol/verdict.h"
#include "wire/message.h"
#include "wire/method.h"

enum { OUTCOME_BYTES_MAX = 64 << 10 }; /* of a stored answer, packed */

/* @request: the message; of CHECK and of questions between nodes, its bytes. */
typedef int (*read_answer)(struct enrol_reading *reading, const void *request);

static const read_answer rows[] = {
    [CARILLON__METHOD__METHOD_SHOW] = enrol__read_show,
    [CARILLON__METHOD__METHOD_CHECK] = enrol__read_check,
    [CARILLON__METHOD__METHOD_SCHEDULE] = enrol__read_schedule,
    [CARILLON__METHOD__METHOD_ROSTER] = enrol__read_roster,
    [CARILLON__METHOD__METHOD_OUTCOME] = enrol__read_outcome,
    [CARILLON__METHOD__METHOD_IMPORT_HASHES] = enrol__read_hashes,
    [CARILLON__METHOD__METHOD_EXPORT] = enrol__read_export,
    [CARILLON__METHOD__METHOD_CATALOGUES] = enrol__read_catalogues,
};

/* What shards ask one another. */
static const read_answer between[] = {
    [ENROL_READ_IMPORT - ENROL_READ_IMPORT] = enrol__read_staging,
    [ENROL_READ_SECTIONS - ENROL_READ_IMPORT] = enrol__read_sections,
    [ENROL_READ_RECORD - ENROL_READ_IMPORT] = enrol__read_record,
    [ENROL_READ_SHOWN - ENROL_READ_IMPORT] = enrol__read_shown,
    [ENROL_READ_RELATED - ENROL_READ_IMPORT] = enrol__read_related,
};

int enrol_read(struct enrol *enrol, uint32_t method, struct slice body, uint64_t wall_ms,
               struct buf *reply, struct buf *text)
{
    struct enrol_reading reading = {
        .enrol = enrol, .wall_ms = wall_ms, .reply = reply, .text = text};

    arena_reset(&enrol->scratch);
    if (method >= ENROL_READ_IMPORT && method < ENROL_READ_END) {
        return between[method - ENROL_READ_IMPORT](&reading, &body);
    }
    if (method >= sizeof rows / sizeof rows[0] || rows[method] == NULL) {
        return ENROL_SAY(text, ERR_METHOD, "method %u is not answered from state", method);
    }
    const void *request = method == CARILLON__METHOD__METHOD_CHECK /* decodes it itself */
                              ? &body
                              : wire_unpack(method_get(method)->request, body, &enrol->scratch);

    if (request == NULL) {
        return ENROL_SAY(text, ERR_MALFORMED, "the request's body is malformed");
    }
    return rows[method](&reading, request);
}

void enrol__foresee(struct enrol_attempt *attempt)
{
    const struct campus *campus = &attempt->enrol->campus;

    for (uint32_t i = 0; i < attempt->op_count; i++) {
        struct enrol_op *op = &attempt->ops[i];
        bool is_foreign = attempt->parts != NULL && attempt->parts->of[i].is_foreign;

        if (op->kind == CARILLON__OP_KIND__OP_ADD) {
            op->change = op->is_wait ? CARILLON__CHANGE_KIND__CHANGE_WAITLISTED
                                     : CARILLON__CHANGE_KIND__CHANGE_REGISTERED;
            op->place = !op->is_wait ? 0
                        : is_foreign ? attempt->parts->of[i].place
                                     : campus_section(campus, op->section)->waiting + 1;
        } else {
            op->change = campus_registration_find(attempt->who, op->section) != NULL
                             ? CARILLON__CHANGE_KIND__CHANGE_DROPPED
                             : CARILLON__CHANGE_KIND__CHANGE_WAITLIST_LEFT;
        }
    }
}

int enrol__read_check(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    struct enrol_attempt attempt;
    int rc = enrol__attempt_make(enrol, *(const struct slice *)request, ENROL_HINT_NONE,
                                 &attempt, reading->text);

    if (rc != OK) {
        return rc;
    }
    return enrol__check_answer(reading, &attempt);
}

int enrol__check_answer(struct enrol_reading *reading, struct enrol_attempt *attempt)
{
    struct enrol *enrol = reading->enrol;

    attempt->wall_ms = reading->wall_ms;
    enrol__attempt_judge(attempt);
    bool is_refused = attempt->refusal_count > 0;

    if (!is_refused) {
        enrol__foresee(attempt);
    }
    int rc = enrol__check_reply(enrol,
                            &(struct enrol_verdict){
                                .term = enrol->term,
                                .index = enrol->index,
                                .ops = attempt->ops,
                                .op_count = is_refused ? 0 : attempt->op_count,
                                .refusals = attempt->refusals,
                                .refusal_count = attempt->refusal_count,
                            },
                            reading->reply);
    if (rc == OK && is_refused) {
        rc = ENROL_SAY(reading->text, ERR_REFUSED, "would be refused by %u rule%s",
                       attempt->refusal_count, attempt->refusal_count == 1 ? "" : "s");
    }
    return rc;
}

/* A key of another student or method is not this student's to know. */
int enrol__read_outcome(struct enrol_reading *reading, const void *body)
{
    const Carillon__OutcomeRequest *request = body;
    struct enrol *enrol = reading->enrol;
    Carillon__OutcomeReply reply = CARILLON__OUTCOME_REPLY__INIT;
    uint32_t student = CAMPUS_NONE;
    struct buf packed;
    int rc =
        enrol__find_student(enrol, slice_from_text(request->student), &student, reading->text);

    if (rc != OK) {
        return rc;
    }
    const struct enrol_answer *answer = answers_find(&enrol->answers, wire_bytes(request->key));

    buf_init(&packed, OUTCOME_BYTES_MAX);
    /* a key used before the student was known here is an answer to him too */
    if (answer != NULL && (answer->student == student || answer->student == CAMPUS_NONE) &&
        answer->method == CARILLON__METHOD__METHOD_SUBMIT) {
        reply.known = true;
        reply.status = answer->status;
        rc = enrol__answer_reply(enrol, answer, &packed);
        /* an error has words, and no reply to show */
        reply.outcome = rc == OK && packed.len > 0
                            ? wire_unpack(&carillon__submit_reply__descriptor,
                                          buf_slice(&packed), &enrol->scratch)
                            : NULL;
    }
    reply.as_of = enrol__as_of(enrol);
    rc = rc == OK ? enrol__pack(&reply.base, reading->reply) : rc;
    buf_fini(&packed);
    return rc;
}
