/* Sending an import to a node that says what a test wants: chunks of bounded size, in order or
 * not, turned away, and refused for good. The node is a process of its own, since importing
 * waits. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "carillon/import_private.h"
#include "carillon/import_record.h"
#include "io_uv/io_uv.h"
#include "proto/envelope.pb-c.h"
#include "tests/lib/fake_node.h"
#include "wire/message.h"

enum { RECORDS = 3000, NAME_BYTES = 32, STEP_MS = 50, BUSY_EVERY = 3, KEY_BYTES = 16, UNHEARD_MAX = 3 };
enum { ASKED_BEGIN, ASKED_CHUNK_2, ASKED_COMMIT, ASKED_NR };

/* One request, however often it came. */
struct asked {
    int times;
    uint8_t key[KEY_BYTES];
};

/* What the node does, and what it saw; in memory that both processes share. */
struct script {
    bool is_busy;    /* every third chunk is turned away when it comes the first time */
    int chunk_error; /* the answer to chunk 5 */
    int commit_error;
    int unheard_times;    /* so often begin, chunk 2 and commit are not answered yes or no */
    int unheard_error;    /* but so */
    bool is_unheard_done; /* and have happened all the same */
    struct asked asked[ASKED_NR];
    int other_keys; /* with which one of them came again */
    uint32_t deadline_ms; /* of a request; 0: the method's own */
    uint16_t port;
    uint32_t staged; /* chunks, which is also the next sequence */
    uint32_t courses;
    uint32_t busy;       /* chunks turned away */
    uint32_t disordered; /* chunks that came before their turn */
    uint32_t begins, commits, aborts;
    uint64_t body_bytes_max;
    bool was_turned_away[RECORDS];
};

static struct script *script;
static pid_t node_process;

/* ---- the node ---- */

static int take_chunk(const Carillon__Request *request, struct arena *arena)
{
    const Carillon__ImportChunkRequest *chunk = wire_unpack(
        &carillon__import_chunk_request__descriptor, wire_bytes(request->body), arena);

    if (chunk == NULL || chunk->sequence >= RECORDS) {
        return ERR_MALFORMED;
    }
    if (request->body.len > script->body_bytes_max) {
        script->body_bytes_max = request->body.len;
    }
    if (chunk->sequence == 5 && script->chunk_error != OK) {
        return script->chunk_error;
    }
    if (script->is_busy && chunk->sequence % BUSY_EVERY == 1 &&
        !script->was_turned_away[chunk->sequence]) {
        script->was_turned_away[chunk->sequence] = true;
        script->busy++;
        return ERR_BUSY;
    }
    if (chunk->sequence > script->staged) {
        script->disordered++;
        return ERR_ARGUMENT;
    }
    if (chunk->sequence == script->staged) {
        script->staged++;
        script->courses += (uint32_t)chunk->n_courses;
    }
    return OK;
}

static int take_commit(const Carillon__Request *request, struct arena *arena)
{
    const Carillon__ImportCommitRequest *commit = wire_unpack(
        &carillon__import_commit_request__descriptor, wire_bytes(request->body), arena);

    script->commits++;
    if (commit == NULL || commit->chunks != script->staged) {
        return ERR_ARGUMENT;
    }
    return script->commit_error;
}

/* Which of the requests that are counted @request is, or NULL. */
static struct asked *asked_of(const Carillon__Request *request, struct arena *arena)
{
    const Carillon__ImportChunkRequest *chunk;

    switch ((int)request->method) {
    case CARILLON__METHOD__METHOD_IMPORT_BEGIN:
        return &script->asked[ASKED_BEGIN];
    case CARILLON__METHOD__METHOD_IMPORT_CHUNK:
        chunk = wire_unpack(&carillon__import_chunk_request__descriptor,
                            wire_bytes(request->body), arena);
        return chunk != NULL && chunk->sequence == 2 ? &script->asked[ASKED_CHUNK_2] : NULL;
    case CARILLON__METHOD__METHOD_IMPORT_COMMIT:
        return &script->asked[ASKED_COMMIT];
    default:
        return NULL;
    }
}

static bool is_unheard(const Carillon__Request *request, struct arena *arena)
{
    struct asked *asked = asked_of(request, arena);

    if (asked == NULL) {
        return false;
    }
    assert_int_equal(request->key.len, KEY_BYTES);
    if (asked->times++ == 0) {
        memcpy(asked->key, request->key.data, KEY_BYTES);
    }
    script->other_keys += memcmp(asked->key, request->key.data, KEY_BYTES) != 0;
    return asked->times <= script->unheard_times;
}

