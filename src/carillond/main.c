/* carillond/main.c -- the daemon: flags, configuration, one world, one node, until a signal.
 *
 * Layer: carillond (base, io, io_uv, node)
 */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "identity/key.h"
#include "io_uv/io_uv.h"
#include "node/config.h"
#include "node/event.h"
#include "node/join.h"
#include "node/node.h"

enum {
    TEXT_BYTES_MAX = 64 << 10,
    OPTION_PRINT_CONFIG = 256,
    OPTION_SET,
    OPTION_PORT_FILE,
    OPTION_JOIN,
    OPTION_SHARDS,
    OPTION_REFILL,
};

struct daemon {
    struct io_uv *world;
    struct node *node;
    struct node_join join;
    int join_status;
    struct node_config config;
    struct buf text;
    const char *config_file;
    const char *port_file;
    bool print_config;
    bool has_failed;
    bool is_closing;
};

const char *argp_program_version = "carillond " CARILLON_VERSION;

static const char usage[] =
    "The Carillon daemon: one node of an institution's cluster.\v"
    "Without any option it serves 127.0.0.1:7440 and keeps its data in /var/lib/carillon (as "
    "root) or "
    "$XDG_DATA_HOME/carillon.\n\nExample: carillond --data ./data --listen 127.0.0.1:7440";

static const struct argp_option options[] = {
    {"config",                               'c', "FILE", 0, "read settings from FILE (libconfig)", 0},
    {"data",                                'd', "FOLDER", 0, "keep the data in FOLDER", 0},
    {"listen", 'l', "ADDRESS:PORT", 0, "serve there; port 0 takes a free one", 0},
    {"join", OPTION_JOIN, "INVITE", 0, "become a node of another's cluster, by what `carillon node invite` prints there", 0},
    {"shards", OPTION_SHARDS, "N", 0, "with an empty folder: split students and courses into N parts, a power of two, for ever", 0},
    {"refill", OPTION_REFILL, NULL, 0, "of a cluster of several: set a damaged log aside, and get everything from the others", 0},
    {"memory",                                      'm', "BYTES", 0, "memory for state and index, such as 4G", 0},
    {"set",    OPTION_SET, "NAME=VALUE", 0, "any setting of the configuration file", 0},
    {"port-file",                                     OPTION_PORT_FILE, "FILE", 0, "write the served port into FILE when ready", 0},
    {"print-config",                                     OPTION_PRINT_CONFIG, NULL, 0,
     "print all settings as a configuration file and end", 0},
    {0                              },
};

/* The file is read before the flags are, wherever it stands: flags win. */
static error_t find_config(int key, char *value, struct argp_state *state)
{
    struct daemon *daemon = state->input;

    if (key == 'c') {
        daemon->config_file = value;
    }
    return 0;
}

