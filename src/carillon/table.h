/* carillon/table.h -- tables: aligned columns with headings on a terminal, tab-separated text
 * when piped.
 *
 * Layer: carillon
 *
 * Cells are texts that outlive the table. On a terminal wide characters take two columns,
 * control characters are shown as dots, and the column marked as flexible is cut so that a row
 * fits the width. Piped, there are no headings and nothing is cut; tabs and line breaks in
 * cells become spaces.
 */
#ifndef CARILLON_CARILLON_TABLE_H
#define CARILLON_CARILLON_TABLE_H

#include "carillon/cli.h"

enum { TABLE_COLUMNS_MAX = 12 };

struct table_column {
    const char *heading;
    bool is_right;    /* numbers */
    bool is_flexible; /* cut when the terminal is narrow */
};

struct table {
    struct cli *cli;
    const struct table_column *columns;
    size_t column_count;
    const char **cells; /* row after row */
    size_t count;
    size_t cap;
    size_t width_max; /* columns of the terminal */
};

/* A table for cli->out; @columns is borrowed. */
void table_init(struct table *table, struct cli *cli, const struct table_column *columns,
                size_t column_count);

/* Add the next cell (NULL shows as empty); after column_count cells a row is full. */
void table_add(struct table *table, const char *cell);
void table_add_format(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print what was added. Nothing is printed for a table without rows. */
void table_print(struct table *table);

/* Write @text without control characters; U+0002 and U+0003 (marks of a match) become bold on
 * and off. */
void text_print(struct cli *cli, const char *text);

/* Write @text broken into lines of the terminal's width, each after @indent spaces. */
void text_print_wrapped(struct cli *cli, const char *text, size_t indent);

#endif
