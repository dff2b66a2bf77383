/* What an import does to a course or a student: section 7 of docs/spec/registration.md. */
#include <stdlib.h>

#include "tests/lib/model_private.h"

enum { NODES_MAX = 256, DAY_MIN = 24 * 60 };

/* The position after the subtree at @at, or MODEL_NONE when it is not complete. */
static int subtree_end(const Carillon__Course *record, size_t at)
{
    const Carillon__RuleNode *node;
    bool has_children;
    int end = (int)at + 1;

    if (at >= record->n_prerequisites) {
        return MODEL_NONE;
    }
    node = record->prerequisites[at];
    has_children = node->kind == CARILLON__RULE_KIND__RULE_AND ||
                   node->kind == CARILLON__RULE_KIND__RULE_OR ||
                   node->kind == CARILLON__RULE_KIND__RULE_N_OF;
    if (!has_children) {
        return end;
    }
    for (uint32_t i = 0; i < node->children && end != MODEL_NONE; i++) {
        end = subtree_end(record, (size_t)end);
    }
    return end;
}

static bool is_section_valid(const Carillon__Course *record, size_t at)
{
    const Carillon__Section *section = record->sections[at];

    if (section->id[0] == '\0') {
        return false;
    }
    for (size_t i = 0; i < at; i++) {
        if (strcmp(record->sections[i]->id, section->id) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < section->n_meetings; i++) {
        const Carillon__Meeting *meeting = section->meetings[i];

        if (meeting->days == 0 || meeting->days > 127 ||
            meeting->start_min >= meeting->end_min || meeting->end_min > DAY_MIN) {
            return false;
        }
    }
    return true;
}

bool model__is_course_valid(const struct model_import *import, const Carillon__Course *record)
{
    if (strcmp(record->institution, import->institution) != 0 ||
        strcmp(record->term, import->term) != 0 || record->code[0] == '\0' ||
        record->n_prerequisites > NODES_MAX) {
        return false;
    }
    for (size_t i = 0; i < record->n_sections; i++) {
        if (!is_section_valid(record, i)) {
            return false;
        }
    }
    return record->n_prerequisites == 0 ||
           subtree_end(record, 0) == (int)record->n_prerequisites;
}

bool model__is_student_valid(const struct model_import *import, const Carillon__Student *record)
{
    return strcmp(record->institution, import->institution) == 0 && record->token[0] != '\0';
}

static void rule_set(struct model_course *course, const Carillon__Course *record)
{
    free(course->nodes);
    course->node_count = (int)record->n_prerequisites;
    course->nodes = model__alloc(record->n_prerequisites * sizeof *course->nodes);
    for (size_t i = 0; i < record->n_prerequisites; i++) {
        const Carillon__RuleNode *from = record->prerequisites[i];
        struct model_node *to = &course->nodes[i];

        to->kind = from->kind;
        to->children = from->children;
        to->count = from->count;
        model__text_set(to->institution, sizeof to->institution, from->institution);
        model__text_set(to->code, sizeof to->code, from->code);
        to->grade_min = from->grade_min;
        to->concurrent = from->concurrent != 0;
    }
}

/* Offer section @record of @course. */
static void section_publish(struct model *model, int course, const Carillon__Section *record)
{
    int at = model_section_find(model, course, record->id);
    struct model_section *section;
    bool is_known = record->capacity_known != 0;
    uint32_t capacity = is_known ? record->capacity : 0;

    if (at == MODEL_NONE) {
        section = MODEL_PUSH(model->sections);
        section->course = course;
        model__text_set(section->id, sizeof section->id, record->id);
    } else {
        section = &model->sections.items[at];
    }
    /* An operator's limit stands while the file says what it said before. */
    if (section->presence == MODEL_ABSENT || section->file_capacity_known != is_known ||
        section->file_capacity != capacity) {
        section->capacity_known = is_known;
        section->capacity = capacity;
    }
    section->file_capacity_known = is_known;
    section->file_capacity = capacity;
    section->presence = MODEL_OFFERED;
    ASSERT(record->n_meetings <= MODEL_MEETINGS_MAX);
    section->meeting_count = (int)record->n_meetings;
    for (size_t i = 0; i < record->n_meetings; i++) {
        section->meetings[i] =
            (struct model_meeting){record->meetings[i]->days, record->meetings[i]->start_min,
                                   record->meetings[i]->end_min};
    }
}

/* A section that is gone keeps what its students have. Permits and blocks outlive removal: who
 * comes back with a later file is bound as before. */
static enum model_presence section_remove(struct model *model, int at)
{
    struct model_section *section = &model->sections.items[at];

    if (section->presence == MODEL_ABSENT) {
        return MODEL_ABSENT;
    }
    if (model_enrolled(model, at) > 0 || model_waiting(model, at) > 0) {
        section->presence = MODEL_WITHDRAWN;
        return MODEL_WITHDRAWN;
    }
    section->presence = MODEL_ABSENT;
    return MODEL_ABSENT;
}

static bool has_section(const Carillon__Course *record, const char *id)
{
    for (size_t i = 0; i < record->n_sections; i++) {
        if (strcmp(record->sections[i]->id, id) == 0) {
            return true;
        }
    }
    return record->n_sections == 0 && strcmp(id, "1") == 0;
}

bool model__course_publish(struct model *model, const Carillon__Course *record)
{
    Carillon__Section only = CARILLON__SECTION__INIT;
    int at = model_course_find(model, record->institution, record->term, record->code);
    struct model_course *course;
    bool is_added;

    if (at == MODEL_NONE) {
        at = model->courses.count;
        course = MODEL_PUSH(model->courses);
        model__text_set(course->institution, MODEL_TEXT_MAX, record->institution);
        model__text_set(course->term, MODEL_TEXT_MAX, record->term);
        model__text_set(course->code, MODEL_TEXT_MAX, record->code);
    }
    course = &model->courses.items[at];
    is_added = course->presence != MODEL_OFFERED;
    course->presence = MODEL_OFFERED;
    course->credits_known = record->credits_known != 0;
    course->credits = record->credits_hundredths;
    course->content_hash = record->content_hash;
    rule_set(course, record);
    for (size_t i = 0; i < record->n_sections; i++) {
        section_publish(model, at, record->sections[i]);
    }
    if (record->n_sections == 0) {
        only.id = wire_text("1");
        section_publish(model, at, &only);
    }
    for (int i = 0; i < model->sections.count; i++) {
        if (model->sections.items[i].course == at &&
            !has_section(record, model->sections.items[i].id)) {
            section_remove(model, i);
        }
    }
    return is_added;
}

enum model_presence model__course_remove(struct model *model, int course)
{
    enum model_presence left = MODEL_ABSENT;

    for (int i = 0; i < model->sections.count; i++) {
        if (model->sections.items[i].course == course &&
            section_remove(model, i) == MODEL_WITHDRAWN) {
            left = MODEL_WITHDRAWN;
        }
    }
    model->courses.items[course].presence = left;
    return left;
}

bool model__student_publish(struct model *model, const Carillon__Student *record)
{
    int at = model_student_find(model, record->token);
    struct model_student *student;
    bool is_added;

    student = at == MODEL_NONE ? MODEL_PUSH(model->students) : &model->students.items[at];
    is_added = student->presence != MODEL_OFFERED;
    student->presence = MODEL_OFFERED;
    model__text_set(student->institution, MODEL_TEXT_MAX, record->institution);
    model__text_set(student->token, MODEL_TEXT_MAX, record->token);
    model__text_set(student->name, MODEL_TEXT_MAX, record->name);
    student->level = record->level;
    student->content_hash = record->content_hash;
    free(student->taken);
    student->taken_count = (int)record->n_taken;
    student->taken = model__alloc(record->n_taken * sizeof *student->taken);
    for (size_t i = 0; i < record->n_taken; i++) {
        const Carillon__Taken *from = record->taken[i];
        struct model_taken *to = &student->taken[i];

        model__text_set(to->institution, MODEL_TEXT_MAX,
                        from->institution[0] == '\0' ? record->institution : from->institution);
        model__text_set(to->code, MODEL_TEXT_MAX, from->code);
        to->grade = from->grade;
        to->credits = from->credits_hundredths;
    }
    return is_added;
}

enum model_presence model__student_remove(struct model *model, int at)
{
    struct model_student *student = &model->students.items[at];
    bool has_any = false;

    for (int i = 0; i < model->registrations.count; i++) {
        has_any = has_any || model->registrations.items[i].student == at;
    }
    for (int i = 0; i < model->places.count; i++) {
        has_any = has_any || model->places.items[i].student == at;
    }
    student->presence = has_any ? MODEL_WITHDRAWN : MODEL_ABSENT;
    return student->presence;
}
