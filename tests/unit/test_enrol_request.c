/* The decoder of submits against the general one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "enrol/request.h"
#include "proto/registration.pb-c.h"

enum { OPS = 18, DROPS = 3, TEXT = 24, BODY = 8192 };

struct made {
    Carillon__SubmitRequest message;
    Carillon__Op ops[OPS];
    Carillon__Op *op_list[OPS];
    Carillon__SectionName drops[OPS][DROPS];
    Carillon__SectionName *drop_list[OPS][DROPS];
    char texts[OPS * (4 + DROPS * 4) + 1][TEXT];
    size_t text_count;
};

static char *text(struct made *made, struct rng *rng)
{
    char *to = made->texts[made->text_count++];
    uint64_t len = rng_below(rng, 4) == 0 ? 0 : rng_below(rng, TEXT - 1);

    for (uint64_t i = 0; i < len; i++) {
        to[i] = (char)rng_between(rng, 1, 126);
    }
    to[len] = '\0';
    return to;
}

static void make(struct made *made, struct rng *rng)
{
    made->text_count = 0;
    carillon__submit_request__init(&made->message);
    made->message.student = text(made, rng);
    made->message.n_ops = rng_below(rng, OPS);
    made->message.ops = made->op_list;
    for (size_t i = 0; i < made->message.n_ops; i++) {
        Carillon__Op *op = made->op_list[i] = &made->ops[i];

        carillon__op__init(op);
        op->kind = (Carillon__OpKind)rng_below(rng, 4);
        op->institution = text(made, rng);
        op->code = text(made, rng);
        op->section = text(made, rng);
        op->term = text(made, rng);
        op->waitlist = rng_below(rng, 2) == 0;
        op->n_promotion_drops = rng_below(rng, DROPS + 1);
        op->promotion_drops = made->drop_list[i];
        for (size_t d = 0; d < op->n_promotion_drops; d++) {
            Carillon__SectionName *name = made->drop_list[i][d] = &made->drops[i][d];

            carillon__section_name__init(name);
            name->institution = text(made, rng);
            name->code = text(made, rng);
            name->section = text(made, rng);
            name->term = text(made, rng);
        }
    }
}

static void assert_same(const char *wanted, struct slice got)
{
    assert_true(slice_is_equal(slice_from_text(wanted), got));
}

static void compare(const Carillon__SubmitRequest *wanted, const struct request *got)
{
    assert_same(wanted->student, got->student);
    assert_int_equal(got->op_count, wanted->n_ops);
    for (size_t i = 0; i < wanted->n_ops && i < REQUEST_OPS_MAX; i++) {
        const Carillon__Op *op = wanted->ops[i];

        assert_int_equal(got->ops[i].kind, op->kind);
        assert_int_equal(got->ops[i].waitlist, op->waitlist != 0);
        assert_same(op->institution, got->ops[i].name.institution);
        assert_same(op->code, got->ops[i].name.code);
        assert_same(op->section, got->ops[i].name.section);
        assert_same(op->term, got->ops[i].name.term);
        assert_int_equal(got->ops[i].drop_count, op->n_promotion_drops);
        for (size_t d = 0; d < op->n_promotion_drops; d++) {
            struct campus_name name;

            assert_int_equal(request_decode_name(got->ops[i].drops[d], &name), OK);
            assert_same(op->promotion_drops[d]->institution, name.institution);
            assert_same(op->promotion_drops[d]->code, name.code);
            assert_same(op->promotion_drops[d]->section, name.section);
            assert_same(op->promotion_drops[d]->term, name.term);
        }
    }
}

static void request_decode__of_packed_messages__gives_what_was_packed(void **state)
{
    static struct made made;
    static struct request request;
    static uint8_t body[BODY * 4];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++) {
        make(&made, &rng);
        size_t len = carillon__submit_request__pack(&made.message, body);

        assert_int_equal(request_decode(slice_from(body, len), &request), OK);
        compare(&made.message, &request);
    }
}

/* Whatever it accepts, the general decoder accepts too, and reads the same. */
static void request_decode__of_damaged_messages__accepts_no_more_than_the_other(void **state)
{
    static struct made made;
    static struct request request;
    static uint8_t body[BODY * 4];
    struct rng rng;
    int accepted = 0;

    (void)state;
    rng_init(&rng, 2);
    for (int i = 0; i < 60000; i++) {
        make(&made, &rng);
        made.message.n_ops = made.message.n_ops > 3 ? 3 : made.message.n_ops;
        size_t len = carillon__submit_request__pack(&made.message, body);

        for (uint64_t n = rng_below(&rng, 3); len > 0 && n > 0; n--) {
            body[rng_below(&rng, len)] = (uint8_t)rng_next(&rng);
        }
        len -= rng_below(&rng, 8) == 0 && len > 0 ? 1 : 0;
        Carillon__SubmitRequest *other = carillon__submit_request__unpack(NULL, len, body);

        if (request_decode(slice_from(body, len), &request) == OK && other != NULL) {
            bool has_nul = memchr(body, 0, len) != NULL; /* cut by the other's terminators */

            accepted++;
            if (!has_nul) {
                assert_same(other->student, request.student);
                assert_int_equal(other->n_ops, request.op_count);
            }
        }
        if (other != NULL) {
            carillon__submit_request__free_unpacked(other, NULL);
        }
    }
    assert_true(accepted > 1000);
}

static void request_decode__of_known_fields_of_another_type__is_malformed(void **state)
{
    static struct request request;

    (void)state;
    assert_int_equal(request_decode(SLICE_LITERAL("\x08\x01"), &request), ERR_MALFORMED);
    assert_int_equal(request_decode(SLICE_LITERAL("\x12\x02\x0a\x00"), &request),
                     ERR_MALFORMED);
    assert_int_equal(request_decode(SLICE_LITERAL("\x0a\x05x"), &request), ERR_MALFORMED);
    assert_int_equal(request_decode(SLICE_LITERAL("\x0b"), &request), ERR_MALFORMED);
    assert_int_equal(request_decode(SLICE_LITERAL("\x7a\x01x\x0a\x01y"), &request), OK);
    assert_true(slice_is_equal(request.student, SLICE_LITERAL("y")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_decode__of_packed_messages__gives_what_was_packed),
        cmocka_unit_test(request_decode__of_damaged_messages__accepts_no_more_than_the_other),
        cmocka_unit_test(request_decode__of_known_fields_of_another_type__is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
