#include <ctype.h>
#include <string.h>
#include <time.h>

#include "carillon/secret.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/identity.pb-c.h"
#include "proto/meta.pb-c.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

enum {
    ID_DIGITS_MIN = 4,
    LOOKS_MAX = 20,
    LOOK_PAUSE_NS = 100000000,
};

struct arguments {
    const char *action;
    const char *node;
    bool undo;
    const char *expires;
    const char *address;
};

static bool is_action(const struct arguments *arguments, const char *action)
{
    return strcmp(arguments->action, action) == 0;
}

static void check(const struct argp_state *state, const struct arguments *arguments)
{
    if (arguments->action == NULL) {
        argp_error(state, "invite, drain or remove is expected");
        return;
    }
    bool is_invite = is_action(arguments, "invite") || is_action(arguments, "add");

    if (!is_invite && !is_action(arguments, "drain") && !is_action(arguments, "remove")) {
        argp_error(state, "invite, drain or remove is expected, not \"%s\"", arguments->action);
    } else if (is_invite != (arguments->node == NULL)) {
        argp_error(state, is_invite ? "invite takes no node" : "a node is expected");
    } else if (arguments->undo && !is_action(arguments, "drain")) {
        argp_error(state, "--undo is for drain");
    }
}

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
    case 'u':
        arguments->undo = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) {
            return ARGP_ERR_UNKNOWN;
        }
        *(state->arg_num == 0 ? &arguments->action : &arguments->node) = arg;
        return 0;
    case ARGP_KEY_END:
        check(state, arguments);
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
                                     {"undo", 'u', NULL, 0, "drain: the node stays after all", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "invite\ndrain NODE\nremove NODE",
    .about =
        "invite: print what another node needs to join: an address, the fingerprint of the "
        "cluster's root key, and a secret that is good once and not for long. drain: have a "
        "node "
        "lead nothing, and vote only as long as the others need it, before it goes. remove: "
        "take "
        "a node out of the cluster for ever; its certificate is refused from then on. NODE is "
        "a "
        "name, an address, or the beginning of an id, as `carillon members` shows them.\v"
        "  carillon node invite --address 192.0.2.7:7440\n"
        "  carillon node drain north-2\n"
        "  carillon node remove north-2",
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

static bool is_alike(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static const char *skip_gaps(const char *text)
{
    return text + strspn(text, " -");
}

/* Whether @text is the beginning of an id, written with or without spaces between its groups.
 */
static bool begins_id(struct cli *cli, const Carillon__Member *member, const char *text)
{
    const char *id = skip_gaps(words_id(cli, member->node_id));
    size_t digits = 0;

    for (text = skip_gaps(text); *text != '\0'; text = skip_gaps(text + 1)) {
        if (!is_alike(*text, *id)) {
            return false;
        }
        id = skip_gaps(id + 1);
        digits++;
    }
    return digits >= ID_DIGITS_MIN;
}

/* How many nodes @text names, and the last of them. */
static size_t find_node(struct cli *cli, const Carillon__MembersReply *reply, const char *text,
                        const Carillon__Member **ret_node)
{
    size_t count = 0;

    for (size_t i = 0; i < reply->n_members; i++) {
        const Carillon__Member *member = reply->members[i];

        if (member->state != CARILLON__MEMBER_STATE__MEMBER_REMOVED &&
            (strcmp(member->name, text) == 0 || strcmp(member->address, text) == 0 ||
             begins_id(cli, member, text))) {
            *ret_node = member;
            count++;
        }
    }
    return count;
}

/* Whether the node that answers may not know all members: it has just started, and not heard
 * what is committed, or there is nobody to hear it from. */
static bool may_lag(struct cli *cli)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;

    if (cli_call(cli, CARILLON__METHOD__METHOD_STATUS, &request.base, &reply) != OK) {
        return true;
    }
    for (size_t i = 0; i < reply->n_groups; i++) {
        const Carillon__GroupStatus *group = reply->groups[i];

        if (group->group == 0) {
            return group->leader == 0 || group->applied_index < group->last_index;
        }
    }
    return true;
}

/* Say why @text names no one node. */
static int not_found(struct cli *cli, size_t count, bool is_behind, const char *text)
{
    if (count == 0 && is_behind) {
        fprintf(cli->err,
                "carillon: no node is called \"%s\" as far as the one that answers knows, "
                "which may not know all yet; try again\n",
                text);
        return EXIT_UNAVAILABLE;
    }
    fprintf(cli->err,
            count == 0 ? "carillon: no node of the cluster is called \"%s\"\n"
                       : "carillon: \"%s\" fits more than one node; give its id\n",
            text);
    return EXIT_FAILED;
}

/* How many nodes @text names, and the last of them. As long as there is none and the node that
 * answers may not know all, it is asked again for a while; *ret_is_behind: to the end. Errors:
 * of the call. */
static int look_up(struct cli *cli, const char *text, size_t *ret_count,
                   const Carillon__Member **ret_node, bool *ret_is_behind)
{
    const struct timespec pause = {.tv_nsec = LOOK_PAUSE_NS};

    for (uint32_t tries = 1;; tries++) {
        Carillon__MembersRequest request = CARILLON__MEMBERS_REQUEST__INIT;
        Carillon__MembersReply *reply = NULL;

        *ret_is_behind = may_lag(cli); /* before: what it learns later does not count */
        int error = cli_call(cli, CARILLON__METHOD__METHOD_MEMBERS, &request.base, &reply);

        if (error != OK) {
            return error;
        }
        *ret_count = find_node(cli, reply, text, ret_node);
        if (*ret_count > 0 || !*ret_is_behind || tries == LOOKS_MAX) {
            return OK;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static int change(struct cli *cli, const struct arguments *arguments)
{
    Carillon__ChangeRequest request = CARILLON__CHANGE_REQUEST__INIT;
    Carillon__ChangeReply *reply = NULL;
    const Carillon__Member *node = NULL;
    int code = EXIT_DONE;
    size_t count;
    bool is_behind;
    int error = look_up(cli, arguments->node, &count, &node, &is_behind);

    if (error != OK) {
        return cli->json ? cli_fail_json(cli, error) : cli_fail(cli, error);
    }
    if (count != 1) {
        return not_found(cli, count, is_behind, arguments->node);
    }
    request.node_id = node->node_id;
    request.state = CARILLON__MEMBER_STATE__MEMBER_REMOVED;
    if (is_action(arguments, "drain")) {
        request.state = arguments->undo ? CARILLON__MEMBER_STATE__MEMBER_PRESENT
                                        : CARILLON__MEMBER_STATE__MEMBER_LEAVING;
    }
    if (cli_ask(cli, CARILLON__METHOD__METHOD_CHANGE, &request.base, &reply, &code)) {
        fprintf(cli->out, "%s %s\n", node->name,
                is_action(arguments, "remove") ? "is removed"
                : arguments->undo              ? "stays"
                                               : "is being drained");
    }
    return code;
}

int verb_node(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.expires = "24h"};
    Carillon__KeysRequest request = CARILLON__KEYS_REQUEST__INIT;
    Carillon__KeysReply *reply = NULL;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    if (arguments.node != NULL) {
        return change(cli, &arguments);
    }
    int error = cli_call(cli, CARILLON__METHOD__METHOD_KEYS, &request.base, &reply);

    if (error != OK || root_of(reply) == NULL) {
        return cli_fail(cli, error != OK ? error : ERR_MALFORMED);
    }
    return invite(cli, &arguments, root_of(reply));
}
