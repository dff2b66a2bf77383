#include "enrol/across_message.h"

#include "base/assert.h"
#include "campus/shard.h"

/* ---- writing */

void across_put_number(struct buf *out, uint64_t number)
{
    int rc = pack_u64(out, number);

    ASSERT(rc == OK);
}

void across_put_bytes(struct buf *out, struct slice bytes)
{
    int rc = pack_bytes(out, bytes);

    ASSERT(rc == OK);
}

static void put_id(struct buf *out, const struct enrol_attempt_id *id)
{
    across_put_number(out, id->home);
    across_put_number(out, id->term);
    across_put_number(out, id->counter);
}

void across_put_head(struct buf *out, const struct across_head *head)
{
    across_put_number(out, head->kind);
    put_id(out, &head->id);
    across_put_bytes(out, head->token);
}

static void put_name(struct buf *out, const struct campus_name *name)
{
    across_put_bytes(out, name->institution);
    across_put_bytes(out, name->code);
    across_put_bytes(out, name->section);
    across_put_bytes(out, name->term);
}

void across_put_facts(struct buf *out, const struct across_reserve *reserve)
{
    across_put_bytes(out, reserve->institution);
    across_put_bytes(out, reserve->name);
    across_put_number(out, reserve->level);
    across_put_number(out, reserve->taken_count);
    for (uint32_t i = 0; i < reserve->taken_count; i++) {
        across_put_bytes(out, reserve->taken[i].institution);
        across_put_bytes(out, reserve->taken[i].code);
        across_put_number(out, reserve->taken[i].grade);
        across_put_number(out, reserve->taken[i].credits);
    }
    across_put_number(out, reserve->beside_count);
    for (uint32_t i = 0; i < reserve->beside_count; i++) {
        across_put_bytes(out, reserve->beside[i].institution);
        across_put_bytes(out, reserve->beside[i].code);
        across_put_bytes(out, reserve->beside[i].term);
    }
    across_put_number(out, reserve->permit_count);
    for (uint32_t i = 0; i < reserve->permit_count; i++) {
        put_name(out, &reserve->permits[i].name);
        across_put_number(out, reserve->permits[i].kinds);
    }
}

void across_put_reserve(struct buf *out, const struct across_reserve *reserve)
{
    across_put_number(out, reserve->left_ms);
    across_put_number(out, reserve->fact);
    across_put_number(out, reserve->is_whole ? 1 : 0);
    across_put_facts(out, reserve);
    across_put_number(out, reserve->op_count);
    for (uint32_t i = 0; i < reserve->op_count; i++) {
        across_put_number(out, reserve->ops[i].op);
        across_put_number(out, reserve->ops[i].kind);
        across_put_number(out, reserve->ops[i].waitlist ? 1 : 0);
        across_put_number(out, reserve->ops[i].claim);
        put_name(out, &reserve->ops[i].name);
    }
}

void across_put_reserved(struct buf *out, const struct across_reserved *reserved)
{
    across_put_number(out, reserved->outcome);
    across_put_number(out, (uint64_t)-reserved->error);
    across_put_number(out, reserved->fact);
    across_put_bytes(out, reserved->text);
    across_put_number(out, reserved->part_count);
    for (uint32_t i = 0; i < reserved->part_count; i++) {
        across_put_number(out, reserved->parts[i].op);
        across_put_number(out, reserved->parts[i].what);
        across_put_number(out, reserved->parts[i].place);
        across_put_number(out, reserved->parts[i].permits);
        across_put_bytes(out, reserved->parts[i].description);
    }
    across_put_number(out, reserved->refusal_count);
    for (uint32_t i = 0; i < reserved->refusal_count; i++) {
        across_put_number(out, reserved->refusals[i].kind);
        across_put_number(out, reserved->refusals[i].op);
        across_put_number(out, reserved->refusals[i].rule_node);
        across_put_bytes(out, reserved->refusals[i].evidence);
    }
}

void across_put_decline(struct buf *out, const struct across_decline *decline)
{
    across_put_number(out, decline->number);
    put_name(out, &decline->name);
    across_put_number(out, decline->kind);
    across_put_bytes(out, decline->evidence);
}

