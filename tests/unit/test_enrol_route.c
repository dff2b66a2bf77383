/* Where each method's requests go, and how a paged read goes through the shards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "enrol/route.h"
#include "proto/envelope.pb-c.h"
#include "proto/identity.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { SHARDS = 64, BYTES_MAX = 4096 };

#define TOKEN "lm-0007"
#define CODE  "COMP 240"

static struct buf body;

static int make_body(void **state)
{
    (void)state;
    buf_init(&body, BYTES_MAX);
    return 0;
}

static int drop_body(void **state)
{
    (void)state;
    buf_fini(&body);
    return 0;
}

static uint32_t home(void)
{
    return campus_shard_of(slice_from_text(TOKEN), SHARDS);
}

static uint32_t of_code(void)
{
    return campus_shard_of(slice_from_text(CODE), SHARDS);
}

static struct enrol_route route(uint32_t method, const ProtobufCMessage *message)
{
    buf_clear(&body);
    assert_int_equal(wire_pack(message, &body), OK);
    return enrol_route(method, buf_slice(&body), SHARDS);
}

static void route__of_what_a_student_asks__is_his_home(void **state)
{
    Carillon__SubmitRequest submit = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__ScheduleRequest schedule = CARILLON__SCHEDULE_REQUEST__INIT;
    Carillon__OutcomeRequest outcome = CARILLON__OUTCOME_REQUEST__INIT;
    Carillon__BlockRequest block = CARILLON__BLOCK_REQUEST__INIT;
    Carillon__PermitRequest permit = CARILLON__PERMIT_REQUEST__INIT;
    Carillon__TokenIssueRequest issue = CARILLON__TOKEN_ISSUE_REQUEST__INIT;
    Carillon__TokenRevokeRequest revoke = CARILLON__TOKEN_REVOKE_REQUEST__INIT;
    (void)state;
    submit.student = schedule.student = outcome.student = wire_text(TOKEN);
    block.student = permit.student = issue.student = revoke.student = wire_text(TOKEN);
    const struct {
        uint32_t method;
        const ProtobufCMessage *message;
    } cases[] = {
        {CARILLON__METHOD__METHOD_SUBMIT,       &submit.base  },
        {CARILLON__METHOD__METHOD_CHECK,        &submit.base  },
        {CARILLON__METHOD__METHOD_SCHEDULE,     &schedule.base},
        {CARILLON__METHOD__METHOD_OUTCOME,      &outcome.base },
        {CARILLON__METHOD__METHOD_BLOCK,        &block.base   },
        {CARILLON__METHOD__METHOD_PERMIT,       &permit.base  },
        {CARILLON__METHOD__METHOD_TOKEN_ISSUE,  &issue.base   },
        {CARILLON__METHOD__METHOD_TOKEN_REVOKE, &revoke.base  },
    };

    assert_int_not_equal(home(), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct enrol_route to = route(cases[i].method, cases[i].message);

        assert_int_equal(to.kind, ENROL_ROUTE_SHARD);
        assert_int_equal(to.shard, home());
    }
}

static void route__of_what_names_a_course__is_that_of_its_code(void **state)
{
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    Carillon__RosterRequest roster = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__CapRequest cap = CARILLON__CAP_REQUEST__INIT;
    Carillon__ShowRequest show = CARILLON__SHOW_REQUEST__INIT;
    (void)state;
    name.institution = wire_text("x");
    name.code = show.code = wire_text(CODE);
    show.student = wire_text(TOKEN);
    roster.section = cap.section = &name;
    assert_int_not_equal(of_code(), 0);
    assert_int_not_equal(of_code(), home());
    struct enrol_route to = route(CARILLON__METHOD__METHOD_ROSTER, &roster.base);
    assert_int_equal(to.shard, of_code());
    to = route(CARILLON__METHOD__METHOD_CAP, &cap.base);
    assert_int_equal(to.kind, ENROL_ROUTE_SHARD);
    assert_int_equal(to.shard, of_code());
    to = route(CARILLON__METHOD__METHOD_SHOW, &show.base);
    assert_int_equal(to.shard, of_code());
}

/* A token that is revoked by its id may be in any shard. */
static void route__of_a_token_by_its_id__is_a_fact(void **state)
{
    Carillon__TokenRevokeRequest revoke = CARILLON__TOKEN_REVOKE_REQUEST__INIT;
    uint8_t id[8] = {1, 2, 3};
    (void)state;
    revoke.id = (ProtobufCBinaryData){sizeof id, id};
    assert_int_equal(route(CARILLON__METHOD__METHOD_TOKEN_REVOKE, &revoke.base).kind,
                     ENROL_ROUTE_FACT);
}

