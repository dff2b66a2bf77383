#include "base/assert.h"
#include "log/snapshot_format.h"
#include "log/transfer.h"

struct sent_file {
    struct io *io;
    struct io_file *file;
};

/* ---- in the bulk lane ---- */

/* All of @len bytes. */
static int read_whole(struct io *io, struct io_file *file, uint64_t offset, void *data,
                      size_t len)
{
    size_t got = 0;

    int status = io_file_read(io, file, offset, data, len, &got);
    return status == OK && got < len ? ERR_DAMAGED : status;
}

/* Header and footer tell which file it is, and that it can be sent. */
static int know_file(struct io *io, struct io_file *file, uint64_t *ret_bytes,
                     uint64_t *ret_hash)
{
    uint8_t header[SNAPSHOT_HEADER_BYTES];
    uint8_t bytes[SNAPSHOT_FOOTER_BYTES];
    struct log_snapshot_info info;
    struct snapshot_footer footer;

    int status = io_file_size(io, file, ret_bytes);
    if (status == OK && *ret_bytes < sizeof header + sizeof bytes) {
        status = ERR_DAMAGED;
    }
    if (status == OK) {
        status = read_whole(io, file, 0, header, sizeof header);
    }
    if (status == OK) {
        status = snapshot_header_decode(header, &info);
    }
    if (status == OK && info.version != LOG_SNAPSHOT_FORMAT) {
        status = ERR_VERSION;
    }
    if (status == OK) {
        status = read_whole(io, file, *ret_bytes - sizeof bytes, bytes, sizeof bytes);
    }
    if (status == OK) {
        status = snapshot_footer_decode(bytes, &footer);
    }
    if (status == OK) {
        *ret_hash = footer.hash;
    }
    return status;
}

static int source_read(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    struct sent_file *source = context;

    return io_file_read(source->io, source->file, offset, data, len, ret_len);
}

static int ignore_begin(void *context, const struct log_snapshot_info *info)
{
    (void)context;
    (void)info;
    return OK;
}

static int ignore_chunk(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
    return OK;
}

/* A transfer begins only with a file that is whole: the receiver would find out at its end that
 * it is not, and be sent the same again. */
static int verify(struct io *io, struct io_file *file)
{
    struct sent_file context = {io, file};
    const struct log_snapshot_source source = {&context, source_read};
    const struct log_snapshot_sink sink = {NULL, ignore_begin, ignore_chunk};
    uint64_t offset;

    return log_snapshot_read(&source, &sink, &offset);
}

/* Another file may have taken the name since the last part was read. */
static bool is_same(const struct log_send *send, uint64_t bytes, uint64_t hash)
{
    bool is_going_on = send->offset > 0 && send->seen_bytes > 0 &&
                       send->seen_group == send->group && send->seen_index == send->index;

    return !is_going_on || (send->seen_bytes == bytes && send->seen_hash == hash);
}

static int read_part(struct io *io, struct io_file *file, struct log_send *send)
{
    uint64_t bytes;
    uint64_t hash;

    int status = know_file(io, file, &bytes, &hash);
    if (status != OK) {
        return status;
    }
    if (!is_same(send, bytes, hash) || send->offset > bytes) {
        return ERR_GONE;
    }
    if (send->offset == 0) {
        status = verify(io, file);
        if (status != OK) {
            return status;
        }
    }
    send->seen_group = send->group;
    send->seen_index = send->index;
    send->seen_bytes = bytes;
    send->seen_hash = hash;
    uint64_t left = bytes - send->offset;
    size_t len = left < send->bytes_max ? (size_t)left : send->bytes_max;
    status = buf_reserve(&send->bytes, len);
    if (status == OK && len > 0) {
        status = read_whole(io, file, send->offset, send->bytes.data, len);
    }
    if (status == OK) {
        send->bytes.len = len;
        send->is_last = len == left;
    }
    return status;
}

static void send_run(struct io *io, struct io_job *job)
{
    struct log_send *send = CONTAINER_OF(job, struct log_send, job);
    char name[LOG_SNAPSHOT_NAME_BYTES];
    char path[LOG_PATH_BYTES];
    struct io_file *file;

    log_snapshot_name(send->group, send->index, name);
    send->status = log_path_join(path, send->folder, name);
    if (send->status == OK) {
        send->status = io_file_open(io, path, IO_OPEN_READ, &file);
    }
    if (send->status == OK) {
        send->status = read_part(io, file, send);
        io_file_close(io, file);
    }
}

/* ---- on the loop ---- */

static void send_done(struct io_job *job)
{
    struct log_send *send = CONTAINER_OF(job, struct log_send, job);

    send->data = send->status == OK ? buf_slice(&send->bytes) : SLICE_NONE;
    send->done(send, send->status);
}

void log_send_submit(struct io *io, const char *folder, struct log_send *send)
{
    ASSERT(send->done != NULL);
    ASSERT(send->bytes_max > 0 && send->bytes_max <= LOG_TRANSFER_BYTES_MAX);
    send->folder = folder;
    send->data = SLICE_NONE;
    send->is_last = false;
    send->bytes.max = LOG_TRANSFER_BYTES_MAX;
    buf_clear(&send->bytes);
    send->job = (struct io_job){.run = send_run, .done = send_done};
    io_lane_submit(io, IO_LANE_BULK, &send->job);
}

void log_send_fini(struct log_send *send)
{
    buf_fini(&send->bytes);
    send->data = SLICE_NONE;
    send->seen_bytes = 0;
}
