#include <string.h>

#include "carillon/registrar.h"
#include "carillon/secret.h"
#include "carillon/verbs.h"
#include "identity/encoding.h"
#include "proto/identity.pb-c.h"
#include "wire/message.h"

struct arguments {
    const char *action;
    const char *name;
    const char *role;
    const char *expires;
    bool is_certificate;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'r':
        arguments->role = arg;
        return 0;
    case 'e':
        arguments->expires = arg;
        return 0;
    case 'c':
        arguments->is_certificate = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->action == NULL) {
            arguments->action = arg;
        } else if (arguments->name == NULL) {
            arguments->name = arg;
        } else {
            argp_error(state, "one name or id at a time");
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->name == NULL || (strcmp(arguments->action, "issue") != 0 &&
                                        strcmp(arguments->action, "revoke") != 0)) {
            argp_error(state, "issue NAME, or revoke ID, is expected");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"role", 'r', "ROLE", 0, "issue: student (the default), registrar or operator", 0},
                                     {"expires", 'e', "SPAN", 0, "issue: 30m, 12h, 30d, or never (default: 365d)", 0},
                                     {"certificate", 'c', NULL, 0,
             "revoke: NAME is the fingerprint of a certificate (`carillon keys show`)", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "issue NAME|revoke ID-or-STUDENT",
    .about =
        "Issue a token, which is shown once and kept nowhere, or revoke one by its id, or all "
        "of a student.\v"
        "  carillon token issue lm-0007 --expires 180d\n"
        "  carillon token issue --role registrar alma\n"
        "  carillon token revoke 5d41402abc4b2a76\n"
        "  carillon token revoke lm-0007",
};

/* Shown to people with what to do with it; alone in a line where it is piped. */
static void print_token(struct cli *cli, const struct secret *secret, const char *name)
{
    char text[TOKEN_TEXT_BYTES + 1];
    struct slice id = slice_from(secret->hash, TOKEN_ID_BYTES);

    token_format(secret->token, text);
    if (cli->is_terminal) {
        fprintf(cli->out,
                "%s\nfor %s, with the id %s; it is not shown again. With it: carillon login\n",
                text, name, secret_hex(cli, id));
    } else {
        fprintf(cli->out, "%s\t%s\t%s\n", text, secret_hex(cli, id), name);
    }
    identity_wipe(text, sizeof text);
}

static int issue_to_student(struct cli *cli, const struct arguments *arguments,
                            const struct secret *secret, uint64_t expires_ms)
{
    Carillon__TokenIssueRequest request = CARILLON__TOKEN_ISSUE_REQUEST__INIT;
    Carillon__TokenIssueReply *reply = NULL;
    int code = EXIT_DONE;

    request.hash = wire_binary(slice_from(secret->hash, sizeof secret->hash));
    request.student = wire_text(arguments->name);
    request.expires_ms = expires_ms;
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_TOKEN_ISSUE, &request.base, &reply, &code)) {
        print_token(cli, secret, arguments->name);
    }
    return code;
}

static int grant(struct cli *cli, const struct arguments *arguments,
                 const struct secret *secret, uint64_t expires_ms)
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;
    Carillon__GrantReply *reply = NULL;
    int code = EXIT_DONE;

    request.hash = wire_binary(slice_from(secret->hash, sizeof secret->hash));
    request.role = (Carillon__Role)identity_role_find(slice_from_text(arguments->role));
    request.name = wire_text(arguments->name);
    request.expires_ms = expires_ms;
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_GRANT, &request.base, &reply, &code)) {
        print_token(cli, secret, arguments->name);
    }
    return code;
}

static int issue(struct cli *cli, const struct arguments *arguments)
{
    struct secret secret;
    uint64_t expires_ms = 0;
    uint32_t role = identity_role_find(slice_from_text(arguments->role));

    if (secret_expiry(cli, arguments->expires, &expires_ms) != OK) {
        return EXIT_USAGE;
    }
    if (role != IDENTITY_ROLE_STUDENT && role != IDENTITY_ROLE_REGISTRAR &&
        role != IDENTITY_ROLE_OPERATOR) {
        fprintf(cli->err, "carillon: --role %s: student, registrar or operator is expected\n",
                arguments->role);
        return EXIT_USAGE;
    }
    if (cli_client(cli) == NULL) {
        return error_exit_code(cli->connect_error);
    }
    secret_draw(cli->client, &secret);
    int code = role == IDENTITY_ROLE_STUDENT
                   ? issue_to_student(cli, arguments, &secret, expires_ms)
                   : grant(cli, arguments, &secret, expires_ms);

    identity_wipe(&secret, sizeof secret);
    return code;
}

/* ---- revoking ---- */

static int revoke_any(struct cli *cli, struct slice id, struct slice certificate)
{
    Carillon__RevokeRequest request = CARILLON__REVOKE_REQUEST__INIT;
    Carillon__RevokeReply *reply = NULL;
    int code = EXIT_DONE;

    request.id = wire_binary(id);
    request.certificate = wire_binary(certificate);
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_REVOKE, &request.base, &reply, &code)) {
        registrar_confirm(cli, cli_format(cli, "%u revoked", reply->revoked), reply->receipt);
    }
    return code;
}

/* A registrar's own methods first: an operator may do both. */
static int revoke_of_student(struct cli *cli, const char *student, struct slice id)
{
    Carillon__TokenRevokeRequest request = CARILLON__TOKEN_REVOKE_REQUEST__INIT;
    Carillon__TokenRevokeReply *reply = NULL;
    int code = EXIT_DONE;

    request.id = wire_binary(id);
    request.student = wire_text(student);
    request.by = wire_text(cli->by);
    if (cli_ask(cli, CARILLON__METHOD__METHOD_TOKEN_REVOKE, &request.base, &reply, &code)) {
        registrar_confirm(cli, cli_format(cli, "%u revoked", reply->revoked), reply->receipt);
    }
    return code;
}

static int revoke(struct cli *cli, const struct arguments *arguments)
{
    uint8_t bytes[IDENTITY_FINGERPRINT_BYTES];
    struct slice name = slice_from_text(arguments->name);
    bool is_operator;

    if (arguments->is_certificate) {
        if (hex_decode(name, bytes, sizeof bytes) != OK) {
            fprintf(cli->err, "carillon: %s: 64 lower case hex digits are expected\n",
                    arguments->name);
            return EXIT_USAGE;
        }
        return revoke_any(cli, SLICE_NONE, slice_from(bytes, sizeof bytes));
    }
    if (hex_decode(name, bytes, TOKEN_ID_BYTES) != OK) {
        return revoke_of_student(cli, arguments->name, SLICE_NONE);
    }
    if (cli_client(cli) == NULL) {
        return error_exit_code(cli->connect_error);
    }
    is_operator = (carillon_node(cli->client)->roles & IDENTITY_ROLE_OPERATOR) != 0;
    return is_operator ? revoke_any(cli, slice_from(bytes, TOKEN_ID_BYTES), SLICE_NONE)
                       : revoke_of_student(cli, "", slice_from(bytes, TOKEN_ID_BYTES));
}

int verb_token(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.role = "student", .expires = "365d"};

    cli_parse(cli, argc, argv, &syntax, &arguments);
    return strcmp(arguments.action, "issue") == 0 ? issue(cli, &arguments)
                                                  : revoke(cli, &arguments);
}
