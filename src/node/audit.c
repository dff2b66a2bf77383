#include "node/audit.h"

#include <stdio.h>
#include <zstd.h>

#include "base/assert.h"
#include "node/audit_private.h"
#include "wire/pack.h"

enum { RETRY_MS = 1000, ZSTD_LEVEL = 1 };

/* Records on their way to the disk: filled on the loop, then owned by the lane until done. */
struct audit_block {
    struct io_job job;
    struct audit *audit;
    struct list node; /* in idle, lane or stuck of the trail */
    struct buf raw;
    struct audit_block_header header;
    bool sync;
    int status;
};

/* What only the lane touches between open and close. */
struct audit_output {
    struct io_file *file;
    struct buf packed;
    uint64_t offset;
    uint64_t bytes; /* of all files */
    int status; /* after an error nothing is written until the loop has seen it: blocks stay in
                   order */
    bool is_dirty;
};

struct audit {
    struct io *io;
    struct arena arena;
    char folder[AUDIT_PATH_BYTES];
    uint64_t bytes_max;
    struct audit_output output;
    struct list idle;            /* blocks that are free */
    struct list lane;            /* blocks on the lane */
    struct list stuck;           /* blocks the full disk did not take, in order */
    struct audit_block *filling; /* NULL when none is begun */
    struct io_timer retry;
    uint32_t on_lane;
    uint32_t in_flight; /* on the lane or stuck */
    uint32_t finding;   /* searches on the lane */
    uint64_t last_index;
    uint64_t synced_index;
    int status;
    void (*closed)(void *context);
    void *closed_context;
};

static void path_of(const struct audit *audit, const char *name, char out[AUDIT_PATH_BYTES])
{
    int n = snprintf(out, AUDIT_PATH_BYTES, "%s/%s", audit->folder, name);

    ASSERT(n > 0 && n < AUDIT_PATH_BYTES);
}

/* ---- opening: find the end
 * ------------------------------------------------------------------------------------ */

struct last_file {
    struct audit *audit;
    char name[64];
};

static int remember_last(void *context, const char *name)
{
    struct last_file *last = context;
    char path[AUDIT_PATH_BYTES];
    struct io_file *file;
    uint64_t size = 0;

    path_of(last->audit, name, path);
    int rc = io_file_open(last->audit->io, path, IO_OPEN_READ, &file);
    if (rc != OK) {
        return rc;
    }
    rc = io_file_size(last->audit->io, file, &size);
    io_file_close(last->audit->io, file);
    last->audit->output.bytes += size;
    (void)snprintf(last->name, sizeof last->name, "%s", name);
    return rc;
}

/* Write the block that was just read once more. */
static int write_again(struct audit *audit, struct io_file *file, uint64_t offset,
                       const struct audit_block_header *header)
{
    uint8_t bytes[AUDIT_HEADER_BYTES];

    audit__header_encode(header, bytes);
    int rc = io_file_write(audit->io, file, offset, bytes, sizeof bytes);
    return rc == OK ? io_file_write(audit->io, file, offset + sizeof bytes,
                                    audit->output.packed.data, header->packed_bytes)
                    : rc;
}

/* Walk the blocks of the newest file; what follows the last whole one was never synced and is
 * in the log still. */
static int find_end(struct audit *audit, struct io_file *file)
{
    struct audit_block_header header;
    struct buf raw;
    uint64_t offset = 0;
    int rc;

    buf_init(&raw, AUDIT_PACKED_BYTES_MAX);
    while ((rc = audit__block_read(audit->io, file, offset, &audit->output.packed, &raw,
                                   &header)) == OK &&
           (header.last <= audit->synced_index ||
            (rc = write_again(audit, file, offset, &header)) == OK)) {
        offset += AUDIT_HEADER_BYTES + header.packed_bytes;
        audit->last_index = header.last;
    }
    buf_fini(&raw);
    if (rc != ERR_EOF && rc != ERR_DAMAGED) {
        return rc;
    }
    audit->output.offset = offset;
    audit->synced_index = audit->last_index;
    rc = io_file_truncate(audit->io, file, offset);
    return rc == OK ? io_file_sync(audit->io, file) : rc;
}

