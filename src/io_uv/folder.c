/* io_uv/folder.c -- folders: making, syncing, listing, locking. Called from any thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "io_uv/io_uv_private.h"

enum { FOLDER_MODE = 0700, LOCK_MODE = 0600, NAMES_FIRST = 64 };

int io_uv__folder_sync(struct io *io, const char *path)
{
    (void)io;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return io_uv__error(errno);
    }
    int rc;
    do {
        rc = fsync(fd);
    } while (rc < 0 && errno == EINTR);
    int status = rc < 0 ? io_uv__error(errno) : OK;
    (void)close(fd);
    return status;
}

/* Make one folder whose parent is there, and sync the parent, so that a folder is as durable as
 * what is later synced inside it. */
static int folder_make_one(struct io *io, const char *path)
{
    if (mkdir(path, FOLDER_MODE) < 0) {
        if (errno != EEXIST) {
            return io_uv__error(errno);
        }
        struct stat info;
        if (stat(path, &info) < 0) {
            return io_uv__error(errno);
        }
        return S_ISDIR(info.st_mode) ? OK : ERR_EXISTS;
    }
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return io_uv__folder_sync(io, ".");
    }
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, path, len);
    parent[len] = '\0';
    return io_uv__folder_sync(io, parent);
}

int io_uv__folder_make(struct io *io, const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    if (len == 0 || len >= sizeof(part)) {
        return ERR_ARGUMENT;
    }
    memcpy(part, path, len);
    part[len] = '\0';
    struct stat info;
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/' || part[i - 1] == '/') {
            continue;
        }
        part[i] = '\0';
        /* Parents that are there need not be writable for us. */
        int rc = stat(part, &info) == 0 ? OK : folder_make_one(io, part);
        part[i] = '/';
        if (rc != OK) {
            return rc;
        }
    }
    return folder_make_one(io, part);
}

/* ---- listing ---- */

struct names {
    char **names;
    size_t count;
    size_t cap;
};

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->cap) {
        names->cap = names->cap == 0 ? NAMES_FIRST : names->cap * 2;
        names->names = realloc(names->names, names->cap * sizeof(*names->names));
        ASSERT(names->names != NULL);
    }
    char *copy = strdup(name);
    ASSERT(copy != NULL);
    names->names[names->count++] = copy;
}

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_plain_file(DIR *folder, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_REG;
    }
    struct stat info;
    return fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(info.st_mode);
}

static int names_read(struct names *names, const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return io_uv__error(errno);
    }
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (is_plain_file(folder, entry)) {
            names_add(names, entry->d_name);
        }
    }
    int status = errno == 0 ? OK : io_uv__error(errno);
    (void)closedir(folder);
    return status;
}

int io_uv__folder_list(struct io *io, const char *path,
                       int (*found)(void *context, const char *name), void *context)
{
    (void)io;
    struct names names = {0};
    int rc = names_read(&names, path);
    if (rc == OK && names.count > 0) {
        qsort(names.names, names.count, sizeof(*names.names), compare_names);
    }
    for (size_t i = 0; rc == OK && i < names.count; i++) {
        rc = found(context, names.names[i]);
    }
    names_fini(&names);
    return rc;
}

int io_uv__folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes)
{
    (void)io;
    struct statvfs info;
    if (statvfs(path, &info) < 0) {
        return io_uv__error(errno);
    }
    *ret_bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    return OK;
}

/* ---- the lock ---- */

/* The process id in the file is for people only; the lock is flock(), which ends with the
 * process. */
static int lock_sign(int fd)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    if (ftruncate(fd, 0) < 0) {
        return io_uv__error(errno);
    }
    ssize_t put = pwrite(fd, text, (size_t)len, 0);
    if (put == len) {
        return OK;
    }
    /* A full disk must not keep a node from starting: it still serves reads. */
    return put >= 0 || io_uv__error(errno) == ERR_DISK_FULL ? OK : io_uv__error(errno);
}

int io_uv__folder_lock(struct io *io, const char *folder, struct io_file **ret_lock)
{
    (void)io;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/LOCK", folder);
    if (len < 0 || (size_t)len >= sizeof(path)) {
        return ERR_ARGUMENT;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
    if (fd < 0) {
        return io_uv__error(errno);
    }
    int rc;
    do {
        rc = flock(fd, LOCK_EX | LOCK_NB);
    } while (rc < 0 && errno == EINTR);
    int status = rc < 0 ? io_uv__error(errno) : lock_sign(fd);
    if (status != OK) {
        (void)close(fd);
        return status;
    }
    *ret_lock = io_uv__file_of(fd);
    return OK;
}

void io_uv__folder_unlock(struct io *io, struct io_file *lock)
{
    /* The file stays: removing it would let two processes hold locks on two files of one name.
     */
    io_uv__file_close(io, lock);
}
