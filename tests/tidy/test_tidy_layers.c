#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/source_tree.h"

/* Who includes whom, as src/LAYERS grants it; and that each header says where it belongs. */

enum { ROOMS_MAX = 40, NAME_MAX_LEN = 32, WORDS_MAX = 300 };

struct room {
    char name[NAME_MAX_LEN];
    char rooms[WORDS_MAX];     /* " base io " */
    char libraries[WORDS_MAX]; /* " libuv " */
};

struct layers {
    struct room rooms[ROOMS_MAX];
    size_t count;
};

static struct source_tree tree;
static struct layers layers;

/* Copy the words of one column between single spaces. */
static void column_copy(const char *from, size_t len, char *out)
{
    size_t used = 0;
    out[used++] = ' ';
    for (size_t i = 0; i < len && used + 2 < WORDS_MAX; i++) {
        if (!isspace((unsigned char)from[i])) {
            out[used++] = from[i];
        } else if (out[used - 1] != ' ') {
            out[used++] = ' ';
        }
    }
    if (out[used - 1] != ' ') {
        out[used++] = ' ';
    }
    out[used] = 0;
}

static bool has_word(const char *words, const char *word)
{
    char key[160];
    snprintf(key, sizeof key, " %s ", word);
    return strstr(words, key) != NULL;
}

static void layers_parse(struct layers *out, const char *text)
{
    *out = (struct layers){0};
    for (const char *line = text; line != NULL && *line != 0;) {
        const char *end = strchr(line, '\n');
        size_t len = end == NULL ? strlen(line) : (size_t)(end - line);
        const char *first = memchr(line, ':', len);
        if (islower((unsigned char)line[0]) && first != NULL) {
            size_t rest = len - (size_t)(first + 1 - line);
            const char *second = memchr(first + 1, ':', rest);
            assert_non_null(second);
            assert_true(out->count < ROOMS_MAX);
            struct room *room = &out->rooms[out->count++];
            sscanf(line, "%31[a-z_]", room->name);
            column_copy(first + 1, (size_t)(second - first - 1), room->rooms);
            column_copy(second + 1, len - (size_t)(second + 1 - line), room->libraries);
        }
        line = end == NULL ? NULL : end + 1;
    }
}

static const struct room *room_find(const struct layers *in, const char *name)
{
    for (size_t i = 0; i < in->count; i++) {
        if (strcmp(in->rooms[i].name, name) == 0) {
            return &in->rooms[i];
        }
    }
    return NULL;
}

static int read_tree(void **state)
{
    (void)state;
    source_tree_read(&tree, SOURCE_FOLDER);
    const struct source_file *file = source_tree_find(&tree, "src/LAYERS");
    assert_non_null(file);
    layers_parse(&layers, file->text);
    assert_true(layers.count > 5);
    return 0;
}

static int free_tree(void **state)
{
    (void)state;
    source_tree_free(&tree);
    return 0;
}

/* ---- includes ---- */

/* Which library a system header belongs to; what is not listed belongs to the C library. */
static const struct {
    const char *start;
    const char *package;
} libraries[] = {
    {"uv.h",         "libuv"        },
    {"uv/",          "libuv"        },
    {"openssl/ssl",  "libssl"       },
    {"openssl/",     "libcrypto"    },
    {"json-c/",      "json-c"       },
    {"json.h",       "json-c"       },
    {"libstemmer.h", "stemmer"      },
    {"zstd",         "libzstd"      },
    {"protobuf-c/",  "libprotobuf-c"},
    {"libconfig.h",  "libconfig"    },
    {"xxh",          "libxxhash"    },
    {"lua",          "lua"          },
    {"cmocka.h",     "cmocka"       },
    {"google/",      "protobuf"     },
};

/* Headers of the C library that give no access to the world. Rooms that stand above an
 * interface to the world use only these; the world itself is the business of the rooms below.
 */
static const char pure_headers[] =
    " assert.h ctype.h errno.h inttypes.h limits.h stdalign.h stdarg.h stdbool.h stddef.h "
    "stdatomic.h stdint.h stdio.h "
    "stdlib.h string.h strings.h nmmintrin.h sanitizer/asan_interface.h ";
static const char pure_rooms[] = " base io wire log raft member campus search enrol node io_sim ";

/* The deterministic cores have less: nothing that could print, allocate or ask. */
static const char core_headers[] =
    " inttypes.h limits.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h string.h ";
