#include "carillon/import_context.h"

#include "wire/message.h"

enum { PACKED_BYTES_MAX = 8 << 20 };

void import_context_init(struct import_context *context, struct arena *arena,
                         struct import_report *report)
{
    memset(context, 0, sizeof *context);
    context->arena = arena;
    context->report = report;
    context->term_default = IMPORT_TERM_DEFAULT;
    buf_init(&context->packed, PACKED_BYTES_MAX);
}

void import_context_fini(struct import_context *context)
{
    buf_fini(&context->packed);
}

void import_context_find(struct import_context *context, enum import_finding kind,
                         const char *field, struct slice evidence)
{
    char path[IMPORT_PREFIX_BYTES + 32];

    snprintf(path, sizeof path, "%s%s", context->prefix, field);
    import_find(context->report, kind, path, evidence);
}

void import_context_enter(struct import_context *context, const char *list, size_t index)
{
    snprintf(context->prefix, sizeof context->prefix, "%s[%zu].", list, index);
}

static bool has_control(struct slice text, bool allows_lines)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        bool is_line = byte == '\n' || byte == '\r' || byte == '\t';

        if ((byte < 0x20 && !(is_line && allows_lines)) || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

char *import_text(struct import_context *context, const char *field, struct slice raw,
                  size_t bytes_max, unsigned flags)
{
    struct slice text = slice_trim(raw);

    if (text.len == 0) {
        if ((flags & IMPORT_TEXT_REQUIRED) != 0) {
            import_context_find(context, IMPORT_FOUND_FIELD_EMPTY, field, SLICE_NONE);
        }
        return wire_text("");
    }
    if (text.len > bytes_max) {
        char evidence[64];

        snprintf(evidence, sizeof evidence, "%zu bytes, at most %zu", text.len, bytes_max);
        import_context_find(context, IMPORT_FOUND_FIELD_TOO_LONG, field,
                            slice_from_text(evidence));
        return wire_text("");
    }
    if (has_control(text, (flags & IMPORT_TEXT_LINES) != 0)) {
        import_context_find(context, IMPORT_FOUND_CONTROL_CHARACTER, field, text);
        return wire_text("");
    }
    if (memmem(text.data, text.len, "\xef\xbf\xbd", 3) != NULL) {
        import_context_find(context, IMPORT_FOUND_REPLACEMENT, field, text);
    }
    char *copy = arena_alloc(context->arena, text.len + 1);

    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

void import_rule_find(struct import_context *context, int error,
                      const struct import_rule_error *detail, bool is_grammar)
{
    enum import_finding kind = is_grammar ? IMPORT_FOUND_RULE_SYNTAX : IMPORT_FOUND_RULE_SHAPE;
    const char *field = is_grammar ? "prereq" : "prerequisites";
    char evidence[160];

    switch (error) {
    case ERR_FULL:
        kind = IMPORT_FOUND_RULE_TOO_LARGE;
        break;
    case ERR_TOO_LARGE:
        kind = IMPORT_FOUND_RULE_TOO_DEEP;
        break;
    case ERR_ARGUMENT:
        kind = IMPORT_FOUND_RULE_COUNT;
        break;
    case ERR_EOF:
        kind = IMPORT_FOUND_RULE_EMPTY;
        break;
    case ERR_GONE:
        kind = IMPORT_FOUND_GRADE_UNKNOWN;
        break;
    default:
        break;
    }
    if (is_grammar) {
        snprintf(evidence, sizeof evidence, "at character %zu: %s", detail->at + 1,
                 detail->text);
    } else {
        snprintf(evidence, sizeof evidence, "%s", detail->text);
    }
    import_context_find(context, kind, field, slice_from_text(evidence));
}

void import_rule_store(struct import_context *context, Carillon__Course *course)
{
    struct import_rule *rule = &context->rule;

    if (rule->count == 0) {
        return;
    }
    course->n_prerequisites = rule->count;
    course->prerequisites = arena_alloc(context->arena, rule->count * sizeof rule->nodes[0]);
    memcpy(course->prerequisites, rule->nodes, rule->count * sizeof rule->nodes[0]);
}

void *import_append(struct arena *arena, void *items, size_t *count, void *item)
{
    void **list = items;

    /* The array is full whenever its length is a power of two: 1, 2, 4, ... */
    if ((*count & (*count - 1)) == 0) {
        list = arena_grow(arena, items, sizeof *list, *count, *count == 0 ? 1 : *count * 2);
    }
    list[(*count)++] = item;
    return list;
}
