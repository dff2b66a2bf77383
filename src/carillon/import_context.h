/* carillon/import_context.h -- what the parsers of one record share: memory, findings, the path
 * of the field at hand.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 *
 * Parsers never stop at the first fault: they report it, take an empty value, and go on, so
 * that one run shows every fault of a record. Whether a record is refused is read off the
 * report's counter.
 */
#ifndef CARILLON_CARILLON_IMPORT_CONTEXT_H
#define CARILLON_CARILLON_IMPORT_CONTEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "carillon/import_report.h"
#include "carillon/import_rule.h"
#include "proto/catalogue.pb-c.h"

enum { IMPORT_PREFIX_BYTES = 48 };

struct import_context {
    struct arena *arena; /* of the record; messages and texts live there */
    struct import_report *report;
    const char *institution;          /* overrides the records' own; NULL: it does not */
    const char *term;                 /* the same for the term */
    const char *institution_default;  /* for records that name none; NULL: they must */
    const char *term_default;         /* for courses that name none */
    char prefix[IMPORT_PREFIX_BYTES]; /* "sections[3]." or "" */
    struct buf packed;                /* scratch for hashing */
    struct import_rule rule;          /* scratch for trees */
};

enum import_text_flags {
    IMPORT_TEXT_REQUIRED = 1, /* empty is refused */
    IMPORT_TEXT_LINES = 2,    /* line breaks and tabs are allowed */
};

void import_context_init(struct import_context *context, struct arena *arena,
                         struct import_report *report);
void import_context_fini(struct import_context *context);

/* Report a finding about @field below the current prefix. */
void import_context_find(struct import_context *context, enum import_finding kind,
                         const char *field, struct slice evidence);

/* Set the prefix: import_context_enter(context, "sections", 3) gives "sections[3].". */
void import_context_enter(struct import_context *context, const char *list, size_t index);

/* Check a text of a record (already known to be UTF-8) and copy it: white space at both ends is
 * removed. Returns: a terminated text in the arena, "" when it is empty or was refused. Never
 * NULL. */
char *import_text(struct import_context *context, const char *field, struct slice raw,
                  size_t bytes_max, unsigned flags);

/* Turn a tree parser's error into its finding. */
void import_rule_find(struct import_context *context, int error,
                      const struct import_rule_error *detail, bool is_grammar);

/* Copy the finished context->rule into @course. */
void import_rule_store(struct import_context *context, Carillon__Course *course);

/* Add a pointer to a repeated field's array, which grows by doubling; @items may be NULL with
 * *@count 0. */
void *import_append(struct arena *arena, void *items, size_t *count, void *item);

#endif
