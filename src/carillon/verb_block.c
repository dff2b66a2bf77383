#include "carillon/registrar.h"
#include "carillon/verbs.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

struct arguments {
    const char *student;
    const char *reason;
    bool is_lift;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'l':
        arguments->is_lift = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->student == NULL) {
            arguments->student = arg;
        } else if (arguments->reason[0] == '\0') {
            arguments->reason = arg;
        } else {
            argp_error(state, "quote a reason of several words");
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->student == NULL ||
            (!arguments->is_lift && arguments->reason[0] == '\0')) {
            argp_error(state, "a student and a reason are expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"lift", 'l', NULL, 0,
             "lift the block with this reason; without a reason all blocks", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "STUDENT REASON",
    .about = "Keep a student from adding courses until the block is lifted. Dropping stays "
             "possible.\v"
             "  carillon block lm-0007 \"library fines\"\n"
             "  carillon block lm-0007 --lift",
};

int verb_block(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.reason = ""};
    Carillon__BlockRequest request = CARILLON__BLOCK_REQUEST__INIT;
    Carillon__BlockReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    request.student = wire_text(arguments.student);
    request.reason = wire_text(arguments.reason);
    request.remove = arguments.is_lift;
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_BLOCK, &request.base, &reply, &code)) {
        registrar_confirm(
            cli, cli_format(cli, "%s: %u blocks in force", arguments.student, reply->blocks),
            reply->receipt);
    }
    return code;
}
