/* Where the other nodes are, for the next start: the state that says so is applied only when
 * somebody was reached, and a node that was removed is told by those it reaches. A hint: it may be
 * missing or old, and the meta group's word counts more. */
#include <stdio.h>

#include "base/assert.h"
#include "identity/encoding.h"
#include "node/event.h"
#include "node/node_private.h"

enum { LINE_BYTES_MAX = 2 * 8 + 1 + META_ADDRESS_BYTES_MAX + 1 };

static const char first_line[] = "carillon-members 1\n";

static void path_of(const struct node *node, const char *name, char out[CONFIG_PATH_BYTES + 16])
{
    (void)snprintf(out, CONFIG_PATH_BYTES + 16, "%s/%s", node->config.data_folder, name);
}

/* ---- reading ---- */

static void take_line(struct node *node, struct slice line)
{
    char address[META_ADDRESS_BYTES_MAX + 1];
    char numeric[CONFIG_ADDRESS_BYTES];
    struct slice number;
    struct slice rest;
    uint8_t id[8];
    uint16_t port;

    if (!slice_cut(line, ' ', &number, &rest) || rest.len >= sizeof address ||
        hex_decode(number, id, sizeof id) != OK) {
        return;
    }
    memcpy(address, rest.data, rest.len);
    address[rest.len] = '\0';
    raft_id member = 0;

    for (int i = 0; i < 8; i++) {
        member |= (raft_id)id[i] << 8 * i;
    }
    if (member != 0 && meta_find_number(&node->meta, member) == NULL &&
        node_config_address_split(address, numeric, &port) == OK) {
        (void)!node__member_put(node, member, numeric, port);
    }
}

void node__book_open(struct node *node)
{
    struct book *book = &node->book;
    char path[CONFIG_PATH_BYTES + 16];
    struct io_file *file;
    size_t len = 0;

    path_of(node, "members", path);
    if (io_file_open(node->io, path, IO_OPEN_READ, &file) != OK) {
        return;
    }
    int rc = io_file_read(node->io, file, 0, book->bytes, sizeof book->bytes, &len);

    io_file_close(node->io, file);
    struct slice rest = slice_from(book->bytes, rc == OK ? len : 0);
    struct slice line;

    if (rest.len < sizeof first_line - 1 ||
        memcmp(rest.data, first_line, sizeof first_line - 1) != 0) {
        return;
    }
    book->len = len;
    while (slice_cut(rest, '\n', &line, &rest)) {
        take_line(node, line);
    }
}

/* ---- writing ---- */

static size_t describe(const struct node *node, char *out)
{
    size_t len = sizeof first_line - 1;

    memcpy(out, first_line, len);
    for (uint32_t i = 0; i < node->meta.member_count; i++) {
        const struct meta_member *member = &node->meta.members[i];
        char number[2 * 8 + 1];

        if (member->state != META_REMOVED && meta_number(member->id) != node->raft.id) {
            hex_encode(slice_from(member->id + META_ID_BYTES - 8, 8), number);
            len += (size_t)snprintf(out + len, LINE_BYTES_MAX + 1, "%s %s\n", number,
                                    member->address);
        }
    }
    return len;
}

static int replace(struct io *io, const struct book *book)
{
    const struct node *node = book->node;
    char fresh[CONFIG_PATH_BYTES + 16];
    char path[CONFIG_PATH_BYTES + 16];
    struct io_file *file;

    path_of(node, "members.new", fresh);
    path_of(node, "members", path);
    (void)!io_file_remove(io, fresh); /* of a process that died while it wrote it */
    int rc = io_file_open(io, fresh, IO_OPEN_CREATE, &file);

    if (rc != OK) {
        return rc;
    }
    rc = io_file_write(io, file, 0, book->bytes, book->len);
    rc = rc == OK ? io_file_sync(io, file) : rc;
    io_file_close(io, file);
    rc = rc == OK ? io_file_rename(io, fresh, path) : rc;
    return rc == OK ? io_folder_sync(io, node->config.data_folder) : rc;
}

static void job_run(struct io *io, struct io_job *job)
{
    struct book *book = CONTAINER_OF(job, struct book, job);

    book->status = replace(io, book);
}

static void job_on_done(struct io_job *job)
{
    struct book *book = CONTAINER_OF(job, struct book, job);
    struct node *node = book->node;

    book->is_busy = false;
    if (book->status != OK) {
        event_log(EVENT_WARNING, "members-not-kept", "error=%s", error_name(book->status));
        book->len = 0;
    }
    if (book->closed != NULL) {
        book->closed(node);
    } else if (book->status == OK) {
        node__book_keep(node); /* it may have changed meanwhile; else the next change tries again */
    }
}

void node__book_keep(struct node *node)
{
    struct book *book = &node->book;
    char bytes[sizeof book->bytes];

    book->node = node;
    if (!node->is_replayed || book->is_busy || book->closed != NULL || node->is_closing ||
        meta_member_count(&node->meta) < 2) {
        return;
    }
    size_t len = describe(node, bytes);

    ASSERT(len <= sizeof book->bytes);
    if (len == book->len && memcmp(bytes, book->bytes, len) == 0) {
        return;
    }
    memcpy(book->bytes, bytes, len);
    book->len = len;
    book->is_busy = true;
    book->job = (struct io_job){.run = job_run, .done = job_on_done};
    io_lane_submit(node->io, IO_LANE_BULK, &book->job);
}

void node__book_close(struct node *node, void (*closed)(struct node *node))
{
    if (node->book.is_busy) {
        node->book.closed = closed;
    } else {
        closed(node);
    }
}
