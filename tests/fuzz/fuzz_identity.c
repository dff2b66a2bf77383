/* Whatever somebody shows: certificates, cards, credential files, Hellos, and a student's
 * bodies. The first byte chooses which. */
#include <stdint.h>

#include "base/assert.h"
#include "identity/card.h"
#include "identity/credential.h"
#include "io_sim/io_sim.h"
#include "node/door.h"
#include "node/event.h"
#include "node/rights.h"
#include "proto/envelope.pb-c.h"
#include "proto/registration.pb-c.h"
#include "wire/message.h"

enum { SCRATCH_BYTES = 4 << 20, TEXT_BYTES = 512 };

/* Nothing is signed by a root that signed nothing. */
static void fuzz_certificate(struct slice bytes)
{
    static const uint8_t seed[IDENTITY_KEY_BYTES] = {42};
    static struct identity_key root;
    struct identity_certificate read;
    struct identity_key of_itself = {0};

    if (root.pkey == NULL) {
        int rc = identity_key_make(seed, &root);
        ASSERT(rc == OK);
    }
    const struct identity_trust trust = {.root = &root, .roles = UINT32_MAX};
    enum io_refusal refusal = identity_certificate_judge(&trust, bytes, &read);

    ASSERT(refusal == IO_REFUSAL_CERTIFICATE || refusal == IO_REFUSAL_OTHER_CA);
    if (identity_certificate_root_key(bytes, &of_itself) == OK) {
        identity_key_fini(&of_itself);
    }
}

static void fuzz_card(struct slice bytes)
{
    struct card card;

    if (card_read(bytes, &card) == OK) {
        ASSERT(card.epoch > 0);
    }
}

/* What was read is written the same, and read the same again. */
static void fuzz_credential(struct slice bytes)
{
    struct credential first;
    struct credential second;
    struct buf text;

    credential_init(&first);
    credential_init(&second);
    buf_init(&text, 2 * CREDENTIAL_FILE_BYTES_MAX);
    if (credential_decode(bytes, &first) == OK) {
        int rc = credential_encode(&first, &text);
        ASSERT(rc == OK);
        rc = credential_decode(buf_slice(&text), &second);
        ASSERT(rc == OK);
        ASSERT(second.kind == first.kind);
        ASSERT(memcmp(second.secret, first.secret, sizeof first.secret) == 0);
    }
    credential_fini(&first);
    credential_fini(&second);
    buf_fini(&text);
}

static enum io_refusal no_token(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                                struct conn_who *ret_who)
{
    (void)context;
    (void)hash;
    (void)ret_who;
    return IO_REFUSAL_TOKEN;
}

static enum io_refusal no_invite(void *context, const uint8_t hash[IDENTITY_FINGERPRINT_BYTES],
                                 struct conn_who *ret_who)
{
    (void)context;
    (void)hash;
    (void)ret_who;
    return IO_REFUSAL_INVITE;
}

/* Without a certificate, the secret, a known token or an invite nobody is anybody. */
static void fuzz_hello(struct slice bytes)
{
    static const struct io_peer peers[] = {
        {.is_loopback = true},
        {.is_encrypted = true},
        {0},
    };
    struct io_sim *sim = io_sim_create(1, NULL);
    struct door door = {.io = io_sim_machine_create(sim, "10.0.0.1"),
                        .hooks = {.token = no_token, .invite = no_invite},
                        .is_plain_allowed = true};
    struct arena scratch;

    memset(door.ring.secret, 0x5a, sizeof door.ring.secret);
    arena_init(&scratch, SCRATCH_BYTES);
    proof_memory_init(&door.memory, &scratch, 0);
    const Carillon__Hello *hello = wire_unpack(&carillon__hello__descriptor, bytes, &scratch);

    for (size_t i = 0; hello != NULL && i < sizeof peers / sizeof peers[0]; i++) {
        Carillon__Welcome welcome = CARILLON__WELCOME__INIT;
        struct conn_who who;
        enum io_refusal refusal = door_greet(&door, &peers[i], hello, &who, &welcome);

        ASSERT(refusal != IO_REFUSAL_NONE);
        ASSERT(who.roles == 0 && welcome.roles == 0 && welcome.text[0] != '\0');
    }
    arena_fini(&scratch);
    io_sim_destroy(sim);
}

/* What is let through in a student's name is in that student's name as the node will read it.
 */
static void fuzz_rights(struct slice bytes)
{
    static const struct conn_who ann = {.roles = METHOD_ROLE_ANYONE | METHOD_ROLE_STUDENT,
                                        .student = "ann"};
    const struct method *method = method_get(CARILLON__METHOD__METHOD_SUBMIT);
    struct arena scratch;
    struct buf text;

    arena_init(&scratch, SCRATCH_BYTES);
    buf_init(&text, TEXT_BYTES);
    int rc = rights_check(&ann, method, bytes, &text);
    const Carillon__SubmitRequest *request = wire_unpack(method->request, bytes, &scratch);

    if (rc == OK && request != NULL) {
        ASSERT(strcmp(request->student, "ann") == 0);
    }
    buf_fini(&text);
    arena_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct slice bytes) = {
        fuzz_certificate, fuzz_card, fuzz_credential, fuzz_hello, fuzz_rights,
    };

    if (size > 0) {
        event_set_level(EVENT_NONE);
        targets[data[0] % 5](slice_from(data + 1, size - 1));
    }
    return 0;
}
