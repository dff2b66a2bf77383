/* What the ops that were told must have been answered, and what must be left: the rules of a
 * small world, applied in the order of the log. Students meet no rule but seats and the limit of
 * courses: whoever is first in a waitlist and may have one more course gets the seat. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/operator.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum {
    PAGE_ROWS = 7,
    COURSES_MAX = 5, /* unless a registrar sets it: docs/spec/registration.md section 6 */
};

struct place {
    uint64_t registered; /* index of the entry that did it; 0: not */
    uint64_t waiting;
};

struct model {
    struct node_world *world;
    uint32_t courses_max;
    uint32_t capacity[NODE_WORLD_COURSES + 1];
    struct place places[NODE_WORLD_COURSES + 1][NODE_WORLD_STUDENTS + 1];
};

static uint32_t enrolled(const struct model *model, uint32_t course)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i <= NODE_WORLD_STUDENTS; i++) {
        count += model->places[course][i].registered != 0;
    }
    return count;
}

static bool is_full(const struct model *model, uint32_t course)
{
    return enrolled(model, course) >= model->capacity[course];
}

static uint32_t courses_of(const struct model *model, uint32_t student)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i <= NODE_WORLD_COURSES; i++) {
        count += model->places[i][student].registered != 0;
    }
    return count;
}

/* Whoever has all the courses he may have is passed over and keeps his place. */
static struct place *first_eligible(struct model *model, uint32_t course)
{
    struct place *first = NULL;

    for (uint32_t i = 1; i <= NODE_WORLD_STUDENTS; i++) {
        struct place *place = &model->places[course][i];

        if (place->waiting != 0 && (first == NULL || place->waiting < first->waiting) &&
            courses_of(model, i) < model->courses_max) {
            first = place;
        }
    }
    return first;
}

static void promote(struct model *model, uint32_t course, uint64_t index)
{
    struct place *first;

    while (!is_full(model, course) && (first = first_eligible(model, course)) != NULL) {
        first->waiting = 0;
        first->registered = index;
        model->world->sometimes[SOMETIMES_PROMOTED]++;
    }
}

/* @student has a course less: what he was passed over for, in the order of his waiting. */
static void promote_student(struct model *model, uint32_t student, uint64_t index)
{
    uint64_t after = 0;
    uint32_t course;

    do {
        course = 0;
        for (uint32_t i = 1; i <= NODE_WORLD_COURSES; i++) {
            uint64_t waiting = model->places[i][student].waiting;

            if (waiting > after &&
                (course == 0 || waiting < model->places[course][student].waiting)) {
                course = i;
            }
        }
        if (course != 0) {
            after = model->places[course][student].waiting;
            promote(model, course, index);
        }
    } while (course != 0);
}

/* The first refusal that the op must meet, or 0. */
static uint32_t refusal(const struct model *model, const struct world_op *op)
{
    const struct place *drop = &model->places[op->drop][op->student];
    const struct place *add = &model->places[op->add][op->student];

    if (op->drop != 0 && drop->registered == 0 && drop->waiting == 0) {
        return CARILLON__REFUSAL_KIND__REFUSAL_NOT_REGISTERED;
    }
    if (op->add == 0) {
        return 0;
    }
    if (add->registered != 0) {
        return CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_REGISTERED;
    }
    if (add->waiting != 0) {
        return CARILLON__REFUSAL_KIND__REFUSAL_ALREADY_WAITLISTED;
    }
    if (is_full(model, op->add)) {
        return op->kind == WORLD_WAIT ? 0 : CARILLON__REFUSAL_KIND__REFUSAL_WAITLIST_AVAILABLE;
    }
    uint32_t left = op->drop != 0 && drop->registered != 0;

    return courses_of(model, op->student) - left < model->courses_max
               ? 0
               : CARILLON__REFUSAL_KIND__REFUSAL_COURSE_LIMIT;
}

static uint32_t perform_drop(struct model *model, const struct world_op *op)
{
    struct place *place = &model->places[op->drop][op->student];
    bool was_registered = place->registered != 0;

    *place = (struct place){0, 0};
    return was_registered ? CARILLON__CHANGE_KIND__CHANGE_DROPPED
                          : CARILLON__CHANGE_KIND__CHANGE_WAITLIST_LEFT;
}

static uint32_t perform_add(struct model *model, const struct world_op *op)
{
    struct place *place = &model->places[op->add][op->student];

    if (is_full(model, op->add)) {
        place->waiting = op->index;
        return CARILLON__CHANGE_KIND__CHANGE_WAITLISTED;
    }
    place->registered = op->index;
    return CARILLON__CHANGE_KIND__CHANGE_REGISTERED;
}

