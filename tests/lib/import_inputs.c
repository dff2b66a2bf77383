#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/import_inputs.h"

static void put_repeated(FILE *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(text, out);
    }
}

/* Write @text with the sign for a line break replaced by one. */
static void put_lines(FILE *out, const char *text)
{
    static const char mark[] = "\xe2\x8f\x8e";

    while (*text != '\0') {
        if (strncmp(text, mark, 3) == 0) {
            fputc('\n', out);
            text += 3;
        } else {
            fputc(*text++, out);
        }
    }
    fputc('\n', out);
}

/* Write the fields @fields put over the object @base. */
static void put_over(FILE *out, const char *base, const char *fields)
{
    struct json_object *object = json_tokener_parse(base);
    struct json_object *over = json_tokener_parse(fields);

    assert_non_null(object);
    assert_non_null(over);
    json_object_object_foreach(over, name, value)
    {
        json_object_object_add(object, name, json_object_get(value));
    }
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(over);
    json_object_put(object);
}

static void put_rule(FILE *out, const char *rule)
{
    fputs("code,title,prereq\nCS9,Sums,\"", out);
    for (; *rule != '\0'; rule++) {
        fputs(*rule == '"' ? "\"\"" : (char[]){*rule, '\0'}, out);
    }
    fputs("\"\nCS1,One,\nCS 1,One more,\n\"CS 1 (old, and new)\",Old,\n", out);
}

#define HEAD "{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"Sums\","

static void put_sections(FILE *out, size_t count, const char *place)
{
    fputs("\"sections\":[", out);
    for (size_t i = 1; i <= count; i++) {
        fprintf(out,
                "%s{\"id\":\"%zu\",\"meetings\":[{\"days\":\"M\",\"start\":\"09:00\","
                "\"end\":\"10:00\",\"location\":\"%s\"}]}",
                i > 1 ? "," : "", i, place);
    }
    fputs("]}\n", out);
}

static void make_empty(FILE *out)
{
    (void)out;
}

static void make_crlf(FILE *out)
{
    fputs("\xef\xbb\xbf" HEAD "\"level\":1}\r\n\r\n"
          "{\"institution\":\"lindenmoor\",\"code\":\"COMP 2\",\"title\":\"More\"}\r\n",
          out);
}

static void make_long_line(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "xxxxxxxxxx", (11 << 20) / 100);
    fputs("\"}\n", out);
}

static void make_not_utf8(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"\xe9t\xe9\"}\n",
          out);
}

static void make_deep_json(FILE *out)
{
    fputs(HEAD "\"subject\":", out);
    put_repeated(out, "[", 100);
    put_repeated(out, "]", 100);
    fputs("}\n", out);
}

static void make_long_title(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"", out);
    put_repeated(out, "x", 1025);
    fputs("\"}\n", out);
}

static void make_title_302(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"", out);
    put_repeated(out, "x", 302);
    fputs("\"}\n", out);
}

static void make_code_110(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"title\":\"Sums\",\"code\":\"", out);
    put_repeated(out, "x", 110);
    fputs("\"}\n", out);
}

static void make_long_description(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "x", 50000);
    fputs("\"}\n", out);
}

static void make_two_students(FILE *out)
{
    fputs("{\"institution\":\"lindenmoor\",\"token\":\"lm-1\"}\n"
          "{\"institution\":\"lindenmoor\",\"token\":\"lm-1\"}\n",
          out);
}

static void make_401_sections(FILE *out)
{
    fputs(HEAD, out);
    put_sections(out, 401, "");
}

static void make_317_sections(FILE *out)
{
    fputs(HEAD, out);
    put_sections(out, 317, "");
}

static void make_large_record(FILE *out)
{
    fputs(HEAD "\"description\":\"", out);
    put_repeated(out, "x", 47 << 10);
    fputs("\",", out);
    put_sections(out, 300, "A place with a name of fifty bytes, more or less so");
}

