#include <inttypes.h>

#include "carillon/name.h"
#include "carillon/registrar.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { LIMIT_MAX = 1000 };

struct arguments {
    const char *section;
    const char *after;
    const char *limit;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    (void)state;
    switch (key) {
    case 'S':
        arguments->section = arg;
        return 0;
    case 'a':
        arguments->after = arg;
        return 0;
    case 'n':
        arguments->limit = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"section", 'S', "NAME", 0, "only what touched this section", 0},
                                     {"after", 'a', "INDEX", 0, "only entries after this position in the log", 0},
                                     {"limit", 'n', "N", 0, "how many, at most 1000 (default 100)", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "",
    .about = "List what was asked and answered, in the order of the log: registrations, "
             "refusals, promotions, "
             "the registrar's acts. With --student only what concerns that student.\v"
             "  carillon audit --student lm-0007\n"
             "  carillon audit --section \"lindenmoor:COMP 240#1\" --limit 20",
};

static const char *describe(struct cli *cli, const Carillon__AuditRecord *record)
{
    static const char *const changes[] = {"", "registered", "dropped", "waiting for",
                                          "left the waitlist of"};
    const char *text = "";

    for (size_t i = 0; i < record->n_changes; i++) {
        size_t kind = (size_t)record->changes[i]->kind;

        text = cli_format(cli, "%s%s%s %s", text, text[0] != '\0' ? "; " : "",
                          kind < 5 ? changes[kind] : "?",
                          name_format(&cli->arena, record->changes[i]->section));
    }
    for (size_t i = 0; i < record->n_refusals; i++) {
        text = cli_format(cli, "%s%s%s%s%s", text, text[0] != '\0' ? "; " : "",
                          words_refusal(record->refusals[i]->kind),
                          record->refusals[i]->evidence[0] != '\0' ? ": " : "",
                          record->refusals[i]->evidence);
    }
    return record->text[0] == '\0'
               ? text
               : cli_format(cli, "%s%s%s", text, text[0] != '\0' ? "; " : "", record->text);
}

static void print_records(struct cli *cli, const Carillon__AuditReply *reply)
{
    static const struct table_column columns[] = {
        {"INDEX",   true,  false},
        {"WHEN",    false, false},
        {"WHAT",    false, false},
        {"STUDENT", false, false},
        {"BY",      false, false},
        {"ANSWER",  false, false},
        {"DETAILS", false, true },
    };
    struct table table;

    table_init(&table, cli, columns, 7);
    for (size_t i = 0; i < reply->n_records; i++) {
        const Carillon__AuditRecord *record = reply->records[i];
        const struct method *method = method_get(record->method);

        table_add_format(&table, "%" PRIu64, record->index);
        table_add(&table, words_moment(cli, record->wall_ms, ""));
        table_add(&table, method != NULL ? method->name : "time");
        table_add(&table, record->student);
        table_add(&table, record->by);
        table_add(&table,
                  record->status == 0 ? "done" : error_name(error_from_wire(record->status)));
        table_add(&table, describe(cli, record));
    }
    table_print(&table);
    if (reply->next_after_index > 0 && cli->is_terminal) {
        fprintf(cli->out, "%smore: --after %" PRIu64 "%s\n", cli_style(cli, STYLE_DIM),
                reply->next_after_index, cli_style_end(cli));
    }
}

int verb_audit(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.section = NULL};
    Carillon__AuditRequest request = CARILLON__AUDIT_REQUEST__INIT;
    Carillon__AuditReply *reply = NULL;
    uint64_t limit = 0;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    if ((arguments.after != NULL && registrar_number(cli, "--after", arguments.after,
                                                     UINT64_MAX, &request.after_index) != OK) ||
        (arguments.limit != NULL &&
         registrar_number(cli, "--limit", arguments.limit, LIMIT_MAX, &limit) != OK)) {
        return EXIT_USAGE;
    }
    if (arguments.section != NULL) {
        request.section = cli_section_name(cli, arguments.section);
        if (request.section == NULL) {
            return EXIT_USAGE;
        }
    }
    request.student = wire_text(cli->student == NULL ? "" : cli->student);
    request.limit = (uint32_t)limit;
    if (cli_ask(cli, CARILLON__METHOD__METHOD_AUDIT, &request.base, &reply, &code)) {
        print_records(cli, reply);
    }
    return code;
}
