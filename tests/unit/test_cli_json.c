#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "carillon/json_message.h"
#include "carillon/json_private.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { ARENA_BYTES = 256 << 20, FILL_ITEMS = 3 };

static char *print(const ProtobufCMessage *message)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    json_message_print(out, message);
    fclose(out);
    return text;
}

/* ---- any message of the schema, filled from a seed ---- */

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, struct rng *rng,
                              struct arena *arena);

static void fill_value(const ProtobufCFieldDescriptor *field, void *at, struct rng *rng,
                       struct arena *arena)
{
    static const char *const texts[] = {"", "plain", "\"quoted\" \\ and / \n\t\x01",
                                        "深海 Ναυσιπλοΐα", "\x7f"};
    const ProtobufCEnumDescriptor *names = field->descriptor;
    ProtobufCBinaryData *data = at;

    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)at = wire_text(texts[rng_below(rng, 5)]);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        data->len = rng_below(rng, 20);
        data->data = arena_alloc(arena, data->len + 1);
        rng_fill(rng, data->data, data->len);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)at = rng_below(rng, 2) == 1;
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)at = names->values[rng_below(rng, names->n_values)].value;
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = make(field->descriptor, rng, arena);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *(uint32_t *)at = (uint32_t)rng_next(rng);
        break;
    default:
        assert_true(field->type == PROTOBUF_C_TYPE_UINT64 ||
                    field->type == PROTOBUF_C_TYPE_FIXED64);
        *(uint64_t *)at = rng_next(rng);
        break;
    }
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, struct rng *rng,
                              struct arena *arena)
{
    ProtobufCMessage *message = arena_alloc_zero(arena, type->sizeof_message);
    uint8_t *base = (uint8_t *)message;

    protobuf_c_message_init(type, message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];

        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            fill_value(field, base + field->offset, rng, arena);
            continue;
        }
        size_t count = rng_below(rng, FILL_ITEMS);
        size_t step = json__element_bytes(field->type);
        uint8_t *items = count == 0 ? NULL : arena_alloc_zero(arena, count * step);

        for (size_t j = 0; j < count; j++) {
            fill_value(field, items + j * step, rng, arena);
        }
        *(size_t *)(void *)(base + field->quantifier_offset) = count;
        *(uint8_t **)(void *)(base + field->offset) = items;
    }
    return message;
}

/* Printed, read and packed again, @message has the same bytes. */
static void check_round_trip(const ProtobufCMessage *message, struct arena *arena)
{
    struct json_message_error error = {""};
    char *text = print(message);
    const ProtobufCMessage *again =
        json_message_parse(slice_from_text(text), message->descriptor, arena, &error);
    struct buf a;
    struct buf b;

    assert_string_equal(error.text, "");
    assert_non_null(again);
    buf_init(&a, 16 << 20);
    buf_init(&b, 16 << 20);
    assert_int_equal(wire_pack(message, &a), OK);
    assert_int_equal(wire_pack(again, &b), OK);
    assert_true(slice_is_equal(buf_slice(&a), buf_slice(&b)));
    buf_fini(&a);
    buf_fini(&b);
    free(text);
}

static void json_message__every_method_filled_from_a_seed__comes_back_the_same(void **state)
{
    struct rng rng;
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rng_init(&rng, seed);
        for (size_t i = 0; method_at(i) != NULL; i++) {
            check_round_trip(make(method_at(i)->request, &rng, &arena), &arena);
            check_round_trip(make(method_at(i)->reply, &rng, &arena), &arena);
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void json_message_print__an_empty_message__names_every_field(void **state)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    char *text = print(&request.base);

    (void)state;
    assert_string_equal(text, "{\"section\":null,\"limit\":0,\"cursor\":\"\"}\n");
    free(text);
}

static void
json_message_parse__what_is_not_of_the_schema__is_refused_with_its_place(void **state)
{
    static const char *const rows[][2] = {
        {"{\"ops\": [{\"kind\": \"OP_ADD\"}, {\"kind\": \"OP_JUMP\"}]}",
         "ops[1].kind: a name of OpKind is expected, like OP_ADD"                                                    },
        {"{\"pupil\": 1}",                                               "pupil: the message has no such field"      },
        {"{\"ops\": 3}",                                                 "ops: a list is expected"                   },
        {"{\"ops\": [{\"waitlist\": 1}]}",                               "ops[0].waitlist: true or false is expected"},
        {"{\"student\": 7}",                                             "student: a text is expected"               },
        {"{\"student\": \"a\\u0000b\"}",
         "student: a text without U+0000, in UTF-8, is expected"                                                     },
        {"[]",                                                           "an object is expected"                     },
        {"{\"ops\": [",                                                  "not JSON at byte"                          },
        {"{} x",                                                         "not JSON at byte 4"                        },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json_message_error error = {""};

        assert_null(json_message_parse(slice_from_text(rows[i][0]),
                                       &carillon__submit_request__descriptor, &arena, &error));
        assert_memory_equal(error.text, rows[i][1], strlen(rows[i][1]));
    }
    arena_fini(&arena);
}

static void json_message_parse__numbers_beyond_their_type__are_refused(void **state)
{
    static const char *const rows[] = {"{\"limit\": -1}", "{\"limit\": 4294967296}",
                                       "{\"limit\": 1.5}", "{\"limit\": \"5\"}"};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct json_message_error error = {""};

        assert_null(json_message_parse(slice_from_text(rows[i]),
                                       &carillon__search_request__descriptor, &arena, &error));
        assert_string_equal(error.text,
                            "limit: a whole number from 0 to 4294967295 is expected");
    }
    arena_fini(&arena);
}

static void json_message_parse__a_uuid__is_its_sixteen_bytes(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x93, 0x41, 0xc2, 0x7f, 0x00, 0x71, 0x23,
                                    0x84, 0x56, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06};
    struct json_message_error error = {""};
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    const Carillon__OutcomeRequest *request =
        (const Carillon__OutcomeRequest *)json_message_parse(
            SLICE_LITERAL("{\"key\": \"019341c2-7f00-7123-8456-010203040506\"}"),
            &carillon__outcome_request__descriptor, &arena, &error);

    assert_non_null(request);
    assert_int_equal(request->key.len, sizeof bytes);
    assert_memory_equal(request->key.data, bytes, sizeof bytes);
    arena_fini(&arena);
}

static void json_message_parse__deep_nesting__ends_without_recursion_to_the_bottom(void **state)
{
    enum { DEPTH = 100000 };
    struct json_message_error error = {""};
    char *text = malloc(DEPTH + 1);
    struct arena arena;

    (void)state;
    assert_non_null(text);
    memset(text, '[', DEPTH);
    arena_init(&arena, 1 << 20);
    assert_null(json_message_parse(slice_from(text, DEPTH),
                                   &carillon__submit_request__descriptor, &arena, &error));
    assert_non_null(strstr(error.text, "nesting too deep"));
    arena_fini(&arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_message__every_method_filled_from_a_seed__comes_back_the_same),
        cmocka_unit_test(json_message_print__an_empty_message__names_every_field),
        cmocka_unit_test(
            json_message_parse__what_is_not_of_the_schema__is_refused_with_its_place),
        cmocka_unit_test(json_message_parse__numbers_beyond_their_type__are_refused),
        cmocka_unit_test(json_message_parse__a_uuid__is_its_sixteen_bytes),
        cmocka_unit_test(
            json_message_parse__deep_nesting__ends_without_recursion_to_the_bottom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
