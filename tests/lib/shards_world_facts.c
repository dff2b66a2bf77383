/* Group 0 and a registrar's office: facts in order, copied by every shard's leader into its
 * log, and imports over all shards, whose client may get lost. Beside them stands a model of
 * what a shard shows after each fact. */
#include "base/assert.h"
#include "base/hash.h"
#include "campus/foreign.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/enrol_private.h"
#include "enrol/fact.h"
#include "enrol/staging.h"
#include "proto/envelope.pb-c.h"
#include "tests/lib/campus_fixture.h"
#include "tests/lib/shards_world.h"
#include "wire/message.h"

enum {
    POLL_MS = 30,
    CHANGED_MAX = 3,
    AHEAD_MAX = 3,      /* facts proposed and not applied */
    PREPARED_MS = 4000, /* a promise that nobody comes back for */
    FIRST_MIN = 600,
    LENGTH_MIN = 60,
};

/* Without rules, so that the file says little. */
static const uint32_t changeable[] = {0, 1, 2, 3, 5};
static const uint32_t capacity_of[SHARDS_COURSES] = {[0] = 1, [1] = 2, [3] = 3};

enum { CHANGEABLE = sizeof changeable / sizeof changeable[0] };

static struct slice keep(struct shards_world *world, const ProtobufCMessage *message)
{
    struct buf body;

    buf_init(&body, 1 << 16);
    int rc = wire_pack(message, &body);

    ASSERT(rc == OK);
    struct slice copy = arena_copy(&world->arena, buf_slice(&body));

    buf_fini(&body);
    return copy;
}

static struct uuid new_key(struct shards_world *world)
{
    uint8_t random[10] = {0};
    uint64_t number = hash_u64(++world->keys);

    memcpy(random, &number, sizeof number);
    return uuid_make(FIXTURE_WALL_MS + world->now_ms, random);
}

/* ---- group 0 */

static uint32_t start_of(uint32_t version)
{
    return FIRST_MIN + version % 8 * LENGTH_MIN;
}

/* What becomes of an import is the first fact about it. */
static void model_import(struct shards_world *world, struct shards_model *model,
                         const struct shards_fact *fact)
{
    if (world->imports[fact->import].is_ended) {
        return;
    }
    world->imports[fact->import].is_ended = true;
    if (fact->method == CARILLON__METHOD__METHOD_IMPORT_ABORT) {
        shards_mark(world, SHARDS_IMPORT_ABORTED);
        return;
    }
    shards_mark(world, SHARDS_IMPORTED);
    for (uint32_t i = 0; i < SHARDS_COURSES; i++) {
        uint32_t version = world->imports[fact->import].versions[i];

        model->versions[i] = version > 0 ? version : model->versions[i];
    }
}

static void order(struct shards_world *world, const struct shards_fact *fact,
                  const struct shards_model *change)
{
    ASSERT(world->fact_count + 1 < SHARDS_FACTS_MAX);
    struct shards_fact *added = &world->facts[++world->fact_count];
    struct shards_model *model = &world->models[world->fact_count];

    *added = *fact;
    added->wall_ms = FIXTURE_WALL_MS + world->now_ms;
    *model = world->models[world->fact_count - 1];
    if (fact->method == CARILLON__METHOD__METHOD_WINDOW) {
        model->opens_ms = change->opens_ms;
        model->closes_ms = change->closes_ms;
        model->level_min = change->level_min;
    } else if (fact->method == CARILLON__METHOD__METHOD_LIMITS) {
        model->courses_max = change->courses_max;
    } else {
        model_import(world, model, added);
    }
    shards_trace(world, "fact %u: method %u", world->fact_count, fact->method);
}

static void order_window(struct shards_world *world, const struct shards_model *change)
{
    Carillon__WindowRequest message = CARILLON__WINDOW_REQUEST__INIT;

    message.institution = wire_text("x");
    message.term = wire_text("t");
    message.opens_ms = change->opens_ms;
    message.closes_ms = change->closes_ms;
    message.level_min = change->level_min;
    order(world,
          &(struct shards_fact){.method = CARILLON__METHOD__METHOD_WINDOW,
                                .key = new_key(world),
                                .body = keep(world, &message.base)},
          change);
}

static void order_limits(struct shards_world *world, uint32_t courses_max)
{
    Carillon__LimitsRequest message = CARILLON__LIMITS_REQUEST__INIT;

    message.institution = wire_text("x");
    message.term = wire_text("t");
    message.courses_max = courses_max;
    order(world,
          &(struct shards_fact){.method = CARILLON__METHOD__METHOD_LIMITS,
                                .key = new_key(world),
                                .body = keep(world, &message.base)},
          &(struct shards_model){.courses_max = courses_max});
}

