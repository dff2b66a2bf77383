#include "base/slice.h"
#include "client/client_private.h"

enum { PORT_DEFAULT = 7440, PORT_MAX = 65535 };

/* "[v6]:port" and "[v6]" keep what is between the brackets; a bare v6 address has two colons or
 * more and no port. */
static bool split(struct slice text, struct slice *ret_host, struct slice *ret_port)
{
    struct slice rest;

    *ret_port = SLICE_NONE;
    if (text.len > 0 && text.data[0] == '[') {
        if (!slice_cut(slice_sub(text, 1, SIZE_MAX), ']', ret_host, &rest)) {
            return false;
        }
        if (rest.len == 0) {
            return true;
        }
        *ret_port = slice_sub(rest, 1, SIZE_MAX);
        return rest.data[0] == ':' && ret_port->len > 0;
    }
    if (!slice_cut(text, ':', ret_host, &rest)) {
        return true;
    }
    if (memchr(rest.data, ':', rest.len) != NULL) {
        *ret_host = text;
        return true;
    }
    *ret_port = rest;
    return rest.len > 0;
}

int client__address_parse(struct slice text, char ret_host[CLIENT_ADDRESS_BYTES_MAX + 1],
                          uint16_t *ret_port)
{
    struct slice host, digits;
    uint64_t port = PORT_DEFAULT;

    if (!split(text, &host, &digits)) {
        return ERR_ADDRESS;
    }
    if (digits.len > 0 && slice_parse_u64(digits, PORT_MAX, &port) != OK) {
        return ERR_ADDRESS;
    }
    if (slice_is_equal(host, SLICE_LITERAL("localhost")) || host.len == 0) {
        host = SLICE_LITERAL("127.0.0.1");
    }
    if (port == 0 || host.len > CLIENT_ADDRESS_BYTES_MAX) {
        return ERR_ADDRESS;
    }
    memcpy(ret_host, host.data, host.len);
    ret_host[host.len] = '\0';
    *ret_port = (uint16_t)port;
    return OK;
}

bool client__address_is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Names are not looked up; what exactly a numeric address is, the world says. */
bool client__address_is_numeric(const char *address)
{
    return address[strspn(address, "0123456789abcdefABCDEF.:")] == '\0';
}
