/* io_sim/disk.c -- a disk: names seen and names durable, the unsynced renames between them,
 * folders, open files. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

/* ---- paths ---- */

/* @path without doubled and closing slashes. */
char *io_sim__path_clean(const char *path)
{
    char *clean = io_sim__alloc(strlen(path) + 2);
    size_t len = 0;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at != '/' || len == 0 || clean[len - 1] != '/') {
            clean[len++] = *at;
        }
    }
    if (len > 1 && clean[len - 1] == '/') {
        len--;
    }
    clean[len] = '\0';
    return clean;
}

char *io_sim__path_parent(const char *path)
{
    char *parent = io_sim__path_clean(path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
        return parent;
    }
    free(parent);
    return io_sim__copy_text(".");
}

/* Whether @folder is what io_sim__path_parent says of @path; both are clean. */
bool io_sim__path_is_in(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path) + (slash == path ? 1 : 0);
    return slash == NULL ? strcmp(folder, ".") == 0
                         : strncmp(path, folder, len) == 0 && folder[len] == '\0';
}

bool io_sim__disk_has_folder(const struct disk *disk, const char *path)
{
    if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0) {
        return true;
    }
    for (size_t i = 0; i < disk->folders_count; i++) {
        if (strcmp(disk->folders[i], path) == 0) {
            return true;
        }
    }
    return false;
}

void io_sim__disk_add_folder(struct disk *disk, const char *path)
{
    if (!io_sim__disk_has_folder(disk, path)) {
        disk->folders = io_sim__grow(disk->folders, sizeof(*disk->folders), disk->folders_count,
                                     &disk->folders_cap);
        disk->folders[disk->folders_count++] = io_sim__copy_text(path);
    }
}

/* ---- names ---- */

struct name *io_sim__disk_find(struct disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->names_count; i++) {
        if (strcmp(disk->names[i].path, path) == 0) {
            return &disk->names[i];
        }
    }
    return NULL;
}

struct name *io_sim__disk_name(struct disk *disk, const char *path)
{
    struct name *name = io_sim__disk_find(disk, path);
    if (name == NULL) {
        disk->names = io_sim__grow(disk->names, sizeof(*disk->names), disk->names_count,
                                   &disk->names_cap);
        name = &disk->names[disk->names_count++];
        *name = (struct name){.path = io_sim__copy_text(path)};
    }
    return name;
}

static void name_set_now(struct disk *disk, const char *path, struct inode *inode)
{
    struct name *name = io_sim__disk_name(disk, path);
    struct inode *before = name->now;
    name->now = io_sim__inode_ref(inode);
    if (inode != NULL) {
        inode->room_refs++;
    }
    if (before != NULL) {
        before->room_refs--;
    }
    io_sim__inode_unref(before);
}

static void name_set_durable(struct disk *disk, const char *path, struct inode *inode)
{
    struct name *name = io_sim__disk_name(disk, path);
    struct inode *before = name->durable;
    name->durable = io_sim__inode_ref(inode);
    io_sim__inode_unref(before);
}

void io_sim__disk_rename(struct disk *disk, const char *from, const char *to,
                         struct inode *inode)
{
    ASSERT(inode != NULL);
    disk->renames = io_sim__grow(disk->renames, sizeof(*disk->renames), disk->renames_count,
                                 &disk->renames_cap);
    disk->renames[disk->renames_count++] =
        (struct rename){.from = from == NULL ? NULL : io_sim__copy_text(from),
                        .to = to == NULL ? NULL : io_sim__copy_text(to),
                        .inode = io_sim__inode_ref(inode)};
    if (to != NULL) {
        name_set_now(disk, to, inode);
    }
    if (from != NULL) {
        name_set_now(disk, from, NULL);
    }
}

static void rename_keep(struct disk *disk, const struct rename *rename)
{
    if (rename->to != NULL) {
        name_set_durable(disk, rename->to, rename->inode);
    }
    if (rename->from != NULL) {
        name_set_durable(disk, rename->from, NULL);
    }
}

static void rename_free(struct rename *rename)
{
    io_sim__inode_unref(rename->inode);
    free(rename->from);
    free(rename->to);
}

/* Names that lead nowhere any more, and led nowhere after a crash: a log's files come and go,
 * and finding one looks at all. */
static void names_forget(struct disk *disk)
{
    size_t left = 0;
    for (size_t i = 0; i < disk->names_count; i++) {
        if (disk->names[i].now == NULL && disk->names[i].durable == NULL) {
            free(disk->names[i].path);
        } else {
            disk->names[left++] = disk->names[i];
        }
    }
    disk->names_count = left;
}

void io_sim__disk_folder_sync(struct disk *disk, const char *folder)
{
    size_t left = 0;
    for (size_t i = 0; i < disk->renames_count; i++) {
        struct rename *rename = &disk->renames[i];
        if ((rename->from != NULL && io_sim__path_is_in(rename->from, folder)) ||
            (rename->to != NULL && io_sim__path_is_in(rename->to, folder))) {
            rename_keep(disk, rename);
            rename_free(rename);
        } else {
            disk->renames[left++] = *rename;
        }
    }
    disk->renames_count = left;
    names_forget(disk);
}

