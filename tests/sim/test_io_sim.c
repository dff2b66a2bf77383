/* tests/sim/test_io_sim.c -- the simulated disk: what it keeps, what it loses, how its calls
 * fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io_sim/io_sim.h"

enum { SECTOR = IO_SIM_SECTOR_BYTES, BLOCK = 16 * SECTOR, SEEDS = 300, NAMES_NR = 8 };

struct fixture {
    struct io_sim *sim;
    struct io *io;
    struct buf contents;
    char names_text[NAMES_NR][32];
    size_t names_count;
};

static void start(struct fixture *f, uint64_t seed, const struct io_sim_options *options)
{
    *f = (struct fixture){0};
    f->sim = io_sim_create(seed, options);
    f->io = io_sim_machine_create(f->sim, "10.0.0.1");
    buf_init(&f->contents, 1 << 20);
    assert_int_equal(io_folder_make(f->io, "/data"), OK);
}

static void end(struct fixture *f)
{
    buf_fini(&f->contents);
    io_sim_destroy(f->sim);
}

static struct io_file *open_file(struct fixture *f, const char *path, enum io_open how)
{
    struct io_file *file = NULL;
    assert_int_equal(io_file_open(f->io, path, how, &file), OK);
    return file;
}

static void put(struct fixture *f, struct io_file *file, uint64_t offset, uint8_t byte,
                size_t len)
{
    static uint8_t block[BLOCK];
    assert_true(len <= sizeof(block));
    memset(block, byte, len);
    assert_int_equal(io_file_write(f->io, file, offset, block, len), OK);
}

/* The whole file as the process sees it, in f->contents. */
static void get(struct fixture *f, const char *path)
{
    struct io_file *file = open_file(f, path, IO_OPEN_READ);
    uint64_t size = 0;
    size_t len = 0;
    assert_int_equal(io_file_size(f->io, file, &size), OK);
    buf_clear(&f->contents);
    assert_int_equal(buf_reserve(&f->contents, size + 1), OK);
    assert_int_equal(io_file_read(f->io, file, 0, f->contents.data, size + 1, &len), OK);
    assert_int_equal(len, size);
    f->contents.len = len;
    io_file_close(f->io, file);
}

static bool is_all(const struct fixture *f, size_t from, size_t to, uint8_t byte)
{
    for (size_t i = from; i < to; i++) {
        if (f->contents.data[i] != byte) {
            return false;
        }
    }
    return true;
}

static void power_cycle(struct fixture *f)
{
    io_sim_crash(f->io);
    io_sim_restart(f->io);
}

/* A durable file of BLOCK bytes of 'a', and the same written over with 'b', unsynced. */
static void prepare_overwrite(struct fixture *f)
{
    struct io_file *file = open_file(f, "/data/a", IO_OPEN_CREATE);
    put(f, file, 0, 'a', BLOCK);
    assert_int_equal(io_file_sync(f->io, file), OK);
    assert_int_equal(io_folder_sync(f->io, "/data"), OK);
    put(f, file, 0, 'b', BLOCK);
    io_file_close(f->io, file);
}

/* ---- losing ---- */

static void crash__synced_data__is_kept_in_every_seed(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
        put(&f, file, 0, 'a', BLOCK);
        put(&f, file, 100, 'b', 5000);
        assert_int_equal(io_file_truncate(f.io, file, 6000), OK);
        assert_int_equal(io_file_sync(f.io, file), OK);
        assert_int_equal(io_folder_sync(f.io, "/data"), OK);
        power_cycle(&f);
        io_file_close(f.io, file);
        get(&f, "/data/a");
        assert_int_equal(f.contents.len, 6000);
        assert_true(is_all(&f, 0, 100, 'a'));
        assert_true(is_all(&f, 100, 5100, 'b'));
        assert_true(is_all(&f, 5100, 6000, 'a'));
        end(&f);
    }
}

