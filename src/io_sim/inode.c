/* io_sim/inode.c -- one file's contents: what the process sees, what is durable, and the
 * changes between them.
 *
 * `now` is `durable` with all changes applied, in order. A crash keeps some sectors of some
 * changes: a sector's history is the series of changes that touch it, and a crash keeps a
 * prefix of that series, seeded for every sector on its own. That is tearing (sectors of one
 * write differ) and reordering (a later write is there where an earlier one is not), and never
 * a sector nobody wrote. The size is that after any one of the changes.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

void io_sim__image_resize(struct image *image, size_t len)
{
    if (len > image->cap) {
        size_t cap = image->cap == 0 ? 4096 : image->cap;
        while (cap < len) {
            cap *= 2;
        }
        image->data = realloc(image->data, cap);
        ASSERT(image->data != NULL);
        image->cap = cap;
    }
    if (len > image->len) {
        memset(image->data + image->len, 0, len - image->len);
    }
    image->len = len;
}

struct inode *io_sim__inode_create(struct disk *disk)
{
    struct inode *inode = io_sim__alloc(sizeof(*inode));
    list_add(&disk->inodes, &inode->node);
    return inode;
}

struct inode *io_sim__inode_ref(struct inode *inode)
{
    if (inode != NULL) {
        inode->refs++;
    }
    return inode;
}

static void changes_forget(struct inode *inode)
{
    for (size_t i = 0; i < inode->changes_count; i++) {
        free(inode->changes[i].data);
    }
    inode->changes_count = 0;
}

void io_sim__inode_unref(struct inode *inode)
{
    if (inode == NULL) {
        return;
    }
    ASSERT(inode->refs > 0);
    if (--inode->refs > 0) {
        return;
    }
    list_remove(&inode->node);
    changes_forget(inode);
    free(inode->changes);
    free(inode->now.data);
    free(inode->durable.data);
    free(inode);
}

/* ---- changing ---- */

/* Take @data (allocated, or NULL with len 0) into the list of changes. */
static void change_add(struct inode *inode, uint64_t offset, uint8_t *data, size_t len)
{
    inode->changes = io_sim__grow(inode->changes, sizeof(*inode->changes), inode->changes_count,
                                  &inode->changes_cap);
    inode->changes[inode->changes_count++] = (struct change){
        .offset = offset, .len = len, .data = data, .size_after = inode->now.len};
}

/* The sector is written anew, and with it the bit that was bad. */
static void flip_mend(struct inode *inode, uint64_t from, uint64_t to)
{
    if (inode->flip_mask == 0 || inode->flip_offset < from || inode->flip_offset >= to) {
        return;
    }
    inode->durable.data[inode->flip_offset] ^= inode->flip_mask;
    inode->flip_mask = 0;
}

void io_sim__inode_write(struct inode *inode, uint64_t offset, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (offset + len > inode->now.len) {
        io_sim__image_resize(&inode->now, offset + len);
    }
    flip_mend(inode, offset, offset + len);
    memcpy(inode->now.data + offset, data, len);
    uint8_t *copy = malloc(len);
    ASSERT(copy != NULL);
    memcpy(copy, data, len);
    change_add(inode, offset, copy, len);
}

/* What is cut off becomes zeroes first: should the file grow again, zeroes are what is there.
 */
void io_sim__inode_truncate(struct inode *inode, size_t size)
{
    size_t before = inode->now.len;
    flip_mend(inode, size, UINT64_MAX);
    io_sim__image_resize(&inode->now, size);
    if (size >= before) {
        change_add(inode, before, NULL, 0);
    } else {
        change_add(inode, size, io_sim__alloc(before - size), before - size);
    }
}

