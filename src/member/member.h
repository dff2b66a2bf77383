/* member/member.h -- which members of a cluster are there: an event in, effects out.
 *
 * Layer: member (base, wire)     Spec: docs/spec/member.md
 *
 * SWIM with Lifeguard's local health. The core knows no clock, socket, address or random
 * source: time comes with each event, random numbers from a generator seeded at init. It never
 * invents or forgets a member: MEMBER_ADD and MEMBER_REMOVE say what committed entries say.
 * What effects point to is borrowed until the next step.
 */
#ifndef CARILLON_MEMBER_MEMBER_H
#define CARILLON_MEMBER_MEMBER_H

#include "base/arena.h"
#include "base/rng.h"
#include "member/message.h"

enum {
    MEMBER_MEMBERS_MAX = 256, /* itself included; the options may say less */
    MEMBER_SENDS_MAX = 48,    /* of one step */
    MEMBER_CHANGES_MAX = 2 * MEMBER_MEMBERS_MAX,
    MEMBER_RELAYS_MAX = 4,   /* asked for one indirect probe */
    MEMBER_ERRANDS_MAX = 64, /* pings for others */
    MEMBER_HEALTH_MAX = 8,
};

/* ---- effects */

/* A datagram: it may be lost, and a driver that has no room drops it. */
struct member_send {
    member_id to;
    uint32_t len; /* bytes */
    uint8_t bytes[MEMBER_DATAGRAM_BYTES_MAX];
};

enum member_change_kind {
    MEMBER_CHANGED = 1, /* the state is another than before */
    MEMBER_GONE,        /* unreachable for gone_ms: the verdict that others may act on; taken
                           back by the next MEMBER_CHANGED */
};

struct member_change {
    enum member_change_kind kind;
    member_id id;
    enum member_state state;
    member_incarnation incarnation;
};

struct member_effects {
    uint32_t send_count;
    uint32_t change_count;
    struct member_send sends[MEMBER_SENDS_MAX];
    struct member_change changes[MEMBER_CHANGES_MAX];
};

/* ---- events */

enum member_event_kind {
    MEMBER_TICK = 1,   /* member_deadline_ms() has passed; more often does no harm */
    MEMBER_RECEIVED,   /* bytes: a datagram; peer: who has proved to be its sender, 0: unproved */
    MEMBER_LINK_RESET, /* peer: a connection to it was reset, not closed in good order */
    MEMBER_ADD,        /* peer: a committed entry made it a member; again does no harm */
    MEMBER_REMOVE,     /* peer: it is none any more */
    MEMBER_LEAVE,      /* this member leaves by itself, for good in this life */
    MEMBER_EVENT_NR,
};

struct member_event {
    enum member_event_kind kind;
    member_id peer;
    struct slice bytes;
};

/* ---- the member */

struct member_options {
    member_id id;
    uint32_t boot; /* rises with every start of the node, from 1 */
    uint64_t seed;
    uint32_t members_max;
    uint32_t probe_ms;             /* one member is probed in each */
    uint32_t direct_ms;            /* then others are asked to ping it as well */
    uint32_t relays;               /* so many */
    uint32_t nack_ms;              /* who pings for another tells after it of no answer */
    uint32_t suspicion_factor;     /* times max(1, log10 N) times probe_ms: the shortest */
    uint32_t suspicion_max_factor; /* times the shortest: the longest */
    uint32_t confirmations;        /* independent ones that make it the shortest */
    uint32_t checkers;  /* so many, by chance, of those who hear of a suspicion probe next */
    uint32_t gossip_ms; /* between rounds while there is news */
    uint32_t gossip_fanout;   /* receivers of a round */
    uint32_t transmit_factor; /* times ceil(log10(N + 1)): how often news is sent */
    uint32_t sync_ms;         /* between exchanges of everything with one other */
    uint32_t knock_ms;        /* between pings of unreachable members */
    uint32_t gone_ms;
    uint32_t health_max;
};

/* The defaults; id, boot and seed are left to the caller. */
void member_options_default(struct member_options *ret_options);

