/* io_sim/inspect.c -- for tests: looking at what is durable, spoiling it, copying a disk. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

static struct inode *durable_inode(struct io *io, const char *path)
{
    char *clean = io_sim__path_clean(path);
    struct name *name = io_sim__disk_find(&io_sim__of(io)->disk, clean);
    free(clean);
    return name == NULL ? NULL : name->durable;
}

int io_sim_durable_read(struct io *io, const char *path, struct buf *into)
{
    ASSERT(io != NULL);
    ASSERT(into != NULL);
    const struct inode *inode = durable_inode(io, path);
    if (inode == NULL) {
        return ERR_GONE;
    }
    return buf_append(into, inode->durable.data, inode->durable.len);
}

static void image_put(struct image *image, uint64_t offset, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (offset + len > image->len) {
        io_sim__image_resize(image, offset + len);
    }
    memcpy(image->data + offset, data, len);
}

int io_sim_durable_write(struct io *io, const char *path, uint64_t offset, const void *data,
                         size_t len)
{
    ASSERT(io != NULL);
    struct inode *inode = durable_inode(io, path);
    if (inode == NULL) {
        return ERR_GONE;
    }
    image_put(&inode->durable, offset, data, len);
    image_put(&inode->now, offset, data, len);
    return OK;
}

int io_sim_durable_truncate(struct io *io, const char *path, uint64_t size)
{
    ASSERT(io != NULL);
    struct inode *inode = durable_inode(io, path);
    if (inode == NULL) {
        return ERR_GONE;
    }
    io_sim__image_resize(&inode->durable, (size_t)size);
    io_sim__image_resize(&inode->now, (size_t)size);
    return OK;
}

int io_sim_flip_bit(struct io *io, const char *path, uint64_t offset, unsigned bit)
{
    ASSERT(io != NULL);
    ASSERT(bit < 8);
    struct inode *inode = durable_inode(io, path);
    if (inode == NULL) {
        return ERR_GONE;
    }
    if (offset >= inode->durable.len) {
        return ERR_ARGUMENT;
    }
    inode->durable.data[offset] ^= (uint8_t)(1u << bit);
    if (offset < inode->now.len) {
        inode->now.data[offset] ^= (uint8_t)(1u << bit);
    }
    return OK;
}

void io_sim_disk_copy(const struct io *from, struct io *to)
{
    ASSERT(from != NULL);
    ASSERT(to != NULL);
    ASSERT(from != to);
    io_sim__disk_copy(&io_sim__of(from)->disk, &io_sim__of(to)->disk);
}
