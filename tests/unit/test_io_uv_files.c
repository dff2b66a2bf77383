/* tests/unit/test_io_uv_files.c -- files, folders and the lock of the real world. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io_uv/io_uv.h"

enum { PATH_BYTES = 512, NAMES_NR = 8 };

struct fixture {
    struct io_uv *uv;
    struct io *io;
    char folder[64];
    char path[PATH_BYTES]; /* what in() made last */
    char names[NAMES_NR][64];
    int names_count;
};

/* The path of @name in the test's folder; good until the next call. */
static const char *in(struct fixture *f, const char *name)
{
    int len = snprintf(f->path, sizeof(f->path), "%s/%s", f->folder, name);
    assert_in_range(len, 1, sizeof(f->path) - 1);
    return f->path;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->uv = io_uv_create();
    assert_non_null(f->uv);
    f->io = io_uv_world(f->uv);
    strcpy(f->folder, "/tmp/carillon-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[PATH_BYTES];
    assert_true(snprintf(command, sizeof(command), "rm -rf '%s'", f->folder) > 0);
    assert_int_equal(system(command), 0);
    io_uv_destroy(f->uv);
    free(f);
    return 0;
}

static struct io_file *create(struct fixture *f, const char *name, const char *text)
{
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(f->io, in(f, name), IO_OPEN_CREATE, &file), OK);
    assert_int_equal(io_file_write(f->io, file, 0, text, strlen(text)), OK);
    return file;
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void file__written_and_synced__reads_back(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = create(f, "a", "0123456789");
    char data[32] = {0};
    size_t len = 99;
    uint64_t size = 0;
    assert_int_equal(io_file_sync(f->io, file), OK);
    assert_int_equal(io_file_read(f->io, file, 4, data, 3, &len), OK);
    assert_int_equal(len, 3);
    assert_memory_equal(data, "456", 3);
    assert_int_equal(io_file_read(f->io, file, 8, data, sizeof(data), &len), OK);
    assert_int_equal(len, 2); /* short at the end of the file */
    assert_int_equal(io_file_read(f->io, file, 100, data, sizeof(data), &len), OK);
    assert_int_equal(len, 0);
    assert_int_equal(io_file_write(f->io, file, 20, "x", 1), OK);
    assert_int_equal(io_file_size(f->io, file, &size), OK);
    assert_int_equal(size, 21);
    assert_int_equal(io_file_truncate(f->io, file, 5), OK);
    assert_int_equal(io_file_size(f->io, file, &size), OK);
    assert_int_equal(size, 5);
    io_file_close(f->io, file);
    assert_int_equal(mode_of(in(f, "a")), 0600);
}

static void file_open_private__what_others_can_read__is_refused(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = NULL;
    char own[600];
    char link[600];

    io_file_close(f->io, create(f, "key", "secret"));
    (void)snprintf(own, sizeof own, "%s", in(f, "key"));
    (void)snprintf(link, sizeof link, "%s", in(f, "link"));
    assert_int_equal(io_file_open(f->io, own, IO_OPEN_PRIVATE, &file), OK);
    io_file_close(f->io, file);
    for (unsigned bit = 1; bit <= 040; bit *= 2) {
        assert_int_equal(chmod(own, 0600 | bit), 0);
        assert_int_equal(io_file_open(f->io, own, IO_OPEN_PRIVATE, &file), ERR_PERMISSION);
    }
    assert_int_equal(chmod(own, 0400), 0);
    assert_int_equal(io_file_open(f->io, own, IO_OPEN_PRIVATE, &file), OK);
    io_file_close(f->io, file);
    assert_int_equal(symlink(own, link), 0);
    assert_int_equal(io_file_open(f->io, link, IO_OPEN_PRIVATE, &file), ERR_PERMISSION);
    assert_int_equal(io_file_open(f->io, f->folder, IO_OPEN_PRIVATE, &file), ERR_PERMISSION);
    assert_int_equal(io_file_open(f->io, in(f, "none"), IO_OPEN_PRIVATE, &file), ERR_GONE);
}

static void file_open__each_way__says_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(f->io, in(f, "a"), IO_OPEN_READ, &file), ERR_GONE);
    assert_int_equal(io_file_open(f->io, in(f, "a"), IO_OPEN_WRITE, &file), ERR_GONE);
    assert_int_equal(io_file_open(f->io, in(f, "no/a"), IO_OPEN_CREATE, &file), ERR_GONE);
    assert_null(file);
    io_file_close(f->io, create(f, "a", "text"));
    assert_int_equal(io_file_open(f->io, in(f, "a"), IO_OPEN_CREATE, &file), ERR_EXISTS);
    assert_int_equal(io_file_open(f->io, in(f, "a"), IO_OPEN_READ, &file), OK);
    assert_int_equal(io_file_write(f->io, file, 0, "x", 1), ERR_IO);
    io_file_close(f->io, file);
}

