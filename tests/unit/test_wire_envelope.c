/* Envelopes by hand against the general codec: the same bytes out, the same fields in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "proto/entry.pb-c.h"
#include "proto/envelope.pb-c.h"
#include "wire/envelope.h"
#include "wire/field.h"
#include "wire/frame.h"
#include "wire/message.h"

enum { ROUNDS = 30000, BYTES_MAX = 300, PACKED_BYTES = 2048 };

/* Numbers of every length of a varint, and often none. */
static uint64_t number(struct rng *rng)
{
    return rng_below(rng, 4) == 0 ? 0 : rng_next(rng) >> rng_below(rng, 64);
}

/* Bytes without NUL, so that the same serve as a text. */
static struct slice bytes(struct rng *rng, uint8_t *to)
{
    uint64_t len = rng_below(rng, 4) == 0 ? 0 : rng_below(rng, BYTES_MAX);

    for (uint64_t i = 0; i < len; i++) {
        to[i] = (uint8_t)rng_between(rng, 1, 255);
    }
    to[len] = '\0';
    return slice_from(to, len);
}

static void assert_same(struct slice wanted, struct slice got)
{
    assert_true(slice_is_equal(wanted, got));
}

static void envelope_request__as_the_general_codec_packs_it__is_read(void **state)
{
    uint8_t key[BYTES_MAX + 1], body[BYTES_MAX + 1], packed[PACKED_BYTES];
    struct envelope_request request;
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < ROUNDS; i++) {
        Carillon__Request message = CARILLON__REQUEST__INIT;

        message.id = number(&rng);
        message.method = (uint32_t)number(&rng);
        message.deadline_ms = (uint32_t)number(&rng);
        message.stale_ok = rng_below(&rng, 2) == 0;
        message.key = wire_binary(bytes(&rng, key));
        message.body = wire_binary(bytes(&rng, body));
        size_t len = carillon__request__pack(&message, packed);

        assert_int_equal(envelope_request_decode(slice_from(packed, len), &request), OK);
        assert_true(request.id == message.id);
        assert_int_equal(request.method, message.method);
        assert_int_equal(request.deadline_ms, message.deadline_ms);
        assert_int_equal(request.is_stale_ok, message.stale_ok);
        assert_same(wire_bytes(message.key), request.key);
        assert_same(wire_bytes(message.body), request.body);
    }
}

/* Whatever both accept they read alike; and neither accepts much that the other does not. */
static void envelope_request__damaged__is_read_as_the_general_codec_reads_it(void **state)
{
    uint8_t key[BYTES_MAX + 1], body[BYTES_MAX + 1], packed[PACKED_BYTES];
    struct envelope_request request;
    struct rng rng;
    int accepted = 0, refused = 0;

    (void)state;
    rng_init(&rng, 2);
    for (int i = 0; i < ROUNDS; i++) {
        Carillon__Request message = CARILLON__REQUEST__INIT;

        message.id = number(&rng);
        message.method = (uint32_t)number(&rng);
        message.key = wire_binary(slice_sub(bytes(&rng, key), 0, 16));
        message.body = wire_binary(slice_sub(bytes(&rng, body), 0, 16));
        size_t len = carillon__request__pack(&message, packed);

        for (uint64_t n = rng_between(&rng, 1, 3); len > 0 && n > 0; n--) {
            packed[rng_below(&rng, len)] = (uint8_t)rng_next(&rng);
        }
        len -= len > 0 && rng_below(&rng, 4) == 0 ? 1 : 0;
        Carillon__Request *other = carillon__request__unpack(NULL, len, packed);
        bool is_read = envelope_request_decode(slice_from(packed, len), &request) == OK;

        if (is_read && other != NULL) {
            accepted++;
            assert_true(request.id == other->id);
            assert_int_equal(request.method, other->method);
            assert_int_equal(request.deadline_ms, other->deadline_ms);
            assert_same(wire_bytes(other->key), request.key);
            assert_same(wire_bytes(other->body), request.body);
        }
        refused += !is_read && other == NULL;
        if (other != NULL) {
            carillon__request__free_unpacked(other, NULL);
        }
    }
    assert_true(accepted > ROUNDS / 10);
    assert_true(refused > ROUNDS / 10);
}

