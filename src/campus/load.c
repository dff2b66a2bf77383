/* Images read back, object by object. Nothing is linked yet: that is restore.c's, when all
 * objects are there. */
#include "campus/campus_private.h"
#include "campus/image.h"
#include "campus/name.h"
#include "campus/section.h"
#include "campus/shard.h"
#include "campus/student.h"

static int verdict(const struct unpack *in)
{
    return unpack_is_done(in) ? OK : ERR_DAMAGED;
}

int campus_load_word(struct campus *campus, struct unpack *in)
{
    uint32_t word = load_index(in, campus->words.count);
    struct slice text = load_bytes(in);

    if (!unpack_is_done(in) || campus_word(campus, word)->text.len > 0 || text.len == 0) {
        return ERR_DAMAGED;
    }
    campus_word(campus, word)->text = arena_copy(&campus->arena, text);
    return OK;
}

int campus_load_code(struct campus *campus, struct unpack *in)
{
    uint32_t code = load_index(in, campus->codes.count);
    uint32_t institution = load_index(in, campus->words.count);
    uint32_t word = load_index(in, campus->words.count);

    if (!unpack_is_done(in)) {
        return ERR_DAMAGED;
    }
    campus_code(campus, code)->institution = institution;
    campus_code(campus, code)->word = word;
    return OK;
}

int campus_load_catalogue(struct campus *campus, struct unpack *in)
{
    uint32_t ordinal = load_index(in, campus->catalogues.count);
    struct campus_catalogue loaded = {.import = CAMPUS_NONE};

    loaded.institution = load_index(in, campus->words.count);
    loaded.term = load_ordinal(in, campus->words.count);
    loaded.opens_ms = load_u64(in);
    loaded.closes_ms = load_u64(in);
    loaded.level_min = (uint32_t)load_u64_max(in, UINT32_MAX);
    loaded.courses_max = (uint32_t)load_u64_max(in, UINT32_MAX);
    loaded.credits_max = (uint32_t)load_u64_max(in, UINT32_MAX);
    loaded.limits_index = load_u64(in);
    loaded.waitlist_max = (uint32_t)load_u64_max(in, UINT32_MAX);
    loaded.updated_ms = load_u64(in);
    if (unpack_is_done(in)) {
        *campus_catalogue(campus, ordinal) = loaded;
    }
    return verdict(in);
}

int campus_load_course(struct campus *campus, struct unpack *in)
{
    struct campus_course *to =
        campus->courses.count == 0
            ? NULL
            : campus_course(campus, load_index(in, campus->courses.count));

    if (to == NULL) {
        return ERR_DAMAGED;
    }
    to->code = load_index(in, campus->codes.count);
    to->catalogue = load_index(in, campus->catalogues.count);
    to->document = load_ordinal(in, campus->documents.count);
    to->staged = CAMPUS_NONE;
    to->credits = CAMPUS_NONE;
    to->state = (uint8_t)load_u64_max(in, CAMPUS_WITHDRAWN);
    to->changed_index = load_u64(in);
    if (in->rest.len > 0) { /* of another shard */
        to->credits = load_ordinal(in, UINT32_MAX);
        to->rule = campus__load_rule(campus, in);
    }
    campus->course_bytes += sizeof *to;
    if (to->state != CAMPUS_HIDDEN && to->document == CAMPUS_NONE) {
        return ERR_DAMAGED;
    }
    return verdict(in);
}

/* Returns: how many, or 0 with the reading failed. */
static uint32_t load_meetings(struct unpack *in, struct campus_meeting *meetings, uint32_t max)
{
    uint32_t count = (uint32_t)load_u64_max(in, max);

    for (uint32_t i = 0; i < count; i++) {
        meetings[i].days = (uint16_t)load_u64_max(in, UINT16_MAX);
        meetings[i].start_min = (uint16_t)load_u64_max(in, UINT16_MAX);
        meetings[i].end_min = (uint16_t)load_u64_max(in, UINT16_MAX);
    }
    return in->failed ? 0 : count;
}

static void load_roster(struct campus *campus, struct unpack *in, struct campus_section *to)
{
    uint32_t count = (uint32_t)load_u64_max(in, campus->students.count);

    if (count == 0) {
        return;
    }
    /* A little room to grow, as a roster that grew by doubling would have. */
    to->roster_cap = count + count / 4 + 1;
    to->roster = arena_alloc(&campus->arena, to->roster_cap * sizeof *to->roster);
    campus->course_bytes += to->roster_cap * sizeof *to->roster;
    for (uint32_t i = 0; i < count; i++) {
        to->roster[i] = load_index(in, campus->students.count);
    }
    to->enrolled = count;
    campus->registration_count += count;
}

