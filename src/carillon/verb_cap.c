#include <string.h>

#include "carillon/import_limits.h"
#include "carillon/registrar.h"
#include "carillon/verbs.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

struct arguments {
    const char *name;
    const char *capacity;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (arguments->name == NULL) {
            arguments->name = arg;
        } else if (arguments->capacity == NULL) {
            arguments->capacity = arg;
        } else {
            argp_error(state, "a section and a capacity are expected");
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->capacity == NULL) {
            argp_error(state, "a section and a capacity are expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .parse = parse,
    .arguments = "NAME N|none",
    .about = "Change a section's capacity. Nobody is dropped when it shrinks; who waits is "
             "promoted when it "
             "grows.\v"
             "  carillon cap \"lindenmoor:COMP 240#1\" 40\n"
             "  carillon cap \"lindenmoor:COMP 240#1\" none",
};

int verb_cap(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.name = NULL};
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;
    Carillon__CapReply *reply = NULL;
    uint64_t capacity = 0;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    request.capacity_known = strcmp(arguments.capacity, "none") != 0;
    if (request.capacity_known && registrar_number(cli, "capacity", arguments.capacity,
                                                   IMPORT_CAPACITY_MAX, &capacity) != OK) {
        return EXIT_USAGE;
    }
    request.section = cli_section_name(cli, arguments.name);
    request.capacity = (uint32_t)capacity;
    request.by = wire_text(cli->by);
    if (request.section == NULL) {
        return EXIT_USAGE;
    }
    if (cli_ask(cli, CARILLON__METHOD__METHOD_CAP, &request.base, &reply, &code)) {
        registrar_confirm(
            cli,
            cli_format(cli, "%s: capacity %s, %u enrolled, %u promoted from the waitlist",
                       arguments.name,
                       request.capacity_known ? arguments.capacity : "without limit",
                       reply->enrolled, reply->promoted),
            reply->receipt);
    }
    return code;
}
