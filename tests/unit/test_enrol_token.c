/* Tokens as state: issued, found, ended, revoked, and in snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/sm.h"
#include "proto/identity.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "wire/message.h"

enum { HOUR_MS = 3600 * 1000 };

static int setup(void **state)
{
    static struct campus_fixture f;

    fixture_init(&f);
    *state = &f;
    assert_int_equal(fixture_student(&f, "ann", 1, ""), OK);
    assert_int_equal(fixture_student(&f, "bob", 1, ""), OK);
    return 0;
}

/* Hash number @n. */
static struct slice hash_of(uint8_t n)
{
    static uint8_t hash[ENROL_TOKEN_HASH_BYTES];

    memset(hash, n, sizeof hash);
    return slice_from(hash, sizeof hash);
}

static int issue(struct campus_fixture *f, uint8_t n, const char *student, uint64_t expires_ms)
{
    Carillon__TokenIssueRequest request = CARILLON__TOKEN_ISSUE_REQUEST__INIT;

    request.hash = wire_binary(hash_of(n));
    request.student = wire_text(student);
    request.expires_ms = expires_ms;
    request.by = wire_text("test");
    return fixture_write(f, CARILLON__METHOD__METHOD_TOKEN_ISSUE, &request.base);
}

/* How many a revocation revoked, or the error. */
static int revoke(struct campus_fixture *f, uint8_t n, const char *student)
{
    Carillon__TokenRevokeRequest request = CARILLON__TOKEN_REVOKE_REQUEST__INIT;

    request.student = wire_text(student);
    if (n != 0) {
        request.id = wire_binary(slice_sub(hash_of(n), 0, ENROL_TOKEN_ID_BYTES));
    }
    int rc = fixture_write(f, CARILLON__METHOD__METHOD_TOKEN_REVOKE, &request.base);

    if (rc != OK) {
        return rc;
    }
    Carillon__TokenRevokeReply *reply =
        carillon__token_revoke_reply__unpack(NULL, f->result.reply.len, f->result.reply.data);
    int revoked = (int)reply->revoked;

    carillon__token_revoke_reply__free_unpacked(reply, NULL);
    return revoked;
}

static int grant(struct campus_fixture *f, uint8_t n, Carillon__Role role, uint64_t expires_ms)
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;

    request.hash = wire_binary(hash_of(n));
    request.role = role;
    request.name = wire_text("alma");
    request.expires_ms = expires_ms;
    return fixture_write(f, CARILLON__METHOD__METHOD_GRANT, &request.base);
}

static bool find(const struct campus_fixture *f, uint8_t n, struct enrol_token_view *ret_view)
{
    return enrol_token_find(f->enrol, hash_of(n).data, f->wall_ms, ret_view);
}

static void token__issued__stands_for_its_student(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_token_view view;

    assert_int_equal(issue(f, 1, "ann", 0), OK);
    assert_int_equal(issue(f, 2, "bob", 0), OK);
    assert_true(find(f, 1, &view));
    assert_int_equal(view.role, CARILLON__ROLE__ROLE_STUDENT);
    assert_true(slice_is_equal(view.student, SLICE_LITERAL("ann")));
    assert_true(find(f, 2, &view));
    assert_true(slice_is_equal(view.student, SLICE_LITERAL("bob")));
    assert_false(find(f, 3, &view));
    assert_int_equal(issue(f, 1, "bob", 0), ERR_EXISTS);
    assert_int_equal(issue(f, 4, "nobody", 0), ERR_UNKNOWN_STUDENT);
}

static void token__at_its_end__is_found_no_more(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_token_view view;

    assert_int_equal(issue(f, 1, "ann", f->wall_ms + HOUR_MS), OK);
    assert_true(find(f, 1, &view));
    f->wall_ms += HOUR_MS - 1;
    assert_true(enrol_token_is_live(f->enrol, view.number, f->wall_ms));
    f->wall_ms += 1;
    assert_false(enrol_token_is_live(f->enrol, view.number, f->wall_ms));
    assert_false(find(f, 1, &view));
}

static void token__revoked__is_found_no_more_and_the_others_are(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_token_view view;

    assert_int_equal(issue(f, 1, "ann", 0), OK);
    assert_int_equal(issue(f, 2, "ann", 0), OK);
    assert_int_equal(issue(f, 3, "bob", 0), OK);
    assert_int_equal(issue(f, 4, "ann", 0), OK);
    assert_int_equal(revoke(f, 2, ""), 1);
    assert_int_equal(revoke(f, 2, ""), 0);
    assert_true(find(f, 1, &view));
    assert_false(find(f, 2, &view));
    assert_int_equal(revoke(f, 0, "ann"), 2);
    assert_false(find(f, 1, &view));
    assert_false(find(f, 4, &view));
    assert_true(find(f, 3, &view));
    assert_int_equal(revoke(f, 9, ""), ERR_GONE);
    assert_int_equal(revoke(f, 0, "nobody"), ERR_UNKNOWN_STUDENT);
    assert_int_equal(issue(f, 1, "ann", 0), ERR_EXISTS); /* for ever */
}

