#include "carillon/import_csv_columns.h"
#include "carillon/import_record.h"
#include "carillon/import_value.h"
#include "wire/message.h"

/* Rows of one code follow one another. The first says everything about the course. A further
 * row that repeats the title begins another section; one whose title is empty adds a meeting to
 * the section above. Other cells of further rows are empty or repeat the first row's.
 */
struct course_rows {
    struct import_context *context;
    const struct csv_header *header;
    Carillon__Course *course;
    Carillon__Section *section; /* the one that further meetings go to */
    struct csv_row first;       /* the first row, for comparison */
};

static struct slice first_cell(const struct course_rows *rows, size_t column)
{
    return csv_cell(rows->header, &rows->first, column);
}

static void read_credits(struct import_context *context, Carillon__Course *course,
                         struct slice text)
{
    if (text.len == 0) {
        return;
    }
    int error = import_hundredths_parse(text, IMPORT_CREDITS_HUNDREDTHS_MAX,
                                        &course->credits_hundredths);

    course->credits_known = error == OK;
    if (error != OK) {
        uint32_t tenfold = 0;
        struct slice whole;
        struct slice decimals;
        bool has_point = slice_cut(text, '.', &whole, &decimals);
        bool is_fraction =
            has_point && decimals.len > 2 &&
            import_hundredths_parse(slice_sub(text, 0, whole.len + 3),
                                    IMPORT_CREDITS_HUNDREDTHS_MAX, &tenfold) == OK;

        import_context_find(
            context, is_fraction ? IMPORT_FOUND_CREDITS_FRACTION : IMPORT_FOUND_CREDITS_RANGE,
            "credits", text);
    }
}

static void read_capacity(struct import_context *context, Carillon__Section *section,
                          struct slice text)
{
    uint64_t capacity = 0;
    bool is_negative = text.len > 1 && text.data[0] == '-';
    struct slice digits = is_negative ? slice_sub(text, 1, text.len) : text;

    if (text.len == 0) {
        return;
    }
    int error = slice_parse_u64(digits, INT64_MAX, &capacity);

    if (error == ERR_MALFORMED) {
        import_context_find(context, IMPORT_FOUND_FIELD_TYPE, "capacity", text);
        return;
    }
    capacity = error == OK ? capacity : INT64_MAX;
    import_section_set_capacity(context, section,
                                is_negative ? -(int64_t)capacity : (int64_t)capacity);
}

/* Subject and number as the code reads: "CS 101" and "CS101" are CS and 101. */
static void split_code(struct import_context *context, Carillon__Course *course)
{
    struct slice code = slice_from_text(course->code);
    size_t end = 0;

    while (end < code.len && code.data[end] != ' ' &&
           !(code.data[end] >= '0' && code.data[end] <= '9')) {
        end++;
    }
    if (course->subject[0] == '\0') {
        course->subject =
            import_text(context, "subject", slice_sub(code, 0, end), IMPORT_NAME_BYTES_MAX, 0);
    }
    if (course->number[0] == '\0') {
        course->number = import_text(context, "number", slice_sub(code, end, code.len),
                                     IMPORT_NAME_BYTES_MAX, 0);
    }
}

static void read_prereq(struct import_context *context, Carillon__Course *course,
                        struct slice text)
{
    struct import_rule_error detail = {0, ""};

    course->prerequisites_text =
        import_text(context, "prereq", text, IMPORT_PREREQUISITE_BYTES_MAX, IMPORT_TEXT_LINES);
    if (course->prerequisites_text[0] == '\0') {
        return; /* empty, or refused */
    }
    import_rule_init(&context->rule, context->arena);
    int error = import_rule_parse(&context->rule, text, &detail);

    if (error != OK) {
        import_rule_find(context, error, &detail, true);
        return;
    }
    import_rule_store(context, course);
}

static void read_first(struct course_rows *rows)
{
    struct import_context *context = rows->context;
    Carillon__Course *course = rows->course;
    struct slice level = first_cell(rows, COURSE_LEVEL);

    course->institution = import_institution(context, first_cell(rows, COURSE_INSTITUTION));
    import_course_set_term(context, course, SLICE_NONE);
    import_course_set_code(context, course, first_cell(rows, COURSE_CODE));
    course->title = import_text(context, "title", first_cell(rows, COURSE_TITLE),
                                IMPORT_TITLE_BYTES_MAX, 0);
    course->description =
        import_text(context, "description", first_cell(rows, COURSE_DESCRIPTION),
                    IMPORT_DESCRIPTION_BYTES_MAX, IMPORT_TEXT_LINES);
    course->subject = import_text(context, "subject", first_cell(rows, COURSE_SUBJECT),
                                  IMPORT_NAME_BYTES_MAX, 0);
    course->number = import_text(context, "number", first_cell(rows, COURSE_NUMBER),
                                 IMPORT_NAME_BYTES_MAX, 0);
    split_code(context, course);
    read_credits(context, course, first_cell(rows, COURSE_CREDITS));
    if (level.len > 0 && import_level_parse(level, IMPORT_LEVEL_MAX, &course->level) != OK) {
        import_context_find(context, IMPORT_FOUND_LEVEL_RANGE, "level", level);
    }
    read_prereq(context, course, first_cell(rows, COURSE_PREREQ));
}

