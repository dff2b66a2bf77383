#include <string.h>

#include "base/buf.h"
#include "carillon/cli.h"
#include "carillon/json_message.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "wire/method.h"

enum { BODY_BYTES_MAX = 1 << 20 };

struct arguments {
    const char *method;
    const char *body;
    bool is_list;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'l':
        arguments->is_list = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->method == NULL) {
            arguments->method = arg;
        } else if (arguments->body == NULL) {
            arguments->body = arg;
        } else {
            argp_error(state, "a method and one JSON object are expected");
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->method == NULL && !arguments->is_list) {
            argp_error(state, "which method? --list names them");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"list", 'l', NULL, 0, "list the methods with their messages", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "METHOD [JSON|-]",
    .about = "Call any method by name. The request is a JSON object of the fields of proto/, "
             "or - to read it "
             "from standard input; the reply is printed as JSON.\v"
             "  carillon call catalogue.show '{\"code\": \"COMP 240\"}'\n"
             "  carillon call --list",
};

static int list_methods(struct cli *cli)
{
    static const char *const kinds[] = {"read", "write", "search", "node"};
    static const struct table_column columns[] = {
        {"METHOD",  false, false},
        {"KIND",    false, false},
        {"REQUEST", false, false},
        {"REPLY",   false, false},
        {"ERRORS",  false, true },
    };
    struct table table;

    table_init(&table, cli, columns, 5);
    for (size_t i = 0; method_at(i) != NULL; i++) {
        const struct method *method = method_at(i);

        table_add(&table, method->name);
        table_add(&table, kinds[method->kind]);
        table_add(&table, method->request->short_name);
        table_add(&table, method->reply->short_name);
        table_add(&table, method->errors);
    }
    table_print(&table);
    return EXIT_DONE;
}

static int read_body(struct cli *cli, struct buf *body)
{
    while (!feof(stdin) && !ferror(stdin)) {
        if (buf_reserve(body, 4096) != OK) {
            fprintf(cli->err, "carillon: a request of more than 1 MiB\n");
            return ERR_TOO_LARGE;
        }
        body->len += fread(body->data + body->len, 1, 4096, stdin);
    }
    return ferror(stdin) ? ERR_IO : OK;
}

static int call(struct cli *cli, const struct method *method, struct slice json)
{
    struct json_message_error error;
    void *reply = NULL;
    int code = EXIT_DONE;
    const ProtobufCMessage *request =
        json_message_parse(json, method->request, &cli->arena, &error);

    if (request == NULL) {
        fprintf(cli->err, "carillon: %s: %s\n", method->request->short_name, error.text);
        return EXIT_USAGE;
    }
    cli->json = true;
    (void)cli_ask(cli, method->number, request, &reply, &code);
    return code;
}

int verb_call(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.method = NULL};
    struct buf body;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    if (arguments.is_list) {
        return list_methods(cli);
    }
    const struct method *method = method_find(slice_from_text(arguments.method));

    if (method == NULL) {
        fprintf(cli->err,
                "carillon: there is no method '%s'; `carillon call --list` names them\n",
                arguments.method);
        return EXIT_USAGE;
    }
    if (arguments.body == NULL || strcmp(arguments.body, "-") != 0) {
        return call(cli, method,
                    slice_from_text(arguments.body == NULL ? "{}" : arguments.body));
    }
    buf_init(&body, BODY_BYTES_MAX);
    int code = read_body(cli, &body) == OK ? call(cli, method, buf_slice(&body)) : EXIT_USAGE;

    buf_fini(&body);
    return code;
}