void across_put_decide(struct buf *out, const struct across_decide *decide)
{
    put_id(out, &decide->id);
    across_put_number(out, decide->version);
    across_put_bytes(out, decide->request);
    across_put_number(out, decide->reply_count);
    for (uint32_t i = 0; i < decide->reply_count; i++) {
        across_put_number(out, decide->replies[i].shard);
        across_put_bytes(out, decide->replies[i].bytes);
    }
}

/* ---- reading */

static uint32_t take_u32(struct unpack *in, uint32_t max)
{
    return (uint32_t)unpack_u64_max(in, max);
}

static void take_id(struct unpack *in, struct enrol_attempt_id *id)
{
    id->home = take_u32(in, CAMPUS_SHARDS_MAX - 1);
    id->term = unpack_u64(in);
    id->counter = unpack_u64(in);
}

void across_take_head(struct unpack *in, struct across_head *ret_head)
{
    ret_head->kind = take_u32(in, ACROSS_KIND_NR - 1);
    take_id(in, &ret_head->id);
    ret_head->token = unpack_bytes(in);
    in->failed = in->failed || ret_head->kind == 0 || ret_head->token.len == 0 ||
                 ret_head->token.len > CAMPUS_TOKEN_BYTES_MAX;
}

/* A text of a name: those of a request may be empty, when they go without saying. */
static struct slice take_text(struct unpack *in, size_t bytes_max)
{
    struct slice text = unpack_bytes(in);

    in->failed = in->failed || text.len > bytes_max;
    return text;
}

static struct campus_name take_name(struct unpack *in)
{
    struct campus_name name;

    name.institution = take_text(in, CAMPUS_INSTITUTION_BYTES_MAX);
    name.code = take_text(in, CAMPUS_CODE_BYTES_MAX);
    name.section = take_text(in, CAMPUS_SECTION_BYTES_MAX);
    name.term = take_text(in, CAMPUS_TERM_BYTES_MAX);
    return name;
}

void across_take_facts(struct unpack *in, struct across_reserve *reserve)
{
    reserve->institution = take_text(in, CAMPUS_INSTITUTION_BYTES_MAX);
    in->failed = in->failed || reserve->institution.len == 0;
    reserve->name = take_text(in, CAMPUS_NAME_BYTES_MAX);
    reserve->level = take_u32(in, UINT16_MAX);
    reserve->taken_count = take_u32(in, CAMPUS_TAKEN_MAX);
    for (uint32_t i = 0; i < reserve->taken_count && !in->failed; i++) {
        reserve->taken[i].institution = take_text(in, CAMPUS_INSTITUTION_BYTES_MAX);
        reserve->taken[i].code = take_text(in, CAMPUS_CODE_BYTES_MAX);
        reserve->taken[i].grade = take_u32(in, UINT16_MAX);
        reserve->taken[i].credits = take_u32(in, UINT16_MAX);
    }
    reserve->beside_count = take_u32(in, ENROL_AFTER_MAX);
    for (uint32_t i = 0; i < reserve->beside_count && !in->failed; i++) {
        reserve->beside[i].institution = take_text(in, CAMPUS_INSTITUTION_BYTES_MAX);
        reserve->beside[i].code = take_text(in, CAMPUS_CODE_BYTES_MAX);
        reserve->beside[i].term = take_text(in, CAMPUS_TERM_BYTES_MAX);
    }
    reserve->permit_count = take_u32(in, CAMPUS_PERMITS_MAX);
    for (uint32_t i = 0; i < reserve->permit_count && !in->failed; i++) {
        reserve->permits[i].name = take_name(in);
        reserve->permits[i].kinds = take_u32(in, UINT8_MAX);
    }
}

void across_take_reserve(struct unpack *in, struct across_reserve *ret_reserve)
{
    ret_reserve->left_ms = unpack_u64(in);
    ret_reserve->fact = unpack_u64(in);
    ret_reserve->is_whole = take_u32(in, 1) != 0;
    across_take_facts(in, ret_reserve);
    ret_reserve->op_count = take_u32(in, ACROSS_OPS_MAX);
    in->failed = in->failed || ret_reserve->op_count == 0;
    for (uint32_t i = 0; i < ret_reserve->op_count && !in->failed; i++) {
        struct across_op *op = &ret_reserve->ops[i];

        op->op = take_u32(in, ENROL_OPS_MAX - 1);
        op->kind = take_u32(in, CARILLON__OP_KIND__OP_DROP);
        op->waitlist = take_u32(in, 1) != 0;
        op->claim = unpack_u64(in);
        op->name = take_name(in);
        in->failed = in->failed || op->kind == CARILLON__OP_KIND__OP_NONE;
    }
}

