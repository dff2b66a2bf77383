/* Whether what was told is what the node of a node_world holds. */
#include <stdio.h>

#include "base/assert.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/search.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum { CURSOR_BYTES = 128, AUDIT_PAGE = 50, REPEATS = 3, CALLS_MAX = 8 };

/* ---- one call ---- */

struct call {
    struct node_world *world;
    const ProtobufCMessageDescriptor *type;
    void *reply;
    int status;
    bool is_done;
    uint32_t method;
    uint64_t recorded; /* its number in the record, or 0 */
};

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct call *call = context;

    call->is_done = true;
    call->status = reply->status;
    if (call->world->record != NULL) {
        witness_record_done(call->world->record, call->recorded, call->method, reply->status,
                            slice_from(reply->body, reply->body_bytes));
    }
    if (reply->body_bytes > 0 || reply->status == OK) {
        call->reply = wire_unpack(call->type, slice_from(reply->body, reply->body_bytes),
                                  &call->world->looked);
    }
}

static int call_once(struct node_world *world, uint32_t method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *type, void *ret_reply)
{
    struct call call = {.world = world, .type = type, .method = method};
    struct carillon_client *client = node_world_client(world);
    struct carillon_call asked = {
        .method = method, .message = request, .done = on_done, .context = &call};

    arena_reset(&world->looked);
    if (world->record != NULL) {
        call.recorded = witness_record_call(world->record, method, NULL, request);
    }
    int rc = carillon_submit_call(client, &asked);
    ASSERT(rc == OK);
    carillon_flush(client);
    while (!call.is_done) { /* the client's deadline ends it at last */
        (void)node_world_step(world);
    }
    memcpy(ret_reply, &call.reply, sizeof call.reply);
    return call.status;
}

/* A connection of before the trouble may only now be found broken. */
int node_world_call(struct node_world *world, uint32_t method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, void *ret_reply)
{
    int rc = ERR_IO;

    for (int i = 0; i < CALLS_MAX && (rc == ERR_IO || error_is_retryable(rc)); i++) {
        rc = call_once(world, method, request, type, ret_reply);
    }
    return rc;
}

/* A read was not answered as it should be; unless the node has fallen meanwhile, that is wrong.
 */
static void unserved(struct node_world *world, const char *what, int status)
{
    if (node_world_is_well(world)) {
        node_world_violate(world, "%s: %s", what, error_name(status));
    }
}

/* ---- the catalogue: an import is there or it is not ---- */

static void check_wave(struct node_world *world, uint32_t number)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;
    Carillon__SearchReply *reply = NULL;
    enum world_wave_state state = world->waves[number].state;
    uint32_t expected = state == WAVE_COMMITTED ? NODE_WORLD_WAVE_COURSES : 0;
    char prefix[24];
    uint32_t found = 0;

    request.query = wire_text("ringing changes");
    request.limit = 100;
    int rc = node_world_call(world, CARILLON__METHOD__METHOD_SEARCH, &request.base,
                             &carillon__search_reply__descriptor, &reply);
    if (rc != OK || reply == NULL) {
        unserved(world, "search", rc);
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "W%u-", number);
    for (size_t i = 0; i < reply->n_hits; i++) {
        found += strncmp(reply->hits[i]->code, prefix, strlen(prefix)) == 0;
    }
    bool is_settled = state != WAVE_COMMITTING && world->waves[number].state == state;
    if (is_settled && found != expected) {
        node_world_violate(world, "search finds %u courses of import %u, which is in state %d",
                           found, number, (int)state);
    }
}

static void check_catalogue(struct node_world *world)
{
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    Carillon__ExportReply *reply = NULL;
    uint32_t expected = 0;

    for (uint32_t i = 0; i < world->wave_count; i++) {
        bool is_courses = i != 1 && world->waves[i].state == WAVE_COMMITTED;

        expected += !is_courses ? 0 : i == 0 ? NODE_WORLD_COURSES : NODE_WORLD_WAVE_COURSES;
        if (i >= 2) {
            check_wave(world, i);
        }
    }
    request.kind = CARILLON__EXPORT_KIND__EXPORT_COURSES;
    char cursor[CURSOR_BYTES] = "";
    size_t found = 0;
    do { /* with several shards a page is of one of them, and may be empty */
        request.cursor = cursor;
        int rc = node_world_call(world, CARILLON__METHOD__METHOD_EXPORT, &request.base,
                                 &carillon__export_reply__descriptor, &reply);
        if (rc != OK || reply == NULL) {
            unserved(world, "export of courses", rc);
            return;
        }
        found += reply->n_courses;
        (void)snprintf(cursor, sizeof cursor, "%s", reply->next_cursor);
    } while (cursor[0] != '\0');
    if (found != expected) {
        node_world_violate(world, "there are %zu courses instead of %u", found, expected);
    }
}

void node_world_check_reads(struct node_world *world)
{
    for (uint32_t i = 2; i < world->wave_count; i++) {
        check_wave(world, i);
    }
}

/* ---- the audit trail: every entry once, in order, with what was told of it ---- */

static uint32_t method_of(const struct world_op *op)
{
    return op->kind <= WORLD_WAIT     ? CARILLON__METHOD__METHOD_SUBMIT
           : op->kind == WORLD_CAP    ? CARILLON__METHOD__METHOD_CAP
           : op->kind == WORLD_LIMITS ? CARILLON__METHOD__METHOD_LIMITS
                                      : CARILLON__METHOD__METHOD_IMPORT_COMMIT;
}

