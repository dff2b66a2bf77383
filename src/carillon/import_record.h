/* carillon/import_record.h -- one record of a file to one message, with every fault reported.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 *
 * Each function returns OK with the message in the context's arena, or ERR_MALFORMED when the
 * report has at least one more refusal than before.
 */
#ifndef CARILLON_CARILLON_IMPORT_RECORD_H
#define CARILLON_CARILLON_IMPORT_RECORD_H

#include "carillon/import_context.h"
#include "carillon/import_csv.h"

struct json_object;
struct json_tokener;

/* Parse one line as a JSON object. @tokener is from import_json_open and reused. @ret_record is
 * released with json_object_put. */
struct json_tokener *import_json_open(void);
void import_json_close(struct json_tokener *tokener);
int import_json_parse(struct import_context *context, struct json_tokener *tokener,
                      struct slice line, struct json_object **ret_record) CHECKED;

/* A record in the shape of docs/spec/import.md, "Courses as JSON Lines". */
int import_course_from_json(struct import_context *context, struct json_object *record,
                            Carillon__Course **ret_course) CHECKED;
int import_student_from_json(struct import_context *context, struct json_object *record,
                             Carillon__Student **ret_student) CHECKED;

/* Read the first row of a CSV file: its column names, by the schema of courses or of students.
 */
int import_csv_header(struct import_context *context, struct slice row, bool is_students,
                      struct csv_header *ret_header) CHECKED;

/* The code in the first cell-to-be of a course's row, for telling where the next course begins;
 * empty when the row cannot be split. */
struct slice import_csv_code(const struct csv_header *header, struct slice row,
                             struct arena *arena);

/* Split a row of a file with @header. Reports what is wrong with it. */
int import_csv_split(struct import_context *context, const struct csv_header *header,
                     struct slice row, struct csv_row *ret_row) CHECKED;

/* All rows of one course; one row of a student. */
int import_course_from_csv(struct import_context *context, const struct csv_header *header,
                           struct slice rows, Carillon__Course **ret_course) CHECKED;
int import_student_from_csv(struct import_context *context, const struct csv_header *header,
                            struct slice row, Carillon__Student **ret_student) CHECKED;

/* What both shapes of a course and of a student have in common: checks across fields, size, and
 * the content hash. */
void import_course_finish(struct import_context *context, Carillon__Course *course);
void import_student_finish(struct import_context *context, Carillon__Student *student);

/* Fields that both shapes share. */
void import_course_set_code(struct import_context *context, Carillon__Course *course,
                            struct slice code);
void import_section_set_capacity(struct import_context *context, Carillon__Section *section,
                                 int64_t capacity);
Carillon__Section *import_course_add_section(struct import_context *context,
                                             Carillon__Course *course);
void import_course_add_instructor(struct import_context *context, Carillon__Course *course,
                                  struct slice name);

/* Add a meeting unless days or times are empty, which is a warning. @context's prefix names the
 * meeting. */
void import_section_add_meeting(struct import_context *context, Carillon__Section *section,
                                struct slice days, struct slice start, struct slice end,
                                struct slice location);

/* A course taken, as a file says it; empty texts where it says nothing. */
struct import_taken {
    struct slice code;
    struct slice institution; /* empty: the student's own */
    struct slice grade;
    uint32_t credits_hundredths;
};

/* Add a course taken; of one that is there already the better grade is kept, which is a
 * warning. */
void import_student_add_taken(struct import_context *context, Carillon__Student *student,
                              const char *field, const struct import_taken *taken);

/* The term that the options say, else the record's own, else the default. */
void import_course_set_term(struct import_context *context, Carillon__Course *course,
                            struct slice own);

/* The record's own institution, or what the options say. */
char *import_institution(struct import_context *context, struct slice own);

#endif