static int open_last(struct audit *audit, struct buf *text)
{
    struct last_file last = {.audit = audit};
    char path[AUDIT_PATH_BYTES];
    int rc = io_folder_make(audit->io, audit->folder);

    rc = rc == OK ? audit__files(audit->io, audit->folder, remember_last, &last) : rc;
    if (rc == OK && last.name[0] != '\0') {
        path_of(audit, last.name, path);
        rc = io_file_open(audit->io, path, IO_OPEN_WRITE, &audit->output.file);
        /* The process before may have ended before the name it made was durable. */
        rc = rc == OK ? io_folder_sync(audit->io, audit->folder) : rc;
        rc = rc == OK ? find_end(audit, audit->output.file) : rc;
        if (rc == OK && audit->output.offset == 0) {
            /* nothing whole in it: its name says where it began, and the next record may begin
             * elsewhere */
            io_file_close(audit->io, audit->output.file);
            audit->output.file = NULL;
            rc = io_file_remove(audit->io, path);
            return rc == OK ? open_last(audit, text) : rc;
        }
    }
    if (rc != OK) {
        (void)!buf_append_format(text, "%s/%s: %s", audit->folder, last.name, error_text(rc));
    }
    return rc;
}

int audit_open(struct io *io, const char *folder, uint64_t bytes_max, uint64_t synced_index,
               struct audit **ret_audit, struct buf *text)
{
    struct arena arena;

    arena_init(&arena, UINT64_MAX);
    struct audit *audit = arena_alloc_zero(&arena, sizeof *audit);
    audit->io = io;
    audit->arena = arena;
    audit->bytes_max = bytes_max;
    audit->synced_index = synced_index;
    list_init(&audit->idle);
    list_init(&audit->lane);
    list_init(&audit->stuck);
    buf_init(&audit->output.packed, AUDIT_PACKED_BYTES_MAX);
    (void)snprintf(audit->folder, sizeof audit->folder, "%s", folder);
    int rc = open_last(audit, text);
    if (rc != OK) {
        if (audit->output.file != NULL) {
            io_file_close(io, audit->output.file);
        }
        buf_fini(&audit->output.packed);
        arena = audit->arena;
        arena_fini(&arena);
        return rc;
    }
    *ret_audit = audit;
    return OK;
}

/* ---- on the lane
 * ----------------------------------------------------------------------------------------------
 */

struct oldest_file {
    char name[64];
    uint32_t count;
};

static int remember_oldest(void *context, const char *name)
{
    struct oldest_file *oldest = context;

    if (oldest->count++ == 0) {
        (void)snprintf(oldest->name, sizeof oldest->name, "%s", name);
    }
    return OK;
}

/* Remove the oldest file when there is more than the operator wants to keep. */
static int retire(struct audit *audit)
{
    struct oldest_file oldest = {0};
    char path[AUDIT_PATH_BYTES];
    struct io_file *file;
    uint64_t size = 0;

    if (audit->output.bytes <= audit->bytes_max) {
        return OK;
    }
    int rc = audit__files(audit->io, audit->folder, remember_oldest, &oldest);
    if (rc != OK || oldest.count < 2) {
        return rc;
    }
    path_of(audit, oldest.name, path);
    rc = io_file_open(audit->io, path, IO_OPEN_READ, &file);
    if (rc != OK) {
        return rc;
    }
    rc = io_file_size(audit->io, file, &size);
    io_file_close(audit->io, file);
    rc = rc == OK ? io_file_remove(audit->io, path) : rc;
    if (rc == OK) {
        audit->output.bytes -= size;
    }
    return rc;
}

/* What a failed sync leaves behind nobody knows, want of room or not: it is never tried again.
 */
static int final(int status)
{
    return status == OK ? OK : ERR_IO;
}

static int sync_output(struct audit *audit)
{
    int rc = audit->output.is_dirty ? io_file_sync(audit->io, audit->output.file) : OK;

    if (rc == OK) {
        audit->output.is_dirty = false;
    }
    return final(rc);
}

/* Have a file to write to whose name is the index of its first record. */
static int ensure_file(struct audit *audit, uint64_t first)
{
    struct audit_output *output = &audit->output;
    char name[64];
    char path[AUDIT_PATH_BYTES];

    if (output->file != NULL && output->offset < AUDIT_FILE_BYTES) {
        return OK;
    }
    if (output->file != NULL) {
        int rc = sync_output(audit);

        if (rc != OK) {
            return rc;
        }
        io_file_close(audit->io, output->file);
        output->file = NULL;
    }
    (void)snprintf(name, sizeof name, "audit-%020llu", (unsigned long long)first);
    path_of(audit, name, path);
    int rc = io_file_open(audit->io, path, IO_OPEN_CREATE, &output->file);
    if (rc != OK) {
        return rc;
    }
    output->offset = 0;
    rc = final(io_folder_sync(audit->io, audit->folder));
    return rc == OK ? retire(audit) : rc;
}

