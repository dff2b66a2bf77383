/* ChaCha20-Poly1305 (RFC 8439) over numbered datagrams. */
#include "identity/seal.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "identity/key.h"

enum { VERSION = 1, NONCE_BYTES = 12, AT_FLAGS = 1, AT_FROM = 2, AT_NUMBER = 10 };

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)in[i] << 8 * i;
    }
    return value;
}

/* A number is used once with a key, so it makes a nonce. */
static void make_nonce(uint64_t number, uint8_t ret_nonce[NONCE_BYTES])
{
    memset(ret_nonce, 0, NONCE_BYTES);
    put_u64(ret_nonce + NONCE_BYTES - 8, number);
}

void seal_sender_init(struct seal_sender *sender, const uint8_t key[SEAL_KEY_BYTES])
{
    *sender = (struct seal_sender){0};
    memcpy(sender->key, key, sizeof sender->key);
}

void seal_receiver_init(struct seal_receiver *receiver, const uint8_t key[SEAL_KEY_BYTES])
{
    *receiver = (struct seal_receiver){0};
    memcpy(receiver->key, key, sizeof receiver->key);
}

static EVP_CIPHER_CTX *cipher_create(const uint8_t *key, uint64_t number, struct slice head,
                                     bool is_sealing)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t nonce[NONCE_BYTES];
    int len = 0;

    make_nonce(number, nonce);
    ASSERT(cipher != NULL);
    int good = EVP_CipherInit_ex(cipher, EVP_chacha20_poly1305(), NULL, key, nonce, is_sealing);

    ASSERT(good == 1);
    good = EVP_CipherUpdate(cipher, NULL, &len, head.data, (int)head.len);
    ASSERT(good == 1);
    return cipher;
}

size_t seal_make(struct seal_sender *sender, const struct seal_head *head, struct slice text,
                 uint8_t *ret_bytes)
{
    uint8_t *sealed = ret_bytes + SEAL_HEAD_BYTES;
    int len = 0;
    int rest = 0;

    ASSERT(head->from != 0);
    sender->number++;
    ret_bytes[0] = VERSION;
    ret_bytes[AT_FLAGS] = head->flags;
    put_u64(ret_bytes + AT_FROM, head->from);
    put_u64(ret_bytes + AT_NUMBER, sender->number);
    EVP_CIPHER_CTX *cipher =
        cipher_create(sender->key, sender->number, slice_from(ret_bytes, SEAL_HEAD_BYTES), true);
    int good = EVP_CipherUpdate(cipher, sealed, &len, text.data, (int)text.len);

    ASSERT(good == 1 && (size_t)len == text.len);
    good = EVP_CipherFinal_ex(cipher, sealed + len, &rest);
    ASSERT(good == 1 && rest == 0);
    good = EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, sealed + len);
    ASSERT(good == 1);
    EVP_CIPHER_CTX_free(cipher);
    return text.len + SEAL_BYTES;
}

int seal_read_head(struct slice bytes, struct seal_head *ret_head)
{
    if (bytes.len <= SEAL_BYTES || bytes.data[0] != VERSION) {
        return ERR_MALFORMED;
    }
    struct seal_head head = {.from = get_u64(bytes.data + AT_FROM),
                             .flags = bytes.data[AT_FLAGS]};

    if (head.from == 0) {
        return ERR_MALFORMED;
    }
    *ret_head = head;
    return OK;
}

static bool is_new(const struct seal_receiver *receiver, uint64_t number)
{
    if (number > receiver->newest) {
        return true;
    }
    uint64_t behind = receiver->newest - number;

    return number != 0 && behind < SEAL_WINDOW && (receiver->taken >> behind & 1) == 0;
}

static void take(struct seal_receiver *receiver, uint64_t number)
{
    if (number > receiver->newest) {
        uint64_t ahead = number - receiver->newest;

        receiver->taken = ahead < SEAL_WINDOW ? receiver->taken << ahead : 0;
        receiver->newest = number;
    }
    receiver->taken |= 1ULL << (receiver->newest - number);
}

/* Numbers count only once the tag was found good: a stranger's move no window. */
int seal_open(struct seal_receiver *receiver, struct slice bytes, uint8_t *ret_text)
{
    struct seal_head head;
    uint8_t tag[SEAL_TAG_BYTES];
    int len = 0;
    int rest = 0;
    int rc = seal_read_head(bytes, &head);

    if (rc != OK) {
        return rc;
    }
    uint64_t number = get_u64(bytes.data + AT_NUMBER);
    size_t text_len = bytes.len - SEAL_BYTES;

    if (!is_new(receiver, number)) {
        return ERR_EXISTS;
    }
    memcpy(tag, bytes.data + bytes.len - SEAL_TAG_BYTES, sizeof tag);
    EVP_CIPHER_CTX *cipher =
        cipher_create(receiver->key, number, slice_from(bytes.data, SEAL_HEAD_BYTES), false);
    int good = EVP_CipherUpdate(cipher, ret_text, &len, bytes.data + SEAL_HEAD_BYTES,
                                (int)text_len);

    ASSERT(good == 1 && (size_t)len == text_len);
    good = EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag);
    ASSERT(good == 1);
    bool is_good = EVP_CipherFinal_ex(cipher, ret_text + len, &rest) == 1;

    EVP_CIPHER_CTX_free(cipher);
    if (!is_good) {
        identity_wipe(ret_text, text_len);
        return ERR_UNAUTHENTICATED;
    }
    take(receiver, number);
    return OK;
}
