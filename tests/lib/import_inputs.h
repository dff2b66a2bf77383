/* tests/lib/import_inputs.h -- the inputs of the table "Cases" of docs/spec/import.md as files.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_IMPORT_INPUTS_H
#define CARILLON_TESTS_IMPORT_INPUTS_H

#include <stdbool.h>
#include <stdio.h>

/* A row's first three cells. */
struct import_input {
    const char *id;
    const char *kind; /* course, student, lines, csv, csv students, rule, made */
    const char *text;
};

/* Write the file that the row describes. */
void import_input_put(FILE *out, const struct import_input *input);

/* ".jsonl" or ".csv". */
const char *import_input_ending(const struct import_input *input);

bool import_input_is_students(const struct import_input *input);

/* The ids of the rows whose input is built here instead of written there; NULL past the end. */
const char *import_input_made(size_t index);

#endif
