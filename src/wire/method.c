#include "wire/method.h"

#include "proto/identity.pb-c.h"
#include "proto/meta.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/peer.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "proto/search.pb-c.h"

#define ANYONE    METHOD_ROLE_ANYONE
#define STUDENT   (METHOD_ROLE_STUDENT | METHOD_ROLE_REGISTRAR)
#define REGISTRAR METHOD_ROLE_REGISTRAR
#define OPERATOR  METHOD_ROLE_OPERATOR
#define PEER      (METHOD_ROLE_OPERATOR | METHOD_ROLE_NODE)
#define NODE      METHOD_ROLE_NODE
#define INVITED   METHOD_ROLE_INVITED

#define ROW(NUMBER, name, kind, roles, deadline, request, reply, errors)                       \
    [CARILLON__METHOD__METHOD_##NUMBER] = {CARILLON__METHOD__METHOD_##NUMBER,                  \
                                           name,                                               \
                                           METHOD_KIND_##kind,                                 \
                                           roles,                                              \
                                           deadline,                                           \
                                           &carillon__##request##__descriptor,                 \
                                           &carillon__##reply##__descriptor,                   \
                                           errors}

/* clang-format off */
static const struct method methods[] = {
    /*  number          name                    kind   roles      ms     request                 reply                  errors */
    ROW(STATUS,         "node.status",          NODE,  ANYONE,    5000,  status_request,         status_reply,         ""),
    ROW(SEARCH,         "catalogue.search",     QUERY, ANYONE,    5000,  search_request,         search_reply,         "ERR_QUERY ERR_UNKNOWN_STUDENT"),
    ROW(SHOW,           "catalogue.show",       READ,  ANYONE,    5000,  show_request,           show_reply,           "ERR_UNKNOWN_COURSE ERR_AMBIGUOUS ERR_UNKNOWN_STUDENT"),
    ROW(CHECK,          "registration.check",   READ,  STUDENT,   5000,  submit_request,         check_reply,          "ERR_UNKNOWN_STUDENT ERR_UNKNOWN_COURSE ERR_UNKNOWN_SECTION ERR_AMBIGUOUS"),
    ROW(SUBMIT,         "registration.submit",  WRITE, STUDENT,   10000, submit_request,         submit_reply,         "ERR_REFUSED ERR_UNKNOWN_STUDENT ERR_UNKNOWN_COURSE ERR_UNKNOWN_SECTION ERR_AMBIGUOUS"),
    ROW(SCHEDULE,       "registration.schedule",READ,  STUDENT,   5000,  schedule_request,       schedule_reply,       "ERR_UNKNOWN_STUDENT"),
    ROW(ROSTER,         "registration.roster",  READ,  REGISTRAR, 5000,  roster_request,         roster_reply,         "ERR_UNKNOWN_COURSE ERR_UNKNOWN_SECTION ERR_AMBIGUOUS"),
    ROW(OUTCOME,        "registration.outcome", READ,  STUDENT,   5000,  outcome_request,        outcome_reply,        "ERR_UNKNOWN_STUDENT"),
    ROW(IMPORT_BEGIN,   "import.begin",         WRITE, REGISTRAR, 10000, import_begin_request,   import_begin_reply,   "ERR_ARGUMENT"),
    ROW(IMPORT_CHUNK,   "import.chunk",         WRITE, REGISTRAR, 30000, import_chunk_request,   import_chunk_reply,   "ERR_UNKNOWN_IMPORT ERR_ARGUMENT ERR_FULL"),
    ROW(IMPORT_COMMIT,  "import.commit",        WRITE, REGISTRAR, 60000, import_commit_request,  import_commit_reply,  "ERR_UNKNOWN_IMPORT ERR_SHRINK ERR_ARGUMENT"),
    ROW(IMPORT_ABORT,   "import.abort",         WRITE, REGISTRAR, 10000, import_abort_request,   import_abort_reply,   ""),
    ROW(IMPORT_HASHES,  "import.hashes",        READ,  REGISTRAR, 10000, import_hashes_request,  import_hashes_reply,  ""),
    ROW(WINDOW,         "registrar.window",     WRITE, REGISTRAR, 10000, window_request,         window_reply,         "ERR_GONE"),
    ROW(BLOCK,          "registrar.block",      WRITE, REGISTRAR, 10000, block_request,          block_reply,          "ERR_UNKNOWN_STUDENT ERR_GONE"),
    ROW(PERMIT,         "registrar.permit",     WRITE, REGISTRAR, 10000, permit_request,         permit_reply,         "ERR_UNKNOWN_STUDENT ERR_UNKNOWN_SECTION"),
    ROW(CAP,            "registrar.cap",        WRITE, REGISTRAR, 10000, cap_request,            cap_reply,            "ERR_UNKNOWN_SECTION"),
    ROW(LIMITS,         "registrar.limits",     WRITE, REGISTRAR, 10000, limits_request,         limits_reply,         "ERR_GONE"),
    ROW(SNAPSHOT,       "node.snapshot",        NODE,  OPERATOR,  120000,snapshot_request,       snapshot_reply,       "ERR_BUSY ERR_DISK_FULL"),
    ROW(VERIFY,         "node.verify",          NODE,  OPERATOR,  120000,verify_request,         verify_reply,         ""),
    ROW(AUDIT,          "node.audit",           NODE,  REGISTRAR, 60000, audit_request,          audit_reply,          ""),
    ROW(EXPORT,         "registrar.export",     READ,  REGISTRAR, 10000, export_request,         export_reply,         ""),
    ROW(CATALOGUES,     "catalogue.list",       READ,  ANYONE,    5000,  catalogues_request,     catalogues_reply,     ""),
    ROW(TOKEN_ISSUE,    "registrar.token_issue",WRITE, REGISTRAR, 10000, token_issue_request,    token_issue_reply,    "ERR_UNKNOWN_STUDENT ERR_EXISTS"),
    ROW(TOKEN_REVOKE,   "registrar.token_revoke",WRITE,REGISTRAR, 10000, token_revoke_request,   token_revoke_reply,   "ERR_UNKNOWN_STUDENT ERR_GONE"),
    ROW(GRANT,          "operator.grant",       WRITE, OPERATOR,  10000, grant_request,          grant_reply,          "ERR_ARGUMENT ERR_EXISTS"),
    ROW(REVOKE,         "operator.revoke",      WRITE, OPERATOR,  10000, revoke_request,         revoke_reply,         "ERR_ARGUMENT ERR_GONE"),
    ROW(KEYS,           "node.keys",            NODE,  PEER,      5000,  keys_request,           keys_reply,           ""),
    ROW(ROTATE,         "node.rotate",          NODE,  OPERATOR,  60000, rotate_request,         rotate_reply,         "ERR_GONE ERR_BUSY"),
    ROW(PEER,           "peer.messages",        PEER,  NODE,      1000,  peer_request,           peer_reply,           ""),
    ROW(FORWARD,        "peer.forward",         PEER,  NODE,      10000, forward_request,        peer_reply,           ""),
    ROW(MEMBERS,        "node.members",         NODE,  REGISTRAR, 5000,  members_request,        members_reply,        ""),
    ROW(JOIN,           "node.join",            NODE,  INVITED,   30000, join_request,           join_reply,           "ERR_ARGUMENT ERR_EXISTS ERR_GONE ERR_FULL"),
    ROW(POINT,          "cluster.point",        READ,  ANYONE,    5000,  point_request,          point_reply,          ""),
    ROW(CHANGE,         "node.change",          NODE,  OPERATOR,  15000, change_request,         change_reply,         "ERR_ARGUMENT ERR_GONE ERR_BUSY"),
    ROW(META,           "peer.meta",            PEER,  NODE,      10000, meta_entry,             peer_reply,           "ERR_ARGUMENT ERR_EXISTS ERR_GONE ERR_FULL ERR_FORBIDDEN ERR_BUSY"),
    ROW(SIGN,           "peer.sign",            PEER,  NODE,      10000, sign_request,           sign_reply,           "ERR_ARGUMENT ERR_GONE ERR_BUSY ERR_FORBIDDEN"),
};
/* clang-format on */

enum { METHOD_COUNT = sizeof methods / sizeof methods[0] };

const struct method *method_get(uint32_t number)
{
    return number > 0 && number < METHOD_COUNT ? &methods[number] : NULL;
}

const struct method *method_find(struct slice name)
{
    for (size_t i = 1; i < METHOD_COUNT; i++) {
        if (slice_is_equal(name, slice_from_text(methods[i].name))) {
            return &methods[i];
        }
    }
    return NULL;
}

const struct method *method_at(size_t index)
{
    return method_get((uint32_t)index + 1);
}
