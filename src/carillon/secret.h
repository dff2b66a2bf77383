/* carillon/secret.h -- tokens: drawing, showing, and files that hold them.
 *
 * Layer: carillon (identity, client)     Spec: docs/spec/identity.md section 6
 */
#ifndef CARILLON_CARILLON_SECRET_H
#define CARILLON_CARILLON_SECRET_H

#include "carillon/cli.h"
#include "identity/credential.h"

/* A token that was just drawn. */
struct secret {
    uint8_t token[TOKEN_BYTES];
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES]; /* all that a node is told */
};

void secret_draw(struct carillon_client *client, struct secret *ret_secret);

/* Lower case digits of @bytes, in the cli's arena. */
const char *secret_hex(struct cli *cli, struct slice bytes);

/* A span like "12h", "30d" from now, as ms since 1970; "never" gives 0. Errors: ERR_ARGUMENT,
 * said on stderr. */
int secret_expiry(struct cli *cli, const char *text, uint64_t *ret_ms) CHECKED;

/* Write @credential to @path, whose folder is made: readable by its owner only. Errors: ERR_IO,
 * said on stderr. */
int secret_save(struct cli *cli, const char *path, const struct credential *credential) CHECKED;

#endif
