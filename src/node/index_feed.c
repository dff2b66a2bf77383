/* What enrol's effects mean for the search index: it follows every change at once and is
 * rebuilt on start. */
#include "base/assert.h"
#include "node/node_private.h"
#include "wire/field.h"

/* BUILD_STEP: documents between two looks at whether the lane is to stop. RESUME_MIN: entries
 * of which none changes what it reads before it goes on. */
enum { INSTRUCTORS_MAX = 512, BUILD_STEP = 8, RESUME_MIN = 32 };

/* A course's distinct day masks, one for each way it can be attended. */
static uint32_t gather_days(const struct campus *campus, uint32_t document, uint32_t sections,
                            uint8_t days[SEARCH_DAYS_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < sections && count < SEARCH_DAYS_MAX; i++) {
        uint8_t mask = (uint8_t)campus_document_days(campus, document, i);

        if (mask != 0 && memchr(days, mask, count) == NULL) {
            days[count++] = mask;
        }
    }
    return count;
}

static void put(const struct shard *shard, uint32_t document, bool hidden)
{
    const struct campus *campus = enrol_campus(shard->enrol);
    struct campus_document_view view;
    struct slice instructors[INSTRUCTORS_MAX];
    uint8_t days[SEARCH_DAYS_MAX];
    uint32_t count = 0;

    campus_document_view(campus, document, &view);
    size_t at = view.instructors_at;
    while (count < INSTRUCTORS_MAX && campus_view_instructor(&view, &at, &instructors[count])) {
        count++;
    }
    struct search_document indexed = {
        .institution = view.institution,
        .term = view.term,
        .code = view.code,
        .subject = view.subject,
        .number = view.number,
        .title = view.title,
        .description = view.description,
        .instructors = instructors,
        .instructors_count = count,
        .credits_known = view.credits_known,
        .credits_hundredths = view.credits_hundredths,
        .level = view.level,
        .days = days,
        .days_count = gather_days(campus, document, view.section_count, days),
    };
    search_put(shard->node->search, node__document(shard, document), &indexed, hidden);
}

static void perform(const struct shard *shard, struct enrol_effect effect)
{
    struct search_index *search = shard->node->search;
    uint32_t document = node__document(shard, effect.document);

    if (shard->is_indexing && effect.document >= shard->indexing_next) {
        return; /* the lane has yet to come there, and will find it as it is then */
    }
    switch ((enum enrol_effect_kind)effect.kind) {
    case ENROL_DOCUMENT_STAGED:
        put(shard, effect.document, true);
        return;
    case ENROL_DOCUMENT_PUBLISHED:
        search_publish(search, document);
        return;
    case ENROL_DOCUMENT_REMOVED:
        search_remove(search, document);
        return;
    }
    UNREACHABLE();
}

void node__index_effects(struct shard *shard, const struct enrol_result *result)
{
    for (size_t i = 0; i < enrol_effect_count(result); i++) {
        perform(shard, enrol_effect_at(result, i));
    }
}

/* ---- room ---- */

/* What indexing the courses of an ImportChunkRequest may take at most. */
static uint64_t growth_of(uint32_t method, struct slice body)
{
    enum { COURSES = 3 }; /* the field's number, proto/registrar.proto */
    struct field_reader in = field_reader_from(body);
    struct field field;
    uint64_t documents = 0;
    uint64_t bytes = 0;

    if (method != CARILLON__METHOD__METHOD_IMPORT_CHUNK) {
        return 0;
    }
    while (!field_reader_is_done(&in) && field_read(&in, &field)) {
        if (field.number == COURSES && field.type == FIELD_BYTES) {
            documents++;
            bytes += field.bytes.len;
        }
    }
    return search_growth(documents, bytes);
}

int node__index_admit(struct shard *shard, uint32_t method, struct slice body)
{
    struct node *node = shard->node;
    uint64_t growth = growth_of(method, body);

    if (growth == 0) {
        return OK;
    }
    if (!search_has_room(node->search, growth)) {
        (void)!buf_append_format(&node->text,
                                 "the node's memory for the search index is used up: of %llu "
                                 "MiB (a quarter of memory_bytes_max) %llu MiB are in use",
                                 (unsigned long long)node->search_arena.budget >> 20,
                                 (unsigned long long)node->search_arena.used >> 20);
        return ERR_FULL;
    }
    if (!search_has_room(node->search, node->search_reserved + growth)) {
        return ERR_BUSY;
    }
    node->search_reserved += growth;
    shard->search_reserved += growth;
    return OK;
}

static void give_back(struct shard *shard, uint64_t growth)
{
    shard->search_reserved -= growth;
    shard->node->search_reserved -= growth;
}

