/* wire/envelope.h -- Request, Reply and Entry, read and written where they lie.
 *
 * Layer: wire (base)     Spec: docs/spec/protocol.md, proto/envelope.proto, proto/entry.proto
 *
 * The same bytes as protobuf-c would make of proto/envelope.proto and proto/entry.proto, for
 * the messages that surround every call; tests/unit/test_wire_envelope compares the two.
 */
#ifndef CARILLON_WIRE_ENVELOPE_H
#define CARILLON_WIRE_ENVELOPE_H

#include "base/buf.h"
#include "base/slice.h"

struct envelope_request {
    uint64_t id;
    uint32_t method; /* enum Method, unchecked */
    uint32_t deadline_ms;
    struct slice key;
    struct slice body;
    bool is_stale_ok;
};

struct envelope_reply {
    uint64_t id;
    uint32_t status;
    uint32_t retry_after_ms;
    struct slice text;
    struct slice body;
    struct slice stale;   /* a packed Staleness; what a forwarded answer never has */
    struct slice cluster; /* a packed Cluster; likewise */
};

struct envelope_entry {
    uint64_t wall_ms;
    uint32_t method;
    struct slice key;
    struct slice body;
};

/* Keys, texts and bodies are borrowed from @payload. Errors: ERR_MALFORMED. */
int envelope_request_decode(struct slice payload, struct envelope_request *ret_request) CHECKED;
int envelope_entry_decode(struct slice payload, struct envelope_entry *ret_entry) CHECKED;
int envelope_reply_decode(struct slice payload, struct envelope_reply *ret_reply) CHECKED;

/* Append the packed message. Errors: ERR_FULL. */
int envelope_entry_encode(const struct envelope_entry *entry, struct buf *out) CHECKED;

/* Append the packed message as a frame of its own. Errors: ERR_FULL; ERR_TOO_LARGE when it is
 * longer than a frame; nothing appended. */
int envelope_reply_encode(const struct envelope_reply *reply, struct buf *out) CHECKED;

#endif