static const char core_rooms[] = " raft member campus search enrol ";

/* Counted exceptions to pure_rooms: "path header". Each is used, or the test fails. */
static const char *const allowed[] = {
    "src/node/config.c unistd.h",        /* the machine's name is the node's default name */
    "src/node/event.c time.h",           /* broken-down UTC of a time it was given */
};

enum { ALLOWED = sizeof allowed / sizeof allowed[0] };

static bool is_allowed_header(const struct source_file *file, const char *header)
{
    char key[200];
    snprintf(key, sizeof key, "%s %s", file->path, header);
    for (size_t i = 0; i < ALLOWED; i++) {
        if (strcmp(allowed[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static void check_system_header(const struct source_file *file, const struct room *room,
                                const char *header, size_t line, struct findings *findings)
{
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (strncmp(header, libraries[i].start, strlen(libraries[i].start)) == 0) {
            if (!has_word(room->libraries, libraries[i].package)) {
                findings_add(findings, file, line, "%s may not use %s (<%s>)", room->name,
                             libraries[i].package, header);
            }
            return;
        }
    }
    bool is_fine = has_word(core_rooms, room->name)   ? has_word(core_headers, header)
                   : has_word(pure_rooms, room->name) ? has_word(pure_headers, header)
                                                      : true;
    if (!is_fine && !is_allowed_header(file, header)) {
        findings_add(findings, file, line, "%s does not reach for the world itself (<%s>)",
                     room->name, header);
    }
}

static void check_own_header(const struct source_file *file, const struct room *room,
                             const char *header, size_t line, struct findings *findings)
{
    char other[NAME_MAX_LEN] = "";
    sscanf(header, "%31[a-z_]", other);
    if (strchr(header, '/') == NULL || strstr(header, "..") != NULL) {
        findings_add(findings, file, line, "\"%s\" is not of the form room/file.h", header);
    } else if (strcmp(other, "proto") == 0) {
        if (strcmp(room->name, "wire") != 0 && !has_word(room->rooms, "wire")) {
            findings_add(findings, file, line, "%s may not include schemas: they are wire's",
                         room->name);
        }
    } else if (strcmp(other, room->name) != 0) {
        if (!has_word(room->rooms, other)) {
            findings_add(findings, file, line, "%s may not include %s", room->name, other);
        }
        if (strstr(header, "_private.h") != NULL) {
            findings_add(findings, file, line, "\"%s\" is private to its room", header);
        }
    }
}

static void check_includes(const struct source_file *file, struct findings *findings)
{
    char name[NAME_MAX_LEN];
    if (!source_file_room(file, name, sizeof name) ||
        !(source_file_ends(file, ".c") || source_file_ends(file, ".h"))) {
        return;
    }
    const struct room *room = room_find(&layers, name);
    if (room == NULL) {
        findings_add(findings, file, 1, "src/LAYERS has no room %s", name);
        return;
    }
    const char *text = file->uncommented;
    for (const char *at = strstr(text, "#"); at != NULL; at = strstr(at + 1, "#")) {
        char header[128];
        size_t line = source_file_line(file, (size_t)(at - text));
        if (sscanf(at, "# include <%127[^>\n]>", header) == 1) {
            check_system_header(file, room, header, line, findings);
        } else if (sscanf(at, "# include \"%127[^\"\n]\"", header) == 1) {
            check_own_header(file, room, header, line, findings);
        }
    }
}

static void includes__all__are_granted_by_layers(void **state)
{
    (void)state;
    source_tree_check(&tree, check_includes);
}

static void includes__upwards_or_of_a_sibling__are_reported(void **state)
{
    (void)state;
    struct findings findings =
        source_check_show(check_includes, "src/base/x.c", "#include \"io/io.h\"\n");
    findings_expect(&findings, 1, "src/base/x.c:1: base may not include io");
    findings = source_check_show(check_includes, "src/campus/x.c",
                                 "#include \"base/buf.h\"\n\n#  include \"search/search.h\"\n");
    findings_expect(&findings, 1, "src/campus/x.c:3: campus may not include search");
    findings = source_check_show(check_includes, "src/enrol/x.h",
                                 "#include \"campus/campus.h\"\n#include \"wire/frame.h\"\n");
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_includes, "src/search/x.c",
                                 "/* #include \"campus/campus.h\" */\nint x;\n");
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_includes, "src/attic/x.c", "int x;\n");
    findings_expect(&findings, 1, "src/LAYERS has no room attic");
}

static void includes__not_room_and_file__are_reported(void **state)
{
    (void)state;
    struct findings findings =
        source_check_show(check_includes, "src/base/x.c", "#include \"buf.h\"\n");
    findings_expect(&findings, 1, "src/base/x.c:1: \"buf.h\" is not of the form");
    findings =
        source_check_show(check_includes, "src/log/x.c", "#include \"base/../io/io.h\"\n");
    findings_expect(&findings, 1, "is not of the form");
    findings =
        source_check_show(check_includes, "src/log/x.c", "#include \"base/base_private.h\"\n");
    findings_expect(&findings, 1, "private to its room");
    findings =
        source_check_show(check_includes, "src/log/x.c", "#include \"proto/entry.pb-c.h\"\n");
    findings_expect(&findings, 1, "log may not include schemas");
}

static void includes__of_a_foreign_library__are_reported(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        size_t findings;
    } cases[] = {
        {"src/node/x.c",     "#include <uv.h>\n",                    1},
        {"src/io_uv/x.c",    "#include <uv.h>\n",                    0},
        {"src/io_uv/x.c",    "#include <openssl/ssl.h>\n",           0},
        {"src/identity/x.c", "#include <openssl/ssl.h>\n",           1},
        {"src/identity/x.c", "#include <openssl/evp.h>\n",           0},
        {"src/node/x.c",     "#include <openssl/evp.h>\n",           1},
        {"src/node/x.c",     "#include <json-c/json.h>\n",           1},
        {"src/carillon/x.c", "#include <json-c/json.h>\n",           0},
        {"src/campus/x.c",   "#include <libstemmer.h>\n",            1},
        {"src/search/x.c",   "#include <libstemmer.h>\n",            0},
        {"src/enrol/x.c",    "#include <protobuf-c/protobuf-c.h>\n", 1},
        {"src/wire/x.c",     "#include <protobuf-c/protobuf-c.h>\n", 0},
        {"src/campus/x.c",   "#include <zstd.h>\n",                  1},
        {"src/log/x.c",      "#include <zstd.h>\n",                  0},
        {"src/base/x.c",     "#include <cmocka.h>\n",                1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct findings findings =
            source_check_show(check_includes, cases[i].path, cases[i].text);
        findings_expect(&findings, cases[i].findings, "may not use");
    }
}

static void includes__of_the_world__are_reported_above_it(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        size_t findings;
    } cases[] = {
        {"src/log/x.c",    "#include <unistd.h>\n",     1},
        {"src/node/x.c",   "#include <sys/socket.h>\n", 1},
        {"src/node/x.c",   "#include <time.h>\n",       1},
        {"src/io_sim/x.c", "#include <pthread.h>\n",    1},
        {"src/io_uv/x.c",  "#include <unistd.h>\n",     0},
        {"src/campus/x.c", "#include <stdlib.h>\n",     1},
        {"src/enrol/x.c",  "#include <stdio.h>\n",      1},
        {"src/search/x.c", "#include <math.h>\n",       1},
        {"src/search/x.c", "#include <string.h>\n",     0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct findings findings =
            source_check_show(check_includes, cases[i].path, cases[i].text);
        findings_expect(&findings, cases[i].findings, "does not reach for the world");
    }
}

/* An exception that nothing uses any more is taken off the list. */
static void includes__exceptions__are_all_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALLOWED; i++) {
        char path[100];
        char header[100];
        char line[120];
        assert_int_equal(sscanf(allowed[i], "%99s %99s", path, header), 2);
        const struct source_file *file = source_tree_find(&tree, path);
        snprintf(line, sizeof line, "#include <%s>", header);
        if (file == NULL || strstr(file->uncommented, line) == NULL) {
            fail_msg("exception not needed: %s", allowed[i]);
        }
    }
}

