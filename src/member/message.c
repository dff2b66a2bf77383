#include "member/message.h"

#include "base/assert.h"
#include "wire/field.h"

enum flag { FLAG_LEAVING = 1, FLAG_REPLY_WANTED = 2 };

enum number {
    NUMBER_TYPE = 1,
    NUMBER_FROM,
    NUMBER_TO,
    NUMBER_INCARNATION,
    NUMBER_FLAGS,
    NUMBER_SEQUENCE,
    NUMBER_TARGET,
    NUMBER_CLAIMS,
};

enum claim_number {
    CLAIM_ID = 1,
    CLAIM_INCARNATION,
    CLAIM_STATE,
    CLAIM_AGE,
    CLAIM_ACCUSERS,
};

enum { FIXED64_BYTES = 8, FIXED64_FIELD_BYTES = 1 + FIXED64_BYTES };

/* ---- writing */

static size_t fixed64_bytes(uint64_t value)
{
    return value == 0 ? 0 : FIXED64_FIELD_BYTES;
}

static size_t claim_body_bytes(const struct member_claim *claim)
{
    return fixed64_bytes(claim->id) + field_number_bytes(claim->incarnation) +
           field_number_bytes((uint64_t)claim->state) + field_number_bytes(claim->age_ms) +
           field_len_bytes((size_t)claim->accuser_count * FIXED64_BYTES);
}

uint32_t member_claim_bytes(const struct member_claim *claim)
{
    size_t body = claim_body_bytes(claim);
    return (uint32_t)(1 + field_varint_bytes(body) + body);
}

static uint8_t *put_claim(uint8_t *to, const struct member_claim *claim)
{
    to = field_put_head(to, NUMBER_CLAIMS, claim_body_bytes(claim));
    to = field_put_fixed64(to, CLAIM_ID, claim->id);
    to = field_put_number(to, CLAIM_INCARNATION, claim->incarnation);
    to = field_put_number(to, CLAIM_STATE, (uint64_t)claim->state);
    to = field_put_number(to, CLAIM_AGE, claim->age_ms);
    if (claim->accuser_count > 0) {
        to = field_put_head(to, CLAIM_ACCUSERS, (size_t)claim->accuser_count * FIXED64_BYTES);
    }
    for (uint32_t i = 0; i < claim->accuser_count; i++) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            *to++ = (uint8_t)(claim->accusers[i] >> shift);
        }
    }
    return to;
}

uint32_t member_message_encode(const struct member_message *message, uint8_t *ret_bytes)
{
    size_t bytes = MEMBER_HEADER_BYTES_MAX;
    uint8_t *to = ret_bytes;

    ASSERT(message->claim_count <= MEMBER_CLAIMS_MAX);
    for (uint32_t i = 0; i < message->claim_count; i++) {
        bytes += member_claim_bytes(&message->claims[i]);
    }
    ASSERT(bytes <= MEMBER_DATAGRAM_BYTES_MAX);
    to = field_put_number(to, NUMBER_TYPE, (uint64_t)message->type);
    to = field_put_fixed64(to, NUMBER_FROM, message->from);
    to = field_put_fixed64(to, NUMBER_TO, message->to);
    to = field_put_number(to, NUMBER_INCARNATION, message->incarnation);
    to = field_put_number(to, NUMBER_FLAGS,
                          (message->is_leaving ? (uint64_t)FLAG_LEAVING : 0) |
                              (message->is_reply_wanted ? (uint64_t)FLAG_REPLY_WANTED : 0));
    to = field_put_number(to, NUMBER_SEQUENCE, message->sequence);
    to = field_put_fixed64(to, NUMBER_TARGET, message->target);
    for (uint32_t i = 0; i < message->claim_count; i++) {
        to = put_claim(to, &message->claims[i]);
    }
    ASSERT((size_t)(to - ret_bytes) <= bytes);
    return (uint32_t)(to - ret_bytes);
}

/* ---- reading */

