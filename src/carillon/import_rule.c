#include "carillon/import_rule.h"

#include <json-c/json.h>
#include <stdio.h>

#include "carillon/import_value.h"
#include "wire/message.h"

/* A group whose members are still to be read. */
struct level {
    struct json_object *members; /* array */
    size_t next;
};

struct walk {
    struct import_rule *rule;
    struct level levels[IMPORT_RULE_DEPTH_MAX];
    size_t depth;
    struct import_rule_error *error;
};

void import_rule_init(struct import_rule *rule, struct arena *arena)
{
    rule->arena = arena;
    rule->count = 0;
}

int import_rule_add(struct import_rule *rule, Carillon__RuleKind kind,
                    Carillon__RuleNode **ret_node)
{
    if (rule->count == IMPORT_RULE_NODES_MAX) {
        return ERR_FULL;
    }
    Carillon__RuleNode *node = arena_alloc(rule->arena, sizeof *node);

    carillon__rule_node__init(node);
    node->kind = kind;
    rule->nodes[rule->count++] = node;
    *ret_node = node;
    return OK;
}

static int fail(struct walk *walk, int error, const char *what)
{
    walk->error->at = 0;
    snprintf(walk->error->text, sizeof walk->error->text, "%s", what);
    return error;
}

static int add(struct walk *walk, Carillon__RuleKind kind, Carillon__RuleNode **ret_node)
{
    return import_rule_add(walk->rule, kind, ret_node) == OK
               ? OK
               : fail(walk, ERR_FULL, "more than 256 nodes");
}

/* Copy a JSON text into the tree's arena. */
static int copy_text(struct walk *walk, struct json_object *value, size_t bytes_max,
                     char **ret_text)
{
    if (!json_object_is_type(value, json_type_string)) {
        return fail(walk, ERR_MALFORMED, json_object_to_json_string(value));
    }
    const char *text = json_object_get_string(value);
    size_t len = (size_t)json_object_get_string_len(value);

    if (len == 0 || len > bytes_max || strlen(text) != len) {
        return fail(walk, ERR_MALFORMED, len == 0 ? "an empty code" : text);
    }
    *ret_text = arena_alloc(walk->rule->arena, len + 1);
    memcpy(*ret_text, text, len + 1);
    return OK;
}

static int set_grade(struct walk *walk, struct json_object *value, Carillon__RuleNode *node)
{
    /* A number is written back as text: "2.7" and 2.7 are the same grade. */
    const char *text = json_object_get_string(value);
    bool is_scalar = json_object_is_type(value, json_type_string) ||
                     json_object_is_type(value, json_type_double) ||
                     json_object_is_type(value, json_type_int);

    if (!is_scalar || import_grade_parse(slice_from_text(text), &node->grade_min) != OK) {
        return fail(walk, ERR_GONE, text == NULL ? "null" : text);
    }
    return OK;
}

/* {"course": CODE, "institution": SLUG, "grade": G, "concurrent": true}; "code" is another name
 * for "course". */
static int add_course(struct walk *walk, struct json_object *leaf)
{
    Carillon__RuleNode *node = NULL;
    int error = add(walk, CARILLON__RULE_KIND__RULE_COURSE, &node);

    if (error != OK) {
        return error;
    }
    json_object_object_foreach(leaf, name, value)
    {
        if (strcmp(name, "course") == 0 || strcmp(name, "code") == 0) {
            error = copy_text(walk, value, IMPORT_CODE_BYTES_MAX, &node->code);
        } else if (strcmp(name, "institution") == 0) {
            error = copy_text(walk, value, IMPORT_SLUG_BYTES_MAX, &node->institution);
        } else if (strcmp(name, "grade") == 0) {
            error = value == NULL ? OK : set_grade(walk, value, node);
        } else if (strcmp(name, "concurrent") == 0) {
            node->concurrent = json_object_get_boolean(value);
        } else {
            error = fail(walk, ERR_MALFORMED, name);
        }
        if (error != OK) {
            return error;
        }
    }
    return node->code[0] != '\0' ? OK : fail(walk, ERR_MALFORMED, "a leaf without course");
}

