#include "base/utf8.h"
#include "carillon/import_csv_columns.h"
#include "carillon/import_record.h"

const char *const import_course_columns[COURSE_COLUMN_NR + 1] = {
    "code",    "title",  "credits",     "level",       "capacity", "days",
    "start",   "end",    "room",        "instructor",  "prereq",   "section",
    "subject", "number", "description", "institution", NULL};

const char *const import_student_columns[STUDENT_COLUMN_NR + 1] = {
    "token", "name", "level", "semester", "taken", "institution", NULL};

static int split(struct import_context *context, struct slice row, struct csv_row *ret_row)
{
    size_t valid = utf8_valid_prefix(row);

    if (valid < row.len) {
        import_find_format(context->report, IMPORT_FOUND_NOT_UTF8, NULL, "at byte %zu",
                           valid + 1);
        return ERR_MALFORMED;
    }
    int error = csv_row_split(row, context->arena, ret_row);

    if (error == ERR_FULL) {
        import_find_format(context->report, IMPORT_FOUND_CSV_CELLS, NULL, "more than %d",
                           CSV_CELLS_MAX);
    } else if (error != OK) {
        import_find(context->report, IMPORT_FOUND_CSV_QUOTE, NULL, SLICE_NONE);
    }
    return error == OK ? OK : ERR_MALFORMED;
}

int import_csv_split(struct import_context *context, const struct csv_header *header,
                     struct slice row, struct csv_row *ret_row)
{
    int error = split(context, row, ret_row);

    if (error == OK && ret_row->count != header->count) {
        import_find_format(context->report, IMPORT_FOUND_CSV_CELLS, NULL, "%zu instead of %zu",
                           ret_row->count, header->count);
        return ERR_MALFORMED;
    }
    return error;
}

/* The schema's columns that name @cell. */
static size_t find_column(const char *const *columns, struct slice cell)
{
    for (size_t i = 0; columns[i] != NULL; i++) {
        if (slice_is_equal(slice_from_text(columns[i]), cell)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void place_column(struct import_context *context, struct csv_header *header,
                         struct slice cell, size_t at)
{
    size_t column = find_column(header->columns, cell);

    if (column == SIZE_MAX) {
        import_find(context->report, IMPORT_FOUND_FIELD_UNKNOWN, "column", cell);
    } else if (header->at[column] != SIZE_MAX) {
        import_find(context->report, IMPORT_FOUND_CSV_COLUMN_TWICE, "column", cell);
    } else {
        header->at[column] = at;
    }
}

int import_csv_header(struct import_context *context, struct slice row, bool is_students,
                      struct csv_header *ret_header)
{
    uint64_t refused = context->report->refused;
    struct csv_header header = {.columns = is_students ? import_student_columns
                                                       : import_course_columns};
    struct csv_row names;

    for (size_t i = 0; i < CSV_CELLS_MAX; i++) {
        header.at[i] = SIZE_MAX;
    }
    if (split(context, row, &names) != OK) {
        return ERR_MALFORMED;
    }
    header.count = names.count;
    for (size_t i = 0; i < names.count; i++) {
        place_column(context, &header, slice_trim(names.cells[i]), i);
    }
    /* A code and a title, or a token: without the rest a file is poor, without these it is
     * another file. */
    size_t needed = is_students ? 1 : 2;

    for (size_t i = 0; i < needed; i++) {
        if (header.at[i] == SIZE_MAX) {
            import_find(context->report, IMPORT_FOUND_CSV_HEADER, "column",
                        slice_from_text(header.columns[i]));
        }
    }
    if (context->report->refused != refused) {
        return ERR_MALFORMED;
    }
    *ret_header = header;
    return OK;
}

struct slice import_csv_code(const struct csv_header *header, struct slice row,
                             struct arena *arena)
{
    struct csv_row cells;

    if (csv_row_split(row, arena, &cells) != OK) {
        return SLICE_NONE;
    }
    return csv_cell(header, &cells, COURSE_CODE);
}
