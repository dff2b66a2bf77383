#include <inttypes.h>

#include "carillon/export.h"
#include "carillon/json_message.h"

enum { DEPTH_MAX = 64 };

static void print_hundredths(FILE *out, uint32_t hundredths)
{
    if (hundredths % 100 == 0) {
        fprintf(out, "%" PRIu32, hundredths / 100);
    } else {
        fprintf(out, "%" PRIu32 ".%02" PRIu32, hundredths / 100, hundredths % 100);
    }
}

static void print_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\": ", name);
    json_text_print(out, text);
    fputs(", ", out);
}

static void print_leaf(FILE *out, const Carillon__RuleNode *node)
{
    bool is_plain = node->institution[0] == '\0' && node->grade_min == 0 && !node->concurrent;

    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        fprintf(out, "{\"level\": %" PRIu32 "}", node->count);
    } else if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        fputs("{\"credits\": ", out);
        print_hundredths(out, node->count);
        fputc('}', out);
    } else if (is_plain) {
        json_text_print(out, node->code);
    } else {
        fputs("{\"course\": ", out);
        json_text_print(out, node->code);
        if (node->institution[0] != '\0') {
            fputs(", \"institution\": ", out);
            json_text_print(out, node->institution);
        }
        if (node->grade_min > 0) {
            fputs(", \"grade\": ", out);
            print_hundredths(out, node->grade_min - 1);
        }
        fprintf(out, "%s}", node->concurrent ? ", \"concurrent\": true" : "");
    }
}

static void open_group(FILE *out, const Carillon__RuleNode *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_N_OF) {
        fprintf(out, "{\"nOf\": [%" PRIu32 ", ", node->count);
    } else {
        fprintf(out, "{\"%s\": [", node->kind == CARILLON__RULE_KIND__RULE_AND ? "and" : "or");
    }
}

void export_json_rule(FILE *out, Carillon__RuleNode *const *nodes, size_t count)
{
    uint32_t left[DEPTH_MAX] = {0}; /* members still to come of each open group */
    size_t depth = 0;

    if (count == 0) {
        fputs("null", out);
    }
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->children > 0 && depth + 1 < DEPTH_MAX) {
            open_group(out, nodes[i]);
            left[++depth] = nodes[i]->children;
            continue;
        }
        print_leaf(out, nodes[i]);
        while (depth > 0 && --left[depth] == 0) {
            fputs("]}", out);
            depth--;
        }
        fputs(depth > 0 ? ", " : "", out);
    }
}

static void print_meeting(FILE *out, const Carillon__Meeting *meeting)
{
    static const char letters[] = "MTWRFSU";

    fputs("{\"days\": \"", out);
    for (size_t i = 0; i < 7; i++) {
        if ((meeting->days & (1U << i)) != 0) {
            fputc(letters[i], out);
        }
    }
    fprintf(out, "\", \"start\": \"%02u:%02u\", \"end\": \"%02u:%02u\", \"location\": ",
            meeting->start_min / 60, meeting->start_min % 60, meeting->end_min / 60,
            meeting->end_min % 60);
    json_text_print(out, meeting->location);
    fputc('}', out);
}

static void print_section(FILE *out, const Carillon__Section *section)
{
    fputs("{\"id\": ", out);
    json_text_print(out, section->id);
    if (section->capacity_known) {
        fprintf(out, ", \"capacity\": %" PRIu32, section->capacity);
    } else {
        fputs(", \"capacity\": null", out);
    }
    fputs(", \"meetings\": [", out);
    for (size_t i = 0; i < section->n_meetings; i++) {
        fputs(i > 0 ? ", " : "", out);
        print_meeting(out, section->meetings[i]);
    }
    fputs("]}", out);
}

void export_json_course(FILE *out, const Carillon__Course *course)
{
    fputc('{', out);
    print_text(out, "institution", course->institution);
    print_text(out, "term", course->term);
    print_text(out, "code", course->code);
    print_text(out, "subject", course->subject);
    print_text(out, "number", course->number);
    print_text(out, "title", course->title);
    print_text(out, "description", course->description);
    fputs("\"credits\": ", out);
    if (course->credits_known) {
        print_hundredths(out, course->credits_hundredths);
    } else {
        fputs("null", out);
    }
    if (course->level > 0) {
        fprintf(out, ", \"level\": %" PRIu32 ", ", course->level);
    } else {
        fputs(", \"level\": null, ", out);
    }
    print_text(out, "prerequisites_text", course->prerequisites_text);
    fputs("\"prerequisites\": ", out);
    export_json_rule(out, course->prerequisites, course->n_prerequisites);
    fputs(", \"instructors\": [", out);
    for (size_t i = 0; i < course->n_instructors; i++) {
        fputs(i > 0 ? ", " : "", out);
        json_text_print(out, course->instructors[i]);
    }
    fputs("], \"sections\": [", out);
    for (size_t i = 0; i < course->n_sections; i++) {
        fputs(i > 0 ? ", " : "", out);
        print_section(out, course->sections[i]);
    }
    fputs("], ", out);
    print_text(out, "source", course->source);
    fputs("\"licence\": ", out);
    json_text_print(out, course->licence);
    fputs("}\n", out);
}

static void print_taken(FILE *out, const Carillon__Taken *taken)
{
    fputs("{\"course\": ", out);
    json_text_print(out, taken->code);
    if (taken->institution[0] != '\0') {
        fputs(", \"institution\": ", out);
        json_text_print(out, taken->institution);
    }
    if (taken->grade > 0) {
        fputs(", \"grade\": ", out);
        print_hundredths(out, taken->grade - 1);
    }
    if (taken->credits_hundredths > 0) {
        fputs(", \"credits\": ", out);
        print_hundredths(out, taken->credits_hundredths);
    }
    fputc('}', out);
}

void export_json_student(FILE *out, const Carillon__Student *student)
{
    fputc('{', out);
    print_text(out, "institution", student->institution);
    print_text(out, "token", student->token);
    print_text(out, "name", student->name);
    if (student->level > 0) {
        fprintf(out, "\"level\": %" PRIu32 ", ", student->level);
    }
    fputs("\"taken\": [", out);
    for (size_t i = 0; i < student->n_taken; i++) {
        fputs(i > 0 ? ", " : "", out);
        print_taken(out, student->taken[i]);
    }
    fputs("]}\n", out);
}
