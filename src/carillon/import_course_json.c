#include "carillon/import_json.h"
#include "carillon/import_record.h"
#include "carillon/import_value.h"

static void read_institution(struct import_context *context, void *message, const char *name,
                             struct json_object *value)
{
    Carillon__Course *course = message;

    course->institution = import_institution(context, import_json_text(context, name, value));
}

static void read_term(struct import_context *context, void *message, const char *name,
                      struct json_object *value)
{
    import_course_set_term(context, message, import_json_text(context, name, value));
}

static void read_code(struct import_context *context, void *message, const char *name,
                      struct json_object *value)
{
    import_course_set_code(context, message, import_json_text(context, name, value));
}

static void read_credits(struct import_context *context, void *message, const char *name,
                         struct json_object *value)
{
    Carillon__Course *course = message;

    course->credits_known =
        import_json_credits(context, name, value, &course->credits_hundredths);
}

static void read_level(struct import_context *context, void *message, const char *name,
                       struct json_object *value)
{
    Carillon__Course *course = message;

    import_json_number(context, name, value, IMPORT_LEVEL_MAX, IMPORT_FOUND_LEVEL_RANGE,
                       &course->level);
}

static void read_prerequisites(struct import_context *context, void *message, const char *name,
                               struct json_object *value)
{
    struct import_rule_error detail = {0, ""};

    (void)name;
    import_rule_init(&context->rule, context->arena);
    int error = import_rule_from_json(&context->rule, value, &detail);

    if (error != OK) {
        import_rule_find(context, error, &detail, false);
        return;
    }
    import_rule_store(context, message);
}

static void read_instructors(struct import_context *context, void *message, const char *name,
                             struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array)) {
        import_json_type(context, name, "list", value);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);

        import_course_add_instructor(context, message, import_json_text(context, name, item));
    }
}

static void read_capacity(struct import_context *context, void *message, const char *name,
                          struct json_object *value)
{
    if (!json_object_is_type(value, json_type_int)) {
        import_json_type(context, name, "whole number", value);
        return;
    }
    import_section_set_capacity(context, message, json_object_get_int64(value));
}

/* The four texts of one meeting, gathered before they are judged together. */
struct meeting_texts {
    struct slice days;
    struct slice start;
    struct slice end;
    struct slice location;
};

static void read_meeting_text(struct import_context *context, void *message, const char *name,
                              struct json_object *value)
{
    struct meeting_texts *texts = message;
    struct slice text = import_json_text(context, name, value);

    switch (name[0]) {
    case 'd':
        texts->days = text;
        break;
    case 's':
        texts->start = text;
        break;
    case 'e':
        texts->end = text;
        break;
    default:
        texts->location = text;
        break;
    }
}

static void read_meetings(struct import_context *context, void *message, const char *name,
                          struct json_object *value)
{
    static const struct import_json_field fields[] = {
        IMPORT_JSON_READ("days", false, read_meeting_text),
        IMPORT_JSON_READ("start", false, read_meeting_text),
        IMPORT_JSON_READ("end", false, read_meeting_text),
        IMPORT_JSON_READ("location", false, read_meeting_text),
        IMPORT_JSON_END,
    };

    if (!json_object_is_type(value, json_type_array)) {
        import_json_type(context, name, "list", value);
        return;
    }
    size_t prefix_len = strlen(context->prefix);

    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);
        struct meeting_texts texts = {SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};

        snprintf(context->prefix + prefix_len, sizeof context->prefix - prefix_len,
                 "meetings[%zu].", i);
        if (!json_object_is_type(item, json_type_object)) {
            import_json_type(context, name, "object", item);
            continue;
        }
        import_json_read(context, fields, item, &texts);
        import_section_add_meeting(context, message, texts.days, texts.start, texts.end,
                                   texts.location);
    }
    context->prefix[prefix_len] = '\0';
}

static void read_sections(struct import_context *context, void *message, const char *name,
                          struct json_object *value)
{
    static const struct import_json_field fields[] = {
        IMPORT_JSON_TEXT("id", true, Carillon__Section, id, IMPORT_SECTION_BYTES_MAX,
                         IMPORT_TEXT_REQUIRED),
        IMPORT_JSON_READ("capacity", false, read_capacity),
        IMPORT_JSON_READ("meetings", false, read_meetings),
        IMPORT_JSON_END,
    };

    if (!json_object_is_type(value, json_type_array)) {
        import_json_type(context, name, "list", value);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);

        import_context_enter(context, name, i);
        if (!json_object_is_type(item, json_type_object)) {
            import_json_type(context, "section", "object", item);
            continue;
        }
        import_json_read(context, fields, item, import_course_add_section(context, message));
    }
    context->prefix[0] = '\0';
}

int import_course_from_json(struct import_context *context, struct json_object *record,
                            Carillon__Course **ret_course)
{
    static const struct import_json_field fields[] = {
        IMPORT_JSON_READ("institution", false, read_institution),
        IMPORT_JSON_READ("term", false, read_term),
        IMPORT_JSON_READ("code", true, read_code),
        IMPORT_JSON_TEXT("subject", false, Carillon__Course, subject, IMPORT_NAME_BYTES_MAX, 0),
        IMPORT_JSON_TEXT("number", false, Carillon__Course, number, IMPORT_NAME_BYTES_MAX, 0),
        IMPORT_JSON_TEXT("title", true, Carillon__Course, title, IMPORT_TITLE_BYTES_MAX, 0),
        IMPORT_JSON_TEXT("description", false, Carillon__Course, description,
                         IMPORT_DESCRIPTION_BYTES_MAX, IMPORT_TEXT_LINES),
        IMPORT_JSON_READ("credits", false, read_credits),
        IMPORT_JSON_READ("level", false, read_level),
        IMPORT_JSON_TEXT("prerequisites_text", false, Carillon__Course, prerequisites_text,
                         IMPORT_PREREQUISITE_BYTES_MAX, IMPORT_TEXT_LINES),
        IMPORT_JSON_READ("prerequisites", false, read_prerequisites),
        IMPORT_JSON_READ("instructors", false, read_instructors),
        IMPORT_JSON_READ("sections", false, read_sections),
        IMPORT_JSON_TEXT("source", false, Carillon__Course, source, IMPORT_NAME_BYTES_MAX, 0),
        IMPORT_JSON_TEXT("licence", false, Carillon__Course, licence, IMPORT_NAME_BYTES_MAX, 0),
        IMPORT_JSON_END,
    };
    uint64_t refused = context->report->refused;
    Carillon__Course *course = arena_alloc(context->arena, sizeof *course);

    carillon__course__init(course);
    import_course_set_term(context, course, SLICE_NONE);
    import_json_read(context, fields, record, course);
    if (course->institution[0] == '\0' && context->report->refused == refused) {
        course->institution = import_institution(context, SLICE_NONE);
    }
    import_course_finish(context, course);
    if (context->report->refused != refused) {
        return ERR_MALFORMED;
    }
    *ret_course = course;
    return OK;
}
