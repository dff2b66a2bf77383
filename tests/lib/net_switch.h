/* tests/lib/net_switch.h -- a network of the test's own: a namespace for every node, and a
 * switch between them that cuts, delays and loses what the test tells it to.
 *
 * Layer: tests
 *
 * Node n has the address 10.77.0.(n + 1) on a tunnel device in its namespace; the other end of
 * all tunnels is a process of the switch, which passes packets on. Everything is gone when the
 * test's process is, however it ends: namespaces have no names, and the switch dies with it.
 * It needs neither a bridge nor packet filters, only the right to make namespaces and
 * /dev/net/tun.
 */
#ifndef CARILLON_TESTS_NET_SWITCH_H
#define CARILLON_TESTS_NET_SWITCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SWITCH_NODES_MAX = 6 };

/* What becomes of packets in one direction. Written by the test while the switch reads. */
struct switch_link {
    bool is_cut;
    uint32_t delay_ms;
    uint32_t jitter_ms; /* up to so much more, at random: packets overtake one another */
    uint32_t loss_ppm;
    uint64_t passed;
    uint64_t dropped;
};

struct switch_links {
    struct switch_link from[SWITCH_NODES_MAX][SWITCH_NODES_MAX]; /* from[a][b]: a to b */
};

struct net_switch {
    uint32_t nodes;
    int own;                      /* the namespace the test began in */
    int spaces[SWITCH_NODES_MAX]; /* the nodes' */
    struct switch_links *links;   /* shared with the switch */
    pid_t pid;
};

/* Make the namespaces and start the switch. Returns: false when the kernel refuses; nothing is
 * open then. */
bool net_switch_open(struct net_switch *net, uint32_t nodes, uint64_t seed);
void net_switch_close(struct net_switch *net);

/* What this thread opens or starts from now on is in the namespace of @node; net_switch_leave()
 * goes back. */
void net_switch_enter(const struct net_switch *net, uint32_t node);
void net_switch_leave(const struct net_switch *net);

/* Cut or join both directions between the nodes of two sets of bits; heal everything. */
void net_switch_part(struct net_switch *net, uint32_t these, uint32_t those, bool is_cut);
void net_switch_heal(struct net_switch *net);

/* Every packet in every direction, from now on. */
void net_switch_slow(struct net_switch *net, uint32_t delay_ms, uint32_t jitter_ms,
                     uint32_t loss_ppm);

/* Packets dropped so far, for whatever reason: whether a fault took effect. */
uint64_t net_switch_dropped(const struct net_switch *net);

#endif
