/* Judging certificates. Making them is in issue.c. */
#include "identity/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/assert.h"
#include "identity/encoding.h"

enum { DAY_SECONDS = 86400 };

/* ---- words ---- */

static const struct {
    uint32_t role;
    const char *name;
} roles[] = {
    {IDENTITY_ROLE_CLIENT,    "client"   },
    {IDENTITY_ROLE_STUDENT,   "student"  },
    {IDENTITY_ROLE_REGISTRAR, "registrar"},
    {IDENTITY_ROLE_OPERATOR,  "operator" },
    {IDENTITY_ROLE_NODE,      "node"     },
};

enum { ROLES = sizeof roles / sizeof roles[0] };

const char *identity_role_name(uint32_t role)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return NULL;
}

uint32_t identity_role_find(struct slice name)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (slice_is_equal(slice_from_text(roles[i].name), name)) {
            return roles[i].role;
        }
    }
    return IDENTITY_ROLE_NONE;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '.' || c == '_' || c == '-';
}

bool identity_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_name_byte(name.data[i])) {
            return false;
        }
    }
    return name.len >= 1 && name.len <= IO_PEER_NAME_BYTES_MAX;
}

const char *identity_refusal_name(enum io_refusal refusal)
{
    static const char *const names[IO_REFUSAL_NR] = {
        [IO_REFUSAL_NONE] = "none",
        [IO_REFUSAL_PLAIN] = "plain",
        [IO_REFUSAL_NO_CREDENTIAL] = "no-credential",
        [IO_REFUSAL_CERTIFICATE] = "certificate",
        [IO_REFUSAL_OTHER_CA] = "other-ca",
        [IO_REFUSAL_EXPIRED] = "expired",
        [IO_REFUSAL_NOT_YET_VALID] = "not-yet-valid",
        [IO_REFUSAL_OTHER_CLUSTER] = "other-cluster",
        [IO_REFUSAL_REVOKED] = "revoked",
        [IO_REFUSAL_ROLE] = "role",
        [IO_REFUSAL_TLS_VERSION] = "tls-version",
        [IO_REFUSAL_TLS] = "tls",
        [IO_REFUSAL_SECRET] = "secret",
        [IO_REFUSAL_REPLAY] = "replay",
        [IO_REFUSAL_TOKEN] = "token",
        [IO_REFUSAL_INVITE] = "invite",
        [IO_REFUSAL_MEMBER] = "member",
        [IO_REFUSAL_REMOVED] = "removed",
        [IO_REFUSAL_SLOW] = "slow",
        [IO_REFUSAL_SIZE] = "size",
        [IO_REFUSAL_CROWD] = "crowd",
        [IO_REFUSAL_FORBIDDEN] = "forbidden",
    };

    ASSERT(refusal < IO_REFUSAL_NR);
    return names[refusal];
}

/* ---- reading ---- */

/* The bytes as a certificate and nothing behind it. */
static X509 *certificate_parse(struct slice der)
{
    const uint8_t *at = der.data;

    if (der.len == 0 || der.len > IDENTITY_CERTIFICATE_BYTES_MAX) {
        return NULL;
    }
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);

    if (x509 != NULL && at != der.data + der.len) {
        X509_free(x509);
        return NULL;
    }
    return x509;
}

static bool time_read(const ASN1_TIME *time, uint64_t *ret_ms)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    ASSERT(epoch != NULL);
    bool ok = ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 && days >= 0 && seconds >= 0;

    ASN1_TIME_free(epoch);
    *ret_ms = ok ? ((uint64_t)days * DAY_SECONDS + (uint64_t)seconds) * 1000 : 0;
    return ok;
}

/* carillon://<cluster>[/<role>/<name>] */
static bool uri_read(struct slice uri, struct identity_certificate *certificate)
{
    static const char scheme[] = "carillon://";
    struct slice cluster;
    struct slice rest;
    struct slice role;

    if (!slice_has_prefix(uri, slice_from_text(scheme))) {
        return false;
    }
    uri = slice_sub(uri, sizeof scheme - 1, SIZE_MAX);
    bool is_root = !slice_cut(uri, '/', &cluster, &rest);

    if (hex_decode(is_root ? uri : cluster, certificate->cluster, IDENTITY_ID_BYTES) != OK) {
        return false;
    }
    if (is_root) {
        return true;
    }
    if (!slice_cut(rest, '/', &role, &rest) || !identity_name_is_valid(rest)) {
        return false;
    }
    certificate->role = identity_role_find(role);
    memcpy(certificate->name, rest.data, rest.len);
    return certificate->role != IDENTITY_ROLE_NONE &&
           certificate->role != IDENTITY_ROLE_STUDENT;
}

static bool name_read(const X509 *x509, struct identity_certificate *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    bool ok = false;

    if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
        int type = 0;
        const ASN1_IA5STRING *uri =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), &type);

        ok = type == GEN_URI &&
             uri_read(slice_from(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)),
                      certificate);
    }
    GENERAL_NAMES_free(names);
    return ok;
}