static void apply_submit(struct model *model, const struct world_op *op)
{
    uint32_t expected = refusal(model, op);
    uint32_t change = 0;

    if (expected != op->refusal || (op->status == OK) != (expected == 0)) {
        node_world_violate(
            model->world,
            "entry %llu: student %u, add %u, drop %u was told %s with refusal %u "
            "instead of %u",
            (unsigned long long)op->index, op->student, op->add, op->drop,
            error_name(op->status), op->refusal, expected);
        return;
    }
    if (expected != 0) {
        return;
    }
    if (op->drop != 0) {
        change = perform_drop(model, op);
    }
    if (op->add != 0) {
        change = perform_add(model, op);
    }
    if (change != op->change) {
        node_world_violate(model->world, "entry %llu: told change %u instead of %u",
                           (unsigned long long)op->index, op->change, change);
    }
    if (op->drop != 0) {
        promote(model, op->drop, op->index);
        promote_student(model, op->student, op->index);
    }
}

static void apply(struct model *model, const struct world_op *op)
{
    if (op->kind <= WORLD_WAIT) {
        apply_submit(model, op);
    } else if (op->kind == WORLD_CAP) {
        model->capacity[op->add] = op->capacity;
        promote(model, op->add, op->index);
    } else if (op->kind == WORLD_LIMITS) {
        model->courses_max = NODE_WORLD_COURSES_MAX;
        for (uint32_t i = 1; i <= NODE_WORLD_COURSES; i++) {
            promote(model, i, op->index);
        }
    }
}

static int by_index(const void *a, const void *b)
{
    const struct world_op *const *left = a;
    const struct world_op *const *right = b;

    return (*left)->index < (*right)->index ? -1 : (*left)->index > (*right)->index;
}

static void apply_all(struct model *model, uint64_t as_of)
{
    struct node_world *world = model->world;
    const struct world_op **told = calloc(world->op_count + 1, sizeof *told);
    uint32_t count = 0;

    for (uint32_t i = 0; told != NULL && i < world->op_count; i++) {
        if (world->ops[i].state == WORLD_OP_TOLD && world->ops[i].index != 0) {
            told[count++] = &world->ops[i];
        }
    }
    qsort(told, count, sizeof *told, by_index);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && told[i]->index == told[i - 1]->index) {
            node_world_violate(world, "two requests have the receipt %llu",
                               (unsigned long long)told[i]->index);
        }
        if (told[i]->index > as_of) {
            node_world_violate(world, "entry %llu was told and the log ends with %llu",
                               (unsigned long long)told[i]->index, (unsigned long long)as_of);
        }
        apply(model, told[i]);
    }
    free(told);
}

/* Mark one exported row off the model. */
static void mark_off(struct model *model, const Carillon__ExportRow *row, bool is_waitlist)
{
    unsigned student = 0;
    unsigned course = 0;

    if (sscanf(row->student, "s%u", &student) != 1 || sscanf(row->code, "C %u", &course) != 1 ||
        student > NODE_WORLD_STUDENTS || course > NODE_WORLD_COURSES) {
        node_world_violate(model->world, "the export has %s in %s", row->student, row->code);
        return;
    }
    struct place *place = &model->places[course][student];
    uint64_t *since = is_waitlist ? &place->waiting : &place->registered;
    if (*since != row->since_index) {
        node_world_violate(model->world, "%s in %s since %llu, but should be since %llu (%s)",
                           row->student, row->code, (unsigned long long)row->since_index,
                           (unsigned long long)*since, is_waitlist ? "waiting" : "registered");
    }
    *since = 0;
}

static void compare(struct model *model, Carillon__ExportKind kind)
{
    struct node_world *world = model->world;
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    char cursor[256] = "";

    request.kind = kind;
    request.limit = PAGE_ROWS;
    do {
        Carillon__ExportReply *reply = NULL;

        request.cursor = cursor;
        int rc = node_world_call(world, CARILLON__METHOD__METHOD_EXPORT, &request.base,
                                 &carillon__export_reply__descriptor, &reply);
        if (rc != OK || reply == NULL) {
            node_world_violate(world, "export: %s", error_name(rc));
            return;
        }
        for (size_t i = 0; i < reply->n_rows; i++) {
            mark_off(model, reply->rows[i], kind == CARILLON__EXPORT_KIND__EXPORT_WAITLISTS);
        }
        (void)snprintf(cursor, sizeof cursor, "%s", reply->next_cursor);
    } while (cursor[0] != '\0');
}

void node_world_check_model(struct node_world *world, const Carillon__Receipt *as_of)
{
    struct model model = {.world = world, .courses_max = COURSES_MAX};

    for (uint32_t i = 1; i <= NODE_WORLD_COURSES; i++) {
        model.capacity[i] = 1 + (i - 1) % 4;
    }
    apply_all(&model, as_of->index);
    compare(&model, CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS);
    compare(&model, CARILLON__EXPORT_KIND__EXPORT_WAITLISTS);
    for (uint32_t i = 1; i <= NODE_WORLD_COURSES; i++) {
        for (uint32_t k = 1; k <= NODE_WORLD_STUDENTS; k++) {
            const struct place *place = &model.places[i][k];

            if (place->registered != 0 || place->waiting != 0) {
                node_world_violate(world, "s%u was told of a place in C %u and is not there", k,
                                   i);
            }
        }
    }
}
