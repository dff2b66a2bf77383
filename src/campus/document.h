/* campus/document.h -- what a file says about a course: built from a message, viewed, freed.
 *
 * Layer: campus (base, wire)
 *
 * A document is immutable. It keeps the packed Course message, so that showing and exporting a
 * course gives back what was imported, and beside it the compact forms that registering needs.
 */
#ifndef CARILLON_CAMPUS_DOCUMENT_H
#define CARILLON_CAMPUS_DOCUMENT_H

#include "base/buf.h"
#include "base/slice.h"
#include "proto/catalogue.pb-c.h"

struct campus;

/* Texts borrowed from the document until it is removed. */
struct campus_document_view {
    struct slice institution;
    struct slice term;
    struct slice code;
    struct slice subject;
    struct slice number;
    struct slice title;
    struct slice description;
    struct slice prerequisites_text;
    struct slice packed;   /* the Course message */
    size_t instructors_at; /* where the first instructor stands in it; packed.len: none */
    uint32_t course;
    bool credits_known;
    uint32_t credits_hundredths;
    uint32_t level;         /* 0: unknown */
    uint32_t section_count; /* one at least */
};

/* The view of a staged or published document. */
void campus_document_view(const struct campus *campus, uint32_t document,
                          struct campus_document_view *ret_view);

/* Ask the memory for what a view of @document reads: with @link from 0 to CAMPUS_VIEW_LINKS - 1
 * one link of its chain of pointers after the other, the sections with the last. Each link is
 * read by the next one: between them the caller does something else, or the same for other
 * documents.
 */
enum { CAMPUS_VIEW_LINKS = 4 };
void campus_document_prefetch(const struct campus *campus, uint32_t document, uint32_t link);

/* The next instructor; @at begins with 0. Returns: false after the last. */
bool campus_view_instructor(const struct campus_document_view *view, size_t *at,
                            struct slice *ret_name);

/* The days of the meetings of the document's section @section (< section_count). */
uint32_t campus_document_days(const struct campus *campus, uint32_t document, uint32_t section);

/* Whether a Course message is acceptable in a catalogue: texts are UTF-8 within their bounds,
 * the rule is sound, section ids are there and differ, meetings lie within a day. Errors:
 * ERR_ARGUMENT, and @text says which course and what. */
int campus_course_check(const Carillon__Course *course, struct buf *text) CHECKED;

/* Build the document of @course (an ordinal) from an acceptable message; sections that the
 * course never had are created hidden. Returns: the document's ordinal. */
uint32_t campus_document_make(struct campus *campus, uint32_t course,
                              Carillon__Course *message);
void campus_document_free(struct campus *campus, uint32_t document);

#endif
