#include "campus/name.h"

#include "base/assert.h"
#include "base/hash.h"
#include "campus/campus_private.h"
#include "campus/shard.h"
#include "campus/student.h"

/* Append @value to a growing array; the callers' arrays start at 4 and double. */
static void append(struct arena *arena, uint32_t **array, uint32_t *count, uint32_t *cap,
                   uint32_t value)
{
    if (*count == *cap) {
        uint32_t grown = *cap == 0 ? 4 : *cap * 2;

        *array = arena_grow(arena, *array, sizeof **array, *cap, grown);
        *cap = grown;
    }
    (*array)[(*count)++] = value;
}

static bool word_is_equal(const void *context, uint32_t value, const void *key)
{
    const struct slice *text = key;

    return slice_is_equal(campus_word(context, value)->text, *text);
}

uint32_t campus_word_find(const struct campus *campus, struct slice text)
{
    return map_find(&campus->word_map, hash_slice(text), word_is_equal, campus, &text);
}

uint32_t campus_code_find(const struct campus *campus, uint32_t institution, uint32_t word)
{
    if (word == CAMPUS_NONE) {
        return CAMPUS_NONE;
    }
    uint32_t at = campus_word(campus, word)->first_code;

    while (at != CAMPUS_NONE && campus_code(campus, at)->institution != institution) {
        at = campus_code(campus, at)->next_same_word;
    }
    return at;
}

static uint32_t catalogue_find(const struct campus *campus, uint32_t institution, uint32_t term)
{
    uint32_t at = campus_word(campus, institution)->first_catalogue;

    while (at != CAMPUS_NONE && campus_catalogue(campus, at)->term != term) {
        at = campus_catalogue(campus, at)->next_same_institution;
    }
    return at;
}

uint32_t campus_catalogue_find(const struct campus *campus, struct slice institution,
                               struct slice term)
{
    uint32_t institution_word = campus_word_find(campus, institution);
    uint32_t term_word = campus_word_find(campus, term);

    if (institution_word == CAMPUS_NONE || term_word == CAMPUS_NONE) {
        return CAMPUS_NONE;
    }
    return catalogue_find(campus, institution_word, term_word);
}

uint32_t campus_body_find(const struct campus *campus, struct slice institution)
{
    uint32_t word = campus_word_find(campus, institution);

    return word == CAMPUS_NONE ? CAMPUS_NONE : catalogue_find(campus, word, CAMPUS_NONE);
}

static uint32_t course_of_code(const struct campus *campus, uint32_t code, uint32_t catalogue)
{
    uint32_t at = campus_code(campus, code)->first_course;

    while (at != CAMPUS_NONE && campus_course(campus, at)->catalogue != catalogue) {
        at = campus_course(campus, at)->next_same_code;
    }
    return at;
}

uint32_t campus_course_find(const struct campus *campus, uint32_t catalogue, struct slice code)
{
    uint32_t institution = campus_catalogue(campus, catalogue)->institution;
    uint32_t found = campus_code_find(campus, institution, campus_word_find(campus, code));

    return found == CAMPUS_NONE ? CAMPUS_NONE : course_of_code(campus, found, catalogue);
}

uint32_t campus_section_find(const struct campus *campus, uint32_t course, struct slice id)
{
    const struct campus_course *in = campus_course(campus, course);
    uint32_t hash = (uint32_t)hash_slice(id);

    for (uint32_t i = 0; i < in->section_count; i++) {
        if (in->sections[i].id_hash == hash &&
            slice_is_equal(campus_section_id(campus_section(campus, in->sections[i].section)),
                           id)) {
            return in->sections[i].section;
        }
    }
    return CAMPUS_NONE;
}

static bool student_is_equal(const void *context, uint32_t value, const void *key)
{
    const struct slice *token = key;

    return slice_is_equal(campus_profile_token(campus_student(context, value)->profile),
                          *token);
}

