#include "carillon/registrar.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

struct arguments {
    const char *student;
    const char *name;
    const char *reason;
    uint32_t kinds;
    bool is_revoke;
};

static void add_name(struct arguments *arguments, char *arg, struct argp_state *state)
{
    if (arguments->student == NULL) {
        arguments->student = arg;
    } else if (arguments->name == NULL) {
        arguments->name = arg;
    } else {
        argp_error(state, "a student and one section are expected");
    }
}

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'c':
        arguments->kinds |= CARILLON__PERMIT_KIND__PERMIT_CAPACITY;
        return 0;
    case 'r':
        arguments->kinds |= CARILLON__PERMIT_KIND__PERMIT_RULE;
        return 0;
    case 'T':
        arguments->kinds |= CARILLON__PERMIT_KIND__PERMIT_TIME;
        return 0;
    case 'b':
        arguments->is_revoke = true;
        return 0;
    case 'R':
        arguments->reason = arg;
        return 0;
    case ARGP_KEY_ARG:
        add_name(arguments, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (arguments->name == NULL) {
            argp_error(state, "a student and a section are expected");
        }
        if (arguments->is_revoke == (arguments->kinds != 0)) {
            argp_error(state, "say what is permitted: --capacity, --rule, --time; or --revoke");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"capacity", 'c', NULL, 0, "past the capacity", 0},
                                     {"rule", 'r', NULL, 0, "past prerequisites and level", 0},
                                     {"time", 'T', NULL, 0, "past conflicts of time", 0},
                                     {"revoke", 'b', NULL, 0, "take the permit back; a registration stays", 0},
                                     {"reason", 'R', "TEXT", 0, "why, for the audit trail", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "STUDENT NAME",
    .about = "Let a student past a rule for one section. It replaces an earlier permit for the "
             "two.\v"
             "  carillon permit lm-0007 \"lindenmoor:COMP 240#1\" --capacity --rule --reason "
             "\"agreed with the teacher\"",
};

int verb_permit(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.reason = ""};
    Carillon__PermitRequest request = CARILLON__PERMIT_REQUEST__INIT;
    Carillon__PermitReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    request.student = wire_text(arguments.student);
    request.section = cli_section_name(cli, arguments.name);
    request.kinds = arguments.kinds;
    request.reason = wire_text(arguments.reason);
    request.by = wire_text(cli->by);
    if (request.section == NULL) {
        return EXIT_USAGE;
    }
    if (cli_ask(cli, CARILLON__METHOD__METHOD_PERMIT, &request.base, &reply, &code)) {
        registrar_confirm(cli,
                          cli_format(cli, "%s, %s: permit %s", arguments.student,
                                     arguments.name, words_permit_kinds(cli, arguments.kinds)),
                          reply->receipt);
    }
    return code;
}
