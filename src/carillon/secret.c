#include "carillon/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "identity/encoding.h"

void secret_draw(struct carillon_client *client, struct secret *ret_secret)
{
    carillon_random(client, ret_secret->token, sizeof ret_secret->token);
    identity_hash(slice_from(ret_secret->token, sizeof ret_secret->token), ret_secret->hash);
}

const char *secret_hex(struct cli *cli, struct slice bytes)
{
    char *text = arena_alloc(&cli->arena, 2 * bytes.len + 1);

    hex_encode(bytes, text);
    return text;
}

int secret_expiry(struct cli *cli, const char *text, uint64_t *ret_ms)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {
        {'m', 60   },
        {'h', 3600 },
        {'d', 86400}
    };
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);

    *ret_ms = 0;
    if (strcmp(text, "never") == 0) {
        return OK;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (end != text && end[0] == units[i].unit && end[1] == '\0' && count > 0 &&
            count <= 100000) {
            *ret_ms = ((uint64_t)time(NULL) + count * units[i].seconds) * 1000;
            return OK;
        }
    }
    fprintf(cli->err,
            "carillon: --expires %s: a span like 30m, 12h or 30d is expected, or never\n",
            text);
    return ERR_ARGUMENT;
}

/* Make the folders of @path, for its owner only. */
static int folders_make(const char *path)
{
    char part[512];
    size_t len = strlen(path);

    if (len >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i < len; i++) {
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0700) < 0 && errno != EEXIST) {
                return -1;
            }
        }
    }
    return 0;
}

static int file_write(const char *path, struct slice bytes)
{
    char temporary[520];

    (void)snprintf(temporary, sizeof temporary, "%.500s.tmp", path);
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return -1;
    }
    ssize_t written = write(fd, bytes.data, bytes.len);
    int synced = fsync(fd);

    if (close(fd) != 0 || written != (ssize_t)bytes.len || synced != 0) {
        (void)unlink(temporary);
        return -1;
    }
    return rename(temporary, path);
}

int secret_save(struct cli *cli, const char *path, const struct credential *credential)
{
    struct buf text;

    buf_init(&text, CREDENTIAL_FILE_BYTES_MAX);
    int rc = credential_encode(credential, &text);

    if (rc == OK && (folders_make(path) != 0 || file_write(path, buf_slice(&text)) != 0)) {
        fprintf(cli->err, "carillon: %s: %s\n", path, strerror(errno));
        rc = ERR_IO;
    }
    identity_buf_wipe(&text);
    return rc;
}
