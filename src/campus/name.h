/* campus/name.h -- from names to ordinals and back.
 *
 * Layer: campus (base)     Spec: docs/spec/registration.md section 1
 *
 * *_find look at everything that was ever named, whatever its state; *_intern add what is not
 * there. Only the resolve functions speak of what is to be seen.
 */
#ifndef CARILLON_CAMPUS_NAME_H
#define CARILLON_CAMPUS_NAME_H

#include "base/buf.h"
#include "campus/campus.h"

struct campus_name {
    struct slice institution;
    struct slice code;
    struct slice section;
    struct slice term;
};

/* All return CAMPUS_NONE when there is no such thing. */
uint32_t campus_word_find(const struct campus *campus, struct slice text);
uint32_t campus_code_find(const struct campus *campus, uint32_t institution, uint32_t word);
uint32_t campus_catalogue_find(const struct campus *campus, struct slice institution,
                               struct slice term);
uint32_t campus_body_find(const struct campus *campus, struct slice institution);
uint32_t campus_course_find(const struct campus *campus, uint32_t catalogue, struct slice code);
uint32_t campus_section_find(const struct campus *campus, uint32_t course, struct slice id);
uint32_t campus_student_find(const struct campus *campus, struct slice token);

uint32_t campus_word_intern(struct campus *campus, struct slice text);
uint32_t campus_code_intern(struct campus *campus, uint32_t institution, struct slice text);
uint32_t campus_catalogue_intern(struct campus *campus, struct slice institution,
                                 struct slice term);
/* The student body of an institution. */
uint32_t campus_body_intern(struct campus *campus, struct slice institution);
/* New courses, sections and students are hidden. */
uint32_t campus_course_intern(struct campus *campus, uint32_t catalogue, struct slice code);
uint32_t campus_section_intern(struct campus *campus, uint32_t course, struct slice id);
uint32_t campus_student_intern(struct campus *campus, uint32_t body, struct slice token);

/* The course or section that a name stands for, parts of it empty when they go without saying.
 * Errors: ERR_UNKNOWN_COURSE, ERR_UNKNOWN_SECTION, ERR_AMBIGUOUS. */
int campus_resolve_course(const struct campus *campus, const struct campus_name *name,
                          uint32_t *ret_course) CHECKED;
int campus_resolve_section(const struct campus *campus, const struct campus_name *name,
                           uint32_t *ret_section) CHECKED;

/* Whether @section is what resolving @name would give, as far as a look at it alone tells: false
 * also when the name leaves out what another course or section might have. The same for a
 * student who is not hidden. CAMPUS_NONE is nobody's. */
bool campus_section_is_named(const struct campus *campus, uint32_t section,
                             const struct campus_name *name);
bool campus_student_is_named(const struct campus *campus, uint32_t student, struct slice token);

/* The section with exactly this full name, whatever its state, or CAMPUS_NONE. */
uint32_t campus_full_name_find(const struct campus *campus, const struct campus_name *name);

/* The full name of a section; of a course, with an empty section. Borrowed for ever. */
void campus_section_name(const struct campus *campus, uint32_t section,
                         struct campus_name *ret_name);
void campus_course_name(const struct campus *campus, uint32_t course,
                        struct campus_name *ret_name);

/* Append `institution:CODE#SECTION`, without what is empty. Errors: ERR_FULL. */
int campus_name_format(const struct campus_name *name, struct buf *out) CHECKED;

/* Link a record that a snapshot brought into the chains of its names. */
void campus_word_link(struct campus *campus, uint32_t word);
void campus_code_link(struct campus *campus, uint32_t code);
void campus_catalogue_link(struct campus *campus, uint32_t catalogue);
void campus_course_link(struct campus *campus, uint32_t course);
void campus_section_link(struct campus *campus, uint32_t section);
void campus_student_link(struct campus *campus, uint32_t student);

/* A section's id, kept inside when it is short. */
void campus_section_set_id(struct campus *campus, struct campus_section *section,
                           struct slice id);

#endif
