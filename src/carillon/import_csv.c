#include "carillon/import_csv.h"

#include "base/assert.h"

size_t csv_row_length(struct slice text, bool is_end_of_file)
{
    bool is_quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"') {
            is_quoted = !is_quoted; /* a doubled mark inside a cell leaves and enters again */
        } else if (text.data[i] == '\n' && !is_quoted) {
            return i + 1;
        }
    }
    return is_end_of_file ? text.len : 0;
}

static struct slice without_line_end(struct slice row)
{
    if (row.len > 0 && row.data[row.len - 1] == '\n') {
        row.len--;
    }
    if (row.len > 0 && row.data[row.len - 1] == '\r') {
        row.len--;
    }
    return row;
}

bool csv_row_is_blank(struct slice row)
{
    return slice_trim(without_line_end(row)).len == 0;
}

/* A quoted cell that begins at @at; stores the place after its closing mark. */
static int take_quoted(struct slice row, size_t at, struct arena *arena, struct slice *ret_cell,
                       size_t *ret_end)
{
    size_t end = at + 1;
    size_t doubled = 0;

    for (; end < row.len; end++) {
        if (row.data[end] != '"') {
            continue;
        }
        if (end + 1 == row.len || row.data[end + 1] != '"') {
            break;
        }
        doubled++;
        end++;
    }
    if (end >= row.len || (end + 1 < row.len && row.data[end + 1] != ',')) {
        return ERR_MALFORMED;
    }
    struct slice inner = slice_sub(row, at + 1, end - at - 1);

    if (doubled > 0) {
        uint8_t *copy = arena_alloc(arena, inner.len);
        size_t len = 0;

        for (size_t i = 0; i < inner.len; i++) {
            copy[len++] = inner.data[i];
            i += inner.data[i] == '"' ? 1 : 0;
        }
        inner = slice_from(copy, len);
    }
    *ret_cell = inner;
    *ret_end = end + 1;
    return OK;
}

static int take_bare(struct slice row, size_t at, struct slice *ret_cell, size_t *ret_end)
{
    size_t end = at;

    while (end < row.len && row.data[end] != ',') {
        if (row.data[end] == '"') {
            return ERR_MALFORMED;
        }
        end++;
    }
    *ret_cell = slice_sub(row, at, end - at);
    *ret_end = end;
    return OK;
}

int csv_row_split(struct slice row, struct arena *arena, struct csv_row *ret_row)
{
    struct slice text = without_line_end(row);
    size_t at = 0;
    size_t count = 0;

    for (;;) {
        size_t end = 0;

        if (count == CSV_CELLS_MAX) {
            return ERR_FULL;
        }
        int error = at < text.len && text.data[at] == '"'
                        ? take_quoted(text, at, arena, &ret_row->cells[count], &end)
                        : take_bare(text, at, &ret_row->cells[count], &end);

        if (error != OK) {
            return error;
        }
        count++;
        if (end >= text.len) {
            ret_row->count = count;
            return OK;
        }
        at = end + 1;
    }
}

struct slice csv_cell(const struct csv_header *header, const struct csv_row *row, size_t column)
{
    ASSERT(column < CSV_CELLS_MAX);
    size_t at = header->at[column];

    return at < row->count ? slice_trim(row->cells[at]) : SLICE_NONE;
}
