/* A history, line by line. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/lib/witness_private.h"

enum { LINE_BYTES = 65536, WORDS_MAX = 4096, COURSES_DEFAULT = 5, PLACES_DEFAULT = 500 };

bool witness__wrong(struct witness_history *history, enum witness_kind kind, int line,
                    const char *format, ...)
{
    va_list values;

    if (history->result->kind == WITNESS_GOOD) {
        history->result->kind = kind;
        history->result->line = line;
        va_start(values, format);
        (void)vsnprintf(history->result->text, sizeof history->result->text, format, values);
        va_end(values);
    }
    return false;
}

bool witness__number(const char *text, uint64_t most, uint64_t *ret_number)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_number = strtoull(text, &end, 10);
    return *end == '\0' && *ret_number <= most;
}

/* ---- the catalogue ---- */

static int course_put(struct witness_history *history, const char *code)
{
    int before = history->courses.count;
    int number = witness__name_put(&history->courses, code);

    if (history->courses.count > before) {
        history->course_rows = realloc(history->course_rows, (size_t)history->courses.count *
                                                                 sizeof *history->course_rows);
        ASSERT(history->course_rows != NULL);
        history->course_rows[number] = (struct witness_course){0};
    }
    return number;
}

static bool parse_leaf(struct witness_history *history, int course, const char *kind,
                       const char *value)
{
    struct witness_leaf leaf = {.kind = WITNESS_NEEDS};
    uint64_t level = 0;

    if (strcmp(kind, "level") == 0) {
        if (!witness__number(value, 100000, &level)) {
            return false;
        }
        leaf = (struct witness_leaf){.kind = WITNESS_LEVEL, .level = (uint32_t)level};
    } else if (strcmp(kind, "needs") == 0 || strcmp(kind, "with") == 0) {
        leaf.kind = kind[0] == 'n' ? WITNESS_NEEDS : WITNESS_WITH;
        leaf.course = course_put(history, value);
    } else {
        return false;
    }
    struct witness_course *row = &history->course_rows[course];
    if (row->leaf_count == WITNESS_LEAVES_MAX) {
        return false;
    }
    row->leaves[row->leaf_count++] = leaf;
    return true;
}

static bool parse_course(struct witness_history *history, char **words, int count)
{
    uint64_t credits = 0;

    if (count < 2 || count % 2 != 0 ||
        (strcmp(words[1], "unknown") != 0 && !witness__number(words[1], 1000000, &credits))) {
        return false;
    }
    int course = course_put(history, words[0]);
    history->course_rows[course].credits = (uint32_t)credits;
    for (int i = 2; i < count; i += 2) {
        if (!parse_leaf(history, course, words[i], words[i + 1])) {
            return false;
        }
    }
    return true;
}

static bool parse_meeting(const char *word, struct witness_section *section)
{
    unsigned days = 0;
    unsigned start = 0;
    unsigned end = 0;

    if (section->meeting_count == WITNESS_MEETINGS_MAX ||
        sscanf(word, "%u:%u-%u", &days, &start, &end) != 3 || start >= end) {
        return false;
    }
    section->meetings[section->meeting_count++] = (struct witness_meeting){days, start, end};
    return true;
}

static bool parse_section(struct witness_history *history, char **words, int count)
{
    struct witness_section section = {.capacity = WITNESS_UNLIMITED};
    char code[WITNESS_NAME_BYTES];
    uint64_t capacity = 0;
    int before = history->sections.count;

    if (count < 2 || before == WITNESS_SECTIONS_MAX || strchr(words[0], '#') == NULL) {
        return false;
    }
    if (strcmp(words[1], "none") != 0) {
        if (!witness__number(words[1], 1000000, &capacity)) {
            return false;
        }
        section.capacity = (uint32_t)capacity;
    }
    (void)snprintf(code, sizeof code, "%.*s", (int)strcspn(words[0], "#"), words[0]);
    section.course = course_put(history, code);
    for (int i = 2; i < count; i++) {
        if (!parse_meeting(words[i], &section)) {
            return false;
        }
    }
    int number = witness__name_put(&history->sections, words[0]);
    history->section_rows[number] = section;
    return history->sections.count > before;
}

static bool parse_student(struct witness_history *history, char **words, int count)
{
    struct witness_student student = {0};
    uint64_t level = 0;

    if (count % 2 != 1 || history->students.count == WITNESS_STUDENTS_MAX) {
        return false;
    }
    for (int i = 1; i < count; i += 2) {
        if (strcmp(words[i], "level") == 0 && witness__number(words[i + 1], 100000, &level)) {
            student.level = (uint32_t)level;
        } else if (strcmp(words[i], "taken") == 0 && student.taken_count < WITNESS_TAKEN_MAX) {
            student.taken[student.taken_count++] = course_put(history, words[i + 1]);
        } else {
            return false;
        }
    }
    history->student_rows[witness__name_put(&history->students, words[0])] = student;
    return true;
}

