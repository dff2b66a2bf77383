/* Names in requests, with a text for people when they lead nowhere. */
#include "base/utf8.h"
#include "enrol/enrol_private.h"

static struct slice field(const char *text)
{
    return slice_from_text(text);
}

struct campus_name enrol__name(const Carillon__SectionName *name)
{
    if (name == NULL) {
        return (struct campus_name){SLICE_NONE, SLICE_NONE, SLICE_NONE, SLICE_NONE};
    }
    return (struct campus_name){field(name->institution), field(name->code),
                                field(name->section), field(name->term)};
}

/* What came from outside goes into a text only as far as it is one. */
static bool is_sayable(struct slice part)
{
    return part.len <= CAMPUS_CODE_BYTES_MAX && utf8_is_valid(part);
}

int enrol__find_student(const struct enrol *enrol, struct slice token, uint32_t *ret_student,
                        struct buf *text)
{
    int rc = enrol_student_find(enrol, token, ret_student);

    if (rc != OK && !is_sayable(token)) {
        return ENROL_SAY(text, rc, "no student of that name");
    }
    return rc == OK ? OK
                    : ENROL_SAY(text, rc, "no student \"%.*s\"",
                                token.len < 64 ? (int)token.len : 64,
                                token.len == 0 ? "" : (const char *)token.data);
}

int enrol_student_find(const struct enrol *enrol, struct slice token, uint32_t *ret_student)
{
    uint32_t student = campus_student_find(&enrol->campus, token);

    if (student == CAMPUS_NONE ||
        campus_student(&enrol->campus, student)->state == CAMPUS_HIDDEN) {
        return ERR_UNKNOWN_STUDENT;
    }
    *ret_student = student;
    return OK;
}

/* What is wrong with a name, in words. */
static int say_name(const struct campus_name *name, int error, struct buf *text)
{
    const char *what = error == ERR_UNKNOWN_COURSE    ? "no course"
                       : error == ERR_UNKNOWN_SECTION ? "no section"
                                                      : "more than one course or section";
    int rc = buf_append_format(text, "%s \"", what);

    if (!is_sayable(name->institution) || !is_sayable(name->code) ||
        !is_sayable(name->section) || !is_sayable(name->term)) {
        buf_clear(text);
        return ENROL_SAY(text, error, "%s of that name", what);
    }
    rc = rc == OK ? campus_name_format(name, text) : rc;
    if (rc == OK && name->term.len > 0) {
        rc = buf_append_format(text, "\" in term \"%.*s\"", (int)name->term.len,
                               name->term.data);
    } else if (rc == OK) {
        rc = buf_append_text(text, "\"");
    }
    if (rc == OK && error == ERR_AMBIGUOUS) {
        rc = buf_append_text(text, "; name the institution, term or section");
    }
    (void)rc; /* a text cut short is still a text */
    return error;
}

int enrol__find_section(const struct enrol *enrol, const struct campus_name *name,
                        uint32_t *ret_section, struct buf *text)
{
    int rc = campus_resolve_section(&enrol->campus, name, ret_section);

    return rc == OK ? OK : say_name(name, rc, text);
}

int enrol__find_course(const struct enrol *enrol, const struct campus_name *name,
                       uint32_t *ret_course, struct buf *text)
{
    int rc = campus_resolve_course(&enrol->campus, name, ret_course);

    return rc == OK ? OK : say_name(name, rc, text);
}

uint32_t enrol__code_find(const struct campus *campus, struct slice institution,
                          struct slice code)
{
    uint32_t at = campus_word_find(campus, institution);
    uint32_t word = campus_word_find(campus, code);

    return at == CAMPUS_NONE || word == CAMPUS_NONE ? CAMPUS_NONE
                                                    : campus_code_find(campus, at, word);
}
