#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/uuid.h"
#include "client/client_private.h"
#include "proto/envelope.pb-c.h"

enum {
    REPLY_MEMORY_BYTES = 8 << 20
}; /* an unpacked reply of one frame, with room for many small parts */

static int options_take(struct carillon_client *client, const struct carillon_options *options)
{
    struct carillon_options *own = &client->options;

    *own = options == NULL ? (struct carillon_options){0} : *options;
    own->connections = own->connections == 0 ? 1 : own->connections;
    own->outstanding_max =
        own->outstanding_max == 0 ? CARILLON_OUTSTANDING : own->outstanding_max;
    own->connect_ms = own->connect_ms == 0 ? CARILLON_CONNECT_MS : own->connect_ms;
    own->silence_ms = own->silence_ms == 0 ? CARILLON_SILENCE_MS : own->silence_ms;
    const char *path = own->credential == NULL ? "" : own->credential;

    client->has_no_credential = own->credential != NULL && path[0] == '\0';
    if (strlen(path) > CLIENT_PATH_BYTES_MAX ||
        own->connections > CARILLON_CONNECTIONS_MAX ||
        own->outstanding_max > CARILLON_OUTSTANDING_MAX ||
        (own->name != NULL && strlen(own->name) > CLIENT_NAME_BYTES_MAX)) {
        return ERR_ARGUMENT;
    }
    snprintf(client->credential_path, sizeof client->credential_path, "%s", path);
    snprintf(client->name, sizeof client->name, "%s",
             own->name == NULL ? "libcarillon" : own->name);
    int rc = client__peers_init(client,
                                own->address == NULL ? CARILLON_ADDRESS_DEFAULT : own->address);

    own->name = client->name;
    own->credential = client->credential_path;
    own->address = NULL; /* it is the caller's */
    return rc;
}

static int tables_make(struct carillon_client *client)
{
    const struct carillon_options *options = &client->options;

    client->link_count = options->connections + 1;
    client->links = calloc(client->link_count, sizeof *client->links);
    client->slots = calloc(options->outstanding_max, sizeof *client->slots);
    if (client->links == NULL || client->slots == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < client->link_count; i++) {
        client__link_init(client, &client->links[i]);
    }
    for (uint32_t i = options->outstanding_max; i-- > 0;) {
        client->slots[i].index = i;
        list_add(&client->free, &client->slots[i].node);
    }
    client->link_inflight_max =
        (options->outstanding_max + options->connections - 1) / options->connections;
    client->budget_max =
        (options->outstanding_max > CLIENT_BUDGET_RETRIES_MIN ? options->outstanding_max
                                                              : CLIENT_BUDGET_RETRIES_MIN) *
        CLIENT_BUDGET_RETRY;
    client->budget = client->budget_max;
    return OK;
}

static void turn_on_ended(struct io_turn *turn)
{
    client__links_flush(CONTAINER_OF(turn, struct carillon_client, turn));
}

static int world_take(struct carillon_client *client)
{
    client->io = client->options.io;
    if (client->io == NULL) {
        client->world = io_uv_create();
        if (client->world == NULL) {
            return ERR_IO;
        }
        client->io = io_uv_world(client->world);
    }
    io_random(client->io, client->rng.state, sizeof client->rng.state);
    io_turn_add(client->io, &client->turn, turn_on_ended);
    return OK;
}

static void client_free(struct carillon_client *client)
{
    for (uint32_t i = 0; client->slots != NULL && i < client->options.outstanding_max; i++) {
        free(client->slots[i].body);
    }
    client__peers_fini(client);
    if (client->world != NULL) {
        io_uv_destroy(client->world);
    }
    arena_fini(&client->arena);
    free(client->held);
    free(client->slots);
    free(client->links);
    free(client);
}

int carillon_create(const struct carillon_options *options, struct carillon_client **ret_client)
{
    struct carillon_client *client = calloc(1, sizeof *client);

    if (client == NULL) {
        return ERR_NOMEM;
    }
    list_init(&client->free);
    list_init(&client->waiting);
    list_init(&client->paused);
    client->timer_ns = UINT64_MAX;
    arena_init(&client->arena, REPLY_MEMORY_BYTES);
    int rc = options_take(client, options);
    if (rc == OK) {
        rc = tables_make(client);
    }
    if (rc == OK) {
        rc = world_take(client);
    }
    if (rc != OK) {
        client_free(client);
        return rc;
    }
    *ret_client = client;
    return OK;
}

/* ---- the end ---- */

void client__destroy_finish(struct carillon_client *client)
{
    void (*destroyed)(void *context) = client->destroyed;
    void *context = client->destroyed_context;

    ASSERT(client->closing_count == 0);
    client_free(client);
    if (destroyed != NULL) {
        destroyed(context);
    }
}

void carillon_destroy_in(struct carillon_client *client, void (*destroyed)(void *context),
                         void *context)
{
    bool is_own = client->world != NULL;

    ASSERT(!client->is_destroying);
    client->is_destroying = true;
    client->destroyed = destroyed;
    client->destroyed_context = context;
    client__slots_cancel(client);
    io_timer_stop(client->io, &client->timer);
    io_turn_remove(client->io, &client->turn);
    client->closing_count =
        1; /* ours, so that the last stream to close does not end it under us */
    for (uint32_t i = 0; i < client->link_count; i++) {
        client__link_close(&client->links[i]);
    }
    client->closing_count--;
    while (is_own && client->closing_count > 0) {
        io_uv_run_once(client->world, CLIENT_WAIT_MS);
    }
    if (client->closing_count == 0) {
        client__destroy_finish(client);
    }
}

void carillon_destroy(struct carillon_client *client)
{
    if (client != NULL) {
        carillon_destroy_in(client, NULL, NULL);
    }
}

/* ---- small things ---- */

const struct carillon_node *carillon_node(const struct carillon_client *client)
{
    return &client->node;
}

struct carillon_key carillon_key_make(struct carillon_client *client)
{
    struct carillon_key key;
    uint8_t random[10];

    rng_fill(&client->rng, random, sizeof random);
    struct uuid uuid = uuid_make(io_wall_ms(client->io), random);
    memcpy(key.bytes, uuid.bytes, sizeof key.bytes);
    return key;
}

uint32_t carillon_outstanding(const struct carillon_client *client)
{
    return client->outstanding;
}

void carillon_flush(struct carillon_client *client)
{
    client__links_flush(client);
}

int carillon_poll(struct carillon_client *client, uint32_t timeout_ms)
{
    if (client->world == NULL) {
        return ERR_ARGUMENT;
    }
    client__links_flush(client);
    io_uv_run_once(client->world, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    return OK;
}

int carillon_descriptor(const struct carillon_client *client)
{
    return client->world == NULL ? -1 : io_uv_backend_fd(client->world);
}

int carillon_timeout_ms(struct carillon_client *client)
{
    if (client->world == NULL) {
        return -1;
    }
    return client->dirty_count > 0 ? 0 : io_uv_wait_ms(client->world);
}

struct carillon_counters carillon_counters(const struct carillon_client *client)
{
    return client->counters;
}

void carillon_set_deadline(struct carillon_client *client, uint32_t deadline_ms)
{
    client->options.deadline_ms = deadline_ms;
}

const char *carillon_error_name(int error)
{
    return error_name(error);
}

const char *carillon_error_text(int error)
{
    return error_text(error);
}
