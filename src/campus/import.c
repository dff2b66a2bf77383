#include "campus/import.h"

#include "base/assert.h"
#include "campus/campus_private.h"
#include "campus/document.h"
#include "campus/name.h"
#include "campus/snapshot.h"
#include "campus/student.h"

struct campus_import *campus_import_find(const struct campus *campus, const struct uuid *id)
{
    for (uint32_t i = 0; i < CAMPUS_IMPORTS_MAX; i++) {
        struct campus_import *import = campus->imports[i];

        if (import != NULL && memcmp(&import->id, id, sizeof *id) == 0) {
            return import;
        }
    }
    return NULL;
}

int campus_import_open(struct campus *campus, uint32_t kind, uint32_t catalogue,
                       const struct uuid *id, const struct campus_sink *sink)
{
    struct campus_catalogue *of = campus_catalogue(campus, catalogue);
    uint32_t slot = 0;

    if (of->import != CAMPUS_NONE) {
        campus_import_drop(campus, campus->imports[of->import], sink);
    }
    while (campus->imports[slot] != NULL) {
        if (++slot == CAMPUS_IMPORTS_MAX) {
            return ERR_FULL;
        }
    }
    struct campus_import *import = arena_alloc_zero(&campus->arena, sizeof *import);

    import->id = *id;
    import->kind = kind;
    table_init(&import->items, &campus->arena, sizeof(struct campus_staged));
    import->catalogue = catalogue;
    import->epoch = campus->epoch;
    campus->imports[slot] = import;
    of->import = slot;
    return OK;
}

void campus__item_add(struct campus_import *import, struct campus_staged item)
{
    uint32_t at = table_add(&import->items);

    *campus_staged(import, at) = item;
}

int campus_import_course(struct campus *campus, struct campus_import *import,
                         Carillon__Course *message, const struct campus_sink *sink)
{
    uint32_t course =
        campus_course_intern(campus, import->catalogue, slice_from_text(message->code));
    struct campus_course *of = campus_course(campus, course);

    if (of->staged != CAMPUS_NONE) {
        return ERR_EXISTS;
    }
    of->staged = campus_document_make(campus, course, message);
    campus__item_add(import, (struct campus_staged){.object = course, .document = of->staged});
    sink->on_document(sink->context, CAMPUS_DOCUMENT_STAGED, of->staged);
    return OK;
}

int campus_import_student(struct campus *campus, struct campus_import *import,
                          const Carillon__Student *message)
{
    const struct campus_catalogue *body = campus_catalogue(campus, import->catalogue);
    uint32_t student =
        campus_student_intern(campus, import->catalogue, slice_from_text(message->token));
    struct campus_student *of = campus_student(campus, student);

    if (of->is_staged || of->body != import->catalogue) {
        return ERR_EXISTS;
    }
    of->is_staged = true;
    campus__item_add(import,
                     (struct campus_staged){
                         .object = student,
                         .document = CAMPUS_NONE,
                         .profile = campus_profile_make(campus, body->institution, message),
                     });
    return OK;
}

void campus__removed_add(struct campus *campus, struct campus_import *import, uint32_t object)
{
    if (import->removed_count == import->removed_cap) {
        uint32_t cap = import->removed_cap == 0 ? 16 : import->removed_cap * 2;

        import->removed = arena_grow(&campus->arena, import->removed, sizeof object,
                                     import->removed_cap, cap);
        import->removed_cap = cap;
    }
    import->removed[import->removed_count++] = object;
}

void campus_import_removed(struct campus *campus, struct campus_import *import,
                           struct slice name)
{
    bool is_courses = import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES;
    uint32_t object = is_courses ? campus_course_find(campus, import->catalogue, name)
                                 : campus_student_find(campus, name);

    if (object == CAMPUS_NONE) {
        return;
    }
    if (is_courses) {
        struct campus_course *course = campus_course(campus, object);

        if (course->state != CAMPUS_OFFERED || course->is_doomed) {
            return;
        }
        course->is_doomed = true;
    } else {
        struct campus_student *student = campus_student(campus, object);

        if (student->state != CAMPUS_OFFERED || student->body != import->catalogue ||
            student->is_doomed) {
            return;
        }
        student->is_doomed = true;
    }
    campus__removed_add(campus, import, object);
}

static void unstage(struct campus *campus, const struct campus_staged *item,
                    const struct campus_sink *sink)
{
    if (item->profile != NULL) {
        campus_student(campus, item->object)->is_staged = false;
        campus_profile_free(campus, item->profile);
        return;
    }
    campus_course(campus, item->object)->staged = CAMPUS_NONE;
    sink->on_document(sink->context, CAMPUS_DOCUMENT_REMOVED, item->document);
    campus_document_free(campus, item->document);
}

void campus_import_undo(struct campus *campus, struct campus_import *import, uint32_t items,
                        uint32_t removed, const struct campus_sink *sink)
{
    campus__save_import(campus, import);
    while (import->items.count > items) {
        unstage(campus, campus_staged(import, --import->items.count), sink);
    }
    while (import->removed_count > removed) {
        uint32_t object = import->removed[--import->removed_count];

        if (import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES) {
            campus_course(campus, object)->is_doomed = false;
        } else {
            campus_student(campus, object)->is_doomed = false;
        }
    }
}

bool campus_import_shrinks(const struct campus *campus, const struct campus_import *import)
{
    return (uint64_t)import->removed_count * 2 >
           campus_catalogue(campus, import->catalogue)->offered;
}

/* What is staged is gone or belongs to others by now. */
void campus__import_close(struct campus *campus, struct campus_import *import)
{
    struct campus_catalogue *of = campus_catalogue(campus, import->catalogue);

    campus->imports[of->import] = NULL;
    of->import = CAMPUS_NONE;
    table_fini(&import->items);
    if (import->removed_cap > 0) {
        arena_free(&campus->arena, import->removed,
                   import->removed_cap * sizeof *import->removed);
    }
    arena_free(&campus->arena, import, sizeof *import);
}

void campus_import_drop(struct campus *campus, struct campus_import *import,
                        const struct campus_sink *sink)
{
    campus_import_undo(campus, import, 0, 0, sink);
    campus__import_close(campus, import);
}
