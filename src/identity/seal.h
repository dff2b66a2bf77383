/* identity/seal.h -- datagrams that nobody but the holder of a key makes, reads, or repeats.
 *
 * Layer: identity (base, libcrypto)     Spec: docs/spec/member.md section 10
 *
 * One key is for one direction between two nodes, and for one connection of theirs: it was drawn
 * at random and handed over by TLS, is in memory only, and seals no two datagrams with one
 * number.
 */
#ifndef CARILLON_IDENTITY_SEAL_H
#define CARILLON_IDENTITY_SEAL_H

#include "base/error.h"
#include "base/slice.h"

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_HEAD_BYTES = 18, /* in the open: version, flags, sender, number */
    SEAL_TAG_BYTES = 16,
    SEAL_BYTES = SEAL_HEAD_BYTES + SEAL_TAG_BYTES, /* that a datagram is longer than its text */
    SEAL_WINDOW = 64, /* how many numbers behind the newest one may still come */
};

struct seal_sender {
    uint8_t key[SEAL_KEY_BYTES];
    uint64_t number; /* of the last */
};

struct seal_receiver {
    uint8_t key[SEAL_KEY_BYTES];
    uint64_t newest;
    uint64_t taken; /* bit i: number newest - i */
};

/* What stands in the open, and is covered by the seal all the same. */
struct seal_head {
    uint64_t from; /* never 0 */
    uint8_t flags;
};

void seal_sender_init(struct seal_sender *sender, const uint8_t key[SEAL_KEY_BYTES]);
void seal_receiver_init(struct seal_receiver *receiver, const uint8_t key[SEAL_KEY_BYTES]);

/* Seal @text into @ret_bytes, which has room for SEAL_BYTES more. Returns: bytes. */
size_t seal_make(struct seal_sender *sender, const struct seal_head *head, struct slice text,
                 uint8_t *ret_bytes);

/* Read what stands in the open: who claims to have sent it. Errors: ERR_MALFORMED. */
int seal_read_head(struct slice bytes, struct seal_head *ret_head) CHECKED;

/* Open a datagram, once. @ret_text has room for bytes.len - SEAL_BYTES.
 * Errors: ERR_MALFORMED; ERR_UNAUTHENTICATED it is not of this key, or was changed; ERR_EXISTS
 * it was taken before, or is too old to tell. @ret_text means nothing then. */
int seal_open(struct seal_receiver *receiver, struct slice bytes, uint8_t *ret_text) CHECKED;

#endif
