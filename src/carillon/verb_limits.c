#include <string.h>

#include "carillon/import_limits.h"
#include "carillon/import_value.h"
#include "carillon/registrar.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

enum { COURSES_MAX = 16, WAITLIST_MAX = 10000 };

struct arguments {
    const char *institution;
    const char *term;
    const char *courses;
    const char *credits;
    const char *waitlist;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 't':
        arguments->term = arg;
        return 0;
    case 'c':
        arguments->courses = arg;
        return 0;
    case 'x':
        arguments->credits = arg;
        return 0;
    case 'w':
        arguments->waitlist = arg;
        return 0;
    case ARGP_KEY_ARG:
        arguments->institution = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which institution?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"term", 't', "TERM", 0, "default: current", 0},
                                     {"courses", 'c', "N", 0, "courses a student may take, 1 to 16", 0},
                                     {"credits", 'x', "N", 0, "credits a student may take, or none", 0},
                                     {"waitlist", 'w', "N", 0, "places on a section's waitlist (default 500)", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "INSTITUTION",
    .about = "Set how much a student may take in a term; what is not given stays as it is, but "
             "the places "
             "on waitlists, which then become the default. Existing registrations stay.\v"
             "  carillon limits lindenmoor --courses 6 --credits 20",
};

/* What is in force now, so that options that are not given keep it. */
static int read_current(struct cli *cli, const struct arguments *arguments,
                        Carillon__LimitsRequest *request)
{
    Carillon__CataloguesRequest ask = CARILLON__CATALOGUES_REQUEST__INIT;
    Carillon__CataloguesReply *reply = NULL;
    int error = cli_call(cli, CARILLON__METHOD__METHOD_CATALOGUES, &ask.base, &reply);

    for (size_t i = 0; error == OK && i < reply->n_items; i++) {
        const Carillon__CatalogueItem *item = reply->items[i];

        if (strcmp(item->institution, arguments->institution) == 0 &&
            strcmp(item->term, arguments->term) == 0) {
            request->courses_max = item->courses_max;
            request->credits_max_hundredths = item->credits_max_hundredths;
        }
    }
    return error;
}

static int read_options(struct cli *cli, const struct arguments *arguments,
                        Carillon__LimitsRequest *request)
{
    uint64_t courses = request->courses_max;
    uint64_t waitlist = 0;

    if ((arguments->courses != NULL &&
         registrar_number(cli, "--courses", arguments->courses, COURSES_MAX, &courses) != OK) ||
        (arguments->waitlist != NULL && registrar_number(cli, "--waitlist", arguments->waitlist,
                                                         WAITLIST_MAX, &waitlist) != OK)) {
        return ERR_ARGUMENT;
    }
    request->courses_max = (uint32_t)courses;
    request->waitlist_max = (uint32_t)waitlist;
    if (arguments->credits != NULL && strcmp(arguments->credits, "none") == 0) {
        request->credits_max_hundredths = 0;
    } else if (arguments->credits != NULL &&
               import_hundredths_parse(slice_from_text(arguments->credits),
                                       IMPORT_CREDITS_RULE_HUNDREDTHS_MAX,
                                       &request->credits_max_hundredths) != OK) {
        fprintf(cli->err, "carillon: --credits %s: a number of credits, or none, is expected\n",
                arguments->credits);
        return ERR_ARGUMENT;
    }
    return OK;
}

int verb_limits(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.term = IMPORT_TERM_DEFAULT};
    Carillon__LimitsRequest request = CARILLON__LIMITS_REQUEST__INIT;
    Carillon__LimitsReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    int error = read_current(cli, &arguments, &request);

    if (error != OK) {
        return cli->json ? cli_fail_json(cli, error) : cli_fail(cli, error);
    }
    if (read_options(cli, &arguments, &request) != OK) {
        return EXIT_USAGE;
    }
    request.institution = wire_text(arguments.institution);
    request.term = wire_text(arguments.term);
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_LIMITS, &request.base, &reply, &code)) {
        const char *credits =
            request.credits_max_hundredths == 0
                ? "no cap on credits"
                : cli_format(cli, "%s credits",
                             words_credits(cli, true, request.credits_max_hundredths));

        registrar_confirm(cli,
                          cli_format(cli, "%s, %s: %u courses, %s", request.institution,
                                     request.term, request.courses_max, credits),
                          reply->receipt);
    }
    return code;
}