static void begin_section(struct course_rows *rows, const struct csv_row *row)
{
    struct import_context *context = rows->context;
    struct slice id = csv_cell(rows->header, row, COURSE_SECTION);
    char number[16];

    rows->section = import_course_add_section(context, rows->course);
    snprintf(number, sizeof number, "%zu", rows->course->n_sections);
    rows->section->id =
        import_text(context, "section", id.len > 0 ? id : slice_from_text(number),
                    IMPORT_SECTION_BYTES_MAX, IMPORT_TEXT_REQUIRED);
    read_capacity(context, rows->section, csv_cell(rows->header, row, COURSE_CAPACITY));
}

/* Names separated by semicolons; those that are there already are not added again. */
static void add_instructors(struct course_rows *rows, struct slice names)
{
    Carillon__Course *course = rows->course;
    struct slice name;

    while (names.len > 0) {
        (void)slice_cut(names, ';', &name, &names);
        name = slice_trim(name);
        bool is_known = name.len == 0;

        for (size_t i = 0; i < course->n_instructors && !is_known; i++) {
            is_known = slice_is_equal(name, slice_from_text(course->instructors[i]));
        }
        if (!is_known) {
            import_course_add_instructor(rows->context, course, name);
        }
    }
}

static void compare_with_first(struct course_rows *rows, const struct csv_row *row,
                               bool is_meeting)
{
    static const size_t same[] = {COURSE_TITLE,       COURSE_CREDITS,    COURSE_LEVEL,
                                  COURSE_PREREQ,      COURSE_SUBJECT,    COURSE_NUMBER,
                                  COURSE_DESCRIPTION, COURSE_INSTITUTION};

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct slice cell = csv_cell(rows->header, row, same[i]);

        if (cell.len > 0 && !slice_is_equal(cell, first_cell(rows, same[i]))) {
            import_context_find(rows->context, IMPORT_FOUND_CSV_ROWS_DIFFER,
                                rows->header->columns[same[i]], cell);
        }
    }
    struct slice capacity = csv_cell(rows->header, row, COURSE_CAPACITY);

    if (is_meeting && capacity.len > 0) {
        import_context_find(rows->context, IMPORT_FOUND_CSV_ROWS_DIFFER, "capacity", capacity);
    }
}

static void read_row(struct course_rows *rows, struct slice text, bool is_first)
{
    struct csv_row row;

    if (import_csv_split(rows->context, rows->header, text, &row) != OK) {
        return;
    }
    bool has_title = csv_cell(rows->header, &row, COURSE_TITLE).len > 0;

    if (is_first) {
        rows->first = row;
        read_first(rows);
    } else {
        compare_with_first(rows, &row, !has_title);
    }
    if (is_first || has_title || rows->section == NULL) {
        begin_section(rows, &row);
    }
    struct slice days = csv_cell(rows->header, &row, COURSE_DAYS);
    struct slice start = csv_cell(rows->header, &row, COURSE_START);
    struct slice end = csv_cell(rows->header, &row, COURSE_END);

    if (days.len + start.len + end.len > 0) {
        import_section_add_meeting(rows->context, rows->section, days, start, end,
                                   csv_cell(rows->header, &row, COURSE_ROOM));
    }
    add_instructors(rows, csv_cell(rows->header, &row, COURSE_INSTRUCTOR));
}

static uint64_t count_lines(struct slice text)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    return lines;
}

int import_course_from_csv(struct import_context *context, const struct csv_header *header,
                           struct slice rows, Carillon__Course **ret_course)
{
    uint64_t refused = context->report->refused;
    uint64_t line = context->report->line;
    Carillon__Course *course = arena_alloc(context->arena, sizeof *course);
    struct course_rows reading = {.context = context, .header = header, .course = course};
    bool is_first = true;

    carillon__course__init(course);
    while (rows.len > 0) {
        size_t length = csv_row_length(rows, true);
        struct slice row = slice_sub(rows, 0, length);

        rows = slice_sub(rows, length, rows.len);
        if (!csv_row_is_blank(row)) {
            read_row(&reading, row, is_first);
            is_first = false;
        }
        context->report->line += count_lines(row);
    }
    context->report->line = line;
    if (context->report->refused == refused) {
        import_course_finish(context, course);
    }
    if (context->report->refused != refused) {
        return ERR_MALFORMED;
    }
    *ret_course = course;
    return OK;
}
