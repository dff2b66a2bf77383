#include "node/config.h"

#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "meta/meta.h"

enum setting_type { SETTING_TEXT, SETTING_COUNT, SETTING_BYTES };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    uint64_t low; /* bounds of numbers; of texts the least length, and the size of the field in high */
    uint64_t high;
    const char *help;
};

#define AT(field) offsetof(struct node_config, field)
#define KIB       1024ULL
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)

/* clang-format off */
static const struct setting settings[] = {
    {"data_folder",        SETTING_TEXT,  AT(data_folder),        1,        CONFIG_PATH_BYTES,    "where the log, the snapshots and the audit files live"},
    {"listen",             SETTING_TEXT,  AT(listen),             1,        CONFIG_ADDRESS_BYTES, "address and port for clients; from other machines they come with TLS only"},
    {"advertise",          SETTING_TEXT,  AT(advertise),          0,        CONFIG_ADDRESS_BYTES, "address and port where other nodes and clients find this node; empty: as in listen"},
    {"join",               SETTING_TEXT,  AT(join),               0,        CONFIG_INVITE_BYTES,  "with an empty data folder: join the cluster of this invite; later it may stay or go"},
    {"name",               SETTING_TEXT,  AT(name),               0,        CONFIG_NAME_BYTES,    "the node's name, for people; empty: the machine's"},
    {"plain",              SETTING_TEXT,  AT(plain),              1,        CONFIG_WORD_BYTES,    "who may connect without TLS: \"loopback\" (with the local credential) or \"never\""},
    {"runtime_folder",     SETTING_TEXT,  AT(runtime_folder),     1,        CONFIG_FOLDER_BYTES,  "where clients on this machine find the local credential"},
    {"memory_bytes_max",   SETTING_BYTES, AT(memory_bytes_max),   64 * MIB, 1024 * GIB,           "memory for state and index; requests that would need more are refused"},
    {"shards",             SETTING_COUNT, AT(shards),             1,        1024,                 "with an empty data folder: the parts that students and courses are split into, a power of two; for ever"},
    {"connections_max",    SETTING_COUNT, AT(connections_max),    1,        65536,                "client connections at a time"},
    {"outstanding_max",    SETTING_COUNT, AT(outstanding_max),    1,        65536,                "unanswered requests a connection"},
    {"log_segment_bytes",  SETTING_BYTES, AT(log_segment_bytes),  2 * MIB,  GIB,                  "size of one log segment"},
    {"snapshot_log_bytes", SETTING_BYTES, AT(snapshot_log_bytes), MIB,      1024 * GIB,           "how much log is written before the next snapshot"},
    {"audit_bytes_max",    SETTING_BYTES, AT(audit_bytes_max),    MIB,      1ULL << 50,           "the oldest audit files beyond this are removed"},
};
/* clang-format on */

enum { SETTING_NR = sizeof settings / sizeof settings[0] };

void node_config_init(struct node_config *config)
{
    *config = (struct node_config){
        .listen = "127.0.0.1:7440",
        .plain = "loopback",
        .shards = 1,
        .outstanding_max = 1024,
        .log_segment_bytes = 64 * MIB,
        .snapshot_log_bytes = 128 * MIB,
        .audit_bytes_max = 16 * GIB,
    };
}

