/* Files of DATA/keys. */
#include <stdio.h>

#include "identity/keyring.h"

enum { PATH_BYTES = KEYRING_PATH_BYTES + 32 };

static int path_join(char out[PATH_BYTES], const char *folder, const char *name,
                     const char *suffix)
{
    int len = snprintf(out, PATH_BYTES, "%s/%s%s", folder, name, suffix);

    return len < PATH_BYTES ? OK : ERR_TOO_LARGE;
}

int keyring__read(struct io *io, const char *folder, const char *name, struct buf *out)
{
    char path[PATH_BYTES];
    struct io_file *file = NULL;
    size_t len = 0;
    int rc = path_join(path, folder, name, "");

    rc = rc == OK ? buf_reserve(out, out->max - out->len) : rc;
    rc = rc == OK ? io_file_open(io, path, IO_OPEN_PRIVATE, &file) : rc;
    if (rc != OK) {
        return rc;
    }
    rc = io_file_read(io, file, 0, out->data + out->len, out->max - out->len, &len);
    io_file_close(io, file);
    if (rc == OK && len == out->max - out->len) {
        return ERR_TOO_LARGE; /* or just fits, which no file of ours does */
    }
    out->len += rc == OK ? len : 0;
    return rc;
}

static int write_temporary(struct io *io, const char *path, struct slice bytes)
{
    struct io_file *file = NULL;
    int rc = io_file_remove(io, path);

    if (rc != OK && rc != ERR_GONE) {
        return rc;
    }
    rc = io_file_open(io, path, IO_OPEN_CREATE, &file);
    if (rc != OK) {
        return rc;
    }
    rc = io_file_write(io, file, 0, bytes.data, bytes.len);
    rc = rc == OK ? io_file_sync(io, file) : rc;
    io_file_close(io, file);
    return rc;
}

int keyring__write(struct io *io, const char *folder, const char *name, struct slice bytes)
{
    char path[PATH_BYTES];
    char temporary[PATH_BYTES];
    int rc = path_join(path, folder, name, "");

    rc = rc == OK ? path_join(temporary, folder, name, ".tmp") : rc;
    rc = rc == OK ? write_temporary(io, temporary, bytes) : rc;
    rc = rc == OK ? io_file_rename(io, temporary, path) : rc;
    return rc == OK ? io_folder_sync(io, folder) : rc;
}