static struct campus_since load_since(struct unpack *in)
{
    struct campus_since since = {.index = load_u64(in)};

    since.ms = load_u64(in);
    return since;
}

static void load_place(struct campus *campus, struct unpack *in, uint32_t section)
{
    uint32_t student = load_index(in, campus->students.count);
    struct campus_since since = load_since(in);
    uint32_t drops[CAMPUS_DROPS_MAX];
    uint32_t drop_count = (uint32_t)load_u64_max(in, CAMPUS_DROPS_MAX);

    for (uint32_t i = 0; i < drop_count; i++) {
        drops[i] = load_index(in, campus->sections.count);
    }
    uint32_t skips = (uint32_t)load_u64_max(in, UINT32_MAX);

    if (in->failed || campus->students.count == 0) {
        in->failed = true;
        return;
    }
    uint32_t place = campus_place_add(campus, student, section, &since);

    campus_place_set_drops(campus, place, drops, drop_count);
    if (skips > 0) {
        uint32_t kind = (uint32_t)load_u64_max(in, UINT32_MAX);
        struct campus_since when = load_since(in);

        campus_place_skip(campus, place, &when, kind, load_bytes(in));
        campus_place(campus, place)->skips = skips;
    }
    if (campus_is_sharded(campus)) {
        campus_place(campus, place)->passed_ms = load_u64(in);
    }
}

int campus_load_section(struct campus *campus, struct unpack *in)
{
    struct campus_meeting meetings[CAMPUS_MEETINGS_MAX];
    uint32_t ordinal = load_index(in, campus->sections.count);
    uint32_t course = load_index(in, campus->courses.count);
    struct slice id = load_bytes(in);

    if (in->failed || campus->sections.count == 0 || id.len == 0 ||
        id.len > CAMPUS_SECTION_BYTES_MAX) {
        return ERR_DAMAGED;
    }
    struct campus_section *to = campus_section(campus, ordinal);

    if (to->id_len != 0) {
        return ERR_DAMAGED; /* twice */
    }
    to->course = course;
    to->wait_first = CAMPUS_NONE;
    to->wait_last = CAMPUS_NONE;
    campus_section_set_id(campus, to, id);
    to->state = (uint8_t)load_u64_max(in, CAMPUS_WITHDRAWN);
    to->capacity = load_ordinal(in, UINT32_MAX);
    to->capacity_file = load_ordinal(in, UINT32_MAX);
    to->excused = (uint32_t)load_u64_max(in, UINT32_MAX);
    uint32_t count = load_meetings(in, meetings, CAMPUS_MEETINGS_MAX);

    campus_section_set_meetings(campus, ordinal, meetings, count);
    load_roster(campus, in, to);
    uint32_t waiting = (uint32_t)load_u64_max(in, campus->students.count);

    for (uint32_t i = 0; i < waiting && !in->failed; i++) {
        load_place(campus, in, ordinal);
    }
    campus->course_bytes += sizeof *to;
    return verdict(in);
}

/* ---- students */

static struct campus_profile *load_profile(struct campus *campus, struct unpack *in)
{
    struct slice token = load_bytes(in);
    struct slice name = load_bytes(in);
    uint64_t content_hash = unpack_fixed64(in);
    uint64_t level = load_u64_max(in, UINT16_MAX);
    uint64_t count = load_u64_max(in, CAMPUS_TAKEN_MAX);

    if (in->failed || token.len == 0 || token.len > CAMPUS_TOKEN_BYTES_MAX ||
        name.len > CAMPUS_NAME_BYTES_MAX) {
        in->failed = true;
        return NULL;
    }
    struct campus_profile *profile = campus_profile_alloc(campus, (uint16_t)count, token, name);

    profile->content_hash = content_hash;
    profile->level = (uint16_t)level;
    for (uint32_t i = 0; i < count; i++) {
        profile->taken[i].code = load_index(in, campus->codes.count);
        profile->taken[i].grade = (uint16_t)load_u64_max(in, UINT16_MAX);
        profile->taken[i].credits = (uint16_t)load_u64_max(in, UINT16_MAX);
    }
    return profile;
}

