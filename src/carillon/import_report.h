/* carillon/import_report.h -- what an import finds wrong or odd: one table row a kind, counted
 * and printed.
 *
 * Layer: carillon     Spec: docs/spec/import.md (a row there for every row here, and tests that
 * hold both together)
 *
 * A finding either refuses its record, and with it the file, or warns and lets it pass. Each is
 * one line:
 *
 *     FILE:LINE: FIELD: WHAT IS WRONG: THE OFFENDING VALUE; WHAT TO DO
 *
 * The first IMPORT_PRINTED_MAX refusals are printed as they are met, then only counted.
 * Warnings are counted by kind, with the first of each kept as an example, and printed one by
 * one only when asked for.
 */
#ifndef CARILLON_CARILLON_IMPORT_REPORT_H
#define CARILLON_CARILLON_IMPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

/* clang-format off */
/*    kind                 id                      severity  what is wrong                                      what to do */
#define IMPORT_FINDINGS(X)                                                                                                    \
    X(EMPTY_FILE,          "empty-file",           REFUSED,  "no record in it",                                 "check that this is the right file; an empty catalogue would remove every course") \
    X(LINE_TOO_LONG,       "line-too-long",        REFUSED,  "longer than 1 MiB",                               "split the record") \
    X(NOT_UTF8,            "not-utf8",             REFUSED,  "bytes that are not UTF-8",                        "save the file as UTF-8") \
    X(NOT_JSON,            "not-json",             REFUSED,  "not a JSON object on one line",                   "correct the line; every line is one object") \
    X(FIELD_MISSING,       "field-missing",        REFUSED,  "not given",                                       "add it") \
    X(FIELD_TYPE,          "field-type",           REFUSED,  "of the wrong type",                               "see docs/spec/import.md for the type of each field") \
    X(FIELD_UNKNOWN,       "field-unknown",        WARNED,   "not a field of ours, ignored",                    "remove it, or correct its name") \
    X(FIELD_EMPTY,         "field-empty",          REFUSED,  "empty",                                           "fill it in") \
    X(FIELD_TOO_LONG,      "field-too-long",       REFUSED,  "too long",                                        "shorten it") \
    X(CONTROL_CHARACTER,   "control-character",    REFUSED,  "a control character in it",                       "remove it") \
    X(REPLACEMENT,         "replacement-character", WARNED,  "a U+FFFD in it, which stands for a character lost before", "correct it at the source") \
    X(CODE_CHARACTER,      "code-character",       REFUSED,  "a code may not contain : # or @",                 "write another character; these three separate the parts of a name") \
    X(CODE_DUPLICATE,      "code-duplicate",       REFUSED,  "the code occurs twice",                           "keep one of the two") \
    X(TOKEN_DUPLICATE,     "token-duplicate",      REFUSED,  "the token occurs twice",                          "keep one of the two") \
    X(TITLE_EMPTY,         "title-empty",          WARNED,   "no title, shown by its code",                     "add a title") \
    X(INSTITUTION_MISSING, "institution-missing",  REFUSED,  "no institution",                                  "add the field, or give --institution") \
    X(INSTITUTION_NAME,    "institution-name",     REFUSED,  "not a short name of small letters, digits and dashes", "write it like lindenmoor or 2027-spring, at most 64 characters") \
    X(INSTITUTION_MIXED,   "institution-mixed",    REFUSED,  "another institution or term than the records before", "split the file, or give --institution or --term") \
    X(CREDITS_RANGE,       "credits-range",        REFUSED,  "not a number of credits from 0 to 100",           "correct it, or leave it out when it is not known") \
    X(CREDITS_FRACTION,    "credits-fraction",     REFUSED,  "credits with more than two decimals",             "round to hundredths") \
    X(LEVEL_RANGE,         "level-range",          REFUSED,  "not a level from 1 to 9",                         "correct it, or leave it out when it is not known") \
    X(SEMESTER_RANGE,      "semester-range",       REFUSED,  "not a semester from 1 to 18",                     "correct it, or leave it out when it is not known") \
    X(CAPACITY_NEGATIVE,   "capacity-negative",    REFUSED,  "a capacity below 0",                              "correct it, or leave it out to mean no limit") \
    X(CAPACITY_ABSURD,     "capacity-absurd",      REFUSED,  "a capacity above 1000000",                        "correct it, or leave it out to mean no limit") \
    X(CAPACITY_SUSPECT,    "capacity-suspect",     WARNED,   "a capacity that looks like \"no limit\", kept as a number", "leave it out to mean no limit") \
    X(SECTION_DUPLICATE,   "section-duplicate",    REFUSED,  "the section occurs twice in this course",         "give each section an id of its own") \
    X(TOO_MANY,            "too-many",             REFUSED,  "too many of them",                                "split the record") \
    X(DAYS_LETTER,         "days-letter",          REFUSED,  "not days written with the letters MTWRFSU",       "write R for Thursday and U for Sunday") \
    X(MEETING_INCOMPLETE,  "meeting-incomplete",   WARNED,   "a meeting without days or times, left out",       "add what is missing, or remove the meeting") \
    X(TIME_FORMAT,         "time-format",          REFUSED,  "not a time of day",                               "write it like 09:50, from 00:00 to 24:00") \
    X(TIME_ORDER,          "time-order",           REFUSED,  "the end is not after the start",                  "correct the times; split a meeting that passes midnight") \
    X(RULE_SHAPE,          "rule-shape",           REFUSED,  "not a prerequisite tree",                         "write {\"and\":[...]}, {\"or\":[...]}, {\"nOf\":[n,...]}, {\"level\":n}, {\"credits\":n}, a code, or {\"course\":CODE,\"grade\":G,\"concurrent\":true}") \
    X(RULE_EMPTY,          "rule-empty",           REFUSED,  "a group of prerequisites without members",        "remove the group, or fill it") \
    X(RULE_COUNT,          "rule-count",           REFUSED,  "n of a group must lie between 1 and the number of its members", "correct n") \
    X(RULE_TOO_LARGE,      "rule-too-large",       REFUSED,  "a tree of more than 256 nodes",                   "simplify it") \
    X(RULE_TOO_DEEP,       "rule-too-deep",        REFUSED,  "a tree more than 16 levels deep",                 "simplify it") \
    X(RULE_SYNTAX,         "rule-syntax",          REFUSED,  "not understood",                                  "see docs/spec/import.md, \"Prerequisites in CSV\"") \
    X(GRADE_UNKNOWN,       "grade-unknown",        REFUSED,  "not a grade",                                     "write A+ to F, grade points from 0 to 4.3, or P for passed") \
    X(PREREQUISITE_UNKNOWN, "prerequisite-unknown", WARNED, "names a course that is not in the file, kept",     "add the course, or correct the code") \
    X(PREREQUISITE_CYCLE,  "prerequisite-cycle",   WARNED,   "the course is, in the end, a prerequisite of itself, kept", "break the circle, or mark a course as concurrent") \
    X(RECORD_TOO_LARGE,    "record-too-large",     REFUSED,  "the record takes more than 60 KiB",               "shorten the description, or split the sections over two courses") \
    X(CSV_HEADER,          "csv-header",           REFUSED,  "a column is missing from the first line",         "the first line names the columns; see docs/spec/import.md") \
    X(CSV_COLUMN_TWICE,    "csv-column-twice",     REFUSED,  "a column is named twice",                         "remove one of them") \
    X(CSV_CELLS,           "csv-cells",            REFUSED,  "another number of cells than the first line",     "quote cells that contain commas") \
    X(CSV_QUOTE,           "csv-quote",            REFUSED,  "a quotation mark out of place",                   "quote the whole cell, and double the quotation marks in it") \
    X(CSV_ROWS_APART,      "csv-rows-apart",       REFUSED,  "rows of one code that do not follow one another", "sort the file by code") \
    X(CSV_ROWS_DIFFER,     "csv-rows-differ",      REFUSED,  "another value than in the first row of this code", "repeat the value, or leave the cell empty") \
    X(TAKEN_TWICE,         "taken-twice",          WARNED,   "a course taken twice, the better grade is kept",  "keep one of the two") \
    X(FILE_CHANGED,        "file-changed",         REFUSED,  "the file changed while it was read",              "run the import again")
