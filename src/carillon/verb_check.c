#include "carillon/submit.h"
#include "carillon/verbs.h"

struct arguments {
    struct submit submit;
    bool is_bad;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;
    Carillon__OpKind kind = key == 'd' ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;

    switch (key) {
    case 'd':
    case ARGP_KEY_ARG:
        arguments->is_bad |= submit_add(&arguments->submit, kind, arg) == NULL;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which section? to leave one only, use `carillon drop`");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"drop", 'd', "NAME", 0, "leave this section in the same step (may be repeated)",
             0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "NAME...",
    .about = "Say what registering would do, with every rule that stands in the way. Nothing "
             "is changed.\\v"
             "  carillon check --student lm-0007 \"COMP 240#1\" \"MATH 210#2\" --drop \"ARTS "
             "110#1\"",
};

int verb_check(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.is_bad = false};

    submit_init(&arguments.submit, cli);
    cli_parse(cli, argc, argv, &syntax, &arguments);
    return arguments.is_bad ? EXIT_USAGE : submit_perform(&arguments.submit, true);
}
