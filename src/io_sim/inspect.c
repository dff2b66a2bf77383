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

/* ---- bits that go bad ---- */

static void inode_flip(struct inode *inode)
{
    inode->durable.data[inode->flip_offset] ^= inode->flip_mask;
    if (inode->flip_offset < inode->now.len) {
        inode->now.data[inode->flip_offset] ^= inode->flip_mask;
    }
}

/* The number of names that qualify; @chosen is the last of the first @upto ones. */
static size_t rot_count(const struct disk *disk, const char *folder, size_t upto,
                        bool (*may)(void *context, const char *path), void *context,
                        struct inode **chosen)
{
    size_t count = 0;

    for (size_t i = 0; i < disk->names_count && count < upto; i++) {
        const struct name *name = &disk->names[i];
        struct inode *inode = name->durable;
        bool is_there = inode != NULL && inode == name->now && inode->durable.len > 0 &&
                        inode->flip_mask == 0 &&
                        strncmp(name->path, folder, strlen(folder)) == 0;

        if (is_there && may(context, name->path)) {
            *chosen = inode;
            count++;
        }
    }
    return count;
}

bool io_sim_rot(struct io *io, const char *folder, bool (*may)(void *context, const char *path),
                void *context)
{
    ASSERT(io != NULL);
    ASSERT(may != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    struct inode *inode = NULL;
    size_t count = rot_count(&machine->disk, folder, SIZE_MAX, may, context, &inode);

    if (count == 0) {
        return false;
    }
    (void)rot_count(&machine->disk, folder, 1 + (size_t)rng_below(&machine->chance, count), may,
                    context, &inode);
    inode->flip_offset = rng_below(&machine->chance, inode->durable.len);
    inode->flip_mask = (uint8_t)(1u << rng_below(&machine->chance, 8));
    inode_flip(inode);
    io_sim__trace(machine->sim, machine, 9, inode->flip_offset);
    return true;
}

size_t io_sim_rot_mend(struct io *io)
{
    ASSERT(io != NULL);
    struct disk *disk = &io_sim__of(io)->disk;
    size_t count = 0;

    for (struct list *node = disk->inodes.next; node != &disk->inodes; node = node->next) {
        struct inode *inode = CONTAINER_OF(node, struct inode, node);

        if (inode->flip_mask != 0) {
            inode_flip(inode);
            inode->flip_mask = 0;
            count++;
        }
    }
    return count;
}

void io_sim_disk_copy(const struct io *from, struct io *to)
{
    ASSERT(from != NULL);
    ASSERT(to != NULL);
    ASSERT(from != to);
    io_sim__disk_copy(&io_sim__of(from)->disk, &io_sim__of(to)->disk);
}
