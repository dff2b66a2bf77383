/* What the clients of a node_world ask, and what becomes of it. */
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    CLIENT_CONNECTIONS = 2,
    CLIENT_OUTSTANDING = 64,
    CHUNKS = 2,
    ELECTION_MS = 1000,
    SETTLE_ROUNDS = 60,
    LATE_NS = 20000000, /* longer than any answer is on its way */
    CAPACITY_MAX = 4,
};

void node_world_course(uint32_t course, char out[24])
{
    (void)snprintf(out, 24, "C %u", course);
}

void node_world_wave_course(uint32_t wave, uint32_t course, char out[24])
{
    (void)snprintf(out, 24, "W%u-%u", wave, course);
}

void node_world_student(uint32_t student, char out[24])
{
    (void)snprintf(out, 24, "s%u", student);
}

static struct carillon_client *client(struct node_world *world, uint32_t number)
{
    if (world->clients[number] == NULL) {
        struct carillon_options options = {
            .address = world->doors[number] != NULL ? world->doors[number] : "10.0.0.1:7440",
            .name = "node-world",
            .credential = "", /* who its machine is says it all */
            .connections = CLIENT_CONNECTIONS,
            .outstanding_max = CLIENT_OUTSTANDING,
            .connect_ms = 1000,
            .retry_never = world->retry_never,
            .stays = true,
            .io = world->client_io[number],
        };
        int rc = carillon_create(&options, &world->clients[number]);

        ASSERT(rc == OK);
    }
    return world->clients[number];
}

struct carillon_client *node_world_client(struct node_world *world)
{
    return client(world, (uint32_t)rng_below(&world->rng, NODE_WORLD_CLIENTS));
}

struct world_op *node_world_op(struct node_world *world, enum world_op_kind kind)
{
    ASSERT(world->op_count < NODE_WORLD_OPS_MAX);
    struct world_op *op = &world->ops[world->op_count++];

    *op = (struct world_op){.world = world, .kind = kind, .state = WORLD_OP_NEVER};
    op->key = carillon_key_make(node_world_client(world));
    return op;
}

/* ---- answers ---- */

static void read_submit(struct world_op *op, struct slice body)
{
    struct arena *scratch = &op->world->scratch;
    const Carillon__SubmitReply *reply =
        wire_unpack(&carillon__submit_reply__descriptor, body, scratch);

    if (reply == NULL || reply->receipt == NULL) {
        node_world_violate(op->world, "an answer to a submit has no receipt");
        return;
    }
    op->index = reply->receipt->index;
    op->change = reply->n_changes > 0 ? reply->changes[reply->n_changes - 1]->kind : 0;
    op->refusal = reply->n_refusals > 0 ? reply->refusals[0]->kind : 0;
}

static void read_receipt(struct world_op *op, struct slice body)
{
    struct arena *scratch = &op->world->scratch;
    const Carillon__Receipt *receipt = NULL;

    if (op->kind == WORLD_CAP) {
        const Carillon__CapReply *reply =
            wire_unpack(&carillon__cap_reply__descriptor, body, scratch);
        receipt = reply != NULL ? reply->receipt : NULL;
        op->world->sometimes[SOMETIMES_PROMOTED] += reply != NULL && reply->promoted > 0;
    } else if (op->kind == WORLD_LIMITS) {
        const Carillon__LimitsReply *reply =
            wire_unpack(&carillon__limits_reply__descriptor, body, scratch);
        receipt = reply != NULL ? reply->receipt : NULL;
    } else if (op->kind == WORLD_IMPORT_COMMIT && op->status == OK) {
        const Carillon__ImportCommitReply *reply =
            wire_unpack(&carillon__import_commit_reply__descriptor, body, scratch);
        receipt = reply != NULL ? reply->receipt : NULL;
    } else {
        return;
    }
    if (receipt == NULL) {
        node_world_violate(op->world, "an answer has no receipt");
        return;
    }
    op->index = receipt->index;
}

