#include "carillon/import_csv_columns.h"
#include "carillon/import_record.h"
#include "carillon/import_value.h"

/* "CS101=A-; MATH120; lindenmoor:PHYS 110=3.7": codes separated by semicolons, each with its
 * grade if there is one. */
static void read_taken(struct import_context *context, Carillon__Student *student,
                       struct slice text)
{
    for (size_t i = 0; text.len > 0; i++) {
        struct import_taken taken = {.grade = SLICE_NONE};
        struct slice item;
        struct slice institution;
        struct slice code;

        (void)slice_cut(text, ';', &item, &text);
        item = slice_trim(item);
        if (item.len == 0) {
            continue;
        }
        import_context_enter(context, "taken", i);
        (void)slice_cut(item, '=', &taken.code, &taken.grade);
        if (slice_cut(taken.code, ':', &institution, &code) &&
            import_is_slug(slice_trim(institution))) {
            taken.institution = institution;
            taken.code = code;
        }
        import_student_add_taken(context, student, "course", &taken);
    }
    context->prefix[0] = '\0';
}

static void read_level(struct import_context *context, Carillon__Student *student,
                       struct slice level, struct slice semester)
{
    uint64_t number = 0;

    if (level.len > 0 && import_level_parse(level, IMPORT_LEVEL_MAX, &student->level) != OK) {
        import_context_find(context, IMPORT_FOUND_LEVEL_RANGE, "level", level);
    }
    if (semester.len == 0) {
        return;
    }
    if (slice_parse_u64(semester, IMPORT_SEMESTER_MAX, &number) != OK || number == 0) {
        import_context_find(context, IMPORT_FOUND_SEMESTER_RANGE, "semester", semester);
    } else if (student->level == 0) {
        student->level = import_level_of_semester((uint32_t)number);
    }
}

int import_student_from_csv(struct import_context *context, const struct csv_header *header,
                            struct slice row, Carillon__Student **ret_student)
{
    uint64_t refused = context->report->refused;
    Carillon__Student *student = arena_alloc(context->arena, sizeof *student);
    struct csv_row cells;

    carillon__student__init(student);
    if (import_csv_split(context, header, row, &cells) != OK) {
        return ERR_MALFORMED;
    }
    student->institution =
        import_institution(context, csv_cell(header, &cells, STUDENT_INSTITUTION));
    student->token = import_text(context, "token", csv_cell(header, &cells, STUDENT_TOKEN),
                                 IMPORT_TOKEN_BYTES_MAX, IMPORT_TEXT_REQUIRED);
    student->name = import_text(context, "name", csv_cell(header, &cells, STUDENT_NAME),
                                IMPORT_NAME_BYTES_MAX, 0);
    read_level(context, student, csv_cell(header, &cells, STUDENT_LEVEL),
               csv_cell(header, &cells, STUDENT_SEMESTER));
    read_taken(context, student, csv_cell(header, &cells, STUDENT_TAKEN));
    import_student_finish(context, student);
    if (context->report->refused != refused) {
        return ERR_MALFORMED;
    }
    *ret_student = student;
    return OK;
}
