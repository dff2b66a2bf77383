#include <inttypes.h>

#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/operator.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about = "Write a snapshot of the state now, so that the log before it can be recycled.\v"
             "  carillon snapshot",
};

int verb_snapshot(struct cli *cli, int argc, char **argv)
{
    Carillon__SnapshotRequest request = CARILLON__SNAPSHOT_REQUEST__INIT;
    Carillon__SnapshotReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_SNAPSHOT, &request.base, &reply, &code)) {
        fprintf(cli->out, "snapshot at entry %" PRIu64 ": %s in %.2f s\n", reply->index,
                words_bytes(cli, reply->bytes), (double)reply->duration_ms / 1000);
    }
    return code;
}