static void load_extra(struct campus *campus, struct unpack *in, uint32_t student)
{
    uint64_t blocks = load_u64_max(in, CAMPUS_BLOCKS_MAX);

    for (uint64_t i = 0; i < blocks && !in->failed; i++) {
        struct campus_block block = {.reason = load_bytes(in)};

        block.by = load_bytes(in);
        block.since_ms = load_u64(in);
        campus_block_add(campus, student, &block);
    }
    uint64_t permits = load_u64_max(in, CAMPUS_PERMITS_MAX);

    for (uint64_t i = 0; i < permits && !in->failed; i++) {
        struct campus_permit permit = {.section = load_index(in, campus->sections.count)};

        permit.kinds = (uint32_t)load_u64_max(in, UINT32_MAX);
        permit.reason = load_bytes(in);
        permit.by = load_bytes(in);
        permit.since_ms = load_u64(in);
        campus_permit_set(campus, student, &permit);
    }
}

int campus_load_student(struct campus *campus, struct unpack *in)
{
    uint32_t ordinal = load_index(in, campus->students.count);
    uint32_t body = load_index(in, campus->catalogues.count);
    uint8_t state = (uint8_t)load_u64_max(in, CAMPUS_WITHDRAWN);
    uint64_t profile_index = load_u64(in);

    if (in->failed || campus->students.count == 0) {
        return ERR_DAMAGED;
    }
    struct campus_student *to = campus_student(campus, ordinal);

    if (to->profile != NULL) {
        return ERR_DAMAGED; /* twice */
    }
    to->body = body;
    to->state = state;
    to->profile_index = profile_index;
    to->profile = load_profile(campus, in);
    to->level = to->profile == NULL ? 0 : to->profile->level;
    campus->student_bytes += sizeof *to;
    uint32_t count = (uint32_t)load_u64_max(in, CAMPUS_REGISTRATIONS_MAX);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        struct campus_registration registration = {.section =
                                                       load_index(in, campus->sections.count)};

        registration.rest = load_u64(in);
        registration.ms_low = (uint32_t)load_u64_max(in, UINT32_MAX);
        campus__registration_append(campus, ordinal, registration);
    }
    load_extra(campus, in, ordinal);
    if (in->rest.len > 0) { /* one of several shards */
        to->version = (uint32_t)load_u64_max(in, UINT32_MAX);
    }
    return verdict(in);
}

/* ---- imports */

int campus_load_import(struct campus *campus, struct unpack *in)
{
    uint64_t slot = load_u64_max(in, CAMPUS_IMPORTS_MAX - 1);
    struct slice id = load_bytes(in);
    uint32_t kind = (uint32_t)load_u64_max(in, UINT32_MAX);
    uint32_t catalogue = load_index(in, campus->catalogues.count);
    uint32_t next_sequence = (uint32_t)load_u64_max(in, UINT32_MAX);

    if (!unpack_is_done(in) || id.len != UUID_BYTES || campus->imports[slot] != NULL) {
        return ERR_DAMAGED;
    }
    struct campus_import *import = arena_alloc_zero(&campus->arena, sizeof *import);

    memcpy(import->id.bytes, id.data, id.len);
    import->kind = kind;
    table_init(&import->items, &campus->arena, sizeof(struct campus_staged));
    import->catalogue = catalogue;
    import->next_sequence = next_sequence;
    campus->imports[slot] = import;
    return OK;
}

int campus_load_staged(struct campus *campus, struct unpack *in)
{
    struct campus_import *import = campus->imports[load_u64_max(in, CAMPUS_IMPORTS_MAX - 1)];
    uint64_t item = load_u64(in);

    if (in->failed || import == NULL || item != import->items.count) {
        return ERR_DAMAGED;
    }
    bool is_courses = import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    struct campus_staged staged = {
        .object = load_index(in, is_courses ? campus->courses.count : campus->students.count)};

    staged.document = load_ordinal(in, campus->documents.count);
    if (is_courses != (staged.document != CAMPUS_NONE)) {
        return ERR_DAMAGED;
    }
    if (!is_courses) {
        staged.profile = load_profile(campus, in);
    }
    if (unpack_is_done(in)) {
        campus__item_add(import, staged);
    }
    return verdict(in);
}

int campus_load_removed(struct campus *campus, struct unpack *in)
{
    struct campus_import *import = campus->imports[load_u64_max(in, CAMPUS_IMPORTS_MAX - 1)];

    if (in->failed || import == NULL) {
        return ERR_DAMAGED;
    }
    bool is_courses = import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    uint32_t object =
        load_index(in, is_courses ? campus->courses.count : campus->students.count);

    if (unpack_is_done(in)) {
        campus__removed_add(campus, import, object);
    }
    return verdict(in);
}
