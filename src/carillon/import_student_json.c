#include "carillon/import_json.h"
#include "carillon/import_record.h"
#include "carillon/import_value.h"

static void read_institution(struct import_context *context, void *message, const char *name,
                             struct json_object *value)
{
    Carillon__Student *student = message;

    student->institution = import_institution(context, import_json_text(context, name, value));
}

static void read_level(struct import_context *context, void *message, const char *name,
                       struct json_object *value)
{
    Carillon__Student *student = message;

    import_json_number(context, name, value, IMPORT_LEVEL_MAX, IMPORT_FOUND_LEVEL_RANGE,
                       &student->level);
}

/* A level that is given as well wins over the one the semester says. */
static void read_semester(struct import_context *context, void *message, const char *name,
                          struct json_object *value)
{
    Carillon__Student *student = message;
    uint32_t semester = 0;

    if (import_json_number(context, name, value, IMPORT_SEMESTER_MAX,
                           IMPORT_FOUND_SEMESTER_RANGE, &semester) &&
        student->level == 0) {
        student->level = import_level_of_semester(semester);
    }
}

/* An element of "taken" is gathered before it is judged: its grade may stand before its code.
 */
static void read_taken_text(struct import_context *context, void *message, const char *name,
                            struct json_object *value)
{
    struct import_taken *taken = message;

    switch (name[0]) {
    case 'c':
        taken->code = import_json_text(context, name, value);
        break;
    case 'i':
        taken->institution = import_json_text(context, name, value);
        break;
    default:
        /* A grade may be a number of points; json-c keeps it as it was written. */
        taken->grade = slice_from_text(json_object_get_string(value));
        break;
    }
}

static void read_taken_credits(struct import_context *context, void *message, const char *name,
                               struct json_object *value)
{
    struct import_taken *taken = message;

    import_json_credits(context, name, value, &taken->credits_hundredths);
}

static void read_taken_object(struct import_context *context, Carillon__Student *student,
                              struct json_object *value)
{
    static const struct import_json_field fields[] = {
        IMPORT_JSON_READ("course", false, read_taken_text),
        IMPORT_JSON_READ("code", false, read_taken_text),
        IMPORT_JSON_READ("institution", false, read_taken_text),
        IMPORT_JSON_READ("grade", false, read_taken_text),
        IMPORT_JSON_READ("credits", false, read_taken_credits),
        IMPORT_JSON_END,
    };
    struct import_taken taken = {SLICE_NONE, SLICE_NONE, SLICE_NONE, 0};

    import_json_read(context, fields, value, &taken);
    import_student_add_taken(context, student, "course", &taken);
}

static void read_taken(struct import_context *context, void *message, const char *name,
                       struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array)) {
        import_json_type(context, name, "list", value);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);

        import_context_enter(context, name, i);
        if (json_object_is_type(item, json_type_object)) {
            read_taken_object(context, message, item);
        } else {
            struct import_taken taken = {.code = import_json_text(context, "course", item)};

            import_student_add_taken(context, message, "course", &taken);
        }
    }
    context->prefix[0] = '\0';
}

int import_student_from_json(struct import_context *context, struct json_object *record,
                             Carillon__Student **ret_student)
{
    static const struct import_json_field fields[] = {
        IMPORT_JSON_READ("institution", false, read_institution),
        IMPORT_JSON_TEXT("token", true, Carillon__Student, token, IMPORT_TOKEN_BYTES_MAX,
                         IMPORT_TEXT_REQUIRED),
        IMPORT_JSON_TEXT("name", false, Carillon__Student, name, IMPORT_NAME_BYTES_MAX, 0),
        IMPORT_JSON_READ("level", false, read_level),
        IMPORT_JSON_READ("semester", false, read_semester),
        IMPORT_JSON_READ("taken", false, read_taken),
        IMPORT_JSON_END,
    };
    uint64_t refused = context->report->refused;
    Carillon__Student *student = arena_alloc(context->arena, sizeof *student);

    carillon__student__init(student);
    import_json_read(context, fields, record, student);
    if (student->institution[0] == '\0' && context->report->refused == refused) {
        student->institution = import_institution(context, SLICE_NONE);
    }
    import_student_finish(context, student);
    if (context->report->refused != refused) {
        return ERR_MALFORMED;
    }
    *ret_student = student;
    return OK;
}
