#include "campus/snapshot.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/sm.h"
#include "campus/image.h"

enum { STREAM_BYTES_MAX = INT32_MAX };

/* The kinds that are walked by ordinal, in the order of the stream. */
enum {
    WALK_WORDS,
    WALK_CODES,
    WALK_COURSES,
    WALK_SECTIONS,
    WALK_DOCUMENTS,
    WALK_STUDENTS,
    WALK_NR,
};

static const struct {
    uint64_t kind;
    void (*image)(const struct campus *campus, uint32_t ordinal, struct buf *out);
} walks[WALK_NR] = {
    [WALK_WORDS] = {CAMPUS_RECORD_WORD,     campus_image_word    },
    [WALK_CODES] = {CAMPUS_RECORD_CODE,     campus_image_code    },
    [WALK_COURSES] = {CAMPUS_RECORD_COURSE,   campus_image_course  },
    [WALK_SECTIONS] = {CAMPUS_RECORD_SECTION,  campus_image_section },
    [WALK_DOCUMENTS] = {CAMPUS_RECORD_DOCUMENT, campus_image_document},
    [WALK_STUDENTS] = {CAMPUS_RECORD_STUDENT,  campus_image_student },
};

struct campus_snapshot {
    uint32_t counts[WALK_NR];
    uint32_t walk;   /* the kind being walked */
    uint32_t cursor; /* its next ordinal */
    struct buf
        side; /* records of objects that changed before their turn, and of small things */
    struct buf image;
};

void campus_record_append(struct buf *out, uint64_t kind, struct slice bytes)
{
    image_u64(out, kind);
    image_bytes(out, bytes);
}

static uint32_t walk_count(const struct campus *campus, uint32_t walk)
{
    const struct table *tables[WALK_NR] = {
        [WALK_WORDS] = &campus->words,         [WALK_CODES] = &campus->codes,
        [WALK_COURSES] = &campus->courses,     [WALK_SECTIONS] = &campus->sections,
        [WALK_DOCUMENTS] = &campus->documents, [WALK_STUDENTS] = &campus->students,
    };

    return tables[walk]->count;
}

/* The epoch of an object, or NULL for the kinds that never change. */
static uint32_t *walk_epoch(const struct campus *campus, uint32_t walk, uint32_t ordinal)
{
    switch (walk) {
    case WALK_COURSES:
        return &campus_course(campus, ordinal)->epoch;
    case WALK_SECTIONS:
        return &campus_section(campus, ordinal)->epoch;
    case WALK_DOCUMENTS:
        return &campus_document(campus, ordinal)->epoch;
    case WALK_STUDENTS:
        return &campus_student(campus, ordinal)->epoch;
    default:
        return NULL;
    }
}

static void save(struct campus *campus, uint32_t walk, uint32_t ordinal, struct buf *out)
{
    struct buf *image = &campus->snapshot->image;

    buf_clear(image);
    walks[walk].image(campus, ordinal, image);
    campus_record_append(out, walks[walk].kind, buf_slice(image));
}

/* An object is about to change: its old image goes to the side. */
static void save_aside(struct campus *campus, uint32_t walk, uint32_t ordinal)
{
    *walk_epoch(campus, walk, ordinal) = campus->epoch;
    save(campus, walk, ordinal, &campus->snapshot->side);
}

void campus__save_course(struct campus *campus, uint32_t course)
{
    save_aside(campus, WALK_COURSES, course);
}

void campus__save_section(struct campus *campus, uint32_t section)
{
    save_aside(campus, WALK_SECTIONS, section);
}

void campus__save_document(struct campus *campus, uint32_t document)
{
    save_aside(campus, WALK_DOCUMENTS, document);
}

void campus__save_student(struct campus *campus, uint32_t student)
{
    save_aside(campus, WALK_STUDENTS, student);
}

/* ---- imports: their lists only grow, until they are taken apart at once */

static void save_staged(struct campus *campus, uint32_t slot, struct buf *out)
{
    struct campus_import *import = campus->imports[slot];
    struct buf *image = &campus->snapshot->image;

    buf_clear(image);
    if (import->saved_items < import->goal_items) {
        campus_image_staged(campus, slot, import->saved_items++, image);
        campus_record_append(out, CAMPUS_RECORD_STAGED, buf_slice(image));
    } else {
        ASSERT(import->saved_removed < import->goal_removed);
        campus_image_removed(campus, slot, import->saved_removed++, image);
        campus_record_append(out, CAMPUS_RECORD_REMOVED, buf_slice(image));
    }
}

