/* The home's part: from a request to its decision. */
#include "base/assert.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_facts.h"
#include "enrol/across_private.h"
#include "enrol/request.h"

/* A request that waits for holds goes on so long before its deadline, to be told that a seat is
 * undecided rather than nothing. */
enum { LAST_MS = 500 };

/* ---- flights */

static struct across_flight *flight_take(struct across *across)
{
    for (uint32_t i = 0; i < ACROSS_FLIGHT_MAX; i++) {
        if (i >= across->flight_end || across->flights[i].phase == 0) {
            across->flight_end = i + 1 > across->flight_end ? i + 1 : across->flight_end;
            across->flight_count++;
            across->flights[i] = (struct across_flight){.phase = ACROSS_WAITING};
            return &across->flights[i];
        }
    }
    return NULL;
}

static void flight_give(struct across *across, struct across_flight *flight)
{
    across__asking_forget(across, &flight->asking);
    across__give_back(across, &flight->body);
    flight->phase = 0;
    across->flight_count--;
    while (across->flight_end > 0 && across->flights[across->flight_end - 1].phase == 0) {
        across->flight_end--;
    }
}

/* Nothing is promised any more to those who were asked, unless the list says otherwise. They
 * would find out by asking; this saves them the second. */
static void release_asked(struct across *across, const struct across_flight *flight)
{
    const struct enrol *enrol = across->enrol;

    for (uint32_t i = 0; i < flight->asking.count; i++) {
        uint32_t shard = flight->asking.of[i].shard;

        if (enrol__todo_find(&enrol->across, flight->asking.student, &flight->asking.id,
                             shard) == CAMPUS_NONE) {
            across__send_head(across, shard, ACROSS_SETTLE, &flight->asking.id,
                              across__token(across, flight->asking.student), ACROSS_RELEASE);
        }
    }
}

void across__flight_end(struct across *across, struct across_flight *flight, int status,
                        const char *text)
{
    if (flight->phase != ACROSS_DECIDING || status == ERR_BUSY) {
        release_asked(across, flight);
    }
    /* What was not proposed has not happened, whoever leads now. */
    if (flight->phase != ACROSS_DECIDING && status == ERR_TIMEOUT) {
        status = ERR_BUSY;
    }
    if (flight->claim == 0) {
        across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                       .client = flight->client,
                                                       .status = status,
                                                       .text = slice_from_text(text)});
    }
    flight_give(across, flight);
}

struct across_flight *across__flight_find(struct across *across, const struct across_head *head)
{
    for (uint32_t i = 0; i < across->flight_end; i++) {
        struct across_flight *flight = &across->flights[i];

        if (flight->phase >= ACROSS_RESERVING &&
            enrol_attempt_id_compare(&flight->asking.id, &head->id) == 0) {
            return flight;
        }
    }
    return NULL;
}

/* ---- what keeps a request waiting */

/* An attempt of the same student came first and is not over. */
static bool is_behind(const struct across *across, const struct across_flight *flight)
{
    for (uint32_t i = 0; i < across->flight_end; i++) {
        const struct across_flight *other = &across->flights[i];

        if (other != flight && other->asking.student == flight->asking.student &&
            other->phase >= ACROSS_RESERVING) {
            return true;
        }
    }
    return false;
}

/* A shard that it concerns still has to hear of an earlier decision. */
static bool is_owed(const struct across *across, const struct across_flight *flight,
                    const struct request *request)
{
    const struct campus *campus = &across->enrol->campus;

    for (uint32_t i = 0; i < request->op_count; i++) {
        uint32_t shard = campus_shard_of(request->ops[i].name.code, campus->shard_count);

        if (shard != campus->shard && across__is_owed(across, flight->asking.student, shard)) {
            return true;
        }
    }
    return false;
}

/* A section here between whose seats and the request only holds stand, or CAMPUS_NONE. */
static uint32_t undecided(const struct across *across, const struct request *request)
{
    const struct campus *campus = &across->enrol->campus;

    for (uint32_t i = 0; i < request->op_count; i++) {
        const struct request_op *op = &request->ops[i];
        uint32_t section;

        if (op->kind == CARILLON__OP_KIND__OP_ADD && campus_is_own(campus, op->name.code) &&
            campus_resolve_section(campus, &op->name, &section) == OK &&
            campus_section_is_undecided(campus_section(campus, section))) {
            return section;
        }
    }
    return CAMPUS_NONE;
}

static bool is_undecided(const struct across *across, const struct request *request)
{
    return undecided(across, request) != CAMPUS_NONE;
}

