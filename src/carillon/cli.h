/* carillon/cli.h -- what every verb shares: the common options, the client, and how answers and
 * errors are shown.
 *
 * Layer: carillon (client)
 *
 * A verb parses its arguments with cli_parse, calls the node with cli_call, prints to cli->out,
 * and returns an exit code of enum exit_code. People read tables; --json prints the reply
 * message instead; what is piped gets tab-separated text without headings or colour.
 */
#ifndef CARILLON_CARILLON_CLI_H
#define CARILLON_CARILLON_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "client/carillon.h"
#include "proto/envelope.pb-c.h"
#include "proto/registration.pb-c.h"

enum cli_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

struct cli {
    const char *connect;    /* "host:port", or several with commas between */
    const char *credential; /* path of a credential file; NULL: it is looked for */
    const char *student; /* token, or NULL */
    const char *by;      /* who asks, for the audit trail */
    const char *key;     /* UUID of a request to repeat, or NULL */
    uint32_t timeout_ms; /* 0: the method's own */
    bool json;
    bool stale_ok;    /* of verbs that only read */
    bool is_terminal; /* out is one */
    bool has_colour;
    FILE *out;
    FILE *err;
    struct arena arena;             /* for the life of the process */
    struct carillon_client *client; /* made on first use */
    int connect_error;              /* why there is no client */
    struct carillon_key last_key;   /* of the last request that changes state */
    void **replies;                 /* messages to free */
    size_t reply_count;
    size_t reply_cap;
};

/* A zeroed cli with defaults from the environment (CARILLON_CONNECT,
 * CARILLON_CREDENTIAL, CARILLON_STUDENT, NO_COLOR, USER). */
void cli_init(struct cli *cli);
void cli_fini(struct cli *cli);

/* What a verb does with its own options and arguments; as an argp parser, with @input being the
 * verb's. */
typedef error_t (*cli_parse_verb)(int key, char *arg, struct argp_state *state, void *input);

/* A verb's command line. */
struct cli_syntax {
    const struct argp_option *options; /* the verb's own; may be NULL */
    cli_parse_verb parse;              /* may be NULL when there is nothing to parse */
    const char *arguments;             /* "NAME..." */
    const char *about;                 /* what the verb does, \v, and an example */
    bool takes_stale;                  /* it has --stale-ok */
};

/* Parse; on --help and on errors of usage the process ends (0, or EXIT_USAGE). */
void cli_parse(struct cli *cli, int argc, char **argv, const struct cli_syntax *syntax,
               void *input);

/* The client, connected. Returns: NULL after printing why there is none; cli->connect_error
 * says it as an error. */
struct carillon_client *cli_client(struct cli *cli);

/* Call a method. Methods that change state get the key of --key, or a new one.
 *
 * Returns: the status; @ret_reply is the reply message (kept until cli_free_replies or
 * cli_fini), or NULL.
 */
int cli_call(struct cli *cli, Carillon__Method method, const ProtobufCMessage *request,
             void *ret_reply) CHECKED;

/* Free the replies so far; for verbs that ask for page after page. */
void cli_free_replies(struct cli *cli);

/* The usual verb: call, print the reply as JSON when asked to, print the error if there is one.
 * Returns: true when there is a reply for the verb to print; else @ret_exit is final. */
bool cli_ask(struct cli *cli, Carillon__Method method, const ProtobufCMessage *request,
             void *ret_reply, int *ret_exit);

/* Say on stderr what went wrong with the last call. Returns: the exit code. */
int cli_fail(struct cli *cli, int error);

/* Print a reply, or an error, as JSON. The second returns the exit code. */
void cli_print_json(struct cli *cli, const void *reply);
int cli_fail_json(struct cli *cli, int error);

/* The student's token, or NULL after saying that --student is missing. */
const char *cli_student(struct cli *cli);

/* Escape sequences of a style, "" without colour. */
const char *cli_style(const struct cli *cli, enum cli_style style);
const char *cli_style_end(const struct cli *cli);

/* A terminated text in the cli's arena, made by printf. */
char *cli_format(struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Parse a section name into the cli's arena. Returns: NULL after saying what is wrong with it.
 */
Carillon__SectionName *cli_section_name(struct cli *cli, const char *text);

#endif
