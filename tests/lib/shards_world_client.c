/* Students and their requests, and what their clients make of answers. */
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "campus/name.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum { OPS_MAX = 3, TRIES_MAX = 12, PATIENT_PPM = 700000, NAME_BYTES = 8 };

static uint32_t home_of(const struct shards_world *world, uint32_t student)
{
    return campus_shard_of(slice_from_text(shards_student_name(student)), world->shard_count);
}

uint32_t shards_request_find(const struct shards_world *world, struct slice key)
{
    for (uint32_t i = 0; i < world->request_count && i < SHARDS_REQUESTS_MAX; i++) {
        if (slice_is_equal(slice_from(world->requests[i].key.bytes, UUID_BYTES), key)) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* ---- a request is thought of */

/* A course that the student has, or one of all. */
static uint32_t draw_course(struct shards_world *world, uint32_t student, bool is_drop)
{
    const struct enrol *truth = world->shard[home_of(world, student)].truth;
    const struct campus *campus = enrol_campus(truth);
    uint32_t ordinal =
        campus_student_find(campus, slice_from_text(shards_student_name(student)));
    const struct campus_student *of = campus_student(campus, ordinal);

    if (is_drop && of->registration_count > 0 && rng_chance(&world->rng, 900000)) {
        uint32_t at = (uint32_t)rng_below(&world->rng, of->registration_count);
        struct campus_name name;

        campus_section_name(campus, campus_registration(of, at)->section, &name);
        for (uint32_t i = 0; i < SHARDS_COURSES; i++) {
            if (slice_is_equal(name.code, slice_from_text(shards_course_name(i)))) {
                return i;
            }
        }
    }
    return (uint32_t)rng_below(&world->rng, SHARDS_COURSES);
}

static struct slice make_body(struct shards_world *world, uint32_t student)
{
    Carillon__SubmitRequest message = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op ops[OPS_MAX];
    Carillon__Op *list[OPS_MAX];
    Carillon__SectionName drops[OPS_MAX];
    Carillon__SectionName *drop_list[OPS_MAX];
    struct buf body;

    buf_init(&body, 1 << 16);
    message.student = wire_text(shards_student_name(student));
    message.ops = list;
    message.n_ops = rng_below(&world->rng, OPS_MAX) + 1;
    bool is_swap = rng_chance(&world->rng, 300000);

    if (is_swap) {
        message.n_ops = 2;
    }
    for (size_t i = 0; i < message.n_ops; i++) {
        bool is_drop = is_swap ? i == 0 : rng_chance(&world->rng, 250000);

        carillon__op__init(&ops[i]);
        ops[i].kind = is_drop ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
        ops[i].code = wire_text(shards_course_name(draw_course(world, student, is_drop)));
        if (!is_drop && rng_chance(&world->rng, world->faults.wait_ppm)) {
            ops[i].waitlist = true;
            ops[i].n_promotion_drops = rng_chance(&world->rng, 300000) ? 1 : 0;
            ops[i].promotion_drops = &drop_list[i];
            drop_list[i] = &drops[i];
            carillon__section_name__init(&drops[i]);
            drops[i].code = wire_text(shards_course_name(draw_course(world, student, true)));
        }
        if (rng_chance(&world->rng, 300000)) {
            ops[i].institution = wire_text("x");
            ops[i].term = wire_text("t");
            ops[i].section = wire_text("A");
        }
        list[i] = &ops[i];
    }
    int rc = wire_pack(&message.base, &body);

    ASSERT(rc == OK);
    struct slice copy = arena_copy(&world->arena, buf_slice(&body));

    buf_fini(&body);
    return copy;
}

struct slice shards_permit_body(struct shards_world *world, uint32_t student, uint32_t course,
                                uint32_t kinds)
{
    Carillon__PermitRequest message = CARILLON__PERMIT_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    struct buf body;

    buf_init(&body, 1 << 16);
    message.student = wire_text(shards_student_name(student));
    message.section = &name;
    name.code = wire_text(shards_course_name(course));
    message.kinds = kinds;
    message.reason = wire_text("why not");
    int rc = wire_pack(&message.base, &body);

    ASSERT(rc == OK);
    struct slice copy = arena_copy(&world->arena, buf_slice(&body));

    buf_fini(&body);
    return copy;
}

/* What it is that somebody wants. */
static void draw_request(struct shards_world *world, struct shards_request *request)
{
    request->method = CARILLON__METHOD__METHOD_SUBMIT;
    if (rng_chance(&world->rng, world->faults.permit_ppm)) {
        request->method = CARILLON__METHOD__METHOD_PERMIT;
        request->course = (uint32_t)rng_below(&world->rng, SHARDS_COURSES);
        /* who may have a seat over the limit leaves none to be offered: few may */
        request->kinds = (uint32_t)rng_below(&world->rng, 8) &
                         (rng_chance(&world->rng, 150000) ? 7U : 6U);
        request->body =
            shards_permit_body(world, request->student, request->course, request->kinds);
        return;
    }
    if (rng_chance(&world->rng, world->faults.check_ppm)) {
        request->method = CARILLON__METHOD__METHOD_CHECK;
    }
    request->body = make_body(world, request->student);
}

void shards_client(struct shards_world *world)
{
    uint8_t random[10] = {0};

    if (world->request_count == SHARDS_REQUESTS_MAX) {
        return;
    }
    uint32_t number = world->request_count++;
    struct shards_request *request = &world->requests[number];
    uint64_t key = hash_u64(++world->keys);
    uint32_t student = (uint32_t)rng_below(&world->rng, world->faults.students);

    memcpy(random, &key, sizeof key);
    *request = (struct shards_request){
        .student = student,
        .key = uuid_make(FIXTURE_WALL_MS + world->now_ms, random),
    };
    draw_request(world, request);
    shards_send(world, number, rng_between(&world->rng, 1, 5));
    if (rng_chance(&world->rng, 100000)) { /* a click too many */
        shards_send(world, number, rng_between(&world->rng, 1, 300));
    }
}

void shards_send(struct shards_world *world, uint32_t number, uint64_t delay_ms)
{
    struct shards_request *request = &world->requests[number];

    request->deadline_ms = world->now_ms + world->faults.deadline_ms;
    request->tries++;
    shards_post(world, delay_ms, &(struct shards_event){.kind = SHARDS_SUBMIT, .from = number});
    shards_post(world, world->faults.deadline_ms + 1000,
                &(struct shards_event){
                    .kind = SHARDS_EXPIRE, .from = number, .number = request->tries});
}

void shards_arrive(struct shards_world *world, uint32_t number)
{
    struct shards_request *request = &world->requests[number];
    uint32_t home = home_of(world, request->student);
    struct shards_shard *of = &world->shard[home];

    if (!of->is_led) {
        return; /* nobody is there; the client waits in vain */
    }
    const struct across_request as = {
        .now_ms = world->now_ms,
        .wall_ms = FIXTURE_WALL_MS + world->now_ms,
        .deadline_ms = request->deadline_ms,
        .client = number,
        .key = slice_from(request->key.bytes, UUID_BYTES),
        .body = request->body,
    };

    buf_clear(&world->text);
    if (request->method == CARILLON__METHOD__METHOD_CHECK && of->applied < of->noop) {
        return; /* no read point, and no answer */
    }
    int rc = request->method == CARILLON__METHOD__METHOD_CHECK
                 ? across_check(of->across, &as, &world->text)
             : request->method == CARILLON__METHOD__METHOD_PERMIT
                 ? across_permit(of->across, &as, &world->text)
                 : across_submit(of->across, &as, &world->text);

    if (rc != OK) {
        shards_answer(world, number, rc, buf_slice(&world->text), SLICE_NONE, false);
    }
    shards_perform(world, home);
}

/* ---- what comes of it */

static bool is_for_good(int status)
{
    return status != ERR_BUSY && status != ERR_FULL && status != ERR_TIMEOUT;
}

/* A client may take "not now" for an answer, if that is what it heard each time: then nothing
 * of what it sent can happen. */
static void try_again(struct shards_world *world, uint32_t number)
{
    struct shards_request *request = &world->requests[number];

    bool is_patient = request->tries < TRIES_MAX && rng_chance(&world->rng, PATIENT_PPM);

    if (is_patient || request->refusals < request->tries) {
        shards_send(world, number, rng_between(&world->rng, 20, 600));
    } else {
        request->is_given_up = true;
    }
}

void shards_answer(struct shards_world *world, uint32_t number, int status, struct slice text,
                   struct slice reply, bool is_outcome)
{
    struct shards_request *request = &world->requests[number];

    shards_trace(world, "request %u: %s %.*s", number, error_name(status), (int)text.len,
                 text.len > 0 ? (const char *)text.data : "");
    if (status == ERR_TIMEOUT) {
        shards_mark(world, SHARDS_UNKNOWN);
        return; /* asked again when the client's patience ends */
    }
    if (!is_for_good(status)) {
        shards_mark(world, SHARDS_GAVE_UP);
        request->refusals++;
        if (!request->is_answered) {
            try_again(world, number);
        }
        return;
    }
    uint64_t outcome = hash_bytes_seeded((uint64_t)-status, reply.data, reply.len);

    if (is_outcome && (!request->is_decided || request->outcome != outcome)) {
        shards_fail(world, "request %u: acknowledged %s, and it is not so", number,
                    error_name(status));
    }
    if (request->method == CARILLON__METHOD__METHOD_CHECK) {
        shards_mark(world, status == OK ? SHARDS_CHECKED : SHARDS_CHECK_REFUSED);
    }
    request->is_answered = true;
    request->status = status;
    if (world->is_quiet) {
        buf_clear(&world->reply);
        int rc = buf_append_slice(&world->reply, reply);

        ASSERT(rc == OK);
    }
}

/* Nothing was heard of the newest try. */
void shards_expire(struct shards_world *world, uint32_t number, uint64_t try_number)
{
    struct shards_request *request = &world->requests[number];

    if (!request->is_answered && !request->is_given_up && request->tries == try_number) {
        shards_send(world, number, rng_between(&world->rng, 1, 100));
    }
}