/* ---- reserve */

/* Whether a seat may become free elsewhere, for which others are refused until it is. */
static bool drops(const struct across *across, const struct request *request)
{
    for (uint32_t i = 0; i < request->op_count; i++) {
        if (request->ops[i].kind == CARILLON__OP_KIND__OP_DROP &&
            !campus_is_own(&across->enrol->campus, request->ops[i].name.code)) {
            return true;
        }
    }
    return false;
}

static void start(struct across *across, uint64_t now_ms, struct across_flight *flight,
                  const struct request *request)
{
    flight->is_hurried = flight->is_hurried || drops(across, request);
    flight->phase = ACROSS_RESERVING;
    flight->version = campus_student(&across->enrol->campus, flight->asking.student)->version;
    flight->asking.kind = ACROSS_RESERVE;
    across__asking_start(across, now_ms, &flight->asking, request, flight->claim);
}

/* ---- decide */

static int admit_decide(struct across *across, const struct across_flight *flight,
                        struct slice body)
{
    struct enrol *enrol = across->enrol;
    struct buf text;
    uint32_t items = flight->asking.count;

    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    /* Attempts that are being decided may each leave as many items. */
    for (uint32_t i = 0; i < across->flight_end; i++) {
        items +=
            across->flights[i].phase == ACROSS_DECIDING ? across->flights[i].asking.count : 0;
    }
    int rc =
        enrol->across.todo_count + items > ENROL_TODOS_MAX
            ? ERR_FULL
            : enrol__room_reserve(enrol, enrol__across_growth(ENROL_ENTRY_DECIDE, body), &text);

    buf_fini(&text);
    return rc;
}

static void propose_decide(struct across *across, struct across_flight *flight)
{
    struct across_decide decide = {
        .id = flight->asking.id, .version = flight->version, .request = flight->body};

    for (uint32_t i = 0; i < flight->asking.count; i++) {
        decide.replies[i].shard = flight->asking.of[i].shard;
        decide.replies[i].bytes = flight->asking.of[i].reply;
    }
    decide.reply_count = flight->asking.count;
    buf_clear(&across->message);
    across_put_decide(&across->message, &decide);
    int rc = admit_decide(across, flight, buf_slice(&across->message));

    if (rc != OK) {
        across__flight_end(across, flight, rc, error_text(rc));
        return;
    }
    flight->phase = ACROSS_DECIDING;
    across__propose(across, ENROL_ENTRY_DECIDE,
                    flight->claim != 0 ? SLICE_NONE : slice_from(flight->key.bytes, UUID_BYTES),
                    buf_slice(&across->message));
}

/* From the top, under a new id: the holds of the old one are taken over. */
static void again(struct across *across, uint64_t now_ms, struct across_flight *flight)
{
    if (now_ms >= flight->asking.deadline_ms) {
        flight->phase = ACROSS_RESERVING; /* the decision was not taken */
        across__flight_end(across, flight, ERR_BUSY, "the student's record kept changing");
        return;
    }
    across__asking_forget(across, &flight->asking);
    flight->phase = ACROSS_WAITING;
    across__home_look(across, now_ms);
}

/* What one shard said, as far as it ends the attempt. Returns: whether it did. */
static bool is_ended_by(struct across *across, struct across_flight *flight,
                        const struct across_reserved *reserved)
{
    char text[ENROL_TEXT_BYTES_MAX + 1];

    if (reserved->outcome == ACROSS_REFUSED && flight->claim != 0) {
        across__decline(across, flight, reserved);
        across__flight_end(across, flight, ERR_REFUSED, "");
        return true;
    }
    if (reserved->outcome != ACROSS_FAILED) {
        return false;
    }
    memcpy(text, reserved->text.len > 0 ? reserved->text.data : (const uint8_t *)"",
           reserved->text.len);
    text[reserved->text.len] = '\0';
    across__flight_end(across, flight, error_from_wire((uint32_t)-reserved->error), text);
    return true;
}