static void file_rename__onto_another__replaces_it(void **state)
{
    struct fixture *f = *state;
    char to[PATH_BYTES];
    struct io_file *file = NULL;
    char data[8];
    size_t len;
    io_file_close(f->io, create(f, "new", "new"));
    io_file_close(f->io, create(f, "old", "older"));
    strcpy(to, in(f, "old"));
    assert_int_equal(io_file_rename(f->io, in(f, "new"), to), OK);
    assert_int_equal(io_folder_sync(f->io, f->folder), OK);
    assert_int_equal(io_file_rename(f->io, in(f, "new"), to), ERR_GONE);
    assert_int_equal(io_file_open(f->io, to, IO_OPEN_READ, &file), OK);
    assert_int_equal(io_file_read(f->io, file, 0, data, sizeof(data), &len), OK);
    assert_int_equal(len, 3);
    io_file_close(f->io, file);
    assert_int_equal(io_file_remove(f->io, to), OK);
    assert_int_equal(io_file_remove(f->io, to), ERR_GONE);
}

static void folder_make__parents_missing__makes_them_private(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(io_folder_make(f->io, in(f, "a/b//c/")), OK);
    assert_int_equal(io_folder_make(f->io, in(f, "a/b/c")), OK);
    assert_int_equal(mode_of(in(f, "a")), 0700);
    assert_int_equal(mode_of(in(f, "a/b/c")), 0700);
    io_file_close(f->io, create(f, "plain", "x"));
    assert_int_equal(io_folder_make(f->io, in(f, "plain")), ERR_EXISTS);
    assert_int_equal(io_folder_sync(f->io, in(f, "none")), ERR_GONE);
}

static int name_on_found(void *context, const char *name)
{
    struct fixture *f = context;
    assert_in_range(f->names_count, 0, NAMES_NR - 1);
    assert_in_range(strlen(name), 1, sizeof(f->names[0]) - 1);
    strcpy(f->names[f->names_count++], name);
    return strcmp(name, "stop") == 0 ? ERR_CANCELLED : io_file_remove(f->io, in(f, name));
}

static void folder_list__files_and_folders__plain_files_in_byte_order(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"b", "a10", "a9", "\xc3\xa9", "B", "stop", "z"};
    static const char *const order[] = {"B", "a10", "a9", "b", "stop"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        io_file_close(f->io, create(f, names[i], ""));
    }
    assert_int_equal(io_folder_make(f->io, in(f, "folder")), OK);
    assert_int_equal(io_folder_list(f->io, f->folder, name_on_found, f), ERR_CANCELLED);
    assert_int_equal(f->names_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(f->names[i], order[i]);
    }
    assert_int_equal(io_folder_list(f->io, in(f, "none"), name_on_found, f), ERR_GONE);
}

