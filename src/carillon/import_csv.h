/* carillon/import_csv.h -- RFC 4180: rows, cells, and the header that names the columns.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "CSV"
 *
 * Cells are separated by commas; a cell in quotation marks may hold commas, line breaks and
 * doubled quotation marks. Rows end with LF or CRLF. The first row names the columns, in any
 * order; a byte order mark before it is skipped.
 */
#ifndef CARILLON_CARILLON_IMPORT_CSV_H
#define CARILLON_CARILLON_IMPORT_CSV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

enum { CSV_CELLS_MAX = 32 };

/* The cells of a row, unquoted. */
struct csv_row {
    struct slice cells[CSV_CELLS_MAX];
    size_t count;
};

/* Where each column of a schema stands in the file. */
struct csv_header {
    const char *const *columns; /* the schema's names, ending with NULL */
    size_t at[CSV_CELLS_MAX]; /* by schema column: index of its cell, SIZE_MAX when the file has
                                 none */
    size_t count;             /* cells of the first row, and so of every row */
};

/* The length of the first row of @text with its line end, or 0 when it does not end in @text;
 * at the end of the file the rest is a row. */
size_t csv_row_length(struct slice text, bool is_end_of_file);

/* Whether the row is empty but for its line end. */
bool csv_row_is_blank(struct slice row);

/* Split @row into cells; quoted ones that need it are rewritten into @arena, others borrow from
 * @row. Errors: ERR_MALFORMED a quotation mark out of place; ERR_FULL more than CSV_CELLS_MAX
 * cells. */
int csv_row_split(struct slice row, struct arena *arena, struct csv_row *ret_row) CHECKED;

/* The cell of schema column @column, trimmed; empty when the file has no such column. */
struct slice csv_cell(const struct csv_header *header, const struct csv_row *row,
                      size_t column);

#endif
