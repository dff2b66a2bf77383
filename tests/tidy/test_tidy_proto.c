#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/source_tree.h"

/* protobuf-c unpacks by recursion without a limit: a message type that could contain itself,
 * directly or through others, would let a few bytes from a peer use up the stack. So the graph
 * of the message types in proto/ has no cycle, which bounds the depth of any unpacking by the
 * number of types. */

enum { TYPES_MAX = 400, FIELDS_MAX = 3000, TOKEN_MAX = 80, DEPTH_MAX = 8 };

struct type {
    char name[TOKEN_MAX]; /* in full: "Outer.Inner" */
    const struct source_file *file;
    size_t line;
    int visit; /* 0 not yet, 1 on the way, 2 done */
};

struct field {
    size_t owner;         /* index of the type it stands in */
    char type[TOKEN_MAX]; /* as written */
};

/* The types and fields of all schemas together. */
struct schema {
    struct type types[TYPES_MAX];
    size_t type_count;
    struct field fields[FIELDS_MAX];
    size_t field_count;
};

/* ---- reading a schema ---- */

/* Cut the next token of @code at @at: a word with dots, or one other character. Returns false
 * at the end. */
static bool token_next(const char *code, size_t *at, char *token)
{
    while (isspace((unsigned char)code[*at])) {
        (*at)++;
    }
    if (code[*at] == 0) {
        return false;
    }
    size_t len = 0;
    while (isalnum((unsigned char)code[*at]) || code[*at] == '_' || code[*at] == '.') {
        if (len + 1 < TOKEN_MAX) {
            token[len++] = code[*at];
        }
        (*at)++;
    }
    if (len == 0) {
        token[len++] = code[(*at)++];
    }
    token[len] = 0;
    return true;
}

struct reader {
    struct schema *schema;
    const struct source_file *file;
    size_t at;
    size_t owners[DEPTH_MAX]; /* the messages around the place, outermost first */
    char kinds[DEPTH_MAX];    /* of each open brace: m message, o oneof, e enum or other */
    size_t depth;
    size_t messages;
    struct findings *findings;
};

static void open_brace(struct reader *reader, char kind, const char *name)
{
    assert_true(reader->depth < DEPTH_MAX);
    reader->kinds[reader->depth++] = kind;
    if (kind != 'm') {
        return;
    }
    struct schema *schema = reader->schema;
    assert_true(schema->type_count < TYPES_MAX);
    struct type *type = &schema->types[schema->type_count];
    if (reader->messages > 0) {
        char outer[TOKEN_MAX];
        strcpy(outer, schema->types[reader->owners[reader->messages - 1]].name);
        snprintf(type->name, sizeof type->name, "%.39s.%.39s", outer, name);
    } else {
        snprintf(type->name, sizeof type->name, "%s", name);
    }
    type->file = reader->file;
    type->line = source_file_line(reader->file, reader->at);
    reader->owners[reader->messages++] = schema->type_count++;
}

static void close_brace(struct reader *reader)
{
    assert_true(reader->depth > 0);
    if (reader->kinds[--reader->depth] == 'm') {
        reader->messages--;
    }
}

static void add_field(struct reader *reader, const char *type)
{
    struct schema *schema = reader->schema;
    assert_true(reader->messages > 0);
    assert_true(schema->field_count < FIELDS_MAX);
    struct field *field = &schema->fields[schema->field_count++];
    field->owner = reader->owners[reader->messages - 1];
    snprintf(field->type, sizeof field->type, "%s", type);
}

static void skip_statement(struct reader *reader)
{
    char token[TOKEN_MAX];
    while (token_next(reader->file->code, &reader->at, token) && strcmp(token, ";") != 0) {
    }
}

/* A statement inside a message or oneof that is not a block: a field, an option, a reserved
 * range. */
