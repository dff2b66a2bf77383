#include "identity/key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/assert.h"

enum { SECURE_HEAP_BYTES = 256 << 10, SECURE_BLOCK_BYTES = 32 };

void identity_secure_memory(void)
{
    /* A system that locks less memory for us still gets a heap that is wiped and not dumped. */
    (void)!CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_BLOCK_BYTES);
}

static int key_take(EVP_PKEY *pkey, bool has_private, struct identity_key *ret_key)
{
    size_t len = IDENTITY_KEY_BYTES;
    struct identity_key key = {.pkey = pkey, .has_private = has_private};

    if (pkey == NULL || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(pkey, key.bytes, &len) != 1 || len != IDENTITY_KEY_BYTES) {
        EVP_PKEY_free(pkey);
        return ERR_MALFORMED;
    }
    *ret_key = key;
    return OK;
}

int identity_key_make(const uint8_t seed[IDENTITY_KEY_BYTES], struct identity_key *ret_key)
{
    return key_take(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, IDENTITY_KEY_BYTES), true,
        ret_key);
}

int identity_key_public(struct slice bytes, struct identity_key *ret_key)
{
    if (bytes.len != IDENTITY_KEY_BYTES) {
        return ERR_MALFORMED;
    }
    return key_take(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes.data, IDENTITY_KEY_BYTES),
        false, ret_key);
}

void identity_key_fini(struct identity_key *key)
{
    EVP_PKEY_free(key->pkey);
    *key = (struct identity_key){0};
}

/* Copy what a memory BIO holds, and release it. */
static int bio_take(BIO *bio, int is_written, struct buf *out)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    int rc = is_written == 1 && len > 0 ? buf_append(out, data, (size_t)len) : ERR_INTERNAL;

    BIO_free(bio);
    return rc;
}

int identity_key_to_pem(const struct identity_key *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());

    ASSERT(bio != NULL && key->has_private);
    int written = PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL);
    return bio_take(bio, written, out);
}

/* A password is never asked for. */
static int refuse_password(char *buffer, int size, int is_writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

int identity_key_from_pem(struct slice text, struct identity_key *ret_key)
{
    if (text.len == 0 || text.len > IDENTITY_KEY_FILE_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);

    ASSERT(bio != NULL);
    uint8_t *der = NULL;
    long len = 0;
    int rc = PEM_bytes_read_bio_secmem(&der, &len, NULL, PEM_STRING_PKCS8INF, bio,
                                       refuse_password, NULL) == 1
                 ? identity_key_from_der(slice_from(der, (size_t)len), ret_key)
                 : ERR_MALFORMED;

    OPENSSL_secure_clear_free(der, (size_t)len);
    BIO_free(bio);
    return rc;
}

int identity_key_to_der(const struct identity_key *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());

    ASSERT(bio != NULL && key->has_private);
    return bio_take(bio, i2d_PKCS8PrivateKeyInfo_bio(bio, key->pkey), out);
}

int identity_key_from_der(struct slice der, struct identity_key *ret_key)
{
    const uint8_t *at = der.data;

    if (der.len == 0 || der.len > IDENTITY_KEY_FILE_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    /* By its parts (RFC 8410, section 7): asking the library for a key of whatever kind takes
     * ten times as long. */
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    const ASN1_OBJECT *algorithm = NULL;
    const uint8_t *inner = NULL;
    int len = 0;
    ASN1_OCTET_STRING *seed = NULL;

    if (info != NULL && PKCS8_pkey_get0(&algorithm, &inner, &len, NULL, info) == 1 &&
        OBJ_obj2nid(algorithm) == NID_ED25519) {
        seed = d2i_ASN1_OCTET_STRING(NULL, &inner, len);
    }
    int rc = seed != NULL && ASN1_STRING_length(seed) == IDENTITY_KEY_BYTES
                 ? identity_key_make(ASN1_STRING_get0_data(seed), ret_key)
                 : ERR_MALFORMED;

    ASN1_STRING_clear_free(seed);
    PKCS8_PRIV_KEY_INFO_free(info);
    return rc;
}

void identity_key_sign(const struct identity_key *key, struct slice message,
                       uint8_t ret_signature[IDENTITY_SIGNATURE_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = IDENTITY_SIGNATURE_BYTES;

    ASSERT(context != NULL && key->has_private);
    int ok = EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
             EVP_DigestSign(context, ret_signature, &len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    ASSERT(ok && len == IDENTITY_SIGNATURE_BYTES);
}

bool identity_key_verify(const struct identity_key *key, struct slice message,
                         struct slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    ASSERT(context != NULL && key->pkey != NULL);
    bool ok = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, message.data,
                               message.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

void identity_hash(struct slice bytes, uint8_t ret_hash[IDENTITY_FINGERPRINT_BYTES])
{
    static const uint8_t none[1];
    unsigned len = 0;
    int ok = EVP_Digest(bytes.len > 0 ? bytes.data : none, bytes.len, ret_hash, &len,
                        EVP_sha256(), NULL);

    ASSERT(ok == 1 && len == IDENTITY_FINGERPRINT_BYTES);
}

void identity_fingerprint(const struct identity_key *key,
                          uint8_t ret_fingerprint[IDENTITY_FINGERPRINT_BYTES])
{
    identity_hash(slice_from(key->bytes, sizeof key->bytes), ret_fingerprint);
}

void identity_cluster_id(const struct identity_key *root, uint8_t ret_id[IDENTITY_ID_BYTES])
{
    uint8_t fingerprint[IDENTITY_FINGERPRINT_BYTES];

    identity_fingerprint(root, fingerprint);
    memcpy(ret_id, fingerprint, IDENTITY_ID_BYTES);
}

void identity_wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}

void identity_buf_wipe(struct buf *buf)
{
    if (buf->data != NULL) {
        OPENSSL_cleanse(buf->data, buf->cap);
    }
    buf_fini(buf);
}
