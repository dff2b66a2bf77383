/* Who may do what: every role against every method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "node/rights.h"

enum { TEXT_BYTES = 512 };

/* What each may call, written down once more: C anyone known, S student, R registrar,
 * O operator, N node. */
/* clang-format off */
static const struct {
    const char *method;
    const char *who;
} matrix[] = {
    {"node.status",            "CSRON"},
    {"catalogue.search",       "CSRON"},
    {"catalogue.show",         "CSRON"},
    {"registration.check",     "SRO"},
    {"registration.submit",    "SRO"},
    {"registration.schedule",  "SRO"},
    {"registration.roster",    "RO"},
    {"registration.outcome",   "SRO"},
    {"import.begin",           "RO"},
    {"import.chunk",           "RO"},
    {"import.commit",          "RO"},
    {"import.abort",           "RO"},
    {"import.hashes",          "RO"},
    {"registrar.window",       "RO"},
    {"registrar.block",        "RO"},
    {"registrar.permit",       "RO"},
    {"registrar.cap",          "RO"},
    {"registrar.limits",       "RO"},
    {"node.snapshot",          "O"},
    {"node.verify",            "O"},
    {"node.audit",             "RO"},
    {"registrar.export",       "RO"},
    {"catalogue.list",         "CSRON"},
    {"registrar.token_issue",  "RO"},
    {"registrar.token_revoke", "RO"},
    {"operator.grant",         "O"},
    {"operator.revoke",        "O"},
    {"node.keys",              "ON"},
    {"node.rotate",            "O"},
    {"peer.messages",          "N"},
    {"peer.forward",           "N"},
    {"node.members",           "RO"},
    {"node.join",              "I"},
    {"cluster.point",          "CSRON"},
    {"node.change",            "O"},
    {"peer.meta",              "N"},
    {"peer.sign",              "N"},
};
/* clang-format on */

enum { ROWS = sizeof matrix / sizeof matrix[0] };

/* As the door gives them. */
static const struct {
    char letter;
    struct conn_who who;
} roles[] = {
    {'C', {.roles = METHOD_ROLE_ANYONE}},
    {'S', {.roles = METHOD_ROLE_ANYONE | METHOD_ROLE_STUDENT, .student = "ann"}},
    {'R', {.roles = METHOD_ROLE_ANYONE | METHOD_ROLE_REGISTRAR}},
    {'O', {.roles = METHOD_ROLE_ANYONE | METHOD_ROLE_REGISTRAR | METHOD_ROLE_OPERATOR}},
    {'N', {.roles = METHOD_ROLE_ANYONE | METHOD_ROLE_NODE}},
    {'I', {.roles = METHOD_ROLE_INVITED}},
};

enum { ROLES = sizeof roles / sizeof roles[0] };

/* A body that names "ann" in the method's field `student`, if it has one. */
static struct slice body_of(const struct method *method, const char *student, uint8_t bytes[80])
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(method->request, "student");
    size_t len = strlen(student);

    if (field == NULL) {
        return SLICE_NONE;
    }
    bytes[0] = (uint8_t)(field->id << 3 | 2);
    bytes[1] = (uint8_t)len;
    memcpy(bytes + 2, student, len);
    return slice_from(bytes, len + 2);
}

static int check(const struct conn_who *who, const struct method *method, struct slice body)
{
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    int rc = rights_check(who, method, body, &text);

    assert_true(rc == OK ? text.len == 0 : rc == ERR_MALFORMED || text.len > 0);
    buf_fini(&text);
    return rc;
}

static void rights__every_role_and_method__are_as_written(void **state)
{
    (void)state;
    size_t pairs = 0;

    for (size_t i = 0; method_at(i) != NULL; i++) {
        const struct method *method = method_at(i);
        uint8_t bytes[80];

        assert_true(i < ROWS);
        assert_string_equal(method->name, matrix[i].method);
        for (size_t r = 0; r < ROLES; r++) {
            int expected =
                strchr(matrix[i].who, roles[r].letter) != NULL ? OK : ERR_FORBIDDEN;
            int rc = check(&roles[r].who, method, body_of(method, "ann", bytes));

            if (rc != expected) {
                fail_msg("%s as %c: %s", method->name, roles[r].letter, error_name(rc));
            }
            pairs++;
        }
    }
    assert_int_equal(pairs, ROWS * ROLES);
}

static void rights__of_nobody__are_none(void **state)
{
    (void)state;
    const struct conn_who nobody = {0};

    for (size_t i = 0; method_at(i) != NULL; i++) {
        assert_int_equal(check(&nobody, method_at(i), SLICE_NONE), ERR_FORBIDDEN);
    }
}

/* Every method that a student may call and that names a student. */
static void student__for_another__is_forbidden_everywhere(void **state)
{
    (void)state;
    const struct conn_who *ann = &roles[1].who;
    size_t seen = 0;

    for (size_t i = 0; method_at(i) != NULL; i++) {
        const struct method *method = method_at(i);
        uint8_t bytes[80];
        uint8_t both[160];
        struct slice body = body_of(method, "bob", bytes);

        if ((method->roles & (METHOD_ROLE_STUDENT | METHOD_ROLE_ANYONE)) == 0 ||
            body.len == 0) {
            continue;
        }
        seen++;
        assert_int_equal(check(ann, method, body), ERR_FORBIDDEN);
        assert_int_equal(check(ann, method, body_of(method, "an", bytes)), ERR_FORBIDDEN);
        /* The decoder takes the last of several: none may be another's. */
        body = body_of(method, "ann", bytes);
        memcpy(both, body.data, body.len);
        memcpy(both + body.len, body.data, body.len);
        assert_int_equal(check(ann, method, slice_from(both, 2 * body.len)), OK);
        both[body.len - 1] = 'x';
        assert_int_equal(check(ann, method, slice_from(both, 2 * body.len)), ERR_FORBIDDEN);
        both[body.len - 1] = 'n';
        both[2 * body.len - 1] = 'x';
        assert_int_equal(check(ann, method, slice_from(both, 2 * body.len)), ERR_FORBIDDEN);
        /* As another type than a text, or cut off. */
        bytes[0] = (uint8_t)(bytes[0] & ~7U);
        bytes[1] = 1;
        assert_int_equal(check(ann, method, slice_from(bytes, 2)), ERR_FORBIDDEN);
        body = body_of(method, "ann", bytes);
        assert_int_equal(check(ann, method, slice_sub(body, 0, body.len - 1)), ERR_MALFORMED);
        assert_int_equal(check(ann, method, SLICE_NONE),
                         (method->roles & METHOD_ROLE_ANYONE) != 0 ? OK : ERR_FORBIDDEN);
    }
    assert_int_equal(seen, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights__every_role_and_method__are_as_written),
        cmocka_unit_test(rights__of_nobody__are_none),
        cmocka_unit_test(student__for_another__is_forbidden_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
