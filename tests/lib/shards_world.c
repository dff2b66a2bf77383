#include "tests/lib/shards_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "tests/lib/campus_fixture.h"

enum {
    FAULTS_MS = 15000,
    HEAL_MS = 30000,
    HALF_MS = 3, /* a message, a batch on its way to the disk: half the mean */
    CUT_MS = 4000,
    EVENTS_MAX = 400000,
    HASHED_EVERY = 4,
};

#define SHARDS_MARK_NAME(name) #name,
const char *const shards_mark_names[SHARDS_MARK_NR] = {SHARDS_MARKS(SHARDS_MARK_NAME)};
#undef SHARDS_MARK_NAME

void shards_fail(struct shards_world *world, const char *format, ...)
{
    va_list args;

    if (world->violation[0] != '\0') {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(world->violation, sizeof world->violation, format, args);
    va_end(args);
}

void shards_trace(struct shards_world *world, const char *format, ...)
{
    va_list args;

    if (!world->is_traced) {
        return;
    }
    (void)printf("%6llu ", (unsigned long long)world->now_ms);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)printf("\n");
}

void shards_mix(struct shards_world *world, uint64_t a, uint64_t b)
{
    world->trace = hash_u64(world->trace ^ hash_u64(a + hash_u64(b)));
}

/* ---- events */

