/* A node with little memory: an import that the search index has no room for is refused before
 * it is begun to be applied, and everything else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/node_private.h"
#include "proto/registrar.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum { TEXT_BYTES = 12 << 10, CHUNKS_MAX = 2000, CALL_MS = 2000 };

static uint64_t sometimes[SOMETIMES_NR];

struct asked {
    int status;
    bool is_done;
    char text[512];
};

static void on_done(void *context, const struct carillon_reply *reply)
{
    struct asked *asked = context;

    asked->status = reply->status;
    asked->is_done = true;
    (void)snprintf(asked->text, sizeof asked->text, "%s", reply->text);
}

static struct asked ask(struct node_world *world, struct carillon_client *client,
                        uint32_t method, const ProtobufCMessage *message)
{
    struct asked asked = {0};
    struct carillon_key key = carillon_key_make(client);
    struct carillon_call call = {.method = method,
                                 .key = &key,
                                 .message = message,
                                 .done = on_done,
                                 .context = &asked};

    assert_int_equal(carillon_submit_call(client, &call), OK);
    carillon_flush(client);
    for (int i = 0; i < CALL_MS && !asked.is_done; i++) {
        node_world_run_ms(world, 1);
    }
    assert_true(asked.is_done);
    return asked;
}

static struct carillon_key begin_import(struct node_world *world,
                                        struct carillon_client *client, bool is_students)
{
    Carillon__ImportBeginRequest request = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    struct carillon_key id = carillon_key_make(client);

    request.kind = is_students ? CARILLON__IMPORT_KIND__IMPORT_STUDENTS
                               : CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = wire_text("wordy");
    request.term = wire_text(is_students ? "" : "current");
    request.import_id = wire_binary(slice_from(id.bytes, sizeof id.bytes));
    struct asked asked = ask(world, client, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &request.base);
    assert_int_equal(asked.status, OK);
    return id;
}

/* A course whose description has only words that no other has. */
static struct asked send_course(struct node_world *world, struct carillon_client *client,
                                const struct carillon_key *id, uint32_t number)
{
    static char description[TEXT_BYTES];
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course course = CARILLON__COURSE__INIT, *courses[] = {&course};
    char code[24];
    size_t len = 0;

    for (uint32_t i = 0; len + 16 < sizeof description; i++) {
        len += (size_t)snprintf(description + len, 16, "q%xz%x ", number, i);
    }
    (void)snprintf(code, sizeof code, "WORD %u", number);
    course.code = code;
    course.title = wire_text("Words");
    course.description = description;
    course.content_hash = number + 1;
    chunk.import_id = wire_binary(slice_from(id->bytes, sizeof id->bytes));
    chunk.sequence = number;
    chunk.courses = courses;
    chunk.n_courses = 1;
    return ask(world, client, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base);
}

static struct asked send_student(struct node_world *world, struct carillon_client *client,
                                 const struct carillon_key *id)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Student student = CARILLON__STUDENT__INIT, *students[] = {&student};

    student.token = wire_text("w-1");
    student.content_hash = 1;
    chunk.import_id = wire_binary(slice_from(id->bytes, sizeof id->bytes));
    chunk.students = students;
    chunk.n_students = 1;
    return ask(world, client, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base);
}

static void import__more_than_the_index_may_hold__is_refused_as_full(void **state)
{
    struct node_world world;
    struct carillon_client *client;
    struct asked asked = {0};
    uint32_t taken = 0;
    (void)state;

    node_world_init(&world, 11, NULL, sometimes);
    world.config.memory_bytes_max = 64 << 20;
    assert_int_equal(node_world_open(&world), OK);
    const struct carillon_options options = {.address = "10.0.0.1:7440",
                                             .credential = "",
                                             .connections = 1,
                                             .retry_never = true,
                                             .io = world.client_io[0]};
    assert_int_equal(carillon_create(&options, &client), OK);
    struct carillon_key id = begin_import(&world, client, false);

    while (asked.status == OK && taken < CHUNKS_MAX) {
        asked = send_course(&world, client, &id, taken);
        taken += asked.status == OK ? 1 : 0;
        assert_true(world.node->search_arena.used <= world.node->search_arena.budget);
    }
    assert_int_equal(asked.status, ERR_FULL);
    assert_non_null(strstr(asked.text, "search index"));
    assert_true(world.node->search_arena.used > world.node->search_arena.budget / 2);
    assert_int_equal(world.node->search_reserved, 0);

    /* Students take no room there, and the import can be given up, which makes room again. */
    struct carillon_key students = begin_import(&world, client, true);
    assert_int_equal(send_student(&world, client, &students).status, OK);
    Carillon__ImportAbortRequest abort = CARILLON__IMPORT_ABORT_REQUEST__INIT;
    abort.import_id = wire_binary(slice_from(id.bytes, sizeof id.bytes));
    assert_int_equal(
        ask(&world, client, CARILLON__METHOD__METHOD_IMPORT_ABORT, &abort.base).status, OK);

    carillon_destroy_in(client, NULL, NULL);
    node_world_run_ms(&world, 100);
    assert_string_equal(world.violation, "");
    node_world_close(&world);
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import__more_than_the_index_may_hold__is_refused_as_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