uint32_t campus_student_find(const struct campus *campus, struct slice token)
{
    uint64_t hash = hash_slice(token);

    return map_find(&campus->student_maps[campus__student_map_of(hash)], hash, student_is_equal, campus,
                    &token);
}

/* ---- adding */

void campus_word_link(struct campus *campus, uint32_t word)
{
    struct campus_word *added = campus_word(campus, word);

    added->first_code = CAMPUS_NONE;
    added->first_catalogue = CAMPUS_NONE;
    map_put(&campus->word_map, hash_slice(added->text), word);
}

uint32_t campus_word_intern(struct campus *campus, struct slice text)
{
    uint32_t word = campus_word_find(campus, text);

    if (word == CAMPUS_NONE) {
        word = table_add(&campus->words);
        campus_word(campus, word)->text = arena_copy(&campus->arena, text);
        campus_word_link(campus, word);
    }
    return word;
}

/* Chains end with the newest, so that walking one meets the oldest first. */
static uint32_t *chain_end_of_codes(const struct campus *campus, uint32_t word)
{
    uint32_t *at = &campus_word(campus, word)->first_code;

    while (*at != CAMPUS_NONE) {
        at = &campus_code(campus, *at)->next_same_word;
    }
    return at;
}

void campus_code_link(struct campus *campus, uint32_t code)
{
    struct campus_code *added = campus_code(campus, code);

    added->next_same_word = CAMPUS_NONE;
    added->first_course = CAMPUS_NONE;
    *chain_end_of_codes(campus, added->word) = code;
}

uint32_t campus_code_intern(struct campus *campus, uint32_t institution, struct slice text)
{
    uint32_t word = campus_word_intern(campus, text);
    uint32_t code = campus_code_find(campus, institution, word);

    if (code == CAMPUS_NONE) {
        code = table_add(&campus->codes);
        campus_code(campus, code)->institution = institution;
        campus_code(campus, code)->word = word;
        campus_code_link(campus, code);
    }
    return code;
}

void campus_catalogue_link(struct campus *campus, uint32_t catalogue)
{
    struct campus_catalogue *added = campus_catalogue(campus, catalogue);
    uint32_t *at = &campus_word(campus, added->institution)->first_catalogue;

    while (*at != CAMPUS_NONE) {
        at = &campus_catalogue(campus, *at)->next_same_institution;
    }
    added->next_same_institution = CAMPUS_NONE;
    added->import = CAMPUS_NONE;
    *at = catalogue;
}

static uint32_t catalogue_intern(struct campus *campus, uint32_t institution, uint32_t term)
{
    uint32_t catalogue = catalogue_find(campus, institution, term);

    if (catalogue == CAMPUS_NONE) {
        catalogue = table_add(&campus->catalogues);
        struct campus_catalogue *added = campus_catalogue(campus, catalogue);

        added->institution = institution;
        added->term = term;
        added->courses_max = CAMPUS_COURSES_MAX_DEFAULT;
        added->waitlist_max = CAMPUS_WAITLIST_MAX_DEFAULT;
        campus_catalogue_link(campus, catalogue);
    }
    return catalogue;
}

uint32_t campus_catalogue_intern(struct campus *campus, struct slice institution,
                                 struct slice term)
{
    uint32_t institution_word = campus_word_intern(campus, institution);

    return catalogue_intern(campus, institution_word, campus_word_intern(campus, term));
}

uint32_t campus_body_intern(struct campus *campus, struct slice institution)
{
    return catalogue_intern(campus, campus_word_intern(campus, institution), CAMPUS_NONE);
}

void campus_course_link(struct campus *campus, uint32_t course)
{
    struct campus_course *added = campus_course(campus, course);
    struct campus_catalogue *catalogue = campus_catalogue(campus, added->catalogue);
    uint32_t *at = &campus_code(campus, added->code)->first_course;

    while (*at != CAMPUS_NONE) {
        at = &campus_course(campus, *at)->next_same_code;
    }
    added->next_same_code = CAMPUS_NONE;
    added->is_foreign = !campus_is_own(
        campus, campus_word(campus, campus_code(campus, added->code)->word)->text);
    *at = course;
    append(&campus->arena, &catalogue->members, &catalogue->member_count,
           &catalogue->member_cap, course);
}

