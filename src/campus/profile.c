#include "base/assert.h"
#include "base/utf8.h"
#include "campus/name.h"
#include "campus/student.h"
#include "campus/text.h"

enum { TAKEN_CREDITS_MAX = 60000, GRADE_MAX = 60000, LEVEL_MAX = 60000 };

struct campus_profile *campus_profile_alloc(struct campus *campus, uint16_t taken_count,
                                            struct slice token, struct slice name)
{
    size_t bytes = sizeof(struct campus_profile) + taken_count * sizeof(struct campus_taken) +
                   token.len + name.len;
    struct campus_profile *profile = arena_alloc(&campus->arena, bytes);

    ASSERT(token.len <= CAMPUS_TOKEN_BYTES_MAX && name.len <= CAMPUS_NAME_BYTES_MAX);
    *profile = (struct campus_profile){
        .bytes = (uint32_t)bytes,
        .taken_count = taken_count,
        .name_len = (uint16_t)name.len,
        .token_len = (uint8_t)token.len,
    };
    uint8_t *texts = (uint8_t *)&profile->taken[taken_count];

    memcpy(texts, token.data, token.len);
    if (name.len > 0) {
        memcpy(texts + token.len, name.data, name.len);
    }
    campus->student_bytes += arena_cost(bytes);
    return profile;
}

struct campus_profile *campus_profile_bare(struct campus *campus, struct slice token)
{
    return campus_profile_alloc(campus, 0, token, SLICE_NONE);
}

void campus_profile_free(struct campus *campus, struct campus_profile *profile)
{
    campus->student_bytes -= arena_cost(profile->bytes);
    arena_free(&campus->arena, profile, profile->bytes);
}

int campus_student_check(const Carillon__Student *student, struct buf *text)
{
    const char *wrong = NULL;

    if (!text_is_name(student->token, CAMPUS_TOKEN_BYTES_MAX)) {
        wrong = "the token is empty, too long or not plain text";
    } else if (!text_is_plain(student->name, CAMPUS_NAME_BYTES_MAX)) {
        wrong = "the name is too long or not UTF-8";
    } else if (student->level > LEVEL_MAX) {
        wrong = "the level is too large";
    } else if (student->n_taken > CAMPUS_TAKEN_MAX) {
        wrong = "more than 512 courses taken";
    }
    for (size_t i = 0; wrong == NULL && i < student->n_taken; i++) {
        const Carillon__Taken *taken = student->taken[i];

        if (!text_is_name(taken->code, CAMPUS_CODE_BYTES_MAX) ||
            !text_is_plain(taken->institution, CAMPUS_INSTITUTION_BYTES_MAX)) {
            wrong = "a course taken has no proper code";
        } else if (taken->grade > GRADE_MAX || taken->credits_hundredths > TAKEN_CREDITS_MAX) {
            wrong = "a grade or credits out of range";
        }
    }
    if (wrong == NULL) {
        return OK;
    }
    int rc = buf_append_format(text, "student \"%s\": %s",
                               text_or_mark(student->token, CAMPUS_TOKEN_BYTES_MAX), wrong);
    (void)rc; /* a text cut short is still a text */
    return ERR_ARGUMENT;
}

static bool is_better(const struct campus_taken *a, const struct campus_taken *b)
{
    return b->grade != 0 && (a->grade == 0 || a->grade > b->grade);
}

/* Insert in order of codes; of two entries for one code the better stays. Lists are short and
 * mostly new codes, so insertion is cheap enough. Returns: the new count. */
static uint16_t taken_insert(struct campus_taken *list, uint16_t count,
                             struct campus_taken taken)
{
    uint16_t at = count;

    while (at > 0 && list[at - 1].code > taken.code) {
        at--;
    }
    if (at > 0 && list[at - 1].code == taken.code) {
        if (is_better(&taken, &list[at - 1])) {
            list[at - 1] = taken;
        }
        return count;
    }
    memmove(&list[at + 1], &list[at], (size_t)(count - at) * sizeof *list);
    list[at] = taken;
    return (uint16_t)(count + 1);
}

struct campus_profile *campus_profile_make(struct campus *campus, uint32_t institution,
                                           const Carillon__Student *message)
{
    struct campus_taken list[CAMPUS_TAKEN_MAX];
    uint16_t count = 0;

    ASSERT(message->n_taken <= CAMPUS_TAKEN_MAX);
    for (size_t i = 0; i < message->n_taken; i++) {
        const Carillon__Taken *taken = message->taken[i];
        uint32_t at = taken->institution[0] == '\0'
                          ? institution
                          : campus_word_intern(campus, slice_from_text(taken->institution));

        count = taken_insert(
            list, count,
            (struct campus_taken){
                .code = campus_code_intern(campus, at, slice_from_text(taken->code)),
                .grade = (uint16_t)taken->grade,
                .credits = (uint16_t)taken->credits_hundredths,
            });
    }
    struct campus_profile *profile = campus_profile_alloc(
        campus, count, slice_from_text(message->token), slice_from_text(message->name));

    profile->content_hash = message->content_hash;
    profile->level = (uint16_t)message->level;
    memcpy(profile->taken, list, count * sizeof *list);
    return profile;
}

const struct campus_taken *campus_taken_find(const struct campus_profile *profile,
                                             uint32_t code)
{
    uint32_t low = 0;
    uint32_t high = profile->taken_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (profile->taken[middle].code < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < profile->taken_count && profile->taken[low].code == code ? &profile->taken[low]
                                                                          : NULL;
}
