#include "carillon/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/utf8.h"

enum { WIDTH_DEFAULT = 100, GAP = 2, FLEXIBLE_MIN = 12, MARK_ON = 2, MARK_OFF = 3 };

static size_t terminal_width(const struct cli *cli)
{
    struct winsize size;

    if (cli->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
        return size.ws_col;
    }
    return WIDTH_DEFAULT;
}

void table_init(struct table *table, struct cli *cli, const struct table_column *columns,
                size_t column_count)
{
    ASSERT(column_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.cli = cli,
                            .columns = columns,
                            .column_count = column_count,
                            .width_max = terminal_width(cli)};
}

void table_add(struct table *table, const char *cell)
{
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 64 : table->cap * 2;

        table->cells =
            arena_grow(&table->cli->arena, table->cells, sizeof *table->cells, table->cap, cap);
        table->cap = cap;
    }
    table->cells[table->count++] = cell == NULL ? "" : cell;
}

void table_add_format(struct table *table, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    table_add(table, cli_format(table->cli, "%s", text));
}

static bool is_mark(uint8_t byte)
{
    return byte == MARK_ON || byte == MARK_OFF;
}

/* Columns of @text on the terminal: marks take none, other control characters one. */
static size_t columns_of(const char *text)
{
    struct slice s = slice_from_text(text);
    size_t columns = utf8_columns(s);

    for (size_t i = 0; i < s.len; i++) {
        if (is_mark(s.data[i]) && utf8_columns(slice_sub(s, i, 1)) > 0) {
            columns--;
        } else if (s.data[i] < 0x20 && !is_mark(s.data[i]) &&
                   utf8_columns(slice_sub(s, i, 1)) == 0) {
            columns++;
        }
    }
    return columns;
}

/* Write at most @columns_max columns of @text; returns the columns written. */
static size_t print_cut(struct cli *cli, const char *text, size_t columns_max)
{
    struct slice s = slice_from_text(text);
    bool is_cut = columns_of(text) > columns_max;
    size_t room = is_cut && columns_max > 0 ? columns_max - 1 : columns_max;
    size_t written = 0;

    for (size_t at = 0, len = 0; at < s.len; at += len) {
        (void)utf8_decode(s, at, &len);
        struct slice one = slice_sub(s, at, len);
        bool is_control = s.data[at] < 0x20 || s.data[at] == 0x7f;
        size_t columns = is_control ? 1 : utf8_columns(one);

        if (is_mark(s.data[at])) {
            fputs(s.data[at] == MARK_ON ? cli_style(cli, STYLE_BOLD) : cli_style_end(cli),
                  cli->out);
            continue;
        }
        if (written + columns > room) {
            break;
        }
        if (is_control) {
            fputc(s.data[at] == '\t' || s.data[at] == '\n' || s.data[at] == '\r' ? ' ' : '.',
                  cli->out);
        } else {
            fwrite(one.data, 1, one.len, cli->out);
        }
        written += columns;
    }
    if (is_cut && columns_max > 0) {
        fprintf(cli->out, "%s…", cli_style_end(cli));
        written++;
    }
    return written;
}

void text_print(struct cli *cli, const char *text)
{
    (void)print_cut(cli, text, SIZE_MAX);
}

static void pad(struct cli *cli, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        fputc(' ', cli->out);
    }
}

static void print_cell(const struct table *table, size_t column, const char *cell, size_t width)
{
    size_t columns = columns_of(cell);
    size_t missing = columns < width ? width - columns : 0;
    bool is_last = column + 1 == table->column_count;

    if (table->columns[column].is_right) {
        pad(table->cli, missing);
    }
    (void)print_cut(table->cli, cell, width);
    if (!table->columns[column].is_right && !is_last) {
        pad(table->cli, missing);
    }
    if (!is_last) {
        pad(table->cli, GAP);
    }
}

/* The width of each column: its widest cell, the flexible one cut to what is left. */
static void measure(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
    size_t total = 0;
    size_t flexible = SIZE_MAX;

    for (size_t column = 0; column < table->column_count; column++) {
        widths[column] = columns_of(table->columns[column].heading);
        for (size_t i = column; i < table->count; i += table->column_count) {
            size_t columns = columns_of(table->cells[i]);

            widths[column] = columns > widths[column] ? columns : widths[column];
        }
        total += widths[column] + (column > 0 ? GAP : 0);
        flexible = table->columns[column].is_flexible ? column : flexible;
    }
    if (flexible != SIZE_MAX && total > table->width_max) {
        size_t excess = total - table->width_max;

        widths[flexible] = widths[flexible] > excess + FLEXIBLE_MIN ? widths[flexible] - excess
                           : widths[flexible] < FLEXIBLE_MIN        ? widths[flexible]
                                                                    : FLEXIBLE_MIN;
    }
}

static void print_aligned(const struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];

    measure(table, widths);
    fputs(cli_style(table->cli, STYLE_BOLD), table->cli->out);
    for (size_t column = 0; column < table->column_count; column++) {
        print_cell(table, column, table->columns[column].heading, widths[column]);
    }
    fprintf(table->cli->out, "%s\n", cli_style_end(table->cli));
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->column_count;

        print_cell(table, column, table->cells[i], widths[column]);
        if (column + 1 == table->column_count) {
            fputc('\n', table->cli->out);
        }
    }
}

void table_print(struct table *table)
{
    ASSERT(table->count % table->column_count == 0);
    if (table->count == 0) {
        return;
    }
    if (table->cli->is_terminal) {
        print_aligned(table);
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        text_print(table->cli, table->cells[i]);
        fputc((i + 1) % table->column_count == 0 ? '\n' : '\t', table->cli->out);
    }
}

void text_print_wrapped(struct cli *cli, const char *text, size_t indent)
{
    size_t width = terminal_width(cli);
    size_t used = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " \n\r\t");
        char *word = cli_format(cli, "%.*s", (int)len, text);
        size_t columns = columns_of(word);

        if (used > 0 && used + 1 + columns > width) {
            fputc('\n', cli->out);
            used = 0;
        }
        if (len > 0) {
            pad(cli, used == 0 ? indent : 1);
            used += used == 0 ? indent : 1;
            (void)print_cut(cli, word, SIZE_MAX);
            used += columns;
        }
        text += len;
        text += strspn(text, " \n\r\t");
    }
    fputc('\n', cli->out);
}
