/* What the clients of a node_world ask and are told, as a history for the witness. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum { ROSTER_LIMIT = 1000 };

/* A read that nobody waits for. */
struct look {
    struct node_world *world;
    uint32_t method;
    uint64_t call;
};

void node_world_record(struct node_world *world, struct witness_record *record)
{
    ASSERT(world->op_count == 0);
    world->record = record;
    if (world->config.shards > 1) {
        witness_record_line(record, "shards %u", (unsigned)world->config.shards);
    }
    for (unsigned i = 1; i <= NODE_WORLD_COURSES; i++) {
        witness_record_line(record, "course C_%u 0", i);
        witness_record_line(record, "section C_%u#1 %u", i, 1 + (i - 1) % 4);
    }
    for (unsigned i = 1; i <= NODE_WORLD_STUDENTS; i++) {
        witness_record_line(record, "student s%u", i);
    }
}

static void on_looked(void *context, const struct carillon_reply *reply)
{
    struct look *look = context;

    witness_record_done(look->world->record, look->call, look->method, reply->status,
                        slice_from(reply->body, reply->body_bytes));
    free(look);
}

static void look_at(struct node_world *world, uint32_t method, const ProtobufCMessage *request)
{
    struct look *look = malloc(sizeof *look);

    ASSERT(look != NULL && world->record != NULL);
    *look = (struct look){world, method, 0};
    look->call = witness_record_call(world->record, method, NULL, request);
    struct carillon_client *client = node_world_client(world);
    struct carillon_call call = {
        .method = method, .message = request, .done = on_looked, .context = look};
    int rc = carillon_submit_call(client, &call);
    ASSERT(rc == OK);
    carillon_flush(client);
}

/* What became of a submit that was asked at some time, answered or not. */
static bool look_at_outcome(struct node_world *world)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    const struct world_op *op = &world->ops[rng_below(&world->rng, world->op_count)];
    char token[24];

    if (op->kind > WORLD_WAIT) {
        return false;
    }
    node_world_student(op->student, token);
    request.student = token;
    request.key = wire_binary(slice_from(op->key.bytes, sizeof op->key.bytes));
    look_at(world, CARILLON__METHOD__METHOD_OUTCOME, &request.base);
    return true;
}

void node_world_look_random(struct node_world *world)
{
    Carillon__ScheduleRequest schedule = CARILLON__SCHEDULE_REQUEST__INIT;
    Carillon__RosterRequest roster = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char text[24];

    if (rng_chance(&world->rng, 300000) && look_at_outcome(world)) {
        return;
    }
    if (rng_chance(&world->rng, 500000)) {
        node_world_student((uint32_t)rng_between(&world->rng, 1, NODE_WORLD_STUDENTS), text);
        schedule.student = text;
        look_at(world, CARILLON__METHOD__METHOD_SCHEDULE, &schedule.base);
    } else {
        node_world_course((uint32_t)rng_between(&world->rng, 1, NODE_WORLD_COURSES), text);
        name.code = text;
        roster.section = &name;
        roster.limit = ROSTER_LIMIT;
        look_at(world, CARILLON__METHOD__METHOD_ROSTER, &roster.base);
    }
}

static void read_all(struct node_world *world)
{
    char text[24];
    void *reply = NULL;

    for (uint32_t i = 1; i <= NODE_WORLD_STUDENTS && node_world_is_well(world); i++) {
        Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

        node_world_student(i, text);
        request.student = text;
        (void)!node_world_call(world, CARILLON__METHOD__METHOD_SCHEDULE, &request.base,
                               &carillon__schedule_reply__descriptor, &reply);
    }
    for (uint32_t i = 1; i <= NODE_WORLD_COURSES && node_world_is_well(world); i++) {
        Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
        Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

        node_world_course(i, text);
        name.code = text;
        request.section = &name;
        request.limit = ROSTER_LIMIT;
        (void)!node_world_call(world, CARILLON__METHOD__METHOD_ROSTER, &request.base,
                               &carillon__roster_reply__descriptor, &reply);
    }
}

void node_world_check_record(struct node_world *world, const char *name)
{
    char text[256];

    read_all(world);
    if (!witness_record_check(world->record, getenv("CARILLON_KEEP"), name, text,
                              sizeof text)) {
        node_world_violate(world, "the witness says %s", text);
    }
}
