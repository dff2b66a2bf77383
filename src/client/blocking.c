#include <stdio.h>
#include <stdlib.h>

#include "client/client_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

/* One blocking call: what its callback brings. */
struct wait {
    struct carillon_client *client;
    bool is_done;
    struct carillon_reply reply;
};

static void text_keep(struct carillon_client *client, const char *text)
{
    snprintf(client->text, sizeof client->text, "%s", text);
}

/* The callback's reply is lent for the callback only: keep a copy until the next blocking call.
 */
static void wait_on_done(void *context, const struct carillon_reply *reply)
{
    struct wait *wait = context;
    struct carillon_client *client = wait->client;

    wait->is_done = true;
    wait->reply = *reply;
    wait->reply.body = client->held;
    text_keep(client, reply->status == OK ? "" : reply->text);
    wait->reply.text = client->text;
    client->is_stale = reply->is_stale;
    client->age_ms = reply->age_ms;
    client->applied_index = reply->applied_index;
    if (reply->body_bytes > client->held_cap) {
        uint8_t *held = realloc(client->held, reply->body_bytes);

        if (held == NULL) {
            wait->reply.status = ERR_NOMEM;
            wait->reply.body_bytes = 0;
            text_keep(client, error_text(ERR_NOMEM));
            return;
        }
        client->held = held;
        client->held_cap = reply->body_bytes;
        wait->reply.body = held;
    }
    if (reply->body_bytes > 0) {
        memcpy(client->held, reply->body, reply->body_bytes);
    }
}

static int call_failed(struct carillon_client *client, int status,
                       struct carillon_reply *ret_reply)
{
    text_keep(client, error_text(status));
    client->is_stale = false;
    *ret_reply = (struct carillon_reply){.status = status, .text = client->text};
    return status;
}

int carillon_call(struct carillon_client *client, const struct carillon_call *call,
                  struct carillon_reply *ret_reply)
{
    struct wait wait = {.client = client};
    struct carillon_call own = *call;

    if (client->world == NULL) {
        return call_failed(client, ERR_ARGUMENT, ret_reply);
    }
    own.done = wait_on_done;
    own.context = &wait;
    int rc = carillon_submit_call(client, &own);
    if (rc != OK) {
        return call_failed(client, rc, ret_reply);
    }
    while (!wait.is_done) {
        client__links_flush(client);
        io_uv_run_once(client->world, CLIENT_WAIT_MS); /* the request's deadline ends it */
    }
    *ret_reply = wait.reply;
    return wait.reply.status;
}

int carillon_call_message(struct carillon_client *client, uint32_t method,
                          const struct carillon_key *key,
                          const struct ProtobufCMessage *request,
                          const struct ProtobufCMessageDescriptor *reply_type, void *ret_reply)
{
    struct carillon_call call = {
        .method = method, .key = key, .message = request, .stale_ok = client->is_stale_ok};
    struct carillon_reply reply;
    void **ret_message = ret_reply;

    *ret_message = NULL;
    int rc = carillon_call(client, &call, &reply);
    if (rc != OK && reply.body_bytes == 0) {
        return rc;
    }
    *ret_message = protobuf_c_message_unpack(reply_type, NULL, reply.body_bytes, reply.body);
    if (*ret_message == NULL) {
        text_keep(client, "the node's answer is not what the method promises");
        return ERR_MALFORMED;
    }
    return rc;
}

void carillon_message_free(void *message)
{
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

void carillon_set_stale_ok(struct carillon_client *client, bool is_stale_ok)
{
    client->is_stale_ok = is_stale_ok;
}

bool carillon_age(const struct carillon_client *client, uint64_t *ret_age_ms,
                  uint64_t *ret_applied_index)
{
    *ret_age_ms = client->age_ms;
    *ret_applied_index = client->applied_index;
    return client->is_stale;
}

const char *carillon_text(const struct carillon_client *client)
{
    return client->text;
}

static bool is_connected(const struct carillon_client *client)
{
    return client->ready_count >= client->options.connections;
}

int carillon_connect(struct carillon_client *client)
{
    if (client->world == NULL) {
        return ERR_ARGUMENT;
    }
    client->is_connecting = true;
    client->connect_status = OK;
    client->is_refused = false;
    client__links_connect(client);
    /* Each link ends its attempt by itself after connect_ms. A node that does not answer is no
     * reason to give up while others are to be tried. */
    while (!is_connected(client) && !client->is_refused) {
        io_uv_run_once(client->world, CLIENT_WAIT_MS);
    }
    client->is_connecting = false;
    if (is_connected(client)) {
        text_keep(client, "");
        return OK;
    }
    text_keep(client, client->connect_text);
    return client->connect_status;
}