static bool form_read(const X509 *x509, struct identity_certificate *certificate)
{
    size_t len = IDENTITY_KEY_BYTES;
    const EVP_PKEY *pkey = X509_get0_pubkey(x509);

    return X509_get_version(x509) == X509_VERSION_3 && pkey != NULL &&
           EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(pkey, certificate->key, &len) == 1 &&
           time_read(X509_get0_notBefore(x509), &certificate->not_before_ms) &&
           time_read(X509_get0_notAfter(x509), &certificate->not_after_ms);
}

/* A name is read from what the root has signed, and not before. */
static enum io_refusal parts_read(X509 *x509, const struct identity_key *root,
                                  struct identity_certificate *ret_certificate)
{
    if (!form_read(x509, ret_certificate)) {
        return IO_REFUSAL_CERTIFICATE;
    }
    if (X509_verify(x509, root->pkey) != 1) {
        return IO_REFUSAL_OTHER_CA;
    }
    return name_read(x509, ret_certificate) ? IO_REFUSAL_NONE : IO_REFUSAL_CERTIFICATE;
}

enum io_refusal identity_certificate_read(struct slice der, const struct identity_key *root,
                                          struct identity_certificate *ret_certificate)
{
    X509 *x509 = certificate_parse(der);

    *ret_certificate = (struct identity_certificate){0};
    enum io_refusal refusal =
        x509 == NULL ? IO_REFUSAL_CERTIFICATE : parts_read(x509, root, ret_certificate);

    X509_free(x509);
    identity_hash(der, ret_certificate->hash);
    return refusal;
}

int identity_certificate_read_root(struct slice der, struct identity_key *ret_key,
                                   struct identity_certificate *ret_certificate)
{
    X509 *x509 = certificate_parse(der);
    struct identity_certificate certificate = {0};
    struct identity_key key = {0};

    bool ok =
        x509 != NULL && form_read(x509, &certificate) &&
        identity_key_public(slice_from(certificate.key, IDENTITY_KEY_BYTES), &key) == OK &&
        parts_read(x509, &key, &certificate) == IO_REFUSAL_NONE &&
        certificate.role == IDENTITY_ROLE_NONE;

    X509_free(x509);
    if (!ok) {
        identity_key_fini(&key);
        return ERR_MALFORMED;
    }
    identity_hash(der, certificate.hash);
    *ret_key = key;
    *ret_certificate = certificate;
    return OK;
}

int identity_certificate_root_key(struct slice der, struct identity_key *ret_key)
{
    struct identity_certificate certificate;

    return identity_certificate_read_root(der, ret_key, &certificate);
}

/* ---- judging ---- */

/* Dates, cluster, revocation, role: what is left when form and signature are in order. */
static enum io_refusal judge(const struct identity_trust *trust,
                             const struct identity_certificate *certificate)
{
    if (trust->wall_ms < certificate->not_before_ms) {
        return IO_REFUSAL_NOT_YET_VALID;
    }
    if (trust->wall_ms > certificate->not_after_ms) {
        return IO_REFUSAL_EXPIRED;
    }
    if (certificate->role == IDENTITY_ROLE_NONE) {
        return IO_REFUSAL_CERTIFICATE; /* the root's own, shown by somebody */
    }
    if (memcmp(certificate->cluster, trust->cluster, IDENTITY_ID_BYTES) != 0) {
        return IO_REFUSAL_OTHER_CLUSTER;
    }
    if (trust->is_revoked != NULL && trust->is_revoked(trust->context, certificate->hash)) {
        return IO_REFUSAL_REVOKED;
    }
    return (certificate->role & trust->roles) != 0 ? IO_REFUSAL_NONE : IO_REFUSAL_ROLE;
}

enum io_refusal identity_certificate_judge(const struct identity_trust *trust, struct slice der,
                                           struct identity_certificate *ret_certificate)
{
    enum io_refusal refusal = identity_certificate_read(der, trust->root, ret_certificate);

    return refusal == IO_REFUSAL_NONE ? judge(trust, ret_certificate) : refusal;
}

/* ---- files ---- */

int identity_certificate_to_pem(struct slice der, struct buf *out)
{
    X509 *x509 = certificate_parse(der);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;

    ASSERT(bio != NULL);
    bool ok = x509 != NULL && PEM_write_bio_X509(bio, x509) == 1;
    long len = BIO_get_mem_data(bio, &data);
    int rc = ok ? buf_append(out, data, (size_t)len) : ERR_MALFORMED;

    BIO_free(bio);
    X509_free(x509);
    return rc;
}

int identity_certificate_from_pem(struct slice text, struct buf *out)
{
    if (text.len == 0 || text.len > 2 * (size_t)IDENTITY_CERTIFICATE_BYTES_MAX) {
        return ERR_MALFORMED;
    }
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);

    ASSERT(bio != NULL);
    uint8_t *der = NULL;
    long len = 0;
    int rc = PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio, NULL, NULL) == 1 &&
                     len > 0 && len <= IDENTITY_CERTIFICATE_BYTES_MAX
                 ? buf_append(out, der, (size_t)len)
                 : ERR_MALFORMED;

    OPENSSL_free(der);
    BIO_free(bio);
    return rc;
}
