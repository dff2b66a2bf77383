#include "carillon/rule_print.h"
#include "carillon/suggest.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    const char **name = input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (*name != NULL) {
            argp_error(state, "one course at a time; quote a code with spaces: \"%s %s\"",
                       *name, arg);
        }
        *name = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which course?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .parse = parse,
    .arguments = "[INSTITUTION:]CODE[@TERM]",
    .about = "Show one course: description, prerequisites, sections with their seats. With "
             "--student "
             "each prerequisite is ticked or crossed.\v"
             "  carillon show \"lindenmoor:COMP 240\"\n"
             "  carillon show --student lm-0007 \"COMP 240\"",
    .takes_stale = true,
};

static const char *meetings_of(struct cli *cli, Carillon__Meeting *const *meetings,
                               size_t count)
{
    const char *text = "";

    for (size_t i = 0; i < count; i++) {
        const Carillon__Meeting *meeting = meetings[i];

        text =
            cli_format(cli, "%s%s%s%s%s", text, i > 0 ? "; " : "",
                       words_meeting(cli, meeting->days, meeting->start_min, meeting->end_min),
                       meeting->location[0] != '\0' ? " " : "", meeting->location);
    }
    return text;
}

static void print_sections(struct cli *cli, const Carillon__ShowReply *reply)
{
    static const struct table_column columns[] = {
        {"SECTION",  false, false},
        {"ENROLLED", true,  false},
        {"CAPACITY", true,  false},
        {"WAITING",  true,  false},
        {"MEETINGS", false, true },
        {"",         false, false},
    };
    struct table table;

    table_init(&table, cli, columns, 6);
    for (size_t i = 0; i < reply->n_sections; i++) {
        const Carillon__SectionState *section = reply->sections[i];
        bool is_full = section->capacity_known && section->enrolled >= section->capacity;

        table_add(&table, section->id);
        table_add_format(&table, "%u", section->enrolled);
        table_add(&table, words_capacity(cli, section->capacity_known, section->capacity));
        table_add_format(&table, "%u", section->waiting);
        table_add(&table, meetings_of(cli, section->meetings, section->n_meetings));
        table_add(&table, section->withdrawn ? "withdrawn" : is_full ? "full" : "");
    }
    table_print(&table);
}

static void print_fact(struct cli *cli, const char *name, const char *value)
{
    if (value[0] != '\0') {
        fprintf(cli->out, cli->is_terminal ? "%-14s" : "%s\t", name);
        text_print(cli, value);
        fputc('\n', cli->out);
    }
}

static void print_course(struct cli *cli, const Carillon__ShowReply *reply)
{
    const Carillon__Course *course = reply->course;

    fprintf(cli->out, "%s%s:%s%s  ", cli_style(cli, STYLE_BOLD), course->institution,
            course->code, cli_style_end(cli));
    text_print(cli, course->title);
    fprintf(cli->out, "%s\n", reply->withdrawn ? "  (withdrawn)" : "");
    print_fact(cli, "term", course->term);
    print_fact(cli, "credits",
               words_credits(cli, course->credits_known, course->credits_hundredths));
    print_fact(cli, "level", course->level > 0 ? cli_format(cli, "%u", course->level) : "");
    print_fact(cli, "instructors", words_list(cli, course->instructors, course->n_instructors));
    if (course->description[0] != '\0') {
        fputc('\n', cli->out);
        text_print_wrapped(cli, course->description, 0);
    }
    if (course->n_prerequisites > 0) {
        fprintf(cli->out, "\nprerequisites\n");
        rule_print(cli, reply, 2);
    }
    /* As published: shown beside the tree, or alone when there is none. */
    if (course->prerequisites_text[0] != '\0') {
        fprintf(cli->out, "\nprerequisites as published%s\n",
                course->n_prerequisites == 0 ? " (not checked when registering)" : "");
        text_print_wrapped(cli, course->prerequisites_text, 2);
    }
    fputc('\n', cli->out);
    print_sections(cli, reply);
    if (reply->n_unlocks > 0) {
        fprintf(cli->out, "\nneeded for\n");
        text_print_wrapped(cli, words_list(cli, reply->unlocks, reply->n_unlocks), 2);
    }
    if (course->source[0] != '\0' && cli->is_terminal) {
        fprintf(cli->out, "\n%ssource: %s (%s)%s\n", cli_style(cli, STYLE_DIM), course->source,
                course->licence, cli_style_end(cli));
    }
}

int verb_show(struct cli *cli, int argc, char **argv)
{
    const char *text = NULL;
    Carillon__ShowRequest request = CARILLON__SHOW_REQUEST__INIT;
    Carillon__ShowReply *reply = NULL;

    cli_parse(cli, argc, argv, &syntax, &text);
    const Carillon__SectionName *name = cli_section_name(cli, text);

    if (name == NULL) {
        return EXIT_USAGE;
    }
    request.institution = name->institution;
    request.code = name->code;
    request.term = name->term;
    request.student = wire_text(cli->student == NULL ? "" : cli->student);
    int error = cli_call(cli, CARILLON__METHOD__METHOD_SHOW, &request.base, &reply);

    if (cli->json) {
        if (reply == NULL) {
            return cli_fail_json(cli, error);
        }
        cli_print_json(cli, reply);
        return error_exit_code(error);
    }
    if (error != OK || reply->course == NULL) {
        int code = cli_fail(cli, error != OK ? error : ERR_INTERNAL);

        suggest_course_name(cli, name, error);
        return code;
    }
    print_course(cli, reply);
    return EXIT_DONE;
}
