/* identity/encoding.h -- bytes as hex and base64, for names and files.
 *
 * Layer: identity (base)
 */
#ifndef CARILLON_IDENTITY_ENCODING_H
#define CARILLON_IDENTITY_ENCODING_H

#include "base/buf.h"
#include "base/error.h"

/* Write 2 * bytes.len lower case digits and a terminator. */
void hex_encode(struct slice bytes, char *out);

/* Read exactly @len bytes from 2 * @len digits, lower case. Errors: ERR_MALFORMED. */
int hex_decode(struct slice text, uint8_t *out, size_t len) CHECKED;

/* Append; one line, padded. Errors: ERR_FULL. */
int base64_encode(struct slice bytes, struct buf *out) CHECKED;

/* Append the bytes. Errors: ERR_MALFORMED, ERR_FULL. */
int base64_decode(struct slice text, struct buf *out) CHECKED;

#endif
