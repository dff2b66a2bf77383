/* io_uv/error.c -- translates the system's error codes; they do not leave this room. */
#include <errno.h>

#include "io_uv/io_uv_private.h"

int io_uv__error(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ERR_GONE;
    case EEXIST:
    case EADDRINUSE:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit on the file's size: no room for this file */
        return ERR_DISK_FULL;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return ERR_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ERR_ADDRESS;
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return ERR_REFUSED_CONNECT;
    case EWOULDBLOCK:
        return ERR_LOCKED;
    default:
        return ERR_IO;
    }
}