static bool parse_limits(struct witness_history *history, char **words, int count)
{
    uint64_t number = 0;

    for (int i = 0; i < 3 && count == 3; i++) {
        if (!witness__number(words[i], 1000000, &number)) {
            return false;
        }
        history->limits[i] = (uint32_t)number;
    }
    return count == 3;
}

static bool parse_shards(struct witness_history *history, char **words, int count)
{
    uint64_t number = 0;

    if (count != 1 || !witness__number(words[0], WITNESS_GROUPS_MAX - 1, &number)) {
        return false;
    }
    history->shards = (uint32_t)number;
    return true;
}

static bool parse_cluster(struct witness_history *history, char **words, int count)
{
    if (count == 1) {
        (void)snprintf(history->cluster, sizeof history->cluster, "%s", words[0]);
    }
    return count == 1;
}

/* ---- what happened ---- */

static void event_add(struct witness_history *history, int call, bool is_answer)
{
    history->events = witness__grow(history->events, history->event_count, &history->event_room,
                                    sizeof *history->events);
    history->events[history->event_count++] = (struct witness_event){call, is_answer};
}

static bool call_line(struct witness_history *history, int line, char **words, int count)
{
    int number = history->call_count;

    if (count < 3 || witness__name_put(&history->ids, words[0]) != number) {
        return false;
    }
    history->calls = witness__grow(history->calls, history->call_count, &history->call_room,
                                   sizeof *history->calls);
    struct witness_call *call = &history->calls[history->call_count++];
    *call = (struct witness_call){.line = line,
                                  .key = WITNESS_NONE,
                                  .student = WITNESS_NONE,
                                  .section = WITNESS_NONE,
                                  .word = WITNESS_NONE};
    if (strcmp(words[1], "-") != 0) {
        call->key = witness__name_put(&history->keys, words[1]);
    }
    event_add(history, number, false);
    return witness__parse_call(history, call, words + 2, count - 2);
}

static bool done_line(struct witness_history *history, int line, char **words, int count)
{
    int number = count < 2 ? WITNESS_NONE : witness__name_find(&history->ids, words[0]);

    if (number == WITNESS_NONE || history->calls[number].answer.line != 0) {
        return false;
    }
    event_add(history, number, true);
    return witness__parse_answer(history, &history->calls[number], line, words + 1, count - 1);
}

static bool parse_words(struct witness_history *history, int line, char **words, int count)
{
    static const struct {
        const char *name;
        bool (*parse)(struct witness_history *history, char **words, int count);
    } heads[] = {
        {"cluster", parse_cluster},
        {"course",  parse_course },
        {"section", parse_section},
        {"student", parse_student},
        {"limits",  parse_limits },
        {"shards",  parse_shards },
    };

    if (strcmp(words[0], "call") == 0) {
        return call_line(history, line, words + 1, count - 1);
    }
    if (strcmp(words[0], "done") == 0) {
        return done_line(history, line, words + 1, count - 1);
    }
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (strcmp(words[0], heads[i].name) == 0) {
            return history->call_count == 0 && count > 1 &&
                   heads[i].parse(history, words + 1, count - 1);
        }
    }
    return false;
}

static bool parse_line(struct witness_history *history, int number, const char *text,
                       size_t len)
{
    static char line[LINE_BYTES];
    static char *words[WORDS_MAX];
    char *rest = NULL;
    int count = 0;

    if (len >= sizeof line) {
        return witness__wrong(history, WITNESS_FORMAT, number, "the line is too long");
    }
    memcpy(line, text, len);
    line[len] = '\0';
    for (char *word = strtok_r(line, " ", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        if (strlen(word) >= WITNESS_NAME_BYTES && strchr(word, '~') == NULL) {
            return witness__wrong(history, WITNESS_FORMAT, number, "%s is too long", word);
        }
        words[count++] = word;
    }
    if (count == 0 || words[0][0] == '#') {
        return true;
    }
    if (!parse_words(history, number, words, count)) {
        return witness__wrong(history, WITNESS_FORMAT, number, "not a line of a history");
    }
    return true;
}

bool witness__parse(struct witness_history *history, const char *text, size_t len)
{
    int number = 0;

    history->limits[0] = COURSES_DEFAULT;
    history->limits[2] = PLACES_DEFAULT;
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end != NULL ? (size_t)(end - text) : len;

        if (!parse_line(history, ++number, text, line)) {
            return false;
        }
        line += end != NULL;
        text += line;
        len -= line;
    }
    return true;
}

void witness__history_fini(struct witness_history *history)
{
    witness__names_fini(&history->courses);
    witness__names_fini(&history->sections);
    witness__names_fini(&history->students);
    witness__names_fini(&history->keys);
    witness__names_fini(&history->ids);
    witness__names_fini(&history->words);
    free(history->course_rows);
    free(history->calls);
    free(history->events);
    free(history->items);
}
