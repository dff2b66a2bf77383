/* What a trial has come across, so that no test passes without having tried it. */
#include "tests/lib/trial_private.h"

const char *const trial_mark_names[TRIAL_MARKS] = {
    [TRIAL_ENTRIES] = "entries applied",
    [TRIAL_REFUSED_AT_ADMISSION] = "refused at admission",
    [TRIAL_IN_FLIGHT] = "applied after others in flight",
    [TRIAL_FORGOTTEN] = "admitted and forgotten",
    [TRIAL_REPEATED] = "repeated keys",
    [TRIAL_KEY_REUSED] = "keys reused",
    [TRIAL_KEY_EXPIRED] = "keys expired",
    [TRIAL_PROMOTED] = "promotions",
    [TRIAL_PROMOTED_BY_TIME] = "promotions by the passing of time",
    [TRIAL_PROMOTION_DROP] = "promotion drops",
    [TRIAL_CASCADE] = "cascades of promotions",
    [TRIAL_SKIPPED] = "skips",
    [TRIAL_SETTLED_THEN_REFUSED] = "refused submits that settled a section",
    [TRIAL_OVER_CAPACITY] = "registrations over capacity",
    [TRIAL_SWAPPED] = "swaps",
    [TRIAL_SECTION_WITHDRAWN] = "sections withdrawn with students",
    [TRIAL_STUDENT_WITHDRAWN] = "students withdrawn",
    [TRIAL_SHRINK] = "imports refused as shrinking",
    [TRIAL_CHUNK_REFUSED] = "chunks refused",
    [TRIAL_FULL] = "blocks or permits beyond their limit",
    [TRIAL_CHECKED] = "checks",
    [TRIAL_CHECKED_OK] = "checks that promised and submits that kept it",
    [TRIAL_COMPARED] = "comparisons of everything",
    [TRIAL_VERIFIED] = "verifications",
    [TRIAL_RESTORED] = "restored snapshots",
    [TRIAL_CONTINUED] = "restored snapshots gone on with",
};

static void count_submit(struct trial *trial, const struct model_result *result)
{
    Carillon__SubmitReply *reply =
        carillon__submit_reply__unpack(NULL, result->reply.len, result->reply.data);
    bool has_drop = false;
    bool has_add = false;

    ASSERT(reply != NULL);
    for (size_t i = 0; i < reply->n_refusals; i++) {
        trial->counters->refusals[reply->refusals[i]->kind]++;
    }
    for (size_t i = 0; i < reply->n_changes; i++) {
        trial->counters->changes[reply->changes[i]->kind]++;
        has_drop |= reply->changes[i]->kind == CARILLON__CHANGE_KIND__CHANGE_DROPPED;
        has_add |= reply->changes[i]->kind == CARILLON__CHANGE_KIND__CHANGE_REGISTERED;
    }
    trial->counters->marks[TRIAL_SWAPPED] += has_drop && has_add;
    carillon__submit_reply__free_unpacked(reply, NULL);
}

static void count_notes(struct trial *trial, const struct history_op *op,
                        const struct model_result *result)
{
    uint64_t *marks = trial->counters->marks;
    bool is_after_drop = false;

    for (int i = 0; i < trial->model.notes.count; i++) {
        const struct model_note *note = &trial->model.notes.items[i];

        marks[TRIAL_SKIPPED] += note->kind == MODEL_SKIPPED;
        if (note->kind == MODEL_PROMOTION_DROP) {
            marks[TRIAL_PROMOTION_DROP]++;
            is_after_drop = true;
        } else if (note->kind == MODEL_PROMOTED) {
            marks[TRIAL_PROMOTED]++;
            marks[TRIAL_PROMOTED_BY_TIME] += op->method == 0;
            marks[TRIAL_CASCADE] += is_after_drop;
            marks[TRIAL_SETTLED_THEN_REFUSED] += result->status == ERR_REFUSED;
        }
    }
}

static void count_state(struct trial *trial)
{
    const struct model *model = &trial->model;
    uint64_t *marks = trial->counters->marks;

    for (int i = 0; i < model->registrations.count; i++) {
        const struct model_registration *registration = &model->registrations.items[i];

        marks[TRIAL_OVER_CAPACITY] +=
            registration->since_index == model->index && registration->over_capacity;
    }
}

static void count_import(struct trial *trial, const struct history_op *op,
                         const struct model_result *result)
{
    uint64_t *marks = trial->counters->marks;

    marks[TRIAL_SHRINK] += result->status == ERR_SHRINK;
    if (op->method == CARILLON__METHOD__METHOD_IMPORT_CHUNK) {
        marks[TRIAL_CHUNK_REFUSED] +=
            result->status == ERR_ARGUMENT || result->status == ERR_EXISTS;
    }
    if (op->method != CARILLON__METHOD__METHOD_IMPORT_COMMIT || result->status != OK ||
        result->is_repeated) {
        return;
    }
    for (int i = 0; i < trial->model.sections.count; i++) {
        marks[TRIAL_SECTION_WITHDRAWN] +=
            trial->model.sections.items[i].presence == MODEL_WITHDRAWN;
    }
    for (int i = 0; i < trial->model.students.count; i++) {
        marks[TRIAL_STUDENT_WITHDRAWN] +=
            trial->model.students.items[i].presence == MODEL_WITHDRAWN;
    }
}

void trial__count(struct trial *trial, const struct history_op *op,
                  const struct model_result *result)
{
    uint64_t *marks = trial->counters->marks;

    marks[TRIAL_ENTRIES]++;
    marks[TRIAL_REPEATED] += result->is_repeated;
    marks[TRIAL_KEY_REUSED] += result->status == ERR_KEY_REUSED;
    marks[TRIAL_KEY_EXPIRED] += result->status == ERR_KEY_EXPIRED;
    marks[TRIAL_FULL] += result->status == ERR_FULL;
    count_notes(trial, op, result);
    count_import(trial, op, result);
    if (op->method == CARILLON__METHOD__METHOD_SUBMIT && !result->is_repeated &&
        (result->status == OK || result->status == ERR_REFUSED)) {
        count_submit(trial, result);
        count_state(trial);
    }
}
