/* carillon/import_limits.h -- how large a record and its parts may be.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "Limits"
 */
#ifndef CARILLON_CARILLON_IMPORT_LIMITS_H
#define CARILLON_CARILLON_IMPORT_LIMITS_H

#define IMPORT_TERM_DEFAULT "current"

enum {
    IMPORT_LINE_BYTES_MAX = 1 << 20, /* one line of JSON, or the CSV rows of one course */
    IMPORT_TITLE_BYTES_MAX = 1024,
    IMPORT_DESCRIPTION_BYTES_MAX = 48 << 10,
    IMPORT_PREREQUISITE_BYTES_MAX = 16 << 10, /* as published, or in the grammar */
    IMPORT_CODE_BYTES_MAX = 128,
    IMPORT_NAME_BYTES_MAX = 256, /* subjects, numbers, places, people, sources */
    IMPORT_SECTION_BYTES_MAX = 64,
    IMPORT_SLUG_BYTES_MAX = 64, /* institutions and terms */
    IMPORT_TOKEN_BYTES_MAX = 64,
    IMPORT_SECTIONS_MAX = 400,
    IMPORT_MEETINGS_MAX = 64, /* of one section */
    IMPORT_INSTRUCTORS_MAX = 512,
    IMPORT_TAKEN_MAX = 512,
    IMPORT_RULE_NODES_MAX = 256,
    IMPORT_RULE_DEPTH_MAX = 16,
    IMPORT_LEVEL_MAX = 9,
    IMPORT_SEMESTER_MAX = 18,
    IMPORT_CREDITS_HUNDREDTHS_MAX = 10000,
    IMPORT_CREDITS_RULE_HUNDREDTHS_MAX = 100000, /* "credits >= 1000" */
    IMPORT_CAPACITY_MAX = 1000000,
    IMPORT_CAPACITY_SUSPECT = 9999,     /* what systems write that cannot say "no limit" */
    IMPORT_RECORD_BYTES_MAX = 60 << 10, /* packed; a chunk must hold at least one */
    IMPORT_CHUNK_BYTES_MAX = 64 << 10,  /* of one record; others are filled to */
    IMPORT_CHUNK_BYTES = 16 << 10,      /* this: registrations wait while the node applies one */
    IMPORT_RECORDS_MAX = 1000000, /* of one file */
    IMPORT_MINUTES_A_DAY = 1440,
};

#endif
