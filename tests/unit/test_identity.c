#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "identity/card.h"
#include "identity/credential.h"
#include "identity/encoding.h"
#include "identity/proof.h"

static const uint64_t now_ms = 1800000000000;
static const uint64_t day_ms = 86400000;

struct fixture {
    struct identity_key root;
    struct identity_key other_root;
    struct identity_key holder;
    struct identity_trust trust;
    struct buf der;
};

static struct identity_key key_of(uint8_t seed_byte)
{
    uint8_t seed[IDENTITY_KEY_BYTES];
    struct identity_key key = {0};

    memset(seed, seed_byte, sizeof seed);
    assert_int_equal(identity_key_make(seed, &key), OK);
    return key;
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.root = key_of(1), .other_root = key_of(2), .holder = key_of(3)};
    f.trust = (struct identity_trust){
        .root = &f.root,
        .roles = IDENTITY_ROLE_NODE | IDENTITY_ROLE_OPERATOR,
        .wall_ms = now_ms,
    };
    identity_cluster_id(&f.root, f.trust.cluster);
    buf_init(&f.der, IDENTITY_CERTIFICATE_BYTES_MAX);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    identity_key_fini(&f->root);
    identity_key_fini(&f->other_root);
    identity_key_fini(&f->holder);
    buf_fini(&f->der);
    return 0;
}

static struct identity_certificate_plan plan_of(const struct fixture *f)
{
    struct identity_certificate_plan plan = {
        .role = IDENTITY_ROLE_NODE,
        .name = "00112233445566778899aabbccddeeff",
        .subject = &f->holder,
        .issuer = &f->root,
        .not_before_ms = now_ms - day_ms,
        .not_after_ms = now_ms + day_ms,
    };

    memcpy(plan.cluster, f->trust.cluster, sizeof plan.cluster);
    return plan;
}

static void issue(struct fixture *f, const struct identity_certificate_plan *plan)
{
    buf_clear(&f->der);
    assert_int_equal(identity_certificate_issue(plan, &f->der), OK);
}

static enum io_refusal judge(struct fixture *f)
{
    struct identity_certificate certificate;

    return identity_certificate_judge(&f->trust, buf_slice(&f->der), &certificate);
}

static void certificate__in_order__says_who(void **state)
{
    struct fixture *f = *state;
    struct identity_certificate_plan plan = plan_of(f);
    struct identity_certificate read;

    issue(f, &plan);
    assert_int_equal(identity_certificate_judge(&f->trust, buf_slice(&f->der), &read),
                     IO_REFUSAL_NONE);
    assert_int_equal(read.role, IDENTITY_ROLE_NODE);
    assert_string_equal(read.name, plan.name);
    assert_memory_equal(read.key, f->holder.bytes, sizeof read.key);
    assert_memory_equal(read.cluster, plan.cluster, sizeof read.cluster);
    assert_int_equal(read.not_before_ms, plan.not_before_ms);
    assert_int_equal(read.not_after_ms, plan.not_after_ms);
}

static bool revoke_all(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES])
{
    (void)hash;
    return *(bool *)context;
}

/* Each case differs from the good one in one thing. */
static void certificate__each_fault__is_refused_by_its_name(void **state)
{
    struct fixture *f = *state;
    struct identity_certificate_plan good = plan_of(f);
    struct identity_certificate_plan plan = good;
    bool is_revoked = true;

    plan.issuer = &f->other_root;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_OTHER_CA);
    plan = good;
    plan.not_after_ms = now_ms - 1000;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_EXPIRED);
    plan = good;
    plan.not_before_ms = now_ms + 1000;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_NOT_YET_VALID);
    plan = good;
    plan.cluster[0] ^= 1;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_OTHER_CLUSTER);
    plan = good;
    plan.role = IDENTITY_ROLE_CLIENT;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_ROLE);
    plan.role = IDENTITY_ROLE_NONE; /* the root's own certificate shown by somebody */
    plan.subject = &f->root;
    issue(f, &plan);
    assert_int_equal(judge(f), IO_REFUSAL_CERTIFICATE);
    issue(f, &good);
    f->trust.is_revoked = revoke_all;
    f->trust.context = &is_revoked;
    assert_int_equal(judge(f), IO_REFUSAL_REVOKED);
    is_revoked = false;
    assert_int_equal(judge(f), IO_REFUSAL_NONE);
}