/* A method without a row would go to no shard: every one has a place. */
static void route__of_every_method__is_what_its_kind_says(void **state)
{
    static const uint32_t facts[] = {
        CARILLON__METHOD__METHOD_WINDOW, CARILLON__METHOD__METHOD_LIMITS,
        CARILLON__METHOD__METHOD_GRANT, CARILLON__METHOD__METHOD_REVOKE,
        CARILLON__METHOD__METHOD_IMPORT_COMMIT};
    (void)state;
    for (size_t i = 0; method_at(i) != NULL; i++) {
        const struct method *method = method_at(i);
        struct enrol_route many = enrol_route(method->number, SLICE_NONE, SHARDS);
        struct enrol_route one = enrol_route(method->number, SLICE_NONE, 1);
        bool is_of_state = method->kind == METHOD_KIND_READ ||
                           method->kind == METHOD_KIND_WRITE ||
                           method->kind == METHOD_KIND_QUERY;

        assert_true(many.kind >= ENROL_ROUTE_NODE && many.kind <= ENROL_ROUTE_FACT);
        assert_int_equal(many.shard, 0);
        if (is_of_state) {
            assert_int_not_equal(many.kind, ENROL_ROUTE_NODE);
            assert_int_equal(one.kind, ENROL_ROUTE_SHARD);
        }
        if (method->kind == METHOD_KIND_READ || method->kind == METHOD_KIND_QUERY) {
            assert_int_not_equal(many.kind, ENROL_ROUTE_FACT);
            assert_int_not_equal(many.kind, ENROL_ROUTE_SPLIT);
        }
        bool is_fact = false;

        for (size_t at = 0; at < sizeof facts / sizeof facts[0]; at++) {
            is_fact = is_fact || facts[at] == (uint32_t)method->number;
        }
        assert_int_equal(many.kind == ENROL_ROUTE_FACT, is_fact);
    }
}

static void route__of_bytes_that_are_no_message__is_somewhere(void **state)
{
    static const uint8_t bytes[] = {0x0a, 0xff, 0xff};
    (void)state;
    struct enrol_route to =
        enrol_route(CARILLON__METHOD__METHOD_SUBMIT, slice_from(bytes, sizeof bytes), SHARDS);
    assert_int_equal(to.kind, ENROL_ROUTE_SHARD);
    assert_int_equal(to.shard, 0);
    to = enrol_route(60000, SLICE_NONE, SHARDS);
    assert_int_equal(to.kind, ENROL_ROUTE_NODE);
}

/* ---- pages */

static void pages__go_through_all_shards_in_order(void **state)
{
    enum { PAGES = 2, COUNT = 4 }; /* of each shard; shards */
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    char cursor[80] = "";
    uint32_t shard = 0;
    struct buf own;
    struct buf merged;
    (void)state;
    buf_init(&own, BYTES_MAX);
    buf_init(&merged, BYTES_MAX);
    request.kind = CARILLON__EXPORT_KIND__EXPORT_COURSES;
    request.institution = wire_text("x");
    for (uint32_t page = 0; page < PAGES * COUNT; page++) {
        request.cursor = cursor;
        buf_clear(&body);
        buf_clear(&own);
        buf_clear(&merged);
        assert_int_equal(wire_pack(&request.base, &body), OK);
        assert_int_equal(enrol_page_open(CARILLON__METHOD__METHOD_EXPORT, buf_slice(&body),
                                         COUNT, &shard, &own),
                         OK);
        assert_int_equal(shard, page / PAGES);
        Carillon__ExportRequest *asked =
            carillon__export_request__unpack(NULL, own.len, own.data);
        assert_non_null(asked);
        assert_string_equal(asked->institution, "x");
        assert_string_equal(asked->cursor, page % PAGES == 0 ? "" : "17");
        carillon__export_request__free_unpacked(asked, NULL);

        Carillon__ExportReply reply = CARILLON__EXPORT_REPLY__INIT;
        reply.next_cursor = page % PAGES == 0 ? wire_text("17") : wire_text("");
        buf_clear(&own);
        assert_int_equal(wire_pack(&reply.base, &own), OK);
        assert_int_equal(enrol_page_close(CARILLON__METHOD__METHOD_EXPORT, shard, COUNT,
                                          buf_slice(&own), &merged),
                         OK);
        Carillon__ExportReply *told =
            carillon__export_reply__unpack(NULL, merged.len, merged.data);
        assert_non_null(told);
        assert_true(strlen(told->next_cursor) < sizeof cursor);
        (void)memcpy(cursor, told->next_cursor, strlen(told->next_cursor) + 1);
        carillon__export_reply__free_unpacked(told, NULL);
        assert_int_equal(cursor[0] == '\0', page + 1 == PAGES * COUNT);
    }
    buf_fini(&own);
    buf_fini(&merged);
}

static void page__of_a_cursor_that_is_none_of_ours__is_refused(void **state)
{
    static const char *const cursors[] = {"17", "4.17", "x.1", ".1"};
    Carillon__ImportHashesRequest request = CARILLON__IMPORT_HASHES_REQUEST__INIT;
    uint32_t shard;
    struct buf own;
    (void)state;
    buf_init(&own, BYTES_MAX);
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        request.cursor = wire_text(cursors[i]);
        buf_clear(&body);
        assert_int_equal(wire_pack(&request.base, &body), OK);
        assert_int_equal(enrol_page_open(CARILLON__METHOD__METHOD_IMPORT_HASHES,
                                         buf_slice(&body), 4, &shard, &own),
                         ERR_ARGUMENT);
    }
    buf_fini(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route__of_what_a_student_asks__is_his_home),
        cmocka_unit_test(route__of_what_names_a_course__is_that_of_its_code),
        cmocka_unit_test(route__of_a_token_by_its_id__is_a_fact),
        cmocka_unit_test(route__of_every_method__is_what_its_kind_says),
        cmocka_unit_test(route__of_bytes_that_are_no_message__is_somewhere),
        cmocka_unit_test(pages__go_through_all_shards_in_order),
        cmocka_unit_test(page__of_a_cursor_that_is_none_of_ours__is_refused),
    };
    return cmocka_run_group_tests(tests, make_body, drop_body);
}
