/* Fields written by hand are the bytes that protobuf-c packs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "proto/search.pb-c.h"
#include "wire/field_append.h"
#include "wire/message.h"

enum { ROUNDS = 400, TEXT_BYTES_MAX = 300 };

static struct rng rng;

/* A text of any length around those where a length takes a byte more. */
static char *draw_text(char out[TEXT_BYTES_MAX])
{
    static const uint32_t around[] = {0, 1, 5, 126, 200};
    size_t len = around[rng_below(&rng, 5)] + rng_below(&rng, 4);

    memset(out, 'x', len);
    out[len] = '\0';
    return out;
}

static uint32_t draw_number(void)
{
    return (uint32_t)(rng_next(&rng) >> (32 + rng_below(&rng, 32)));
}

static void put_hit(struct buf *out, const Carillon__SearchHit *hit, size_t likely)
{
    struct field_open whole, title;

    assert_int_equal(field_begin(out, 1, likely, &whole), OK);
    assert_int_equal(field_append_text(out, 1, slice_from_text(hit->institution)), OK);
    assert_int_equal(field_begin(out, 4, likely, &title), OK);
    assert_int_equal(buf_append_text(out, hit->title), OK);
    assert_int_equal(field_end_text(out, title), OK);
    assert_int_equal(field_append_number(out, 6, hit->score), OK);
    for (size_t i = 0; i < hit->n_instructors; i++) {
        assert_int_equal(field_append_item(out, 12, slice_from_text(hit->instructors[i])), OK);
    }
    assert_int_equal(field_end(out, whole), OK);
}

static void field__message_of_any_lengths__is_what_protobuf_packs(void **state)
{
    (void)state;
    rng_init(&rng, 11);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char texts[5][TEXT_BYTES_MAX];
        char *people[] = {draw_text(texts[0]), draw_text(texts[1])};
        Carillon__SearchHit hit = CARILLON__SEARCH_HIT__INIT;
        Carillon__SearchHit *hits[] = {&hit};
        Carillon__SearchReply reply = CARILLON__SEARCH_REPLY__INIT;
        struct buf expected, written;

        hit.institution = draw_text(texts[2]);
        hit.title = draw_text(texts[3]);
        hit.score = draw_number();
        hit.n_instructors = rng_below(&rng, 3);
        hit.instructors = people;
        reply.n_hits = 1;
        reply.hits = hits;
        reply.matches = draw_number();
        reply.corrected = draw_text(texts[4]);
        reply.node_us = rng_next(&rng);
        buf_init(&expected, 1 << 16);
        buf_init(&written, 1 << 16);
        assert_int_equal(wire_pack(&reply.base, &expected), OK);
        put_hit(&written, &hit, rng_below(&rng, 20000));
        assert_int_equal(field_append_number(&written, 3, reply.matches), OK);
        assert_int_equal(field_append_text(&written, 5, slice_from_text(reply.corrected)), OK);
        assert_int_equal(field_append_number(&written, 8, reply.node_us), OK);
        assert_int_equal(written.len, expected.len);
        assert_memory_equal(written.data, expected.data, expected.len);
        buf_fini(&expected);
        buf_fini(&written);
    }
}

static void field__beyond_the_bound__is_refused(void **state)
{
    struct field_open open;
    struct buf out;

    (void)state;
    buf_init(&out, 16);
    assert_int_equal(field_append_text(&out, 1, SLICE_LITERAL("0123456789")), OK);
    size_t len = out.len;
    assert_int_equal(field_append_text(&out, 2, SLICE_LITERAL("0123456789")), ERR_FULL);
    assert_int_equal(out.len, len);
    assert_int_equal(field_begin(&out, 3, 1 << 30, &open), ERR_FULL);
    assert_int_equal(out.len, len);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(field__message_of_any_lengths__is_what_protobuf_packs),
        cmocka_unit_test(field__beyond_the_bound__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