static void import_step(struct world_op *op);

/* A yes or a no by rule; the same key must always get the same. */
static void tell(struct world_op *op, int status, struct slice body)
{
    struct node_world *world = op->world;
    uint64_t hash = hash_bytes(body.data, body.len);

    if (op->state == WORLD_OP_TOLD) {
        if (op->status != status || op->hash != hash) {
            node_world_violate(world, "the same key got another answer: %s, %s",
                               error_name(op->status), error_name(status));
        }
        return;
    }
    op->state = WORLD_OP_TOLD;
    op->status = status;
    op->hash = hash;
    arena_reset(&world->scratch);
    if (op->kind <= WORLD_WAIT) {
        read_submit(op, body);
    } else {
        read_receipt(op, body);
    }
    if (world->told != NULL) {
        world->told(op);
    }
    if (op->kind >= WORLD_IMPORT_BEGIN) {
        import_step(op);
    }
}

static bool is_import_over(const struct world_op *op, int status)
{
    return op->kind >= WORLD_IMPORT_BEGIN &&
           (status == ERR_UNKNOWN_IMPORT || status == ERR_ARGUMENT || status == ERR_GONE);
}

static void end_without_answer(struct world_op *op, int status, const char *text)
{
    struct node_world *world = op->world;

    if (op->state == WORLD_OP_TOLD) {
        return; /* it was only asked once more */
    }
    if (status == ERR_TIMEOUT || op->was_unknown) {
        op->state = WORLD_OP_UNKNOWN;
        op->was_unknown = true;
    } else if (error_is_retryable(status) || status == ERR_IO) {
        op->state = WORLD_OP_NEVER;
        world->refused_full += status == ERR_DISK_FULL;
        world->sometimes[SOMETIMES_FULL_REFUSED] += status == ERR_DISK_FULL;
    } else {
        node_world_violate(world, "op of kind %d ended with %s: %s", op->kind,
                           error_name(status), text);
    }
    if (op->state == WORLD_OP_NEVER && op->kind >= WORLD_IMPORT_BEGIN) {
        world->waves[op->wave].state = WAVE_OVER;
    }
}

/* Imports are no part of a record. */
static uint32_t method_of(enum world_op_kind kind)
{
    return kind <= WORLD_WAIT     ? CARILLON__METHOD__METHOD_SUBMIT
           : kind == WORLD_CAP    ? CARILLON__METHOD__METHOD_CAP
           : kind == WORLD_LIMITS ? CARILLON__METHOD__METHOD_LIMITS
                                  : CARILLON__METHOD__METHOD_NONE;
}

/* Whether the node was asked, and its log had failed long before it answered. What another node
 * that leads has said is passed on all the same; and an audit trail that failed takes nothing
 * away from what the log holds. */
static bool is_of_a_failed_disk(const struct world_op *op)
{
    const struct node_world *world = op->world;

    return world->is_failed && world->is_log_failed && world->doors[op->client] == NULL &&
           io_sim_now_ns(world->sim) > world->failed_ns + LATE_NS &&
           !node_world__is_answered_elsewhere(world, &op->key);
}

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct world_op *op = context;
    struct node_world *world = op->world;

    world->asked--;
    op->is_asked = false;
    if (world->record != NULL) {
        witness_record_done(world->record, op->call, method_of(op->kind), reply->status,
                            slice_from(reply->body, reply->body_bytes));
    }
    if (reply->status == OK || reply->status == ERR_REFUSED ||
        is_import_over(op, reply->status)) {
        if (is_of_a_failed_disk(op)) {
            node_world_violate(world, "a write was answered after the disk had failed");
        }
        tell(op, reply->status, slice_from(reply->body, reply->body_bytes));
    } else {
        end_without_answer(op, reply->status, reply->text);
    }
}

/* ---- requests ---- */