void io_sim__inode_sync(struct inode *inode)
{
    io_sim__image_resize(&inode->durable, inode->now.len);
    for (size_t i = 0; i < inode->changes_count; i++) {
        const struct change *change = &inode->changes[i];
        if (change->offset < inode->now.len) {
            size_t room = inode->now.len - (size_t)change->offset;
            memcpy(inode->durable.data + change->offset, inode->now.data + change->offset,
                   change->len < room ? change->len : room);
        }
    }
    changes_forget(inode);
}

/* ---- losing ---- */

static size_t first_sector(const struct change *change)
{
    return (size_t)(change->offset / IO_SIM_SECTOR_BYTES);
}

static size_t end_sector(const struct change *change)
{
    return (size_t)((change->offset + change->len + IO_SIM_SECTOR_BYTES - 1) /
                    IO_SIM_SECTOR_BYTES);
}

size_t io_sim__inode_units(const struct inode *inode)
{
    size_t units = 0;
    for (size_t i = 0; i < inode->changes_count; i++) {
        const struct change *change = &inode->changes[i];
        units += change->len == 0 ? 0 : end_sector(change) - first_sector(change);
    }
    return units;
}

static bool loss_keeps(struct loss *loss)
{
    if (loss->rng != NULL) {
        return rng_chance(loss->rng, loss->ppm);
    }
    size_t unit = loss->unit++;
    return unit < loss->kept_count && loss->kept[unit] != 0;
}

/* Bring the part of @change that lies in @sector to the disk. */
static void sector_keep(struct image *durable, const struct change *change, size_t sector)
{
    uint64_t from = (uint64_t)sector * IO_SIM_SECTOR_BYTES;
    uint64_t to = from + IO_SIM_SECTOR_BYTES;
    from = from < change->offset ? change->offset : from;
    to = to > change->offset + change->len ? change->offset + change->len : to;
    memcpy(durable->data + from, change->data + (from - change->offset), (size_t)(to - from));
}

static size_t size_after_loss(const struct inode *inode, struct loss *loss, size_t size_before)
{
    size_t versions = inode->changes_count + 1;
    size_t version = loss->rng == NULL ? versions - 1 : (size_t)rng_below(loss->rng, versions);
    return version == 0 ? size_before : inode->changes[version - 1].size_after;
}

/* By order every unit counts, even one whose sector lost an earlier write: it is then lost as
 * well. */
static void changes_keep(struct inode *inode, struct loss *loss, uint8_t *is_frozen)
{
    for (size_t i = 0; i < inode->changes_count; i++) {
        const struct change *change = &inode->changes[i];
        if (change->len == 0) {
            continue;
        }
        for (size_t s = first_sector(change); s < end_sector(change); s++) {
            if (!loss_keeps(loss)) {
                is_frozen[s] = 1;
            } else if (!is_frozen[s]) {
                sector_keep(&inode->durable, change, s);
            }
        }
    }
}

/* Applies a crash (or a failed sync) to the durable image; `now` is left alone. */
void io_sim__inode_lose(struct inode *inode, struct loss *loss)
{
    static const uint32_t chances_ppm[] = {0, 1000000, 500000, 900000, 100000};
    if (inode->changes_count == 0) {
        return;
    }
    if (loss->rng != NULL) {
        loss->ppm =
            chances_ppm[rng_below(loss->rng, sizeof(chances_ppm) / sizeof(*chances_ppm))];
    }
    size_t size_before = inode->durable.len;
    size_t size_most = size_before;
    for (size_t i = 0; i < inode->changes_count; i++) {
        const struct change *change = &inode->changes[i];
        size_t end = (size_t)change->offset + change->len;
        size_most = end > size_most ? end : size_most;
        size_most = change->size_after > size_most ? change->size_after : size_most;
    }
    io_sim__image_resize(&inode->durable, size_most);
    uint8_t *is_frozen = io_sim__alloc(size_most / IO_SIM_SECTOR_BYTES + 1);
    changes_keep(inode, loss, is_frozen);
    free(is_frozen);
    io_sim__image_resize(&inode->durable, size_after_loss(inode, loss, size_before));
    changes_forget(inode);
}
