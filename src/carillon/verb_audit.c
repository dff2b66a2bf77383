#include <inttypes.h>

#include "carillon/name.h"
#include "carillon/registrar.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

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
             "the registrar's acts. With --student only what concerns that student. Of several "
             "shards one follows the other; an index is then SHARD/INDEX.\v"
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

static void add_records(struct cli *cli, struct table *table, const Carillon__AuditReply *reply)
{
    for (size_t i = 0; i < reply->n_records; i++) {
        const Carillon__AuditRecord *record = reply->records[i];
        const struct method *method = method_get(record->method);

        if (reply->shards > 1) {
            table_add_format(table, "%" PRIu32 "/%" PRIu64, reply->shard + 1, record->index);
        } else {
            table_add_format(table, "%" PRIu64, record->index);
        }
        table_add(table, words_moment(cli, record->wall_ms, ""));
        table_add(table, method != NULL ? method->name : "time");
        table_add(table, record->student);
        table_add(table, record->by);
        table_add(table,
                  record->status == 0 ? "done" : error_name(error_from_wire(record->status)));
        table_add(table, describe(cli, record));
    }
}

/* One shard's records follow another's, a page at a time. */
static int print_records(struct cli *cli, Carillon__AuditRequest *request)
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
    Carillon__AuditReply *reply = NULL;
    struct table table;
    int code = EXIT_DONE;

    table_init(&table, cli, columns, 7);
    do {
        if (cli->json) {
            int error = cli_call(cli, CARILLON__METHOD__METHOD_AUDIT, &request->base, &reply);

            if (error != OK) {
                return cli_fail_json(cli, error);
            }
            cli_print_json(cli, &reply->base);
        } else if (cli_ask(cli, CARILLON__METHOD__METHOD_AUDIT, &request->base, &reply,
                           &code)) {
            add_records(cli, &table, reply);
        } else {
            return code;
        }
        request->after_index = reply->next_after_index;
        request->limit -= (uint32_t)reply->n_records;
    } while (reply->next_after_index != 0 && request->limit > 0);
    table_print(&table);
    if (reply->next_after_index > 0 && cli->is_terminal && !cli->json) {
        fprintf(cli->out, "%smore: --after %" PRIu64 "%s\n", cli_style(cli, STYLE_DIM),
                reply->next_after_index, cli_style_end(cli));
    }
    return code;
}

int verb_audit(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.section = NULL};
    Carillon__AuditRequest request = CARILLON__AUDIT_REQUEST__INIT;
    uint64_t limit = LIMIT_DEFAULT;

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
    request.limit = limit == 0 ? LIMIT_DEFAULT : (uint32_t)limit;
    return print_records(cli, &request);
}