static void order_abort(struct shards_world *world, uint32_t import)
{
    Carillon__ImportAbortRequest message = CARILLON__IMPORT_ABORT_REQUEST__INIT;

    message.import_id = wire_binary(slice_from(world->imports[import].id.bytes, UUID_BYTES));
    order(world,
          &(struct shards_fact){.method = CARILLON__METHOD__METHOD_IMPORT_ABORT,
                                .key = new_key(world),
                                .body = keep(world, &message.base),
                                .import = import},
          NULL);
}

void shards_fact_draw(struct shards_world *world)
{
    struct shards_model change = {0};

    if (rng_chance(&world->rng, 400000)) {
        order_limits(world, (uint32_t)rng_between(&world->rng, 4, SHARDS_COURSES_MAX_MOST));
        return;
    }
    if (rng_chance(&world->rng, 100000)) {
        change.opens_ms = change.closes_ms = 1; /* closed */
    } else if (rng_chance(&world->rng, 100000)) {
        change.opens_ms = FIXTURE_WALL_MS + world->now_ms + rng_below(&world->rng, 2000);
    } else if (rng_chance(&world->rng, 100000)) {
        change.level_min = (uint32_t)rng_between(&world->rng, 1, 3);
    }
    order_window(world, &change);
}

/* The faults are over: nothing that somebody waits for is closed to him for ever. */
void shards_facts_heal(struct shards_world *world)
{
    order_window(world, &(struct shards_model){0});
}

/* ---- leaders copy */

static void copy(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];
    const struct shards_fact *fact = &world->facts[++of->fact_proposed];
    struct buf body;

    buf_init(&body, 1 << 16);
    int rc = enrol_fact_pack(
        &(struct enrol_fact){.number = of->fact_proposed,
                             .wall_ms = fact->wall_ms,
                             .term = 1,
                             .index = of->fact_proposed,
                             .method = fact->method,
                             .body = fact->body},
        &body);

    ASSERT(rc == OK);
    struct enrol_entry entry = {.wall_ms = FIXTURE_WALL_MS + world->now_ms,
                                .method = ENROL_ENTRY_FACT,
                                .key = slice_from(fact->key.bytes, UUID_BYTES),
                                .body = buf_slice(&body)};

    buf_clear(&world->text);
    rc = enrol_admit(of->enrol, &entry, &world->text);
    ASSERT(rc == OK || rc == ERR_EXISTS);
    if (rc == OK) {
        (void)shards_append(world, shard,
                            &(struct shards_entry){.method = ENROL_ENTRY_FACT,
                                                   .client = UINT32_MAX,
                                                   .key = entry.key,
                                                   .body = entry.body});
    }
    buf_fini(&body);
}

/* A leader goes on behind what it has applied; one that is behind itself copies some again. */
void shards_facts_copy(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];
    uint64_t newest = enrol_fact_newest(of->enrol);

    if (of->fact_term != of->term) {
        of->fact_term = of->term;
        of->fact_proposed = newest;
    }
    while (of->fact_proposed < world->fact_count && of->fact_proposed < newest + AHEAD_MAX) {
        copy(world, shard);
    }
}

/* ---- the office: one import at a time */

static void make_chunk(struct shards_world *world, struct shards_office *office)
{
    struct shards_import *import = &world->imports[office->import];
    Carillon__ImportChunkRequest message = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course courses[CHANGED_MAX];
    Carillon__Course *list[CHANGED_MAX];
    Carillon__Section sections[CHANGED_MAX];
    Carillon__Section *section_list[CHANGED_MAX];
    Carillon__Meeting meetings[CHANGED_MAX];
    Carillon__Meeting *meeting_list[CHANGED_MAX];
    uint32_t first = (uint32_t)rng_below(&world->rng, CHANGEABLE);

    message.import_id = wire_binary(slice_from(import->id.bytes, UUID_BYTES));
    message.courses = list;
    message.n_courses = rng_between(&world->rng, 1, CHANGED_MAX);
    for (size_t i = 0; i < message.n_courses; i++) {
        uint32_t course = changeable[(first + i) % CHANGEABLE];
        uint32_t version = ++world->versions;

        import->versions[course] = version;
        carillon__course__init(&courses[i]);
        carillon__section__init(&sections[i]);
        carillon__meeting__init(&meetings[i]);
        courses[i].code = wire_text(shards_course_name(course));
        courses[i].title = wire_text("changed");
        courses[i].credits_known = true;
        courses[i].credits_hundredths = 100 + version % 4 * 50;
        courses[i].content_hash = version;
        courses[i].n_sections = 1;
        courses[i].sections = &section_list[i];
        section_list[i] = &sections[i];
        sections[i].id = wire_text("A");
        sections[i].capacity_known = capacity_of[course] > 0;
        sections[i].capacity = capacity_of[course];
        sections[i].n_meetings = 1;
        sections[i].meetings = &meeting_list[i];
        meeting_list[i] = &meetings[i];
        meetings[i].days = 1;
        meetings[i].start_min = start_of(version);
        meetings[i].end_min = start_of(version) + LENGTH_MIN;
        list[i] = &courses[i];
    }
    office->body = keep(world, &message.base);
}