static void certificate__every_cut_and_flip__is_refused(void **state)
{
    struct fixture *f = *state;
    struct identity_certificate_plan plan = plan_of(f);
    struct identity_certificate read;

    issue(f, &plan);
    for (size_t len = 0; len < f->der.len; len++) {
        assert_int_not_equal(
            identity_certificate_judge(&f->trust, slice_from(f->der.data, len), &read),
            IO_REFUSAL_NONE);
    }
    for (size_t i = 0; i < f->der.len; i++) {
        f->der.data[i] ^= 1;
        assert_int_not_equal(judge(f), IO_REFUSAL_NONE);
        f->der.data[i] ^= 1;
    }
    assert_int_equal(buf_append_byte(&f->der, 0), OK);
    assert_int_equal(judge(f), IO_REFUSAL_CERTIFICATE);
}

static void certificate__of_a_root__gives_its_key(void **state)
{
    struct fixture *f = *state;
    struct identity_certificate_plan plan = plan_of(f);
    struct identity_key key = {0};

    plan.role = IDENTITY_ROLE_NONE;
    plan.subject = &f->root;
    issue(f, &plan);
    assert_int_equal(identity_certificate_root_key(buf_slice(&f->der), &key), OK);
    assert_memory_equal(key.bytes, f->root.bytes, sizeof key.bytes);
    identity_key_fini(&key);
    plan.subject = &f->holder; /* signed by another key than its own */
    issue(f, &plan);
    assert_int_equal(identity_certificate_root_key(buf_slice(&f->der), &key), ERR_MALFORMED);
    plan = plan_of(f); /* no root's */
    plan.subject = &f->root;
    issue(f, &plan);
    assert_int_equal(identity_certificate_root_key(buf_slice(&f->der), &key), ERR_MALFORMED);
}

static void keys_and_certificates__through_files__stay_the_same(void **state)
{
    struct fixture *f = *state;
    struct identity_certificate_plan plan = plan_of(f);
    struct identity_key key = {0};
    struct buf text;
    struct buf back;

    buf_init(&text, 8192);
    buf_init(&back, 8192);
    assert_int_equal(identity_key_to_pem(&f->holder, &text), OK);
    assert_int_equal(identity_key_from_pem(buf_slice(&text), &key), OK);
    assert_memory_equal(key.bytes, f->holder.bytes, sizeof key.bytes);
    identity_key_fini(&key);
    assert_int_equal(identity_key_from_pem(SLICE_LITERAL("nonsense"), &key), ERR_MALFORMED);
    assert_int_equal(identity_key_to_der(&f->holder, &back), OK);
    assert_int_equal(identity_key_from_der(buf_slice(&back), &key), OK);
    assert_memory_equal(key.bytes, f->holder.bytes, sizeof key.bytes);
    identity_key_fini(&key);
    issue(f, &plan);
    buf_clear(&text);
    buf_clear(&back);
    assert_int_equal(identity_certificate_to_pem(buf_slice(&f->der), &text), OK);
    assert_int_equal(identity_certificate_from_pem(buf_slice(&text), &back), OK);
    assert_true(slice_is_equal(buf_slice(&f->der), buf_slice(&back)));
    identity_buf_wipe(&text);
    identity_buf_wipe(&back);
}

