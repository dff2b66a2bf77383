/* Messages in bounded memory, the compact codec, and the registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/registration.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"
#include "wire/pack.h"

static void message__packed_and_unpacked__is_the_same(void **state)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[] = {&op};
    struct arena scratch;
    struct buf out;

    (void)state;
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.code = wire_text("HIGR 238/ANTH 268");
    op.section = wire_text("1");
    request.student = wire_text("s1");
    request.n_ops = 1;
    request.ops = ops;
    arena_init(&scratch, 1 << 16);
    buf_init(&out, 1 << 16);
    assert_int_equal(wire_pack(&request.base, &out), OK);
    const Carillon__SubmitRequest *back =
        wire_unpack(&carillon__submit_request__descriptor, buf_slice(&out), &scratch);
    assert_non_null(back);
    assert_string_equal(back->student, "s1");
    assert_int_equal(back->n_ops, 1);
    assert_string_equal(back->ops[0]->code, "HIGR 238/ANTH 268");
    arena_fini(&scratch);
    buf_fini(&out);
}

static void message__asking_for_more_than_the_budget__is_refused(void **state)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT;
    Carillon__Op *ops[1000];
    struct arena scratch;
    struct buf out;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        ops[i] = &op;
    }
    request.n_ops = 1000;
    request.ops = ops;
    buf_init(&out, 1 << 16);
    assert_int_equal(wire_pack(&request.base, &out), OK);
    arena_init(&scratch, 16 << 10); /* 2,000 bytes on the wire want over 100 KiB of memory */
    assert_null(wire_unpack(&carillon__submit_request__descriptor, buf_slice(&out), &scratch));
    assert_true(scratch.used <= 16 << 10);
    arena_fini(&scratch);
    buf_fini(&out);
}

static void message__cut_short_anywhere__never_reads_beyond(void **state)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    struct arena scratch;
    struct buf out;

    (void)state;
    name.code = wire_text("10.87");
    request.section = &name;
    request.cursor = wire_text("abc");
    arena_init(&scratch, 1 << 16);
    buf_init(&out, 1 << 16);
    assert_int_equal(wire_pack(&request.base, &out), OK);
    size_t parsed = 0;
    for (size_t len = 0; len < out.len; len++) {
        arena_reset(&scratch);
        parsed += wire_unpack(&carillon__roster_request__descriptor, slice_from(out.data, len),
                              &scratch) != NULL;
    }
    assert_true(parsed < out.len); /* only the cuts between fields are messages of their own */
    arena_fini(&scratch);
    buf_fini(&out);
}

static void pack__numbers_and_bytes__come_back(void **state)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 12);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(pack_u64(&out, numbers[i]), OK);
    }
    assert_int_equal(pack_bytes(&out, SLICE_LITERAL("roster")), OK);
    assert_int_equal(pack_fixed64(&out, 0x0102030405060708ULL), OK);
    struct unpack in = unpack_from(buf_slice(&out));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(unpack_u64(&in) == numbers[i]);
    }
    assert_true(slice_is_equal(unpack_bytes(&in), SLICE_LITERAL("roster")));
    assert_true(unpack_fixed64(&in) == 0x0102030405060708ULL);
    assert_true(unpack_is_done(&in));
    buf_fini(&out);
}

static void unpack__of_short_or_overlong_bytes__fails_and_stays_failed(void **state)
{
    static const uint8_t overlong[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0x02};
    static const uint8_t too_much[] = {0x05, 'a', 'b'};
    struct unpack in = unpack_from(slice_from(overlong, sizeof overlong));

    (void)state;
    assert_int_equal(unpack_u64(&in), 0);
    assert_false(unpack_is_ok(&in));
    in = unpack_from(slice_from(too_much, sizeof too_much));
    assert_int_equal(unpack_bytes(&in).len, 0);
    assert_int_equal(unpack_u64(&in), 0);
    assert_false(unpack_is_done(&in));
    in = unpack_from(slice_from(too_much, 1));
    assert_int_equal(unpack_u64_max(&in, 4), 0);
    assert_false(unpack_is_ok(&in));
}

static void registry__has_a_full_row_for_every_number(void **state)
{
    size_t count = 0;

    (void)state;
    for (const struct method *method; (method = method_at(count)) != NULL; count++) {
        assert_int_equal(method->number, count + 1);
        assert_ptr_equal(method_find(slice_from_text(method->name)), method);
        assert_non_null(method->request);
        assert_non_null(method->reply);
        assert_true(method->roles != 0);
        assert_true(method->deadline_ms > 0);
        assert_non_null(method->errors);
    }
    assert_int_equal(count + 1, carillon__method__descriptor.n_values);
    assert_null(method_get(0));
    assert_null(method_get((uint32_t)count + 1));
    assert_null(method_find(SLICE_LITERAL("no.such")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message__packed_and_unpacked__is_the_same),
        cmocka_unit_test(message__asking_for_more_than_the_budget__is_refused),
        cmocka_unit_test(message__cut_short_anywhere__never_reads_beyond),
        cmocka_unit_test(pack__numbers_and_bytes__come_back),
        cmocka_unit_test(unpack__of_short_or_overlong_bytes__fails_and_stays_failed),
        cmocka_unit_test(registry__has_a_full_row_for_every_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