/* ---- open files ---- */

struct io_file *io_sim__disk_open(struct disk *disk, struct inode *inode, bool is_writable)
{
    struct io_file *file = io_sim__alloc(sizeof(*file));
    file->inode = io_sim__inode_ref(inode);
    inode->room_refs++;
    file->is_writable = is_writable;
    list_add(&disk->files, &file->node);
    return file;
}

static void file_detach(struct io_file *file)
{
    if (file->inode != NULL) {
        file->inode->room_refs--;
        io_sim__inode_unref(file->inode);
        file->inode = NULL;
    }
    free(file->locked);
    file->locked = NULL;
}

void io_sim__disk_close(struct io_file *file)
{
    file_detach(file);
    list_remove(&file->node);
    free(file);
}

/* The process has died. Its handles stay until it is cleared away, but lead nowhere. */
void io_sim__disk_close_all(struct disk *disk)
{
    for (struct list *node = disk->files.next; node != &disk->files; node = node->next) {
        file_detach(CONTAINER_OF(node, struct io_file, node));
    }
}

/* ---- losing ---- */

enum names_loss { NAMES_LOSE, NAMES_KEEP, NAMES_PREFIX, NAMES_ANY, NAMES_LOSS_NR };

static void renames_lose(struct disk *disk, struct loss *loss)
{
    enum names_loss how = NAMES_KEEP;
    size_t prefix = 0;
    if (loss->rng != NULL) {
        how = (enum names_loss)rng_below(loss->rng, NAMES_LOSS_NR);
        prefix = (size_t)rng_below(loss->rng, disk->renames_count + 1);
    }
    for (size_t i = 0; i < disk->renames_count; i++) {
        bool is_kept = how == NAMES_KEEP || (how == NAMES_PREFIX && i < prefix) ||
                       (how == NAMES_ANY && rng_chance(loss->rng, 500000));
        if (is_kept) {
            rename_keep(disk, &disk->renames[i]);
        }
        rename_free(&disk->renames[i]);
    }
    disk->renames_count = 0;
}

static void image_copy(const struct image *from, struct image *to)
{
    io_sim__image_resize(to, from->len);
    if (from->len > 0) {
        memcpy(to->data, from->data, from->len);
    }
}

/* Power has failed and come back: the process sees what was durable, or is by the choice of
 * @loss. */
void io_sim__disk_lose(struct disk *disk, struct loss *loss)
{
    for (struct list *node = disk->inodes.next; node != &disk->inodes; node = node->next) {
        struct inode *inode = CONTAINER_OF(node, struct inode, node);
        io_sim__inode_lose(inode, loss);
        image_copy(&inode->durable, &inode->now);
    }
    renames_lose(disk, loss);
    for (size_t i = 0; i < disk->names_count; i++) {
        name_set_now(disk, disk->names[i].path, disk->names[i].durable);
    }
}

uint64_t io_sim__disk_free_bytes(const struct disk *disk)
{
    if (disk->room == 0) {
        return UINT64_MAX / 2;
    }
    uint64_t used = 0;
    for (struct list *node = disk->inodes.next; node != &disk->inodes; node = node->next) {
        const struct inode *inode = CONTAINER_OF(node, struct inode, node);
        used += inode->room_refs > 0 ? inode->now.len : 0;
    }
    return used < disk->room ? disk->room - used : 0;
}

/* ---- life ---- */

void io_sim__disk_init(struct disk *disk, uint64_t room)
{
    *disk = (struct disk){.room = room};
    list_init(&disk->inodes);
    list_init(&disk->files);
}

void io_sim__disk_fini(struct disk *disk)
{
    while (!list_is_empty(&disk->files)) {
        io_sim__disk_close(CONTAINER_OF(disk->files.next, struct io_file, node));
    }
    for (size_t i = 0; i < disk->renames_count; i++) {
        rename_free(&disk->renames[i]);
    }
    for (size_t i = 0; i < disk->names_count; i++) {
        io_sim__inode_unref(disk->names[i].now);
        io_sim__inode_unref(disk->names[i].durable);
        free(disk->names[i].path);
    }
    for (size_t i = 0; i < disk->folders_count; i++) {
        free(disk->folders[i]);
    }
    free(disk->renames);
    free(disk->names);
    free(disk->folders);
}

void io_sim__disk_copy(const struct disk *from, struct disk *to)
{
    ASSERT(list_is_empty(&to->files));
    uint64_t room = to->room;
    io_sim__disk_fini(to);
    io_sim__disk_init(to, room);
    for (size_t i = 0; i < from->folders_count; i++) {
        io_sim__disk_add_folder(to, from->folders[i]);
    }
    for (size_t i = 0; i < from->names_count; i++) {
        const struct name *name = &from->names[i];
        if (name->durable != NULL) {
            struct inode *inode = io_sim__inode_create(to);
            image_copy(&name->durable->durable, &inode->durable);
            image_copy(&name->durable->durable, &inode->now);
            name_set_now(to, name->path, inode);
            name_set_durable(to, name->path, inode);
        }
    }
}