static void crash__unsynced_overwrite__is_lost_kept_or_torn_by_sector(void **state)
{
    (void)state;
    int lost = 0;
    int kept = 0;
    int torn = 0;
    int reordered = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        power_cycle(&f);
        get(&f, "/data/a");
        assert_int_equal(f.contents.len, BLOCK);
        int new_sectors = 0;
        bool later_without_earlier = false;
        for (size_t s = 0; s < BLOCK / SECTOR; s++) {
            uint8_t byte = f.contents.data[s * SECTOR];
            assert_true(byte == 'a' || byte == 'b');
            assert_true(is_all(&f, s * SECTOR, (s + 1) * SECTOR, byte)); /* never inside one */
            later_without_earlier |= byte == 'b' && new_sectors < (int)s;
            new_sectors += byte == 'b';
        }
        lost += new_sectors == 0;
        kept += new_sectors == BLOCK / SECTOR;
        torn += new_sectors > 0 && new_sectors < BLOCK / SECTOR;
        reordered += later_without_earlier;
        end(&f);
    }
    assert_true(lost > SEEDS / 20);
    assert_true(kept > SEEDS / 20);
    assert_true(torn > SEEDS / 4);
    assert_true(reordered > SEEDS / 10);
}

static void crash__two_writes_to_a_sector__leave_one_of_its_states(void **state)
{
    (void)state;
    int seen[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
        put(&f, file, 0, 'a', SECTOR);
        assert_int_equal(io_file_sync(f.io, file), OK);
        assert_int_equal(io_folder_sync(f.io, "/data"), OK);
        put(&f, file, 0, 'b', 100);
        put(&f, file, 100, 'c', 100);
        io_file_close(f.io, file);
        power_cycle(&f);
        get(&f, "/data/a");
        uint8_t first = f.contents.data[0];
        uint8_t second = f.contents.data[100];
        assert_true(first == 'b' ||
                    second == 'a'); /* the second came with the first or not at all */
        seen[(first == 'b') + (second == 'c')]++;
        end(&f);
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

static void crash__unsynced_growth__leaves_a_size_the_file_had(void **state)
{
    (void)state;
    int seen[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
        put(&f, file, 0, 'a', 1000);
        assert_int_equal(io_file_sync(f.io, file), OK);
        assert_int_equal(io_folder_sync(f.io, "/data"), OK);
        put(&f, file, 1000, 'b', 1000);
        assert_int_equal(io_file_truncate(f.io, file, 500), OK);
        io_file_close(f.io, file);
        power_cycle(&f);
        get(&f, "/data/a");
        size_t len = f.contents.len;
        assert_true(len == 1000 || len == 2000 || len == 500);
        seen[len == 1000 ? 0 : len == 2000 ? 1 : 2]++;
        assert_true(is_all(&f, 0, 500, 'a'));
        for (size_t i = 1000; i < len; i++) {
            assert_true(f.contents.data[i] == 'b' || f.contents.data[i] == 0);
        }
        end(&f);
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
}

static bool exists(struct fixture *f, const char *path)
{
    struct io_file *file = NULL;
    int rc = io_file_open(f->io, path, IO_OPEN_READ, &file);
    if (rc == OK) {
        io_file_close(f->io, file);
    }
    return rc == OK;
}

static void
crash__rename_without_folder_sync__may_be_lost_and_never_leaves_neither(void **state)
{
    (void)state;
    int old_only = 0;
    int new_only = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        assert_int_equal(io_file_rename(f.io, "/data/a", "/data/b"), OK);
        bool is_synced = seed % 2 == 0;
        if (is_synced) {
            assert_int_equal(io_folder_sync(f.io, "/data"), OK);
        }
        power_cycle(&f);
        bool has_old = exists(&f, "/data/a");
        bool has_new = exists(&f, "/data/b");
        assert_true(has_old != has_new);
        assert_true(has_new || !is_synced);
        old_only += has_old;
        new_only += has_new && !is_synced;
        end(&f);
    }
    assert_true(old_only > SEEDS / 20 && new_only > SEEDS / 20);
}

static void crash__created_and_removed_without_folder_sync__either_way(void **state)
{
    (void)state;
    int created = 0;
    int removed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        io_file_close(f.io, open_file(&f, "/data/new", IO_OPEN_CREATE));
        assert_int_equal(io_file_remove(f.io, "/data/a"), OK);
        assert_false(exists(&f, "/data/a"));
        power_cycle(&f);
        created += exists(&f, "/data/new");
        removed += !exists(&f, "/data/a");
        end(&f);
    }
    assert_in_range(created, SEEDS / 10, SEEDS * 9 / 10);
    assert_in_range(removed, SEEDS / 10, SEEDS * 9 / 10);
}

static void kill__unsynced_data_and_names__survive(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        assert_int_equal(io_file_rename(f.io, "/data/a", "/data/b"), OK);
        io_sim_kill(f.io);
        io_sim_restart(f.io);
        get(&f, "/data/b");
        assert_true(is_all(&f, 0, BLOCK, 'b'));
        end(&f);
    }
}

