/* carillon/import_csv_columns.h -- the columns of our CSV files.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "CSV"
 */
#ifndef CARILLON_CARILLON_IMPORT_CSV_COLUMNS_H
#define CARILLON_CARILLON_IMPORT_CSV_COLUMNS_H

enum course_column {
    COURSE_CODE,
    COURSE_TITLE,
    COURSE_CREDITS,
    COURSE_LEVEL,
    COURSE_CAPACITY,
    COURSE_DAYS,
    COURSE_START,
    COURSE_END,
    COURSE_ROOM,
    COURSE_INSTRUCTOR,
    COURSE_PREREQ,
    COURSE_SECTION,
    COURSE_SUBJECT,
    COURSE_NUMBER,
    COURSE_DESCRIPTION,
    COURSE_INSTITUTION,
    COURSE_COLUMN_NR,
};

enum student_column {
    STUDENT_TOKEN,
    STUDENT_NAME,
    STUDENT_LEVEL,
    STUDENT_SEMESTER,
    STUDENT_TAKEN,
    STUDENT_INSTITUTION,
    STUDENT_COLUMN_NR,
};

/* The names, in the order above, ending with NULL. */
extern const char *const import_course_columns[COURSE_COLUMN_NR + 1];
extern const char *const import_student_columns[STUDENT_COLUMN_NR + 1];

#endif
