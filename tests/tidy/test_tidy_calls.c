#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/source_tree.h"

/* Which functions of the C library a room may call. What touches the world goes through io.h,
 * memory through arenas and buffers, so that the simulator sees everything and the same seed
 * gives the same run. */

static struct source_tree tree;

static int read_tree(void **state)
{
    (void)state;
    source_tree_read(&tree, SOURCE_FOLDER);
    return 0;
}

static int free_tree(void **state)
{
    (void)state;
    source_tree_free(&tree);
    return 0;
}

struct ban {
    const char *why;
    const char *rooms; /* that may call them nevertheless */
    const char *calls;
};

/* clang-format off */
static const struct ban bans[] = {
    {"unsafe or ambiguous, nobody calls it", " ",
     "strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok alloca rand srand rand_r "
     "random srandom drand48 lrand48 mrand48 system tmpnam mktemp setjmp longjmp"},
    {"the clock is io.h's", " io_uv carillon ",
     "time clock_gettime gettimeofday clock localtime localtime_r gmtime gmtime_r strftime "
     "mktime timegm nanosleep usleep sleep"},
    {"what the process has used is io.h's", " io_uv carillon ", "getrusage times getpid gettid"},
    {"the environment is read at the edges", " client carillon carillond ", "getenv secure_getenv"},
    {"random numbers are io.h's or rng.h's", " io_uv ",
     "getrandom getentropy arc4random arc4random_buf uv_random"},
    {"files are io.h's", " io_uv carillon carillond ",
     "open openat creat close read pread readv write pwrite writev fsync fdatasync "
     "sync_file_range rename renameat unlink unlinkat ftruncate truncate mkdir rmdir fopen "
     "fdopen freopen fread fwrite fclose mmap opendir readdir stat fstat lstat flock fallocate "
     "posix_fallocate"},
    {"sockets are io.h's", " io_uv ",
     "socket bind listen accept accept4 connect send sendto sendmsg recv recvfrom recvmsg poll "
     "select epoll_wait getaddrinfo gethostbyname"},
    {"threads are io_uv's", " io_uv client ",
     "pthread_create pthread_mutex_lock pthread_cond_wait thrd_create mtx_lock"},
    {"processes are started by commands", " carillon ",
     "fork vfork execve execvp execv execl execlp posix_spawn posix_spawnp popen"},
    {"memory comes from arenas and buffers", " io_uv io_sim client carillon ",
     "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf posix_memalign "
     "aligned_alloc"},
    {"words for people are written at the edges", " carillon carillond ",
     "printf vprintf puts putchar putc fputs fputc fprintf vfprintf perror"},
    {"the process ends at the edges", " carillon carillond ",
     "exit _exit abort quick_exit"},
};
/* clang-format on */

/* Exceptions by file: exactly so many places. Fewer fail too, so that the list only shrinks. */
struct allowance {
    const char *path;
    const char *call;
    size_t count;
};

/* clang-format off */
static const struct allowance allowances[] = {
    {"src/base/memory.c", "posix_memalign", 1}, /* the one door to the system's memory */
    {"src/base/memory.c", "realloc", 1},
    {"src/base/memory.c", "free", 1},
    {"src/base/assert.c", "fprintf", 1},      /* the last words of a process that must stop */
    {"src/base/assert.c", "abort", 1},
    {"src/node/event.c", "clock_gettime", 1}, /* the stamp of an operator's line; no decision reads it */
    {"src/node/event.c", "gmtime_r", 1},
    {"src/node/event.c", "strftime", 1},
    {"src/node/event.c", "fprintf", 1},
    {"src/node/config.c", "getenv", 3},       /* folders of the user who starts the daemon */
};
/* clang-format on */

enum { ALLOWANCES = sizeof allowances / sizeof allowances[0] };

static bool has_word(const char *words, const char *word)
{
    char key[40];
    snprintf(key, sizeof key, " %s ", word);
    return strstr(words, key) != NULL;
}

