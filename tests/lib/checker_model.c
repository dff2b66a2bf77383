/* Invariants that the model itself must keep, whatever the specification's details. */
#include "base/assert.h"
#include "tests/lib/checker.h"

static void say(struct buf *why, const char *text)
{
    int status = buf_append_text(why, text);

    ASSERT(status == OK);
}

static bool registrations_check(const struct model *model, struct buf *why)
{
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *a = &model->registrations.items[i];

        if (model_place_find(model, a->student, a->section) != MODEL_NONE) {
            say(why, "a student waits for what he has");
            return false;
        }
        for (int j = i + 1; j < model->registrations.count; j++) {
            const struct model_registration *b = &model->registrations.items[j];

            if (a->student == b->student && model->sections.items[a->section].course ==
                                                model->sections.items[b->section].course) {
                say(why, "a student has a course twice");
                return false;
            }
        }
    }
    return true;
}

static bool names_check(const struct model *model, struct buf *why)
{
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        if (model->sections.items[registration->section].presence == MODEL_ABSENT ||
            model->students.items[registration->student].presence == MODEL_ABSENT ||
            model_course_of(model, registration->section)->presence == MODEL_ABSENT) {
            say(why, "a registration of what is removed");
            return false;
        }
    }
    for (int i = 0; i < model->places.count; i++) {
        const struct model_place *place = &model->places.items[i];

        if (model->sections.items[place->section].presence == MODEL_ABSENT ||
            model->students.items[place->student].presence == MODEL_ABSENT) {
            say(why, "a place of what is removed");
            return false;
        }
    }
    return true;
}

bool checker_model(const struct model *model, struct buf *why)
{
    return registrations_check(model, why) && names_check(model, why);
}
