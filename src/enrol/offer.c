/* Offers: a freed seat is kept for the first in line while his home, another shard, decides
 * whether he can have it. */
#include "base/assert.h"
#include "campus/section.h"
#include "campus/student.h"
#include "enrol/across_message.h"
#include "enrol/enrol_private.h"

void enrol__offer_make(struct enrol_work *work, uint32_t place)
{
    struct enrol *enrol = work->enrol;
    struct campus_place *to = campus_place(&enrol->campus, place);

    ASSERT(to->offer == CAMPUS_NONE);
    to->offer = enrol__offer_add(&enrol->across, &(struct enrol_offer){
                                                     .section = to->section,
                                                     .student = to->student,
                                                     .number = work->entry->index,
                                                     .since_ms = work->entry->wall_ms,
                                                 });
    campus_seat_offer(&enrol->campus, to->section);
}

void enrol__offer_end(struct enrol *enrol, uint32_t place)
{
    struct campus_place *to = campus_place(&enrol->campus, place);

    ASSERT(to->offer != CAMPUS_NONE);
    enrol__offer_remove(&enrol->across, to->offer);
    to->offer = CAMPUS_NONE;
    campus_seat_offer_end(&enrol->campus, to->section);
}

void enrol__place_end(struct enrol *enrol, uint32_t place)
{
    uint32_t section = campus_place(&enrol->campus, place)->section;
    bool was_offered = campus_place(&enrol->campus, place)->offer != CAMPUS_NONE;

    if (was_offered) {
        enrol__offer_end(enrol, place);
    }
    campus_place_remove(&enrol->campus, place);
    if (was_offered) {
        enrol__queue_section(enrol, section);
    }
}

/* The seat goes on to the next; the student keeps the place. */
static void pass(struct enrol_work *work, uint32_t place, const struct enrol_refusal *reason)
{
    struct enrol *enrol = work->enrol;
    const struct campus_place *of = campus_place(&enrol->campus, place);
    const struct campus_since now = enrol__since(work);

    enrol__offer_end(enrol, place);
    campus_place_pass(&enrol->campus, place, now.ms);
    campus_place_skip(&enrol->campus, place, &now, reason->kind, reason->evidence);
    enrol__note(work, ENROL_NOTE_SKIPPED, of->student, of->section, reason);
    enrol__queue_section(enrol, of->section);
}

void enrol__offers_expire(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    const struct enrol_refusal silence = {.evidence = SLICE_LITERAL("no answer in time")};

    while (enrol->across.offer_first != CAMPUS_NONE) {
        const struct enrol_offer *offer =
            enrol__offer(&enrol->across, enrol->across.offer_first);

        if (offer->since_ms + ENROL_OFFER_MS > work->entry->wall_ms) {
            return;
        }
        pass(work, campus_place_find(&enrol->campus, offer->student, offer->section), &silence);
    }
}

int enrol__decline_apply(struct enrol_work *work)
{
    struct enrol *enrol = work->enrol;
    struct unpack in = unpack_from(work->entry->body);
    struct across_head head;
    struct across_decline decline;
    uint32_t section = CAMPUS_NONE;

    across_take_head(&in, &head);
    across_take_decline(&in, &decline);
    if (!unpack_is_done(&in)) {
        return ERR_MALFORMED;
    }
    uint32_t student = campus_student_find(&enrol->campus, head.token);
    int rc = enrol__find_section(enrol, &decline.name, &section, &work->result->text);

    if (rc != OK || student == CAMPUS_NONE) {
        return rc;
    }
    uint32_t place = campus_place_find(&enrol->campus, student, section);
    uint32_t offer =
        place == CAMPUS_NONE ? CAMPUS_NONE : campus_place(&enrol->campus, place)->offer;

    if (offer != CAMPUS_NONE && enrol__offer(&enrol->across, offer)->number == decline.number) {
        const struct enrol_refusal reason = {.kind = decline.kind,
                                             .evidence = decline.evidence};

        work->result->student = student;
        pass(work, place, &reason);
        (void)enrol__queue_work(work);
    }
    return OK;
}
