/* Checks, and permits for sections of other shards: what is asked and not kept. */
#include "base/assert.h"
#include "campus/foreign.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_private.h"
#include "enrol/request.h"
#include "wire/message.h"

/* ---- inquiries */

struct across_inquiry *across__inquiry_take(struct across *across)
{
    for (uint32_t i = 0; i < ACROSS_FLIGHT_MAX; i++) {
        if (i >= across->inquiry_end || across->inquiries[i].phase == 0) {
            across->inquiry_end = i + 1 > across->inquiry_end ? i + 1 : across->inquiry_end;
            across->inquiries[i] = (struct across_inquiry){.phase = ACROSS_ASKING};
            across->inquiries[i].asking.kind = ACROSS_CHECK;
            return &across->inquiries[i];
        }
    }
    return NULL;
}

void across__inquiry_give(struct across *across, struct across_inquiry *inquiry)
{
    across__asking_forget(across, &inquiry->asking);
    across__give_back(across, &inquiry->body);
    inquiry->phase = 0;
    while (across->inquiry_end > 0 && across->inquiries[across->inquiry_end - 1].phase == 0) {
        across->inquiry_end--;
    }
}

static void end(struct across *across, struct across_inquiry *inquiry, int status,
                struct slice text)
{
    if (inquiry->kind != ACROSS_INQUIRY_REFRESH) {
        across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                       .client = inquiry->client,
                                                       .status = status,
                                                       .text = text});
    }
    across__inquiry_give(across, inquiry);
}

static void end_with(struct across *across, struct across_inquiry *inquiry, int status)
{
    end(across, inquiry, status, slice_from_text(error_text(status)));
}

/* The leader leads no more: of a permit that was proposed nobody here knows what becomes. */
void across__inquiries_end(struct across *across)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        struct across_inquiry *inquiry = &across->inquiries[i];

        if (inquiry->phase != 0) {
            end_with(across, inquiry,
                     inquiry->phase == ACROSS_PERMITTING ? ERR_TIMEOUT : ERR_BUSY);
        }
    }
    across->walk.is_running = false;
}

/* ---- asking */

static void start_check(struct across *across, uint64_t now_ms, struct across_inquiry *inquiry)
{
    struct request *request = arena_alloc(&across->own, sizeof *request);
    int rc = request_decode(inquiry->body, request);

    ASSERT(rc == OK); /* as when it was taken */
    inquiry->phase = ACROSS_ASKING;
    inquiry->version = campus_student(&across->enrol->campus, inquiry->asking.student)->version;
    across__asking_start(across, now_ms, &inquiry->asking, request, 0);
    arena_free(&across->own, request, sizeof *request);
}

int across_check(struct across *across, const struct across_request *of, struct buf *text)
{
    struct enrol *enrol = across->enrol;
    struct request *request = arena_alloc(&across->own, sizeof *request);
    uint32_t student = CAMPUS_NONE;

    across__begin(across);
    int rc = request_decode(of->body, request);
    bool is_plain = rc != OK || request->op_count == 0 || request->op_count > ENROL_OPS_MAX;
    struct across_foreign foreign = is_plain ? (struct across_foreign){false, false}
                                             : across__foreign_of(&enrol->campus, request);

    if (foreign.has_promotion_drop) {
        rc = across__say_promotion_drop(text);
    } else if (!foreign.has_op) {
        across__local(across, of->client);
        rc = OK;
    } else {
        rc = across__check_names(across, request, &student, text);
        struct across_inquiry *inquiry = rc == OK ? across__inquiry_take(across) : NULL;

        if (inquiry != NULL) {
            inquiry->kind = ACROSS_INQUIRY_CHECK;
            inquiry->client = of->client;
            inquiry->wall_ms = of->wall_ms;
            inquiry->asking.student = student;
            inquiry->asking.deadline_ms = of->deadline_ms;
            inquiry->body = across__keep(across, of->body);
            start_check(across, of->now_ms, inquiry);
        } else if (rc == OK) {
            rc = ENROL_SAY(text, ERR_BUSY, "%s", error_text(ERR_BUSY));
        }
    }
    arena_free(&across->own, request, sizeof *request);
    return rc;
}

/* The section is asked about as by a drop, which nothing speaks against. */
static void start_permit(struct across *across, uint64_t now_ms, struct across_inquiry *inquiry,
                         const struct campus_name *name)
{
    struct request *request = arena_alloc_zero(&across->own, sizeof *request);

    request->op_count = 1;
    request->ops[0] = (struct request_op){.kind = CARILLON__OP_KIND__OP_DROP, .name = *name};
    across__asking_start(across, now_ms, &inquiry->asking, request, 0);
    arena_free(&across->own, request, sizeof *request);
}

