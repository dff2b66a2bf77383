/* The node's keys: opening, serving and renewing them. Handshakes are in door_tls.c, Hellos in door_greet.c. */
#include "node/door.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/sm.h"
#include "identity/encoding.h"
#include "node/event.h"

enum { LOOK_MS = 3600 * 1000, WARN_MS = 24 * 3600 * 1000 };

/* ---- opening ---- */

int door_open(struct door *door, struct io *io, struct arena *arena,
              const struct door_folder *folder, uint8_t cluster[IDENTITY_ID_BYTES],
              struct buf *text)
{
    door->io = io;
    list_init(&door->rotations);
    /* Nobody is listened to yet: what was proved before this moment was proved to another. */
    proof_memory_init(&door->memory, arena, io_wall_ms(io));
    door->is_open = true;
    return keyring_open(&door->ring, io, folder->path, folder->start, cluster, text);
}

int door_open_node(struct door *door, const uint8_t node_id[IDENTITY_ID_BYTES],
                   struct buf *text)
{
    int rc = keyring_open_node(&door->ring, node_id, text);

    return rc == OK ? door__show_certificate(door) : rc;
}

/* ---- the local credential ---- */

static int file_write(struct door *door, const char *path, struct slice bytes)
{
    struct io_file *file = NULL;
    int rc = io_file_open(door->io, path, IO_OPEN_CREATE, &file);

    if (rc == OK) {
        rc = io_file_write(door->io, file, 0, bytes.data, bytes.len);
        io_file_close(door->io, file);
    }
    return rc;
}

/* The file under a name that is only ours. It holds what DATA/keys/local holds, and does not
 * have to outlive the process. */
static int local_write(struct door *door)
{
    struct buf file;

    buf_init(&file, CREDENTIAL_FILE_BYTES_MAX);
    int rc = io_folder_make(door->io, door->local_folder);

    rc = rc == OK ? keyring_local_credential(&door->ring, door->local_address, &file) : rc;
    rc = rc == OK ? file_write(door, door->local_path, buf_slice(&file)) : rc;
    identity_buf_wipe(&file);
    return rc;
}

static void local_failed(struct door *door, int status)
{
    event_log(EVENT_WARNING, "local-credential-not-written",
              "folder=%s error=%s text=\"clients on this machine need --credential %s/local\"",
              door->local_folder, error_name(status), door->ring.folder);
    door->local_path[0] = '\0';
}

void door_prepare(struct door *door, const char *folder, const char *address)
{
    uint8_t random[8];
    char name[2 * sizeof random + 1];

    if (folder[0] == '\0' || !door->is_plain_allowed) {
        return;
    }
    io_random(door->io, random, sizeof random);
    hex_encode(slice_from(random, sizeof random), name);
    (void)snprintf(door->local_folder, sizeof door->local_folder, "%s", folder);
    (void)snprintf(door->local_address, sizeof door->local_address, "%s", address);
    (void)snprintf(door->local_path, sizeof door->local_path, "%s/new-%s", door->local_folder,
                   name);
    int rc = local_write(door);

    if (rc != OK) {
        local_failed(door, rc);
    }
}

void door_publish(struct door *door, uint16_t port)
{
    char path[sizeof door->local_path];

    if (door->local_path[0] == '\0') {
        return;
    }
    (void)snprintf(path, sizeof path, "%s/%u", door->local_folder, port);
    int rc = io_file_rename(door->io, door->local_path, path);

    if (rc != OK) {
        local_failed(door, rc);
        return;
    }
    memcpy(door->local_path, path, sizeof path);
}

static void on_look(struct io_timer *timer);

void door_serve(struct door *door)
{
    io_timer_start(door->io, &door->timer, LOOK_MS, on_look);
}

/* ---- renewing ---- */

static void rotations_end(struct door *door, int status, const char *text)
{
    while (!list_is_empty(&door->rotations)) {
        struct door_rotation *rotation =
            CONTAINER_OF(door->rotations.next, struct door_rotation, node);

        list_remove(&rotation->node);
        rotation->done(rotation, status, text);
    }
}

void door_warn(struct door *door, int status, const char *text)
{
    uint64_t now = io_wall_ms(door->io);

    if (door->warned_ms != 0 && now - door->warned_ms < WARN_MS) {
        return;
    }
    door->warned_ms = now;
    event_log(EVENT_WARNING, "certificate-ends", "until_ms=%llu error=%s text=\"%s\"",
              (unsigned long long)door->ring.node.not_after_ms, error_name(status), text);
}

/* A new secret goes where clients look for it, too. */
static void republish(struct io *io, struct door *door)
{
    struct keyring_update *update = &door->update;
    struct buf file;

    if (update->status != OK || (update->parts & KEYRING_SECRET) == 0 ||
        door->local_path[0] == '\0') {
        return;
    }
    buf_init(&file, CREDENTIAL_FILE_BYTES_MAX);
    int rc = keyring_update_credential(update, door->local_address, &file);

    rc = rc == OK ? keyring__write(io, door->local_folder, strrchr(door->local_path, '/') + 1,
                                   buf_slice(&file))
                  : rc;
    identity_buf_wipe(&file);
    if (rc != OK) {
        update->status = rc;
        (void)snprintf(update->text, sizeof update->text, "%.200s: %s", door->local_path,
                       error_text(rc));
    }
}

