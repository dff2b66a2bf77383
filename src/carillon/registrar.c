#include "carillon/registrar.h"

#include <inttypes.h>

#include "carillon/import_limits.h"
#include "carillon/words.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

void registrar_confirm(struct cli *cli, const char *text, const Carillon__Receipt *receipt)
{
    fprintf(cli->out, "%s\n", text);
    if (cli->is_terminal && receipt != NULL) {
        fprintf(cli->out, "%sreceipt %u.%" PRIu64 ".%" PRIu64 "%s\n", cli_style(cli, STYLE_DIM),
                receipt->group, receipt->term, receipt->index, cli_style_end(cli));
    }
}

int registrar_number(struct cli *cli, const char *name, const char *text, uint64_t max,
                     uint64_t *ret_number)
{
    if (slice_parse_u64(slice_from_text(text), max, ret_number) != OK) {
        fprintf(cli->err, "carillon: %s %s: a number from 0 to %" PRIu64 " is expected\n", name,
                text, max);
        return ERR_ARGUMENT;
    }
    return OK;
}

struct window {
    struct cli *cli;
    const char *institution;
    const char *term;
    const char *from;
    const char *until;
    const char *level_min;
};

static error_t parse_window(int key, char *arg, struct argp_state *state, void *input)
{
    struct window *window = input;

    switch (key) {
    case 't':
        window->term = arg;
        return 0;
    case 'f':
        window->from = arg;
        return 0;
    case 'u':
        window->until = arg;
        return 0;
    case 'l':
        window->level_min = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (window->institution != NULL) {
            argp_error(state, "one institution at a time");
        }
        window->institution = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which institution?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option open_options[] = {
    {"term",      't', "TERM",   0, "default: current",                                               0},
    {"from",      'f', "MOMENT", 0, "opens then (ISO 8601, local time without a zone); default: now",
     0                                                                                                 },
    {"until",     'u', "MOMENT", 0, "closes then; default: never",                                    0},
    {"level-min", 'l', "N",      0, "only for students of this level and above",                      0},
    {NULL,        0,   NULL,     0, NULL,                                                             0},
};

static const struct argp_option close_options[] = {
    {"term",  't', "TERM",   0, "default: current",                        0},
    {"from",  'f', "MOMENT", 0, "stays open until then; default: now",     0},
    {"until", 'u', "MOMENT", 0, "opens again then; default: stays closed", 0},
    {NULL,    0,   NULL,     0, NULL,                                      0},
};

static const struct cli_syntax open_syntax = {
    .options = open_options,
    .parse = parse_window,
    .arguments = "INSTITUTION",
    .about =
        "Open registration for an institution's courses of one term.\v"
        "  carillon open lindenmoor --from 2027-01-11T08:00 --until 2027-01-29 --level-min 3",
};

static const struct cli_syntax close_syntax = {
    .options = close_options,
    .parse = parse_window,
    .arguments = "INSTITUTION",
    .about = "Close registration for an institution's courses of one term.\v"
             "  carillon close lindenmoor\n"
             "  carillon close lindenmoor --from 2027-01-29T18:00",
};

static int read_moment(struct cli *cli, const char *name, const char *text, uint64_t *ret_ms)
{
    if (text != NULL && words_moment_parse(text, ret_ms) != OK) {
        fprintf(cli->err, "carillon: %s %s: a moment like 2027-01-11T08:00 is expected\n", name,
                text);
        return ERR_ARGUMENT;
    }
    return OK;
}

/* A window is [opens, closes). Closing now is the empty window (1, 1); closing until a moment
 * is a window that opens then; closing from a moment on is a window that ends then. */
static void set_closed(Carillon__WindowRequest *request, const struct window *window,
                       uint64_t from, uint64_t until)
{
    if (window->from != NULL) {
        request->closes_ms = from;
    } else if (window->until != NULL) {
        request->opens_ms = until;
    } else {
        request->opens_ms = 1;
        request->closes_ms = 1;
    }
}

static const char *describe(struct cli *cli, const Carillon__WindowRequest *request)
{
    if (request->opens_ms == 1 && request->closes_ms == 1) {
        return cli_format(cli, "%s, %s: closed", request->institution, request->term);
    }
    return cli_format(cli, "%s, %s: open from %s until %s%s", request->institution,
                      request->term, words_moment(cli, request->opens_ms, "now"),
                      words_moment(cli, request->closes_ms, "further notice"),
                      request->level_min > 0
                          ? cli_format(cli, ", for level %u and above", request->level_min)
                          : "");
}

int registrar_window(struct cli *cli, int argc, char **argv, bool is_close)
{
    struct window window = {.cli = cli, .term = IMPORT_TERM_DEFAULT};
    Carillon__WindowRequest request = CARILLON__WINDOW_REQUEST__INIT;
    Carillon__WindowReply *reply = NULL;
    uint64_t from = 0;
    uint64_t until = 0;
    uint64_t level = 0;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, is_close ? &close_syntax : &open_syntax, &window);
    if (read_moment(cli, "--from", window.from, &from) != OK ||
        read_moment(cli, "--until", window.until, &until) != OK ||
        (window.level_min != NULL && registrar_number(cli, "--level-min", window.level_min,
                                                      IMPORT_LEVEL_MAX, &level) != OK)) {
        return EXIT_USAGE;
    }
    if (is_close && window.from != NULL && window.until != NULL) {
        fprintf(cli->err,
                "carillon: close: a window is one span of time; give --from or --until\n");
        return EXIT_USAGE;
    }
    request.institution = wire_text(window.institution);
    request.term = wire_text(window.term);
    request.level_min = (uint32_t)level;
    request.by = wire_text(cli->by);
    request.opens_ms = is_close ? 0 : from;
    request.closes_ms = is_close ? 0 : until;
    if (is_close) {
        set_closed(&request, &window, from, until);
    }
    if (cli_ask(cli, CARILLON__METHOD__METHOD_WINDOW, &request.base, &reply, &code)) {
        registrar_confirm(cli, describe(cli, &request), reply->receipt);
    }
    return code;
}
