/* Every cut, every bit, every order of the last batch's sectors: what the scan makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/log_image.h"
#include "tests/lib/log_world.h"

enum { LAST_ENTRIES = 33 };

struct counts {
    uint64_t states;
    uint64_t damaged;
    uint64_t torn;
    uint64_t undecidable; /* whole last batch stored, one bit of it bad, no marker */
    uint64_t harmless;    /* padding and free space */
};

static struct log_image image;
static struct log_image pristine;

/* [enum log_world_size] */
static const uint32_t scales[] = {2, 5, 12};

/* Two segments in use and a spare one, several batches, the last of several sectors. */
static void build(uint32_t scale)
{
    log_image_init(&image, 5, 8192 * scale);
    for (uint32_t i = 0; i < 2 * scale; i++) {
        log_image_batch(&image, 5 + i % 7, 40 + i);
    }
    log_image_rotate(&image, 8192 * scale + 16384);
    log_image_batch(&image, 1, 100);
    log_image_skip_batches(&image, 2);
    log_image_batch(&image, 0, 0);
    for (uint32_t i = 0; i < 2 * scale; i++) {
        log_image_batch(&image, 4 + i % 5, 90 + i);
    }
    log_image_batch(&image, LAST_ENTRIES, 60);
    log_image_rotate(&image, 1024);
    log_image_trim(&image, 256);
    pristine = image;
}

static void print_counts(const char *what, const struct counts *c)
{
    print_message(
        "%s: %llu states: %llu damaged, %llu torn tails, %llu undecidable, %llu harmless\n",
        what, (unsigned long long)c->states, (unsigned long long)c->damaged,
        (unsigned long long)c->torn, (unsigned long long)c->undecidable,
        (unsigned long long)c->harmless);
}

/* Entries of @last segment's records that end at or before @limit, and all of the segments
 * before. */
static uint64_t entries_before(uint32_t segment, uint64_t limit)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < pristine.record_count; i++) {
        const struct log_image_record *record = &pristine.records[i];
        bool is_stored =
            record->segment < segment || (record->segment == segment && record->end <= limit);
        count += is_stored && record->index != 0 ? 1 : 0;
    }
    return count;
}

static void log_scan__whole_log__hands_over_everything_in_order(void **state)
{
    struct log_scan scan;
    (void)state;

    build(2);
    assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
    assert_int_equal(image.seen, image.index);
    assert_true(image.is_in_order);
    assert_int_equal(scan.last.batch, image.end.batch);
    assert_int_equal(scan.last.end, image.end.end);
    assert_int_equal(scan.last_begin, image.last_begin);
    assert_int_equal(scan.batch_seen, image.batch);
    assert_int_equal(scan.segment, 1);
    assert_int_equal(log_image_scan(&image, &image.end, &scan), OK);
}

/* The file ends, or the zeros of a fresh segment begin, at each byte of the last segment. */
static void log_scan__cut_at_every_byte__keeps_exactly_the_stored_records(void **state)
{
    struct counts counts = {0};
    struct log_scan scan;
    (void)state;

    build(scales[log_world_size()]);
    uint64_t end = image.end.end;
    for (uint64_t cut = end; cut-- > 0;) {
        uint64_t zeros = cut; /* bytes that are zero anyway are not missed */
        while (zeros < end && pristine.bytes[1][zeros] == 0) {
            zeros++;
        }
        for (int way = 0; way < 2; way++) {
            image.sizes[1] = way == 0 ? cut : pristine.sizes[1];
            image.bytes[1][cut] = 0;
            assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
            assert_int_equal(image.seen, entries_before(1, way == 0 ? cut : zeros));
            assert_true(image.is_in_order);
            counts.states++;
            counts.torn++;
        }
        image.sizes[1] = cut;
        assert_int_equal(log_image_scan(&image, &pristine.end, &scan), ERR_DAMAGED);
        assert_int_equal(scan.reason, LOG_SCAN_BELOW_MARKER);
        counts.states++;
        counts.damaged++;
    }
    print_counts("cuts of the last segment", &counts);
}

static void log_scan__earlier_segment_cut_at_every_byte__is_damage(void **state)
{
    struct counts counts = {0};
    struct log_scan scan;
    (void)state;

    build(scales[log_world_size()]);
    uint64_t end = 0;
    for (uint32_t i = 0; i < image.record_count; i++) {
        end = image.records[i].segment == 0 ? image.records[i].end : end;
    }
    for (uint64_t cut = 0; cut < end; cut++) {
        image.sizes[0] = cut;
        assert_int_equal(log_image_scan(&image, NULL, &scan), ERR_DAMAGED);
        assert_int_equal(scan.reason, LOG_SCAN_LATER_BATCH);
        assert_int_equal(scan.stop_segment, 0);
        assert_true(scan.stop <= log_align(cut, LOG_SECTOR_BYTES));
        counts.states++;
        counts.damaged++;
    }
    print_counts("cuts of an earlier segment", &counts);
}

