/* io_uv/file.c -- files by descriptor: whole reads and writes, EINTR, fdatasync. Called from
 * any thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_uv/io_uv_private.h"

enum { FILE_MODE = 0600, CHUNK_BYTES_MAX = 1 << 30 };

struct io_file {
    int fd;
};

struct io_file *io_uv__file_of(int fd)
{
    struct io_file *file = io_uv__alloc(sizeof(*file));
    file->fd = fd;
    return file;
}

/* Whether only its owner can read it, and the owner is this user, or root. */
static bool is_private(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
           (info.st_mode & (S_IRWXG | S_IRWXO)) == 0 &&
           (info.st_uid == geteuid() || info.st_uid == 0);
}

int io_uv__file_open(struct io *io, const char *path, enum io_open how,
                     struct io_file **ret_file)
{
    static const int flags[] = {
        [IO_OPEN_READ] = O_RDONLY,
        [IO_OPEN_WRITE] = O_RDWR,
        [IO_OPEN_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [IO_OPEN_PRIVATE] = O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
    };
    (void)io;
    int fd;
    do {
        fd = open(path, flags[how] | O_CLOEXEC, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return how == IO_OPEN_PRIVATE && errno == ELOOP ? ERR_PERMISSION : io_uv__error(errno);
    }
    if (how == IO_OPEN_PRIVATE && !is_private(fd)) {
        (void)close(fd);
        return ERR_PERMISSION;
    }
    *ret_file = io_uv__file_of(fd);
    return OK;
}

void io_uv__file_close(struct io *io, struct io_file *file)
{
    (void)io;
    /* An error here says nothing that a sync would not have said, and the descriptor is gone
     * either way. */
    (void)close(file->fd);
    free(file);
}

static size_t chunk(size_t len)
{
    return len < CHUNK_BYTES_MAX ? len : CHUNK_BYTES_MAX;
}

int io_uv__file_read(struct io *io, struct io_file *file, uint64_t offset, void *data,
                     size_t len, size_t *ret_len)
{
    (void)io;
    size_t done = 0;
    while (done < len) {
        ssize_t got =
            pread(file->fd, (uint8_t *)data + done, chunk(len - done), (off_t)(offset + done));
        if (got == 0) {
            break;
        }
        if (got > 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            return io_uv__error(errno);
        }
    }
    *ret_len = done;
    return OK;
}

int io_uv__file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                      size_t len)
{
    (void)io;
    size_t done = 0;
    while (done < len) {
        ssize_t put = pwrite(file->fd, (const uint8_t *)data + done, chunk(len - done),
                             (off_t)(offset + done));
        if (put == 0) {
            return ERR_IO; /* POSIX gives this no meaning for a file; going on could last for
                              ever */
        }
        if (put > 0) {
            done += (size_t)put;
        } else if (errno != EINTR) {
            return io_uv__error(errno);
        }
    }
    return OK;
}

int io_uv__file_sync(struct io *io, struct io_file *file)
{
    (void)io;
    int rc;
    do {
        rc = fdatasync(file->fd);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? io_uv__error(errno) : OK;
}

int io_uv__file_size(struct io *io, struct io_file *file, uint64_t *ret_size)
{
    (void)io;
    struct stat info;
    if (fstat(file->fd, &info) < 0) {
        return io_uv__error(errno);
    }
    *ret_size = (uint64_t)info.st_size;
    return OK;
}

int io_uv__file_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    (void)io;
    int rc;
    do {
        rc = ftruncate(file->fd, (off_t)size);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? io_uv__error(errno) : OK;
}

int io_uv__file_rename(struct io *io, const char *from, const char *to)
{
    (void)io;
    return rename(from, to) < 0 ? io_uv__error(errno) : OK;
}

int io_uv__file_remove(struct io *io, const char *path)
{
    (void)io;
    return unlink(path) < 0 ? io_uv__error(errno) : OK;
}
