/* member/message.h -- what members say to one another, in datagrams.
 *
 * Layer: member (base, wire)     Spec: docs/spec/member.md section 4, proto/member.proto
 *
 * Datagrams may be lost, repeated, delayed and reordered; each says all that it relies on.
 */
#ifndef CARILLON_MEMBER_MESSAGE_H
#define CARILLON_MEMBER_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

typedef uint64_t member_id; /* the last 8 bytes of a node's id, little endian; never 0 */
typedef uint64_t member_incarnation;

enum {
    MEMBER_DATAGRAM_BYTES_MAX = 1200,
    MEMBER_ACCUSERS_MAX = 4,
    MEMBER_CLAIMS_MAX = 64, /* of one datagram */
};

/* Nobody's incarnation is higher: one more can always be given, in 62 bits. */
#define MEMBER_INCARNATION_MAX ((member_incarnation)1 << 62)

/* In the order in which they win within an incarnation. */
enum member_state {
    MEMBER_ALIVE = 1,
    MEMBER_SUSPECT,     /* it may be unreachable, and has time to say that it is not */
    MEMBER_UNREACHABLE, /* it said nothing in that time */
    MEMBER_LEFT,        /* it said that it leaves */
    MEMBER_STATE_NR,
};

/* One member's word about another, or about itself. */
struct member_claim {
    member_id id;
    member_incarnation incarnation;
    enum member_state state;
    uint32_t age_ms; /* suspect: for how long */
    uint32_t accuser_count;
    member_id accusers[MEMBER_ACCUSERS_MAX]; /* suspect: who found out for themselves */
};

enum member_message_type {
    MEMBER_PING = 1, /* are you there? sequence 0: nobody waits for the answer */
    MEMBER_ACK,      /* to a ping; or to a ping request, when the target answered */
    MEMBER_PING_REQ, /* ping the target for me */
    MEMBER_NACK,     /* to a ping request: the target has not answered so far */
    MEMBER_GOSSIP,   /* claims only */
    MEMBER_SYNC,     /* a part of all that the sender knows */
    MEMBER_SYNC_REPLY,
    MEMBER_MESSAGE_NR,
};

struct member_message {
    enum member_message_type type;
    member_id from;
    member_id to;
    member_incarnation incarnation; /* of the sender */
    bool is_leaving;                /* the sender is */
    bool is_reply_wanted;           /* sync */
    uint32_t sequence;              /* ping, ping request; returned in ack and nack */
    member_id target;               /* ping request */
    uint32_t claim_count;
    struct member_claim claims[MEMBER_CLAIMS_MAX];
};

/* Bytes of a datagram without claims, at most; and of one claim in it. */
enum { MEMBER_HEADER_BYTES_MAX = 56 };
uint32_t member_claim_bytes(const struct member_claim *claim);

/* Write @message to @ret_bytes, which has room for MEMBER_DATAGRAM_BYTES_MAX. The caller has
 * seen to it that the claims fit. Returns: bytes. */
uint32_t member_message_encode(const struct member_message *message, uint8_t *ret_bytes);

/* Read a datagram. What it says is judged where it is received. After an error what
 * @ret_message holds means nothing.
 *
 * Errors: ERR_MALFORMED; ERR_TOO_LARGE more bytes or claims than a datagram may have.
 */
int member_message_decode(struct slice bytes, struct member_message *ret_message) CHECKED;

#endif
