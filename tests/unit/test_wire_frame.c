/* Frames: any cutting of the stream gives the same frames, and an announced length never makes
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "wire/frame.h"

enum { FRAMES = 40 };

static void append_frame(struct buf *stream, const uint8_t *payload, size_t len)
{
    size_t start;

    assert_int_equal(frame_begin(stream, &start), OK);
    assert_int_equal(buf_append(stream, payload, len), OK);
    frame_end(stream, start);
}

/* Read all frames of @stream, fed in pieces whose lengths come from @rng, and compare with what
 * was written. */
static void read_in_pieces(struct slice stream, struct rng *rng, size_t piece_max)
{
    struct frame_reader reader;
    struct slice payload;
    size_t frame = 0;
    int rc;

    frame_reader_init(&reader, FRAME_BYTES_MAX);
    while (stream.len > 0) {
        size_t len = rng_between(rng, 1, piece_max);

        frame_reader_feed(&reader, slice_sub(stream, 0, len));
        while ((rc = frame_reader_next(&reader, &payload)) == OK) {
            assert_int_equal(payload.len, frame * 7);
            for (size_t i = 0; i < payload.len; i++) {
                assert_int_equal(payload.data[i], (uint8_t)(frame + i));
            }
            frame++;
        }
        assert_int_equal(rc, ERR_EOF);
        stream = slice_sub(stream, len, SIZE_MAX);
    }
    assert_int_equal(frame, FRAMES);
    assert_false(frame_reader_is_inside(&reader));
    frame_reader_fini(&reader);
}

static void frames__cut_anywhere__come_out_whole(void **state)
{
    uint8_t payload[FRAMES * 7];
    struct buf stream;
    struct rng rng;

    (void)state;
    buf_init(&stream, 1 << 20);
    for (size_t frame = 0; frame < FRAMES; frame++) {
        for (size_t i = 0; i < frame * 7; i++) {
            payload[i] = (uint8_t)(frame + i);
        }
        append_frame(&stream, payload, frame * 7);
    }
    for (uint64_t seed = 0; seed < 300; seed++) {
        rng_init(&rng, seed);
        read_in_pieces(buf_slice(&stream), &rng, 1 + seed % 97);
    }
    buf_fini(&stream);
}

static void frame__announced_too_long__is_refused_before_memory_is_taken(void **state)
{
    static const uint8_t header[] = {0x01, 0x00, 0x10, 0x00}; /* 1 MiB + 1 */
    struct frame_reader reader;
    struct slice payload;

    (void)state;
    frame_reader_init(&reader, FRAME_BYTES_MAX);
    frame_reader_feed(&reader, slice_from(header, sizeof header));
    assert_int_equal(frame_reader_next(&reader, &payload), ERR_TOO_LARGE);
    assert_int_equal(reader.partial.cap, 0);
    frame_reader_fini(&reader);
}

static void frame__too_long_byte_by_byte__is_refused_with_the_fourth(void **state)
{
    static const uint8_t header[] = {0xff, 0xff, 0xff, 0xff};
    struct frame_reader reader;
    struct slice payload;

    (void)state;
    frame_reader_init(&reader, FRAME_BYTES_MAX);
    for (size_t i = 0; i < 3; i++) {
        frame_reader_feed(&reader, slice_from(&header[i], 1));
        assert_int_equal(frame_reader_next(&reader, &payload), ERR_EOF);
        assert_true(frame_reader_is_inside(&reader));
    }
    frame_reader_feed(&reader, slice_from(&header[3], 1));
    assert_int_equal(frame_reader_next(&reader, &payload), ERR_TOO_LARGE);
    frame_reader_fini(&reader);
}

static void frame__of_the_largest_size__passes_and_its_memory_is_given_back(void **state)
{
    static uint8_t payload[FRAME_BYTES_MAX];
    struct frame_reader reader;
    struct buf stream;
    struct slice whole;

    (void)state;
    buf_init(&stream, FRAME_BYTES_MAX + 64);
    append_frame(&stream, payload, sizeof payload);
    frame_reader_init(&reader, FRAME_BYTES_MAX);
    frame_reader_feed(&reader, slice_sub(buf_slice(&stream), 0, 1000));
    assert_int_equal(frame_reader_next(&reader, &whole), ERR_EOF);
    frame_reader_feed(&reader, slice_sub(buf_slice(&stream), 1000, SIZE_MAX));
    assert_int_equal(frame_reader_next(&reader, &whole), OK);
    assert_int_equal(whole.len, sizeof payload);
    assert_int_equal(frame_reader_next(&reader, &whole), ERR_EOF);
    assert_true(reader.partial.cap <= 64 << 10);
    frame_reader_fini(&reader);
    buf_fini(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames__cut_anywhere__come_out_whole),
        cmocka_unit_test(frame__announced_too_long__is_refused_before_memory_is_taken),
        cmocka_unit_test(frame__too_long_byte_by_byte__is_refused_with_the_fourth),
        cmocka_unit_test(frame__of_the_largest_size__passes_and_its_memory_is_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
