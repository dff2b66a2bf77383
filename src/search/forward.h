/* search/forward.h -- reads a row's own bytes: its tokens in order and its day masks (struct
 * row in index.h).
 *
 * Layer: search (base)     Inside the room only.
 */
#ifndef CARILLON_SEARCH_FORWARD_H
#define CARILLON_SEARCH_FORWARD_H

#include "search/index.h"

struct forward {
    const uint8_t *at; /* the next token */
    uint32_t title;    /* tokens */
    uint32_t people;
    uint32_t text;
    uint32_t days_count;
    const uint8_t *days;
};

static inline uint32_t forward_varint(struct forward *forward)
{
    uint32_t value = *forward->at++;
    if (value < 0x80) {
        return value;
    }
    value &= 0x7F;
    for (uint32_t shift = 7;; shift += 7) {
        uint32_t byte = *forward->at++;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

/* Stand before the first token of the title; people and text follow. @bytes: of a row. */
static inline struct forward forward_of(const uint8_t *bytes)
{
    struct forward forward = {.at = bytes};
    forward.title = forward_varint(&forward);
    forward.people = forward_varint(&forward);
    forward.text = forward_varint(&forward);
    forward.days_count = forward_varint(&forward);
    forward.days = forward.at;
    forward.at += forward.days_count;
    return forward;
}

/* The next token of the title and the hash of the word as written. */
static inline uint32_t forward_title(struct forward *forward, uint8_t *ret_hash)
{
    uint32_t term = forward_varint(forward);
    *ret_hash = *forward->at++;
    return term;
}

#endif