/* One flipped bit: what must come of it, without and with a marker that covers the last batch.
 */
static void check_flip(uint32_t segment, uint64_t offset, struct counts *counts)
{
    const struct log_image_record *record = log_image_find(&pristine, segment, offset);
    struct log_scan scan;
    int status = log_image_scan(&image, NULL, &scan);

    assert_true(image.is_in_order);
    counts->states++;
    if (record == NULL) {
        assert_int_equal(status, OK);
        assert_int_equal(image.seen, pristine.index);
        counts->harmless++;
        return;
    }
    assert_int_equal(image.seen, entries_before(segment, record->begin));
    if (record->batch == pristine.batch) {
        assert_int_equal(status, OK);
        counts->undecidable++;
        status = log_image_scan(&image, &pristine.end, &scan);
        counts->states++;
    }
    assert_int_equal(status, ERR_DAMAGED);
    assert_int_equal(scan.stop_segment, record->segment);
    assert_int_equal(scan.stop, record->begin);
    counts->damaged++;
}

static void log_scan__every_bit_flipped__is_found_or_in_the_last_batch(void **state)
{
    struct counts counts = {0};
    (void)state;

    build(scales[log_world_size()]);
    uint64_t last_bits = 0;
    uint64_t record_bits = 0;
    for (uint32_t i = 0; i < image.record_count; i++) {
        uint64_t bits = 8 * (image.records[i].end - image.records[i].begin);
        record_bits += bits;
        last_bits += image.records[i].batch == image.batch ? bits : 0;
    }
    for (uint32_t segment = 0; segment < image.count; segment++) {
        for (uint64_t bit = 0; bit < 8 * image.sizes[segment]; bit++) {
            image.bytes[segment][bit / 8] ^= (uint8_t)(1U << (bit % 8));
            check_flip(segment, bit / 8, &counts);
            image.bytes[segment][bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
    }
    assert_int_equal(counts.undecidable, last_bits);
    assert_int_equal(counts.damaged, record_bits);
    print_counts("flipped bits", &counts);
}

/* What the sectors of the last batch held before it was written. */
enum before {
    BEFORE_ZEROS,
    BEFORE_EARLIER_LIFE,
    BEFORE_TORN_BATCH,
    BEFORE_SAME_NUMBER,
    BEFORE_NR
};

static void fill_before(uint8_t *sectors, uint64_t bytes, enum before before)
{
    static struct log_image other;

    memset(sectors, 0, bytes);
    if (before == BEFORE_ZEROS) {
        return;
    }
    /* The same layout of records, so that every header stands where the new one will: of an
     * earlier life, or of a batch that was torn here and left behind a seal. */
    bool is_life = before == BEFORE_EARLIER_LIFE;
    log_image_init(&other, is_life ? 2 : 6, 65536);
    other.end = (struct log_place){1, 1, 512};
    uint64_t number = before == BEFORE_SAME_NUMBER ? pristine.batch : pristine.batch - 1;
    log_image_skip_batches(&other, is_life ? 1000 : number - 1);
    log_image_batch(&other, LAST_ENTRIES, 60);
    memcpy(sectors, other.bytes[0], bytes);
}

/* Sectors reach the disk in any order: at a crash any subset of them is there. */
static void log_scan__any_subset_of_the_last_batchs_sectors__is_a_torn_tail(void **state)
{
    struct counts counts = {0};
    struct log_scan scan;
    uint8_t before[32 * LOG_SECTOR_BYTES];
    (void)state;

    build(1);
    uint64_t begin = image.last_begin;
    uint64_t sectors = log_align(image.end.end - begin, LOG_SECTOR_BYTES) / LOG_SECTOR_BYTES;
    assert_in_range(sectors, 6, 20);
    for (enum before way = BEFORE_ZEROS; way < BEFORE_NR; way++) {
        fill_before(before, sectors * LOG_SECTOR_BYTES, way);
        for (uint32_t subset = 0; subset < 1U << sectors; subset++) {
            uint64_t whole = 0;
            while (whole < sectors && (subset >> whole & 1U) != 0) {
                whole++;
            }
            for (uint64_t i = 0; i < sectors; i++) {
                const uint8_t *from = (subset >> i & 1U) != 0
                                          ? pristine.bytes[1] + begin + i * LOG_SECTOR_BYTES
                                          : before + i * LOG_SECTOR_BYTES;
                memcpy(image.bytes[1] + begin + i * LOG_SECTOR_BYTES, from, LOG_SECTOR_BYTES);
            }
            assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
            assert_true(image.is_in_order);
            /* Equal bytes before and after make a sector whole that was not written; more can
             * never come. */
            assert_true(image.seen >= entries_before(1, begin + whole * LOG_SECTOR_BYTES));
            if (way == BEFORE_ZEROS) {
                assert_in_range(image.seen, entries_before(1, begin + whole * LOG_SECTOR_BYTES),
                                entries_before(1, begin + whole * LOG_SECTOR_BYTES) + 1);
            }
            counts.states++;
            counts.torn++;
        }
    }
    print_counts("subsets of sectors", &counts);
}

/* Two batches of one number written to one place, of which the second was torn where a record
 * of the first begins: the chain tells them apart. */
static void log_scan__same_number_in_another_chain__is_not_taken(void **state)
{
    struct log_scan scan;
    (void)state;

    log_image_init(&pristine, 1, 8192);
    pristine.step = 0;
    pristine.chain = 12345;
    log_image_batch(&pristine, 12, 40);
    log_image_init(&image, 1, 8192);
    image.step = 0;
    log_image_batch(&image, 12, 40);
    assert_int_equal(image.records[5].begin, LOG_SECTOR_BYTES);
    memcpy(image.bytes[0] + LOG_SECTOR_BYTES, pristine.bytes[0] + LOG_SECTOR_BYTES,
           8192 - LOG_SECTOR_BYTES);
    assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
    assert_int_equal(image.seen, 4);
    assert_int_equal(scan.last.end, LOG_SECTOR_BYTES);
}

static void log_scan__segment_full_of_an_earlier_life__reads_as_empty(void **state)
{
    struct log_scan scan;
    (void)state;

    log_image_init(&image, 3, 65536);
    for (int i = 0; i < 30; i++) {
        log_image_batch(&image, 6, 80);
    }
    image.first_serial = 9; /* the file was renamed: nothing in it was changed */
    assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
    assert_int_equal(image.seen, 0);
    assert_int_equal(scan.batch_seen, 0);
}

static void log_scan__records_of_another_node__are_refused(void **state)
{
    struct log_scan scan;
    (void)state;

    build(1);
    image.identity++;
    assert_int_equal(log_image_scan(&image, NULL, &scan), ERR_DAMAGED);
    assert_int_equal(scan.reason, LOG_SCAN_FOREIGN);
    assert_int_equal(scan.stop, 0);
}

static void log_scan__another_format__is_refused_and_not_called_damage(void **state)
{
    struct log_scan scan;
    (void)state;

    log_image_init(&image, 1, 8192);
    log_image_batch(&image, 3, 10);
    for (uint32_t i = 0; i < image.record_count; i++) {
        image.bytes[0][image.records[i].begin + 3] = LOG_FORMAT + 1;
    }
    assert_int_equal(log_image_scan(&image, NULL, &scan), ERR_VERSION);
    assert_int_equal(scan.reason, LOG_SCAN_VERSION);
}

/* A seal numbered above a torn batch: what is left of that batch behind it means nothing. */
static void log_scan__leftovers_behind_a_seal__are_ignored(void **state)
{
    struct log_scan scan;
    (void)state;

    log_image_init(&image, 1, 32768);
    log_image_batch(&image, 3, 10);
    struct log_image *torn = &pristine;
    *torn = image;
    log_image_batch(torn, 19, 60);
    log_image_skip_batches(&image, 1);
    log_image_batch(&image, 0, 0);
    uint64_t from = log_align(image.end.end, LOG_SECTOR_BYTES);
    memcpy(image.bytes[0] + from, torn->bytes[0] + from, 8192);
    assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
    assert_int_equal(image.seen, 3);
    assert_int_equal(scan.last.batch, 3);

    /* The same leftovers with the seal lost: still a torn tail of batch 2, in the same place.
     */
    memset(image.bytes[0] + 512, 0, 512);
    assert_int_equal(log_image_scan(&image, NULL, &scan), OK);
    assert_int_equal(image.seen, 3);
    assert_int_equal(scan.batch_seen, 2);

    /* Had a batch followed the torn one, it would have been durable: now the loss is damage. */
    *torn = image;
    log_image_init(&image, 1, 32768);
    log_image_batch(&image, 3, 10);
    log_image_batch(&image, 19, 60);
    log_image_batch(&image, 1, 10);
    memset(image.bytes[0] + 512, 0, 512);
    assert_int_equal(log_image_scan(&image, NULL, &scan), ERR_DAMAGED);
    assert_int_equal(scan.stop, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_scan__whole_log__hands_over_everything_in_order),
        cmocka_unit_test(log_scan__cut_at_every_byte__keeps_exactly_the_stored_records),
        cmocka_unit_test(log_scan__earlier_segment_cut_at_every_byte__is_damage),
        cmocka_unit_test(log_scan__every_bit_flipped__is_found_or_in_the_last_batch),
        cmocka_unit_test(log_scan__any_subset_of_the_last_batchs_sectors__is_a_torn_tail),
        cmocka_unit_test(log_scan__same_number_in_another_chain__is_not_taken),
        cmocka_unit_test(log_scan__segment_full_of_an_earlier_life__reads_as_empty),
        cmocka_unit_test(log_scan__records_of_another_node__are_refused),
        cmocka_unit_test(log_scan__another_format__is_refused_and_not_called_damage),
        cmocka_unit_test(log_scan__leftovers_behind_a_seal__are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
