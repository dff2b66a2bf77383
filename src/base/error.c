#include "base/error.h"

#include <stddef.h>

struct error_row {
    const char *name;
    const char *text;
    int http_status;
    int exit_code;
    bool is_retryable;
};

/* Numbers are dense from 1, so a row's number is its place. Row 0 is success. */
#define ERROR_ROW(name, number, retry, http, exit_code, text)                                  \
    [number] = {#name, text, http, exit_code, retry},
static const struct error_row rows[] = {
    {"OK", "done", 200, EXIT_DONE, false},
    ERROR_TABLE(ERROR_ROW)
};
#undef ERROR_ROW

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct error_row unknown = {"ERR_?", "an unknown error", 500, EXIT_FAILED, false};

static const struct error_row *row_of(int error)
{
    if (error > 0 || error <= -ROWS) {
        return &unknown;
    }
    const struct error_row *row = &rows[-error];
    return row->name == NULL ? &unknown : row;
}

const char *error_name(int error)
{
    return row_of(error)->name;
}

const char *error_text(int error)
{
    return row_of(error)->text;
}

bool error_is_retryable(int error)
{
    return row_of(error)->is_retryable;
}

int error_http_status(int error)
{
    return row_of(error)->http_status;
}

int error_exit_code(int error)
{
    return row_of(error)->exit_code;
}

int error_from_wire(unsigned status)
{
    if (status >= ROWS || rows[status].name == NULL) {
        return ERR_INTERNAL;
    }
    return -(int)status;
}
