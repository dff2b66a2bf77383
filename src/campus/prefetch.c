/* Each step reads only what the step before has asked for. */
#include "campus/prefetch.h"

#include "base/assert.h"
#include "base/hash.h"
#include "campus/campus_private.h"
#include "campus/student.h"

enum {
    LINE_BYTES = 64,
    PROFILE_LINES_MAX = 8, /* of a taken list; longer ones are read in order anyway */
};

static void fetch(const void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LINE_BYTES) {
        __builtin_prefetch((const uint8_t *)data + at);
    }
}

static const struct map *student_map(const struct campus *campus,
                                     const struct campus_walk *walk)
{
    return &campus->student_maps[campus__student_map_of(walk->token_hash)];
}

static void ask_tables(const struct campus *campus, struct campus_walk *walk)
{
    walk->student = CAMPUS_NONE;
    walk->word = CAMPUS_NONE;
    walk->code = CAMPUS_NONE;
    walk->course = CAMPUS_NONE;
    walk->section = CAMPUS_NONE;
    walk->token_hash = hash_slice(walk->token);
    walk->code_hash = hash_slice(walk->name.code);
    map_prefetch(student_map(campus, walk), walk->token_hash);
    map_prefetch(&campus->word_map, walk->code_hash);
}

static void ask_student_and_word(const struct campus *campus, struct campus_walk *walk)
{
    if (walk->token.len > 0) {
        walk->student = map_peek(student_map(campus, walk), walk->token_hash);
    }
    if (walk->student != CAMPUS_NONE) {
        fetch(campus_student(campus, walk->student), sizeof(struct campus_student));
    }
    walk->word = map_peek(&campus->word_map, walk->code_hash);
    if (walk->word != CAMPUS_NONE) {
        fetch(campus_word(campus, walk->word), sizeof(struct campus_word));
    }
}

static void ask_profile_and_code(const struct campus *campus, struct campus_walk *walk)
{
    if (walk->student != CAMPUS_NONE) {
        fetch(campus_student(campus, walk->student)->profile, sizeof(struct campus_profile));
    }
    if (walk->word != CAMPUS_NONE) {
        const struct campus_word *word = campus_word(campus, walk->word);

        fetch(word->text.data, word->text.len);
        walk->code = word->first_code;
    }
    if (walk->code != CAMPUS_NONE) {
        fetch(campus_code(campus, walk->code), sizeof(struct campus_code));
    }
}

static void ask_taken(const struct campus *campus, const struct campus_walk *walk)
{
    if (walk->student != CAMPUS_NONE) {
        const struct campus_profile *profile = campus_student(campus, walk->student)->profile;
        size_t bytes = profile->bytes < PROFILE_LINES_MAX * LINE_BYTES
                           ? profile->bytes
                           : PROFILE_LINES_MAX * LINE_BYTES;

        fetch(profile, bytes);
        __builtin_prefetch(campus_profile_token(profile).data);
    }
}

/* Several institutions may have the code; few do. */
static void ask_course(const struct campus *campus, struct campus_walk *walk)
{
    ask_taken(campus, walk);
    if (walk->code != CAMPUS_NONE && walk->name.institution.len > 0) {
        walk->code = campus_code_find(campus, campus_word_find(campus, walk->name.institution),
                                      walk->word);
    }
    if (walk->code != CAMPUS_NONE) {
        walk->course = campus_code(campus, walk->code)->first_course;
    }
    if (walk->course != CAMPUS_NONE) {
        fetch(campus_course(campus, walk->course), sizeof(struct campus_course));
    }
}

static void ask_sections(const struct campus *campus, struct campus_walk *walk)
{
    if (walk->course == CAMPUS_NONE) {
        return;
    }
    const struct campus_course *course = campus_course(campus, walk->course);

    __builtin_prefetch(course->sections);
    if (course->rule != NULL) {
        fetch(course->rule, 2 * (size_t)LINE_BYTES);
    }
}

static void ask_section(const struct campus *campus, struct campus_walk *walk)
{
    if (walk->course == CAMPUS_NONE) {
        return;
    }
    const struct campus_course *course = campus_course(campus, walk->course);
    uint32_t hash = (uint32_t)hash_slice(walk->name.section);

    for (uint32_t i = 0; i < course->section_count; i++) {
        if (walk->name.section.len == 0 || course->sections[i].id_hash == hash) {
            walk->section = course->sections[i].section;
            fetch(campus_section(campus, walk->section), sizeof(struct campus_section));
            return;
        }
    }
}

/* The end of the roster, where the student will stand, and the sections he has already, which
 * are asked about their times. */
static void ask_lists(const struct campus *campus, struct campus_walk *walk)
{
    if (walk->section != CAMPUS_NONE) {
        const struct campus_section *section = campus_section(campus, walk->section);

        if (section->roster != NULL) {
            __builtin_prefetch(&section->roster[section->enrolled], 1);
        }
        __builtin_prefetch(campus_section_meetings(section));
        __builtin_prefetch(campus_course(campus, section->course));
    }
    if (walk->student == CAMPUS_NONE) {
        return;
    }
    const struct campus_student *student = campus_student(campus, walk->student);
    uint32_t count = student->registration_count < CAMPUS_REGISTRATIONS_INLINE
                         ? student->registration_count
                         : CAMPUS_REGISTRATIONS_INLINE;

    for (uint32_t i = 0; i < count; i++) {
        fetch(campus_section(campus, student->registrations[i].section),
              sizeof(struct campus_section));
    }
}

void campus_walk_step(const struct campus *campus, struct campus_walk *walks, size_t count,
                      unsigned step)
{
    static void (*const steps[CAMPUS_WALK_STEPS])(const struct campus *,
                                                  struct campus_walk *) = {
        ask_tables, ask_student_and_word, ask_profile_and_code,
        ask_course, ask_sections,         ask_section,
        ask_lists,
    };

    ASSERT(step < CAMPUS_WALK_STEPS);
    for (size_t i = 0; i < count; i++) {
        steps[step](campus, &walks[i]);
    }
}

void campus_walk_objects(const struct campus *campus, const struct campus_walk *walk)
{
    if (walk->student < campus->students.count) {
        fetch(campus_student(campus, walk->student), sizeof(struct campus_student));
    }
    if (walk->section < campus->sections.count) {
        fetch(campus_section(campus, walk->section), sizeof(struct campus_section));
    }
}

void campus_walk_lists(const struct campus *campus, const struct campus_walk *walk)
{
    struct campus_walk known = *walk;

    known.student = walk->student < campus->students.count ? walk->student : CAMPUS_NONE;
    known.section = walk->section < campus->sections.count ? walk->section : CAMPUS_NONE;
    ask_taken(campus, &known);
    ask_lists(campus, &known);
}