static void go(struct shards_world *world, enum shards_office_phase phase)
{
    struct shards_office *office = &world->office;

    office->phase = phase;
    office->key = new_key(world);
    memset(office->is_done, 0, sizeof office->is_done);
    memset(office->term, 0, sizeof office->term);
}

static void make_commit(struct shards_world *world, struct shards_office *office)
{
    Carillon__ImportCommitRequest message = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    message.import_id =
        wire_binary(slice_from(world->imports[office->import].id.bytes, UUID_BYTES));
    message.chunks = 1;
    office->body = keep(world, &message.base);
}

static void begin(struct shards_world *world)
{
    struct shards_office *office = &world->office;
    Carillon__ImportBeginRequest message = CARILLON__IMPORT_BEGIN_REQUEST__INIT;

    if (world->import_count == SHARDS_IMPORTS_MAX) {
        return;
    }
    office->import = world->import_count++;
    world->imports[office->import] = (struct shards_import){.id = new_key(world)};
    message.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    message.institution = wire_text("x");
    message.term = wire_text("t");
    message.import_id =
        wire_binary(slice_from(world->imports[office->import].id.bytes, UUID_BYTES));
    go(world, SHARDS_OFFICE_BEGIN);
    office->body = keep(world, &message.base);
}

/* What one shard is to apply in this phase. */
static void propose(struct shards_world *world, uint32_t shard)
{
    struct shards_office *office = &world->office;
    struct shards_entry entry = {.client = SHARDS_OFFICE_CLIENT,
                                 .key = slice_from(office->key.bytes, UUID_BYTES),
                                 .body = office->body};
    struct buf body;
    int rc = OK;

    buf_init(&body, 1 << 16);
    if (office->phase == SHARDS_OFFICE_BEGIN) {
        entry.method = CARILLON__METHOD__METHOD_IMPORT_BEGIN;
    } else if (office->phase == SHARDS_OFFICE_CHUNK) {
        entry.method = CARILLON__METHOD__METHOD_IMPORT_CHUNK;
        rc = enrol_chunk_split(office->body, world->shard_count, shard, &body);
        entry.body = buf_slice(&body);
    } else {
        entry.method = ENROL_ENTRY_PREPARE;
        rc = enrol_staging_ask(entry.key, office->body, &body);
        entry.key = SLICE_NONE;
        entry.body = buf_slice(&body);
    }
    ASSERT(rc == OK);
    office->method = entry.method;
    (void)shards_append(world, shard, &entry);
    buf_fini(&body);
}

void shards_office_applied(struct shards_world *world, uint32_t shard,
                           const struct shards_entry *entry, const struct enrol_result *result)
{
    struct shards_office *office = &world->office;

    if (entry->method != office->method || office->is_done[shard] ||
        (entry->key.len > 0 &&
         !slice_is_equal(entry->key, slice_from(office->key.bytes, UUID_BYTES)))) {
        return; /* of a phase that is over */
    }
    office->is_done[shard] = true;
    office->status = result->status != OK ? result->status : office->status;
    if (entry->method == ENROL_ENTRY_PREPARE) {
        int rc = enrol_staging_unpack(buf_slice(&result->reply), &office->parts[shard]);

        ASSERT(rc == OK);
    }
}

static bool is_done(const struct shards_world *world)
{
    for (uint32_t i = 0; i < world->shard_count; i++) {
        if (!world->office.is_done[i]) {
            return false;
        }
    }
    return true;
}

