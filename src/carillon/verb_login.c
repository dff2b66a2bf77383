#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carillon/secret.h"
#include "carillon/verbs.h"
#include "identity/encoding.h"

enum { PATH_BYTES = 512, LINE_BYTES = 256 };

struct arguments {
    const char *pin;
    const char *token_file;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 'p':
        arguments->pin = arg;
        return 0;
    case 't':
        arguments->token_file = arg;
        return 0;
    case ARGP_KEY_END:
        if (arguments->pin == NULL) {
            argp_error(state, "--pin is expected: the fingerprint of the cluster's root key");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"pin", 'p', "FINGERPRINT", 0,
             "of the cluster's root key, from whoever runs it (`carillon keys show`)", 0},
                                     {"token-file", 't', "FILE", 0, "read the token from FILE (default: standard input)",
             0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "",
    .about =
        "Keep a token for the node of --connect, after seeing that both are what they should "
        "be. The token is read from standard input, never from the command line.\v"
        "  carillon login --connect 192.0.2.7:7440 --pin "
        "4a7f0c6d8e1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5",
};

static int read_token(struct cli *cli, const char *path, uint8_t ret_token[TOKEN_BYTES])
{
    char line[LINE_BYTES] = "";
    FILE *in = path == NULL ? stdin : fopen(path, "re");

    if (in == NULL) {
        fprintf(cli->err, "carillon: %s cannot be read\n", path);
        return ERR_IO;
    }
    if (path == NULL && isatty(STDIN_FILENO) != 0) {
        fputs("token: ", cli->err);
    }
    bool is_read = fgets(line, sizeof line, in) != NULL;

    if (path != NULL) {
        (void)fclose(in);
    }
    line[strcspn(line, " \t\r\n")] = '\0';
    int rc = is_read ? token_parse(slice_from_text(line), ret_token) : ERR_MALFORMED;

    identity_wipe(line, sizeof line);
    if (rc != OK) {
        fputs("carillon: a token is written crt1_ and 64 hex digits\n", cli->err);
    }
    return rc;
}

/* A credential of what is known before connecting, in a file of its own. */
static int make_draft(struct cli *cli, const struct arguments *arguments, char path[PATH_BYTES])
{
    struct credential draft;

    credential_init(&draft);
    draft.kind = CREDENTIAL_KIND_TOKEN;
    (void)snprintf(draft.address, sizeof draft.address, "%s", cli->connect);
    int rc = hex_decode(slice_from_text(arguments->pin), draft.root, sizeof draft.root);

    if (rc != OK) {
        fputs("carillon: --pin: 64 lower case hex digits are expected\n", cli->err);
    } else {
        rc = read_token(cli, arguments->token_file, draft.secret);
    }
    (void)snprintf(path, PATH_BYTES, "/tmp/carillon-login-%u-%u", (unsigned)getuid(),
                   (unsigned)getpid());
    rc = rc == OK ? secret_save(cli, path, &draft) : rc;
    credential_fini(&draft);
    return rc;
}

/* Where it is kept: by the address as the client takes it apart. */
static int keep(struct cli *cli)
{
    char path[PATH_BYTES];
    int rc = carillon_login_path(cli->client, path, sizeof path);

    if (rc != OK) {
        fputs("carillon: neither XDG_CONFIG_HOME nor HOME says where to keep credentials\n",
              cli->err);
        return rc;
    }
    rc = secret_save(cli, path, carillon_credential(cli->client));
    if (rc == OK) {
        const struct carillon_node *node = carillon_node(cli->client);

        fprintf(cli->out, "logged in to %s%s%s; kept in %s\n", cli->connect,
                node->student[0] != '\0' ? " for " : "", node->student, path);
    }
    return rc;
}

int verb_login(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {0};
    char draft[PATH_BYTES];

    cli_parse(cli, argc, argv, &syntax, &arguments);
    int rc = make_draft(cli, &arguments, draft);

    if (rc != OK) {
        (void)unlink(draft);
        return rc == ERR_IO ? EXIT_FAILED : EXIT_USAGE;
    }
    cli->credential = draft;
    rc = cli_client(cli) == NULL ? cli->connect_error : keep(cli);
    (void)unlink(draft);
    return rc == OK ? EXIT_DONE : error_exit_code(rc);
}
