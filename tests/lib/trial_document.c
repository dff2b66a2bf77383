/* The documents that the search index hears of. */
#include <stdlib.h>

#include "tests/lib/trial_private.h"

static uint32_t document_state(const struct trial *trial, uint32_t document)
{
    return document < trial->document_count ? trial->documents[document]
                                            : (uint32_t)ENROL_DOCUMENT_REMOVED;
}

static void document_set(struct trial *trial, uint32_t document, uint32_t kind)
{
    while (document >= trial->document_count) {
        unsigned count = trial->document_count == 0 ? 64 : trial->document_count * 2;

        trial->documents = realloc(trial->documents, count * sizeof *trial->documents);
        ASSERT(trial->documents != NULL);
        for (unsigned i = trial->document_count; i < count; i++) {
            trial->documents[i] = ENROL_DOCUMENT_REMOVED;
        }
        trial->document_count = count;
    }
    trial->documents[document] = kind;
}

bool trial__documents_follow(struct trial *trial)
{
    for (size_t i = 0; i < enrol_effect_count(&trial->result); i++) {
        struct enrol_effect effect = enrol_effect_at(&trial->result, i);
        uint32_t before = document_state(trial, effect.document);
        bool is_legal = effect.kind == ENROL_DOCUMENT_STAGED ? before == ENROL_DOCUMENT_REMOVED
                        : effect.kind == ENROL_DOCUMENT_PUBLISHED
                            ? before == ENROL_DOCUMENT_STAGED
                            : before != ENROL_DOCUMENT_REMOVED;

        if (!is_legal) {
            return trial__differ(trial, "a document takes an illegal step");
        }
        document_set(trial, effect.document, effect.kind);
    }
    return true;
}

/* How many documents are in a state. */
static unsigned document_total(const struct trial *trial, uint32_t kind)
{
    unsigned total = 0;

    for (unsigned i = 0; i < trial->document_count; i++) {
        total += trial->documents[i] == kind;
    }
    return total;
}

bool trial__documents_compare(struct trial *trial, const struct enrol *enrol)
{
    unsigned listed = 0;
    unsigned offered = 0;
    uint32_t cursor = 0;
    struct enrol_effect effect;

    while (enrol_document_next(enrol, &cursor, &effect)) {
        if (document_state(trial, effect.document) != effect.kind) {
            return trial__differ(trial, "a document is not as its effects said");
        }
        listed++;
    }
    for (int i = 0; i < trial->model.courses.count; i++) {
        offered += trial->model.courses.items[i].presence == MODEL_OFFERED;
    }
    if (document_total(trial, ENROL_DOCUMENT_PUBLISHED) < offered) {
        return trial__differ(trial, "a course that is offered has no document");
    }
    return listed == document_total(trial, ENROL_DOCUMENT_STAGED) +
                         document_total(trial, ENROL_DOCUMENT_PUBLISHED) ||
           trial__differ(trial, "the documents listed are not those there are");
}
