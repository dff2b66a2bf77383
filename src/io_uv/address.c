/* io_uv/address.c -- numeric IPv4 and IPv6 addresses; names are never looked up. */
#include <errno.h>
#include <netinet/in.h>

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

bool io_uv__address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *ip4 = (const struct sockaddr_in *)address;
        return ntohl(ip4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *ip6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(ip6) ||
               (IN6_IS_ADDR_V4MAPPED(ip6) && ip6->s6_addr[12] == IN_LOOPBACKNET);
    }
    return false;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    memcpy(&four, address, sizeof(four));
    memcpy(&six, address, sizeof(six));
    return ntohs(six.sin6_family == AF_INET6 ? six.sin6_port : four.sin_port);
}

int io_uv__address_port(int fd, uint16_t *ret_port)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        return io_uv__error(errno);
    }
    *ret_port = port_of(&at);
    return OK;
}

bool io_uv__address_format(const struct sockaddr_storage *address, char *text, size_t text_len,
                           uint16_t *ret_port)
{
    *ret_port = port_of(address);
    if (address->ss_family == AF_INET) {
        return uv_ip4_name((const struct sockaddr_in *)address, text, text_len) == 0;
    }
    return address->ss_family == AF_INET6 &&
           uv_ip6_name((const struct sockaddr_in6 *)address, text, text_len) == 0;
}
