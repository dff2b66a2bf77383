#include <string.h>

#include "carillon/export.h"
#include "carillon/json_message.h"
#include "carillon/verbs.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

enum { PAGE = 1000 };

struct arguments {
    const char *kind;
    const char *institution;
    const char *term;
    bool is_csv;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'k':
        arguments->kind = arg;
        return 0;
    case 'i':
        arguments->institution = arg;
        return 0;
    case 't':
        arguments->term = arg;
        return 0;
    case 'F':
        arguments->is_csv = strcmp(arg, "csv") == 0;
        if (!arguments->is_csv && strcmp(arg, "jsonl") != 0) {
            argp_error(state, "--format %s: jsonl or csv is expected", arg);
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"kind", 'k', "KIND", 0, "registrations (default), courses, students or waitlists",
             0},
                                     {"institution", 'i', "NAME", 0, "only this institution", 0},
                                     {"term", 't', "TERM", 0, "only this term", 0},
                                     {"format", 'F', "FORMAT", 0, "jsonl (default) or csv", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "",
    .about = "Write what the node holds to standard output.\v"
             "  carillon export --kind registrations --format csv > registrations.csv",
};

static bool find_kind(const char *name, Carillon__ExportKind *ret_kind)
{
    static const char *const names[] = {"registrations", "courses", "students", "waitlists"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_kind = (Carillon__ExportKind)(i + 1);
            return true;
        }
    }
    return false;
}

static void print_page(struct cli *cli, const Carillon__ExportReply *reply, bool is_csv)
{
    for (size_t i = 0; i < reply->n_rows; i++) {
        if (is_csv) {
            export_csv_row(cli, reply->rows[i]);
        } else {
            json_message_print(cli->out, &reply->rows[i]->base);
        }
    }
    for (size_t i = 0; i < reply->n_courses; i++) {
        if (is_csv) {
            export_csv_course(cli, reply->courses[i]);
        } else {
            export_json_course(cli->out, reply->courses[i]);
        }
    }
    for (size_t i = 0; i < reply->n_students; i++) {
        if (is_csv) {
            export_csv_student(cli, reply->students[i]);
        } else {
            export_json_student(cli->out, reply->students[i]);
        }
    }
}

int verb_export(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.kind = "registrations", .institution = "", .term = ""};
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    Carillon__ExportReply *reply = NULL;
    char *cursor = wire_text("");

    cli_parse(cli, argc, argv, &syntax, &arguments);
    if (!find_kind(arguments.kind, &request.kind)) {
        fprintf(
            cli->err,
            "carillon: --kind %s: registrations, courses, students or waitlists is expected\n",
            arguments.kind);
        return EXIT_USAGE;
    }
    request.institution = wire_text(arguments.institution);
    request.term = wire_text(arguments.term);
    request.limit = PAGE;
    if (arguments.is_csv && !cli->json) {
        export_csv_heading(cli->out, request.kind);
    }
    do {
        request.cursor = cursor;
        int error = cli_call(cli, CARILLON__METHOD__METHOD_EXPORT, &request.base, &reply);

        if (error != OK) {
            return cli->json ? cli_fail_json(cli, error) : cli_fail(cli, error);
        }
        if (cli->json) {
            cli_print_json(cli, reply);
        } else {
            print_page(cli, reply, arguments.is_csv);
        }
        cursor = cli_format(cli, "%s", reply->next_cursor);
        cli_free_replies(cli);
    } while (cursor[0] != '\0');
    return EXIT_DONE;
}