static bool is_before(const struct shards_event *a, const struct shards_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

void shards_post(struct shards_world *world, uint64_t delay_ms,
                 const struct shards_event *event)
{
    struct shards_event posted = *event;

    posted.at_ms = world->now_ms + delay_ms;
    posted.sequence = world->event_sequence++;
    if (world->event_count == world->event_cap) {
        world->event_cap = world->event_cap == 0 ? 1024 : world->event_cap * 2;
        world->events = realloc(world->events, world->event_cap * sizeof world->events[0]);
        ASSERT(world->events != NULL);
    }
    uint32_t at = world->event_count++;

    while (at > 0 && is_before(&posted, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = posted;
}

static struct shards_event take_event(struct shards_world *world)
{
    struct shards_event first = world->events[0];
    struct shards_event last = world->events[--world->event_count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= world->event_count) {
            break;
        }
        if (child + 1 < world->event_count &&
            is_before(&world->events[child + 1], &world->events[child])) {
            child++;
        }
        if (!is_before(&world->events[child], &last)) {
            break;
        }
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

/* ---- logs */

uint64_t shards_append(struct shards_world *world, uint32_t shard,
                       const struct shards_entry *entry)
{
    struct shards_shard *of = &world->shard[shard];
    struct shards_entry *added = &of->entries[++of->last];

    ASSERT(of->is_led && of->last < SHARDS_ENTRIES_MAX - 1);
    *added = *entry;
    added->term = of->term;
    of->wall_ms = FIXTURE_WALL_MS + world->now_ms > of->wall_ms
                      ? FIXTURE_WALL_MS + world->now_ms
                      : of->wall_ms;
    added->wall_ms = of->wall_ms;
    added->key = arena_copy(&world->arena, entry->key);
    added->body = arena_copy(&world->arena, entry->body);
    uint64_t wait_ms = of->slow_ms > world->now_ms ? of->slow_ms - world->now_ms : 0;

    shards_post(
        world, wait_ms + rng_between(&world->rng, 1, HALF_MS),
        &(struct shards_event){
            .kind = SHARDS_COMMIT, .shard = shard, .number = of->term, .more = of->last});
    return of->last;
}

static struct enrol_entry as_entry(const struct shards_entry *entry, uint64_t index)
{
    return (struct enrol_entry){
        .index = index,
        .term = entry->term,
        .wall_ms = entry->wall_ms,
        .method = entry->method,
        .key = entry->key,
        .body = entry->body,
        .hint = ENROL_HINT_NONE,
    };
}

static void apply_truth(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];
    const struct shards_entry *entry = &of->entries[++of->committed];
    struct enrol_entry applied = as_entry(entry, of->committed);

    shards_check_before(world, shard, entry);
    enrol_apply(of->truth, &applied, &world->result);
    shards_mix(world, of->committed << 8 | shard, (uint64_t)-world->result.status);
    shards_check_entry(world, shard, entry, &world->result);
}

static void apply_leader(struct shards_world *world, uint32_t shard)
{
    struct shards_shard *of = &world->shard[shard];
    const struct shards_entry *entry = &of->entries[++of->applied];
    struct enrol_entry applied = as_entry(entry, of->applied);

    enrol_apply(of->enrol, &applied, &world->result);
    if (entry->client == SHARDS_OFFICE_CLIENT && entry->term == of->term) {
        shards_office_applied(world, shard, entry, &world->result);
    } else if (entry->client != UINT32_MAX && entry->term == of->term) {
        shards_answer(world, entry->client, world->result.status,
                      buf_slice(&world->result.text), buf_slice(&world->result.reply), true);
    }
    if (of->applied == of->committed && of->applied % HASHED_EVERY == 0 &&
        enrol_hash(of->enrol) != enrol_hash(of->truth)) {
        shards_fail(world, "shard %u: the leader's state differs at %llu", shard,
                    (unsigned long long)of->applied);
    }
    across_applied(of->across, world->now_ms, &applied, &world->result);
    shards_perform(world, shard);
}

/* A leader learns what is committed only by an entry of its own term. */
static void commit(struct shards_world *world, uint32_t shard, uint64_t index)
{
    struct shards_shard *of = &world->shard[shard];

    if (index < of->noop) {
        return;
    }
    while (of->committed < index && world->violation[0] == '\0') {
        apply_truth(world, shard);
    }
    while (of->applied < of->committed && world->violation[0] == '\0') {
        apply_leader(world, shard);
    }
}

/* ---- effects */

static void send_message(struct shards_world *world, uint32_t from, uint32_t to,
                         struct slice bytes)
{
    const struct shards_faults *faults = &world->faults;
    uint32_t copies = 1;

    shards_check_message(world, bytes);
    if (!world->is_healed && rng_chance(&world->rng, faults->loss_ppm)) {
        shards_mark(world, SHARDS_LOST);
        return;
    }
    if (!world->is_healed && rng_chance(&world->rng, faults->duplicate_ppm)) {
        shards_mark(world, SHARDS_DUPLICATED);
        copies = 2;
    }
    struct slice copy = arena_copy(&world->arena, bytes);

    for (uint32_t i = 0; i < copies; i++) {
        uint64_t delay = rng_between(&world->rng, 1, HALF_MS);

        if (!world->is_healed && rng_chance(&world->rng, faults->late_ppm)) {
            shards_mark(world, SHARDS_REORDERED);
            delay += rng_below(&world->rng, faults->late_ms + 1);
        }
        shards_post(world, delay,
                    &(struct shards_event){
                        .kind = SHARDS_MESSAGE, .shard = to, .from = from, .bytes = copy});
    }
}

/* A check that is one shard's alone. */
static void read_check(struct shards_world *world, uint32_t shard, uint32_t number)
{
    struct buf reply;

    buf_init(&reply, 1 << 20);
    int rc = enrol_read(world->shard[shard].enrol, CARILLON__METHOD__METHOD_CHECK,
                        world->requests[number].body, FIXTURE_WALL_MS + world->now_ms, &reply,
                        &world->text);

    shards_answer(world, number, rc, buf_slice(&world->text), buf_slice(&reply), false);
    buf_fini(&reply);
}

static void perform(struct shards_world *world, uint32_t shard,
                    const struct across_effect *effect)
{
    struct shards_shard *of = &world->shard[shard];

    switch ((enum across_effect_kind)effect->kind) {
    case ACROSS_PROPOSE:
        (void)shards_append(world, shard,
                            &(struct shards_entry){.method = effect->method,
                                                   .client = UINT32_MAX,
                                                   .key = effect->key,
                                                   .body = effect->body});
        break;
    case ACROSS_SEND:
        send_message(world, shard, effect->shard, effect->body);
        break;
    case ACROSS_REPLY:
        if (effect->client >= SHARDS_ROSTER_CLIENT) {
            break; /* a read without a leader */
        }
        shards_answer(world, (uint32_t)effect->client, effect->status, effect->text,
                      effect->body, effect->index != 0);
        break;
    case ACROSS_LOCAL: {
        struct shards_request *request = &world->requests[effect->client];
        struct enrol_entry entry = {.wall_ms = FIXTURE_WALL_MS + world->now_ms,
                                    .method = request->method,
                                    .key = slice_from(request->key.bytes, UUID_BYTES),
                                    .body = request->body,
                                    .hint = ENROL_HINT_NONE};
        buf_clear(&world->text);
        if (request->method == CARILLON__METHOD__METHOD_CHECK) {
            read_check(world, shard, (uint32_t)effect->client);
            break;
        }
        int rc = enrol_admit(of->enrol, &entry, &world->text);

        shards_mark(world, SHARDS_LOCAL);
        if (rc != OK) {
            shards_answer(world, (uint32_t)effect->client, rc, buf_slice(&world->text),
                          SLICE_NONE, false);
        } else {
            (void)shards_append(world, shard,
                                &(struct shards_entry){.method = entry.method,
                                                       .client = (uint32_t)effect->client,
                                                       .key = entry.key,
                                                       .body = entry.body});
        }
        break;
    }
    case ACROSS_ROSTER:
        shards_mark(world, SHARDS_ROSTER);
        shards_check_roster(world, shard, effect->client);
        break;
    case ACROSS_READ:
        shards_post(world, rng_between(&world->rng, 1, HALF_MS),
                    &(struct shards_event){.kind = SHARDS_READ,
                                           .shard = shard,
                                           .number = of->term,
                                           .more = effect->token});
        break;
    }
}

void shards_perform(struct shards_world *world, uint32_t shard)
{
    const struct across *across = world->shard[shard].across;

    for (size_t i = 0; i < across_effect_count(across); i++) {
        struct across_effect effect = across_effect_at(across, i);

        perform(world, shard, &effect);
    }
}

/* ---- one event */

/* Only of entries of one's own term is anything known to be the newest. */
static void read_point(struct shards_world *world, const struct shards_event *event)
{
    struct shards_shard *of = &world->shard[event->shard];

    if (of->applied >= of->noop) {
        across_read_done(of->across, world->now_ms, event->more);
        shards_perform(world, event->shard);
    }
}

/* What happens by itself until all is healed, and comes again after about @pause_ms. */
static void happen(struct shards_world *world, const struct shards_event *event,
                   uint32_t pause_ms)
{
    uint32_t shard = (uint32_t)rng_below(&world->rng, world->shard_count);

    if (world->is_healed) {
        return;
    }
    if (event->kind == SHARDS_CLIENT) {
        shards_client(world);
        if (rng_chance(&world->rng, 200000)) {
            shards_roster(world);
        }
    } else if (event->kind == SHARDS_FACT_COMES) {
        shards_fact_draw(world);
    } else if (event->kind == SHARDS_LOSE) {
        shards_lose(world, shard);
    } else if (event->kind == SHARDS_SNAPSHOT) {
        shards_snapshot(world, shard);
    } else if (rng_chance(&world->rng, 500000)) {
        shards_mark(world, SHARDS_SLOW);
        world->shard[shard].slow_ms = world->now_ms + rng_between(&world->rng, 1, CUT_MS);
    } else {
        shards_mark(world, SHARDS_CUT);
        world->shard[shard].is_cut = true;
        shards_post(world, rng_between(&world->rng, 1, CUT_MS),
                    &(struct shards_event){.kind = SHARDS_JOIN, .shard = shard});
    }
    shards_post(world, rng_between(&world->rng, 1, 2 * pause_ms), event);
}

static void receive(struct shards_world *world, const struct shards_event *event)
{
    struct shards_shard *of = &world->shard[event->shard];

    if (!of->is_led || of->is_cut || world->shard[event->from].is_cut) {
        return;
    }
    if (!across_receive(of->across, world->now_ms, event->from, event->bytes)) {
        shards_fail(world, "shard %u does not understand shard %u", event->shard, event->from);
    }
    shards_perform(world, event->shard);
}

static void step(struct shards_world *world, const struct shards_event *event)
{
    struct shards_shard *of = &world->shard[event->shard];
    bool is_leading = of->is_led && of->term == event->number;

    switch (event->kind) {
    case SHARDS_COMMIT:
        if (is_leading && event->more > of->committed) {
            commit(world, event->shard, event->more);
        }
        break;
    case SHARDS_MESSAGE:
        receive(world, event);
        break;
    case SHARDS_TICK:
        if (is_leading) {
            across_tick(of->across, world->now_ms, FIXTURE_WALL_MS + world->now_ms);
            shards_perform(world, event->shard);
            shards_facts_copy(world, event->shard);
            shards_imports_tend(world, event->shard);
            shards_post(world, ACROSS_TICK_MS, event);
        }
        break;
    case SHARDS_READ:
        if (is_leading) {
            read_point(world, event);
        }
        break;
    case SHARDS_SUBMIT:
        shards_arrive(world, event->from);
        break;
    case SHARDS_CLIENT:
        happen(world, event, world->faults.client_ms);
        break;
    case SHARDS_LOSE:
        happen(world, event, world->faults.leader_ms);
        break;
    case SHARDS_ELECT:
        shards_elect(world, event->shard);
        break;
    case SHARDS_CUT_OFF:
        happen(world, event, world->faults.cut_ms);
        break;
    case SHARDS_JOIN:
        of->is_cut = false;
        break;
    case SHARDS_SNAPSHOT:
        happen(world, event, world->faults.snapshot_ms);
        break;
    case SHARDS_EXPIRE:
        shards_expire(world, event->from, event->number);
        break;
    case SHARDS_FACT_COMES:
        happen(world, event, world->faults.fact_ms);
        break;
    case SHARDS_OFFICE:
        shards_office_poll(world);
        break;
    }
}

/* Until @until_ms. Returns: whether all is well. */
static bool run_until(struct shards_world *world, uint64_t until_ms)
{
    while (world->violation[0] == '\0' && world->event_count > 0 &&
           world->events[0].at_ms <= until_ms) {
        struct shards_event event = take_event(world);

        world->now_ms = event.at_ms;
        world->steps++;
        step(world, &event);
        if (world->steps % EVENTS_MAX == 0) {
            shards_fail(world, "no end of events");
        }
    }
    world->now_ms = world->violation[0] == '\0' ? until_ms : world->now_ms;
    return world->violation[0] == '\0';
}

/* ---- the whole */

struct shards_world *shards_world_create(void)
{
    struct shards_world *world = calloc(1, sizeof *world);

    ASSERT(world != NULL);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        world->shard[i].entries = calloc(SHARDS_ENTRIES_MAX, sizeof(struct shards_entry));
        ASSERT(world->shard[i].entries != NULL);
        buf_init(&world->shard[i].snapshot, 16 << 20);
    }
    arena_init(&world->arena, 1ULL << 30);
    enrol_result_init(&world->result);
    buf_init(&world->text, 1 << 16);
    buf_init(&world->reply, 1 << 20);
    return world;
}

static void drop_shards(struct shards_world *world)
{
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        across_destroy(world->shard[i].across);
        enrol_destroy(world->shard[i].enrol);
        enrol_destroy(world->shard[i].truth);
        world->shard[i].across = NULL;
        world->shard[i].enrol = NULL;
        world->shard[i].truth = NULL;
    }
}

void shards_world_destroy(struct shards_world *world)
{
    drop_shards(world);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        free(world->shard[i].entries);
        buf_fini(&world->shard[i].snapshot);
    }
    free(world->events);
    enrol_result_fini(&world->result);
    buf_fini(&world->text);
    buf_fini(&world->reply);
    arena_fini(&world->arena);
    free(world);
}

