#include "carillon/submit.h"
#include "carillon/verbs.h"

struct arguments {
    struct submit submit;
    bool is_bad;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case ARGP_KEY_ARG:
        arguments->is_bad |=
            submit_add(&arguments->submit, CARILLON__OP_KIND__OP_DROP, arg) == NULL;
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
    .arguments = "NAME...",
    .about = "Leave sections, or places on their waitlists, all or nothing.\v"
             "  carillon drop --student lm-0007 \"ARTS 110#1\"",
};

int verb_drop(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.is_bad = false};

    submit_init(&arguments.submit, cli);
    cli_parse(cli, argc, argv, &syntax, &arguments);
    return arguments.is_bad ? EXIT_USAGE : submit_perform(&arguments.submit, false);
}
