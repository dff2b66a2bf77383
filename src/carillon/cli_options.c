#include <stdlib.h>
#include <string.h>

#include "carillon/cli.h"

enum {
    OPTION_CONNECT = 0x100,
    OPTION_CREDENTIAL,
    OPTION_JSON,
    OPTION_STUDENT,
    OPTION_BY,
    OPTION_KEY,
    OPTION_TIMEOUT,
    OPTION_STALE_OK,
};

static const struct argp_option common_options[] = {
    {"connect",    OPTION_CONNECT,    "HOST:PORT,...", 0,
     "the nodes to talk to, one of which has to answer (CARILLON_CONNECT; default "
     "127.0.0.1:7440)",                                                                                              1},
    {"credential", OPTION_CREDENTIAL, "FILE",          0,
     "who you are there (CARILLON_CREDENTIAL; default: found by itself)",                                            1},
    {"json",       OPTION_JSON,       NULL,            0, "print the reply as JSON",                                 1},
    {"student",    OPTION_STUDENT,    "TOKEN",         0, "the student who is meant (CARILLON_STUDENT)",             1},
    {"by",         OPTION_BY,         "NAME",          0, "who asks, for the audit trail (default: your user name)", 1},
    {"key",        OPTION_KEY,        "UUID",          0, "repeat the request that had this key",                    1},
    {"timeout",    OPTION_TIMEOUT,    "SECONDS",       0, "give up waiting after this long",                         1},
    {NULL,         0,                 NULL,            0, NULL,                                                      0},
};

static error_t parse_timeout(const char *arg, struct argp_state *state, uint32_t *ret_ms)
{
    char *end = NULL;
    double seconds = strtod(arg, &end);

    if (end == arg || *end != '\0' || !(seconds > 0 && seconds <= 3600)) {
        argp_error(state, "--timeout %s: a number of seconds from 0.001 to 3600 is expected",
                   arg);
        return EINVAL;
    }
    *ret_ms = seconds < 0.001 ? 1 : (uint32_t)(seconds * 1000);
    return 0;
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;

    switch (key) {
    case OPTION_CONNECT:
        cli->connect = arg;
        return 0;
    case OPTION_CREDENTIAL:
        cli->credential = arg;
        return 0;
    case OPTION_JSON:
        cli->json = true;
        return 0;
    case OPTION_STUDENT:
        cli->student = arg;
        return 0;
    case OPTION_BY:
        cli->by = arg;
        return 0;
    case OPTION_KEY:
        cli->key = arg;
        return 0;
    case OPTION_TIMEOUT:
        return parse_timeout(arg, state, &cli->timeout_ms);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option stale_options[] = {
    {"stale-ok", OPTION_STALE_OK, NULL, 0,
     "any node may answer from what it has, also one that is cut off; how old that may be is "
     "said on stderr",                           1},
    {NULL,       0,               NULL, 0, NULL, 0},
};

static error_t parse_stale(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;

    (void)arg;
    if (key == OPTION_STALE_OK) {
        cli->stale_ok = true;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

struct parse_input {
    struct cli *cli;
    cli_parse_verb parse;
    void *input;
    bool takes_stale;
};

static error_t parse_verb(int key, char *arg, struct argp_state *state)
{
    struct parse_input *input = state->input;

    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = input->cli;
        if (input->takes_stale) {
            state->child_inputs[1] = input->cli;
        }
    }
    return input->parse == NULL ? ARGP_ERR_UNKNOWN
                                : input->parse(key, arg, state, input->input);
}

void cli_parse(struct cli *cli, int argc, char **argv, const struct cli_syntax *syntax,
               void *input)
{
    static const struct argp common = {.options = common_options, .parser = parse_common};
    static const struct argp stale = {.options = stale_options, .parser = parse_stale};
    const struct argp_child children[] = {
        {&common,                             0, "Common options:", 1},
        {syntax->takes_stale ? &stale : NULL, 0, NULL,              0},
        {NULL,                                0, NULL,              0}
    };
    struct parse_input with = {cli, syntax->parse, input, syntax->takes_stale};
    struct argp argp = {
        .options = syntax->options,
        .parser = parse_verb,
        .args_doc = syntax->arguments,
        .doc = syntax->about,
        .children = children,
    };

    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &with) != 0) {
        exit(EXIT_USAGE);
    }
}
