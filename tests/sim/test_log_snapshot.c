/* A snapshot file cut at every byte and flipped at every bit is never taken for a whole one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/hash.h"
#include "base/rng.h"
#include "io_sim/io_sim.h"
#include "log/bytes.h"
#include "log/snapshot_format.h"

enum { CHUNKS = 4, CHUNK_BYTES = 1500, RAW_BYTES = CHUNKS * CHUNK_BYTES };

enum { CONFIGURATION_BYTES = 29, HEADER_BYTES = 64 + 32 };

static const struct log_snapshot_info info = {
    .group = 3,
    .index = 77,
    .term = 1,
    .identity = 99,
    .configuration_bytes = CONFIGURATION_BYTES,
    .configuration_index = 70,
    .configuration = "who belongs to it, at length",
};

struct fixture {
    struct io_sim *sim;
    struct io *io;
    struct log_snapshot_writer writer;
    int done;
    int status;
    uint8_t raw[RAW_BYTES];
    struct buf file;
};

static void on_done(struct log_snapshot_writer *writer, int status)
{
    struct fixture *f = CONTAINER_OF(writer, struct fixture, writer);

    f->done++;
    f->status = status;
}

static int wait_done(struct fixture *f)
{
    int before = f->done;

    while (f->done == before && io_sim_step(f->sim)) {
    }
    assert_int_equal(f->done, before + 1);
    return f->status;
}

static void put_chunks(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(buf_append(&f->writer.raw, f->raw + i * CHUNK_BYTES, CHUNK_BYTES), OK);
        log_snapshot_put(&f->writer);
        assert_int_equal(wait_done(f), OK);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct rng rng;

    f->sim = io_sim_create(7, NULL);
    f->io = io_sim_machine_create(f->sim, "10.0.0.1");
    rng_init(&rng, 4);
    for (size_t i = 0; i < RAW_BYTES; i++) {
        f->raw[i] = (uint8_t)rng_below(&rng, 20);
    }
    buf_init(&f->file, 1 << 20);
    assert_int_equal(io_folder_make(f->io, "snapshots"), OK);
    assert_int_equal(log_snapshot_init(&f->writer, f->io, "snapshots", &info, on_done), OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_snapshot_fini(&f->writer);
    buf_fini(&f->file);
    io_sim_destroy(f->sim);
    free(f);
    return 0;
}

/* ---- reading from memory ---- */

struct memory {
    struct slice bytes;
    const struct fixture *f;
    size_t got;
    bool is_wrong; /* the sink got bytes that were never put */
};

static int memory_read(void *context, uint64_t offset, void *data, size_t len, size_t *ret_len)
{
    const struct memory *memory = context;
    struct slice part = slice_sub(memory->bytes, offset, len);

    if (part.len > 0) {
        memcpy(data, part.data, part.len);
    }
    *ret_len = part.len;
    return OK;
}

static int memory_begin(void *context, const struct log_snapshot_info *got)
{
    struct memory *memory = context;

    if (got->group != info.group || got->index != info.index || got->term != info.term ||
        got->identity != info.identity ||
        got->configuration_index != info.configuration_index ||
        got->configuration_bytes != info.configuration_bytes ||
        memcmp(got->configuration, info.configuration, CONFIGURATION_BYTES) != 0) {
        memory->is_wrong = true;
    }
    return OK;
}

static int memory_chunk(void *context, struct slice bytes)
{
    struct memory *memory = context;

    if (memory->got + bytes.len > RAW_BYTES ||
        memcmp(memory->f->raw + memory->got, bytes.data, bytes.len) != 0) {
        memory->is_wrong = true;
    }
    memory->got += bytes.len;
    return OK;
}

static int read_memory(const struct fixture *f, struct slice bytes, struct memory *ret_memory,
                       uint64_t *ret_offset)
{
    *ret_memory = (struct memory){.bytes = bytes, .f = f};
    struct log_snapshot_source source = {ret_memory, memory_read};
    struct log_snapshot_sink sink = {ret_memory, memory_begin, memory_chunk};

    return log_snapshot_read(&source, &sink, ret_offset);
}