/* Whether the file has a static function of that name, which its calls then mean. */
static bool is_own_name(const struct source_file *file, const char *call)
{
    for (const char *at = strstr(file->code, "\nstatic "); at != NULL;
         at = strstr(at + 1, "\nstatic ")) {
        const char *open = strpbrk(at + 1, "(;={");
        size_t len = strlen(call);
        if (open != NULL && *open == '(' && (size_t)(open - at) > len &&
            strncmp(open - len, call, len) == 0 && strchr(" *", open[-(ptrdiff_t)len - 1])) {
            return true;
        }
    }
    return false;
}

/* Whether the word at @at is a call: a parenthesis follows, and no member access precedes. */
static bool is_call(const char *code, size_t at, size_t len)
{
    const char *after = code + at + len;
    while (*after == ' ') {
        after++;
    }
    if (*after != '(') {
        return false;
    }
    return at == 0 ||
           !(code[at - 1] == '.' || (code[at - 1] == '>' && at > 1 && code[at - 2] == '-'));
}

static size_t allowed_count(const char *path, const char *call)
{
    for (size_t i = 0; i < ALLOWANCES; i++) {
        if (strcmp(allowances[i].path, path) == 0 && strcmp(allowances[i].call, call) == 0) {
            return allowances[i].count;
        }
    }
    return 0;
}

static void check_call(const struct source_file *file, const char *call, const char *why,
                       struct findings *findings)
{
    size_t count = 0;
    size_t last = 0;
    size_t len = strlen(call);
    for (size_t at = source_word_find(file->code, call, 0); at != SIZE_MAX;
         at = source_word_find(file->code, call, at + len)) {
        if (is_call(file->code, at, len)) {
            count++;
            last = at;
        }
    }
    size_t allowed = allowed_count(file->path, call);
    if (count != allowed && !is_own_name(file, call)) {
        findings_add(findings, file, source_file_line(file, last),
                     "%s(): %zu times, %zu allowed: %s", call, count, allowed, why);
    }
}

static void check_calls(const struct source_file *file, struct findings *findings)
{
    char room[32];
    if (!source_file_room(file, room, sizeof room) ||
        !(source_file_ends(file, ".c") || source_file_ends(file, ".h"))) {
        return;
    }
    for (size_t i = 0; i < sizeof bans / sizeof bans[0]; i++) {
        if (has_word(bans[i].rooms, room)) {
            continue;
        }
        char call[40];
        int used = 0;
        for (const char *at = bans[i].calls; sscanf(at, "%39s%n", call, &used) == 1;
             at += used) {
            check_call(file, call, bans[i].why, findings);
        }
    }
}

static void calls__all__are_allowed_in_their_room(void **state)
{
    (void)state;
    source_tree_check(&tree, check_calls);
}

static void calls__of_files_that_left__have_no_allowance(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALLOWANCES; i++) {
        if (source_tree_find(&tree, allowances[i].path) == NULL) {
            fail_msg("no file %s", allowances[i].path);
        }
    }
}

