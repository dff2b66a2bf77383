#include <stdio.h>

#include "base/assert.h"
#include "log/snapshot_format.h"
#include "log/transfer.h"

/* ---- in the bulk lane ---- */

static int remove_temporary(struct io *io, const struct log_receiver *receiver)
{
    int status = io_file_remove(io, receiver->temporary);

    return status == ERR_GONE ? OK : status;
}

static int forget(struct io *io, struct log_receiver *receiver)
{
    if (receiver->file != NULL) {
        io_file_close(io, receiver->file);
        receiver->file = NULL;
    }
    receiver->offset = 0;
    receiver->synced = 0;
    return remove_temporary(io, receiver);
}

static int begin(struct io *io, struct log_receive *receive)
{
    struct log_receiver *receiver = receive->receiver;

    receive->operation = "remove";
    int status = forget(io, receiver);
    if (status == OK) {
        receive->operation = "create";
        status = io_file_open(io, receiver->temporary, IO_OPEN_CREATE, &receiver->file);
    }
    return status;
}

static int write_part(struct io *io, struct log_receive *receive)
{
    struct log_receiver *receiver = receive->receiver;
    int status = OK;

    if (receive->offset == 0) {
        status = begin(io, receive);
    } else if (receiver->file == NULL || receive->offset != receiver->offset) {
        return ERR_GONE;
    }
    if (status == OK) {
        receive->operation = "write";
        status = io_file_write(io, receiver->file, receive->offset, receive->data.data,
                               receive->data.len);
    }
    if (status != OK) {
        return status;
    }
    receiver->offset += receive->data.len;
    if (receiver->offset - receiver->synced >= LOG_SNAPSHOT_SYNC_BYTES) {
        receive->operation = "sync";
        status = io_file_sync(io, receiver->file);
        receiver->synced = receiver->offset;
    }
    /* What a failed sync leaves is not known: never the answer that allows another try. */
    return status == ERR_DISK_FULL ? ERR_IO : status;
}

static void write_run(struct io *io, struct io_job *job)
{
    struct log_receive *receive = CONTAINER_OF(job, struct log_receive, job);

    receive->status = write_part(io, receive);
    if (receive->status == ERR_IO) {
        (void)forget(io, receive->receiver);
    }
}

static int read_received(void *context, uint64_t offset, void *data, size_t len,
                         size_t *ret_len)
{
    const struct log_receiver *receiver = context;

    return io_file_read(receiver->io, receiver->file, offset, data, len, ret_len);
}

/* Whether it is what was announced. */
static int begin_received(void *context, const struct log_snapshot_info *info)
{
    struct log_receive *receive = context;
    const struct log_snapshot_info *expected = &receive->info;

    if (info->version != LOG_SNAPSHOT_FORMAT) {
        return ERR_VERSION;
    }
    bool is_it =
        info->group == receive->receiver->group && info->index == expected->index &&
        info->term == expected->term && info->identity == receive->receiver->identity &&
        info->configuration_index == expected->configuration_index &&
        info->configuration_bytes == expected->configuration_bytes &&
        memcmp(info->configuration, expected->configuration, info->configuration_bytes) == 0;
    receive->info = *info;
    return is_it ? OK : ERR_DAMAGED;
}

static int chunk_received(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
    return OK;
}

static int verify(struct log_receive *receive)
{
    struct log_snapshot_source source = {receive->receiver, read_received};
    struct log_snapshot_sink sink = {receive, begin_received, chunk_received};

    receive->operation = "read";
    return log_snapshot_read(&source, &sink, &receive->bad_offset);
}

static int install(struct io *io, struct log_receive *receive)
{
    struct log_receiver *receiver = receive->receiver;
    struct snapshot_place place = {
        .folder = receiver->folder,
        .temporary = receiver->temporary,
        .group = receiver->group,
        .index = receive->info.index,
    };

    if (receiver->file == NULL) {
        return ERR_GONE;
    }
    int status = verify(receive);
    if (status == OK) {
        receive->operation = "sync";
        status = io_file_sync(io, receiver->file);
    }
    if (status == OK) {
        receive->info.bytes = receiver->offset;
        io_file_close(io, receiver->file);
        receiver->file = NULL;
        status = snapshot_publish(io, &place, &receive->operation);
    }
    return status;
}

static void install_run(struct io *io, struct io_job *job)
{
    struct log_receive *receive = CONTAINER_OF(job, struct log_receive, job);

    receive->status = install(io, receive);
    int status = forget(io, receive->receiver);
    if (receive->status == OK && status != OK) {
        receive->operation = "remove";
        receive->status = status;
    }
}

static void abandon_run(struct io *io, struct io_job *job)
{
    struct log_receive *receive = CONTAINER_OF(job, struct log_receive, job);

    receive->operation = "remove";
    receive->status = forget(io, receive->receiver);
}

/* ---- on the loop ---- */

int log_receiver_init(struct log_receiver *receiver, struct io *io, const char *folder,
                      uint32_t group, const struct log_identity *identity)
{
    char name[LOG_SNAPSHOT_NAME_BYTES];

    memset(receiver, 0, sizeof *receiver);
    receiver->io = io;
    receiver->group = group;
    receiver->identity = log_cluster_hash(identity);
    (void)snprintf(name, sizeof name, "received-%04x.tmp", group);
    if (log_path_join(receiver->temporary, folder, name) != OK) {
        return ERR_TOO_LARGE;
    }
    (void)snprintf(receiver->folder, sizeof receiver->folder, "%s", folder);
    return OK;
}

void log_receiver_fini(struct log_receiver *receiver)
{
    if (receiver->file != NULL) {
        io_file_close(receiver->io, receiver->file);
        receiver->file = NULL;
    }
}

static void receive_done(struct io_job *job)
{
    struct log_receive *receive = CONTAINER_OF(job, struct log_receive, job);

    receive->receiver->pending--;
    receive->done(receive, receive->status);
}

static void submit(struct log_receiver *receiver, struct log_receive *receive,
                   void (*run)(struct io *io, struct io_job *job))
{
    ASSERT(receive->done != NULL);
    receive->receiver = receiver;
    receive->operation = "";
    receiver->pending++;
    receive->job = (struct io_job){.run = run, .done = receive_done};
    io_lane_submit(receiver->io, IO_LANE_BULK, &receive->job);
}

void log_receive_write(struct log_receiver *receiver, struct log_receive *receive,
                       uint64_t offset, struct slice data)
{
    ASSERT(data.len <= LOG_TRANSFER_BYTES_MAX);
    receive->data.max = LOG_TRANSFER_BYTES_MAX;
    buf_clear(&receive->data);
    int status = buf_append_slice(&receive->data, data);
    ASSERT(status == OK);
    receive->offset = offset;
    submit(receiver, receive, write_run);
}

void log_receive_again(struct log_receive *receive)
{
    ASSERT(receive->status == ERR_DISK_FULL);
    submit(receive->receiver, receive, write_run);
}

void log_receive_install(struct log_receiver *receiver, struct log_receive *receive,
                         const struct log_snapshot_info *expected)
{
    receive->info = *expected;
    submit(receiver, receive, install_run);
}

void log_receive_abandon(struct log_receiver *receiver, struct log_receive *receive)
{
    submit(receiver, receive, abandon_run);
}

void log_receive_fini(struct log_receive *receive)
{
    buf_fini(&receive->data);
}