static void submit(struct world_op *op, uint32_t method, const ProtobufCMessage *message)
{
    struct node_world *world = op->world;
    struct carillon_call call = {
        .method = method,
        .key = &op->key,
        .message = message,
        .done = on_done,
        .context = op,
    };

    if (op->state != WORLD_OP_TOLD) {
        op->state = WORLD_OP_ASKED;
    }
    world->asked++;
    op->is_asked = true;
    if (world->record != NULL) {
        op->call = witness_record_call(world->record, method, op->key.bytes, message);
    }
    op->client = (uint32_t)rng_below(&world->rng, NODE_WORLD_CLIENTS);
    struct carillon_client *asked = client(world, op->client);
    int rc = carillon_submit_call(asked, &call);
    ASSERT(rc == OK);
    carillon_flush(asked);
}

static void ask_submit(struct world_op *op)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[2] = {CARILLON__OP__INIT, CARILLON__OP__INIT};
    Carillon__Op *rows[2] = {&ops[0], &ops[1]};
    char token[24];
    char add[24];
    char drop[24];

    node_world_student(op->student, token);
    node_world_course(op->add, add);
    node_world_course(op->drop, drop);
    request.student = token;
    request.ops = rows;
    if (op->drop != 0) {
        ops[request.n_ops].kind = CARILLON__OP_KIND__OP_DROP;
        ops[request.n_ops++].code = drop;
    }
    if (op->add != 0) {
        ops[request.n_ops].kind = CARILLON__OP_KIND__OP_ADD;
        ops[request.n_ops].waitlist = op->kind == WORLD_WAIT;
        ops[request.n_ops++].code = add;
    }
    submit(op, CARILLON__METHOD__METHOD_SUBMIT, &request.base);
}

static void ask_cap(struct world_op *op)
{
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char code[24];

    node_world_course(op->add, code);
    name.code = code;
    request.section = &name;
    request.capacity_known = true;
    request.capacity = op->capacity;
    request.by = wire_text("registrar");
    submit(op, CARILLON__METHOD__METHOD_CAP, &request.base);
}

static void ask_limits(struct world_op *op)
{
    Carillon__LimitsRequest request = CARILLON__LIMITS_REQUEST__INIT;

    request.institution = wire_text("gen");
    request.term = wire_text("current");
    request.courses_max = NODE_WORLD_COURSES_MAX;
    request.by = wire_text("registrar");
    submit(op, CARILLON__METHOD__METHOD_LIMITS, &request.base);
}

/* ---- imports ---- */

static ProtobufCBinaryData import_id(const struct world_op *op)
{
    const struct world_wave *wave = &op->world->waves[op->wave];

    return wire_binary(slice_from(wave->id.bytes, sizeof wave->id.bytes));
}

static void ask_begin(struct world_op *op)
{
    Carillon__ImportBeginRequest request = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    bool is_students = op->wave == 1;

    request.kind = is_students ? CARILLON__IMPORT_KIND__IMPORT_STUDENTS
                               : CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = wire_text("gen");
    request.term = wire_text(is_students ? "" : "current");
    request.import_id = import_id(op);
    request.by = wire_text("registrar");
    submit(op, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &request.base);
}

