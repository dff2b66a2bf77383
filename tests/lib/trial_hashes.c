/* What an importing client is told: which records there are, and the hash of each. */
#include "tests/lib/trial_private.h"
#include "wire/message.h"

/* The hash of the record called @name, when the catalogue or the student body that @request
 * asks for offers it. */
static bool hash_find(const struct model *model, const Carillon__ImportHashesRequest *request,
                      const char *name, uint64_t *ret_hash)
{
    int at;

    if (request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES) {
        at = model_course_find(model, request->institution, request->term, name);
        if (at == MODEL_NONE || model->courses.items[at].presence != MODEL_OFFERED) {
            return false;
        }
        *ret_hash = model->courses.items[at].content_hash;
        return true;
    }
    at = model_student_find(model, name);
    if (at == MODEL_NONE || model->students.items[at].presence != MODEL_OFFERED ||
        strcmp(model->students.items[at].institution, request->institution) != 0) {
        return false;
    }
    *ret_hash = model->students.items[at].content_hash;
    return true;
}

static size_t offered_count(const struct model *model,
                            const Carillon__ImportHashesRequest *request)
{
    size_t count = 0;

    if (request->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES) {
        for (int i = 0; i < model->courses.count; i++) {
            const struct model_course *course = &model->courses.items[i];

            count += course->presence == MODEL_OFFERED &&
                     strcmp(course->institution, request->institution) == 0 &&
                     strcmp(course->term, request->term) == 0;
        }
        return count;
    }
    for (int i = 0; i < model->students.count; i++) {
        const struct model_student *student = &model->students.items[i];

        count += student->presence == MODEL_OFFERED &&
                 strcmp(student->institution, request->institution) == 0;
    }
    return count;
}

/* Check one page. Returns how many records it has, or MODEL_NONE when one is wrong. */
static int page_compare(const struct trial *trial, const Carillon__ImportHashesRequest *request,
                        const Carillon__ImportHashesReply *page)
{
    if (page->n_names != page->n_hashes) {
        return MODEL_NONE;
    }
    for (size_t i = 0; i < page->n_names; i++) {
        uint64_t hash;

        if (!hash_find(&trial->model, request, page->names[i], &hash) ||
            hash != page->hashes[i]) {
            return MODEL_NONE;
        }
    }
    return (int)page->n_names;
}

static bool list_compare(struct trial *trial, Carillon__ImportHashesRequest *request)
{
    enum { CURSOR_BYTES = 256 };
    char cursor[CURSOR_BYTES] = "";
    size_t total = 0;

    request->limit =
        rng_chance(&trial->rng, 500000) ? 0 : (uint32_t)rng_between(&trial->rng, 1, 9);
    do {
        Carillon__ImportHashesReply *page;
        int count;

        request->cursor = cursor;
        if (trial__read(trial, CARILLON__METHOD__METHOD_IMPORT_HASHES, &request->base) != OK) {
            return trial__differ(trial, "the hashes cannot be read");
        }
        page = carillon__import_hashes_reply__unpack(NULL, trial->reply.len, trial->reply.data);
        ASSERT(page != NULL && strlen(page->next_cursor) < CURSOR_BYTES);
        memcpy(cursor, page->next_cursor, strlen(page->next_cursor) + 1);
        count = page_compare(trial, request, page);
        carillon__import_hashes_reply__free_unpacked(page, NULL);
        if (count == MODEL_NONE) {
            return trial__differ(trial, "a name or hash is listed that is not offered");
        }
        total += (size_t)count;
    } while (cursor[0] != '\0' && total <= offered_count(&trial->model, request));
    return total == offered_count(&trial->model, request) ||
           trial__differ(trial, "not every record is listed once with its hash");
}

bool trial__hashes_compare(struct trial *trial)
{
    Carillon__ImportHashesRequest request = CARILLON__IMPORT_HASHES_REQUEST__INIT;

    request.kind = CARILLON__IMPORT_KIND__IMPORT_COURSES;
    for (int i = 0; i < trial->model.offers.count; i++) {
        request.institution = trial->model.offers.items[i].institution;
        request.term = trial->model.offers.items[i].term;
        if (!list_compare(trial, &request)) {
            return false;
        }
    }
    if (trial->model.students.count == 0) {
        return true;
    }
    request.kind = CARILLON__IMPORT_KIND__IMPORT_STUDENTS;
    request.institution =
        trial->model.students
            .items[rng_below(&trial->rng, (uint64_t)trial->model.students.count)]
            .institution;
    request.term = wire_text("");
    return list_compare(trial, &request);
}