/* What is known of one member, itself included. */
struct member_peer {
    member_id id;
    member_incarnation incarnation; /* 0: never heard of since it was added */
    enum member_state state;
    uint32_t transmits; /* datagrams that shall still carry this */
    uint64_t since_ms;  /* suspect: the suspicion began; unreachable: for gone_ms */
    uint32_t accuser_count;
    member_id accusers[MEMBER_ACCUSERS_MAX]; /* suspect: the first, and those who confirmed */
    uint64_t tell_ms;                        /* suspect: when it is told again */
    bool is_confirmed;                       /* suspect: somebody holds it for unreachable */
    bool is_gone;
    bool is_check_due; /* suspect by hearsay: this member probes it next */
    bool is_tell_due;  /* it shall be pinged and told what is said of it */
};

/* The probe that is under way. */
struct member_probe {
    member_id target;
    uint32_t sequence;
    uint64_t sent_ms;
    uint64_t direct_ms; /* when others are asked */
    uint64_t end_ms;
    uint32_t relay_count;
    member_id relays[MEMBER_RELAYS_MAX];
    bool has_nack[MEMBER_RELAYS_MAX];
    bool is_active;
};

/* A ping on somebody's behalf. */
struct member_errand {
    member_id origin;
    uint32_t origin_sequence;
    member_id target;
    uint32_t sequence; /* 0: the place is free */
    uint64_t nack_ms;  /* UINT64_MAX: said */
};

struct member_counters {
    uint64_t malformed;       /* datagrams that cannot be read */
    uint64_t misaddressed;    /* to another, or from this one, or by another than it says */
    uint64_t unknown_senders; /* from no member */
    uint64_t unknown_claims;  /* about no member */
    uint64_t refused_adds;    /* beyond members_max */
    uint64_t suspicions;      /* raised here */
    uint64_t refutations;     /* of what was said of this one */
    uint64_t probes_failed;
    uint64_t stalls;       /* times it did not run when it should have */
    uint64_t sends_full;   /* datagrams left out for want of room in the effects */
    uint64_t errands_lost; /* of others, for want of room */
};

/* Private to src/member but for its storage; read by tests. */
struct member {
    struct member_options options;
    struct arena arena;
    struct rng rng;
    struct member_effects *out; /* during a step */
    struct member_counters counters;
    uint64_t now_ms;
    uint64_t deadline_ms;

    struct member_peer *peers; /* by rising id */
    uint32_t peer_count;
    uint32_t state_counts[MEMBER_STATE_NR];
    uint32_t news_count; /* peers with transmits */
    bool is_out;         /* this one was removed */

    uint32_t health; /* Lifeguard's local health multiplier: 0 is well */
    member_id *order;
    uint32_t order_at;
    uint32_t order_count;
    struct member_probe probe;
    struct member_errand errands[MEMBER_ERRANDS_MAX]; /* a ring */
    uint32_t errand_next;
    uint32_t sequence;

    uint64_t probe_ms; /* when the next is due; so the others */
    uint64_t gossip_ms;
    uint64_t sync_ms;
    uint64_t knock_ms;
    member_id knocked; /* the last */
    bool has_majority;

    struct member_message received;
    struct member_message sending;
    uint32_t sending_bytes; /* at most, when it is encoded */
};

/* A cluster of one, until members are added.
 *
 * Owns: copies the options; memory from an arena within a budget that follows from members_max,
 * until member_fini().
 */
void member_init(struct member *member, const struct member_options *options, uint64_t now_ms);
void member_fini(struct member *member);

/* One event. @ret_effects is the caller's storage. */
void member_step(struct member *member, const struct member_event *event, uint64_t now_ms,
                 struct member_effects *ret_effects);

/* When the next MEMBER_TICK is due; UINT64_MAX: not before another event. */
uint64_t member_deadline_ms(const struct member *member);

/* What is held of @id. Errors: ERR_GONE it is no member. */
int member_find(const struct member *member, member_id id,
                struct member_peer *ret_peer) CHECKED;

/* After MEMBER_LEAVE: whether it was said often enough that all may be expected to know. */
bool member_has_left(const struct member *member);

/* How long a suspicion among @members lasts at the least. */
uint32_t member_suspicion_min_ms(const struct member_options *options, uint32_t members);

#endif