static void calls__banned_in_a_room__are_reported(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *path;
        const char *text;
        size_t findings;
        const char *words;
    } cases[] = {
        {"src/campus/x.c", "void f(void)\n{\n    g(time(NULL));\n}\n", 1, "x.c:3: time(): 1 times"},
        {"src/node/x.c", "clock_gettime (CLOCK_REALTIME, &t);", 1, "clock is io.h's"},
        {"src/io_uv/x.c", "clock_gettime(CLOCK_REALTIME, &t);", 0, ""},
        {"src/node/x.c", "getrusage(RUSAGE_SELF, &usage);", 1, "has used is io.h's"},
        {"src/log/x.c", "getenv(\"HOME\");", 1, "at the edges"},
        {"src/io_uv/x.c", "x = rand();", 1, "rand()"},
        {"src/log/x.c", "int x;\nstatic void *accept(int a)\n{\n}\nf(accept(1));", 0, ""},
        {"src/log/x.c", "int x;\nstatic int y = accept(1);", 1, "accept(): 1 times"},
        {"src/log/x.c", "open(p, 0); write(1, p, 2); fsync(1);", 3, "fsync(): 1 times"},
        {"src/log/x.c", "ops->write(p); file.open(p); my_write(p);", 0, ""},
        {"src/log/x.c", "int (*write)(int); /* open( */ \"free(\"", 0, ""},
        {"src/search/x.c", "p = malloc(1); free(p); free(q);", 2, "free(): 2 times"},
        {"src/node/x.c", "p = calloc(1, 2); p = realloc(p, 2);", 2, "arenas and buffers"},
        {"src/client/x.c", "p = calloc(1, 2); p = realloc(p, 2);", 0, ""},
        {"src/carillon/x.c", "strcpy(a, b); strcat(a, b); gets(a);", 3, "nobody calls it"},
        {"src/carillon/x.c", "sprintf(a, b); atoi(a); strtok(a, b);", 3, "nobody calls it"},
        {"src/io_uv/x.c", "getrandom(p, 1, 0);", 0, ""},
        {"src/io_sim/x.c", "getrandom(p, 1, 0);", 1, "io.h's or rng.h's"},
        {"src/enrol/x.c", "printf(\"x\");", 1, "at the edges"},
        {"src/base/memory.c", "posix_memalign(1); posix_memalign(2); realloc(p, 1); free(p);", 1, "2 times, 1 allowed"},
        {"src/base/memory.c", "posix_memalign(1); realloc(p, 1);", 1, "free(): 0 times, 1 allowed"},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct findings findings = source_check_show(check_calls, cases[i].path, cases[i].text);
        findings_expect(&findings, cases[i].findings, cases[i].words);
    }
}

/* ---- whole numbers only, where replicas must agree ---- */

static const char exact_rooms[] = " base wire log raft member campus search enrol ";

static void check_floats(const struct source_file *file, struct findings *findings)
{
    char room[32];
    if (!source_file_room(file, room, sizeof room) || !has_word(exact_rooms, room) ||
        !(source_file_ends(file, ".c") || source_file_ends(file, ".h"))) {
        return;
    }
    static const char *const words[] = {"float", "double", "_Float32", "_Float64",
                                        "__float128"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t at = source_word_find(file->code, words[i], 0);
        if (at != SIZE_MAX) {
            findings_add(findings, file, source_file_line(file, at),
                         "%s in a deterministic room", words[i]);
        }
    }
    for (size_t i = 1; i + 1 < file->len; i++) {
        const char *at = file->code + i;
        if (at[0] == '.' && isdigit((unsigned char)at[-1]) && isdigit((unsigned char)at[1])) {
            findings_add(findings, file, source_file_line(file, i), "a fraction as a constant");
        }
    }
}

static void numbers__in_deterministic_rooms__are_whole(void **state)
{
    (void)state;
    source_tree_check(&tree, check_floats);
}

static void numbers__with_fractions__are_reported(void **state)
{
    (void)state;
    struct findings findings =
        source_check_show(check_floats, "src/search/x.c", "int x;\nstatic double score;\n");
    findings_expect(&findings, 1, "src/search/x.c:2: double");
    findings = source_check_show(check_floats, "src/campus/x.h", "float f(void);\n");
    findings_expect(&findings, 1, "float");
    findings = source_check_show(check_floats, "src/enrol/x.c", "int x = (int)(y * 1.25);\n");
    findings_expect(&findings, 1, "a fraction");
    findings = source_check_show(check_floats, "src/enrol/x.c",
                                 "/* a double 1.5 */ int doubled = f(\"1.5 double\");\n");
    findings_expect(&findings, 0, "");
    findings = source_check_show(check_floats, "src/carillon/x.c", "double seconds;\n");
    findings_expect(&findings, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls__all__are_allowed_in_their_room),
        cmocka_unit_test(calls__of_files_that_left__have_no_allowance),
        cmocka_unit_test(calls__banned_in_a_room__are_reported),
        cmocka_unit_test(numbers__in_deterministic_rooms__are_whole),
        cmocka_unit_test(numbers__with_fractions__are_reported),
    };
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