static bool read_accusers(struct slice bytes, struct member_claim *claim)
{
    if (bytes.len % FIXED64_BYTES != 0 || bytes.len > sizeof claim->accusers) {
        return false;
    }
    claim->accuser_count = (uint32_t)(bytes.len / FIXED64_BYTES);
    for (uint32_t i = 0; i < claim->accuser_count; i++) {
        claim->accusers[i] = 0;
        for (unsigned at = 0; at < FIXED64_BYTES; at++) {
            claim->accusers[i] |= (uint64_t)bytes.data[i * FIXED64_BYTES + at] << (8 * at);
        }
    }
    return true;
}

static int read_claim(struct slice bytes, struct member_claim *ret_claim)
{
    struct field_reader in = field_reader_from(bytes);
    struct member_claim claim = {0};
    uint64_t state = 0;
    uint64_t age = 0;

    while (!field_reader_is_done(&in)) {
        struct field field = {0};
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number == CLAIM_ID && field.type == FIELD_FIXED64) {
            claim.id = field.value;
        } else if (field.number == CLAIM_INCARNATION && field.type == FIELD_VARINT) {
            claim.incarnation = field.value;
        } else if (field.number == CLAIM_STATE && field.type == FIELD_VARINT) {
            state = field.value;
        } else if (field.number == CLAIM_AGE && field.type == FIELD_VARINT) {
            age = field.value;
        } else if (field.number == CLAIM_ACCUSERS && field.type == FIELD_BYTES &&
                   !read_accusers(field.bytes, &claim)) {
            return ERR_MALFORMED;
        }
    }
    if (claim.id == 0 || claim.incarnation > MEMBER_INCARNATION_MAX || state < MEMBER_ALIVE ||
        state >= MEMBER_STATE_NR || age > UINT32_MAX) {
        return ERR_MALFORMED;
    }
    claim.state = (enum member_state)state;
    claim.age_ms = (uint32_t)age;
    *ret_claim = claim;
    return OK;
}

struct numbers {
    uint64_t type;
    uint64_t flags;
    uint64_t sequence;
};

static void read_number(const struct field *field, struct numbers *numbers,
                        struct member_message *message)
{
    uint64_t *const places[] = {
        [NUMBER_TYPE] = &numbers->type,     [NUMBER_FROM] = &message->from,
        [NUMBER_TO] = &message->to,         [NUMBER_INCARNATION] = &message->incarnation,
        [NUMBER_FLAGS] = &numbers->flags,   [NUMBER_SEQUENCE] = &numbers->sequence,
        [NUMBER_TARGET] = &message->target,
    };
    bool is_fixed = field->number == NUMBER_FROM || field->number == NUMBER_TO ||
                    field->number == NUMBER_TARGET;

    if (field->number < sizeof places / sizeof places[0] && places[field->number] != NULL &&
        field->type == (uint32_t)(is_fixed ? FIELD_FIXED64 : FIELD_VARINT)) {
        *places[field->number] = field->value;
    }
}

int member_message_decode(struct slice bytes, struct member_message *ret_message)
{
    struct field_reader in = field_reader_from(bytes);
    struct member_message *message = ret_message;
    struct numbers numbers = {0};

    if (bytes.len > MEMBER_DATAGRAM_BYTES_MAX) {
        return ERR_TOO_LARGE;
    }
    *message = (struct member_message){0};
    while (!field_reader_is_done(&in)) {
        struct field field = {0};
        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number == NUMBER_CLAIMS && field.type == FIELD_BYTES) {
            if (message->claim_count == MEMBER_CLAIMS_MAX) {
                return ERR_TOO_LARGE;
            }
            int status = read_claim(field.bytes, &message->claims[message->claim_count++]);
            if (status != OK) {
                return status;
            }
        } else {
            read_number(&field, &numbers, message);
        }
    }
    if (numbers.type == 0 || numbers.type >= MEMBER_MESSAGE_NR || message->from == 0 ||
        message->to == 0 || message->incarnation == 0 ||
        message->incarnation > MEMBER_INCARNATION_MAX || numbers.sequence > UINT32_MAX) {
        return ERR_MALFORMED;
    }
    message->type = (enum member_message_type)numbers.type;
    message->is_leaving = (numbers.flags & FLAG_LEAVING) != 0;
    message->is_reply_wanted = (numbers.flags & FLAG_REPLY_WANTED) != 0;
    message->sequence = (uint32_t)numbers.sequence;
    return OK;
}