static int take(const Carillon__Request *request, struct arena *arena)
{
    switch ((int)request->method) {
    case CARILLON__METHOD__METHOD_IMPORT_BEGIN:
        script->begins++;
        return OK;
    case CARILLON__METHOD__METHOD_IMPORT_CHUNK:
        return take_chunk(request, arena);
    case CARILLON__METHOD__METHOD_IMPORT_COMMIT:
        return take_commit(request, arena);
    case CARILLON__METHOD__METHOD_IMPORT_ABORT:
        script->aborts++;
        return OK;
    default:
        return OK;
    }
}

static void on_request(struct fake_conn *conn, const Carillon__Request *request)
{
    static struct arena arena;
    int status = OK;

    if (arena.budget == 0) {
        arena_init(&arena, 16 << 20);
    }
    arena_reset(&arena);
    bool is_kept_back = is_unheard(request, &arena);

    if (!is_kept_back || script->is_unheard_done) {
        status = take(request, &arena);
    }
    status = is_kept_back ? script->unheard_error : status;
    fake_reply(conn, request->id, status, SLICE_NONE);
}

static _Noreturn void serve(int ready)
{
    struct io_uv *world = io_uv_create();
    struct fake_node *node = calloc(1, sizeof *node);

    fake_node_open(node, io_uv_world(world), 0);
    node->request = on_request;
    node->outstanding_max = 256;
    script->port = node->port;
    if (write(ready, "x", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        io_uv_run_once(world, STEP_MS);
    }
}

static int begin(void **state)
{
    int ready[2];
    char byte = 0;

    (void)state;
    script =
        mmap(NULL, sizeof *script, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (script == MAP_FAILED || pipe(ready) != 0) {
        return -1;
    }
    node_process = fork();
    if (node_process == 0) {
        serve(ready[1]);
    }
    close(ready[1]);
    ssize_t got = read(ready[0], &byte, 1);

    close(ready[0]);
    return got == 1 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    kill(node_process, SIGKILL);
    waitpid(node_process, NULL, 0);
    munmap(script, sizeof *script);
    return 0;
}

/* ---- a source that is no file ---- */

struct generator {
    struct import_source source;
    uint64_t next;
};

static int make_course(struct import_context *context, uint64_t number,
                       struct import_record *record)
{
    Carillon__Course *course = arena_alloc(context->arena, sizeof *course);
    char code[NAME_BYTES];
    char text[600];

    carillon__course__init(course);
    snprintf(code, sizeof code, "C %llu", (unsigned long long)number);
    memset(text, 'x', sizeof text);
    course->institution = import_institution(context, SLICE_LITERAL("generated"));
    import_course_set_term(context, course, SLICE_NONE);
    import_course_set_code(context, course, slice_from_text(code));
    course->title = import_text(context, "title", slice_from_text(code), NAME_BYTES, 0);
    course->description = import_text(context, "description",
                                      slice_from(text, number % sizeof text), sizeof text, 0);
    import_course_finish(context, course);
    *record = (struct import_record){
        .unit = {.offset = number, .line = number + 1},
          .course = course
    };
    return OK;
}

static int generator_next(struct import_source *source, struct import_context *context,
                          struct import_record *ret_record)
{
    struct generator *generator = CONTAINER_OF(source, struct generator, source);

    arena_reset(context->arena);
    return generator->next == RECORDS ? ERR_EOF
                                      : make_course(context, generator->next++, ret_record);
}

static int generator_load(struct import_source *source, struct import_context *context,
                          const struct import_unit *unit, struct import_record *ret_record)
{
    (void)source;
    return make_course(context, unit->offset, ret_record);
}

static int import(struct import_summary *summary)
{
    struct generator generator = {
        .source = {.name = "generated", .next = generator_next, .load = generator_load}
    };
    struct import_options options = {.by = "test", .unheard_max = UNHEARD_MAX};
    struct import_report *report = calloc(1, sizeof *report);
    struct carillon_client *client = NULL;
    char address[NAME_BYTES];

    snprintf(address, sizeof address, "127.0.0.1:%u", script->port);
    struct carillon_options with = {.address = address,
                                    .credential = "",
                                    .deadline_ms = script->deadline_ms};

    assert_int_equal(carillon_create(&with, &client), OK);
    import_report_init(report, NULL);
    int error = import_courses(client, &generator.source, &options, report, summary);

    assert_int_equal(report->refused, 0);
    carillon_destroy(client);
    free(report);
    return error;
}

static void import_send__to_a_node_that_takes_all__arrives_once_in_bounded_chunks(void **state)
{
    struct import_summary summary;

    (void)state;
    assert_int_equal(import(&summary), OK);
    assert_true(summary.was_committed);
    assert_int_equal(summary.fresh, RECORDS);
    assert_int_equal(script->courses, RECORDS);
    assert_int_equal(script->staged, summary.chunks);
    assert_true(summary.chunks > 10);
    assert_true(script->body_bytes_max <= IMPORT_CHUNK_BYTES);
    assert_true(script->body_bytes_max > IMPORT_CHUNK_BYTES / 2);
    assert_int_equal(script->begins, 1);
    assert_int_equal(script->commits, 1);
    assert_int_equal(script->aborts, 0);
}

/* The library repeats what was turned away; chunks that overtook it are sent again in their
 * turn. */
static void import_send__to_a_busy_node__still_arrives_once_and_in_order(void **state)
{
    struct import_summary summary;

    (void)state;
    script->is_busy = true;
    assert_int_equal(import(&summary), OK);
    assert_true(script->busy > 3);
    assert_true(script->disordered > 0);
    assert_int_equal(script->courses, RECORDS);
    assert_int_equal(script->staged, summary.chunks);
    assert_int_equal(script->commits, 1);
}

static void import_send__a_chunk_refused_for_good__aborts(void **state)
{
    struct import_summary summary;

    (void)state;
    script->chunk_error = ERR_IO;
    assert_int_equal(import(&summary), ERR_IO);
    assert_false(summary.was_committed);
    assert_int_equal(script->commits, 0);
    assert_int_equal(script->aborts, 1);
}

static void import_send__a_commit_that_is_refused__aborts(void **state)
{
    struct import_summary summary;

    (void)state;
    script->commit_error = ERR_SHRINK;
    assert_int_equal(import(&summary), ERR_SHRINK);
    assert_false(summary.was_committed);
    assert_int_equal(script->commits, 1);
    assert_int_equal(script->aborts, 1);
}

/* A leader that moves, or a node that dies, leaves its clients with "unknown": whether it has
 * happened or not, the same key finds out. */
static void import_send__answered_unknown__asks_again_with_the_same_key(void **state)
{
    struct import_summary summary;

    (void)state;
    for (int done = 0; done < 2; done++) {
        uint16_t port = script->port;

        memset(script, 0, sizeof *script);
        *script = (struct script){.port = port,
                                  .unheard_times = 1,
                                  .unheard_error = ERR_TIMEOUT,
                                  .is_unheard_done = done == 1};
        assert_int_equal(import(&summary), OK);
        assert_true(summary.was_committed);
        for (int i = 0; i < ASKED_NR; i++) {
            assert_int_equal(script->asked[i].times, 2);
        }
        assert_int_equal(script->other_keys, 0);
        assert_int_equal(script->courses, RECORDS);
        assert_int_equal(script->staged, summary.chunks);
        assert_int_equal(script->aborts, 0);
    }
}

/* Nobody may think that a commit which was not answered has not happened. */
static void import_send__a_commit_that_is_never_answered__stays_unknown(void **state)
{
    struct import_summary summary;

    (void)state;
    script->commit_error = ERR_TIMEOUT;
    script->deadline_ms = 300;
    assert_int_equal(import(&summary), ERR_TIMEOUT);
    assert_false(summary.was_committed);
    assert_true(script->commits > UNHEARD_MAX); /* the library repeats it as well */
    assert_int_equal(script->other_keys, 0);
    assert_int_equal(script->aborts, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(import_send__to_a_node_that_takes_all__arrives_once_in_bounded_chunks),
        CASE(import_send__to_a_busy_node__still_arrives_once_and_in_order),
        CASE(import_send__a_chunk_refused_for_good__aborts),
        CASE(import_send__a_commit_that_is_refused__aborts),
        CASE(import_send__answered_unknown__asks_again_with_the_same_key),
        CASE(import_send__a_commit_that_is_never_answered__stays_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
