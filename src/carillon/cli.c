#include "carillon/cli.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/uuid.h"
#include "carillon/json_message.h"
#include "carillon/name.h"
#include "wire/method.h"

enum { CLI_BYTES_MAX = 1 << 30 };

static const char *user_name(void)
{
    const char *name = getenv("USER");

    if (name == NULL || name[0] == '\0') {
        const struct passwd *user = getpwuid(getuid());

        name = user != NULL ? user->pw_name : "unknown";
    }
    return name;
}

void cli_init(struct cli *cli)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *connect = getenv("CARILLON_CONNECT");
    const char *student = getenv("CARILLON_STUDENT");
    const char *credential = getenv("CARILLON_CREDENTIAL");

    memset(cli, 0, sizeof *cli);
    cli->out = stdout;
    cli->err = stderr;
    cli->connect = connect != NULL && connect[0] != '\0' ? connect : CARILLON_ADDRESS_DEFAULT;
    cli->student = student != NULL && student[0] != '\0' ? student : NULL;
    cli->credential = credential != NULL && credential[0] != '\0' ? credential : NULL;
    cli->by = user_name();
    cli->is_terminal = isatty(STDOUT_FILENO) != 0;
    cli->has_colour = cli->is_terminal && (no_colour == NULL || no_colour[0] == '\0');
    arena_init(&cli->arena, CLI_BYTES_MAX);
}

void cli_fini(struct cli *cli)
{
    cli_free_replies(cli);
    carillon_destroy(cli->client);
    arena_fini(&cli->arena);
}

struct carillon_client *cli_client(struct cli *cli)
{
    struct carillon_options options = {
        .address = cli->connect,
        .name = "carillon-cli/" CARILLON_VERSION,
        .credential = cli->credential,
        .deadline_ms = cli->timeout_ms,
    };

    if (cli->client != NULL) {
        return cli->client;
    }
    int error = carillon_create(&options, &cli->client);

    cli->connect_error = error;
    if (error != OK) {
        fprintf(cli->err, "carillon: %s: %s\n", cli->connect, error_text(error));
        return NULL;
    }
    error = carillon_connect(cli->client);
    /* Nothing was asked yet: no answer here is "unavailable", not "outcome unknown". */
    cli->connect_error = error == ERR_TIMEOUT ? ERR_REFUSED_CONNECT : error;
    if (error == ERR_VERSION || error == ERR_UNAUTHENTICATED) {
        fprintf(cli->err, "carillon: %s: %s\n", cli->connect, carillon_text(cli->client));
    } else if (error != OK) {
        fprintf(cli->err, "carillon: no daemon answers at %s: %s; start one with `carillond`\n",
                cli->connect, error_text(error));
    }
    if (error != OK) {
        carillon_destroy(cli->client);
        cli->client = NULL;
    }
    return cli->client;
}

static int choose_key(struct cli *cli, struct carillon_key *ret_key)
{
    struct uuid uuid;

    if (cli->key == NULL) {
        *ret_key = carillon_key_make(cli->client);
        return OK;
    }
    if (uuid_parse(slice_from_text(cli->key), &uuid) != OK || !uuid_is_v7(&uuid)) {
        fprintf(cli->err, "carillon: --key %s: not a UUID of version 7\n", cli->key);
        return ERR_ARGUMENT;
    }
    memcpy(ret_key->bytes, uuid.bytes, sizeof ret_key->bytes);
    return OK;
}

static void keep_reply(struct cli *cli, void *reply)
{
    if (reply == NULL) {
        return;
    }
    if (cli->reply_count == cli->reply_cap) {
        size_t cap = cli->reply_cap == 0 ? 8 : cli->reply_cap * 2;

        cli->replies =
            arena_grow(&cli->arena, cli->replies, sizeof *cli->replies, cli->reply_cap, cap);
        cli->reply_cap = cap;
    }
    cli->replies[cli->reply_count++] = reply;
}

void cli_free_replies(struct cli *cli)
{
    for (size_t i = 0; i < cli->reply_count; i++) {
        carillon_message_free(cli->replies[i]);
    }
    cli->reply_count = 0;
}

