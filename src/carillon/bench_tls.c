/* Benchmarks over TLS: a token of their own. */
#include <stdio.h>

#include "carillon/bench.h"
#include "carillon/secret.h"
#include "proto/identity.pb-c.h"
#include "wire/message.h"

static int grant(struct bench_session *session, const struct secret *secret)
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;
    Carillon__GrantReply *reply = NULL;
    struct carillon_key key = carillon_key_make(session->client);

    request.hash = wire_binary(slice_from(secret->hash, sizeof secret->hash));
    request.role = CARILLON__ROLE__ROLE_OPERATOR;
    request.name = wire_text("bench");
    request.by = wire_text("bench");
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_GRANT, &key,
                                   &request.base, &carillon__grant_reply__descriptor, &reply);

    carillon_message_free(reply);
    return rc;
}

int bench_tls_credential(struct bench_session *session)
{
    const struct credential *known = carillon_credential(session->client);
    struct credential credential;
    struct secret secret;

    secret_draw(session->client, &secret);
    int rc = grant(session, &secret);

    credential_init(&credential);
    credential.kind = CREDENTIAL_KIND_TOKEN;
    memcpy(credential.cluster, known->cluster, sizeof credential.cluster);
    memcpy(credential.root, known->root, sizeof credential.root);
    memcpy(credential.secret, secret.token, sizeof credential.secret);
    rc = rc == OK ? buf_append_slice(&credential.root_certificate,
                                     buf_slice(&known->root_certificate))
                  : rc;
    (void)snprintf(session->credential, sizeof session->credential, "%s/credential",
                   session->daemon.folder);
    rc = rc == OK ? secret_save(session->cli, session->credential, &credential) : rc;
    credential_fini(&credential);
    identity_wipe(&secret, sizeof secret);
    return rc;
}