static uint32_t chance(struct rng *rng, uint32_t most)
{
    return rng_chance(rng, 400000) ? (uint32_t)rng_below(rng, most + 1) : 0;
}

static void draw_faults(struct shards_world *world)
{
    struct rng *rng = &world->rng;
    static const uint32_t pauses[] = {0, 400, 1500, 6000};
    static const uint32_t fact_pauses[] = {0, 0, 1500, 4000};

    world->faults = (struct shards_faults){
        .loss_ppm = chance(rng, 300000),
        .duplicate_ppm = chance(rng, 500000),
        .late_ppm = chance(rng, 500000),
        .late_ms = (uint32_t)rng_between(rng, 5, 3000),
        .leader_ms = pauses[rng_below(rng, 4)],
        .cut_ms = pauses[rng_below(rng, 4)],
        .snapshot_ms = (uint32_t)rng_between(rng, 200, 3000),
        .client_ms = (uint32_t)rng_between(rng, 30, 200),
        .students = (uint32_t)rng_between(rng, 1, SHARDS_STUDENTS),
        .deadline_ms = (uint32_t)rng_between(rng, 600, 5000),
        .wait_ppm = rng_chance(rng, 800000) ? (uint32_t)rng_below(rng, 900000) : 0,
        .check_ppm = chance(rng, 300000),
        .permit_ppm = chance(rng, 150000),
        .fact_ms = fact_pauses[rng_below(rng, 4)],
        .import_ppm = chance(rng, 50000),
    };
}