/* On stderr, so that what is piped stays as it is. */
static void say_age(struct cli *cli)
{
    uint64_t age_ms;
    uint64_t applied_index;

    if (carillon_age(cli->client, &age_ms, &applied_index)) {
        fprintf(cli->err,
                "carillon: this is at most %llu.%03llu s old (entries up to %llu are in it)\n",
                (unsigned long long)(age_ms / 1000), (unsigned long long)(age_ms % 1000),
                (unsigned long long)applied_index);
    }
}

int cli_call(struct cli *cli, Carillon__Method method, const ProtobufCMessage *request,
             void *ret_reply)
{
    const struct method *row = method_get((uint32_t)method);
    bool needs_key = row != NULL && row->kind == METHOD_KIND_WRITE;

    *(void **)ret_reply = NULL;
    if (row == NULL) {
        return ERR_METHOD;
    }
    if (cli_client(cli) == NULL) {
        return cli->connect_error;
    }
    if (needs_key && choose_key(cli, &cli->last_key) != OK) {
        return ERR_ARGUMENT;
    }
    carillon_set_stale_ok(cli->client, cli->stale_ok);
    int error =
        carillon_call_message(cli->client, (uint32_t)method, needs_key ? &cli->last_key : NULL,
                              request, row->reply, ret_reply);

    keep_reply(cli, *(void **)ret_reply);
    say_age(cli);
    return error;
}

int cli_fail(struct cli *cli, int error)
{
    const char *text = cli->client == NULL ? "" : carillon_text(cli->client);

    /* Without a client cli_client has said everything. */
    if (cli->client != NULL) {
        fprintf(cli->err, "carillon: %s%s\n", text[0] != '\0' ? "" : error_text(error), text);
    }
    struct uuid uuid;

    memcpy(uuid.bytes, cli->last_key.bytes, sizeof uuid.bytes);
    if (error == ERR_TIMEOUT && uuid_is_v7(&uuid)) {
        char key[UUID_TEXT_BYTES + 1];

        uuid_format(&uuid, key);
        fprintf(cli->err,
                "carillon: the outcome is not known; to learn it, repeat the command with "
                "--key %s\n",
                key);
    }
    return error_exit_code(error);
}

void cli_print_json(struct cli *cli, const void *reply)
{
    json_message_print(cli->out, reply);
}

int cli_fail_json(struct cli *cli, int error)
{
    const char *text = cli->client == NULL ? "" : carillon_text(cli->client);

    json_error_print(cli->out, error_name(error), text[0] != '\0' ? text : error_text(error));
    return error_exit_code(error);
}

bool cli_ask(struct cli *cli, Carillon__Method method, const ProtobufCMessage *request,
             void *ret_reply, int *ret_exit)
{
    int error = cli_call(cli, method, request, ret_reply);
    const ProtobufCMessage *reply = *(ProtobufCMessage **)ret_reply;

    *ret_exit = error_exit_code(error);
    if (cli->json) {
        if (reply != NULL) {
            cli_print_json(cli, reply);
        } else {
            *ret_exit = cli_fail_json(cli, error);
        }
        return false;
    }
    if (error != OK && (error != ERR_REFUSED || reply == NULL)) {
        *ret_exit = cli_fail(cli, error);
        return false;
    }
    return true;
}

const char *cli_student(struct cli *cli)
{
    if (cli->student == NULL) {
        fprintf(cli->err,
                "carillon: which student? give --student TOKEN, or set CARILLON_STUDENT\n");
    }
    return cli->student;
}

const char *cli_style(const struct cli *cli, enum cli_style style)
{
    static const char *const sequences[] = {
        [STYLE_PLAIN] = "",        [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
    };

    return cli->has_colour ? sequences[style] : "";
}

const char *cli_style_end(const struct cli *cli)
{
    return cli->has_colour ? "\033[0m" : "";
}

char *cli_format(struct cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(&cli->arena, (size_t)len + 1);

    va_start(arguments, format);
    vsnprintf(text, (size_t)len + 1, format, arguments);
    va_end(arguments);
    return text;
}

Carillon__SectionName *cli_section_name(struct cli *cli, const char *text)
{
    Carillon__SectionName *name = arena_alloc(&cli->arena, sizeof *name);
    const char *why = name_parse(&cli->arena, slice_from_text(text), name);

    if (why != NULL) {
        fprintf(cli->err,
                "carillon: %s: %s; a name is written [institution:]CODE#SECTION[@term]\n", text,
                why);
        return NULL;
    }
    return name;
}