/* A room may be granted only rooms above which it stands: those on earlier lines. */
static void check_layers_order(const struct layers *in, struct findings *findings)
{
    struct source_file file = {.path = (char *)(uintptr_t) "src/LAYERS"};
    char below[ROOMS_MAX * NAME_MAX_LEN] = " ";
    for (size_t i = 0; i < in->count; i++) {
        char words[WORDS_MAX];
        strcpy(words, in->rooms[i].rooms);
        for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
            if (!has_word(below, word)) {
                findings_add(findings, &file, 1,
                             "%s is granted %s, which does not stand below it",
                             in->rooms[i].name, word);
            }
        }
        strcat(below, in->rooms[i].name);
        strcat(below, " ");
    }
}

static void layers__each_room__stands_above_what_it_is_granted(void **state)
{
    (void)state;
    struct findings findings = {0};
    check_layers_order(&layers, &findings);
    findings_expect_none(&findings);
    static struct layers bad;
    layers_parse(&bad, "# words\nbase : :\nio : base wire :\nwire : base : x\n");
    assert_int_equal(bad.count, 3);
    check_layers_order(&bad, &findings);
    findings_expect(&findings, 1, "io is granted wire");
}

/* ---- headers ---- */

/* A room's header names its room as well; one of tests/lib has no layer to name. */
static void check_layer_line(const struct source_file *file, const char *room,
                             struct findings *findings)
{
    char layer[80];
    snprintf(layer, sizeof layer, "\n * Layer: %s", room);
    const char *at = strstr(file->text, layer);
    const char *end = strstr(file->text, "*/");
    char after = at == NULL ? '_' : at[strlen(layer)];
    if (end == NULL || at > end || isalnum((unsigned char)after) || after == '_') {
        findings_add(findings, file, 1, "its first comment has no line '%s'", layer + 1);
    }
}

