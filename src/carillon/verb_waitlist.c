#include "carillon/submit.h"
#include "carillon/verbs.h"

enum { DROPS_MAX = 16 };

struct arguments {
    struct submit submit;
    const char *drops[DROPS_MAX];
    size_t drop_count;
    bool is_bad;
};

static void add_name(struct arguments *arguments, const char *name)
{
    Carillon__Op *op = submit_add(&arguments->submit, CARILLON__OP_KIND__OP_ADD, name);

    if (op == NULL) {
        arguments->is_bad = true;
        return;
    }
    op->waitlist = true;
}

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'x':
        if (arguments->drop_count == DROPS_MAX) {
            argp_error(state, "at most %d sections to drop", DROPS_MAX);
        }
        arguments->drops[arguments->drop_count++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        add_name(arguments, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which section?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"drop-on-promotion", 'x', "NAME", 0,
             "leave this section when, and only when, a seat comes (may be repeated)", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "NAME...",
    .about =
        "Register for sections; where one is full, take a place on its waitlist. Exit status 3 "
        "says that "
        "there is a place instead of a seat.\v"
        "A promotion is an ordinary registration: all rules are checked at that moment.\n\n"
        "  carillon waitlist --student lm-0007 \"COMP 240#1\" --drop-on-promotion \"COMP "
        "240#2\"",
};

int verb_waitlist(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.drop_count = 0};

    submit_init(&arguments.submit, cli);
    cli_parse(cli, argc, argv, &syntax, &arguments);
    for (size_t i = 0; i < arguments.submit.request.n_ops; i++) {
        for (size_t j = 0; j < arguments.drop_count && !arguments.is_bad; j++) {
            arguments.is_bad = !submit_add_promotion_drop(
                &arguments.submit, &arguments.submit.ops[i], arguments.drops[j]);
        }
    }
    return arguments.is_bad ? EXIT_USAGE : submit_perform(&arguments.submit, false);
}
