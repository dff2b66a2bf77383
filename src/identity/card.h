/* identity/card.h -- the signed description of a cluster that others keep.
 *
 * Layer: identity (base, wire)     Spec: docs/spec/identity.md section 5
 */
#ifndef CARILLON_IDENTITY_CARD_H
#define CARILLON_IDENTITY_CARD_H

#include "identity/key.h"

enum { CARD_FORMAT = 1, CARD_BYTES_MAX = 16 << 10, CARD_NODES_MAX = 64 };

/* A card of one node, as this version makes them. */
struct card {
    uint8_t cluster[IDENTITY_ID_BYTES];
    uint8_t root_key[IDENTITY_KEY_BYTES];
    bool is_adopted;
    uint32_t epoch;
    uint8_t previous[IDENTITY_FINGERPRINT_BYTES]; /* not of epoch 1 */
    uint8_t node[IDENTITY_ID_BYTES];
    uint8_t node_key[IDENTITY_KEY_BYTES];
    uint64_t made_ms;
};

/* Append the signed card, as the file holds it. Errors: ERR_FULL. */
int card_sign(const struct card *card, const struct identity_key *root,
              struct buf *out) CHECKED;

/* Check signature and form, and take out what is said. Of several nodes the first is taken.
 * Errors: ERR_MALFORMED it is no card, or not signed by the root key it names; ERR_VERSION. */
int card_read(struct slice bytes, struct card *ret_card) CHECKED;

#endif
