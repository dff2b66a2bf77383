/* io_uv/address.c -- numeric IPv4 and IPv6 addresses; names are never looked up. */
#include "io_uv/io_uv_private.h"

int io_uv__address_parse(const char *text, uint16_t port, struct sockaddr_storage *ret_address,
                         socklen_t *ret_len)
{
    struct sockaddr_in ip4;
    if (uv_ip4_addr(text, port, &ip4) == 0) {
        memset(ret_address, 0, sizeof(*ret_address));
        memcpy(ret_address, &ip4, sizeof(ip4));
        *ret_len = sizeof(ip4);
        return OK;
    }
    struct sockaddr_in6 ip6;
    if (uv_ip6_addr(text, port, &ip6) == 0) {
        memset(ret_address, 0, sizeof(*ret_address));
        memcpy(ret_address, &ip6, sizeof(ip6));
        *ret_len = sizeof(ip6);
        return OK;
    }
    return ERR_ADDRESS;
}