static void envelope_request__known_field_of_another_type__is_malformed(void **state)
{
    struct envelope_request request;

    (void)state;
    assert_int_equal(envelope_request_decode(SLICE_LITERAL("\x0a\x01x"), &request),
                     ERR_MALFORMED); /* the id as bytes */
    assert_int_equal(envelope_request_decode(SLICE_LITERAL("\x28\x01"), &request),
                     ERR_MALFORMED); /* the body as a number */
    assert_int_equal(envelope_request_decode(SLICE_LITERAL("\x32\x01x"), &request),
                     ERR_MALFORMED); /* whether it may be stale as bytes */
    assert_int_equal(envelope_request_decode(SLICE_LITERAL("\x38\x01"), &request), OK);
}

static void envelope_entry__either_way__is_what_the_general_codec_makes_of_it(void **state)
{
    uint8_t key[BYTES_MAX + 1], body[BYTES_MAX + 1], packed[PACKED_BYTES];
    struct buf out;
    struct rng rng;

    (void)state;
    rng_init(&rng, 3);
    buf_init(&out, PACKED_BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        Carillon__Entry message = CARILLON__ENTRY__INIT;
        struct envelope_entry entry = {.wall_ms = number(&rng),
                                       .method = (uint32_t)number(&rng),
                                       .key = bytes(&rng, key),
                                       .body = bytes(&rng, body)};
        struct envelope_entry again;

        message.wall_ms = entry.wall_ms;
        message.method = entry.method;
        message.key = wire_binary(entry.key);
        message.body = wire_binary(entry.body);
        buf_clear(&out);
        assert_int_equal(envelope_entry_encode(&entry, &out), OK);
        size_t len = carillon__entry__pack(&message, packed);

        assert_same(slice_from(packed, len), buf_slice(&out));
        assert_int_equal(envelope_entry_decode(buf_slice(&out), &again), OK);
        assert_true(again.wall_ms == entry.wall_ms);
        assert_int_equal(again.method, entry.method);
        assert_same(entry.key, again.key);
        assert_same(entry.body, again.body);
    }
    buf_fini(&out);
}

/* A Staleness, and a Cluster of some nodes, in both forms. */
struct parts {
    Carillon__Staleness stale;
    Carillon__Cluster cluster;
    Carillon__ClusterNode node;
    Carillon__ClusterNode *nodes[2];
    uint32_t leads[3];
    struct buf packed_stale, packed_cluster;
};

static void parts_draw(struct parts *parts, struct rng *rng, struct envelope_reply *ret_reply)
{
    carillon__staleness__init(&parts->stale);
    carillon__cluster__init(&parts->cluster);
    carillon__cluster_node__init(&parts->node);
    parts->stale.age_ms = rng_between(rng, 1, 1 << 20);
    parts->stale.applied_index = number(rng);
    parts->leads[1] = (uint32_t)number(rng);
    parts->node.address = wire_text("192.0.2.7:7440");
    parts->node.leads = parts->leads;
    parts->node.n_leads = rng_below(rng, 4);
    parts->nodes[0] = parts->nodes[1] = &parts->node;
    parts->cluster.nodes = parts->nodes;
    parts->cluster.n_nodes = rng_between(rng, 1, 2);
    buf_clear(&parts->packed_stale);
    buf_clear(&parts->packed_cluster);
    assert_int_equal(wire_pack(&parts->stale.base, &parts->packed_stale), OK);
    assert_int_equal(wire_pack(&parts->cluster.base, &parts->packed_cluster), OK);
    ret_reply->stale = buf_slice(&parts->packed_stale);
    ret_reply->cluster = buf_slice(&parts->packed_cluster);
}