static void judge_replies(struct across *across, uint64_t now_ms, struct across_flight *flight)
{
    struct across_reserved *reserved = arena_alloc(&across->own, sizeof *reserved);
    bool is_outdated = false;
    bool is_ended = false;

    for (uint32_t i = 0; i < flight->asking.count && !is_ended; i++) {
        struct slice reply = across__keep(across, flight->asking.of[i].reply);
        struct unpack in = unpack_from(reply);
        struct across_head head;

        across_take_head(&in, &head);
        across_take_reserved(&in, reserved);
        is_outdated = is_outdated || reserved->outcome == ACROSS_OUTDATED;
        is_ended = is_ended_by(across, flight, reserved);
        across__give_back(across, &reply);
    }
    arena_free(&across->own, reserved, sizeof *reserved);
    if (is_ended) {
        return;
    }
    if (is_outdated) {
        again(across, now_ms, flight);
    } else if (now_ms >= flight->asking.deadline_ms) {
        across__flight_end(across, flight, ERR_BUSY, "no time is left to decide");
    } else {
        propose_decide(across, flight);
    }
}

void across__reserved(struct across *across, uint64_t now_ms, uint32_t shard,
                      const struct across_head *head, struct slice message)
{
    struct across_flight *flight = across__flight_find(across, head);
    bool is_reserving = flight != NULL && flight->phase == ACROSS_RESERVING;

    if (is_reserving && across_outcome_of(message) == ACROSS_RULED) {
        across__asking_tell(across, now_ms, &flight->asking, flight, shard);
    } else if (is_reserving && across__asking_take(across, &flight->asking, shard, message)) {
        judge_replies(across, now_ms, flight);
    }
}

/* ---- decided */

void across__decided(struct across *across, uint64_t now_ms, const struct enrol_entry *entry,
                     const struct enrol_result *result)
{
    struct unpack in = unpack_from(entry->body);
    struct across_decide *decide = arena_alloc(&across->own, sizeof *decide);

    across_take_decide(&in, decide);
    struct across_head head = {.id = decide->id};

    if (result->status == OK) {
        across__walk_decided(across, decide);
    }

    uint32_t items = decide->reply_count;

    arena_free(&across->own, decide, sizeof *decide);
    struct across_flight *flight = across__flight_find(across, &head);

    if (result->student != CAMPUS_NONE && flight != NULL && flight->is_hurried) {
        across__todo_send_of(across, now_ms, result->student);
    } else if (result->student != CAMPUS_NONE) {
        across__todo_added(across, now_ms, items);
    }
    if (flight == NULL) {
        return; /* of an earlier leader, whose client hears it by asking again */
    }
    if (result->is_undecided) {
        again(across, now_ms, flight);
        return;
    }
    release_asked(across, flight); /* only where nothing was decided: a repeated key */
    if (flight->claim == 0) {
        across__effect(across, &(struct across_effect){.kind = ACROSS_REPLY,
                                                       .client = flight->client,
                                                       .status = result->status,
                                                       .index = result->index,
                                                       .term = entry->term,
                                                       .text = buf_slice(&result->text),
                                                       .body = buf_slice(&result->reply)});
    }
    flight_give(across, flight);
    across__home_look(across, now_ms);
}

/* ---- requests */

static void go_on(struct across *across, uint64_t now_ms, struct across_flight *flight)
{
    struct request *request = arena_alloc(&across->own, sizeof *request);
    int rc = request_decode(flight->body, request);

    ASSERT(rc == OK); /* as when it was taken */
    bool has_time = now_ms + LAST_MS < flight->asking.deadline_ms;
    uint32_t section = has_time ? undecided(across, request) : CAMPUS_NONE;
    bool waits_for_holds = section != CAMPUS_NONE;

    if (waits_for_holds && !flight->has_hurried) {
        flight->has_hurried = true;
        across__hold_hurry(across, now_ms, section);
    }
    if (flight->is_local && !waits_for_holds) {
        across__local(across, flight->client);
        flight_give(across, flight);
    } else if (!flight->is_local && now_ms >= flight->asking.deadline_ms) {
        across__flight_end(across, flight, ERR_BUSY,
                           "an earlier request of the student is not settled yet");
    } else if (!flight->is_local && is_owed(across, flight, request)) {
        across__todo_send_of(across, now_ms, flight->asking.student);
    } else if (!flight->is_local && across->is_ready && !waits_for_holds &&
               !is_behind(across, flight)) {
        start(across, now_ms, flight, request);
    }
    arena_free(&across->own, request, sizeof *request);
}

void across__home_look(struct across *across, uint64_t now_ms)
{
    for (uint32_t i = 0; i < across->flight_end; i++) {
        struct across_flight *flight = &across->flights[i];

        if (flight->phase == ACROSS_WAITING) {
            go_on(across, now_ms, flight);
        } else if (flight->phase == ACROSS_RESERVING && now_ms >= flight->asking.deadline_ms) {
            across__flight_end(across, flight, ERR_BUSY,
                               "another part of the cluster does not answer");
        } else if (flight->phase == ACROSS_RESERVING) {
            across__asking_again(across, now_ms, &flight->asking);
        }
    }
}

