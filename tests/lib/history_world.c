/* The world of a history: what its courses and students are like. */
#include "tests/lib/history_private.h"

static uint32_t between(struct history *history, uint32_t low, uint32_t high)
{
    return (uint32_t)rng_between(&history->rng, low, high);
}

static void section_draw(struct history *history, struct history_section *section)
{
    static const uint32_t days[] = {1, 2, 4, 5, 10, 21, 64};

    section->is_there = true;
    section->capacity_known = history__chance(history, 850000);
    section->capacity = between(history, 0, 9) == 0 ? 0 : between(history, 1, 5);
    section->meeting_count = history__pick(history, 3);
    for (int i = 0; i < section->meeting_count; i++) {
        struct history_meeting *meeting = &section->meetings[i];

        /* Few slots, so that meetings overlap often and touch often. */
        meeting->days = days[history__pick(history, 7)];
        meeting->start_min = 480 + 30 * between(history, 0, 11);
        meeting->end_min = meeting->start_min + 30 * between(history, 1, 4);
    }
}

static void leaf_draw(struct history *history, struct history_node *node)
{
    static const uint32_t grades[] = {0, 0, 0, 1, 201, 301, 401};
    int kind = history__pick(history, 10);

    if (kind == 0) {
        node->kind = CARILLON__RULE_KIND__RULE_LEVEL;
        node->count = between(history, 1, 4);
        return;
    }
    if (kind == 1) {
        node->kind = CARILLON__RULE_KIND__RULE_CREDITS;
        node->count = between(history, 1, 12) * 150;
        return;
    }
    node->kind = CARILLON__RULE_KIND__RULE_COURSE;
    node->institution = history__chance(history, 300000)
                            ? history__pick(history, history->institution_count)
                            : MODEL_NONE;
    node->code = history__pick(history, history->code_count);
    node->grade_min = grades[history__pick(history, 7)];
    node->concurrent = history__chance(history, 350000);
}

/* A tree of at most @budget nodes. */
static void tree_draw(struct history *history, struct history_course *course, int budget)
{
    struct history_node *node = &course->nodes[course->node_count++];
    int kind = history__pick(history, 6);

    *node = (struct history_node){.institution = MODEL_NONE};
    if (budget < 4 || kind < 3) {
        leaf_draw(history, node);
        return;
    }
    node->kind = kind == 3   ? CARILLON__RULE_KIND__RULE_AND
                 : kind == 4 ? CARILLON__RULE_KIND__RULE_OR
                             : CARILLON__RULE_KIND__RULE_N_OF;
    node->children = between(history, 1, 3);
    if (node->kind == CARILLON__RULE_KIND__RULE_N_OF) {
        node->count = between(history, 1, node->children);
    }
    for (uint32_t i = 0; i < node->children; i++) {
        tree_draw(history, course, (budget - 1) / (int)node->children);
    }
}

static void rule_draw(struct history *history, struct history_course *course)
{
    course->node_count = 0;
    if (history__chance(history, history->rule_ppm)) {
        tree_draw(history, course, 1 + history__pick(history, HISTORY_NODES_MAX));
    }
}

static void credits_draw(struct history *history, struct history_course *course)
{
    course->credits_known = history__chance(history, 850000);
    course->credits = course->credits_known ? between(history, 0, 12) * 50 : 0;
}

void history__course_draw(struct history *history, struct history_course *course)
{
    int sections = history__pick(history, HISTORY_SECTIONS_MAX + 1);

    credits_draw(history, course);
    rule_draw(history, course);
    for (int i = 0; i < HISTORY_SECTIONS_MAX; i++) {
        course->sections[i].is_there = false;
        if (i < sections) {
            section_draw(history, &course->sections[i]);
        }
    }
}

void history__course_change(struct history *history, struct history_course *course)
{
    struct history_section *section =
        &course->sections[history__pick(history, HISTORY_SECTIONS_MAX)];

    switch (history__pick(history, 6)) {
    case 0:
        credits_draw(history, course);
        break;
    case 1:
        rule_draw(history, course);
        break;
    case 2:
        section->is_there = false;
        break;
    case 3:
        section_draw(history, section);
        break;
    case 4:
        section->capacity_known = true;
        section->capacity = between(history, 0, 6);
        break;
    default:
        break; /* the same again */
    }
}

void history__student_draw(struct history *history, struct history_student *student)
{
    student->level = between(history, 0, 5);
    student->taken_count = history__pick(history, history->taken_max + 1);
    for (int i = 0; i < student->taken_count; i++) {
        struct history_taken *taken = &student->taken[i];

        taken->institution = history__chance(history, 300000)
                                 ? history__pick(history, history->institution_count)
                                 : MODEL_NONE;
        taken->code = history__pick(history, history->code_count);
        taken->grade = history__chance(history, 300000) ? 0 : between(history, 0, 4) * 100 + 1;
        taken->credits = history__chance(history, 500000) ? 0 : between(history, 1, 8) * 50;
    }
}