static void read_field(struct reader *reader, char *token)
{
    const char *code = reader->file->code;
    if (strcmp(token, "optional") == 0) {
        findings_add(reader->findings, reader->file, source_file_line(reader->file, reader->at),
                     "protobuf-c refuses proto3 'optional': use a oneof");
    }
    if (strcmp(token, "optional") == 0 || strcmp(token, "repeated") == 0) {
        token_next(code, &reader->at, token);
    }
    if (strcmp(token, "map") == 0) {
        char part[TOKEN_MAX] = "";
        while (strcmp(part, ",") != 0 && token_next(code, &reader->at, part)) {
        }
        token_next(code, &reader->at, token);
    }
    if (strcmp(token, "reserved") != 0 && strcmp(token, "option") != 0) {
        add_field(reader, token);
    }
    skip_statement(reader);
}

static void read_file(struct schema *schema, const struct source_file *file,
                      struct findings *findings)
{
    struct reader reader = {.schema = schema, .file = file, .findings = findings};
    char token[TOKEN_MAX];
    char name[TOKEN_MAX];
    while (token_next(file->code, &reader.at, token)) {
        char around = reader.depth == 0 ? 0 : reader.kinds[reader.depth - 1];
        bool is_block = strcmp(token, "message") == 0 || strcmp(token, "enum") == 0 ||
                        strcmp(token, "oneof") == 0 || strcmp(token, "service") == 0;
        if (strcmp(token, "}") == 0) {
            close_brace(&reader);
        } else if (strcmp(token, ";") == 0) {
            continue;
        } else if (is_block && around != 'e') {
            token_next(file->code, &reader.at, name);
            open_brace(&reader, token[0] == 'm' ? 'm' : token[0] == 'o' ? 'o' : 'e', name);
            token_next(file->code, &reader.at, token);
            assert_string_equal(token, "{");
        } else if (around == 'm' || around == 'o') {
            read_field(&reader, token);
        } else {
            skip_statement(&reader);
        }
    }
    assert_int_equal(reader.depth, 0);
}

/* ---- the graph ---- */

static bool name_ends(const char *name, const char *ending)
{
    size_t len = strlen(name);
    size_t ending_len = strlen(ending);
    if (len < ending_len || strcmp(name + len - ending_len, ending) != 0) {
        return false;
    }
    return len == ending_len || name[len - ending_len - 1] == '.';
}

/* The message a field's type names, or SIZE_MAX for a scalar or an enum. A package in front is
 * left out. Names that occur twice would need Protobuf's rules of scope: they are reported
 * instead (see check_names). */