static int add_threshold(struct walk *walk, Carillon__RuleKind kind, struct json_object *value)
{
    Carillon__RuleNode *node = NULL;
    int error = add(walk, kind, &node);
    const char *text = value == NULL ? "" : json_object_get_string(value);
    struct slice s = slice_from_text(text);

    if (error != OK) {
        return error;
    }
    error = kind == CARILLON__RULE_KIND__RULE_LEVEL
                ? import_level_parse(s, IMPORT_LEVEL_MAX, &node->count)
                : import_hundredths_parse(s, IMPORT_CREDITS_RULE_HUNDREDTHS_MAX, &node->count);
    return error == OK ? OK : fail(walk, ERR_MALFORMED, text);
}

/* The n in front of an nOf list. */
static int take_count(struct walk *walk, struct json_object *members, Carillon__RuleNode *node)
{
    struct json_object *first = json_object_array_get_idx(members, 0);
    int64_t count = json_object_get_int64(first);

    if (!json_object_is_type(first, json_type_int)) {
        return fail(walk, ERR_MALFORMED, "nOf without n");
    }
    if (count < 1 || count > (int64_t)node->children) {
        return fail(walk, ERR_ARGUMENT, json_object_get_string(first));
    }
    node->count = (uint32_t)count;
    return OK;
}

static int open_group(struct walk *walk, Carillon__RuleKind kind, struct json_object *members)
{
    size_t skip = kind == CARILLON__RULE_KIND__RULE_N_OF ? 1 : 0;
    Carillon__RuleNode *node = NULL;

    if (!json_object_is_type(members, json_type_array)) {
        return fail(walk, ERR_MALFORMED, "a group that is not a list");
    }
    size_t len = json_object_array_length(members);

    if (len <= skip) {
        return fail(walk, ERR_EOF, "");
    }
    if (walk->depth == IMPORT_RULE_DEPTH_MAX) {
        return fail(walk, ERR_TOO_LARGE, "");
    }
    if (len - skip >= IMPORT_RULE_NODES_MAX) {
        return fail(walk, ERR_FULL, "more than 256 nodes");
    }
    int error = add(walk, kind, &node);

    if (error == OK) {
        node->children = (uint32_t)(len - skip);
        error = skip == 0 ? OK : take_count(walk, members, node);
        walk->levels[walk->depth++] = (struct level){members, skip};
    }
    return error;
}

static int add_object(struct walk *walk, struct json_object *tree)
{
    struct json_object *value = NULL;

    if (json_object_object_length(tree) == 1) {
        if (json_object_object_get_ex(tree, "and", &value)) {
            return open_group(walk, CARILLON__RULE_KIND__RULE_AND, value);
        }
        if (json_object_object_get_ex(tree, "or", &value)) {
            return open_group(walk, CARILLON__RULE_KIND__RULE_OR, value);
        }
        if (json_object_object_get_ex(tree, "nOf", &value)) {
            return open_group(walk, CARILLON__RULE_KIND__RULE_N_OF, value);
        }
        if (json_object_object_get_ex(tree, "level", &value)) {
            return add_threshold(walk, CARILLON__RULE_KIND__RULE_LEVEL, value);
        }
        if (json_object_object_get_ex(tree, "credits", &value)) {
            return add_threshold(walk, CARILLON__RULE_KIND__RULE_CREDITS, value);
        }
    }
    return add_course(walk, tree);
}

static int add_value(struct walk *walk, struct json_object *value)
{
    Carillon__RuleNode *node = NULL;

    if (json_object_is_type(value, json_type_object)) {
        return add_object(walk, value);
    }
    if (!json_object_is_type(value, json_type_string)) {
        return fail(walk, ERR_MALFORMED,
                    value == NULL ? "null" : json_object_get_string(value));
    }
    int error = add(walk, CARILLON__RULE_KIND__RULE_COURSE, &node);

    return error != OK ? error : copy_text(walk, value, IMPORT_CODE_BYTES_MAX, &node->code);
}

int import_rule_from_json(struct import_rule *rule, struct json_object *tree,
                          struct import_rule_error *ret_error)
{
    struct walk walk = {.rule = rule, .error = ret_error};

    if (tree == NULL) {
        return OK;
    }
    int error = add_value(&walk, tree);

    while (error == OK && walk.depth > 0) {
        struct level *level = &walk.levels[walk.depth - 1];

        if (level->next == json_object_array_length(level->members)) {
            walk.depth--;
            continue;
        }
        error = add_value(&walk, json_object_array_get_idx(level->members, level->next++));
    }
    return error;
}