void across_take_reserved(struct unpack *in, struct across_reserved *ret_reserved)
{
    ret_reserved->outcome = take_u32(in, ACROSS_OUTCOME_NR - 1);
    ret_reserved->error = -(int)take_u32(in, UINT8_MAX);
    ret_reserved->fact = unpack_u64(in);
    ret_reserved->text = take_text(in, ENROL_TEXT_BYTES_MAX);
    ret_reserved->part_count = take_u32(in, ACROSS_OPS_MAX);
    in->failed = in->failed || ret_reserved->outcome == 0;
    for (uint32_t i = 0; i < ret_reserved->part_count && !in->failed; i++) {
        struct across_part *part = &ret_reserved->parts[i];

        part->op = take_u32(in, ENROL_OPS_MAX - 1);
        part->what = take_u32(in, ENROL_HELD_NR - 1);
        part->place = take_u32(in, UINT32_MAX);
        part->permits = take_u32(in, UINT8_MAX);
        part->description = unpack_bytes(in);
    }
    ret_reserved->refusal_count = take_u32(in, ENROL_REFUSALS_MAX);
    for (uint32_t i = 0; i < ret_reserved->refusal_count && !in->failed; i++) {
        struct across_refusal *refusal = &ret_reserved->refusals[i];

        refusal->kind = take_u32(in, UINT8_MAX);
        refusal->op = take_u32(in, ENROL_OPS_MAX - 1);
        refusal->rule_node = take_u32(in, RULE_NODES_MAX);
        refusal->evidence = take_text(in, ENROL_TEXT_BYTES_MAX);
    }
}

void across_take_decline(struct unpack *in, struct across_decline *ret_decline)
{
    ret_decline->number = unpack_u64(in);
    ret_decline->name = take_name(in);
    ret_decline->kind = take_u32(in, UINT8_MAX);
    ret_decline->evidence = take_text(in, ENROL_TEXT_BYTES_MAX);
}

void across_take_decide(struct unpack *in, struct across_decide *ret_decide)
{
    take_id(in, &ret_decide->id);
    ret_decide->version = take_u32(in, UINT32_MAX);
    ret_decide->request = unpack_bytes(in);
    ret_decide->reply_count = take_u32(in, ACROSS_OPS_MAX);
    for (uint32_t i = 0; i < ret_decide->reply_count && !in->failed; i++) {
        ret_decide->replies[i].shard = take_u32(in, CAMPUS_SHARDS_MAX - 1);
        ret_decide->replies[i].bytes = unpack_bytes(in);
    }
}

void across_put_asked(struct buf *out, uint64_t term, uint64_t number)
{
    across_put_number(out, term);
    across_put_number(out, number);
}

bool across_take_asked(struct slice message, uint64_t *ret_term, uint64_t *ret_number)
{
    struct unpack in = unpack_from(message);
    struct across_head head;

    across_take_head(&in, &head);
    *ret_term = unpack_u64(&in);
    *ret_number = unpack_u64(&in);
    return unpack_is_done(&in);
}

uint32_t across_outcome_of(struct slice message)
{
    struct unpack in = unpack_from(message);
    struct across_head head;

    across_take_head(&in, &head);
    return take_u32(&in, ACROSS_OUTCOME_NR - 1);
}

uint32_t across_settle_count(struct slice message)
{
    struct unpack in = unpack_from(message);
    uint32_t count = 0;

    do {
        struct across_head head;

        across_take_head(&in, &head);
        uint32_t verdict = take_u32(&in, ACROSS_RELEASE);

        in.failed = in.failed || verdict == 0 || head.kind != ACROSS_SETTLE;
        count++;
    } while (!in.failed && !unpack_is_done(&in));
    return in.failed ? 0 : count;
}
