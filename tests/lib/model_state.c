#include "tests/lib/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/model_private.h"

void *model__alloc(size_t size)
{
    void *block = calloc(1, size == 0 ? 1 : size);

    ASSERT(block != NULL);
    return block;
}

void *model__grow(void *items, int *room, int count, size_t size)
{
    if (count == *room) {
        *room = *room == 0 ? 16 : *room * 2;
        items = realloc(items, (size_t)*room * size);
        ASSERT(items != NULL);
    }
    memset((char *)items + (size_t)count * size, 0, size);
    return items;
}

void model__text_set(char *to, size_t size, const char *text)
{
    ASSERT(strlen(text) < size);
    memcpy(to, text, strlen(text) + 1);
}

void model__section_text(const struct model *model, int section, char *out, size_t size)
{
    const struct model_course *course = model_course_of(model, section);

    snprintf(out, size, "%s:%s#%s", course->institution, course->code,
             model->sections.items[section].id);
}

struct model_refusal *model__refuse(struct model_refusals *refusals, uint32_t kind, uint32_t op)
{
    /* What does not fit is judged all the same and then forgotten. */
    static struct model_refusal beyond;
    struct model_refusal *refusal =
        refusals->count < MODEL_REFUSALS_MAX ? &refusals->items[refusals->count++] : &beyond;

    refusal->kind = kind;
    refusal->op = op;
    refusal->rule_node = 0;
    refusal->evidence[0] = '\0';
    return refusal;
}

const struct model_course *model_course_of(const struct model *model, int section)
{
    return &model->courses.items[model->sections.items[section].course];
}

int model_course_find(const struct model *model, const char *institution, const char *term,
                      const char *code)
{
    for (int i = 0; i < model->courses.count; i++) {
        const struct model_course *course = &model->courses.items[i];

        if (strcmp(course->code, code) == 0 && strcmp(course->term, term) == 0 &&
            strcmp(course->institution, institution) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

int model_section_find(const struct model *model, int course, const char *id)
{
    for (int i = 0; i < model->sections.count; i++) {
        const struct model_section *section = &model->sections.items[i];

        if (section->course == course && strcmp(section->id, id) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

int model_student_find(const struct model *model, const char *token)
{
    for (int i = 0; i < model->students.count; i++) {
        if (strcmp(model->students.items[i].token, token) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

int model_registration_find(const struct model *model, int student, int section)
{
    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        if (registration->section == section && registration->student == student) {
            return i;
        }
    }
    return MODEL_NONE;
}

int model_place_find(const struct model *model, int student, int section)
{
    for (int i = 0; i < model->places.count; i++) {
        const struct model_place *place = &model->places.items[i];

        if (place->section == section && place->student == student) {
            return i;
        }
    }
    return MODEL_NONE;
}

int model_offer_find(const struct model *model, const char *institution, const char *term)
{
    for (int i = 0; i < model->offers.count; i++) {
        const struct model_offer *offer = &model->offers.items[i];

        if (strcmp(offer->institution, institution) == 0 && strcmp(offer->term, term) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

const struct model_answer *model_answer_find(const struct model *model, const uint8_t *key)
{
    for (int i = model->answers.count - 1; i >= 0; i--) {
        if (memcmp(model->answers.items[i].key, key, UUID_BYTES) == 0) {
            return &model->answers.items[i];
        }
    }
    return NULL;
}

uint32_t model_enrolled(const struct model *model, int section)
{
    uint32_t count = 0;

    for (int i = 0; i < model->registrations.count; i++) {
        count += model->registrations.items[i].section == section;
    }
    return count;
}

uint32_t model_waiting(const struct model *model, int section)
{
    uint32_t count = 0;

    for (int i = 0; i < model->places.count; i++) {
        count += model->places.items[i].section == section;
    }
    return count;
}

bool model_is_full(const struct model *model, int section)
{
    const struct model_section *s = &model->sections.items[section];

    return s->capacity_known && model_enrolled(model, section) >= s->capacity;
}

uint32_t model_place_number(const struct model *model, int place)
{
    uint32_t number = 1;

    for (int i = 0; i < place; i++) {
        number += model->places.items[i].section == model->places.items[place].section;
    }
    return number;
}

/* The only course that a name fits. */
static int course_resolve(const struct model *model, const Carillon__SectionName *name,
                          int *ret_course)
{
    int found = MODEL_NONE;

    for (int i = 0; i < model->courses.count; i++) {
        const struct model_course *course = &model->courses.items[i];

        if (course->presence == MODEL_ABSENT || strcmp(course->code, name->code) != 0 ||
            (name->institution[0] != '\0' &&
             strcmp(course->institution, name->institution) != 0) ||
            (name->term[0] != '\0' && strcmp(course->term, name->term) != 0)) {
            continue;
        }
        if (found != MODEL_NONE) {
            return ERR_AMBIGUOUS;
        }
        found = i;
    }
    if (found == MODEL_NONE) {
        return ERR_UNKNOWN_COURSE;
    }
    *ret_course = found;
    return OK;
}

/* How many sections of @course have @presence, and the last of them. */
static int section_count(const struct model *model, int course, enum model_presence presence,
                         int *ret_section)
{
    int count = 0;

    for (int i = 0; i < model->sections.count; i++) {
        const struct model_section *section = &model->sections.items[i];

        if (section->course == course && section->presence == presence) {
            *ret_section = i;
            count++;
        }
    }
    return count;
}

int model_resolve(const struct model *model, const Carillon__SectionName *name,
                  int *ret_section)
{
    int course;
    int section = MODEL_NONE;
    int count;
    int status = course_resolve(model, name, &course);

    if (status != OK) {
        return status;
    }
    if (name->section[0] != '\0') {
        section = model_section_find(model, course, name->section);
        if (section == MODEL_NONE || model->sections.items[section].presence == MODEL_ABSENT) {
            return ERR_UNKNOWN_SECTION;
        }
        *ret_section = section;
        return OK;
    }
    count = section_count(model, course, MODEL_OFFERED, &section);
    if (count == 0) {
        count = section_count(model, course, MODEL_WITHDRAWN, &section);
    }
    if (count != 1) {
        return count == 0 ? ERR_UNKNOWN_SECTION : ERR_AMBIGUOUS;
    }
    *ret_section = section;
    return OK;
}
