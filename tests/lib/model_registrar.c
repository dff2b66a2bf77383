/* The registrar's methods: section 6 of docs/spec/registration.md. */
#include "tests/lib/model_private.h"

/* Unpack @body as a message of @name, do @call with it, and let it go. */
#define WITH_REQUEST(name, call)                                                               \
    do {                                                                                       \
        int status_ = ERR_MALFORMED;                                                           \
        request = carillon__##name##__unpack(NULL, body.len, body.data);                       \
        if (request != NULL) {                                                                 \
            status_ = call;                                                                    \
            carillon__##name##__free_unpacked(request, NULL);                                  \
        }                                                                                      \
        return status_;                                                                        \
    } while (0)

static int window_set(struct model *model, const Carillon__WindowRequest *request,
                      struct model_answer *answer)
{
    Carillon__WindowReply reply = CARILLON__WINDOW_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    int offer = model_offer_find(model, request->institution, request->term);

    if (request->closes_ms > 0 && request->closes_ms < request->opens_ms) {
        return ERR_ARGUMENT;
    }
    if (offer == MODEL_NONE) {
        return ERR_GONE;
    }
    model->offers.items[offer].opens_ms = request->opens_ms;
    model->offers.items[offer].closes_ms = request->closes_ms;
    model->offers.items[offer].level_min = request->level_min;
    model__queue_all(model);
    model__queue_run(model, MODEL_NONE);
    reply.receipt = &receipt;
    model__reply(answer, &reply.base);
    return OK;
}

int model__window_set(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__WindowRequest *request;

    WITH_REQUEST(window_request, window_set(model, request, answer));
}

static int limits_set(struct model *model, const Carillon__LimitsRequest *request,
                      struct model_answer *answer)
{
    Carillon__LimitsReply reply = CARILLON__LIMITS_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    int offer = model_offer_find(model, request->institution, request->term);

    if (request->courses_max < 1 || request->courses_max > 16 ||
        request->waitlist_max > 10000) {
        return ERR_ARGUMENT;
    }
    if (offer == MODEL_NONE) {
        return ERR_GONE;
    }
    model->offers.items[offer].courses_max = request->courses_max;
    model->offers.items[offer].credits_max = request->credits_max_hundredths;
    model->offers.items[offer].waitlist_max =
        request->waitlist_max == 0 ? 500 : request->waitlist_max;
    model__queue_all(model);
    model__queue_run(model, MODEL_NONE);
    reply.receipt = &receipt;
    model__reply(answer, &reply.base);
    return OK;
}

int model__limits_set(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__LimitsRequest *request;

    WITH_REQUEST(limits_request, limits_set(model, request, answer));
}

/* A student who is offered or withdrawn, or NULL. */
static struct model_student *student_named(struct model *model, const char *token)
{
    int at = model_student_find(model, token);

    if (at == MODEL_NONE || model->students.items[at].presence == MODEL_ABSENT) {
        return NULL;
    }
    return &model->students.items[at];
}

static int block_index(const struct model_student *student, const char *reason)
{
    for (int i = 0; i < student->block_count; i++) {
        if (strcmp(student->blocks[i].reason, reason) == 0) {
            return i;
        }
    }
    return MODEL_NONE;
}

static int block_set(struct model *model, struct model_student *student, const char *reason)
{
    struct model_block *block;

    if (block_index(student, reason) != MODEL_NONE) {
        return OK;
    }
    if (student->block_count == MODEL_BLOCKS_MAX) {
        return ERR_FULL;
    }
    block = &student->blocks[student->block_count++];
    model__text_set(block->reason, sizeof block->reason, reason);
    block->since_ms = model->wall_ms;
    return OK;
}