static void make_file(struct fixture *f)
{
    put_chunks(f, CHUNKS);
    log_snapshot_finish(&f->writer);
    assert_int_equal(wait_done(f), OK);
    assert_int_equal(
        io_sim_durable_read(f->io, "snapshots/snapshot-0003-000000000000004d", &f->file), OK);
    assert_int_equal(f->file.len, f->writer.info.bytes);
}

static void log_snapshot__whole_file__reads_what_was_put(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    uint64_t offset;

    make_file(f);
    assert_int_equal(read_memory(f, buf_slice(&f->file), &memory, &offset), OK);
    assert_int_equal(memory.got, RAW_BYTES);
    assert_false(memory.is_wrong);
    assert_true(f->file.len < RAW_BYTES); /* it is compressed */
}

static void log_snapshot__cut_at_every_byte__is_damage(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    uint64_t offset;

    make_file(f);
    for (size_t cut = 0; cut < f->file.len; cut++) {
        assert_int_equal(read_memory(f, slice_from(f->file.data, cut), &memory, &offset),
                         ERR_DAMAGED);
        assert_false(memory.is_wrong);
        assert_true(offset <= cut);
    }
    assert_int_equal(buf_append_byte(&f->file, 0), OK);
    assert_int_equal(read_memory(f, buf_slice(&f->file), &memory, &offset), ERR_DAMAGED);
}