static void restart_keeping__each_subset__is_exactly_what_is_there(void **state)
{
    (void)state;
    enum { SECTORS = 4 };
    for (unsigned subset = 0; subset < 1u << SECTORS; subset++) {
        struct fixture f;
        uint8_t kept[SECTORS];
        start(&f, 1, NULL);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
        put(&f, file, 0, 'a', SECTORS * SECTOR);
        assert_int_equal(io_file_sync(f.io, file), OK);
        put(&f, file, 0, 'b', SECTORS * SECTOR);
        io_file_close(f.io, file);
        assert_int_equal(io_sim_unsynced_units(f.io), SECTORS);
        io_sim_crash(f.io);
        for (unsigned s = 0; s < SECTORS; s++) {
            kept[s] = (uint8_t)(subset >> s & 1);
        }
        io_sim_restart_keeping(f.io, kept, SECTORS);
        get(&f, "/data/a"); /* all names are kept */
        for (unsigned s = 0; s < SECTORS; s++) {
            assert_true(is_all(&f, s * SECTOR, (s + 1) * SECTOR, kept[s] ? 'b' : 'a'));
        }
        assert_int_equal(io_sim_unsynced_units(f.io), 0);
        end(&f);
    }
}

static void sync_lies__the_control__loses_synced_data(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        io_sim_sync_lies(f.io, true);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_WRITE);
        assert_int_equal(io_file_sync(f.io, file), OK);
        io_file_close(f.io, file);
        power_cycle(&f);
        get(&f, "/data/a");
        lost += !is_all(&f, 0, BLOCK, 'b');
        end(&f);
    }
    assert_true(lost > SEEDS / 4);
}

/* ---- failing ---- */

static void fail__nth_write__fails_once_having_written_some_of_it(void **state)
{
    (void)state;
    int seen[4] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
        uint64_t before = io_sim_calls(f.io, IO_SIM_WRITE);
        uint64_t before_any = io_sim_calls(f.io, IO_SIM_ANY);
        io_sim_fail(f.io, IO_SIM_WRITE, 3, ERR_DISK_FULL, false);
        put(&f, file, 0, 'a', 10);
        put(&f, file, 10, 'a', 10);
        assert_int_equal(io_file_write(f.io, file, 0, "bbb", 3), ERR_DISK_FULL);
        put(&f, file, 20, 'a', 10);
        assert_int_equal(io_sim_calls(f.io, IO_SIM_WRITE), before + 4);
        assert_int_equal(io_sim_calls(f.io, IO_SIM_ANY), before_any + 4);
        io_file_close(f.io, file);
        get(&f, "/data/a");
        size_t written = 0;
        while (f.contents.data[written] == 'b') {
            written++;
        }
        assert_in_range(written, 0, 3);
        assert_true(f.contents.len == 30 && is_all(&f, written, 30, 'a'));
        seen[written]++;
        end(&f);
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0 && seen[3] > 0);
}