static void begin(struct shards_world *world, uint64_t seed, uint32_t shards)
{
    ASSERT(shards <= SHARDS_MAX);
    drop_shards(world);
    arena_reset(&world->arena);
    rng_init(&world->rng, seed);
    world->seed = seed;
    world->shard_count = shards;
    world->now_ms = 0;
    world->end_ms = FAULTS_MS;
    world->is_healed = false;
    world->is_quiet = false;
    world->faults = (struct shards_faults){0};
    world->event_count = 0;
    world->event_sequence = 0;
    world->request_count = 0;
    world->keys = 0;
    memset(&world->roster, 0, sizeof world->roster);
    memset(world->permits, 0, sizeof world->permits);
    memset(world->permits_ever, 0, sizeof world->permits_ever);
    world->check_count = 0;
    world->fact_count = 0;
    world->import_count = 0;
    world->versions = 0;
    world->office = (struct shards_office){0};
    world->models[0] = (struct shards_model){.courses_max = CAMPUS_COURSES_MAX_DEFAULT};
    world->trace = seed;
    world->steps = 0;
    world->violation[0] = '\0';
    for (uint32_t i = 0; i < shards; i++) {
        struct shards_shard *of = &world->shard[i];
        struct enrol_config config = {
            .memory_bytes_max = 1ULL << 30, .group = i + 1, .shards = shards};

        memset(config.cluster_id.bytes, 7, UUID_BYTES);
        of->truth = enrol_create(&config);
        of->last = 0;
        shards_world_populate(of->truth, shards, i, &of->last);
        of->committed = of->last;
        of->wall_ms = FIXTURE_WALL_MS;
        of->term = 1;
        of->is_led = false;
        of->is_cut = false;
        of->slow_ms = 0;
        of->fact_term = 0;
        memset(of->settled, 0, sizeof of->settled);
        shards_snapshot(world, i);
        shards_elect(world, i);
    }
}