static void log_snapshot__every_bit_flipped__is_damage(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    uint64_t offset;

    make_file(f);
    for (size_t bit = 0; bit < 8 * f->file.len; bit++) {
        f->file.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_equal(read_memory(f, buf_slice(&f->file), &memory, &offset), ERR_DAMAGED);
        assert_false(memory.is_wrong);
        assert_true(offset <= bit / 8);
        f->file.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    print_message("%zu bits, all found\n", 8 * f->file.len);
}

static void log_snapshot__pieces_left_out_or_swapped__are_damage(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    uint64_t offset;
    struct buf other;

    make_file(f);
    size_t first = HEADER_BYTES;
    size_t chunk = (f->file.len - HEADER_BYTES - 48) / CHUNKS; /* about: any cut will do */
    buf_init(&other, 1 << 20);
    assert_int_equal(buf_append(&other, f->file.data, first), OK);
    assert_int_equal(
        buf_append(&other, f->file.data + first + chunk, f->file.len - first - chunk), OK);
    assert_int_equal(read_memory(f, buf_slice(&other), &memory, &offset), ERR_DAMAGED);
    /* Header and footer alone: every piece is intact, yet they do not belong together. */
    buf_clear(&other);
    assert_int_equal(buf_append(&other, f->file.data, first), OK);
    assert_int_equal(buf_append(&other, f->file.data + f->file.len - 48, 48), OK);
    assert_int_equal(read_memory(f, buf_slice(&other), &memory, &offset), ERR_DAMAGED);
    buf_fini(&other);
}

static int version_1_begin(void *context, const struct log_snapshot_info *got)
{
    struct memory *memory = context;

    memory->is_wrong = got->group != info.group || got->index != info.index ||
                       got->term != info.term || got->identity != info.identity ||
                       got->version != 1 || got->configuration_bytes != 0 ||
                       got->configuration_index != 0;
    return OK;
}

/* The file as the first format had it: a header of 64 bytes, chunks that are the same. */
static void log_snapshot__of_the_first_format__is_read(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    struct snapshot_footer footer;
    uint8_t header[64] = "CLRS";
    uint64_t offset;
    struct buf old;

    make_file(f);
    bytes_put_u32(header + 8, 1);
    bytes_put_u32(header + 12, info.group);
    bytes_put_u64(header + 16, info.index);
    bytes_put_u64(header + 24, info.term);
    bytes_put_u64(header + 32, info.identity);
    bytes_put_u32(header + 4, crc32c(0, header + 8, sizeof header - 8));
    buf_init(&old, 1 << 20);
    assert_int_equal(buf_append(&old, header, sizeof header), OK);
    uint64_t hash = hash_bytes_seeded(0, header, sizeof header);
    size_t end = f->file.len - SNAPSHOT_FOOTER_BYTES;
    for (size_t at = HEADER_BYTES; at < end;) {
        size_t piece = SNAPSHOT_CHUNK_BYTES + bytes_get_u32(f->file.data + at + 8);
        hash = hash_bytes_seeded(hash, f->file.data + at, piece);
        assert_int_equal(buf_append(&old, f->file.data + at, piece), OK);
        at += piece;
    }
    assert_int_equal(snapshot_footer_decode(f->file.data + end, &footer), OK);
    footer.bytes = old.len;
    footer.hash = hash;
    assert_int_equal(buf_reserve(&old, SNAPSHOT_FOOTER_BYTES), OK);
    snapshot_footer_encode(&footer, old.data + old.len);
    old.len += SNAPSHOT_FOOTER_BYTES;

    memory = (struct memory){.bytes = buf_slice(&old), .f = f};
    struct log_snapshot_source source = {&memory, memory_read};
    struct log_snapshot_sink sink = {&memory, version_1_begin, memory_chunk};
    assert_int_equal(log_snapshot_read(&source, &sink, &offset), OK);
    assert_int_equal(memory.got, RAW_BYTES);
    assert_false(memory.is_wrong);
    buf_fini(&old);
}

/* A later format is not called damage. */
static void log_snapshot__of_a_later_format__is_another_version(void **state)
{
    struct fixture *f = *state;
    struct memory memory;
    uint64_t offset;

    make_file(f);
    bytes_put_u32(f->file.data + 8, LOG_SNAPSHOT_FORMAT + 1);
    bytes_put_u32(f->file.data + 4, crc32c(0, f->file.data + 8, SNAPSHOT_HEADER_BYTES - 8));
    assert_int_equal(read_memory(f, buf_slice(&f->file), &memory, &offset), ERR_VERSION);
}

/* What a node wrote before it had peers is its own, what it writes now is its cluster's. */
static void log_snapshot_is_of__node_or_cluster__by_format(void **state)
{
    struct log_identity mine = {.cluster = {1}, .node = {2}};
    struct log_identity peer = {.cluster = {1}, .node = {3}};
    struct log_identity other = {.cluster = {4}, .node = {2}};
    struct log_snapshot_info of_node = {.version = 1, .identity = log_identity_hash(&mine)};
    struct log_snapshot_info of_cluster = {.version = 2, .identity = log_cluster_hash(&mine)};
    (void)state;

    assert_true(log_snapshot_is_of(&of_node, &mine));
    assert_false(log_snapshot_is_of(&of_node, &peer));
    assert_false(log_snapshot_is_of(&of_node, &other));
    assert_true(log_snapshot_is_of(&of_cluster, &mine));
    assert_true(log_snapshot_is_of(&of_cluster, &peer));
    assert_false(log_snapshot_is_of(&of_cluster, &other));
}

static void log_snapshot_give_up__in_the_middle__leaves_no_file(void **state)
{
    struct fixture *f = *state;
    uint64_t indexes[8];

    put_chunks(f, 2);
    log_snapshot_give_up(&f->writer);
    assert_int_equal(wait_done(f), ERR_CANCELLED);
    assert_int_equal(log_snapshot_list(f->io, "snapshots", 8, indexes), OK);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(indexes[i], 0);
    }
}

static void log_snapshot_parse__other_names__are_malformed(void **state)
{
    static const char *const names[] = {"snapshot-0001-0000000000000005.tmp",
                                        "snapshot-1-5",
                                        "log-0000000000000001",
                                        "snapshot-0001-000000000000000G",
                                        "",
                                        "snapshot-0001-00000000000000005"};
    uint32_t group;
    uint64_t index;
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(log_snapshot_parse(names[i], &group, &index), ERR_MALFORMED);
    }
    assert_int_equal(log_snapshot_parse("snapshot-0401-00000000000000ff", &group, &index), OK);
    assert_int_equal(group, 1025);
    assert_int_equal(index, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(log_snapshot__whole_file__reads_what_was_put, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_snapshot__cut_at_every_byte__is_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_snapshot__every_bit_flipped__is_damage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_snapshot__pieces_left_out_or_swapped__are_damage,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(log_snapshot_give_up__in_the_middle__leaves_no_file,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(log_snapshot__of_the_first_format__is_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(log_snapshot__of_a_later_format__is_another_version,
                                        setup, teardown),
        cmocka_unit_test(log_snapshot_is_of__node_or_cluster__by_format),
        cmocka_unit_test(log_snapshot_parse__other_names__are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