static void set_or_exit(struct daemon *daemon, const char *name, const char *value)
{
    if (node_config_set(&daemon->config, name, value, &daemon->text) != OK) {
        (void)fprintf(stderr, "carillond: %s\n", buf_text(&daemon->text));
        exit(EXIT_USAGE);
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct daemon *daemon = state->input;
    char *equals;

    switch (key) {
    case 'c':
        return 0;
    case 'd':
        set_or_exit(daemon, "data_folder", value);
        return 0;
    case 'l':
        set_or_exit(daemon, "listen", value);
        return 0;
    case OPTION_JOIN:
        set_or_exit(daemon, "join", value);
        return 0;
    case OPTION_REFILL:
        daemon->config.refill = ENGINE_REFILL_ALWAYS;
        return 0;
    case 'm':
        set_or_exit(daemon, "memory_bytes_max", value);
        return 0;
    case OPTION_SHARDS:
        set_or_exit(daemon, "shards", value);
        return 0;
    case OPTION_SET:
        equals = strchr(value, '=');
        if (equals == NULL) {
            argp_error(state, "--set wants NAME=VALUE, not \"%s\"", value);
            return EINVAL;
        }
        *equals = '\0';
        set_or_exit(daemon, value, equals + 1);
        return 0;
    case OPTION_PORT_FILE:
        daemon->port_file = value;
        return 0;
    case OPTION_PRINT_CONFIG:
        daemon->print_config = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void read_config(struct daemon *daemon, int argc, char **argv)
{
    static const struct argp first = {options, find_config, NULL, usage, NULL, NULL, NULL};
    static const struct argp second = {options, parse_option, NULL, usage, NULL, NULL, NULL};
    int rc = OK;

    argp_err_exit_status = EXIT_USAGE;
    node_config_init(&daemon->config);
    (void)argp_parse(&first, argc, argv, 0, NULL, daemon);
    if (daemon->config_file != NULL) {
        rc = node_config_read_file(&daemon->config, daemon->config_file, &daemon->text);
    }
    if (rc == OK) {
        (void)argp_parse(&second, argc, argv, 0, NULL, daemon);
        rc = node_config_finish(&daemon->config, &daemon->text);
    }
    if (rc != OK) {
        (void)fprintf(stderr, "carillond: %s\n", buf_text(&daemon->text));
        exit(error_exit_code(rc));
    }
}

static void on_closed(void *context)
{
    struct daemon *daemon = context;

    io_uv_stop(daemon->world);
}

static void begin_close(struct daemon *daemon)
{
    if (!daemon->is_closing) {
        daemon->is_closing = true;
        node_close(daemon->node, on_closed, daemon);
    }
}

static void on_signal(void *context, int signal_number)
{
    struct daemon *daemon = context;

    event_log(EVENT_INFO, "node-stopping", "signal=%d", signal_number);
    begin_close(daemon);
}

static void on_failed(void *context)
{
    struct daemon *daemon = context;

    daemon->has_failed = true;
    begin_close(daemon);
}

static int write_port_file(const struct daemon *daemon)
{
    FILE *file = fopen(daemon->port_file, "we");

    if (file == NULL) {
        return ERR_IO;
    }
    (void)fprintf(file, "%u\n", node_port(daemon->node));
    return fclose(file) == 0 ? OK : ERR_IO;
}

/* Each connection, segment and listener is a descriptor: take as many as the system allows us.
 */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

enum { HUGE_PAGE_BYTES = 2 << 20 };

/* Tables of millions of objects are read all over the place: with small pages nearly every read
 * also misses the processor's table of pages. Advice only: a system that has no huge pages
 * gives small ones. */
static void advise_huge(void *block, size_t bytes)
{
    uintptr_t mask = HUGE_PAGE_BYTES - 1;
    uintptr_t from = ((uintptr_t)block + mask) & ~mask;
    uintptr_t to = ((uintptr_t)block + bytes) & ~mask;

    (void)madvise((char *)block + (from - (uintptr_t)block), to - from, MADV_HUGEPAGE);
}

static void on_joined(struct node_join *joining, int status)
{
    struct daemon *daemon = CONTAINER_OF(joining, struct daemon, join);

    daemon->join_status = status;
    io_uv_stop(daemon->world);
}

/* Become one of a cluster that is there, if that was asked for. */
static int join(struct daemon *daemon)
{
    struct node_join *joining = &daemon->join;

    if (daemon->config.join[0] == '\0') {
        return OK;
    }
    int rc = node_join_start(joining, io_uv_world(daemon->world), &daemon->config, on_joined);

    if (rc == SM_PENDING) {
        io_uv_run(daemon->world);
        rc = daemon->join_status;
    }
    if (rc != OK) {
        (void)fprintf(stderr, "carillond: cannot join: %s\n", buf_text(&joining->text));
    }
    node_join_fini(joining);
    return rc;
}

/* A world of its own for each attempt: what the one before has left goes with its world. */
static bool make_world(struct daemon *daemon)
{
    daemon->world = io_uv_create();
    if (daemon->world == NULL) {
        (void)fprintf(
            stderr, "carillond: the system gives no descriptors or memory for an event loop\n");
    }
    return daemon->world != NULL;
}

static int open_node(struct daemon *daemon)
{
    return node_open(io_uv_world(daemon->world), &daemon->config, &daemon->node, &daemon->text);
}

/* The damage was set aside once: what is damaged again so soon is for people to look at. */
static int open_refilled(struct daemon *daemon)
{
    event_log(EVENT_ERROR, "log-set-aside", "reason=\"%s\"", buf_text(&daemon->text));
    buf_clear(&daemon->text);
    io_uv_destroy(daemon->world);
    return make_world(daemon) ? open_node(daemon) : ERR_IO;
}

static int serve(struct daemon *daemon)
{
    int joined = join(daemon);

    if (joined != OK) {
        return error_exit_code(joined);
    }
    int rc = open_node(daemon);

    rc = rc == ERR_CANCELLED ? open_refilled(daemon) : rc;
    if (rc != OK) {
        (void)fprintf(stderr, "carillond: %s\n", buf_text(&daemon->text));
        return error_exit_code(rc);
    }
    node_on_failed(daemon->node, on_failed, daemon);
    rc = io_uv_watch_signals(daemon->world, on_signal, daemon);
    if (rc == OK && daemon->port_file != NULL) {
        rc = write_port_file(daemon);
    }
    if (rc != OK) {
        (void)fprintf(stderr, "carillond: cannot watch signals or write the port file: %s\n",
                      error_text(rc));
        daemon->has_failed = true;
        begin_close(daemon);
    }
    io_uv_run(daemon->world);
    return daemon->has_failed ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct daemon daemon = {0};

    buf_init(&daemon.text, TEXT_BYTES_MAX);
    read_config(&daemon, argc, argv);
    if (daemon.print_config) {
        int rc = node_config_describe(&daemon.config, &daemon.text);

        (void)printf("%s", rc == OK ? buf_text(&daemon.text) : "");
        buf_fini(&daemon.text);
        return EXIT_DONE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    /* Keys are in our memory: no core files, and no other process of this user may look. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    identity_secure_memory();
    raise_descriptor_limit();
    arena_advise(advise_huge);
    if (!make_world(&daemon)) {
        return EXIT_UNAVAILABLE;
    }
    int status = serve(&daemon);
    if (daemon.world != NULL) {
        io_uv_destroy(daemon.world);
    }
    buf_fini(&daemon.text);
    return status;
}
