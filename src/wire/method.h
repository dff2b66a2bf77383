/* wire/method.h -- the service registry: one row a method, and every call goes through it.
 *
 * Layer: wire (base)     Spec: docs/spec/protocol.md section 3
 *
 * A row says what a call looks like and how it is treated, on both sides: the node decides by
 * it, the client and `carillon call` build and print messages by it. Adding a method is one
 * number in proto/envelope.proto, one row here, and its answer in the room that the kind names.
 */
#ifndef CARILLON_WIRE_METHOD_H
#define CARILLON_WIRE_METHOD_H

#include <protobuf-c/protobuf-c.h>

#include "base/slice.h"
#include "proto/envelope.pb-c.h"

enum method_kind {
    METHOD_KIND_READ,  /* answered from state, changes nothing, needs no key */
    METHOD_KIND_WRITE, /* becomes a log entry; needs an idempotency key */
    METHOD_KIND_QUERY, /* a search: runs in slices */
    METHOD_KIND_NODE,  /* about the node itself: status, snapshot, audit, verify */
    METHOD_KIND_PEER,  /* between nodes of a cluster */
};

/* The numbers are those of enum Role in proto/identity.proto; everybody who was let in has the
 * first. */
enum method_role {
    METHOD_ROLE_ANYONE = 1,
    METHOD_ROLE_STUDENT = 2,
    METHOD_ROLE_REGISTRAR = 4,
    METHOD_ROLE_OPERATOR = 8,
    METHOD_ROLE_NODE = 16,
    METHOD_ROLE_INVITED = 32,
};

struct method {
    Carillon__Method number;
    const char *name; /* "registration.submit": what `carillon call` and the logs say */
    enum method_kind kind;
    unsigned roles; /* bits of method_role: who may call it */
    unsigned deadline_ms;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *reply;
    const char *errors; /* the errors its callers must expect, beside those of every call */
};

/* The row of @number, or NULL. */
const struct method *method_get(uint32_t number);

/* The row with this name, or NULL. */
const struct method *method_find(struct slice name);

/* The rows in order of their numbers: @index from 0; NULL past the end. */
const struct method *method_at(size_t index);

#endif