uint32_t campus_course_intern(struct campus *campus, uint32_t catalogue, struct slice code)
{
    uint32_t institution = campus_catalogue(campus, catalogue)->institution;
    uint32_t of_code = campus_code_intern(campus, institution, code);
    uint32_t course = course_of_code(campus, of_code, catalogue);

    if (course == CAMPUS_NONE) {
        course = table_add(&campus->courses);
        struct campus_course *added = campus_course(campus, course);

        added->code = of_code;
        added->catalogue = catalogue;
        added->document = CAMPUS_NONE;
        added->staged = CAMPUS_NONE;
        added->credits = CAMPUS_NONE;
        added->epoch = campus->epoch;
        campus_course_link(campus, course);
        campus->course_bytes += sizeof *added;
    }
    return course;
}

void campus_section_set_id(struct campus *campus, struct campus_section *section,
                           struct slice id)
{
    ASSERT(id.len > 0 && id.len <= CAMPUS_SECTION_BYTES_MAX);
    section->id_len = (uint8_t)id.len;
    if (id.len > CAMPUS_ID_INLINE) {
        section->id.outside = arena_copy(&campus->arena, id).data;
    } else {
        memcpy(section->id.inside, id.data, id.len);
    }
}

void campus_section_link(struct campus *campus, uint32_t section)
{
    struct campus_section *added = campus_section(campus, section);
    struct campus_course *course = campus_course(campus, added->course);

    added->catalogue = course->catalogue;
    if (course->section_count == course->section_cap) {
        uint32_t cap = course->section_cap == 0 ? 2 : course->section_cap * 2;

        course->sections = arena_grow(&campus->arena, course->sections,
                                      sizeof *course->sections, course->section_cap, cap);
        campus->course_bytes += sizeof *course->sections * (cap - course->section_cap);
        course->section_cap = cap;
    }
    course->sections[course->section_count++] =
        (struct campus_course_section){(uint32_t)hash_slice(campus_section_id(added)), section};
}

uint32_t campus_section_intern(struct campus *campus, uint32_t course, struct slice id)
{
    uint32_t section = campus_section_find(campus, course, id);

    if (section == CAMPUS_NONE) {
        section = table_add(&campus->sections);
        struct campus_section *added = campus_section(campus, section);

        added->course = course;
        added->wait_first = CAMPUS_NONE;
        added->wait_last = CAMPUS_NONE;
        added->epoch = campus->epoch;
        campus_section_set_id(campus, added, id);
        campus_section_link(campus, section);
        campus->course_bytes += sizeof *added;
    }
    return section;
}

void campus_student_link(struct campus *campus, uint32_t student)
{
    struct campus_student *added = campus_student(campus, student);
    struct campus_catalogue *body = campus_catalogue(campus, added->body);

    added->is_foreign = !campus_is_own(campus, campus_profile_token(added->profile));
    uint64_t hash = hash_slice(campus_profile_token(added->profile));

    map_put(&campus->student_maps[campus__student_map_of(hash)], hash, student);
    append(&campus->arena, &body->members, &body->member_count, &body->member_cap, student);
}

uint32_t campus_student_intern(struct campus *campus, uint32_t body, struct slice token)
{
    uint32_t student = campus_student_find(campus, token);

    if (student == CAMPUS_NONE) {
        student = table_add(&campus->students);
        struct campus_student *added = campus_student(campus, student);

        added->body = body;
        added->epoch = campus->epoch;
        added->profile = campus_profile_bare(campus, token);
        campus_student_link(campus, student);
        campus->student_bytes += sizeof *added;
    }
    return student;
}
