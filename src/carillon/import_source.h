/* carillon/import_source.h -- where records come from: a file, or anything else that can give
 * them twice.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 *
 * An import reads its records twice: once in order to check them all, then again, one at a
 * time, those that must be sent. Memory therefore holds one record and an index, never the
 * file. A source that is not a file (a generator of a benchmark) fills in the two functions and
 * embeds this struct.
 */
#ifndef CARILLON_CARILLON_IMPORT_SOURCE_H
#define CARILLON_CARILLON_IMPORT_SOURCE_H

#include "carillon/import_context.h"
#include "carillon/import_csv.h"

/* Where a record stands in its source. */
struct import_unit {
    uint64_t offset; /* of a file: bytes; of others: as they like */
    uint32_t bytes;
    uint64_t line; /* 1-based, for messages */
};

struct import_record {
    struct import_unit unit;
    Carillon__Course *course; /* exactly one of the two, in the context's arena */
    Carillon__Student *student;
};

struct import_source {
    const char *name; /* for people and for the node's record */
    bool is_students;
    bool groups_rows; /* a record is several rows of one code */

    /* Read the next record. Resets the context's arena. Errors: ERR_EOF no more; ERR_MALFORMED
     * the record was refused and reported, go on; any other ends the import, and was reported.
     */
    int (*next)(struct import_source *source, struct import_context *context,
                struct import_record *ret_record);

    /* Read the record at @unit again, into the context's arena without resetting it. Errors: as
     * above. */
    int (*load)(struct import_source *source, struct import_context *context,
                const struct import_unit *unit, struct import_record *ret_record);
};

struct json_tokener;

/* A file of JSON Lines, or of CSV when its name ends with .csv. */
struct import_file {
    struct import_source source;
    struct json_tokener *tokener;
    int fd;
    bool is_csv;
    bool is_ended; /* everything was read into the window */
    bool is_begun;
    struct buf window;
    size_t at;       /* how much of the window is consumed */
    uint64_t offset; /* of the first byte not consumed, in the file */
    uint64_t line;   /* of that byte */
    uint64_t bytes;    /* size of the file, for the progress bar */
    struct buf again;  /* bytes of a record read a second time */
    struct csv_header header;
};

/* Open @path. Errors: ERR_IO, reported. */
int import_file_open(struct import_file *file, const char *path, bool is_students,
                     struct import_report *report) CHECKED;
void import_file_close(struct import_file *file);

#endif