static void fail__for_ever__until_cleared(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, NULL);
    io_sim_fail(f.io, IO_SIM_ANY, 2, ERR_IO, true);
    assert_true(!exists(&f, "/data/a")); /* the first: ERR_GONE */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(io_folder_sync(f.io, "/data"), ERR_IO);
        assert_int_equal(io_folder_make(f.io, "/data/x"), ERR_IO);
    }
    io_sim_fail_clear(f.io);
    assert_int_equal(io_folder_sync(f.io, "/data"), OK);
    end(&f);
}

static void fail__sync__later_syncs_lie_about_what_it_lost(void **state)
{
    (void)state;
    int lost = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        start(&f, seed, NULL);
        prepare_overwrite(&f);
        struct io_file *file = open_file(&f, "/data/a", IO_OPEN_WRITE);
        io_sim_fail(f.io, IO_SIM_SYNC, 1, ERR_IO, false);
        assert_int_equal(io_file_sync(f.io, file), ERR_IO);
        assert_int_equal(io_file_sync(f.io, file), OK);
        io_file_close(f.io, file);
        get(&f, "/data/a");
        assert_true(is_all(&f, 0, BLOCK, 'b')); /* the cache still shows it */
        power_cycle(&f);
        get(&f, "/data/a");
        lost += !is_all(&f, 0, BLOCK, 'b');
        end(&f);
    }
    assert_true(lost > SEEDS / 4);
}

static void crash_at__nth_call__answers_io_until_restart(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 1, NULL);
    struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
    assert_int_equal(io_file_sync(f.io, file), OK);
    assert_int_equal(io_folder_sync(f.io, "/data"), OK);
    io_sim_crash_at(f.io, 2);
    put(&f, file, 0, 'a', 10);
    assert_false(io_sim_is_down(f.io));
    assert_int_equal(io_file_write(f.io, file, 10, "b", 1), ERR_IO);
    assert_true(io_sim_is_down(f.io));
    assert_int_equal(io_file_write(f.io, file, 10, "b", 1), ERR_IO);
    assert_int_equal(io_file_sync(f.io, file), ERR_IO);
    assert_int_equal(io_folder_sync(f.io, "/data"), ERR_IO);
    io_file_close(f.io, file);
    io_sim_restart(f.io);
    get(&f, "/data/a");
    assert_true(f.contents.len == 0 || f.contents.len == 10 || f.contents.len == 11);
    end(&f);
}

static void sites__each_place_that_failed__is_counted_once(void **state)
{
    (void)state;
    struct io_sim_sites *sites = io_sim_sites_create();
    struct io_sim_options options = {.sites = sites};
    struct fixture f;
    start(&f, 1, &options);
    size_t before = io_sim_sites_seen(sites);
    for (int i = 0; i < 3; i++) { /* one place, three calls */
        io_sim_fail(f.io, IO_SIM_FOLDER_SYNC, 1, ERR_IO, false);
        assert_int_equal(io_folder_sync(f.io, "/data"), ERR_IO);
    }
    assert_int_equal(io_folder_sync(f.io, "/data"), OK); /* another place, of the same kind */
    assert_int_equal(io_sim_sites_seen(sites), before + 2);
    assert_int_equal(io_sim_sites_failed(sites), 1);
    assert_int_equal(io_sim_sites_describe(sites, &f.contents), OK);
    assert_non_null(
        strstr(buf_text(&f.contents), "folder_sync  calls        3 failures        3 at 0x"));
    end(&f);
    io_sim_sites_destroy(sites);
}