/* clang-format on */

enum import_severity { IMPORT_WARNED, IMPORT_REFUSED };

#define IMPORT_FINDING_ENUM(KIND, id, severity, what, advice) IMPORT_FOUND_##KIND,
enum import_finding { IMPORT_FINDINGS(IMPORT_FINDING_ENUM) IMPORT_FINDING_NR };
#undef IMPORT_FINDING_ENUM

enum { IMPORT_PRINTED_MAX = 20, IMPORT_MESSAGE_BYTES_MAX = 480 };

struct import_report {
    FILE *out;        /* where findings go; NULL: they are only counted */
    const char *file; /* the file being read, for people; borrowed */
    uint64_t line;    /* 1-based line where the current record begins; 0: the file as a whole */
    bool show_warnings;
    bool is_muted; /* second reading: everything was said at the first */
    uint64_t refused;
    uint64_t warned;
    uint64_t counts[IMPORT_FINDING_NR];
    char first[IMPORT_FINDING_NR]
              [IMPORT_MESSAGE_BYTES_MAX]; /* the first finding of each kind */
};

/* A report that prints to @out (may be NULL). */
void import_report_init(struct import_report *report, FILE *out);

/* Record a finding about @field (a path such as "sections[2].capacity", or NULL for the record)
 * with the offending value @evidence (may be empty; cut when long; control characters are shown
 * as dots). */
void import_find(struct import_report *report, enum import_finding kind, const char *field,
                 struct slice evidence);

/* The same with the evidence made by printf. */
void import_find_format(struct import_report *report, enum import_finding kind,
                        const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Print what was only counted: refusals beyond the printed ones, and one line for each kind of
 * warning. */
void import_report_summary(const struct import_report *report);

/* The row's id ("code-duplicate") and severity. */
const char *import_finding_id(enum import_finding kind);
enum import_severity import_finding_severity(enum import_finding kind);

#endif
