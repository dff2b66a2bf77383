#include "tests/lib/cluster_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

enum {
    PORT = 7440,
    FLAGS_MAX = 20,
    PATH_BYTES = DAEMON_PATH_BYTES + 32,
    COMMAND_BYTES = 1024,
    STEP_MS = 20,
    REST_STEP_MS = 200,
    REST_MS = 600,
    REST_SHARDS_MS = 2600, /* leaders move one after another */
    GATHER_MS = 60000,
};

static const char program[] = BINARY_FOLDER "/bin/carillond";

/* ---- places ---- */

void cluster_enter(const struct cluster_bed *bed, uint32_t node)
{
    if (bed->options.is_networked) {
        net_switch_enter(&bed->net, node);
    }
}

void cluster_leave(const struct cluster_bed *bed)
{
    if (bed->options.is_networked) {
        net_switch_leave(&bed->net);
    }
}

void cluster_data(const struct cluster_bed *bed, uint32_t node, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/data", bed->nodes[node].folder);
}

/* A port that is free now: the others have to find this node, after a restart as well. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* Every node has a port of its own also where it has an address of its own: the local
 * credential is kept under it. */
static void choose_addresses(struct cluster_bed *bed, uint32_t node)
{
    if (bed->options.is_networked) {
        (void)snprintf(bed->listen[node], CLUSTER_ADDRESS_BYTES, "0.0.0.0:%u", PORT + node);
        (void)snprintf(bed->advertise[node], CLUSTER_ADDRESS_BYTES, "10.77.0.%u:%u", node + 1,
                       PORT + node);
        return;
    }
    (void)snprintf(bed->listen[node], CLUSTER_ADDRESS_BYTES, "127.0.0.1:%u", free_port());
    memcpy(bed->advertise[node], bed->listen[node], CLUSTER_ADDRESS_BYTES);
}

static struct fault_control *control_map(const struct cluster_bed *bed, uint32_t node)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof path, "%s/control", bed->nodes[node].folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(struct fault_control)), 0);
    void *map =
        mmap(NULL, sizeof(struct fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    (void)close(fd);
    return map;
}

static bool disk_mount(struct cluster_bed *bed, uint32_t node)
{
    char data[PATH_BYTES];
    char size[32];

    if (bed->options.disk_mib == 0) {
        return true;
    }
    cluster_data(bed, node, data, sizeof data);
    (void)snprintf(size, sizeof size, "size=%um", bed->options.disk_mib);
    assert_int_equal(mkdir(data, 0700), 0);
    bed->is_mounted[node] = mount("tmpfs", data, "tmpfs", 0, size) == 0;
    return bed->is_mounted[node];
}

/* ---- one node ---- */

/* The daemon inherits where it is from this process, and what is preloaded. */
static bool start_with(struct cluster_bed *bed, uint32_t node, const char *invite)
{
    char advertise[CLUSTER_ADDRESS_BYTES + 16];
    char segments[64];
    char snapshots[64];
    char control[PATH_BYTES];
    char shards[16];
    char name[CLUSTER_NAME_BYTES + 8];
    const char *flags[FLAGS_MAX] = {"--listen", bed->listen[node], "--set",
                                    advertise,  "--set",           name};
    uint32_t count = 6;

    (void)snprintf(name, sizeof name, "name=%s", bed->names[node]);
    (void)snprintf(advertise, sizeof advertise, "advertise=%s", bed->advertise[node]);
    if (bed->options.segments != NULL) {
        (void)snprintf(segments, sizeof segments, "log_segment_bytes=%s",
                       bed->options.segments);
        (void)snprintf(snapshots, sizeof snapshots, "snapshot_log_bytes=%s",
                       bed->options.snapshots);
        flags[count++] = "--set";
        flags[count++] = segments;
        flags[count++] = "--set";
        flags[count++] = snapshots;
    }
    if (bed->options.shards > 1 && !bed->is_founded) {
        (void)snprintf(shards, sizeof shards, "%u", bed->options.shards);
        flags[count++] = "--shards";
        flags[count++] = shards;
    }
    if (bed->options.may_refill) {
        flags[count++] = "--refill";
    }
    if (invite != NULL) {
        flags[count++] = "--join";
        flags[count++] = invite;
    }
    if (bed->options.is_controlled) {
        (void)snprintf(control, sizeof control, "%s/control", bed->nodes[node].folder);
        assert_int_equal(setenv("LD_PRELOAD", FAULT_SHIM, 1), 0);
        assert_int_equal(setenv(FAULT_CONTROL_VARIABLE, control, 1), 0);
        /* a sanitizer wants to come first, and does not mind what the shim does */
        assert_int_equal(setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0), 0);
    }
    cluster_enter(bed, node);
    bool is_up = daemon_start(&bed->nodes[node], program, flags);
    cluster_leave(bed);
    (void)unsetenv("LD_PRELOAD");
    (void)unsetenv(FAULT_CONTROL_VARIABLE);
    return is_up;
}

