#include "carillon/import_record.h"

#include "carillon/import_value.h"

/* The better of two grades for a rule: "passed" (0) satisfies any, else the higher one. */
static uint32_t better_grade(uint32_t a, uint32_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

static bool is_same_course(const Carillon__Taken *a, const Carillon__Taken *b)
{
    return strcmp(a->code, b->code) == 0 && strcmp(a->institution, b->institution) == 0;
}

void import_student_add_taken(struct import_context *context, Carillon__Student *student,
                              const char *field, const struct import_taken *taken)
{
    Carillon__Taken *message = arena_alloc(context->arena, sizeof *message);
    struct slice grade = slice_trim(taken->grade);

    carillon__taken__init(message);
    message->code =
        import_text(context, field, taken->code, IMPORT_CODE_BYTES_MAX, IMPORT_TEXT_REQUIRED);
    message->institution =
        import_text(context, "institution", taken->institution, IMPORT_SLUG_BYTES_MAX, 0);
    message->credits_hundredths = taken->credits_hundredths;
    if (grade.len > 0 && import_grade_parse(grade, &message->grade) != OK) {
        import_context_find(context, IMPORT_FOUND_GRADE_UNKNOWN, field, grade);
    }
    for (size_t i = 0; i < student->n_taken; i++) {
        Carillon__Taken *other = student->taken[i];

        if (is_same_course(other, message)) {
            import_context_find(context, IMPORT_FOUND_TAKEN_TWICE, field,
                                slice_from_text(message->code));
            other->grade = better_grade(other->grade, message->grade);
            return;
        }
    }
    student->taken = import_append(context->arena, student->taken, &student->n_taken, message);
}