static int write_block(struct audit *audit, struct audit_block *block)
{
    struct audit_output *output = &audit->output;
    size_t bound = ZSTD_compressBound(block->raw.len);

    buf_clear(&output->packed);
    int rc = buf_reserve(&output->packed, AUDIT_HEADER_BYTES + bound);
    if (rc != OK) {
        return rc;
    }
    size_t packed = ZSTD_compress(output->packed.data + AUDIT_HEADER_BYTES, bound,
                                  block->raw.data, block->raw.len, ZSTD_LEVEL);
    ASSERT(!ZSTD_isError(packed));
    block->header.packed_bytes = (uint32_t)packed;
    block->header.raw_bytes = (uint32_t)block->raw.len;
    block->header.crc = audit__block_crc(
        &block->header, slice_from(output->packed.data + AUDIT_HEADER_BYTES, packed));
    audit__header_encode(&block->header, output->packed.data);
    rc = ensure_file(audit, block->header.first);
    if (rc != OK) {
        return rc;
    }
    rc = io_file_write(audit->io, output->file, output->offset, output->packed.data,
                       AUDIT_HEADER_BYTES + packed);
    if (rc == OK) {
        output->offset += AUDIT_HEADER_BYTES + packed;
        output->bytes += AUDIT_HEADER_BYTES + packed;
        output->is_dirty = true;
    }
    return rc;
}

static void block_run(struct io *io, struct io_job *job)
{
    struct audit_block *block = CONTAINER_OF(job, struct audit_block, job);

    struct audit_output *output = &block->audit->output;

    (void)io;
    if (output->status == OK && block->raw.len > 0) {
        output->status = write_block(block->audit, block);
    }
    if (output->status == OK && block->sync) {
        output->status = sync_output(block->audit);
    }
    block->status = output->status;
}

/* ---- on the loop
 * ------------------------------------------------------------------------------------------------
 */

static void free_blocks(struct list *blocks)
{
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, blocks)
    {
        buf_fini(&CONTAINER_OF(node, struct audit_block, node)->raw);
    }
}

static void release(struct audit *audit)
{
    struct arena arena = audit->arena;

    free_blocks(&audit->idle);
    free_blocks(&audit->stuck);
    free_blocks(&audit->lane);
    if (audit->filling != NULL) {
        buf_fini(&audit->filling->raw);
    }
    if (audit->output.file != NULL) {
        io_file_close(audit->io, audit->output.file);
    }
    buf_fini(&audit->output.packed);
    arena_fini(&arena);
}

bool audit_is_idle(const struct audit *audit)
{
    return audit->on_lane == 0 && audit->finding == 0;
}

void audit_forget(struct audit *audit)
{
    release(audit);
}

/* Blocks that are stuck are given up: the log still has their entries, for no snapshot was made
 * without them. */
static void finish_close(struct audit *audit)
{
    void (*closed)(void *context) = audit->closed;
    void *context = audit->closed_context;

    io_timer_stop(audit->io, &audit->retry);
    release(audit);
    closed(context);
}

static void block_done(struct io_job *job);

static void to_lane(struct audit *audit, struct audit_block *block)
{
    block->job = (struct io_job){.run = block_run, .done = block_done};
    list_add(&audit->lane, &block->node);
    audit->on_lane++;
    io_lane_submit(audit->io, IO_LANE_BULK, &block->job);
}

/* There may be room again: everything stuck goes to the lane once more, in order. */
static void on_retry(struct io_timer *timer)
{
    struct audit *audit = CONTAINER_OF(timer, struct audit, retry);
    struct list *node;
    struct list *following;

    audit->output.status = OK; /* the lane is idle: nothing of ours runs there */
    audit->status = OK;
    LIST_EACH(node, following, &audit->stuck)
    {
        list_remove(node);
        to_lane(audit, CONTAINER_OF(node, struct audit_block, node));
    }
}