static void disk__full__takes_what_fits_and_recovers_with_room(void **state)
{
    (void)state;
    struct io_sim_options options = {.disk_bytes = 10000};
    struct fixture f;
    uint64_t bytes = 0;
    static uint8_t block[BLOCK];
    start(&f, 1, &options);
    struct io_file *file = open_file(&f, "/data/a", IO_OPEN_CREATE);
    struct io_file *other = open_file(&f, "/data/b", IO_OPEN_CREATE);
    put(&f, other, 0, 'a', 4000);
    assert_int_equal(io_file_write(f.io, file, 0, block, BLOCK), ERR_DISK_FULL);
    assert_int_equal(io_folder_free_bytes(f.io, "/data", &bytes), OK);
    assert_int_equal(bytes, 0);
    put(&f, other, 0, 'b', 4000); /* overwriting needs no room */
    io_sim_disk_bytes_set(f.io, 20000);
    assert_int_equal(io_file_write(f.io, file, 0, block, BLOCK), OK);
    io_sim_disk_bytes_set(f.io, 4000 + BLOCK);
    assert_int_equal(io_file_truncate(f.io, file, BLOCK + 1), ERR_DISK_FULL);
    assert_int_equal(io_file_remove(f.io, "/data/b"), OK);
    assert_int_equal(io_folder_free_bytes(f.io, "/data", &bytes), OK);
    assert_int_equal(bytes, 0); /* it is still open */
    io_file_close(f.io, other);
    assert_int_equal(io_folder_free_bytes(f.io, "/data", &bytes), OK);
    assert_int_equal(bytes, 4000);
    io_file_close(f.io, file);
    end(&f);
}

/* ---- folders, locks, looking ---- */

static int on_found(void *context, const char *name)
{
    struct fixture *f = context;
    assert_true(f->names_count < NAMES_NR);
    strcpy(f->names_text[f->names_count++], name);
    return OK;
}

static void folder_list__files_elsewhere_too__lists_its_own_in_byte_order(void **state)
{
    (void)state;
    struct fixture f;
    struct io_file *file = NULL;
    start(&f, 1, NULL);
    assert_int_equal(io_folder_make(f.io, "/data/deep/er"), OK);
    io_file_close(f.io, open_file(&f, "/data/b", IO_OPEN_CREATE));
    io_file_close(f.io, open_file(&f, "/data//a", IO_OPEN_CREATE));
    io_file_close(f.io, open_file(&f, "/data/deep/c", IO_OPEN_CREATE));
    assert_int_equal(io_file_open(f.io, "/none/a", IO_OPEN_CREATE, &file), ERR_GONE);
    assert_int_equal(io_file_open(f.io, "/data/a", IO_OPEN_CREATE, &file), ERR_EXISTS);
    assert_int_equal(io_folder_list(f.io, "/data/", on_found, &f), OK);
    assert_int_equal(f.names_count, 2);
    assert_string_equal(f.names_text[0], "a");
    assert_string_equal(f.names_text[1], "b");
    assert_int_equal(io_folder_list(f.io, "/none", on_found, &f), ERR_GONE);
    end(&f);
}

static void folder_lock__held__is_refused_until_the_process_dies(void **state)
{
    (void)state;
    struct fixture f;
    struct io_file *lock = NULL;
    struct io_file *second = NULL;
    start(&f, 1, NULL);
    assert_int_equal(io_folder_lock(f.io, "/data", &lock), OK);
    assert_int_equal(io_folder_lock(f.io, "/data/", &second), ERR_LOCKED);
    io_sim_kill(f.io);
    io_sim_restart(f.io);
    assert_int_equal(io_folder_lock(f.io, "/data", &second), OK);
    io_folder_unlock(f.io, lock);
    io_folder_unlock(f.io, second);
    assert_true(exists(&f, "/data/LOCK"));
    end(&f);
}

