/* Making certificates. */
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/assert.h"
#include "identity/certificate.h"
#include "identity/encoding.h"

enum { URI_BYTES = 160, NAME_BYTES = 96 };

static void extension_add(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    ASSERT(extension != NULL);
    int ok = X509_add_ext(x509, extension, -1);

    ASSERT(ok == 1);
    X509_EXTENSION_free(extension);
}

static void name_set(X509_NAME *name, const char *text)
{
    int ok =
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)text, -1, -1, 0);
    ASSERT(ok == 1);
}

static void names_set(X509 *x509, const struct identity_certificate_plan *plan,
                      const char *cluster)
{
    char issuer[NAME_BYTES];
    char subject[NAME_BYTES];

    (void)snprintf(issuer, sizeof issuer, "carillon %s", cluster);
    (void)snprintf(subject, sizeof subject, "%s %.*s", identity_role_name(plan->role),
                   IO_PEER_NAME_BYTES_MAX, plan->name);
    /* X.520 ends a common name at 64 characters; what counts is the URI. */
    subject[64] = '\0';
    name_set(X509_get_issuer_name(x509), issuer);
    name_set(X509_get_subject_name(x509), plan->role == IDENTITY_ROLE_NONE ? issuer : subject);
}

static void serial_set(X509 *x509, const uint8_t serial[IDENTITY_SERIAL_BYTES])
{
    uint8_t bytes[IDENTITY_SERIAL_BYTES];

    memcpy(bytes, serial, sizeof bytes);
    bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and always as long */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);

    ASSERT(number != NULL);
    ASN1_INTEGER *set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));

    ASSERT(set != NULL);
    BN_free(number);
}

/* The issuer's key identifier can only be taken from a certificate: one of its own, made for
 * that. */
static X509 *issuer_face(const struct identity_key *root)
{
    X509 *face = X509_new();
    int ok = face != NULL && X509_set_pubkey(face, root->pkey) == 1;

    ASSERT(ok);
    extension_add(face, face, NID_subject_key_identifier, "hash");
    return face;
}

static void extensions_set(X509 *x509, const struct identity_certificate_plan *plan,
                           const char *cluster)
{
    char uri[URI_BYTES];
    bool is_root = plan->role == IDENTITY_ROLE_NONE;
    X509 *face = issuer_face(plan->issuer);

    extension_add(x509, face, NID_basic_constraints,
                  is_root ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
    extension_add(x509, face, NID_key_usage,
                  is_root ? "critical,keyCertSign" : "critical,digitalSignature");
    if (is_root) {
        (void)snprintf(uri, sizeof uri, "URI:carillon://%s", cluster);
    } else {
        extension_add(x509, face, NID_ext_key_usage,
                      plan->role == IDENTITY_ROLE_NODE ? "serverAuth,clientAuth"
                                                       : "clientAuth");
        (void)snprintf(uri, sizeof uri, "URI:carillon://%s/%s/%s", cluster,
                       identity_role_name(plan->role), plan->name);
    }
    extension_add(x509, face, NID_subject_alt_name, uri);
    extension_add(x509, face, NID_subject_key_identifier, "hash");
    extension_add(x509, face, NID_authority_key_identifier, "keyid:always");
    X509_free(face);
}

int identity_certificate_issue(const struct identity_certificate_plan *plan, struct buf *out)
{
    char cluster[2 * IDENTITY_ID_BYTES + 1];
    uint8_t *der = NULL;
    X509 *x509 = X509_new();

    ASSERT(x509 != NULL && plan->issuer->has_private);
    ASSERT(plan->role == IDENTITY_ROLE_NONE ||
           identity_name_is_valid(slice_from_text(plan->name)));
    hex_encode(slice_from(plan->cluster, IDENTITY_ID_BYTES), cluster);
    bool ok =
        X509_set_version(x509, X509_VERSION_3) == 1 &&
        X509_set_pubkey(x509, plan->subject->pkey) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)(plan->not_before_ms / 1000)) !=
            NULL &&
        ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(plan->not_after_ms / 1000)) != NULL;
    ASSERT(ok);
    serial_set(x509, plan->serial);
    names_set(x509, plan, cluster);
    extensions_set(x509, plan, cluster);
    ok = X509_sign(x509, plan->issuer->pkey, NULL) > 0;
    ASSERT(ok);
    int len = i2d_X509(x509, &der);

    ASSERT(len > 0 && len <= IDENTITY_CERTIFICATE_BYTES_MAX);
    int rc = buf_append(out, der, (size_t)len);

    OPENSSL_free(der);
    X509_free(x509);
    return rc;
}
