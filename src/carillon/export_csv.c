#include "carillon/export.h"

#include <inttypes.h>
#include <string.h>

#include "carillon/words.h"

enum { DEPTH_MAX = 64 };

/* One cell, quoted where RFC 4180 wants it, followed by @end. */
static void print_cell(FILE *out, const char *text, char end)
{
    if (strpbrk(text, ",\"\r\n") == NULL && text[0] != ' ') {
        fputs(text, out);
    } else {
        fputc('"', out);
        for (const char *at = text; *at != '\0'; at++) {
            if (*at == '"') {
                fputc('"', out);
            }
            fputc(*at, out);
        }
        fputc('"', out);
    }
    fputc(end, out);
}

void export_csv_heading(FILE *out, Carillon__ExportKind kind)
{
    switch ((int)kind) {
    case CARILLON__EXPORT_KIND__EXPORT_COURSES:
        fputs("institution,code,title,credits,level,section,capacity,days,start,end,room,"
              "instructor,"
              "prereq,subject,number,description\n",
              out);
        break;
    case CARILLON__EXPORT_KIND__EXPORT_STUDENTS:
        fputs("institution,token,name,level,taken\n", out);
        break;
    default:
        fputs("student,institution,code,section,term,since_index,place,over_capacity\n", out);
        break;
    }
}

void export_csv_row(struct cli *cli, const Carillon__ExportRow *row)
{
    print_cell(cli->out, row->student, ',');
    print_cell(cli->out, row->institution, ',');
    print_cell(cli->out, row->code, ',');
    print_cell(cli->out, row->section, ',');
    print_cell(cli->out, row->term, ',');
    fprintf(cli->out, "%" PRIu64 ",%" PRIu32 ",%s\n", row->since_index, row->place,
            row->over_capacity ? "true" : "false");
}

static const char *leaf_text(struct cli *cli, const Carillon__RuleNode *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_LEVEL) {
        return cli_format(cli, "level >= %u", node->count);
    }
    if (node->kind == CARILLON__RULE_KIND__RULE_CREDITS) {
        return cli_format(cli, "credits >= %s", words_credits(cli, true, node->count));
    }
    const char *mark = strchr(node->code, '"') == NULL ? "\"" : "'";
    const char *grade = words_grade(cli, node->grade_min);

    return cli_format(cli, "%s%s%s%s%s%s%s%s", mark, node->institution,
                      node->institution[0] != '\0' ? ":" : "", node->code, mark,
                      grade[0] != '\0' ? " >= " : "", grade,
                      node->concurrent ? " concurrent" : "");
}

struct group {
    uint32_t left;
    const char *joint; /* between members */
    const char *end;
};

static struct group open_group(const Carillon__RuleNode *node)
{
    switch ((int)node->kind) {
    case CARILLON__RULE_KIND__RULE_N_OF:
        return (struct group){node->children, ", ", "}"};
    case CARILLON__RULE_KIND__RULE_OR:
        return (struct group){node->children, " or ", ")"};
    default:
        return (struct group){node->children, " and ", ")"};
    }
}

char *export_rule_text(struct cli *cli, Carillon__RuleNode *const *nodes, size_t count)
{
    struct group groups[DEPTH_MAX];
    size_t depth = 0;
    char *text = cli_format(cli, "%s", "");

    for (size_t i = 0; i < count; i++) {
        const Carillon__RuleNode *node = nodes[i];

        if (node->children > 0 && depth < DEPTH_MAX) {
            groups[depth++] = open_group(node);
            text = node->kind == CARILLON__RULE_KIND__RULE_N_OF
                       ? cli_format(cli, "%s%u of {", text, node->count)
                       : cli_format(cli, "%s(", text);
            continue;
        }
        text = cli_format(cli, "%s%s", text, leaf_text(cli, node));
        while (depth > 0 && --groups[depth - 1].left == 0) {
            text = cli_format(cli, "%s%s", text, groups[--depth].end);
        }
        if (depth > 0) {
            text = cli_format(cli, "%s%s", text, groups[depth - 1].joint);
        }
    }
    return text;
}

