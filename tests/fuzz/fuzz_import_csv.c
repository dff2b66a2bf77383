/* Whatever a CSV file holds: rows cover it exactly, and each is refused with a finding or
 * becomes a message; a cell that was split off comes back when it is written and split again.
 * The first byte chooses between courses and students. */
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"
#include "carillon/import_csv_columns.h"
#include "carillon/import_record.h"

enum { ARENA_BYTES = 64 << 20, INPUT_BYTES_MAX = 1 << 15 };

/* Write the cells quoted and split them again: the same cells. */
static void check_cells(const struct csv_row *row, struct arena *arena)
{
    struct csv_row again;
    struct buf text;
    int error = OK;

    buf_init(&text, 8 * INPUT_BYTES_MAX);
    for (size_t i = 0; i < row->count; i++) {
        error |= buf_append_text(&text, i > 0 ? ",\"" : "\"");
        for (size_t j = 0; j < row->cells[i].len; j++) {
            uint8_t byte = row->cells[i].data[j];

            error |= byte == '"' ? buf_append_byte(&text, '"') : OK;
            error |= buf_append_byte(&text, byte);
        }
        error |= buf_append_text(&text, "\"");
    }
    ASSERT(error == OK);
    ASSERT(csv_row_split(buf_slice(&text), arena, &again) == OK);
    ASSERT(again.count == row->count);
    for (size_t i = 0; i < row->count; i++) {
        ASSERT(slice_is_equal(again.cells[i], row->cells[i]));
    }
    buf_fini(&text);
}

static void read_rows(struct import_context *context, const struct csv_header *header,
                      struct slice rest, bool is_students)
{
    while (rest.len > 0) {
        size_t length = csv_row_length(rest, true);
        struct slice row = slice_sub(rest, 0, length);
        uint64_t refused = context->report->refused;
        Carillon__Course *course = NULL;
        Carillon__Student *student = NULL;
        struct csv_row cells;

        ASSERT(length > 0 && length <= rest.len);
        rest = slice_sub(rest, length, rest.len);
        if (csv_row_split(row, context->arena, &cells) == OK) {
            check_cells(&cells, context->arena);
        }
        if (csv_row_is_blank(row)) {
            continue;
        }
        int error = is_students ? import_student_from_csv(context, header, row, &student)
                                : import_course_from_csv(context, header, row, &course);

        ASSERT((error == OK) == (context->report->refused == refused));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_report report;
    struct import_context context;
    struct csv_header header;
    struct arena arena;

    if (size == 0 || size > INPUT_BYTES_MAX) {
        return 0;
    }
    bool is_students = (data[0] & 1) != 0;
    struct slice text = slice_from(data + 1, size - 1);
    size_t length = csv_row_length(text, true);

    import_report_init(&report, NULL);
    arena_init(&arena, ARENA_BYTES);
    import_context_init(&context, &arena, &report);
    context.institution_default = "lindenmoor";
    if (length > 0 &&
        import_csv_header(&context, slice_sub(text, 0, length), is_students, &header) == OK) {
        struct slice rest = slice_sub(text, length, text.len);
        Carillon__Course *course = NULL;

        read_rows(&context, &header, rest, is_students);
        /* All rows as those of one course: whatever they say, it is judged as a whole. */
        if (!is_students && rest.len > 0) {
            uint64_t refused = report.refused;

            ASSERT((import_course_from_csv(&context, &header, rest, &course) == OK) ==
                   (report.refused == refused));
        }
    }
    import_context_fini(&context);
    arena_fini(&arena);
    return 0;
}