bool cluster_try_start(struct cluster_bed *bed, uint32_t node)
{
    return start_with(bed, node, NULL);
}

void cluster_start(struct cluster_bed *bed, uint32_t node)
{
    if (!cluster_try_start(bed, node)) {
        cluster_print(bed);
        fail_msg("node %u does not start", node + 1);
    }
}

void cluster_kill(struct cluster_bed *bed, uint32_t node)
{
    assert_true(WIFSIGNALED(daemon_signal(&bed->nodes[node], SIGKILL)));
}

void cluster_signal(const struct cluster_bed *bed, uint32_t node, int signal)
{
    assert_int_equal(kill(bed->nodes[node].pid, signal), 0);
}

/* ---- what the nodes say ---- */

uint32_t cluster_said(const struct cluster_bed *bed, uint32_t node, const char *text)
{
    char *log = daemon_log(&bed->nodes[node]);
    uint32_t count = 0;

    for (const char *at = log; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    free(log);
    return count;
}

void cluster_await(const struct cluster_bed *bed, uint32_t node, const char *text,
                   uint32_t before, uint32_t ms)
{
    for (uint32_t waited = 0; cluster_said(bed, node, text) <= before; waited += STEP_MS) {
        if (waited > ms) {
            cluster_print(bed);
            fail_msg("node %u does not say \"%s\"", node + 1, text);
        }
        (void)usleep(STEP_MS * 1000);
    }
}

/* The newest term in which @node began to lead the group, or 0. */
static unsigned long led_term(const struct cluster_bed *bed, uint32_t node, uint32_t group)
{
    char words[48];
    char *log = daemon_log(&bed->nodes[node]);
    unsigned long newest = 0;

    (void)snprintf(words, sizeof words, "leading group=%u term=", group);
    for (const char *at = log; (at = strstr(at, words)) != NULL; at++) {
        newest = strtoul(at + strlen(words), NULL, 10);
    }
    free(log);
    return newest;
}

uint32_t cluster_leader_of(const struct cluster_bed *bed, uint32_t group)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < bed->count; i++) {
        if (led_term(bed, i, group) > led_term(bed, best, group)) {
            best = i;
        }
    }
    return best;
}

uint32_t cluster_leader(const struct cluster_bed *bed)
{
    return cluster_leader_of(bed, 1);
}

uint32_t cluster_await_leader(const struct cluster_bed *bed, uint32_t but, uint32_t ms)
{
    return cluster_await_leader_of(bed, 1, but, ms);
}

uint32_t cluster_await_leader_of(const struct cluster_bed *bed, uint32_t group, uint32_t but,
                                 uint32_t ms)
{
    for (uint32_t waited = 0;; waited += STEP_MS) {
        uint32_t leader = cluster_leader_of(bed, group);

        if ((but >> leader & 1) == 0) {
            return leader;
        }
        if (waited > ms) {
            cluster_print(bed);
            fail_msg("nobody else leads group %u after %u ms", group, ms);
        }
        (void)usleep(STEP_MS * 1000);
    }
}

void cluster_print(const struct cluster_bed *bed)
{
    for (uint32_t i = 0; i < bed->count; i++) {
        char *log = daemon_log(&bed->nodes[i]);

        (void)fprintf(stderr, "node %u, %s:\n%s\n", i + 1, bed->advertise[i], log);
        free(log);
    }
}

