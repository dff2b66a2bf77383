#include <string.h>

#include "carillon/secret.h"
#include "carillon/verbs.h"
#include "proto/identity.pb-c.h"
#include "wire/message.h"

struct arguments {
    const char *action;
    const char *expires;
    const char *address;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'e':
        arguments->expires = arg;
        return 0;
    case 'a':
        arguments->address = arg;
        return 0;
    case ARGP_KEY_ARG:
        arguments->action = arg;
        return 0;
    case ARGP_KEY_END:
        if (arguments->action == NULL || strcmp(arguments->action, "invite") != 0) {
            argp_error(state, "invite is expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"expires", 'e', "SPAN", 0, "30m, 12h, at most 7d (default: 24h)", 0},
                                     {"address", 'a', "HOST:PORT", 0,
             "where the other node will find this one (default: that of --connect)", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "invite",
    .about =
        "Print what another node needs to join: an address, the fingerprint of the cluster's "
        "root key, and a secret that is good once and not for long.\v"
        "  carillon node invite --address 192.0.2.7:7440",
};

/* The root key's line of `keys`. */
static const Carillon__KeyInfo *root_of(const Carillon__KeysReply *reply)
{
    for (size_t i = 0; i < reply->n_keys; i++) {
        if (strcmp(reply->keys[i]->name, "root") == 0) {
            return reply->keys[i];
        }
    }
    return NULL;
}

static int invite(struct cli *cli, const struct arguments *arguments,
                  const Carillon__KeyInfo *root)
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;
    Carillon__GrantReply *reply = NULL;
    struct secret secret;
    int code = EXIT_DONE;

    if (secret_expiry(cli, arguments->expires, &request.expires_ms) != OK) {
        return EXIT_USAGE;
    }
    secret_draw(cli->client, &secret);
    request.hash = wire_binary(slice_from(secret.hash, sizeof secret.hash));
    request.role = CARILLON__ROLE__ROLE_NODE;
    request.name = wire_text("invite");
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_GRANT, &request.base, &reply, &code)) {
        fprintf(cli->out, "carillon-invite:%s:%s:%s\n",
                arguments->address != NULL ? arguments->address : cli->connect,
                secret_hex(cli, wire_bytes(root->fingerprint)),
                secret_hex(cli, slice_from(secret.token, sizeof secret.token)));
    }
    identity_wipe(&secret, sizeof secret);
    return code;
}

int verb_node(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.expires = "24h"};
    Carillon__KeysRequest request = CARILLON__KEYS_REQUEST__INIT;
    Carillon__KeysReply *reply = NULL;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    int error = cli_call(cli, CARILLON__METHOD__METHOD_KEYS, &request.base, &reply);

    if (error != OK || root_of(reply) == NULL) {
        return cli_fail(cli, error != OK ? error : ERR_MALFORMED);
    }
    return invite(cli, &arguments, root_of(reply));
}