static void grant__each_role__is_found_and_a_registrar_cannot_revoke_it(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_token_view view;

    assert_int_equal(grant(f, 1, CARILLON__ROLE__ROLE_REGISTRAR, 0), OK);
    assert_int_equal(grant(f, 2, CARILLON__ROLE__ROLE_OPERATOR, 0), OK);
    assert_int_equal(grant(f, 3, CARILLON__ROLE__ROLE_NODE, 0), ERR_ARGUMENT);
    assert_int_equal(grant(f, 3, CARILLON__ROLE__ROLE_NODE, f->wall_ms + 8ULL * 24 * HOUR_MS),
                     ERR_ARGUMENT);
    assert_int_equal(grant(f, 3, CARILLON__ROLE__ROLE_NODE, f->wall_ms + HOUR_MS), OK);
    assert_int_equal(grant(f, 4, CARILLON__ROLE__ROLE_STUDENT, 0), ERR_ARGUMENT);
    assert_true(find(f, 1, &view));
    assert_int_equal(view.role, CARILLON__ROLE__ROLE_REGISTRAR);
    assert_int_equal(view.student.len, 0);
    assert_int_equal(revoke(f, 2, ""), ERR_GONE);
    assert_true(find(f, 2, &view));
}

static void revoke__of_a_certificate__is_remembered(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol_token_view view;
    Carillon__RevokeRequest request = CARILLON__REVOKE_REQUEST__INIT;

    request.certificate = wire_binary(hash_of(7));
    assert_false(enrol_certificate_is_revoked(f->enrol, hash_of(7).data));
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_REVOKE, &request.base), OK);
    assert_true(enrol_certificate_is_revoked(f->enrol, hash_of(7).data));
    assert_false(find(f, 7, &view)); /* and it is no token */
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_REVOKE, &request.base), OK);
    assert_int_equal(grant(f, 2, CARILLON__ROLE__ROLE_OPERATOR, 0), OK);
    request.certificate = wire_binary(SLICE_NONE);
    request.id = wire_binary(slice_sub(hash_of(2), 0, ENROL_TOKEN_ID_BYTES));
    assert_int_equal(fixture_write(f, CARILLON__METHOD__METHOD_REVOKE, &request.base), OK);
    assert_false(find(f, 2, &view));
}

/* The snapshot is of the moment it began, whatever is revoked while it is written. */
static void snapshot__while_tokens_change__holds_those_of_its_beginning(void **state)
{
    struct campus_fixture *f = *state;
    struct enrol *copy = fixture_empty();
    struct enrol_token_view view;
    struct buf out;
    int rc = SM_PENDING;

    for (uint8_t n = 1; n <= 200; n++) {
        assert_int_equal(issue(f, n, n % 2 == 0 ? "ann" : "bob", 0), OK);
    }
    assert_int_equal(revoke(f, 5, ""), 1);
    uint64_t hash = enrol_hash(f->enrol);

    buf_init(&out, 64 << 20);
    assert_int_equal(enrol_snapshot_begin(f->enrol), OK);
    assert_int_equal(revoke(f, 0, "ann"), 100);
    assert_int_equal(issue(f, 201, "ann", 0), OK);
    while (rc == SM_PENDING) {
        rc = enrol_snapshot_step(f->enrol, &out);
    }
    assert_int_equal(rc, OK);
    assert_int_equal(enrol_restore_chunk(copy, buf_slice(&out)), OK);
    assert_int_equal(enrol_restore_end(copy), OK);
    assert_int_equal(enrol_hash(copy), hash);
    assert_true(enrol_token_find(copy, hash_of(6).data, f->wall_ms, &view));
    assert_false(enrol_token_find(copy, hash_of(5).data, f->wall_ms, &view));
    assert_false(enrol_token_find(copy, hash_of(201).data, f->wall_ms, &view));
    assert_int_not_equal(enrol_hash(f->enrol), hash);
    enrol_destroy(copy);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
        TEST(token__issued__stands_for_its_student),
        TEST(token__at_its_end__is_found_no_more),
        TEST(token__revoked__is_found_no_more_and_the_others_are),
        TEST(grant__each_role__is_found_and_a_registrar_cannot_revoke_it),
        TEST(revoke__of_a_certificate__is_remembered),
        TEST(snapshot__while_tokens_change__holds_those_of_its_beginning),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
