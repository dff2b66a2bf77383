/* base/uuid.h -- UUID version 7 (RFC 9562 section 5.7): idempotency keys, import ids, node
 * identities.
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_UUID_H
#define CARILLON_BASE_UUID_H

#include "base/error.h"
#include "base/slice.h"

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 36 };

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

/* Build a version 7 UUID from a Unix time in ms and ten random bytes (version and variant bits
 * are set here). */
struct uuid uuid_make(uint64_t unix_ms, const uint8_t random[10]);

/* The Unix time in ms that a version 7 UUID carries. */
uint64_t uuid_unix_ms(const struct uuid *uuid);

/* Whether version (7) and variant bits are as the RFC wants them. */
bool uuid_is_v7(const struct uuid *uuid);

/* 8-4-4-4-12 lower case hex, terminated. */
void uuid_format(const struct uuid *uuid, char out[UUID_TEXT_BYTES + 1]);

/* Errors: ERR_MALFORMED. Accepts upper case. */
int uuid_parse(struct slice text, struct uuid *ret_uuid) CHECKED;

#endif
