#include <inttypes.h>

#include "carillon/cli.h"
#include "carillon/verbs.h"
#include "proto/operator.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about = "Check every invariant of the node's state: no section over capacity, nobody over "
             "the limits, "
             "rosters and schedules equal, and more. Exit status 1 when one is broken.\v"
             "  carillon verify",
};

int verb_verify(struct cli *cli, int argc, char **argv)
{
    Carillon__VerifyRequest request = CARILLON__VERIFY_REQUEST__INIT;
    Carillon__VerifyReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_VERIFY, &request.base, &reply, &code)) {
        return reply != NULL && !reply->ok ? EXIT_FAILED : code;
    }
    fprintf(cli->out,
            "%s%s%s: %" PRIu64 " sections, %" PRIu64 " students, %" PRIu64
            " registrations checked%s%s\n",
            cli_style(cli, reply->ok ? STYLE_GOOD : STYLE_BAD),
            reply->ok ? "all in order" : "BROKEN", cli_style_end(cli), reply->sections_checked,
            reply->students_checked, reply->registrations_checked,
            reply->index == 0 ? "" : cli_format(cli, " at entry %" PRIu64, reply->index),
            reply->state_hash == 0 ? ", while it changed"
                                   : cli_format(cli, ", state %016" PRIx64, reply->state_hash));
    for (size_t i = 0; i < reply->n_findings; i++) {
        fprintf(cli->out, "broken\t%s\n", reply->findings[i]);
    }
    return reply->ok ? EXIT_DONE : EXIT_FAILED;
}