static bool is_drawn(const struct history *history, int count, int institution, int term,
                     int code)
{
    for (int i = 0; i < count; i++) {
        const struct history_course *course = &history->courses[i];

        if (course->institution == institution && course->term == term &&
            course->code == code) {
            return true;
        }
    }
    return false;
}

void history__world_draw(struct history *history)
{
    int wanted = (int)between(history, 10, HISTORY_COURSES_MAX);

    history->rule_ppm = between(history, 0, 3) * 200000;
    history->taken_max = history__pick(history, HISTORY_TAKEN_MAX + 1);
    history->institution_count = 1 + history__pick(history, 3);
    history->term_count = 1 + history__pick(history, 2);
    history->code_count = wanted / (history->institution_count * history->term_count) + 3;
    for (int i = 0; i < wanted; i++) {
        int institution = history__pick(history, history->institution_count);
        int term = history__pick(history, history->term_count);
        int code = history__pick(history, history->code_count);
        struct history_course *course = &history->courses[history->course_count];

        if (is_drawn(history, history->course_count, institution, term, code)) {
            continue;
        }
        course->institution = institution;
        course->term = term;
        course->code = code;
        history__course_draw(history, course);
        history->course_count++;
    }
    history->student_count = (int)between(history, 20, HISTORY_STUDENTS_MAX);
    for (int i = 0; i < history->student_count; i++) {
        history->students[i].institution = history__pick(history, history->institution_count);
        history__student_draw(history, &history->students[i]);
    }
}

static Carillon__Section *section_message(struct history *history,
                                          const struct history_section *section, int number)
{
    Carillon__Section *message = history__zero(history, sizeof *message);

    carillon__section__init(message);
    message->id = history__text(history, "S%d", number + 1);
    message->capacity_known = section->capacity_known;
    message->capacity = section->capacity_known ? section->capacity : 0;
    message->meetings = history__zero(history, 2 * sizeof *message->meetings);
    for (int i = 0; i < section->meeting_count; i++) {
        Carillon__Meeting *meeting = history__zero(history, sizeof *meeting);

        carillon__meeting__init(meeting);
        meeting->days = section->meetings[i].days;
        meeting->start_min = section->meetings[i].start_min;
        meeting->end_min = section->meetings[i].end_min;
        message->meetings[message->n_meetings++] = meeting;
    }
    return message;
}

static Carillon__RuleNode *node_message(struct history *history,
                                        const struct history_node *node)
{
    Carillon__RuleNode *message = history__zero(history, sizeof *message);

    carillon__rule_node__init(message);
    message->kind = node->kind;
    message->children = node->children;
    message->count = node->count;
    if (node->kind == CARILLON__RULE_KIND__RULE_COURSE) {
        message->code = history__code(history, node->code);
        message->grade_min = node->grade_min;
        message->concurrent = node->concurrent;
        if (node->institution != MODEL_NONE) {
            message->institution = history__institution(history, node->institution);
        }
    }
    return message;
}

Carillon__Course *history__course_message(struct history *history, int at)
{
    const struct history_course *course = &history->courses[at];
    Carillon__Course *message = history__zero(history, sizeof *message);

    carillon__course__init(message);
    message->institution = history__institution(history, course->institution);
    message->term = history__term(history, course->term);
    message->code = history__code(history, course->code);
    message->title = history__text(history, "Course %d", course->code);
    message->credits_known = course->credits_known;
    message->credits_hundredths = course->credits;
    message->prerequisites =
        history__zero(history, HISTORY_NODES_MAX * sizeof *message->prerequisites);
    for (int i = 0; i < course->node_count; i++) {
        message->prerequisites[message->n_prerequisites++] =
            node_message(history, &course->nodes[i]);
    }
    message->sections =
        history__zero(history, HISTORY_SECTIONS_MAX * sizeof *message->sections);
    for (int i = 0; i < HISTORY_SECTIONS_MAX; i++) {
        if (course->sections[i].is_there) {
            message->sections[message->n_sections++] =
                section_message(history, &course->sections[i], i);
        }
    }
    message->content_hash = rng_next(&history->rng);
    return message;
}

Carillon__Student *history__student_message(struct history *history, int at)
{
    const struct history_student *student = &history->students[at];
    Carillon__Student *message = history__zero(history, sizeof *message);

    carillon__student__init(message);
    message->institution = history__institution(history, student->institution);
    message->token = history__token(history, at);
    message->name = history__text(history, "Name %d", at);
    message->level = student->level;
    message->taken = history__zero(history, HISTORY_TAKEN_MAX * sizeof *message->taken);
    for (int i = 0; i < student->taken_count; i++) {
        const struct history_taken *taken = &student->taken[i];
        Carillon__Taken *item = history__zero(history, sizeof *item);

        carillon__taken__init(item);
        if (taken->institution != MODEL_NONE) {
            item->institution = history__institution(history, taken->institution);
        }
        item->code = history__code(history, taken->code);
        item->grade = taken->grade;
        item->credits_hundredths = taken->credits;
        message->taken[message->n_taken++] = item;
    }
    message->content_hash = rng_next(&history->rng);
    return message;
}