void node__index_forget(struct shard *shard, uint32_t method, struct slice body)
{
    uint64_t growth = growth_of(method, body);

    give_back(shard, growth < shard->search_reserved ? growth : shard->search_reserved);
}

void node__index_forget_all(struct shard *shard)
{
    give_back(shard, shard->search_reserved);
}

/* ---- at start ----
 *
 * The documents of a restored state are indexed on the log's lane while entries are replayed.
 * It reads documents, courses, names and words of the state, so before an entry that may change
 * those the lane stops where it is, and goes on behind it when such entries have passed. */

/* Index what is left. Returns: whether nothing is. */
static bool build(struct shard *shard)
{
    struct node *node = shard->node;
    struct enrol_effect effect;
    uint32_t count = 0;

    while (enrol_document_next(shard->enrol, &shard->indexing_next, &effect)) {
        put(shard, effect.document, effect.kind == ENROL_DOCUMENT_STAGED);
        if (++count % BUILD_STEP == 0 && atomic_load(&node->indexing_must_stop)) {
            return false;
        }
    }
    return true;
}

/* On the lane. */
static void build_run(struct io *io, struct io_job *job)
{
    struct shard *shard = CONTAINER_OF(job, struct shard, indexing);

    (void)io;
    shard->is_indexed = build(shard);
}

static void build_done(struct io_job *job)
{
    struct shard *shard = CONTAINER_OF(job, struct shard, indexing);

    shard->is_indexing = !shard->is_indexed;
}

static void build_submit(struct shard *shard)
{
    shard->indexing = (struct io_job){.run = build_run, .done = build_done};
    io_lane_submit(shard->node->io, IO_LANE_LOG, &shard->indexing);
}

void node__index_all(struct shard *shard)
{
    shard->is_indexing = true;
    shard->is_indexed = false;
    shard->indexing_next = 0;
    shard->node->indexing_is_paused = false;
    build_submit(shard);
}

void node__index_now(struct shard *shard)
{
    shard->indexing_next = 0;
    (void)build(shard);
}

void node__index_drop(struct shard *shard)
{
    struct node *node = shard->node;
    struct enrol_effect effect;
    uint32_t cursor = 0;

    while (node->shard_count > 1 && enrol_document_next(shard->enrol, &cursor, &effect)) {
        search_remove(node->search, node__document(shard, effect.document));
    }
    if (node->shard_count == 1) { /* nobody else's: all at once */
        search_destroy(node->search);
        arena_reset(&node->search_arena);
        node->search = search_create(&node->search_arena);
    }
    node__index_forget_all(shard);
}

static bool is_indexing(const struct node *node)
{
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].is_indexing) {
            return true;
        }
    }
    return false;
}

static void pause_build(struct node *node)
{
    if (!node->indexing_is_paused) {
        atomic_store(&node->indexing_must_stop, true);
        io_lane_wait(node->io, IO_LANE_LOG);
        atomic_store(&node->indexing_must_stop, false);
        node->indexing_is_paused = true;
        node->indexing_pause_nr++;
    }
    node->indexing_calm_nr = 0;
}

static void resume_build(struct node *node)
{
    node->indexing_is_paused = false;
    for (uint32_t i = 0; i < node->shard_count; i++) {
        if (node->shards[i].is_indexing) {
            build_submit(&node->shards[i]);
        }
    }
}

void node__index_wait(struct node *node)
{
    if (is_indexing(node)) {
        if (node->indexing_is_paused) {
            resume_build(node);
        }
        io_lane_wait(node->io, IO_LANE_LOG);
    }
    for (uint32_t i = 0; i < node->shard_count; i++) {
        node->shards[i].is_indexing = false; /* also when the machine went down meanwhile */
    }
}

static bool may_change_documents(uint32_t method)
{
    switch (method) {
    case CARILLON__METHOD__METHOD_NONE:
    case CARILLON__METHOD__METHOD_SUBMIT:
    case CARILLON__METHOD__METHOD_WINDOW:
    case CARILLON__METHOD__METHOD_BLOCK:
    case CARILLON__METHOD__METHOD_PERMIT:
    case CARILLON__METHOD__METHOD_CAP:
    case CARILLON__METHOD__METHOD_LIMITS:
        return false;
    default:
        return true;
    }
}

void node__index_before(struct node *node, uint32_t method)
{
    if (!is_indexing(node)) {
        return;
    }
    if (may_change_documents(method)) {
        pause_build(node);
        return;
    }
    /* Each stop costs two hand-overs: the more there were, the longer it stays. */
    if (node->indexing_is_paused &&
        ++node->indexing_calm_nr >= (uint64_t)RESUME_MIN << node->indexing_pause_nr) {
        resume_build(node);
    }
}
