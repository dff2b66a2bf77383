#include <string.h>

#include "carillon/secret.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/identity.pb-c.h"
#include "wire/message.h"

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    const char **action = input;

    switch (key) {
    case ARGP_KEY_ARG:
        *action = arg;
        return 0;
    case ARGP_KEY_END:
        if (*action == NULL ||
            (strcmp(*action, "show") != 0 && strcmp(*action, "rotate") != 0)) {
            argp_error(state, "show or rotate is expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .parse = parse,
    .arguments = "show|rotate",
    .about =
        "Show the fingerprints of the cluster's root key and the node's keys, and when their "
        "certificates end; or make a new node key, certificate, card and local secret.\v"
        "  carillon keys show\n"
        "  carillon keys rotate",
};

static void print_key(struct cli *cli, const Carillon__KeyInfo *key)
{
    fprintf(cli->out, "%s\t%s\tuntil %s\tcertificate %s%s\n", key->name,
            secret_hex(cli, wire_bytes(key->fingerprint)),
            words_moment(cli, key->not_after_ms, ""),
            secret_hex(cli, wire_bytes(key->certificate)),
            key->is_here ? "" : "\tits private key is not here");
}

static int show(struct cli *cli)
{
    Carillon__KeysRequest request = CARILLON__KEYS_REQUEST__INIT;
    Carillon__KeysReply *reply = NULL;
    int code = EXIT_DONE;

    if (!cli_ask(cli, CARILLON__METHOD__METHOD_KEYS, &request.base, &reply, &code)) {
        return code;
    }
    for (size_t i = 0; i < reply->n_keys; i++) {
        print_key(cli, reply->keys[i]);
    }
    fprintf(cli->out, "card\tepoch %u%s\n", reply->card_epoch,
            reply->adopted ? "\tthe cluster's id is older than its keys" : "");
    return code;
}

static int rotate(struct cli *cli)
{
    Carillon__RotateRequest request = CARILLON__ROTATE_REQUEST__INIT;
    Carillon__RotateReply *reply = NULL;
    int code = EXIT_DONE;

    if (cli_ask(cli, CARILLON__METHOD__METHOD_ROTATE, &request.base, &reply, &code)) {
        fprintf(cli->out, "node\t%s\tuntil %s\ncard\tepoch %u\n",
                secret_hex(cli, wire_bytes(reply->node_fingerprint)),
                words_moment(cli, reply->not_after_ms, ""), reply->card_epoch);
    }
    return code;
}

int verb_keys(struct cli *cli, int argc, char **argv)
{
    const char *action = NULL;

    cli_parse(cli, argc, argv, &syntax, &action);
    return strcmp(action, "show") == 0 ? show(cli) : rotate(cli);
}