static size_t type_find(const struct schema *schema, const char *written)
{
    for (size_t i = 0; i < schema->type_count; i++) {
        if (name_ends(schema->types[i].name, written) ||
            name_ends(written, schema->types[i].name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

static void check_names(const struct schema *schema, struct findings *findings)
{
    for (size_t i = 0; i < schema->type_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct type *type = &schema->types[i];
            if (strcmp(last_part(type->name), last_part(schema->types[j].name)) == 0) {
                findings_add(findings, type->file, type->line, "a second message is called %s",
                             last_part(type->name));
            }
        }
    }
}

/* Depth first; recursion as deep as there are types, which is bounded here. */
static void visit(struct schema *schema, size_t at, struct findings *findings)
{
    struct type *type = &schema->types[at];
    type->visit = 1;
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        size_t to = field->owner == at ? type_find(schema, field->type) : SIZE_MAX;
        if (to == SIZE_MAX || schema->types[to].visit == 2) {
            continue;
        }
        if (schema->types[to].visit == 1) {
            findings_add(findings, type->file, type->line,
                         "message %s contains itself through %s", schema->types[to].name,
                         type->name);
            continue;
        }
        visit(schema, to, findings);
    }
    type->visit = 2;
}

/* Returns how many message types were read. */
static size_t check_schemas(const struct source_tree *files, struct findings *findings)
{
    static struct schema schema;
    memset(&schema, 0, sizeof schema);
    for (size_t i = 0; i < files->count; i++) {
        if (source_file_ends(&files->files[i], ".proto")) {
            read_file(&schema, &files->files[i], findings);
        }
    }
    check_names(&schema, findings);
    for (size_t i = 0; i < schema.type_count; i++) {
        if (schema.types[i].visit == 0) {
            visit(&schema, i, findings);
        }
    }
    return schema.type_count;
}

static void schemas__no_message__contains_itself(void **state)
{
    (void)state;
    struct source_tree tree;
    struct findings findings = {0};
    source_tree_read(&tree, SOURCE_FOLDER);
    size_t read = check_schemas(&tree, &findings);
    size_t written = 0;
    for (size_t i = 0; i < tree.count; i++) {
        const struct source_file *file = &tree.files[i];
        for (size_t at = 0; source_file_ends(file, ".proto") &&
                            (at = source_word_find(file->code, "message", at)) != SIZE_MAX;
             at++) {
            written++;
        }
    }
    assert_int_equal(read, written); /* the reader has missed none */
    assert_true(read > 50);
    source_tree_free(&tree);
    findings_expect_none(&findings);
}

static void expect_schema(const char *first, const char *second, size_t count,
                          const char *words)
{
    struct source_file files[2] = {
        source_file_make("proto/first.proto", first),
        source_file_make("proto/second.proto", second),
    };
    struct findings findings = {0};
    check_schemas(&(struct source_tree){files, 2}, &findings);
    findings_expect(&findings, count, words);
    source_file_free(&files[0]);
    source_file_free(&files[1]);
}

static void schemas__a_message_in_itself__is_reported(void **state)
{
    (void)state;
    expect_schema("syntax = \"proto3\";\nmessage Rule {\n    uint32 kind = 1;\n    repeated "
                  "Rule rules = 2;\n}\n",
                  "", 1, "proto/first.proto:2: message Rule contains itself through Rule");
    expect_schema("message A { oneof kind { string s = 1; A a = 2; } }", "", 1,
                  "A contains itself");
    expect_schema("message A { map<string, A> children = 1; }", "", 1, "A contains itself");
    expect_schema("package carillon; message A { carillon.A a = 1; }", "", 1,
                  "A contains itself");
    expect_schema("message A { message B { A a = 1; } B b = 1; }", "", 1,
                  "A contains itself through A.B");
    expect_schema("message A { message B { B b = 1; } }", "", 1, "A.B contains itself");
}

static void schemas__a_message_in_itself_through_others__is_reported(void **state)
{
    (void)state;
    expect_schema("message A { B b = 1; }\nmessage B { repeated C c = 1; }",
                  "message C {\n  reserved 4 to 6;\n  option deprecated = true;\n  A a = 1;\n}",
                  1, "A contains itself through C");
    expect_schema("message A { B b = 1; C c = 2; }\nmessage B { D d = 1; }",
                  "message C { D d = 1; }\nmessage D { B b = 1; }", 1,
                  "B contains itself through D");
}

static void schemas__diamonds_enums_and_comments__are_fine(void **state)
{
    (void)state;
    expect_schema("message A { B b = 1; C c = 2; repeated B more = 3 [packed = false]; }",
                  "message B { D d = 1; }\nmessage C { D d = 1; }\nmessage D { uint32 a = 1; }",
                  0, "");
    expect_schema(
        "enum A { NONE = 0; B = 1; }\nmessage C { A a = 1; // C c = 2;\n /* C d = 3; */ }",
        "message D { C c = 1; oneof x { C y = 2; } }", 0, "");
}

static void schemas__optional_and_doubled_names__are_reported(void **state)
{
    (void)state;
    expect_schema("message A { optional uint32 a = 1; }", "", 1, "use a oneof");
    expect_schema("message A { uint32 a = 1; }", "message A { uint32 a = 1; }", 1,
                  "proto/second.proto:1: a second message is called A");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas__no_message__contains_itself),
        cmocka_unit_test(schemas__a_message_in_itself__is_reported),
        cmocka_unit_test(schemas__a_message_in_itself_through_others__is_reported),
        cmocka_unit_test(schemas__diamonds_enums_and_comments__are_fine),
        cmocka_unit_test(schemas__optional_and_doubled_names__are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