static const struct setting *setting_find(const char *name)
{
    for (size_t i = 0; i < SETTING_NR; i++) {
        if (strcmp(settings[i].name, name) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

static void *field_of(struct node_config *config, const struct setting *setting)
{
    return (char *)config + setting->offset;
}

static int refuse(struct buf *text, const char *where, const char *what)
{
    int rc = buf_append_format(text, "%s%s", where, what);

    return rc == OK ? ERR_CONFIG : rc;
}

static int set_text(struct node_config *config, const struct setting *setting,
                    const char *value, const char *where, struct buf *text)
{
    size_t len = strlen(value);

    if (len < setting->low || len >= setting->high) {
        return refuse(text, where, "the text is empty or too long");
    }
    memcpy(field_of(config, setting), value, len + 1);
    return OK;
}

static int set_number(struct node_config *config, const struct setting *setting, uint64_t value,
                      const char *where, struct buf *text)
{
    if (value < setting->low || value > setting->high) {
        int rc = buf_append_format(text, "%s%s is %llu; it must lie between %llu and %llu",
                                   where, setting->name, (unsigned long long)value,
                                   (unsigned long long)setting->low,
                                   (unsigned long long)setting->high);
        return rc == OK ? ERR_CONFIG : rc;
    }
    memcpy(field_of(config, setting), &value, sizeof value);
    return OK;
}

/* A number as text, with an optional K, M or G (powers of 1024) for byte counts. */
static int parse_number(const struct setting *setting, const char *value, uint64_t *ret_number)
{
    struct slice digits = slice_from_text(value);
    uint64_t unit = 1;

    if (setting->type == SETTING_BYTES && digits.len > 1) {
        switch (digits.data[digits.len - 1]) {
        case 'K':
            unit = KIB;
            break;
        case 'M':
            unit = MIB;
            break;
        case 'G':
            unit = GIB;
            break;
        default:
            break;
        }
        digits.len -= unit > 1;
    }
    int rc = slice_parse_u64(digits, UINT64_MAX / unit, ret_number);
    if (rc == OK) {
        *ret_number *= unit;
    }
    return rc;
}

static int set_from_text(struct node_config *config, const struct setting *setting,
                         const char *value, const char *where, struct buf *text)
{
    uint64_t number;

    if (setting->type == SETTING_TEXT) {
        return set_text(config, setting, value, where, text);
    }
    if (parse_number(setting, value, &number) != OK) {
        return refuse(text, where, "a whole number is wanted, such as 4096 or 512M");
    }
    return set_number(config, setting, number, where, text);
}

int node_config_set(struct node_config *config, const char *name, const char *value,
                    struct buf *text)
{
    const struct setting *setting = setting_find(name);
    char where[128];

    if (setting == NULL) {
        return refuse(text, name, ": no such setting");
    }
    (void)snprintf(where, sizeof where, "%s: ", name);
    return set_from_text(config, setting, value, where, text);
}

static int read_setting(struct node_config *config, const config_setting_t *given,
                        const char *path, struct buf *text)
{
    const char *name = config_setting_name(given);
    const struct setting *setting = setting_find(name);
    char where[CONFIG_PATH_BYTES + 64];

    (void)snprintf(where, sizeof where, "%s:%u: ", path, config_setting_source_line(given));
    if (setting == NULL) {
        int rc = buf_append_format(
            text, "%sno setting is called \"%s\"; carillond --print-config lists them", where,
            name);
        return rc == OK ? ERR_CONFIG : rc;
    }
    switch (config_setting_type(given)) {
    case CONFIG_TYPE_STRING:
        return set_from_text(config, setting, config_setting_get_string(given), where, text);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64: {
        long long value = config_setting_get_int64(given);

        if (setting->type == SETTING_TEXT || value < 0) {
            break;
        }
        return set_number(config, setting, (uint64_t)value, where, text);
    }
    default:
        break;
    }
    return refuse(text, where,
                  setting->type == SETTING_TEXT ? "a text in quotes is wanted"
                                                : "a whole number is wanted");
}

/* Read the open file's settings, in the order they stand. */
static int read_settings(struct node_config *config, const config_t *file, const char *path,
                         struct buf *text)
{
    const config_setting_t *root = config_root_setting(file);

    for (int i = 0; i < config_setting_length(root); i++) {
        int rc = read_setting(config, config_setting_get_elem(root, (unsigned)i), path, text);

        if (rc != OK) {
            return rc;
        }
    }
    return OK;
}

int node_config_read_file(struct node_config *config, const char *path, struct buf *text)
{
    config_t file;
    int rc;

    config_init(&file);
    if (config_read_file(&file, path) == CONFIG_TRUE) {
        rc = read_settings(config, &file, path, text);
    } else {
        rc = buf_append_format(text, "%s:%d: %s", path, config_error_line(&file),
                               config_error_text(&file));
        rc = rc == OK ? ERR_CONFIG : rc;
    }
    config_destroy(&file);
    return rc;
}

/* Half of the machine's memory. */
static uint64_t memory_default(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);

    return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes / 2 : GIB;
}

static int data_folder_default(struct node_config *config, struct buf *text)
{
    const char *home = getenv("HOME");
    const char *data = getenv("XDG_DATA_HOME");
    int n;

    if (geteuid() == 0) {
        n = snprintf(config->data_folder, sizeof config->data_folder, "/var/lib/carillon");
    } else if (data != NULL && data[0] == '/') {
        n = snprintf(config->data_folder, sizeof config->data_folder, "%s/carillon", data);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(config->data_folder, sizeof config->data_folder,
                     "%s/.local/share/carillon", home);
    } else {
        return refuse(text, "data_folder: ",
                      "neither XDG_DATA_HOME nor HOME says where; give --data FOLDER");
    }
    return n > 0 && (size_t)n < sizeof config->data_folder
               ? OK
               : refuse(text, "data_folder: ", "the path is too long; give --data FOLDER");
}

/* The first of docs/spec/identity.md section 6 that is this user's to write. */
static int runtime_folder_default(struct node_config *config, struct buf *text)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    size_t size = sizeof config->runtime_folder;
    int n;

    if (runtime != NULL && runtime[0] == '/') {
        n = snprintf(config->runtime_folder, size, "%s/carillon", runtime);
    } else if (geteuid() == 0) {
        n = snprintf(config->runtime_folder, size, "/run/carillon");
    } else {
        n = snprintf(config->runtime_folder, size, "/tmp/carillon-%u", (unsigned)geteuid());
    }
    return n > 0 && (size_t)n < size
               ? OK
               : refuse(text, "runtime_folder: ", "XDG_RUNTIME_DIR is too long; set another");
}

/* The machine's name, as far as it may stand in a list of nodes. */
static void name_default(struct node_config *config)
{
    size_t len = 0;

    if (gethostname(config->name, sizeof config->name - 1) != 0) {
        config->name[0] = '\0';
    }
    config->name[sizeof config->name - 1] = '\0';
    for (const char *at = config->name; *at != '\0'; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

        if (is_letter || (*at >= '0' && *at <= '9') || *at == '-' || *at == '.') {
            config->name[len++] = *at;
        }
    }
    config->name[len] = '\0';
}

static int check_member(struct node_config *config, struct buf *text)
{
    if (config->name[0] == '\0') {
        name_default(config);
    }
    if (config->name[0] != '\0' && !meta_name_is_valid(config->name)) {
        return refuse(text, "name: ", "1 to 64 of a-z A-Z 0-9 . _ - are wanted");
    }
    return config->advertise[0] == '\0' || meta_address_is_valid(config->advertise)
               ? OK
               : refuse(text, "advertise: ",
                        "an address and a port are wanted, such as 192.0.2.7:7440");
}

int node_config_finish(struct node_config *config, struct buf *text)
{
    char address[CONFIG_ADDRESS_BYTES];
    uint16_t port;

    if (config->data_folder[0] == '\0') {
        int rc = data_folder_default(config, text);

        if (rc != OK) {
            return rc;
        }
    }
    if (config->memory_bytes_max == 0) {
        config->memory_bytes_max = memory_default();
    }
    if (config->connections_max == 0) {
        /* a connection may hold about 2 MiB of answers; an eighth of the memory is for all of
         * them */
        uint64_t fit = config->memory_bytes_max / 8 / (2 * MIB);

        config->connections_max = fit < 16 ? 16 : fit > 10000 ? 10000 : fit;
    }
    if (node_config_listen_split(config, address, &port) != OK) {
        return refuse(text,
                      "listen: ", "an address and a port are wanted, such as 127.0.0.1:7440");
    }
    if ((config->shards & (config->shards - 1)) != 0) {
        return refuse(text, "shards: ", "a power of two is wanted, such as 8");
    }
    if (strcmp(config->plain, "loopback") != 0 && strcmp(config->plain, "never") != 0) {
        return refuse(text, "plain: ", "\"loopback\" or \"never\" is wanted");
    }
    int rc = check_member(config, text);

    return rc == OK && config->runtime_folder[0] == '\0' ? runtime_folder_default(config, text)
                                                         : rc;
}

int node_config_address_split(const char *text, char ret_address[CONFIG_ADDRESS_BYTES],
                              uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    const char *from = text;
    uint64_t port;

    if (colon == NULL || colon == from) {
        return ERR_ADDRESS;
    }
    size_t len = (size_t)(colon - from);
    if (from[0] == '[' && colon[-1] == ']') {
        from++;
        len -= 2;
    }
    if (slice_parse_u64(slice_from_text(colon + 1), UINT16_MAX, &port) != OK) {
        return ERR_ADDRESS;
    }
    if (len >= CONFIG_ADDRESS_BYTES) {
        return ERR_ADDRESS;
    }
    memcpy(ret_address, from, len);
    ret_address[len] = '\0';
    *ret_port = (uint16_t)port;
    return OK;
}

int node_config_listen_split(const struct node_config *config,
                             char ret_address[CONFIG_ADDRESS_BYTES], uint16_t *ret_port)
{
    return node_config_address_split(config->listen, ret_address, ret_port);
}

int node_config_describe(const struct node_config *config, struct buf *out)
{
    int rc = OK;

    for (size_t i = 0; i < SETTING_NR && rc == OK; i++) {
        const struct setting *setting = &settings[i];
        const char *field = (const char *)config + setting->offset;
        uint64_t number;

        if (setting->type == SETTING_TEXT) {
            rc = buf_append_format(out, "# %s\n%s = \"%s\";\n\n", setting->help, setting->name,
                                   field);
        } else {
            memcpy(&number, field, sizeof number);
            rc = buf_append_format(out, "# %s\n%s = %lluL;\n\n", setting->help, setting->name,
                                   (unsigned long long)number);
        }
    }
    return rc;
}