static void check_record(struct node_world *world, const Carillon__AuditRecord *record)
{
    char token[24];

    for (uint32_t i = 0; i < world->op_count; i++) {
        const struct world_op *op = &world->ops[i];

        if (op->state != WORLD_OP_TOLD || op->index != record->index) {
            continue;
        }
        node_world_student(op->student, token);
        bool is_student = op->kind > WORLD_WAIT || strcmp(record->student, token) == 0;
        if (!is_student || record->method != method_of(op) ||
            record->status != (uint32_t)-op->status) {
            node_world_violate(world, "the audit record %llu says otherwise",
                               (unsigned long long)record->index);
        }
    }
}

static void check_audit(struct node_world *world, uint64_t as_of)
{
    Carillon__AuditRequest request = CARILLON__AUDIT_REQUEST__INIT;
    uint64_t last = 0;
    uint64_t left_out = 0;

    request.limit = AUDIT_PAGE;
    do {
        Carillon__AuditReply *reply = NULL;
        int rc = node_world_call(world, CARILLON__METHOD__METHOD_AUDIT, &request.base,
                                 &carillon__audit_reply__descriptor, &reply);

        if (rc != OK || reply == NULL) {
            unserved(world, "audit", rc);
            return;
        }
        for (size_t i = 0; i < reply->n_records; i++) {
            /* A leader begins with an entry of its own, which nobody asked for. */
            left_out += reply->records[i]->index - last - 1;
            if (reply->records[i]->index <= last ||
                (left_out > world->opens && world->replica_count == 0)) {
                node_world_violate(world, "the audit trail goes from %llu to %llu",
                                   (unsigned long long)last,
                                   (unsigned long long)reply->records[i]->index);
            }
            last = reply->records[i]->index;
            check_record(world, reply->records[i]);
        }
        request.after_index = reply->next_after_index;
    } while (request.after_index != 0);
    if (last < as_of) {
        node_world_violate(world, "the audit trail ends with %llu, the log with %llu",
                           (unsigned long long)last, (unsigned long long)as_of);
    }
}

void node_world_check_audit(struct node_world *world)
{
    check_audit(world, 0);
}

/* ---- keys ---- */

/* What OUTCOME says of the op's key is what was told, or that nothing happened. */
static void check_outcome(struct node_world *world, const struct world_op *op)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    Carillon__OutcomeReply *reply = NULL;
    char token[24];

    node_world_student(op->student, token);
    request.student = token;
    request.key = wire_binary(slice_from(op->key.bytes, sizeof op->key.bytes));
    int rc = node_world_call(world, CARILLON__METHOD__METHOD_OUTCOME, &request.base,
                             &carillon__outcome_reply__descriptor, &reply);
    if (rc != OK || reply == NULL) {
        unserved(world, "outcome", rc);
    } else if (reply->known != (op->state == WORLD_OP_TOLD)) {
        node_world_violate(world, "a request that was %s is %s",
                           op->state == WORLD_OP_TOLD ? "told" : "never performed",
                           reply->known ? "known" : "unknown");
    } else if (reply->known && (reply->status != (uint32_t)-op->status ||
                                reply->outcome == NULL || reply->outcome->receipt == NULL ||
                                reply->outcome->receipt->index != op->index)) {
        node_world_violate(world, "the outcome of entry %llu is another",
                           (unsigned long long)op->index);
    }
}

static void check_keys(struct node_world *world)
{
    for (uint32_t i = 0; i < REPEATS && world->op_count > 0; i++) {
        struct world_op *op = &world->ops[rng_below(&world->rng, world->op_count)];

        if (op->kind <= WORLD_WAIT) {
            check_outcome(world, op);
        }
        if (op->kind <= WORLD_CAP && op->state == WORLD_OP_TOLD) {
            node_world_ask(op);
            node_world_settle(world);
        }
    }
    for (uint32_t i = 0; i < world->op_count; i++) {
        if (world->ops[i].kind <= WORLD_WAIT && world->ops[i].state == WORLD_OP_NEVER &&
            rng_chance(&world->rng, 100000)) {
            check_outcome(world, &world->ops[i]);
        }
    }
}

/* ---- all ---- */

static void check_verify(struct node_world *world)
{
    Carillon__VerifyRequest request = CARILLON__VERIFY_REQUEST__INIT;
    Carillon__VerifyReply *reply = NULL;

    int rc = node_world_call(world, CARILLON__METHOD__METHOD_VERIFY, &request.base,
                             &carillon__verify_reply__descriptor, &reply);
    if (rc != OK || reply == NULL) {
        unserved(world, "verify", rc);
    } else if (!reply->ok) {
        node_world_violate(world, "verify finds: %s",
                           reply->n_findings > 0 ? reply->findings[0] : "nothing it names");
    }
}

void node_world_check(struct node_world *world)
{
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    Carillon__ExportReply *reply = NULL;

    if (world->violation[0] != '\0') {
        return;
    }
    request.kind = CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS;
    request.limit = 1;
    int rc = node_world_call(world, CARILLON__METHOD__METHOD_EXPORT, &request.base,
                             &carillon__export_reply__descriptor, &reply);
    if (rc != OK || reply == NULL || reply->as_of == NULL) {
        unserved(world, "export", rc);
        return;
    }
    Carillon__Receipt as_of = *reply->as_of;
    if (world->config.shards > 1) {
        node_world_check_shards(world);
        check_catalogue(world);
    } else {
        node_world_check_model(world, &as_of);
        check_catalogue(world);
        check_audit(world, as_of.index);
    }
    check_verify(world);
    check_keys(world);
}