static void print_meeting(struct cli *cli, const Carillon__Meeting *meeting)
{
    if (meeting == NULL) {
        fputs(",,,,", cli->out);
        return;
    }
    const char *text = words_meeting(cli, meeting->days, meeting->start_min, meeting->end_min);
    int days = (int)strcspn(text, " ");

    fprintf(cli->out, "%.*s,%.5s,%.5s,", days, text, text + days + 1, text + days + 7);
    print_cell(cli->out, meeting->location, ',');
}

/* The row of meeting @meeting of section @section; the first row of a course says everything
 * about it, the first of a section repeats the title. */
static void print_row(struct cli *cli, const Carillon__Course *course, size_t section_index,
                      size_t meeting_index)
{
    const Carillon__Section *section =
        section_index < course->n_sections ? course->sections[section_index] : NULL;
    bool is_first = section_index == 0 && meeting_index == 0;
    bool begins_section = meeting_index == 0;
    bool has_capacity = section != NULL && section->capacity_known && begins_section;
    const char *instructors = "";

    for (size_t i = 0; i < course->n_instructors && is_first; i++) {
        instructors =
            cli_format(cli, "%s%s%s", instructors, i > 0 ? "; " : "", course->instructors[i]);
    }
    print_cell(cli->out, course->institution, ',');
    print_cell(cli->out, course->code, ',');
    print_cell(cli->out, begins_section ? course->title : "", ',');
    print_cell(cli->out,
               is_first && course->credits_known
                   ? words_credits(cli, true, course->credits_hundredths)
                   : "",
               ',');
    print_cell(cli->out,
               is_first && course->level > 0 ? cli_format(cli, "%u", course->level) : "", ',');
    print_cell(cli->out, section != NULL && begins_section ? section->id : "", ',');
    print_cell(cli->out, has_capacity ? cli_format(cli, "%u", section->capacity) : "", ',');
    print_meeting(cli, section != NULL && meeting_index < section->n_meetings
                           ? section->meetings[meeting_index]
                           : NULL);
    print_cell(cli->out, instructors, ',');
    print_cell(cli->out,
               is_first ? export_rule_text(cli, course->prerequisites, course->n_prerequisites)
                        : "",
               ',');
    print_cell(cli->out, is_first ? course->subject : "", ',');
    print_cell(cli->out, is_first ? course->number : "", ',');
    print_cell(cli->out, is_first ? course->description : "", '\n');
}

void export_csv_course(struct cli *cli, const Carillon__Course *course)
{
    if (course->n_sections == 0) {
        print_row(cli, course, 0, 0);
    }
    for (size_t i = 0; i < course->n_sections; i++) {
        size_t meetings = course->sections[i]->n_meetings;

        for (size_t j = 0; j == 0 || j < meetings; j++) {
            print_row(cli, course, i, j);
        }
    }
}

void export_csv_student(struct cli *cli, const Carillon__Student *student)
{
    const char *taken = "";

    for (size_t i = 0; i < student->n_taken; i++) {
        const Carillon__Taken *item = student->taken[i];
        const char *grade = words_grade(cli, item->grade);

        taken = cli_format(cli, "%s%s%s%s%s%s%s", taken, i > 0 ? "; " : "", item->institution,
                           item->institution[0] != '\0' ? ":" : "", item->code,
                           grade[0] != '\0' ? "=" : "", grade);
    }
    print_cell(cli->out, student->institution, ',');
    print_cell(cli->out, student->token, ',');
    print_cell(cli->out, student->name, ',');
    print_cell(cli->out, student->level > 0 ? cli_format(cli, "%u", student->level) : "", ',');
    print_cell(cli->out, taken, '\n');
}
