#include "tests/lib/net_switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"

enum {
    PACKET_BYTES = 2048,
    WAITING_MAX = 4096, /* packets that are delayed; beyond it they are lost */
    TURN_PACKETS = 64,
    IPV4_BYTES = 20,
    IPV4_TO = 16, /* where the header has the receiver's address */
};

/* ---- namespaces ---- */

static int interface_up(const char *name, const char *address)
{
    struct ifreq request = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : 0;

    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (rc == 0 && address != NULL) {
        (void)inet_pton(AF_INET, address, &in.sin_addr);
        memcpy(&request.ifr_addr, &in, sizeof in);
        rc = ioctl(fd, SIOCSIFADDR, &request);
        (void)inet_pton(AF_INET, "255.255.255.0", &in.sin_addr);
        memcpy(&request.ifr_netmask, &in, sizeof in);
        rc = rc == 0 ? ioctl(fd, SIOCSIFNETMASK, &request) : rc;
    }
    if (rc == 0) {
        request.ifr_flags = IFF_UP | IFF_RUNNING;
        rc = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* The tunnel belongs to the namespace that this thread is in, and its other end to who holds
 * the descriptor. */
static int tunnel_open(uint32_t node)
{
    char address[32];
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "node"};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    (void)snprintf(address, sizeof address, "10.77.0.%u", node + 1);
    if (fd >= 0 && (ioctl(fd, TUNSETIFF, &request) != 0 || interface_up("lo", NULL) != 0 ||
                    interface_up("node", address) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void move_to(int space)
{
    if (setns(space, CLONE_NEWNET) != 0) {
        perror("setns");
        abort();
    }
}

/* Who may not leave the namespace @own may not come back to it either. */
static int space_open(int own, uint32_t node, int *ret_tunnel)
{
    if (unshare(CLONE_NEWNET) != 0) {
        return -1;
    }
    *ret_tunnel = tunnel_open(node);
    int space = *ret_tunnel < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    move_to(own);
    return space;
}

void net_switch_enter(const struct net_switch *net, uint32_t node)
{
    move_to(net->spaces[node]);
}

void net_switch_leave(const struct net_switch *net)
{
    move_to(net->own);
}

/* ---- the switch's process ---- */

struct waiting {
    uint64_t due_ms;
    uint32_t to;
    uint32_t len;
    uint8_t bytes[PACKET_BYTES];
};

struct switching {
    struct switch_links *links;
    struct rng rng;
    uint32_t nodes;
    int tunnels[SWITCH_NODES_MAX];
    struct waiting *waiting; /* unordered: few are due at a time */
    uint32_t waiting_count;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pass(struct switching *on, uint32_t from, const uint8_t *bytes, uint32_t len)
{
    uint32_t to = len < IPV4_BYTES || bytes[0] >> 4 != 4 ? 0 : bytes[IPV4_TO + 3];

    if (to < 1 || to > on->nodes || to - 1 == from) {
        return; /* not of this network */
    }
    struct switch_link *link = &on->links->from[from][to - 1];
    uint64_t delay = link->delay_ms;

    delay += link->jitter_ms > 0 ? rng_below(&on->rng, link->jitter_ms) : 0;
    if (link->is_cut || rng_chance(&on->rng, link->loss_ppm) ||
        (delay > 0 && on->waiting_count == WAITING_MAX)) {
        link->dropped++;
        return;
    }
    link->passed++;
    if (delay == 0) {
        (void)!write(on->tunnels[to - 1], bytes, len);
        return;
    }
    struct waiting *waiting = &on->waiting[on->waiting_count++];
    waiting->due_ms = now_ms() + delay;
    waiting->to = to - 1;
    waiting->len = len;
    memcpy(waiting->bytes, bytes, len);
}

/* The earliest first, so that only jitter lets packets overtake one another. Returns: how long
 * until the next is due. */
static int pass_due(struct switching *on)
{
    for (;;) {
        uint32_t first = 0;

        for (uint32_t i = 1; i < on->waiting_count; i++) {
            first = on->waiting[i].due_ms < on->waiting[first].due_ms ? i : first;
        }
        uint64_t now = now_ms();
        if (on->waiting_count == 0) {
            return -1;
        }
        struct waiting *waiting = &on->waiting[first];
        if (waiting->due_ms > now) {
            return (int)(waiting->due_ms - now);
        }
        (void)!write(on->tunnels[waiting->to], waiting->bytes, waiting->len);
        memmove(waiting, waiting + 1, (on->waiting_count - first - 1) * sizeof *waiting);
        on->waiting_count--;
    }
}

static _Noreturn void serve(struct switching *on)
{
    struct pollfd polls[SWITCH_NODES_MAX];
    uint8_t bytes[PACKET_BYTES];

    on->waiting = calloc(WAITING_MAX, sizeof *on->waiting);
    if (on->waiting == NULL) {
        _exit(1);
    }
    for (;;) {
        int wait_ms = pass_due(on);

        for (uint32_t i = 0; i < on->nodes; i++) {
            polls[i] = (struct pollfd){.fd = on->tunnels[i], .events = POLLIN};
        }
        (void)poll(polls, on->nodes, wait_ms);
        for (uint32_t i = 0; i < on->nodes; i++) {
            for (int k = 0; k < TURN_PACKETS && polls[i].revents != 0; k++) {
                ssize_t len = read(on->tunnels[i], bytes, sizeof bytes);

                if (len <= 0) {
                    break;
                }
                pass(on, i, bytes, (uint32_t)len);
            }
        }
    }
}

/* ---- from the test's side ---- */

static void tunnels_close(const struct switching *on)
{
    for (uint32_t i = 0; i < on->nodes; i++) {
        (void)close(on->tunnels[i]);
    }
}

bool net_switch_open(struct net_switch *net, uint32_t nodes, uint64_t seed)
{
    struct switching on = {0};

    *net = (struct net_switch){.own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)};
    net->links = mmap(NULL, sizeof *net->links, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool is_open = net->own >= 0 && net->links != MAP_FAILED;
    while (is_open && net->nodes < nodes) {
        net->spaces[net->nodes] = space_open(net->own, net->nodes, &on.tunnels[net->nodes]);
        is_open = net->spaces[net->nodes] >= 0;
        net->nodes += is_open;
    }
    on.nodes = net->nodes;
    if (is_open) {
        on.links = net->links;
        rng_init(&on.rng, seed);
        net->pid = fork();
        if (net->pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve(&on);
        }
    }
    tunnels_close(&on);
    if (!is_open) {
        net_switch_close(net);
    }
    return is_open;
}

void net_switch_close(struct net_switch *net)
{
    if (net->pid > 0) {
        (void)kill(net->pid, SIGKILL);
        (void)waitpid(net->pid, NULL, 0);
    }
    for (uint32_t i = 0; i < net->nodes; i++) {
        (void)close(net->spaces[i]);
    }
    if (net->links != NULL && net->links != MAP_FAILED) {
        (void)munmap(net->links, sizeof *net->links);
    }
    if (net->own > 0) {
        (void)close(net->own);
    }
    *net = (struct net_switch){0};
}

void net_switch_part(struct net_switch *net, uint32_t these, uint32_t those, bool is_cut)
{
    for (uint32_t a = 0; a < net->nodes; a++) {
        for (uint32_t b = 0; b < net->nodes; b++) {
            if ((these >> a & 1) != 0 && (those >> b & 1) != 0) {
                net->links->from[a][b].is_cut = is_cut;
                net->links->from[b][a].is_cut = is_cut;
            }
        }
    }
}

void net_switch_heal(struct net_switch *net)
{
    net_switch_part(net, UINT32_MAX, UINT32_MAX, false);
    net_switch_slow(net, 0, 0, 0);
}

void net_switch_slow(struct net_switch *net, uint32_t delay_ms, uint32_t jitter_ms,
                     uint32_t loss_ppm)
{
    for (uint32_t a = 0; a < net->nodes; a++) {
        for (uint32_t b = 0; b < net->nodes; b++) {
            struct switch_link *link = &net->links->from[a][b];

            link->delay_ms = delay_ms;
            link->jitter_ms = jitter_ms;
            link->loss_ppm = loss_ppm;
        }
    }
}

uint64_t net_switch_dropped(const struct net_switch *net)
{
    uint64_t dropped = 0;

    for (uint32_t a = 0; a < net->nodes; a++) {
        for (uint32_t b = 0; b < net->nodes; b++) {
            dropped += net->links->from[a][b].dropped;
        }
    }
    return dropped;
}