static void make_large_rule(FILE *out)
{
    fputs(HEAD "\"prerequisites\":{\"and\":[\"A\"", out);
    put_repeated(out, ",\"A\"", 299);
    fputs("]}}\n", out);
}

static void make_deep_rule(FILE *out)
{
    fputs(HEAD "\"prerequisites\":", out);
    put_repeated(out, "{\"and\":[", 17);
    fputs("\"A\"", out);
    put_repeated(out, "]}", 17);
    fputs("}\n", out);
}

static void make_deep_brackets(FILE *out)
{
    char rule[128] = "";

    memset(rule, '(', 40);
    memcpy(rule + 40, "CS1", 3);
    memset(rule + 43, ')', 40);
    put_rule(out, rule);
}

static void make_one(FILE *out)
{
    fputs(HEAD "\"level\":1}\n", out);
}

static const struct made {
    const char *id;
    void (*put)(FILE *out);
    const char *ending;
    bool is_students;
} made[] = {
    {"plain.crlf",                 make_crlf,             ".jsonl", false},
    {"empty-file",                 make_empty,            ".jsonl", false},
    {"line-too-long",              make_long_line,        ".jsonl", false},
    {"not-utf8",                   make_not_utf8,         ".jsonl", false},
    {"not-json.deep",              make_deep_json,        ".jsonl", false},
    {"field-too-long.title",       make_long_title,       ".jsonl", false},
    {"field-too-long.description", make_long_description, ".jsonl", false},
    {"long-title",                 make_title_302,        ".jsonl", false},
    {"long-code",                  make_code_110,         ".jsonl", false},
    {"token-duplicate",            make_two_students,     ".jsonl", true },
    {"too-many",                   make_401_sections,     ".jsonl", false},
    {"many-sections",              make_317_sections,     ".jsonl", false},
    {"rule-too-large",             make_large_rule,       ".jsonl", false},
    {"rule-too-deep",              make_deep_rule,        ".jsonl", false},
    {"record-too-large",           make_large_record,     ".jsonl", false},
    {"rule-too-deep.grammar",      make_deep_brackets,    ".csv",   false},
    {"file-changed",               make_one,              ".jsonl", false},
};

enum { MADE_COUNT = sizeof made / sizeof made[0] };

static const struct made *find_made(const char *id)
{
    for (size_t i = 0; i < MADE_COUNT; i++) {
        if (strcmp(made[i].id, id) == 0) {
            return &made[i];
        }
    }
    return NULL;
}

const char *import_input_ending(const struct import_input *input)
{
    const char *kind = input->kind;

    if (strcmp(kind, "made") == 0) {
        const struct made *how = find_made(input->id);

        assert_non_null(how);
        return how->ending;
    }
    return strcmp(kind, "csv") == 0 || strcmp(kind, "csv students") == 0 ||
                   strcmp(kind, "rule") == 0
               ? ".csv"
               : ".jsonl";
}

void import_input_put(FILE *out, const struct import_input *input)
{
    const char *kind = input->kind;
    const char *text = input->text;

    if (strcmp(kind, "course") == 0) {
        put_over(out, "{\"institution\":\"lindenmoor\",\"code\":\"COMP 1\",\"title\":\"Sums\"}",
                 text);
    } else if (strcmp(kind, "student") == 0) {
        put_over(out, "{\"institution\":\"lindenmoor\",\"token\":\"lm-1\",\"name\":\"Ada\"}",
                 text);
    } else if (strcmp(kind, "rule") == 0) {
        put_rule(out, text);
    } else if (strcmp(kind, "made") == 0) {
        find_made(input->id)->put(out);
    } else {
        put_lines(out, text);
    }
}

bool import_input_is_students(const struct import_input *input)
{
    const struct made *how = find_made(input->id);

    return strstr(input->kind, "student") != NULL || (how != NULL && how->is_students);
}

const char *import_input_made(size_t index)
{
    return index < MADE_COUNT ? made[index].id : NULL;
}