static void judge(struct shards_world *world, struct enrol_staging_verdict verdict)
{
    struct shards_office *office = &world->office;

    switch ((enum enrol_staging_next)verdict.next) {
    case ENROL_STAGING_PREPARE:
        office->phase = SHARDS_OFFICE_PREPARE; /* under the same key */
        memset(office->is_done, 0, sizeof office->is_done);
        memset(office->term, 0, sizeof office->term);
        return;
    case ENROL_STAGING_FACT:
        order(world,
              &(struct shards_fact){.method = CARILLON__METHOD__METHOD_IMPORT_COMMIT,
                                    .key = office->key,
                                    .body = office->body,
                                    .import = office->import},
              NULL);
        if (rng_chance(&world->rng, 200000)) { /* it did not hear the answer */
            shards_mark(world, SHARDS_IMPORT_AGAIN);
            office->phase = SHARDS_OFFICE_LOOK;
            return;
        }
        break;
    case ENROL_STAGING_ABORT:
        order_abort(world, office->import);
        break;
    case ENROL_STAGING_REFUSE:
        shards_mark(world, SHARDS_IMPORT_REFUSED);
        break;
    }
    office->phase = SHARDS_OFFICE_IDLE;
}

/* Every shard is asked after a read point; one without a leader makes the office wait. */
static void look(struct shards_world *world)
{
    struct shards_office *office = &world->office;
    struct buf question;
    struct buf reply;

    for (uint32_t i = 0; i < world->shard_count; i++) {
        if (!world->shard[i].is_led || world->shard[i].applied < world->shard[i].noop) {
            return;
        }
    }
    buf_init(&question, 1 << 10);
    buf_init(&reply, 1 << 10);
    int rc =
        enrol_staging_ask(slice_from(office->key.bytes, UUID_BYTES), office->body, &question);

    for (uint32_t i = 0; i < world->shard_count; i++) {
        buf_clear(&reply);
        rc = rc == OK
                 ? enrol_read(world->shard[i].enrol, ENROL_READ_IMPORT, buf_slice(&question),
                              FIXTURE_WALL_MS + world->now_ms, &reply, &world->text)
                 : rc;
        rc = rc == OK ? enrol_staging_unpack(buf_slice(&reply), &office->parts[i]) : rc;
    }
    ASSERT(rc == OK);
    buf_fini(&question);
    buf_fini(&reply);
    buf_clear(&world->text);
    judge(world,
          enrol_staging_judge(office->parts, world->shard_count, office->body, &world->text));
}

static void next_phase(struct shards_world *world)
{
    struct shards_office *office = &world->office;

    if (office->phase == SHARDS_OFFICE_PREPARE) {
        buf_clear(&world->text);
        judge(world, enrol_staging_decide(office->parts, world->shard_count, &world->text));
    } else if (office->status != OK) { /* busy with another's, or lost meanwhile */
        shards_mark(world, SHARDS_IMPORT_REFUSED);
        office->phase = SHARDS_OFFICE_IDLE;
    } else if (office->phase == SHARDS_OFFICE_BEGIN) {
        go(world, SHARDS_OFFICE_CHUNK);
        make_chunk(world, office);
    } else {
        go(world, SHARDS_OFFICE_LOOK);
        make_commit(world, office);
    }
}

static void work(struct shards_world *world)
{
    struct shards_office *office = &world->office;

    if (office->phase == SHARDS_OFFICE_LOOK) {
        look(world);
        return;
    }
    for (uint32_t i = 0; i < world->shard_count; i++) {
        const struct shards_shard *of = &world->shard[i];

        if (!office->is_done[i] && of->is_led && office->term[i] != of->term) {
            office->term[i] = of->term;
            propose(world, i);
        }
    }
    if (is_done(world)) {
        next_phase(world);
    }
}

/* One look of the office at its work. */
void shards_office_poll(struct shards_world *world)
{
    struct shards_office *office = &world->office;

    shards_post(world, rng_between(&world->rng, 1, POLL_MS),
                &(struct shards_event){.kind = SHARDS_OFFICE});
    if (office->phase == SHARDS_OFFICE_IDLE) {
        office->status = OK;
        if (!world->is_healed && rng_chance(&world->rng, world->faults.import_ppm)) {
            begin(world);
        }
        return;
    }
    if (rng_chance(&world->rng, world->is_healed ? 0 : 5000)) {
        shards_mark(world, SHARDS_IMPORT_ABANDONED); /* the client is gone */
        office->phase = SHARDS_OFFICE_IDLE;
        return;
    }
    work(world);
}

/* ---- what a leader does about imports that were left behind */

