/* io_sim/folder.c -- the folder calls of a simulated process. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

int io_sim__folder_make(struct io *io, const char *path)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_FOLDER_MAKE);
    if (call.error != OK) {
        return call.error;
    }
    char *clean = io_sim__path_clean(path);
    struct name *name = io_sim__disk_find(&machine->disk, clean);
    int rc = name != NULL && name->now != NULL ? ERR_EXISTS : OK;
    if (rc == OK) {
        for (size_t i = 1; clean[i] != '\0'; i++) {
            if (clean[i] == '/') {
                clean[i] = '\0';
                io_sim__disk_add_folder(&machine->disk, clean);
                clean[i] = '/';
            }
        }
        io_sim__disk_add_folder(&machine->disk, clean);
    }
    free(clean);
    return io_sim__call_end(machine, &call, rc);
}

int io_sim__folder_sync(struct io *io, const char *path)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_FOLDER_SYNC);
    if (call.error != OK) {
        return call.error;
    }
    io_sim__sync_cost(machine);
    char *clean = io_sim__path_clean(path);
    int rc = io_sim__disk_has_folder(&machine->disk, clean) ? OK : ERR_GONE;
    if (rc == OK && !call.has_begun && !machine->sync_lies) {
        io_sim__disk_folder_sync(&machine->disk, clean);
    }
    free(clean);
    return io_sim__call_end(machine, &call, rc);
}

/* ---- listing ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the plain files of @folder, sorted, for the caller to free. */
static char **names_of(const struct disk *disk, const char *folder, size_t *ret_count)
{
    char **names = NULL;
    size_t count = 0;
    size_t cap = 0;
    for (size_t i = 0; i < disk->names_count; i++) {
        const struct name *name = &disk->names[i];
        if (name->now != NULL && io_sim__path_is_in(name->path, folder)) {
            const char *slash = strrchr(name->path, '/');
            names = io_sim__grow(names, sizeof(*names), count, &cap);
            names[count++] = io_sim__copy_text(slash == NULL ? name->path : slash + 1);
        }
    }
    if (count > 0) {
        qsort(names, count, sizeof(*names), compare_texts);
    }
    *ret_count = count;
    return names;
}

int io_sim__folder_list(struct io *io, const char *path,
                        int (*found)(void *context, const char *name), void *context)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_FOLDER_LIST);
    if (call.error != OK || call.has_begun) {
        return io_sim__call_end(machine, &call, call.error);
    }
    char *clean = io_sim__path_clean(path);
    int rc = io_sim__disk_has_folder(&machine->disk, clean) ? OK : ERR_GONE;
    size_t count = 0;
    char **names = rc == OK ? names_of(&machine->disk, clean, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        rc = rc == OK ? found(context, names[i]) : rc;
        free(names[i]);
    }
    free(names);
    free(clean);
    return rc;
}

int io_sim__folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_FREE_BYTES);
    if (call.error != OK || call.has_begun) {
        return io_sim__call_end(machine, &call, call.error);
    }
    char *clean = io_sim__path_clean(path);
    char *parent = io_sim__path_parent(path);
    bool is_there = io_sim__disk_has_folder(&machine->disk, clean) ||
                    io_sim__disk_has_folder(&machine->disk, parent);
    free(clean);
    free(parent);
    if (!is_there) {
        return ERR_GONE;
    }
    *ret_bytes = io_sim__disk_free_bytes(&machine->disk);
    return OK;
}

/* ---- the lock ---- */

static bool is_locked(const struct disk *disk, const char *folder)
{
    for (struct list *node = disk->files.next; node != &disk->files; node = node->next) {
        const struct io_file *file = CONTAINER_OF(node, struct io_file, node);
        if (file->locked != NULL && strcmp(file->locked, folder) == 0) {
            return true;
        }
    }
    return false;
}

/* The lock's file is there as in reality: listing the folder shows it. */
static struct inode *lock_inode(struct disk *disk, const char *folder)
{
    static const char file[] = "/LOCK";
    size_t len = strlen(folder);
    char *path = io_sim__alloc(len + sizeof(file));
    memcpy(path, folder, len);
    memcpy(path + len, file, sizeof(file));
    struct name *name = io_sim__disk_find(disk, path);
    struct inode *inode = name == NULL ? NULL : name->now;
    if (inode == NULL) {
        inode = io_sim__inode_create(disk);
        io_sim__disk_rename(disk, NULL, path, inode);
        io_sim__inode_write(inode, 0, "1\n", 2);
    }
    free(path);
    return inode;
}

int io_sim__folder_lock(struct io *io, const char *folder, struct io_file **ret_lock)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct call call = io_sim__call_begin(machine, IO_SIM_LOCK);
    if (call.error != OK || call.has_begun) {
        return io_sim__call_end(machine, &call, call.error);
    }
    char *clean = io_sim__path_clean(folder);
    int rc = OK;
    if (!io_sim__disk_has_folder(&machine->disk, clean)) {
        rc = ERR_GONE;
    } else if (is_locked(&machine->disk, clean)) {
        rc = ERR_LOCKED;
    }
    if (rc != OK) {
        free(clean);
        return rc;
    }
    struct inode *inode = lock_inode(&machine->disk, clean);
    *ret_lock = io_sim__disk_open(&machine->disk, inode, true);
    (*ret_lock)->locked = clean;
    return OK;
}

void io_sim__folder_unlock(struct io *io, struct io_file *lock)
{
    (void)io;
    io_sim__disk_close(lock);
}