static void folder_lock__held__is_refused_to_all_others(void **state)
{
    struct fixture *f = *state;
    struct io_file *lock = NULL;
    struct io_file *second = NULL;
    assert_int_equal(io_folder_lock(f->io, f->folder, &lock), OK);
    assert_int_equal(io_folder_lock(f->io, f->folder, &second), ERR_LOCKED);
    assert_null(second);
    pid_t child = fork();
    if (child == 0) {
        _exit(io_folder_lock(f->io, f->folder, &second) == ERR_LOCKED ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    char text[32] = {0};
    FILE *file = fopen(in(f, "LOCK"), "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(strtol(text, NULL, 10), getpid());

    io_folder_unlock(f->io, lock);
    assert_int_equal(io_folder_lock(f->io, f->folder, &lock), OK);
    io_folder_unlock(f->io, lock);
}

static void folder_lock__holder_killed__is_free_again(void **state)
{
    struct fixture *f = *state;
    struct io_file *lock = NULL;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        byte = io_folder_lock(f->io, f->folder, &lock) == OK ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(io_folder_lock(f->io, f->folder, &lock), ERR_LOCKED);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(io_folder_lock(f->io, f->folder, &lock), OK);
    io_folder_unlock(f->io, lock);
    assert_int_equal(close(ready[0]), 0);
    assert_int_equal(close(ready[1]), 0);
}

static void free_bytes__of_the_folder__is_a_sane_number(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes = 0;
    assert_int_equal(io_folder_free_bytes(f->io, f->folder, &bytes), OK);
    assert_true(bytes > 0);
    assert_int_equal(io_folder_free_bytes(f->io, in(f, "none"), &bytes), ERR_GONE);
}

static void file_write__beyond_the_size_limit__is_disk_full(void **state)
{
    struct fixture *f = *state;
    struct io_file *file = create(f, "a", "");
    struct rlimit before;
    static char block[8192];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    int rc = io_file_write(f->io, file, 0, block, sizeof(block));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(rc, ERR_DISK_FULL);
    assert_int_equal(io_file_write(f->io, file, 0, block, sizeof(block)), OK);
    io_file_close(f->io, file);
}

/* Needs the right to mount; the case above covers the translation without it. */
static void file_write__on_a_full_file_system__is_disk_full_until_there_is_room(void **state)
{
    struct fixture *f = *state;
    static char block[256 << 10];
    uint64_t bytes = 1;
    assert_int_equal(io_folder_make(f->io, in(f, "small")), OK);
    if (mount("none", f->path, "tmpfs", 0, "size=256k") != 0) {
        skip();
    }
    struct io_file *first = create(f, "small/a", "some");
    struct io_file *file = create(f, "small/b", "");
    assert_int_equal(io_file_write(f->io, file, 0, block, sizeof(block)), ERR_DISK_FULL);
    assert_int_equal(io_folder_free_bytes(f->io, in(f, "small"), &bytes), OK);
    assert_int_equal(bytes, 0);
    io_file_close(f->io, first);
    assert_int_equal(io_file_remove(f->io, in(f, "small/a")), OK);
    assert_int_equal(io_file_write(f->io, file, 0, block, sizeof(block) - 4096), OK);
    io_file_close(f->io, file);
    assert_int_equal(umount(in(f, "small")), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(file__written_and_synced__reads_back),
        CASE(file_open_private__what_others_can_read__is_refused),
        CASE(file_open__each_way__says_what_is_wrong),
        CASE(file_rename__onto_another__replaces_it),
        CASE(folder_make__parents_missing__makes_them_private),
        CASE(folder_list__files_and_folders__plain_files_in_byte_order),
        CASE(folder_lock__held__is_refused_to_all_others),
        CASE(folder_lock__holder_killed__is_free_again),
        CASE(free_bytes__of_the_folder__is_a_sane_number),
        CASE(file_write__beyond_the_size_limit__is_disk_full),
        CASE(file_write__on_a_full_file_system__is_disk_full_until_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