static bool import_is_saved(const struct campus *campus, const struct campus_import *import)
{
    return import == NULL || import->epoch == campus->epoch ||
           (import->saved_items == import->goal_items &&
            import->saved_removed == import->goal_removed);
}

void campus__save_import(struct campus *campus, struct campus_import *import)
{
    if (campus->snapshot == NULL) {
        return;
    }
    uint32_t slot = campus_catalogue(campus, import->catalogue)->import;

    while (!import_is_saved(campus, import)) {
        save_staged(campus, slot, &campus->snapshot->side);
    }
    import->epoch = campus->epoch;
}

/* ---- the stream */

static void save_beginning(struct campus *campus)
{
    struct campus_snapshot *snapshot = campus->snapshot;
    struct buf *image = &snapshot->image;

    for (uint32_t walk = 0; walk < WALK_NR; walk++) {
        snapshot->counts[walk] = walk_count(campus, walk);
        image_u64(image, snapshot->counts[walk]);
    }
    image_u64(image, campus->catalogues.count);
    image_ordinal(image, campus->free_document);
    campus_record_append(&snapshot->side, CAMPUS_RECORD_COUNTS, buf_slice(image));
    for (uint32_t i = 0; i < campus->catalogues.count; i++) {
        buf_clear(image);
        campus_image_catalogue(campus, i, image);
        campus_record_append(&snapshot->side, CAMPUS_RECORD_CATALOGUE, buf_slice(image));
    }
    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        struct campus_import *import = campus->imports[slot];

        if (import != NULL) {
            import->goal_items = import->items.count;
            import->goal_removed = import->removed_count;
            import->saved_items = 0;
            import->saved_removed = 0;
            buf_clear(image);
            campus_image_import(campus, slot, image);
            campus_record_append(&snapshot->side, CAMPUS_RECORD_IMPORT, buf_slice(image));
        }
    }
}

int campus_snapshot_begin(struct campus *campus)
{
    if (campus->snapshot != NULL) {
        return ERR_BUSY;
    }
    campus->snapshot = arena_alloc_zero(&campus->arena, sizeof *campus->snapshot);
    campus->epoch++;
    buf_init(&campus->snapshot->side, STREAM_BYTES_MAX);
    buf_init(&campus->snapshot->image, STREAM_BYTES_MAX);
    save_beginning(campus);
    return OK;
}

/* Write the next object of the walk, if it still has to be. Returns: false when all kinds are
 * done. */
static bool walk_step(struct campus *campus, struct buf *out)
{
    struct campus_snapshot *snapshot = campus->snapshot;

    while (snapshot->walk < WALK_NR && snapshot->cursor == snapshot->counts[snapshot->walk]) {
        snapshot->walk++;
        snapshot->cursor = 0;
    }
    if (snapshot->walk == WALK_NR) {
        return false;
    }
    uint32_t ordinal = snapshot->cursor++;
    uint32_t *epoch = walk_epoch(campus, snapshot->walk, ordinal);

    if (epoch == NULL || *epoch != campus->epoch) {
        if (epoch != NULL) {
            *epoch = campus->epoch;
        }
        save(campus, snapshot->walk, ordinal, out);
    }
    return true;
}

static bool imports_step(struct campus *campus, struct buf *out)
{
    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        if (!import_is_saved(campus, campus->imports[slot])) {
            save_staged(campus, slot, out);
            return true;
        }
    }
    return false;
}

int campus_snapshot_step(struct campus *campus, size_t bytes, struct buf *out)
{
    struct campus_snapshot *snapshot = campus->snapshot;
    size_t end = out->len + bytes;

    ASSERT(snapshot != NULL);
    int rc = buf_append_slice(out, buf_slice(&snapshot->side));

    ASSERT(rc == OK);
    buf_clear(&snapshot->side);
    while (out->len < end) {
        if (!walk_step(campus, out) && !imports_step(campus, out)) {
            campus_snapshot_abort(campus);
            return OK;
        }
    }
    return SM_PENDING;
}

void campus_snapshot_abort(struct campus *campus)
{
    if (campus->snapshot != NULL) {
        buf_fini(&campus->snapshot->side);
        buf_fini(&campus->snapshot->image);
        arena_free(&campus->arena, campus->snapshot, sizeof *campus->snapshot);
        campus->snapshot = NULL;
    }
}