static void job_run(struct io *io, struct io_job *job)
{
    struct door *door = CONTAINER_OF(job, struct door, job);

    keyring_make(io, &door->update);
    republish(io, door);
}

static void finish_closing(struct door *door);

static void sign_end(struct door *door)
{
    struct door_signing *signing = door->signing;
    const struct buf *made = &door->update.guest.certificate;
    char text[sizeof door->update.text];

    memcpy(text, door->update.text, sizeof text);
    if (door->update.status == OK) {
        memcpy(signing->certificate, made->data, made->len);
        signing->certificate_len = made->len;
        signing->not_before_ms = door->update.guest.not_before_ms;
    }
    door->signing = NULL;
    int rc = keyring_take(&door->ring, &door->update);

    signing->done(signing, rc, text);
}

static void renewed(struct door *door)
{
    char text[sizeof door->update.text];

    memcpy(text, door->update.text, sizeof text);
    bool is_due = (door->update.parts & KEYRING_NODE_CERTIFICATE) != 0 &&
                  list_is_empty(&door->rotations);
    int rc = keyring_take(&door->ring, &door->update);

    rc = rc == OK ? door__show_certificate(door) : rc;
    if (rc == OK) {
        event_log(EVENT_INFO, "certificate-renewed", "until_ms=%llu card_epoch=%u",
                  (unsigned long long)door->ring.node.not_after_ms, door->ring.card.epoch);
    } else if (rc == ERR_GONE && is_due && !door->is_closing) {
        door->hooks.renew(door->hooks.context);
    } else {
        door_warn(door, rc, text);
    }
    rotations_end(door, rc, rc == OK ? "" : text);
}

static void job_on_done(struct io_job *job)
{
    struct door *door = CONTAINER_OF(job, struct door, job);

    door->is_busy = false;
    if (door->signing != NULL) {
        sign_end(door);
    } else {
        renewed(door);
    }
    if (door->is_closing) {
        finish_closing(door);
    }
}

static void job_start(struct door *door, unsigned parts)
{
    if (door->is_busy || door->is_closing) {
        return;
    }
    door->is_busy = true;
    keyring_plan(&door->ring, parts, &door->update);
    if (door->signing != NULL) {
        memcpy(door->update.guest_id, door->signing->id, sizeof door->signing->id);
        memcpy(door->update.guest_key, door->signing->key, sizeof door->signing->key);
    }
    door->update.given = slice_from(door->given, door->given_len);
    door->job = (struct io_job){.run = job_run, .done = job_on_done};
    io_lane_submit(door->io, IO_LANE_BULK, &door->job);
}

static void on_look(struct io_timer *timer)
{
    struct door *door = CONTAINER_OF(timer, struct door, timer);
    unsigned due = keyring_due(&door->ring, io_wall_ms(door->io));

    if (due != 0) {
        job_start(door, due);
    }
    io_timer_start(door->io, timer, LOOK_MS, on_look);
}

void door_rotate(struct door *door, struct door_rotation *rotation)
{
    if (door->is_busy || door->is_closing) {
        rotation->done(rotation, ERR_BUSY, "keys are being renewed");
        return;
    }
    list_add(&door->rotations, &rotation->node);
    job_start(door, KEYRING_ROTATION);
}

int door_sign(struct door *door, struct door_signing *signing)
{
    if (door->is_busy || door->is_closing) {
        return ERR_BUSY;
    }
    door->signing = signing;
    job_start(door, KEYRING_GUEST);
    return SM_PENDING;
}

int door_take_certificate(struct door *door, struct slice certificate)
{
    if (certificate.len > sizeof door->given) {
        return ERR_TOO_LARGE;
    }
    if (door->is_busy || door->is_closing) {
        return ERR_BUSY;
    }
    memcpy(door->given, certificate.data, certificate.len);
    door->given_len = certificate.len;
    job_start(door, KEYRING_GIVEN);
    return OK;
}

/* ---- closing ---- */

static void door_free(struct door *door)
{
    io_tls_destroy(door->io, door->tls);
    io_tls_destroy(door->io, door->peer_tls);
    proof_memory_fini(&door->memory);
    keyring_fini(&door->ring);
}

static void finish_closing(struct door *door)
{
    void (*closed)(void *context) = door->closed;
    void *context = door->closed_context;

    if (door->local_path[0] != '\0') {
        (void)!io_file_remove(door->io, door->local_path);
    }
    door_free(door);
    closed(context);
}

void door_close(struct door *door, void (*closed)(void *context), void *context)
{
    door->is_closing = true;
    door->closed = closed;
    door->closed_context = context;
    if (!door->is_open) {
        closed(context);
        return;
    }
    io_timer_stop(door->io, &door->timer);
    if (!door->is_busy) {
        finish_closing(door);
    }
}

void door_forget(struct door *door)
{
    if (door->is_open) {
        if (door->is_busy) {
            door->update.status = ERR_CANCELLED;
            (void)!keyring_take(&door->ring, &door->update);
        }
        door_free(door);
    }
}