static void check_header_opening(const struct source_file *file, struct findings *findings)
{
    char room[NAME_MAX_LEN];
    bool is_of_a_room = source_file_room(file, room, sizeof room);
    if (!source_file_ends(file, ".h") ||
        !(is_of_a_room || source_file_begins(file, "tests/"))) {
        return;
    }
    char opening[200];
    const char *from =
        is_of_a_room ? file->path + strlen("src/") : file->path + strlen("tests/");
    snprintf(opening, sizeof opening, "/* %s -- ", from);
    char whole[200]; /* headers of tests may say the folder tests/ too */
    snprintf(whole, sizeof whole, "/* %s -- ", file->path);
    if (strncmp(file->text, opening, strlen(opening)) != 0 &&
        (is_of_a_room || strncmp(file->text, whole, strlen(whole)) != 0)) {
        findings_add(findings, file, 1, "does not begin with '%s'", opening);
        return;
    }
    if (is_of_a_room) {
        check_layer_line(file, room, findings);
    }
    if (strstr(file->code, "#ifndef CARILLON_") == NULL ||
        strstr(file->code, "#endif") == NULL) {
        findings_add(findings, file, 1, "no guard CARILLON_... against a second inclusion");
    }
}

static void headers__each__opens_with_name_and_layer(void **state)
{
    (void)state;
    source_tree_check(&tree, check_header_opening);
}

static void headers__without_name_layer_or_guard__are_reported(void **state)
{
    (void)state;
    static const char good[] = "/* base/x.h -- a thing.\n *\n * Layer: base\n */\n"
                               "#ifndef CARILLON_BASE_X_H\n#endif\n";
    struct findings findings = source_check_show(check_header_opening, "src/base/x.h", good);
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_header_opening, "src/base/y.h", good);
    findings_expect(&findings, 1, "src/base/y.h:1: does not begin with '/* base/y.h -- '");
    findings = source_check_show(check_header_opening, "src/base/x.h",
                                 "/* base/x.h -- a thing.\n */\n#ifndef CARILLON_X\n#endif\n"
                                 "/*\n * Layer: base\n */\n");
    findings_expect(&findings, 1, "no line ' * Layer: base'");
    findings = source_check_show(check_header_opening, "src/io/x.h",
                                 "/* io/x.h -- a thing.\n *\n * Layer: io_uv\n */\n");
    findings_expect(&findings, 2, "no guard");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(includes__all__are_granted_by_layers),
        cmocka_unit_test(includes__upwards_or_of_a_sibling__are_reported),
        cmocka_unit_test(includes__not_room_and_file__are_reported),
        cmocka_unit_test(includes__of_a_foreign_library__are_reported),
        cmocka_unit_test(includes__of_the_world__are_reported_above_it),
        cmocka_unit_test(includes__exceptions__are_all_used),
        cmocka_unit_test(layers__each_room__stands_above_what_it_is_granted),
        cmocka_unit_test(headers__each__opens_with_name_and_layer),
        cmocka_unit_test(headers__without_name_layer_or_guard__are_reported),
    };
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
