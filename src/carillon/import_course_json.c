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

static void read_subject(struct import_context *context, void *message, const char *name,
                         struct json_object *value)
{
    Carillon__Course *course = message;

    course->subject = import_text(context, name, import_json_text(context, name, value),
                                  IMPORT_NAME_BYTES_MAX, 0);
}

static void read_number(struct import_context *context, void *message, const char *name,
                        struct json_object *value)
{
    Carillon__Course *course = message;

    course->number = import_text(context, name, import_json_text(context, name, value),
                                 IMPORT_NAME_BYTES_MAX, 0);
}

static void read_title(struct import_context *context, void *message, const char *name,
                       struct json_object *value)
{
    Carillon__Course *course = message;

    course->title = import_text(context, name, import_json_text(context, name, value),
                                IMPORT_TITLE_BYTES_MAX, 0);
}

static void read_description(struct import_context *context, void *message, const char *name,
                             struct json_object *value)
{
    Carillon__Course *course = message;

    course->description = import_text(context, name, import_json_text(context, name, value),
                                      IMPORT_DESCRIPTION_BYTES_MAX, IMPORT_TEXT_LINES);
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

static void read_prerequisites_text(struct import_context *context, void *message,
                                    const char *name, struct json_object *value)
{
    Carillon__Course *course = message;

    course->prerequisites_text =
        import_text(context, name, import_json_text(context, name, value),
                    IMPORT_PREREQUISITE_BYTES_MAX, IMPORT_TEXT_LINES);
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

static void read_section_id(struct import_context *context, void *message, const char *name,
                            struct json_object *value)
{
    Carillon__Section *section = message;

    section->id = import_text(context, name, import_json_text(context, name, value),
                              IMPORT_SECTION_BYTES_MAX, IMPORT_TEXT_REQUIRED);
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
        {"days",     false, read_meeting_text},
        {"start",    false, read_meeting_text},
        {"end",      false, read_meeting_text},
        {"location", false, read_meeting_text},
        {NULL,       false, NULL             },
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
        {"id",       true,  read_section_id},
        {"capacity", false, read_capacity  },
        {"meetings", false, read_meetings  },
        {NULL,       false, NULL           },
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

static void read_source(struct import_context *context, void *message, const char *name,
                        struct json_object *value)
{
    Carillon__Course *course = message;

    course->source = import_text(context, name, import_json_text(context, name, value),
                                 IMPORT_NAME_BYTES_MAX, 0);
}

static void read_licence(struct import_context *context, void *message, const char *name,
                         struct json_object *value)
{
    Carillon__Course *course = message;

    course->licence = import_text(context, name, import_json_text(context, name, value),
                                  IMPORT_NAME_BYTES_MAX, 0);
}

int import_course_from_json(struct import_context *context, struct json_object *record,
                            Carillon__Course **ret_course)
{
    static const struct import_json_field fields[] = {
        {"institution",        false, read_institution       },
        {"term",               false, read_term              },
        {"code",               true,  read_code              },
        {"subject",            false, read_subject           },
        {"number",             false, read_number            },
        {"title",              true,  read_title             },
        {"description",        false, read_description       },
        {"credits",            false, read_credits           },
        {"level",              false, read_level             },
        {"prerequisites_text", false, read_prerequisites_text},
        {"prerequisites",      false, read_prerequisites     },
        {"instructors",        false, read_instructors       },
        {"sections",           false, read_sections          },
        {"source",             false, read_source            },
        {"licence",            false, read_licence           },
        {NULL,                 false, NULL                   },
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
