/* io_sim/file.c -- the file calls of a simulated process. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

static int open_new(struct disk *disk, const char *path, struct io_file **ret_file)
{
    struct name *name = io_sim__disk_find(disk, path);
    if (name != NULL && name->now != NULL) {
        return ERR_EXISTS;
    }
    char *parent = io_sim__path_parent(path);
    bool has_parent = io_sim__disk_has_folder(disk, parent);
    free(parent);
    if (!has_parent) {
        return ERR_GONE;
    }
    struct inode *inode = io_sim__inode_create(disk);
    io_sim__disk_rename(disk, NULL, path, inode);
    *ret_file = io_sim__disk_open(disk, inode, true);
    return OK;
}

static int open_old(struct disk *disk, const char *path, enum io_open how,
                    struct io_file **ret_file)
{
    struct name *name = io_sim__disk_find(disk, path);
    if (name == NULL || name->now == NULL) {
        return ERR_GONE;
    }
    *ret_file = io_sim__disk_open(disk, name->now, how == IO_OPEN_WRITE);
    return OK;
}

int io_sim__file_open(struct io *io, const char *path, enum io_open how,
                      struct io_file **ret_file)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_OPEN);
    if (call.error != OK) {
        return call.error;
    }
    struct io_file *file = NULL;
    char *clean = io_sim__path_clean(path);
    int rc = how == IO_OPEN_CREATE ? open_new(&machine->disk, clean, &file)
                                   : open_old(&machine->disk, clean, how, &file);
    free(clean);
    if (call.has_begun && file != NULL) {
        io_sim__disk_close(file); /* the caller will not get it */
    }
    rc = io_sim__call_end(machine, &call, rc);
    if (rc == OK) {
        *ret_file = file;
    }
    return rc;
}

void io_sim__file_close(struct io *io, struct io_file *file)
{
    (void)io;
    ASSERT(file->locked == NULL);
    io_sim__disk_close(file);
}

int io_sim__file_read(struct io *io, struct io_file *file, uint64_t offset, void *data,
                      size_t len, size_t *ret_len)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_READ);
    if (call.error != OK || call.has_begun || file->inode == NULL) {
        return io_sim__call_end(machine, &call, call.error != OK ? call.error : ERR_IO);
    }
    const struct image *now = &file->inode->now;
    size_t there = offset < now->len ? now->len - (size_t)offset : 0;
    size_t got = there < len ? there : len;
    if (got > 0) {
        memcpy(data, now->data + offset, got);
    }
    *ret_len = got;
    return OK;
}

/* How many bytes of a write reach the file: all that there is room for, or of one that fails by
 * order any part of its beginning. */
static size_t bytes_written(struct io_sim_machine *machine, const struct inode *inode,
                            uint64_t offset, size_t len, bool has_failed)
{
    uint64_t room = io_sim__disk_free_bytes(&machine->disk) + inode->now.len;
    size_t fits = len;
    if (offset + len > inode->now.len && offset + len > room) {
        fits = offset < room ? (size_t)(room - offset) : 0;
    }
    return has_failed ? (size_t)rng_below(&machine->chance, fits + 1) : fits;
}

int io_sim__file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                       size_t len)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_WRITE);
    struct inode *inode = file->inode;
    if (machine->is_down) {
        return ERR_IO;
    }
    io_sim__call_trace(machine, offset, data, len);
    if (inode == NULL || !file->is_writable) {
        return io_sim__call_end(machine, &call, ERR_IO);
    }
    size_t written = bytes_written(machine, inode, offset, len, call.error != OK);
    io_sim__inode_write(inode, offset, data, written);
    if (call.error != OK) {
        return call.error;
    }
    return io_sim__call_end(machine, &call, written < len ? ERR_DISK_FULL : OK);
}

/* Some of what was not synced is on the disk, and the system has forgotten that the rest is
 * not. */
static void sync_fail(struct io_sim_machine *machine, struct inode *inode)
{
    struct loss loss = {.rng = &machine->chance};
    io_sim__inode_lose(inode, &loss);
}

int io_sim__file_sync(struct io *io, struct io_file *file)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_SYNC);
    if (call.error != OK) {
        if (file->inode != NULL && !machine->is_down) {
            sync_fail(machine, file->inode);
        }
        return call.error;
    }
    io_sim__sync_cost(machine);
    if (file->inode == NULL) {
        return io_sim__call_end(machine, &call, ERR_IO);
    }
    /* Power failing in the middle leaves the changes unsynced: restart chooses what got there.
     */
    if (!call.has_begun && !machine->sync_lies) {
        io_sim__inode_sync(file->inode);
    }
    return io_sim__call_end(machine, &call, OK);
}

int io_sim__file_size(struct io *io, struct io_file *file, uint64_t *ret_size)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_SIZE);
    if (call.error != OK || call.has_begun || file->inode == NULL) {
        return io_sim__call_end(machine, &call, call.error != OK ? call.error : ERR_IO);
    }
    *ret_size = file->inode->now.len;
    return OK;
}

int io_sim__file_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_TRUNCATE);
    if (call.error != OK) {
        return call.error;
    }
    struct inode *inode = file->inode;
    if (inode == NULL || !file->is_writable) {
        return io_sim__call_end(machine, &call, ERR_IO);
    }
    if (size > inode->now.len &&
        size - inode->now.len > io_sim__disk_free_bytes(&machine->disk)) {
        return io_sim__call_end(machine, &call, ERR_DISK_FULL);
    }
    io_sim__inode_truncate(inode, (size_t)size);
    return io_sim__call_end(machine, &call, OK);
}

/* Rename, or remove with @to NULL. */
static int move(struct io_sim_machine *machine, enum io_sim_call kind, const char *from,
                const char *to)
{
    struct call call = io_sim__call_begin(machine, kind);
    if (call.error != OK) {
        return call.error;
    }
    char *clean_from = io_sim__path_clean(from);
    char *clean_to = to == NULL ? NULL : io_sim__path_clean(to);
    char *parent = io_sim__path_parent(to == NULL ? from : to);
    struct name *name = io_sim__disk_find(&machine->disk, clean_from);
    int rc = OK;
    if (name == NULL || name->now == NULL || !io_sim__disk_has_folder(&machine->disk, parent)) {
        rc = ERR_GONE;
    } else if (to == NULL || strcmp(clean_from, clean_to) != 0) {
        io_sim__disk_rename(&machine->disk, clean_from, clean_to, name->now);
    }
    free(clean_from);
    free(clean_to);
    free(parent);
    return io_sim__call_end(machine, &call, rc);
}

int io_sim__file_rename(struct io *io, const char *from, const char *to)
{
    return move(io_sim__of(io), IO_SIM_RENAME, from, to);
}

int io_sim__file_remove(struct io *io, const char *path)
{
    return move(io_sim__of(io), IO_SIM_REMOVE, path, NULL);
}