static uint32_t import_find(const struct shards_world *world, const struct uuid *id)
{
    for (uint32_t i = 0; i < world->import_count; i++) {
        if (memcmp(&world->imports[i].id, id, sizeof *id) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Those that are not prepared it ends in its own shard: their client may be gone. */
void shards_imports_discard(struct shards_world *world, uint32_t shard)
{
    struct uuid id;

    for (size_t n = 0; enrol_open_import(world->shard[shard].enrol, n, &id); n++) {
        Carillon__ImportAbortRequest message = CARILLON__IMPORT_ABORT_REQUEST__INIT;
        struct uuid key = new_key(world);

        message.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
        shards_mark(world, SHARDS_IMPORT_DISCARDED);
        (void)shards_append(
            world, shard,
            &(struct shards_entry){.method = CARILLON__METHOD__METHOD_IMPORT_ABORT,
                                   .client = UINT32_MAX,
                                   .key = slice_from(key.bytes, UUID_BYTES),
                                   .body = keep(world, &message.base)});
    }
}

/* Those that are prepared, and that nobody commits, group 0 is asked to end. */
void shards_imports_tend(struct shards_world *world, uint32_t shard)
{
    struct uuid id;
    uint64_t since_ms;

    for (size_t n = 0; enrol_prepared_import(world->shard[shard].enrol, n, &id, &since_ms);
         n++) {
        uint32_t import = import_find(world, &id);

        if (since_ms + PREPARED_MS < FIXTURE_WALL_MS + world->now_ms && import != UINT32_MAX &&
            !world->imports[import].is_ended) {
            order_abort(world, import);
        }
    }
}

/* ---- what holds */

/* A shard shows what the facts that it has applied come to, and nothing of any other. */
void shards_check_facts(struct shards_world *world, uint32_t shard)
{
    const struct enrol *truth = world->shard[shard].truth;
    const struct campus *campus = &truth->campus;
    uint64_t newest = enrol_fact_newest(truth);
    const struct shards_model *model = &world->models[newest];
    const struct campus_catalogue *in = campus_catalogue(
        campus, campus_catalogue_find(campus, SLICE_LITERAL("x"), SLICE_LITERAL("t")));

    if (newest > world->fact_count) {
        shards_fail(world, "shard %u knows more facts than there are", shard);
    } else if (in->opens_ms != model->opens_ms || in->closes_ms != model->closes_ms ||
               in->level_min != model->level_min || in->courses_max != model->courses_max) {
        shards_fail(world, "shard %u: the window or the limits are not those of fact %llu",
                    shard, (unsigned long long)newest);
    }
    for (uint32_t i = 0; i < CHANGEABLE; i++) {
        uint32_t course = changeable[i];
        struct campus_name name = {.code = slice_from_text(shards_course_name(course))};
        uint32_t section = 0;

        if (campus_shard_of(name.code, world->shard_count) != shard ||
            model->versions[course] == 0) {
            continue;
        }
        if (campus_resolve_section(campus, &name, &section) != OK ||
            campus_section_meetings(campus_section(campus, section))->start_min !=
                start_of(model->versions[course])) {
            shards_fail(world, "shard %u: %s is not that of fact %llu", shard,
                        shards_course_name(course), (unsigned long long)newest);
        }
    }
}

/* What somebody has or waits for elsewhere is known in his home as it is. */
static void check_stand_ins(struct shards_world *world, uint32_t home)
{
    const struct campus *campus = &world->shard[home].truth->campus;

    for (uint32_t i = 0; i < campus->sections.count; i++) {
        const struct campus_section *section = campus_section(campus, i);
        struct campus_name name;
        struct buf description;

        if (!campus_course(campus, section->course)->is_foreign ||
            (section->enrolled == 0 && section->waiting == 0)) {
            continue;
        }
        campus_section_name(campus, i, &name);
        const struct campus *there =
            &world->shard[campus_shard_of(name.code, world->shard_count)].truth->campus;

        buf_init(&description, 1 << 16);
        int rc =
            campus_section_describe(there, campus_full_name_find(there, &name), &description);

        ASSERT(rc == OK);
        if (!campus_stand_in_knows(campus, buf_slice(&description))) {
            shards_fail(world, "shard %u: %.*s has changed, and it does not know", home,
                        (int)name.code.len, name.code.data);
        }
        buf_fini(&description);
    }
}

void shards_check_facts_end(struct shards_world *world)
{
    for (uint32_t i = 0; i < world->shard_count; i++) {
        const struct enrol *truth = world->shard[i].truth;

        if (enrol_fact_newest(truth) != world->fact_count) {
            shards_fail(world, "shard %u: %llu of %u facts", i,
                        (unsigned long long)enrol_fact_newest(truth), world->fact_count);
        }
        if (truth->prepared_count > 0) {
            shards_fail(world, "shard %u: an import is prepared for ever", i);
        }
        shards_check_facts(world, i);
        check_stand_ins(world, i);
    }
}
