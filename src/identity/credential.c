#include "identity/credential.h"

#include <stdio.h>

#include "identity/encoding.h"

static const char first_line[] = "carillon-credential 1";
static const char token_prefix[] = "crt1_";

static const char *const kinds[] = {
    [CREDENTIAL_KIND_NONE] = "none",
    [CREDENTIAL_KIND_LOCAL] = "local",
    [CREDENTIAL_KIND_TOKEN] = "token",
    [CREDENTIAL_KIND_CERTIFICATE] = "certificate",
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

void credential_init(struct credential *credential)
{
    *credential = (struct credential){0};
    buf_init(&credential->root_certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&credential->certificate, IDENTITY_CERTIFICATE_BYTES_MAX);
    buf_init(&credential->key, IDENTITY_KEY_FILE_BYTES_MAX);
}

void credential_fini(struct credential *credential)
{
    buf_fini(&credential->root_certificate);
    buf_fini(&credential->certificate);
    identity_buf_wipe(&credential->key);
    identity_wipe(credential, sizeof *credential);
}

/* ---- writing ---- */

static int put_text(struct buf *out, const char *name, const char *value)
{
    return buf_append_format(out, "%s %s\n", name, value);
}

static int put_hex(struct buf *out, const char *name, struct slice bytes)
{
    char digits[2 * IDENTITY_FINGERPRINT_BYTES + 1];

    hex_encode(bytes, digits);
    int rc = put_text(out, name, digits);

    identity_wipe(digits, sizeof digits);
    return rc;
}

static int put_base64(struct buf *out, const char *name, const struct buf *bytes)
{
    int rc = OK;

    if (bytes->len > 0) {
        rc = buf_append_format(out, "%s ", name);
        rc = rc == OK ? base64_encode(buf_slice(bytes), out) : rc;
        rc = rc == OK ? buf_append_text(out, "\n") : rc;
    }
    return rc;
}

int credential_encode(const struct credential *credential, struct buf *out)
{
    struct slice secret = slice_from(credential->secret, sizeof credential->secret);
    int rc = buf_append_format(out, "%s\n", first_line);

    rc = rc == OK ? put_text(out, "kind", kinds[credential->kind]) : rc;
    rc = rc == OK ? put_text(out, "address", credential->address) : rc;
    rc = rc == OK ? put_hex(out, "cluster",
                            slice_from(credential->cluster, sizeof credential->cluster))
                  : rc;
    rc = rc == OK ? put_hex(out, "root", slice_from(credential->root, sizeof credential->root))
                  : rc;
    rc = rc == OK ? put_base64(out, "root-certificate", &credential->root_certificate) : rc;
    if (rc == OK && credential->kind == CREDENTIAL_KIND_LOCAL) {
        rc = put_hex(out, "secret", secret);
    }
    if (rc == OK && credential->kind == CREDENTIAL_KIND_TOKEN) {
        rc = put_hex(out, "token", secret);
    }
    rc = rc == OK ? put_base64(out, "certificate", &credential->certificate) : rc;
    return rc == OK ? put_base64(out, "key", &credential->key) : rc;
}

/* ---- reading ---- */

/* Which values a file had, as bits. */
enum {
    HAS_KIND = 1,
    HAS_ADDRESS = 2,
    HAS_CLUSTER = 4,
    HAS_ROOT = 8,
    HAS_ROOT_CERTIFICATE = 16,
    HAS_SECRET = 32,
    HAS_TOKEN = 64,
    HAS_CERTIFICATE = 128,
    HAS_KEY = 256,
};

static int take_kind(struct credential *credential, struct slice value)
{
    for (size_t i = CREDENTIAL_KIND_LOCAL; i < KINDS; i++) {
        if (slice_is_equal(value, slice_from_text(kinds[i]))) {
            credential->kind = (enum credential_kind)i;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

static int take_address(struct credential *credential, struct slice value)
{
    if (value.len > CREDENTIAL_ADDRESS_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    if (value.len > 0) {
        memcpy(credential->address, value.data, value.len);
    }
    credential->address[value.len] = '\0';
    return OK;
}

static int take_base64(struct slice value, struct buf *out)
{
    int rc = base64_decode(value, out);

    return rc == ERR_FULL ? ERR_MALFORMED : rc;
}

static int take_line(struct credential *credential, struct slice name, struct slice value,
                     unsigned *seen)
{
    static const struct {
        const char *name;
        unsigned bit;
    } rows[] = {
        {"kind",             HAS_KIND            },
        {"address",          HAS_ADDRESS         },
        {"cluster",          HAS_CLUSTER         },
        {"root",             HAS_ROOT            },
        {"root-certificate", HAS_ROOT_CERTIFICATE},
        {"secret",           HAS_SECRET          },
        {"token",            HAS_TOKEN           },
        {"certificate",      HAS_CERTIFICATE     },
        {"key",              HAS_KEY             },
    };
    unsigned bit = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bit |= slice_is_equal(name, slice_from_text(rows[i].name)) ? rows[i].bit : 0;
    }
    if ((*seen & bit) != 0) {
        return ERR_MALFORMED; /* one of a name */
    }
    *seen |= bit;
    switch (bit) {
    case HAS_KIND:
        return take_kind(credential, value);
    case HAS_ADDRESS:
        return take_address(credential, value);
    case HAS_CLUSTER:
        return hex_decode(value, credential->cluster, sizeof credential->cluster);
    case HAS_ROOT:
        return hex_decode(value, credential->root, sizeof credential->root);
    case HAS_ROOT_CERTIFICATE:
        return take_base64(value, &credential->root_certificate);
    case HAS_SECRET:
    case HAS_TOKEN:
        return hex_decode(value, credential->secret, sizeof credential->secret);
    case HAS_CERTIFICATE:
        return take_base64(value, &credential->certificate);
    case HAS_KEY:
        return take_base64(value, &credential->key);
    default:
        return OK; /* of a later version */
    }
}

/* Whether a file of its kind has what it needs. */
static bool is_whole(const struct credential *credential, unsigned seen)
{
    static const unsigned own[] = {
        [CREDENTIAL_KIND_NONE] = 0,
        [CREDENTIAL_KIND_LOCAL] = HAS_SECRET,
        [CREDENTIAL_KIND_TOKEN] = HAS_TOKEN,
        [CREDENTIAL_KIND_CERTIFICATE] = HAS_CERTIFICATE | HAS_KEY,
    };
    unsigned needed = HAS_KIND | HAS_CLUSTER | HAS_ROOT | own[credential->kind];
    unsigned others = (HAS_SECRET | HAS_TOKEN | HAS_CERTIFICATE | HAS_KEY) & ~needed;

    return (seen & needed) == needed && (seen & others) == 0;
}

int credential_decode(struct slice text, struct credential *credential)
{
    struct slice line;
    struct slice name;
    struct slice value;
    unsigned seen = 0;
    int rc = OK;

    if (text.len > CREDENTIAL_FILE_BYTES_MAX || !slice_cut(text, '\n', &line, &text)) {
        return ERR_MALFORMED;
    }
    if (!slice_is_equal(line, slice_from_text(first_line))) {
        return slice_has_prefix(line, SLICE_LITERAL("carillon-credential ")) ? ERR_VERSION
                                                                             : ERR_MALFORMED;
    }
    while (rc == OK && text.len > 0) {
        if (!slice_cut(text, '\n', &line, &text)) {
            return ERR_MALFORMED; /* the end is missing */
        }
        rc = slice_cut(line, ' ', &name, &value) ? take_line(credential, name, value, &seen)
                                                 : ERR_MALFORMED;
    }
    return rc == OK && !is_whole(credential, seen) ? ERR_MALFORMED : rc;
}

/* ---- tokens ---- */

void token_format(const uint8_t token[TOKEN_BYTES], char out[TOKEN_TEXT_BYTES + 1])
{
    memcpy(out, token_prefix, sizeof token_prefix);
    hex_encode(slice_from(token, TOKEN_BYTES), out + sizeof token_prefix - 1);
}

int token_parse(struct slice text, uint8_t ret_token[TOKEN_BYTES])
{
    if (!slice_has_prefix(text, slice_from_text(token_prefix))) {
        return ERR_MALFORMED;
    }
    return hex_decode(slice_sub(text, sizeof token_prefix - 1, SIZE_MAX), ret_token,
                      TOKEN_BYTES);
}