int across_permit(struct across *across, const struct across_request *of, struct buf *text)
{
    struct enrol *enrol = across->enrol;
    uint32_t student = CAMPUS_NONE;

    across__begin(across);
    arena_reset(&enrol->scratch);
    const Carillon__PermitRequest *request =
        wire_unpack(&carillon__permit_request__descriptor, of->body, &enrol->scratch);
    struct campus_name name = enrol__name(request == NULL ? NULL : request->section);

    if (request == NULL || request->section == NULL ||
        campus_is_own(&enrol->campus, name.code) ||
        enrol__key_check(of->key, of->wall_ms, text) != OK ||
        answers_find(&enrol->answers, of->key) != NULL ||
        enrol__permit_shape(enrol, request, &student, text) != OK) {
        buf_clear(text); /* whatever is wrong with it, its admission tells */
        across__local(across, of->client);
        return OK;
    }
    struct across_inquiry *inquiry = across__inquiry_take(across);

    if (inquiry == NULL) {
        return ENROL_SAY(text, ERR_BUSY, "%s", error_text(ERR_BUSY));
    }
    inquiry->kind = ACROSS_INQUIRY_PERMIT;
    inquiry->client = of->client;
    inquiry->asking.student = student;
    inquiry->asking.deadline_ms = of->deadline_ms;
    inquiry->body = across__keep(across, of->body);
    memcpy(inquiry->key.bytes, of->key.data, UUID_BYTES);
    start_permit(across, of->now_ms, inquiry, &name);
    return OK;
}

/* ---- answered */

/* Read one of the answers. */
static void reserved_of(const struct across_inquiry *inquiry, uint32_t i,
                        struct across_reserved *ret_reserved)
{
    struct unpack in = unpack_from(inquiry->asking.of[i].reply);
    struct across_head head;

    across_take_head(&in, &head);
    across_take_reserved(&in, ret_reserved);
    ASSERT(unpack_is_done(&in)); /* as when it was taken */
}

/* Whether an answer is that a name leads nowhere. Ends what was asked for somebody. */
static bool has_failed(struct across *across, uint64_t now_ms, struct across_inquiry *inquiry)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    bool is_failed = false;

    for (uint32_t i = 0; i < inquiry->asking.count && !is_failed; i++) {
        reserved_of(inquiry, i, reserved);
        is_failed = reserved->outcome == ACROSS_FAILED;
    }
    if (is_failed && inquiry->kind == ACROSS_INQUIRY_REFRESH) {
        across__walk_answered(across, now_ms, inquiry, true);
    } else if (is_failed) {
        end(across, inquiry, error_from_wire((uint32_t)-reserved->error), reserved->text);
    }
    arena_free(&across->own, reserved, sizeof *reserved);
    return is_failed;
}

uint32_t across__inquiry_news(struct across *across, const struct across_inquiry *inquiry)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    struct slice news[ACROSS_OPS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < inquiry->asking.count; i++) {
        reserved_of(inquiry, i, reserved);
        for (uint32_t at = 0; at < reserved->part_count && count < ACROSS_OPS_MAX; at++) {
            if (!campus_stand_in_knows(&across->enrol->campus,
                                       reserved->parts[at].description)) {
                news[count++] = reserved->parts[at].description;
            }
        }
    }
    buf_clear(&across->message);
    across_put_number(&across->message, count);
    for (uint32_t i = 0; i < count; i++) {
        across_put_bytes(&across->message, news[i]);
    }
    arena_free(&across->own, reserved, sizeof *reserved);
    return count;
}

/* Propose an entry of across->message. Returns: whether there was memory for it. */
static bool propose(struct across *across, uint32_t method, struct slice key)
{
    struct slice body = buf_slice(&across->message);
    struct buf text;

    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    int rc = enrol__room_reserve(across->enrol, enrol__across_growth(method, body), &text);

    buf_fini(&text);
    if (rc == OK) {
        across__propose(across, method, key, body);
    }
    return rc == OK;
}

static void judge_check(struct across *across, struct across_inquiry *inquiry)
{
    struct enrol *enrol = across->enrol;
    struct enrol_reading reading = {.enrol = enrol, .wall_ms = inquiry->wall_ms};
    struct buf text;
    struct buf reply;

    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    buf_init(&reply, ACROSS_BYTES_MAX);
    reading.text = &text;
    reading.reply = &reply;
    arena_reset(&enrol->scratch);
    struct enrol_parts *parts = enrol__scratch(enrol, sizeof *parts);
    struct enrol_attempt *attempt = enrol__scratch(enrol, sizeof *attempt);
    int rc = OK;

    for (uint32_t i = 0; rc == OK && i < inquiry->asking.count; i++) {
        uint32_t outcome;

        if (!enrol__parts_take(enrol, inquiry->asking.of[i].reply, false, parts, &outcome)) {
            rc = ERR_MALFORMED;
        }
    }
    rc =
        rc == OK ? enrol__attempt_make_across(enrol, inquiry->body, parts, attempt, &text) : rc;
    rc = rc == OK ? enrol__check_answer(&reading, attempt) : rc;
    across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                   .client = inquiry->client,
                                                   .status = rc,
                                                   .text = buf_slice(&text),
                                                   .body = buf_slice(&reply)});
    across__inquiry_give(across, inquiry);
    buf_fini(&text);
    buf_fini(&reply);
}