static void ask_courses(struct world_op *op, Carillon__ImportChunkRequest *chunk)
{
    Carillon__Course courses[NODE_WORLD_COURSES];
    Carillon__Course *rows[NODE_WORLD_COURSES];
    Carillon__Section sections[NODE_WORLD_COURSES];
    Carillon__Section *section_rows[NODE_WORLD_COURSES];
    char codes[NODE_WORLD_COURSES][24];
    uint32_t count = op->wave == 0 ? NODE_WORLD_COURSES : NODE_WORLD_WAVE_COURSES;
    uint32_t from = op->sequence * count / CHUNKS;
    uint32_t until = (op->sequence + 1) * count / CHUNKS;

    for (uint32_t i = 0; from + i < until; i++) {
        carillon__course__init(&courses[i]);
        carillon__section__init(&sections[i]);
        if (op->wave == 0) {
            node_world_course(from + i + 1, codes[i]);
        } else {
            node_world_wave_course(op->wave, from + i + 1, codes[i]);
        }
        courses[i].institution = wire_text("gen");
        courses[i].term = wire_text("current");
        courses[i].code = codes[i];
        courses[i].title = wire_text(op->wave == 0 ? "Bell founding" : "Ringing in changes");
        courses[i].content_hash = op->wave * 100 + from + i + 1;
        courses[i].n_sections = 1;
        section_rows[i] = &sections[i];
        courses[i].sections = &section_rows[i];
        sections[i].id = wire_text("1");
        sections[i].capacity_known = true;
        sections[i].capacity = 1 + (from + i) % CAPACITY_MAX;
        rows[i] = &courses[i];
    }
    chunk->n_courses = until - from;
    chunk->courses = rows;
    submit(op, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base);
}

static void ask_students(struct world_op *op, Carillon__ImportChunkRequest *chunk)
{
    Carillon__Student students[NODE_WORLD_STUDENTS];
    Carillon__Student *rows[NODE_WORLD_STUDENTS];
    char tokens[NODE_WORLD_STUDENTS][24];
    uint32_t from = op->sequence * NODE_WORLD_STUDENTS / CHUNKS;
    uint32_t until = (op->sequence + 1) * NODE_WORLD_STUDENTS / CHUNKS;

    for (uint32_t i = 0; from + i < until; i++) {
        carillon__student__init(&students[i]);
        node_world_student(from + i + 1, tokens[i]);
        students[i].institution = wire_text("gen");
        students[i].token = tokens[i];
        students[i].name = tokens[i];
        students[i].content_hash = from + i + 1;
        rows[i] = &students[i];
    }
    chunk->n_students = until - from;
    chunk->students = rows;
    submit(op, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base);
}

static void ask_chunk(struct world_op *op)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;

    chunk.import_id = import_id(op);
    chunk.sequence = op->sequence;
    if (op->wave == 1) {
        ask_students(op, &chunk);
    } else {
        ask_courses(op, &chunk);
    }
}

static void ask_commit(struct world_op *op)
{
    Carillon__ImportCommitRequest request = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    if (op->state != WORLD_OP_TOLD) {
        op->world->waves[op->wave].state = WAVE_COMMITTING;
    }
    request.import_id = import_id(op);
    request.chunks = CHUNKS;
    submit(op, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &request.base);
}

/* The step behind the one that was told. */
static void import_step(struct world_op *op)
{
    struct node_world *world = op->world;
    struct world_wave *wave = &world->waves[op->wave];
    enum world_op_kind next = WORLD_IMPORT_CHUNK;
    uint32_t sequence = 0;

    if (op->status != OK) {
        wave->state = WAVE_OVER;
        world->sometimes[SOMETIMES_IMPORT_GIVEN_UP]++;
        return;
    }
    if (op->kind == WORLD_IMPORT_COMMIT) {
        wave->state = WAVE_COMMITTED;
        world->sometimes[SOMETIMES_IMPORT_COMMITTED]++;
        return;
    }
    if (op->kind == WORLD_IMPORT_CHUNK) {
        sequence = op->sequence + 1;
        next = sequence == CHUNKS ? WORLD_IMPORT_COMMIT : WORLD_IMPORT_CHUNK;
    }
    struct world_op *step = node_world_op(world, next);
    step->wave = op->wave;
    step->sequence = sequence;
    node_world_ask(step);
}

void node_world_import(struct node_world *world)
{
    ASSERT(world->wave_count < NODE_WORLD_WAVES_MAX);
    struct world_op *op = node_world_op(world, WORLD_IMPORT_BEGIN);

    op->wave = world->wave_count++;
    world->waves[op->wave].state = WAVE_OPEN;
    world->waves[op->wave].id = carillon_key_make(node_world_client(world));
    node_world_ask(op);
}

