#include <stdlib.h>

#include "base/assert.h"
#include "base/sm.h"
#include "enrol/enrol.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "wire/message.h"

/* Any bytes as the body of any method, written and read, on a small state. What must hold:
 * nothing breaks, the invariants stand, and what was refused by admit for its form is refused
 * by apply too. */

enum { METHODS = 24, REPLY_BYTES_MAX = 1 << 20, VERIFY_EVERY = 64 };

static struct enrol *enrol;
static struct enrol_result result;
static struct buf text;
static struct buf reply;
static uint64_t entry_index;

static const uint64_t wall_ms = 1760000000000ULL;

static struct uuid next_key(void)
{
    uint8_t random[10] = {0};

    entry_index++;
    for (size_t i = 0; i < 7; i++) {
        random[9 - i] = (uint8_t)(entry_index >> (8 * i)); /* the first bits are not ours */
    }
    return uuid_make(wall_ms, random);
}

static int apply(uint32_t method, struct slice body)
{
    struct uuid key = next_key();
    struct enrol_entry entry = {.index = entry_index,
                                .term = 1,
                                .wall_ms = wall_ms,
                                .method = method,
                                .key = slice_from(key.bytes, UUID_BYTES),
                                .body = body};

    enrol_apply(enrol, &entry, &result);
    return result.status;
}

static void write_message(uint32_t method, const ProtobufCMessage *message)
{
    struct buf body;

    buf_init(&body, REPLY_BYTES_MAX);
    ASSERT(wire_pack(message, &body) == OK);
    ASSERT(apply(method, buf_slice(&body)) == OK);
    buf_fini(&body);
}

/* One import, so that names lead somewhere: id 16 times 7, version and variant in their places.
 */
static void import(uint32_t kind, Carillon__ImportChunkRequest *chunk)
{
    uint8_t id[UUID_BYTES] = {7, 7, 7, 7, 7, 7, 0x77, 7, 0x87, 7, 7, 7, 7, 7, 7, (uint8_t)kind};
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    begin.kind = (Carillon__ImportKind)kind;
    begin.institution = wire_text("x");
    begin.term = wire_text(kind == CARILLON__IMPORT_KIND__IMPORT_COURSES ? "t" : "");
    begin.import_id = wire_binary(slice_from(id, sizeof id));
    write_message(CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base);
    chunk->import_id = begin.import_id;
    write_message(CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base);
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    write_message(CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base);
}

static void set_up(void)
{
    struct enrol_config config = {.memory_bytes_max = 1ULL << 30, .group = 1};
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course course[2] = {CARILLON__COURSE__INIT, CARILLON__COURSE__INIT};
    Carillon__Course *courses[] = {&course[0], &course[1]};
    Carillon__Section section = CARILLON__SECTION__INIT;
    Carillon__Section *sections[] = {&section};
    Carillon__Student student[2] = {CARILLON__STUDENT__INIT, CARILLON__STUDENT__INIT};
    Carillon__Student *students[] = {&student[0], &student[1]};

    entry_index = 0;
    enrol = enrol_create(&config);
    section.id = wire_text("A");
    section.capacity_known = true;
    section.capacity = 1;
    course[0].code = wire_text("C");
    course[0].n_sections = 1;
    course[0].sections = sections;
    course[1].code = wire_text("D");
    chunk.n_courses = 2;
    chunk.courses = courses;
    import(CARILLON__IMPORT_KIND__IMPORT_COURSES, &chunk);
    student[0].token = wire_text("a");
    student[1].token = wire_text("b");
    chunk.n_courses = 0;
    chunk.n_students = 2;
    chunk.students = students;
    import(CARILLON__IMPORT_KIND__IMPORT_STUDENTS, &chunk);
}

static void tear_down(void)
{
    enrol_destroy(enrol);
    enrol = NULL;
}

static void verify(void)
{
    struct enrol_verify *walk = enrol_verify_begin(enrol);

    while (enrol_verify_step(walk) == SM_PENDING) {
    }
    buf_clear(&reply);
    ASSERT(enrol_verify_end(walk, &reply) == OK);
    ASSERT(reply.len >= 2 && reply.data[0] == 0x08 && reply.data[1] == 1); /* ok: true */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint64_t runs;

    if (len == 0) {
        return 0;
    }
    if (enrol == NULL) {
        enrol_result_init(&result);
        buf_init(&text, REPLY_BYTES_MAX);
        buf_init(&reply, REPLY_BYTES_MAX);
        set_up();
        (void)atexit(tear_down);
    }
    uint32_t method = 1 + data[0] % METHODS; /* 0 has no body */
    struct slice body = slice_from(data + 1, len - 1);
    struct uuid key = next_key();

    const struct enrol_entry entry = {.wall_ms = wall_ms,
                                      .method = method,
                                      .key = slice_from(key.bytes, UUID_BYTES),
                                      .body = body,
                                      .hint = ENROL_HINT_NONE};

    buf_clear(&text);
    int admitted = enrol_admit(enrol, &entry, &text);
    int applied = apply(method, body);

    ASSERT(admitted == applied || admitted == OK || admitted == ERR_FULL);
    buf_clear(&reply);
    int rc = enrol_read(enrol, method, body, wall_ms, &reply, &text);

    ASSERT(rc <= OK);
    if (++runs % VERIFY_EVERY == 0) {
        verify();
    }
    return 0;
}