static int block_lift(struct model *model, struct model_student *student, const char *reason)
{
    int at;

    if (reason[0] == '\0') {
        student->block_count = 0;
    } else {
        at = block_index(student, reason);
        if (at == MODEL_NONE) {
            return ERR_GONE;
        }
        memmove(&student->blocks[at], &student->blocks[at + 1],
                (size_t)(student->block_count - at - 1) * sizeof student->blocks[0]);
        student->block_count--;
    }
    model__queue_student(model, (int)(student - model->students.items));
    model__queue_run(model, MODEL_NONE);
    return OK;
}

static int block(struct model *model, const Carillon__BlockRequest *request,
                 struct model_answer *answer)
{
    Carillon__BlockReply reply = CARILLON__BLOCK_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    struct model_student *student = student_named(model, request->student);
    size_t len = strlen(request->reason);
    int status;

    if (len > MODEL_REASON_MAX || (len == 0 && !request->remove)) {
        return ERR_ARGUMENT;
    }
    if (student == NULL) {
        return ERR_UNKNOWN_STUDENT;
    }
    status = request->remove ? block_lift(model, student, request->reason)
                             : block_set(model, student, request->reason);
    if (status == OK) {
        reply.receipt = &receipt;
        reply.blocks = (uint32_t)student->block_count;
        model__reply(answer, &reply.base);
    }
    return status;
}

int model__block(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__BlockRequest *request;

    WITH_REQUEST(block_request, block(model, request, answer));
}

static int permit_change(struct model *model, struct model_student *student, int section,
                         uint32_t kinds)
{
    int at = 0;

    while (at < student->permit_count && student->permits[at].section != section) {
        at++;
    }
    if (kinds == 0) {
        if (at == student->permit_count) {
            return ERR_GONE;
        }
        memmove(&student->permits[at], &student->permits[at + 1],
                (size_t)(student->permit_count - at - 1) * sizeof student->permits[0]);
        student->permit_count--;
        return OK;
    }
    if (at == MODEL_PERMITS_MAX) {
        return ERR_FULL;
    }
    student->permits[at] = (struct model_permit){section, kinds, model->wall_ms};
    student->permit_count += at == student->permit_count;
    return OK;
}

static int permit_set(struct model *model, const Carillon__PermitRequest *request,
                      struct model_answer *answer)
{
    Carillon__PermitReply reply = CARILLON__PERMIT_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    struct model_student *student = student_named(model, request->student);
    int section;
    int status;

    if (request->section == NULL || request->kinds > 7) {
        return ERR_ARGUMENT;
    }
    if (student == NULL) {
        return ERR_UNKNOWN_STUDENT;
    }
    status = model_resolve(model, request->section, &section);
    if (status == OK) {
        status = permit_change(model, student, section, request->kinds);
    }
    if (status == OK) {
        model__queue_student(model, (int)(student - model->students.items));
        model__queue_run(model, MODEL_NONE);
        reply.receipt = &receipt;
        model__reply(answer, &reply.base);
    }
    return status;
}

int model__permit_set(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__PermitRequest *request;

    WITH_REQUEST(permit_request, permit_set(model, request, answer));
}

static int cap(struct model *model, const Carillon__CapRequest *request,
               struct model_answer *answer)
{
    Carillon__CapReply reply = CARILLON__CAP_REPLY__INIT;
    Carillon__Receipt receipt = model__receipt(model);
    int section;
    int status;

    if (request->section == NULL) {
        return ERR_ARGUMENT;
    }
    status = model_resolve(model, request->section, &section);
    if (status != OK) {
        return status;
    }
    model->sections.items[section].capacity_known = request->capacity_known != 0;
    model->sections.items[section].capacity = request->capacity;
    model__queue_section(model, section);
    reply.promoted = model__queue_run(model, section);
    reply.enrolled = model_enrolled(model, section);
    reply.receipt = &receipt;
    model__reply(answer, &reply.base);
    return OK;
}

int model__cap(struct model *model, struct slice body, struct model_answer *answer)
{
    Carillon__CapRequest *request;

    WITH_REQUEST(cap_request, cap(model, request, answer));
}
