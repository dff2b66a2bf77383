#include "carillon/name.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "wire/message.h"

enum { PAGE = 1000 };

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    const char **name = input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (*name != NULL) {
            argp_error(state, "one section at a time; quote a name with spaces");
        }
        *name = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which section?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .parse = parse,
    .arguments = "NAME",
    .about = "Show who is in a section, in order of registration, and who waits, by place.\v"
             "With --json one object a page of 1000 students.\n\n"
             "  carillon roster \"lindenmoor:COMP 240#1\"",
    .takes_stale = true,
};

static void add_students(struct table *table, Carillon__RosterStudent *const *students,
                         size_t count, bool is_waitlist)
{
    for (size_t i = 0; i < count; i++) {
        const Carillon__RosterStudent *student = students[i];
        const char *note = student->over_capacity ? "over capacity" : "";

        table_add(table, student->token);
        table_add(table, student->name);
        table_add(table, student->institution);
        table_add(table, words_moment(table->cli, student->since_ms, ""));
        table_add(table, is_waitlist ? cli_format(table->cli, "waiting, place %u",
                                                  student->waitlist_place)
                                     : note);
    }
}

static void print_heading(struct cli *cli, const Carillon__RosterReply *reply)
{
    if (cli->is_terminal) {
        fprintf(cli->out, "%s%s%s  %s: %u enrolled, capacity %s, %u waiting\n",
                cli_style(cli, STYLE_BOLD), name_format(&cli->arena, reply->section),
                cli_style_end(cli), reply->title, reply->enrolled,
                words_capacity(cli, reply->capacity_known, reply->capacity), reply->waiting);
    }
}

int verb_roster(struct cli *cli, int argc, char **argv)
{
    static const struct table_column columns[] = {
        {"STUDENT", false, false},
        {"NAME",    false, true },
        {"HOME",    false, false},
        {"SINCE",   false, false},
        {"",        false, false},
    };
    const char *name = NULL;
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__RosterReply *reply = NULL;
    struct table table;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &name);
    request.section = cli_section_name(cli, name);
    request.limit = PAGE;
    if (request.section == NULL) {
        return EXIT_USAGE;
    }
    table_init(&table, cli, columns, 5);
    do {
        request.cursor = wire_text(reply == NULL ? "" : reply->next_cursor);
        bool is_first = request.cursor[0] == '\0';

        if (cli->json) {
            int error = cli_call(cli, CARILLON__METHOD__METHOD_ROSTER, &request.base, &reply);

            if (error != OK) {
                return cli_fail_json(cli, error);
            }
            cli_print_json(cli, reply);
            continue;
        }
        if (!cli_ask(cli, CARILLON__METHOD__METHOD_ROSTER, &request.base, &reply, &code)) {
            return code;
        }
        if (is_first) {
            print_heading(cli, reply);
        }
        add_students(&table, reply->students, reply->n_students, false);
        add_students(&table, reply->waitlist, reply->n_waitlist, true);
    } while (reply->next_cursor[0] != '\0');
    table_print(&table);
    return code;
}
