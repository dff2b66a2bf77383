/* campus/import.h -- catalogues and student bodies replaced by what a file says, in chunks
 * staged out of sight.
 *
 * Layer: campus (base, wire)     Spec: docs/spec/registration.md section 7
 *
 * Staging builds everything a commit needs (documents, profiles, hidden courses and sections),
 * so that the commit only turns records over. What is staged belongs to the import until it is
 * committed or dropped.
 */
#ifndef CARILLON_CAMPUS_IMPORT_H
#define CARILLON_CAMPUS_IMPORT_H

#include "base/buf.h"
#include "base/uuid.h"
#include "campus/campus.h"
#include "proto/registrar.pb-c.h"

/* What happens to documents is told as it happens. */
enum campus_document_event {
    CAMPUS_DOCUMENT_STAGED = 1,
    CAMPUS_DOCUMENT_PUBLISHED,
    CAMPUS_DOCUMENT_REMOVED,
};

struct campus_sink {
    void (*on_document)(void *context, enum campus_document_event event, uint32_t document);
    void *context;
};

struct campus_staged {
    uint32_t object;                /* course or student */
    uint32_t document;              /* course: its document */
    struct campus_profile *profile; /* student: its profile */
};

struct campus_import {
    struct uuid id;
    uint32_t kind; /* enum ImportKind */
    uint32_t catalogue;
    uint32_t next_sequence;
    struct table items; /* of struct campus_staged */
    uint32_t *removed;  /* courses or students, each once */
    uint32_t removed_count;
    uint32_t removed_cap;
    uint32_t goal_items; /* how many of them a running snapshot wants, and has */
    uint32_t goal_removed;
    uint32_t saved_items;
    uint32_t saved_removed;
    uint32_t epoch;
};

struct campus_import_totals {
    uint32_t added;
    uint32_t changed;
    uint32_t removed;
    uint32_t withdrawn;
    uint32_t total;
};

static inline struct campus_staged *campus_staged(const struct campus_import *import,
                                                  uint32_t item)
{
    return table_at(&import->items, item);
}

/* The open import with this id, or NULL. */
struct campus_import *campus_import_find(const struct campus *campus, const struct uuid *id);

/* Open an import, dropping an open one of the same catalogue. Errors: ERR_FULL. */
int campus_import_open(struct campus *campus, uint32_t kind, uint32_t catalogue,
                       const struct uuid *id, const struct campus_sink *sink) CHECKED;

/* Stage one acceptable record. Errors: ERR_EXISTS it is staged already, or the token is another
 * institution's. */
int campus_import_course(struct campus *campus, struct campus_import *import,
                         Carillon__Course *message, const struct campus_sink *sink) CHECKED;
int campus_import_student(struct campus *campus, struct campus_import *import,
                          const Carillon__Student *message) CHECKED;

/* Name a record as removed; does nothing when it is not offered or was named before. */
void campus_import_removed(struct campus *campus, struct campus_import *import,
                           struct slice name);

/* Take back everything staged after the first @items and @removed of it. */
void campus_import_undo(struct campus *campus, struct campus_import *import, uint32_t items,
                        uint32_t removed, const struct campus_sink *sink);

/* Whether the import would remove more than half of what is offered. */
bool campus_import_shrinks(const struct campus *campus, const struct campus_import *import);

struct campus_commit {
    uint64_t index;
    uint64_t wall_ms;
};

/* Make everything staged visible and close the import. */
void campus_import_commit(struct campus *campus, struct campus_import *import,
                          const struct campus_commit *commit, const struct campus_sink *sink,
                          struct campus_import_totals *ret_totals);

/* Drop everything staged and close the import. */
void campus_import_drop(struct campus *campus, struct campus_import *import,
                        const struct campus_sink *sink);

#endif
