#include "carillon/submit.h"
#include "carillon/verbs.h"

struct arguments {
    struct submit submit;
    int count;
    bool is_bad;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (arguments->count == 2) {
            argp_error(state,
                       "two names are expected: the section to leave, then the one to enter");
        }
        arguments->is_bad |= submit_add(&arguments->submit,
                                        arguments->count == 0 ? CARILLON__OP_KIND__OP_DROP
                                                              : CARILLON__OP_KIND__OP_ADD,
                                        arg) == NULL;
        arguments->count++;
        return 0;
    case ARGP_KEY_END:
        if (arguments->count != 2) {
            argp_error(state,
                       "two names are expected: the section to leave, then the one to enter");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .parse = parse,
    .arguments = "OLD NEW",
    .about = "Drop one section and register for another in one step: when NEW is refused, OLD "
             "stays.\v"
             "  carillon swap --student lm-0007 \"COMP 110#1\" \"COMP 110#2\"",
};

int verb_swap(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.count = 0};

    submit_init(&arguments.submit, cli);
    cli_parse(cli, argc, argv, &syntax, &arguments);
    return arguments.is_bad ? EXIT_USAGE : submit_perform(&arguments.submit, false);
}