static void durable__spoiled_and_copied__is_what_the_next_process_reads(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture g;
    start(&f, 1, NULL);
    start(&g, 2, NULL);
    prepare_overwrite(&f);
    assert_int_equal(io_sim_durable_read(f.io, "/data/a", &f.contents), OK);
    assert_true(f.contents.len == BLOCK && is_all(&f, 0, BLOCK, 'a')); /* 'b' is not durable */
    assert_int_equal(io_sim_durable_write(f.io, "/data/a", 10, "xyz", 3), OK);
    assert_int_equal(io_sim_flip_bit(f.io, "/data/a", 20, 1), OK);
    assert_int_equal(io_sim_flip_bit(f.io, "/data/a", BLOCK, 1), ERR_ARGUMENT);
    assert_int_equal(io_sim_durable_truncate(f.io, "/data/a", 100), OK);
    assert_int_equal(io_sim_durable_read(f.io, "/data/none", &f.contents), ERR_GONE);
    io_sim_disk_copy(f.io, g.io);
    get(&g, "/data/a");
    assert_int_equal(g.contents.len, 100);
    assert_memory_equal(g.contents.data + 9, "axyza", 5);
    assert_int_equal(g.contents.data[20], 'a' ^ 2);
    end(&f);
    end(&g);
}

/* ---- the same again ---- */

static uint64_t hash_of_a_run(uint64_t seed, const char *text)
{
    struct fixture f;
    uint8_t random[16];
    start(&f, seed, NULL);
    prepare_overwrite(&f);
    io_random(f.io, random, sizeof(random));
    struct io_file *file = open_file(&f, "/data/b", IO_OPEN_CREATE);
    assert_int_equal(io_file_write(f.io, file, 0, random, sizeof(random)), OK);
    assert_int_equal(io_file_write(f.io, file, 16, text, strlen(text)), OK);
    assert_int_equal(io_file_sync(f.io, file), OK);
    power_cycle(&f);
    io_file_close(f.io, file);
    uint64_t hash = io_sim_trace_hash(f.sim);
    end(&f);
    return hash;
}

static void trace__same_seed_and_bytes__same_hash(void **state)
{
    (void)state;
    assert_true(hash_of_a_run(1, "text") == hash_of_a_run(1, "text"));
    assert_true(hash_of_a_run(1, "text") != hash_of_a_run(2, "text"));
    assert_true(hash_of_a_run(1, "text") != hash_of_a_run(1, "Text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash__synced_data__is_kept_in_every_seed),
        cmocka_unit_test(crash__unsynced_overwrite__is_lost_kept_or_torn_by_sector),
        cmocka_unit_test(crash__two_writes_to_a_sector__leave_one_of_its_states),
        cmocka_unit_test(crash__unsynced_growth__leaves_a_size_the_file_had),
        cmocka_unit_test(
            crash__rename_without_folder_sync__may_be_lost_and_never_leaves_neither),
        cmocka_unit_test(crash__created_and_removed_without_folder_sync__either_way),
        cmocka_unit_test(kill__unsynced_data_and_names__survive),
        cmocka_unit_test(restart_keeping__each_subset__is_exactly_what_is_there),
        cmocka_unit_test(sync_lies__the_control__loses_synced_data),
        cmocka_unit_test(fail__nth_write__fails_once_having_written_some_of_it),
        cmocka_unit_test(fail__for_ever__until_cleared),
        cmocka_unit_test(fail__sync__later_syncs_lie_about_what_it_lost),
        cmocka_unit_test(crash_at__nth_call__answers_io_until_restart),
        cmocka_unit_test(sites__each_place_that_failed__is_counted_once),
        cmocka_unit_test(disk__full__takes_what_fits_and_recovers_with_room),
        cmocka_unit_test(folder_list__files_elsewhere_too__lists_its_own_in_byte_order),
        cmocka_unit_test(folder_lock__held__is_refused_until_the_process_dies),
        cmocka_unit_test(durable__spoiled_and_copied__is_what_the_next_process_reads),
        cmocka_unit_test(trace__same_seed_and_bytes__same_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