void shards_world_begin(struct shards_world *world, uint64_t seed, uint32_t shards)
{
    begin(world, seed, shards);
    draw_faults(world);
    shards_post(world, 20, &(struct shards_event){.kind = SHARDS_CLIENT});
    shards_post(world, 300, &(struct shards_event){.kind = SHARDS_SNAPSHOT});
    if (world->faults.leader_ms > 0) {
        shards_post(world, 100, &(struct shards_event){.kind = SHARDS_LOSE});
    }
    if (world->faults.cut_ms > 0) {
        shards_post(world, 200, &(struct shards_event){.kind = SHARDS_CUT_OFF});
    }
    if (world->faults.fact_ms > 0) {
        shards_post(world, 250, &(struct shards_event){.kind = SHARDS_FACT_COMES});
    }
    shards_post(world, 150, &(struct shards_event){.kind = SHARDS_OFFICE});
}

void shards_world_begin_quiet(struct shards_world *world, uint64_t seed, uint32_t shards)
{
    begin(world, seed, shards);
    world->faults = (struct shards_faults){.deadline_ms = 5000};
    world->is_quiet = true;
    (void)run_until(world, 100);
}

bool shards_world_run(struct shards_world *world)
{
    bool is_fine = run_until(world, world->end_ms);

    if (is_fine) {
        world->is_healed = true;
        for (uint32_t i = 0; i < world->shard_count; i++) {
            world->shard[i].is_cut = false;
            world->shard[i].slow_ms = 0;
        }
        shards_trace(world, "healed");
        shards_facts_heal(world);
        is_fine = run_until(world, world->end_ms + HEAL_MS);
    }
    if (is_fine) {
        shards_check_all(world);
        shards_check_end(world);
    }
    return world->violation[0] == '\0';
}

void shards_world_pass(struct shards_world *world, uint64_t ms)
{
    (void)run_until(world, world->now_ms + ms);
}

/* A request of a quiet world, until it is answered and settled. */
static int ask(struct shards_world *world, const struct shards_request *as)
{
    uint32_t number = world->request_count++ % SHARDS_REQUESTS_MAX;
    struct shards_request *request = &world->requests[number];
    uint8_t random[10] = {0};
    uint64_t key = hash_u64(++world->keys);

    memcpy(random, &key, sizeof key);
    *request = *as;
    request->key = uuid_make(FIXTURE_WALL_MS + world->now_ms, random);
    request->body = arena_copy(&world->arena, as->body);
    shards_send(world, number, 1);
    for (uint32_t i = 0; i < 10000 && !request->is_answered && world->violation[0] == '\0';
         i++) {
        (void)run_until(world, world->now_ms + 1);
    }
    world->status = request->status;
    (void)run_until(world, world->now_ms + 50);
    return world->status;
}

int shards_world_submit(struct shards_world *world, uint32_t student, struct slice body)
{
    return ask(world, &(struct shards_request){.method = CARILLON__METHOD__METHOD_SUBMIT,
                                               .student = student,
                                               .body = body});
}

int shards_world_check(struct shards_world *world, uint32_t student, struct slice body)
{
    return ask(world, &(struct shards_request){.method = CARILLON__METHOD__METHOD_CHECK,
                                               .student = student,
                                               .body = body});
}

int shards_world_permit(struct shards_world *world, uint32_t student, uint32_t course,
                        uint32_t kinds)
{
    return ask(world, &(struct shards_request){
                          .method = CARILLON__METHOD__METHOD_PERMIT,
                          .student = student,
                          .course = course,
                          .kinds = kinds,
                          .body = shards_permit_body(world, student, course, kinds)});
}