static void permit(struct across *across, struct across_inquiry *inquiry)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);

    reserved_of(inquiry, 0, reserved);
    buf_clear(&across->message);
    across_put_bytes(&across->message, inquiry->body);
    across_put_bytes(&across->message,
                     reserved->part_count > 0 ? reserved->parts[0].description : SLICE_NONE);
    if (reserved->part_count == 0) {
        end_with(across, inquiry, ERR_MALFORMED);
    } else if (!propose(across, ENROL_ENTRY_PERMIT,
                        slice_from(inquiry->key.bytes, UUID_BYTES))) {
        end_with(across, inquiry, ERR_FULL);
    } else {
        inquiry->phase = ACROSS_PERMITTING;
    }
    arena_free(&across->own, reserved, sizeof *reserved);
}

/* All have answered. Sections that are new here, or have changed, are made known by an entry
 * first: judging is by what stands here. */
static void go_on(struct across *across, uint64_t now_ms, struct across_inquiry *inquiry)
{
    if (has_failed(across, now_ms, inquiry)) {
        return;
    }
    if (inquiry->kind == ACROSS_INQUIRY_PERMIT) {
        permit(across, inquiry);
        return;
    }
    if (inquiry->kind == ACROSS_INQUIRY_CHECK &&
        campus_student(&across->enrol->campus, inquiry->asking.student)->version !=
            inquiry->version) {
        start_check(across, now_ms, inquiry); /* what was told of him is not so any more */
        return;
    }
    if (across__inquiry_news(across, inquiry) > 0) {
        inquiry->phase = ACROSS_LEARNING;
        inquiry->again_ms = now_ms + ACROSS_REPEAT_MS;
        (void)propose(across, ENROL_ENTRY_REFRESH, SLICE_NONE); /* no room: tried again */
    } else if (inquiry->kind == ACROSS_INQUIRY_CHECK) {
        judge_check(across, inquiry);
    } else {
        across__walk_answered(across, now_ms, inquiry, false);
    }
}

void across__checked(struct across *across, uint64_t now_ms, uint32_t shard,
                     const struct across_head *head, struct slice message)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        struct across_inquiry *inquiry = &across->inquiries[i];

        if (inquiry->phase == ACROSS_ASKING &&
            enrol_attempt_id_compare(&inquiry->asking.id, &head->id) == 0) {
            if (across__asking_take(across, &inquiry->asking, shard, message)) {
                go_on(across, now_ms, inquiry);
            }
            return;
        }
    }
}

/* ---- entries and time */

void across__inquiry_applied(struct across *across, uint64_t now_ms,
                             const struct enrol_entry *entry, const struct enrol_result *result)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        struct across_inquiry *inquiry = &across->inquiries[i];

        if (inquiry->phase == ACROSS_LEARNING && entry->method == ENROL_ENTRY_REFRESH) {
            go_on(across, now_ms, inquiry);
        } else if (inquiry->phase == ACROSS_PERMITTING && entry->method == ENROL_ENTRY_PERMIT &&
                   slice_is_equal(entry->key, slice_from(inquiry->key.bytes, UUID_BYTES))) {
            across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                           .client = inquiry->client,
                                                           .status = result->status,
                                                           .index = result->index,
                                                           .term = entry->term,
                                                           .text = buf_slice(&result->text),
                                                           .body = buf_slice(&result->reply)});
            across__inquiry_give(across, inquiry);
        }
    }
}

void across__inquiry_not_proposed(struct across *across, struct slice key)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        struct across_inquiry *inquiry = &across->inquiries[i];

        if (inquiry->phase == ACROSS_PERMITTING &&
            slice_is_equal(key, slice_from(inquiry->key.bytes, UUID_BYTES))) {
            end_with(across, inquiry, ERR_BUSY);
        }
    }
}

/* A check that hears nothing has no answer; a permit that was not proposed will not happen. */
static void expire(struct across *across, uint64_t now_ms, struct across_inquiry *inquiry)
{
    if (inquiry->kind == ACROSS_INQUIRY_REFRESH) {
        inquiry->asking.deadline_ms = now_ms + ACROSS_WALK_MS;
    } else {
        end_with(across, inquiry,
                 inquiry->kind == ACROSS_INQUIRY_PERMIT && inquiry->phase == ACROSS_ASKING
                     ? ERR_BUSY
                     : ERR_TIMEOUT);
    }
}

void across__inquiry_look(struct across *across, uint64_t now_ms)
{
    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        struct across_inquiry *inquiry = &across->inquiries[i];

        if (inquiry->phase != 0 && now_ms >= inquiry->asking.deadline_ms) {
            expire(across, now_ms, inquiry);
        } else if (inquiry->phase == ACROSS_ASKING) {
            across__asking_again(across, now_ms, &inquiry->asking);
        } else if (inquiry->phase == ACROSS_LEARNING && now_ms >= inquiry->again_ms) {
            go_on(across, now_ms, inquiry);
        }
    }
}

uint32_t across_inquiry_count(const struct across *across)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < across->inquiry_end; i++) {
        const struct across_inquiry *inquiry = &across->inquiries[i];

        count += inquiry->phase != 0 && inquiry->kind != ACROSS_INQUIRY_REFRESH;
    }
    return count;
}
