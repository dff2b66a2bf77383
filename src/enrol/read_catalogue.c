/* CATALOGUES. */
#include "enrol/enrol_private.h"
#include "wire/message.h"

int enrol__read_catalogues(struct enrol_reading *reading, const void *request)
{
    struct enrol *enrol = reading->enrol;
    const struct campus *campus = &enrol->campus;
    Carillon__CataloguesReply reply = CARILLON__CATALOGUES_REPLY__INIT;

    (void)request; /* it asks for everything */
    reply.items = enrol__scratch(enrol, campus->catalogues.count * sizeof(void *));
    for (uint32_t i = 0; i < campus->catalogues.count; i++) {
        const struct campus_catalogue *of = campus_catalogue(campus, i);

        if (of->term == CAMPUS_NONE || of->updated_ms == 0) {
            continue; /* a student body, or never committed */
        }
        Carillon__CatalogueItem *item = enrol__scratch(enrol, sizeof *item);

        carillon__catalogue_item__init(item);
        item->institution = enrol__text(enrol, campus_word(campus, of->institution)->text);
        item->term = enrol__text(enrol, campus_word(campus, of->term)->text);
        item->courses = of->offered;
        item->sections = of->sections;
        item->seats = of->seats;
        item->courses_without_sections = of->bare;
        item->sections_without_limit = of->unlimited;
        item->opens_ms = of->opens_ms;
        item->closes_ms = of->closes_ms;
        item->courses_max = of->courses_max;
        item->credits_max_hundredths = of->credits_max;
        item->updated_ms = of->updated_ms;
        reply.items[reply.n_items++] = item;
    }
    reply.students = campus->student_count;
    reply.registrations = campus->registration_count - campus->registrations_away;
    return enrol__pack(&reply.base, reading->reply);
}