void node_world_ask(struct world_op *op)
{
    static void (*const asks[])(struct world_op * op) = {
        [WORLD_ADD] = ask_submit,
        [WORLD_DROP] = ask_submit,
        [WORLD_SWAP] = ask_submit,
        [WORLD_WAIT] = ask_submit,
        [WORLD_CAP] = ask_cap,
        [WORLD_LIMITS] = ask_limits,
        [WORLD_IMPORT_BEGIN] = ask_begin,
        [WORLD_IMPORT_CHUNK] = ask_chunk,
        [WORLD_IMPORT_COMMIT] = ask_commit,
    };

    asks[op->kind](op);
}

void node_world_ask_random(struct node_world *world)
{
    static const enum world_op_kind kinds[] = {
        WORLD_ADD,  WORLD_ADD,  WORLD_ADD,  WORLD_DROP, WORLD_DROP,
        WORLD_SWAP, WORLD_SWAP, WORLD_WAIT, WORLD_WAIT, WORLD_CAP,
    };
    struct rng *rng = &world->rng;
    struct world_op *op =
        node_world_op(world, kinds[rng_below(rng, sizeof kinds / sizeof kinds[0])]);

    op->student = (uint32_t)rng_between(rng, 1, NODE_WORLD_STUDENTS);
    op->add = (uint32_t)rng_between(rng, 1, NODE_WORLD_COURSES);
    op->capacity = (uint32_t)rng_between(rng, 0, CAPACITY_MAX);
    if (op->kind == WORLD_SWAP) {
        op->drop = op->add % NODE_WORLD_COURSES + 1;
    } else if (op->kind == WORLD_DROP) {
        op->drop = op->add;
        op->add = 0;
    }
    node_world_ask(op);
}

/* ---- until nothing is unknown ---- */

static void note_resolved(struct node_world *world, const struct world_op *op, uint64_t before)
{
    if (op->state == WORLD_OP_TOLD && op->index != 0 && before != 0) {
        world->sometimes[op->index <= before ? SOMETIMES_UNKNOWN_HAPPENED
                                             : SOMETIMES_UNKNOWN_NEVER_HAPPENED]++;
    }
}

/* The highest place in the log anybody was told of. */
static uint64_t index_told(const struct node_world *world)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < world->op_count; i++) {
        highest = world->ops[i].index > highest ? world->ops[i].index : highest;
    }
    return highest;
}

static bool ask_unknown(struct node_world *world)
{
    bool any = false;

    for (uint32_t i = 0; i < world->op_count; i++) {
        struct world_op *op = &world->ops[i];

        if (op->state == WORLD_OP_UNKNOWN && world->asked < CLIENT_OUTSTANDING) {
            uint64_t before = index_told(world);

            any = true;
            node_world_ask(op);
            for (int k = 0; k < 100000 && op->state == WORLD_OP_ASKED &&
                            node_world_is_well(world) && node_world_step(world);
                 k++) {
            }
            note_resolved(world, op, before);
        }
    }
    return any;
}

void node_world_settle(struct node_world *world)
{
    for (int round = 0; round < SETTLE_ROUNDS; round++) {
        uint64_t until = io_sim_now_ns(world->sim) + (uint64_t)NODE_WORLD_CALL_MS * 1000000;

        while (world->asked > 0 && io_sim_now_ns(world->sim) < until &&
               node_world_is_well(world) && node_world_step(world)) {
        }
        if (!node_world_is_well(world)) {
            return;
        }
        if (!ask_unknown(world) && world->asked == 0) {
            return;
        }
        if (world->replica_count > 0) {
            node_world_run_ms(world, ELECTION_MS); /* perhaps nobody leads just now */
        }
    }
    node_world_violate(world, "%u requests stay without an answer", world->asked);
}