struct across_foreign across__foreign_of(const struct campus *campus,
                                         const struct request *request)
{
    struct across_foreign foreign = {false, false};
    struct campus_name name;

    for (uint32_t i = 0; i < request->op_count; i++) {
        const struct request_op *op = &request->ops[i];
        bool is_own = campus_is_own(campus, op->name.code);

        foreign.has_op = foreign.has_op || !is_own;
        for (uint32_t at = 0; is_own && at < op->drop_count && at < REQUEST_DROPS_MAX; at++) {
            foreign.has_promotion_drop = foreign.has_promotion_drop ||
                                         (request_decode_name(op->drops[at], &name) == OK &&
                                          !campus_is_own(campus, name.code));
        }
    }
    return foreign;
}

int across__say_promotion_drop(struct buf *text)
{
    return ENROL_SAY(
        text, ERR_ARGUMENT,
        "a place on this waitlist cannot drop courses of other shards on promotion");
}

int across__check_names(struct across *across, const struct request *request,
                        uint32_t *ret_student, struct buf *text)
{
    struct enrol *enrol = across->enrol;
    int rc = enrol__find_student(enrol, request->student, ret_student, text);
    uint32_t section;

    for (uint32_t i = 0; rc == OK && i < request->op_count; i++) {
        const struct request_op *op = &request->ops[i];

        if (op->kind != CARILLON__OP_KIND__OP_ADD && op->kind != CARILLON__OP_KIND__OP_DROP) {
            rc = ENROL_SAY(text, ERR_ARGUMENT, "op %u is neither an add nor a drop", i + 1);
        } else if (campus_is_own(&enrol->campus, op->name.code)) {
            rc = enrol__find_section(enrol, &op->name, &section, text);
        }
    }
    return rc;
}

static int take(struct across *across, uint64_t now_ms, const struct across_flight *as,
                struct slice body, struct buf *text)
{
    struct across_flight *flight = flight_take(across);

    if (flight == NULL) {
        return ENROL_SAY(text, ERR_BUSY, "%s", error_text(ERR_BUSY));
    }
    flight->asking.student = as->asking.student;
    flight->is_local = as->is_local;
    flight->claim = as->claim;
    flight->claim_shard = as->claim_shard;
    flight->client = as->client;
    flight->asking.deadline_ms = as->asking.deadline_ms;
    flight->key = as->key;
    flight->body = across__keep(across, body);
    go_on(across, now_ms, flight);
    return OK;
}

void across__claim(struct across *across, uint64_t now_ms, const struct across_flight *as,
                   struct slice body)
{
    struct buf text;

    buf_init(&text, ENROL_TEXT_BYTES_MAX);
    int rc = take(across, now_ms, as, body, &text);

    (void)rc; /* no room: the offer comes again */
    buf_fini(&text);
}

int across_submit(struct across *across, const struct across_request *of, struct buf *text)
{
    struct enrol *enrol = across->enrol;
    struct across_flight as = {
        .client = of->client,
        .asking = {.deadline_ms = of->deadline_ms, .student = CAMPUS_NONE}
    };
    struct request *request = arena_alloc(&across->own, sizeof *request);

    across__begin(across);
    int rc = request_decode(of->body, request);
    bool is_plain = rc != OK || request->op_count == 0 || request->op_count > ENROL_OPS_MAX ||
                    enrol__key_check(of->key, of->wall_ms, text) != OK ||
                    answers_find(&enrol->answers, of->key) != NULL;
    struct across_foreign foreign = is_plain ? (struct across_foreign){false, false}
                                             : across__foreign_of(&enrol->campus, request);

    buf_clear(text);
    if (!is_plain && foreign.has_promotion_drop) {
        rc = across__say_promotion_drop(text);
    } else if (is_plain || (!foreign.has_op && !is_undecided(across, request))) {
        /* whatever is wrong with it, its admission tells */
        across__local(across, of->client);
        rc = OK;
    } else {
        rc = across__check_names(across, request, &as.asking.student, text);
        as.is_local = !foreign.has_op;
        memcpy(as.key.bytes, of->key.data, UUID_BYTES);
        rc = rc == OK ? take(across, of->now_ms, &as, of->body, text) : rc;
    }
    arena_free(&across->own, request, sizeof *request);
    return rc;
}