static void block_done(struct io_job *job)
{
    struct audit_block *block = CONTAINER_OF(job, struct audit_block, job);
    struct audit *audit = block->audit;

    list_remove(&block->node);
    audit->on_lane--;
    if (block->status != OK) {
        audit->status = block->status;
        list_add(&audit->stuck, &block->node);
    } else {
        audit->in_flight--;
        if (block->sync) {
            audit->synced_index = block->header.last;
        }
        buf_clear(&block->raw);
        list_add(&audit->idle, &block->node);
    }
    if (audit->on_lane > 0) {
        return;
    }
    if (audit->closed != NULL) {
        if (audit_is_idle(audit)) {
            finish_close(audit);
        }
    } else if (audit->status == ERR_DISK_FULL) {
        io_timer_start(audit->io, &audit->retry, RETRY_MS, on_retry);
    }
}

static struct audit_block *block_take(struct audit *audit)
{
    struct audit_block *block;

    if (!list_is_empty(&audit->idle)) {
        block = CONTAINER_OF(audit->idle.next, struct audit_block, node);
        list_remove(&block->node);
    } else {
        block = arena_alloc_zero(&audit->arena, sizeof *block);
        block->audit = audit;
        buf_init(&block->raw, AUDIT_PACKED_BYTES_MAX);
    }
    block->header =
        (struct audit_block_header){.first = audit->last_index, .last = audit->last_index};
    block->sync = false;
    return block;
}

static void submit(struct audit *audit, bool sync)
{
    struct audit_block *block = audit->filling != NULL ? audit->filling : block_take(audit);

    audit->filling = NULL;
    block->sync = sync;
    audit->in_flight++;
    if (audit->status == OK || audit->on_lane > 0) {
        to_lane(audit, block);
    } else {
        list_add(&audit->stuck, &block->node);
    }
}

void audit_append(struct audit *audit, const struct audit_record *record)
{
    ASSERT(record->index > audit->last_index);
    if (audit->filling == NULL) {
        audit->filling = block_take(audit);
        audit->filling->header.first = record->index;
    }
    int rc = audit__record_encode(record, &audit->filling->raw);
    ASSERT(rc == OK); /* a block is handed over long before its bound */
    audit->last_index = record->index;
    audit->filling->header.last = record->index;
    audit->filling->header.records++;
    if (audit->filling->raw.len >= AUDIT_BLOCK_BYTES) {
        submit(audit, false);
    }
}

uint64_t audit_last_index(const struct audit *audit)
{
    return audit->last_index;
}

uint64_t audit_synced_index(const struct audit *audit)
{
    return audit->synced_index;
}

bool audit_is_behind(const struct audit *audit)
{
    return audit->in_flight >= AUDIT_BLOCKS_MAX;
}

uint32_t audit_blocks(const struct audit *audit)
{
    return audit->in_flight;
}

void audit_bound(struct audit *audit)
{
    if (audit_is_behind(audit) && audit->on_lane > 0) {
        io_lane_wait(audit->io, IO_LANE_BULK);
    }
}

int audit_status(const struct audit *audit)
{
    return audit->status;
}

void audit_sync(struct audit *audit)
{
    submit(audit, true);
}

static void query_done(struct io_job *job)
{
    struct audit_query *query = CONTAINER_OF(job, struct audit_query, job);
    struct audit *audit = query->audit;

    audit->finding--;
    query->done(query);
    if (audit->closed != NULL && audit_is_idle(audit)) {
        finish_close(audit);
    }
}

static void query_run(struct io *io, struct io_job *job)
{
    struct audit_query *query = CONTAINER_OF(job, struct audit_query, job);
    const struct audit_output *output =
        &query->audit->output; /* the lane's, and this is the lane */
    uint64_t end = output->file != NULL ? output->offset : UINT64_MAX;

    query->status =
        audit__find(io, query->audit->folder, end, buf_slice(&query->request), &query->reply);
}

void audit_find(struct audit *audit, struct audit_query *query,
                void (*done)(struct audit_query *query))
{
    if (audit->filling != NULL) {
        submit(audit, false); /* the lane keeps order: the search will see it */
    }
    audit->finding++;
    query->audit = audit;
    query->done = done;
    query->job = (struct io_job){.run = query_run, .done = query_done};
    io_lane_submit(audit->io, IO_LANE_BULK, &query->job);
}

void audit_close(struct audit *audit, void (*closed)(void *context), void *context)
{
    audit->closed = closed;
    audit->closed_context = context;
    submit(audit, true);
    if (audit_is_idle(audit)) {
        finish_close(audit); /* stuck: the disk takes nothing */
    }
}
