#include "tests/lib/greeting.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "proto/envelope.pb-c.h"
#include "wire/message.h"

static void pack(Carillon__Credential *credential, struct buf *out)
{
    Carillon__Hello hello = CARILLON__HELLO__INIT;

    hello.magic = GREETING_MAGIC;
    hello.version_min = 1;
    hello.version_max = 1;
    hello.client = wire_text("test");
    hello.credential = credential;
    int rc = wire_pack_frame(&hello.base, out);

    ASSERT(rc == OK);
}

void greeting_credential(const char *address, struct credential *ret_credential)
{
    char path[600];
    char text[CREDENTIAL_FILE_BYTES_MAX];
    const char *folder = getenv("XDG_RUNTIME_DIR");

    ASSERT(folder != NULL);
    (void)snprintf(path, sizeof path, "%s/carillon/%s", folder, strrchr(address, ':') + 1);
    FILE *file = fopen(path, "re");

    ASSERT(file != NULL);
    size_t len = fread(text, 1, sizeof text, file);

    (void)fclose(file);
    credential_init(ret_credential);
    int rc = credential_decode(slice_from(text, len), ret_credential);

    ASSERT(rc == OK);
}

void greeting_proof(const uint8_t secret[PROOF_SECRET_BYTES], int64_t late_ms,
                    const uint8_t nonce[PROOF_NONCE_BYTES], struct buf *out)
{
    Carillon__Credential credential = CARILLON__CREDENTIAL__INIT;
    struct timespec now;
    uint8_t proof[PROOF_BYTES];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    credential.kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_LOCAL;
    credential.wall_ms =
        (uint64_t)((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + late_ms);
    proof_make(secret, PROOF_HELLO, credential.wall_ms, nonce, proof);
    credential.nonce = wire_binary(slice_from(nonce, PROOF_NONCE_BYTES));
    credential.proof = wire_binary(slice_from(proof, sizeof proof));
    pack(&credential, out);
}

void greeting_local(const char *address, struct buf *out)
{
    struct credential credential;
    uint8_t nonce[PROOF_NONCE_BYTES];

    greeting_credential(address, &credential);
    ssize_t got = getrandom(nonce, sizeof nonce, 0);

    ASSERT(got == (ssize_t)sizeof nonce);
    greeting_proof(credential.secret, 0, nonce, out);
    credential_fini(&credential);
}

void greeting_token(const uint8_t token[TOKEN_BYTES], struct buf *out)
{
    Carillon__Credential credential = CARILLON__CREDENTIAL__INIT;

    if (token == NULL) {
        pack(NULL, out);
        return;
    }
    credential.kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_TOKEN;
    credential.token = wire_binary(slice_from(token, TOKEN_BYTES));
    pack(&credential, out);
}