/* RFC 8032, section 7.1, test 2. */
static void signature__of_the_rfc__is_made(void **state)
{
    (void)state;
    uint8_t seed[32];
    uint8_t public[32];
    uint8_t expected[64];
    uint8_t signature[64];
    uint8_t message = 0x72;
    struct identity_key key = {0};
    struct identity_key other = {0};
    int rc = hex_decode(
        SLICE_LITERAL("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), seed,
        32);

    rc |= hex_decode(
        SLICE_LITERAL("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        public, 32);
    rc |= hex_decode(
        SLICE_LITERAL("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        expected, 64);
    assert_int_equal(rc, OK);
    assert_int_equal(identity_key_make(seed, &key), OK);
    assert_memory_equal(key.bytes, public, sizeof public);
    identity_key_sign(&key, slice_from(&message, 1), signature);
    assert_memory_equal(signature, expected, sizeof expected);
    assert_int_equal(identity_key_public(slice_from(public, 32), &other), OK);
    assert_true(
        identity_key_verify(&other, slice_from(&message, 1), slice_from(signature, 64)));
    signature[3] ^= 1;
    assert_false(
        identity_key_verify(&other, slice_from(&message, 1), slice_from(signature, 64)));
    assert_false(
        identity_key_verify(&other, slice_from(&message, 1), slice_from(expected, 63)));
    identity_key_fini(&key);
    identity_key_fini(&other);
}

/* ---- cards ---- */

static struct card card_example(const struct fixture *f)
{
    struct card card = {.epoch = 1, .made_ms = now_ms};

    memcpy(card.cluster, f->trust.cluster, sizeof card.cluster);
    memcpy(card.root_key, f->root.bytes, sizeof card.root_key);
    memcpy(card.node_key, f->holder.bytes, sizeof card.node_key);
    memset(card.node, 7, sizeof card.node);
    return card;
}

static void card__signed__reads_back(void **state)
{
    struct fixture *f = *state;
    struct card card = card_example(f);
    struct card read;

    buf_clear(&f->der);
    assert_int_equal(card_sign(&card, &f->root, &f->der), OK);
    assert_int_equal(card_read(buf_slice(&f->der), &read), OK);
    assert_memory_equal(&card, &read, sizeof card);
    for (size_t i = 0; i < f->der.len; i++) {
        f->der.data[i] ^= 1;
        assert_int_not_equal(card_read(buf_slice(&f->der), &read), OK);
        f->der.data[i] ^= 1;
        assert_int_not_equal(card_read(slice_from(f->der.data, i), &read), OK);
    }
}

static void card__of_an_id_that_is_not_the_keys_hash__must_say_so(void **state)
{
    struct fixture *f = *state;
    struct card card = card_example(f);
    struct card read;

    card.cluster[2] ^= 1;
    buf_clear(&f->der);
    assert_int_equal(card_sign(&card, &f->root, &f->der), OK);
    assert_int_equal(card_read(buf_slice(&f->der), &read), ERR_MALFORMED);
    card.is_adopted = true;
    buf_clear(&f->der);
    assert_int_equal(card_sign(&card, &f->root, &f->der), OK);
    assert_int_equal(card_read(buf_slice(&f->der), &read), OK);
    assert_true(read.is_adopted);
}

/* ---- credentials ---- */

static void credential__each_kind__reads_back(void **state)
{
    (void)state;
    struct credential out;
    struct credential in;
    struct buf text;

    buf_init(&text, CREDENTIAL_FILE_BYTES_MAX);
    for (int kind = CREDENTIAL_KIND_LOCAL; kind <= CREDENTIAL_KIND_CERTIFICATE; kind++) {
        credential_init(&out);
        credential_init(&in);
        out.kind = (enum credential_kind)kind;
        (void)snprintf(out.address, sizeof out.address, "127.0.0.1:7440");
        memset(out.cluster, 0xa1, sizeof out.cluster);
        memset(out.root, 0xb2, sizeof out.root);
        assert_int_equal(buf_append_text(&out.root_certificate, "root"), OK);
        if (kind == CREDENTIAL_KIND_CERTIFICATE) {
            assert_int_equal(buf_append_text(&out.certificate, "own"), OK);
            assert_int_equal(buf_append_text(&out.key, "key!!"), OK);
        } else {
            memset(out.secret, 0xc3, sizeof out.secret);
        }
        buf_clear(&text);
        assert_int_equal(credential_encode(&out, &text), OK);
        assert_int_equal(credential_decode(buf_slice(&text), &in), OK);
        assert_int_equal(in.kind, out.kind);
        assert_string_equal(in.address, out.address);
        assert_memory_equal(in.cluster, out.cluster, sizeof in.cluster);
        assert_memory_equal(in.root, out.root, sizeof in.root);
        assert_memory_equal(in.secret, out.secret, sizeof in.secret);
        assert_true(slice_is_equal(buf_slice(&in.certificate), buf_slice(&out.certificate)));
        assert_true(slice_is_equal(buf_slice(&in.key), buf_slice(&out.key)));
        /* Without any one line of what it needs it is not whole. */
        credential_fini(&in);
        credential_init(&in);
        assert_int_not_equal(credential_decode(slice_from(text.data, text.len - 4), &in), OK);
        credential_fini(&in);
        credential_fini(&out);
    }
    buf_fini(&text);
}

static void credential__malformed__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"",                                                                  ERR_MALFORMED},
        {"carillon-credential 2\nkind token\n",                               ERR_VERSION  },
        {"something else\n",                                                  ERR_MALFORMED},
        {"carillon-credential 1\nkind token\n",                               ERR_MALFORMED},
        {"carillon-credential 1\nkind token\nkind token\n",                   ERR_MALFORMED},
        {"carillon-credential 1\nkind unheard\n",                             ERR_MALFORMED},
        {"carillon-credential 1\ncluster ABCDEF00112233445566778899001122\n", ERR_MALFORMED},
        {"carillon-credential 1\nkey ####\n",                                 ERR_MALFORMED},
        {"carillon-credential 1\nnospace\n",                                  ERR_MALFORMED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct credential in;

        credential_init(&in);
        assert_int_equal(credential_decode(slice_from_text(cases[i].text), &in),
                         cases[i].status);
        credential_fini(&in);
    }
}

static void token__as_text__reads_back(void **state)
{
    (void)state;
    uint8_t token[TOKEN_BYTES];
    uint8_t back[TOKEN_BYTES];
    char text[TOKEN_TEXT_BYTES + 1];

    for (size_t i = 0; i < sizeof token; i++) {
        token[i] = (uint8_t)(i * 7);
    }
    token_format(token, text);
    assert_int_equal(strncmp(text, "crt1_0007", 9), 0);
    assert_int_equal(token_parse(slice_from_text(text), back), OK);
    assert_memory_equal(token, back, sizeof token);
    text[0] = 'x';
    assert_int_equal(token_parse(slice_from_text(text), back), ERR_MALFORMED);
    text[0] = 'c';
    text[TOKEN_TEXT_BYTES - 1] = '\0';
    assert_int_equal(token_parse(slice_from_text(text), back), ERR_MALFORMED);
}

static void base64__every_length__reads_back(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct buf text;
    struct buf back;

    buf_init(&text, 256);
    buf_init(&back, 256);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(len * 37 + i * 101);
        }
        buf_clear(&text);
        buf_clear(&back);
        assert_int_equal(base64_encode(slice_from(bytes, len), &text), OK);
        assert_int_equal(base64_decode(buf_slice(&text), &back), OK);
        assert_true(slice_is_equal(slice_from(bytes, len), buf_slice(&back)));
    }
    buf_clear(&text);
    assert_int_equal(base64_encode(SLICE_LITERAL("Carillon"), &text), OK);
    assert_string_equal(buf_text(&text), "Q2FyaWxsb24=");
    assert_int_equal(base64_decode(SLICE_LITERAL("Q2FyaWxsb25="), &back), ERR_MALFORMED);
    assert_int_equal(base64_decode(SLICE_LITERAL("Q2F"), &back), ERR_MALFORMED);
    assert_int_equal(base64_decode(SLICE_LITERAL("=AAA"), &back), ERR_MALFORMED);
    assert_int_equal(base64_decode(SLICE_LITERAL("AA==AAAA"), &back), ERR_MALFORMED);
    buf_fini(&text);
    buf_fini(&back);
}

/* ---- proofs ---- */

static void proof__of_other_things__is_another(void **state)
{
    (void)state;
    uint8_t secret[PROOF_SECRET_BYTES] = {1};
    uint8_t nonce[PROOF_NONCE_BYTES] = {2};
    uint8_t a[PROOF_BYTES];
    uint8_t b[PROOF_BYTES];

    proof_make(secret, PROOF_HELLO, now_ms, nonce, a);
    proof_make(secret, PROOF_HELLO, now_ms, nonce, b);
    assert_true(proof_is_equal(a, b, sizeof a));
    proof_make(secret, PROOF_WELCOME, now_ms, nonce, b);
    assert_false(proof_is_equal(a, b, sizeof a));
    proof_make(secret, PROOF_HELLO, now_ms + 1, nonce, b);
    assert_false(proof_is_equal(a, b, sizeof a));
    nonce[15] = 1;
    proof_make(secret, PROOF_HELLO, now_ms, nonce, b);
    assert_false(proof_is_equal(a, b, sizeof a));
    nonce[15] = 0;
    secret[31] = 1;
    proof_make(secret, PROOF_HELLO, now_ms, nonce, b);
    assert_false(proof_is_equal(a, b, sizeof a));
}

/* Computed by another implementation of docs/spec/identity.md. */
static void proof__of_the_specification__is_made(void **state)
{
    (void)state;
    uint8_t secret[PROOF_SECRET_BYTES];
    uint8_t nonce[PROOF_NONCE_BYTES];
    uint8_t proof[PROOF_BYTES];
    char text[2 * PROOF_BYTES + 1];

    memset(secret, 0x11, sizeof secret);
    memset(nonce, 0x22, sizeof nonce);
    proof_make(secret, PROOF_HELLO, now_ms, nonce, proof);
    hex_encode(slice_from(proof, sizeof proof), text);
    assert_string_equal(text,
                        "c4105f5b903b128567504091b1ee79e94ebeb39adf987e98b488bfb6dc779c73");
    proof_make(secret, PROOF_WELCOME, now_ms, nonce, proof);
    hex_encode(slice_from(proof, sizeof proof), text);
    assert_string_equal(text,
                        "5157d30622c7bd9967b84be48b07de308e1704876c439052a811f434d405fa07");
}

static void memory__a_hello__is_taken_once_and_in_time(void **state)
{
    (void)state;
    struct arena arena;
    struct proof_memory memory;
    uint8_t nonce[PROOF_NONCE_BYTES] = {5};

    arena_init(&arena, 64 << 20);
    proof_memory_init(&memory, &arena, now_ms - 1000);
    assert_int_equal(proof_memory_take(&memory, now_ms, nonce, now_ms), IO_REFUSAL_NONE);
    assert_int_equal(proof_memory_take(&memory, now_ms, nonce, now_ms), IO_REFUSAL_REPLAY);
    assert_int_equal(proof_memory_take(&memory, now_ms + 1, nonce, now_ms), IO_REFUSAL_REPLAY);
    nonce[0] = 6;
    assert_int_equal(proof_memory_take(&memory, now_ms - 1001, nonce, now_ms),
                     IO_REFUSAL_REPLAY); /* made before the node listened */
    assert_int_equal(proof_memory_take(&memory, now_ms, nonce, now_ms + PROOF_WINDOW_MS + 1),
                     IO_REFUSAL_SECRET);
    assert_int_equal(proof_memory_take(&memory, now_ms + PROOF_WINDOW_MS + 1, nonce, now_ms),
                     IO_REFUSAL_SECRET);
    assert_int_equal(proof_memory_take(&memory, now_ms, nonce, now_ms), IO_REFUSAL_NONE);
    proof_memory_fini(&memory);
    arena_fini(&arena);
}

static void memory__beyond_its_bound__takes_nothing_as_old_as_what_it_forgot(void **state)
{
    (void)state;
    struct arena arena;
    struct proof_memory memory;
    uint8_t nonce[PROOF_NONCE_BYTES] = {0};
    uint8_t first[PROOF_NONCE_BYTES] = {0};

    arena_init(&arena, 64 << 20);
    proof_memory_init(&memory, &arena, now_ms);
    for (uint32_t i = 0; i < PROOF_NONCES_MAX + 10; i++) {
        memcpy(nonce, &i, sizeof i);
        assert_int_equal(proof_memory_take(&memory, now_ms + i / 8, nonce, now_ms),
                         IO_REFUSAL_NONE);
    }
    assert_int_equal(proof_memory_take(&memory, now_ms, first, now_ms), IO_REFUSAL_REPLAY);
    assert_int_equal(map_count(&memory.map), PROOF_NONCES_MAX);
    proof_memory_fini(&memory);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate__in_order__says_who),
        cmocka_unit_test(certificate__each_fault__is_refused_by_its_name),
        cmocka_unit_test(certificate__every_cut_and_flip__is_refused),
        cmocka_unit_test(certificate__of_a_root__gives_its_key),
        cmocka_unit_test(keys_and_certificates__through_files__stay_the_same),
        cmocka_unit_test(signature__of_the_rfc__is_made),
        cmocka_unit_test(card__signed__reads_back),
        cmocka_unit_test(card__of_an_id_that_is_not_the_keys_hash__must_say_so),
        cmocka_unit_test(credential__each_kind__reads_back),
        cmocka_unit_test(credential__malformed__is_refused),
        cmocka_unit_test(token__as_text__reads_back),
        cmocka_unit_test(base64__every_length__reads_back),
        cmocka_unit_test(proof__of_other_things__is_another),
        cmocka_unit_test(proof__of_the_specification__is_made),
        cmocka_unit_test(memory__a_hello__is_taken_once_and_in_time),
        cmocka_unit_test(memory__beyond_its_bound__takes_nothing_as_old_as_what_it_forgot),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