/* ---- the cluster ---- */

int cluster_run(const struct cluster_bed *bed, uint32_t asked, const char *words,
                char out[CLUSTER_WORDS_BYTES])
{
    char command[COMMAND_BYTES];
    char unread[CLUSTER_WORDS_BYTES];
    char *to = out != NULL ? out : unread;

    (void)snprintf(command, sizeof command, BINARY_FOLDER "/bin/carillon %s --connect %s%s",
                   words, bed->nodes[asked].address, out != NULL ? "" : " 2>&1");
    cluster_enter(bed, asked);
    FILE *pipe = popen(command, "r");
    cluster_leave(bed);
    assert_non_null(pipe);
    to[fread(to, 1, CLUSTER_WORDS_BYTES - 1, pipe)] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void cluster_operate(const struct cluster_bed *bed, uint32_t asked, const char *words,
                     char out[CLUSTER_WORDS_BYTES])
{
    bool was_unknown = false;

    for (uint32_t waited = 0;; waited += STEP_MS) {
        int code = cluster_run(bed, asked, words, out);

        if (code == EXIT_DONE || (code == EXIT_FAILED && was_unknown)) {
            return; /* or it had happened */
        }
        was_unknown = was_unknown || code == EXIT_UNKNOWN;
        if (waited > GATHER_MS || (code != EXIT_UNAVAILABLE && code != EXIT_UNKNOWN)) {
            cluster_print(bed);
            fail_msg("node %u answers %d to \"%s\"", asked + 1, code, words);
        }
        (void)usleep(STEP_MS * 1000);
    }
}

void cluster_invite(const struct cluster_bed *bed, uint32_t by, char out[CLUSTER_INVITE_BYTES])
{
    char words[COMMAND_BYTES];
    char said[CLUSTER_WORDS_BYTES];

    (void)snprintf(words, sizeof words, "node invite --address %s", bed->advertise[by]);
    cluster_operate(bed, by, words, said);
    char *invite = strstr(said, "carillon-invite:");
    assert_non_null(invite);
    invite[strcspn(invite, " \n")] = '\0';
    (void)snprintf(out, CLUSTER_INVITE_BYTES, "%s", invite);
}

static void join(struct cluster_bed *bed, uint32_t node, const char *invite)
{
    if (!start_with(bed, node, invite)) {
        cluster_print(bed);
        fail_msg("node %u does not join", node + 1);
    }
}

static uint32_t shards_of(const struct cluster_bed *bed)
{
    return bed->options.shards > 1 ? bed->options.shards : 1;
}

static uint32_t one_that_runs(const struct cluster_bed *bed)
{
    uint32_t node = 0;

    while (node < bed->count && bed->nodes[node].pid == 0) {
        node++;
    }
    assert_true(node < bed->count);
    return node;
}

/* The set of those whose names stand in @names, with gaps between them. */
static uint32_t named_in(const struct cluster_bed *bed, char *names, uint32_t *strangers)
{
    uint32_t set = 0;

    for (char *name; (name = strsep(&names, " ")) != NULL;) {
        uint32_t node = 0;

        while (node < bed->count && strcmp(name, bed->names[node]) != 0) {
            node++;
        }
        set |= node < bed->count ? 1U << node : 0;
        *strangers += node == bed->count && name[0] != '\0';
    }
    return set;
}

bool cluster_groups(const struct cluster_bed *bed, uint32_t asked,
                    struct cluster_group ret_groups[CLUSTER_SHARDS_MAX + 1])
{
    char out[CLUSTER_WORDS_BYTES];
    char *rows = out;
    uint32_t count = 0;

    if (cluster_run(bed, asked, "shards", out) != 0) {
        return false;
    }
    for (char *row; (row = strsep(&rows, "\n")) != NULL && row[0] != '\0'; count++) {
        const char *head = strsep(&row, "\t");
        uint32_t number = (uint32_t)strtoul(head + strcspn(head, "0123456789"), NULL, 10);
        uint32_t nobody = 0;

        assert_true(number <= shards_of(bed) && (number > 0 || strcmp(head, "cluster") == 0));
        struct cluster_group *group = &ret_groups[number];
        *group = (struct cluster_group){0};
        group->leader = named_in(bed, strsep(&row, "\t"), &nobody);
        group->voters = named_in(bed, strsep(&row, "\t"), &group->strangers);
        group->learners = named_in(bed, strsep(&row, "\t"), &group->strangers);
        group->is_moving = strsep(&row, "\t")[0] != '\0';
    }
    return count ==
           shards_of(bed) + 1; /* of one that it does not belong to a node says nothing */
}

uint32_t cluster_voters(const struct cluster_bed *bed, uint32_t group, bool *ret_is_moving)
{
    struct cluster_group groups[CLUSTER_SHARDS_MAX + 1];

    assert_true(cluster_groups(bed, one_that_runs(bed), groups));
    if (ret_is_moving != NULL) {
        *ret_is_moving = groups[group].is_moving;
    }
    return groups[group].voters;
}

uint32_t cluster_voters_made(const struct cluster_bed *bed, uint32_t group)
{
    char words[64];
    uint32_t made = 0;

    (void)snprintf(words, sizeof words, "group-changes group=%u ", group);
    for (uint32_t i = 0; i < bed->count; i++) {
        char *log = daemon_log(&bed->nodes[i]);

        for (const char *at = log; (at = strstr(at, words)) != NULL; at++) {
            made += strncmp(strstr(at, "change="), "change=2", 8) == 0;
        }
        free(log);
    }
    return made;
}

/* Whether as many vote in every group as should: three, in the cluster's own five of five or
 * more. The first did from the beginning, and may have given its vote to another. */
static bool is_gathered(const struct cluster_bed *bed)
{
    for (uint32_t group = 0; group <= shards_of(bed); group++) {
        uint32_t voters = group == 0 && bed->count >= 5 ? 5 : 3;

        if (cluster_voters_made(bed, group) + 1 < (bed->count < voters ? 1 : voters)) {
            return false;
        }
    }
    return true;
}

/* Of more nodes than there are votes: until these, and those who lead several shards, have
 * found their places, and nothing more is said in the groups. */
static void come_to_rest(const struct cluster_bed *bed)
{
    uint32_t rest_ms = bed->options.shards > 1 ? REST_SHARDS_MS : REST_MS;
    uint32_t rested = 0;
    char before[CLUSTER_WORDS_BYTES] = "";
    char now[CLUSTER_WORDS_BYTES];

    for (uint32_t waited = 0; rested < rest_ms; waited += REST_STEP_MS) {
        if (waited > GATHER_MS) {
            cluster_print(bed);
            fail_msg("the groups do not come to rest");
        }
        (void)usleep(REST_STEP_MS * 1000);
        assert_int_equal(cluster_run(bed, one_that_runs(bed), "shards", now), 0);
        rested = strcmp(now, before) == 0 ? rested + REST_STEP_MS : 0;
        memcpy(before, now, sizeof before);
    }
}

static void gather(struct cluster_bed *bed)
{
    char invite[CLUSTER_INVITE_BYTES];

    for (uint32_t i = 1; i < bed->count; i++) {
        cluster_invite(bed, 0, invite);
        join(bed, i, invite);
    }
    for (uint32_t waited = 0; !is_gathered(bed); waited += STEP_MS) {
        if (waited > GATHER_MS) {
            cluster_print(bed);
            fail_msg("the nodes do not become voters");
        }
        (void)usleep(STEP_MS * 1000);
    }
    if (bed->count > 3) {
        come_to_rest(bed);
    }
}

void cluster_remove(const struct cluster_bed *bed, uint32_t by, const char *name)
{
    char words[COMMAND_BYTES];

    (void)snprintf(words, sizeof words, "node remove %s", name);
    cluster_operate(bed, by, words, NULL);
}

int cluster_await_end(struct cluster_bed *bed, uint32_t node, uint32_t ms)
{
    int status = 0;

    for (uint32_t waited = 0; waitpid(bed->nodes[node].pid, &status, WNOHANG) == 0;
         waited += STEP_MS) {
        if (waited > ms) {
            cluster_print(bed);
            fail_msg("node %u does not end", node + 1);
        }
        (void)usleep(STEP_MS * 1000);
    }
    bed->nodes[node].pid = 0;
    return status;
}

void cluster_hand_root_key(const struct cluster_bed *bed, uint32_t from, uint32_t to)
{
    char own[PATH_BYTES];
    char other[PATH_BYTES];

    (void)snprintf(own, sizeof own, "%s/data/keys/root.key", bed->nodes[from].folder);
    (void)snprintf(other, sizeof other, "%s/data/keys/root.key", bed->nodes[to].folder);
    if (access(own, F_OK) == 0) {
        assert_int_equal(rename(own, other), 0);
    }
}

uint32_t cluster_replace(struct cluster_bed *bed, uint32_t node, uint32_t by,
                         const char *invite)
{
    char old[CLUSTER_ADDRESS_BYTES];

    assert_true(bed->nodes[node].pid == 0 && !bed->options.is_controlled);
    memcpy(old, bed->advertise[node], sizeof old);
    cluster_hand_root_key(bed, node, by);
    daemon_fini(&bed->nodes[node]);
    daemon_init(&bed->nodes[node]);
    choose_addresses(bed, node);
    uint32_t made = cluster_voters_made(bed, 0) + cluster_voters_made(bed, 1);

    join(bed, node, invite);
    cluster_remove(bed, by, old);
    return made;
}

/* The machine is for another node than before. */
static void take_machine(struct cluster_bed *bed, uint32_t node)
{
    daemon_init(&bed->nodes[node]);
    (void)snprintf(bed->names[node], CLUSTER_NAME_BYTES, "node%u", bed->named++);
}

void cluster_join(struct cluster_bed *bed, uint32_t node, uint32_t by)
{
    char invite[CLUSTER_INVITE_BYTES];

    assert_true(!bed->options.is_controlled && bed->options.disk_mib == 0);
    cluster_invite(bed, by, invite);
    if (node == bed->count) {
        assert_true(bed->count < CLUSTER_NODES_MAX);
        bed->count++;
        choose_addresses(bed, node);
    } else {
        assert_true(node < bed->count && bed->nodes[node].pid == 0);
        daemon_fini(&bed->nodes[node]);
    }
    take_machine(bed, node);
    join(bed, node, invite);
}

bool cluster_open(struct cluster_bed *bed, const struct cluster_options *options)
{
    uint32_t machines = options->machines > options->nodes ? options->machines : options->nodes;

    *bed = (struct cluster_bed){.options = *options};
    assert_true(machines <= CLUSTER_NODES_MAX && options->shards <= CLUSTER_SHARDS_MAX);
    if (options->is_networked && !net_switch_open(&bed->net, machines, options->seed)) {
        print_message("no right to make network namespaces\n");
        return false;
    }
    while (bed->count < options->nodes) {
        take_machine(bed, bed->count);
        choose_addresses(bed, bed->count);
        if (!disk_mount(bed, bed->count++)) {
            print_message("no right to mount a file system\n");
            cluster_close(bed);
            return false;
        }
        if (options->is_controlled) {
            bed->controls[bed->count - 1] = control_map(bed, bed->count - 1);
        }
    }
    cluster_start(bed, 0);
    bed->is_founded = true;
    gather(bed);
    return true;
}

void cluster_close(struct cluster_bed *bed)
{
    char data[PATH_BYTES];

    for (uint32_t i = 0; i < bed->count; i++) {
        if (bed->nodes[i].pid != 0) {
            (void)daemon_signal(&bed->nodes[i], SIGKILL);
        }
        if (bed->controls[i] != NULL) {
            (void)munmap(bed->controls[i], sizeof *bed->controls[i]);
        }
        if (bed->is_mounted[i]) {
            cluster_data(bed, i, data, sizeof data);
            (void)umount2(data, MNT_DETACH);
        }
        daemon_fini(&bed->nodes[i]);
    }
    if (bed->options.is_networked) {
        net_switch_close(&bed->net);
    }
    *bed = (struct cluster_bed){0};
}