static void envelope_reply__encoded__is_the_frame_of_the_general_codec(void **state)
{
    uint8_t text[BYTES_MAX + 1], body[BYTES_MAX + 1];
    struct parts parts = {0};
    struct buf out, other;
    struct rng rng;

    (void)state;
    rng_init(&rng, 4);
    buf_init(&out, PACKED_BYTES);
    buf_init(&other, PACKED_BYTES);
    buf_init(&parts.packed_stale, PACKED_BYTES);
    buf_init(&parts.packed_cluster, PACKED_BYTES);
    for (int i = 0; i < ROUNDS; i++) {
        Carillon__Reply message = CARILLON__REPLY__INIT;
        struct envelope_reply reply = {.id = number(&rng),
                                       .status = (uint32_t)number(&rng),
                                       .retry_after_ms = (uint32_t)number(&rng),
                                       .text = bytes(&rng, text),
                                       .body = bytes(&rng, body)};

        message.id = reply.id;
        message.status = reply.status;
        message.retry_after_ms = reply.retry_after_ms;
        message.text = wire_text((const char *)text);
        message.body = wire_binary(reply.body);
        if (rng_below(&rng, 2) == 0) {
            parts_draw(&parts, &rng, &reply);
            message.stale = &parts.stale;
            message.cluster = &parts.cluster;
        }
        buf_clear(&out);
        buf_clear(&other);
        assert_int_equal(envelope_reply_encode(&reply, &out), OK);
        assert_int_equal(wire_pack_frame(&message.base, &other), OK);
        assert_same(buf_slice(&other), buf_slice(&out));
    }
    buf_fini(&parts.packed_stale);
    buf_fini(&parts.packed_cluster);
    buf_fini(&out);
    buf_fini(&other);
}

static void envelope_reply__that_does_not_fit__appends_nothing(void **state)
{
    static uint8_t large[FRAME_BYTES_MAX];
    struct envelope_reply reply = {.id = 1, .body = slice_from(large, sizeof large)};
    struct buf out;

    (void)state;
    buf_init(&out, 2 * FRAME_BYTES_MAX);
    assert_int_equal(envelope_reply_encode(&reply, &out), ERR_TOO_LARGE);
    assert_int_equal(out.len, 0);
    reply.body.len = FRAME_BYTES_MAX - 6; /* with 2 of the id and 4 of its own head */
    assert_int_equal(envelope_reply_encode(&reply, &out), OK);
    assert_int_equal(out.len, FRAME_HEADER_BYTES + FRAME_BYTES_MAX);
    buf_fini(&out);
    buf_init(&out, 100);
    reply.body.len = 100;
    assert_int_equal(envelope_reply_encode(&reply, &out), ERR_FULL);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void field_read__of_any_bytes__stays_inside_them(void **state)
{
    uint8_t some[32];
    struct rng rng;

    (void)state;
    rng_init(&rng, 5);
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = rng_below(&rng, sizeof some);

        for (size_t at = 0; at < len; at++) {
            some[at] = (uint8_t)rng_next(&rng);
        }
        struct field_reader in = field_reader_from(slice_from(some, len));
        struct field field;

        while (!field_reader_is_done(&in) && field_read(&in, &field)) {
            assert_in_range(in.at - some, 1, len);
            if (field.type == FIELD_BYTES) {
                assert_true(field.bytes.data + field.bytes.len == in.at);
                assert_true(field.bytes.data > some);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envelope_request__as_the_general_codec_packs_it__is_read),
        cmocka_unit_test(envelope_request__damaged__is_read_as_the_general_codec_reads_it),
        cmocka_unit_test(envelope_request__known_field_of_another_type__is_malformed),
        cmocka_unit_test(envelope_entry__either_way__is_what_the_general_codec_makes_of_it),
        cmocka_unit_test(envelope_reply__encoded__is_the_frame_of_the_general_codec),
        cmocka_unit_test(envelope_reply__that_does_not_fit__appends_nothing),
        cmocka_unit_test(field_read__of_any_bytes__stays_inside_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
