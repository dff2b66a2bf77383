#include "enrol/across_state.h"

#include "base/assert.h"
#include "base/hash.h"
#include "campus/image.h"
#include "campus/shard.h"

void enrol__across_init(struct enrol_across *across, struct arena *arena)
{
    *across = (struct enrol_across){
        .hold_first = CAMPUS_NONE,
        .hold_last = CAMPUS_NONE,
        .hold_free = CAMPUS_NONE,
        .todo_first = CAMPUS_NONE,
        .todo_last = CAMPUS_NONE,
        .todo_free = CAMPUS_NONE,
        .offer_first = CAMPUS_NONE,
        .offer_last = CAMPUS_NONE,
        .offer_free = CAMPUS_NONE,
    };
    table_init(&across->holds, arena, sizeof(struct enrol_hold));
    table_init(&across->todos, arena, sizeof(struct enrol_todo));
    table_init(&across->offers, arena, sizeof(struct enrol_offer));
    map_init(&across->hold_map, arena);
    map_init(&across->todo_map, arena);
}

static bool hold_is_of(const void *context, uint32_t value, const void *key)
{
    const struct enrol_across *across = context;

    return enrol__hold(across, value)->student == *(const uint32_t *)key;
}

static bool todo_is_of(const void *context, uint32_t value, const void *key)
{
    const struct enrol_across *across = context;

    return enrol__todo(across, value)->student == *(const uint32_t *)key;
}

/* ---- holds */

uint32_t enrol__hold_find(const struct enrol_across *across, uint32_t student)
{
    return map_find(&across->hold_map, hash_u64(student), hold_is_of, across, &student);
}

uint32_t enrol__hold_add(struct enrol_across *across, const struct enrol_hold *hold)
{
    uint32_t slot = across->hold_free;

    ASSERT(enrol__hold_find(across, hold->student) == CAMPUS_NONE);
    if (slot == CAMPUS_NONE) {
        slot = table_add(&across->holds);
    } else {
        across->hold_free = enrol__hold(across, slot)->next;
    }
    struct enrol_hold *added = enrol__hold(across, slot);

    *added = *hold;
    added->next = CAMPUS_NONE;
    added->previous = across->hold_last;
    if (across->hold_last == CAMPUS_NONE) {
        across->hold_first = slot;
    } else {
        enrol__hold(across, across->hold_last)->next = slot;
    }
    across->hold_last = slot;
    across->hold_count++;
    map_put(&across->hold_map, hash_u64(hold->student), slot);
    return slot;
}

void enrol__hold_remove(struct enrol_across *across, uint32_t slot)
{
    struct enrol_hold *removed = enrol__hold(across, slot);
    bool was_there = map_remove(&across->hold_map, hash_u64(removed->student), slot);

    ASSERT(was_there);
    if (removed->previous == CAMPUS_NONE) {
        across->hold_first = removed->next;
    } else {
        enrol__hold(across, removed->previous)->next = removed->next;
    }
    if (removed->next == CAMPUS_NONE) {
        across->hold_last = removed->previous;
    } else {
        enrol__hold(across, removed->next)->previous = removed->previous;
    }
    removed->student = CAMPUS_NONE;
    removed->next = across->hold_free;
    across->hold_free = slot;
    across->hold_count--;
}

/* ---- the to-do list */

uint32_t enrol__todo_first(const struct enrol_across *across, uint32_t student)
{
    return map_find(&across->todo_map, hash_u64(student), todo_is_of, across, &student);
}

uint32_t enrol__todo_find(const struct enrol_across *across, uint32_t student,
                          const struct enrol_attempt_id *id, uint32_t shard)
{
    uint32_t at = enrol__todo_first(across, student);

    while (at != CAMPUS_NONE &&
           (enrol__todo(across, at)->shard != shard ||
            enrol_attempt_id_compare(&enrol__todo(across, at)->id, id) != 0)) {
        at = enrol__todo(across, at)->next_of_student;
    }
    return at;
}

uint32_t enrol__todo_add(struct enrol_across *across, const struct enrol_todo *todo)
{
    uint32_t slot = across->todo_free;
    uint32_t first = enrol__todo_first(across, todo->student);

    if (slot == CAMPUS_NONE) {
        slot = table_add(&across->todos);
    } else {
        across->todo_free = enrol__todo(across, slot)->next;
    }
    struct enrol_todo *added = enrol__todo(across, slot);

    *added = *todo;
    added->next_of_student = CAMPUS_NONE;
    added->next = CAMPUS_NONE;
    added->previous = across->todo_last;
    if (across->todo_last == CAMPUS_NONE) {
        across->todo_first = slot;
    } else {
        enrol__todo(across, across->todo_last)->next = slot;
    }
    across->todo_last = slot;
    across->todo_count++;
    if (first == CAMPUS_NONE) {
        map_put(&across->todo_map, hash_u64(todo->student), slot);
        return slot;
    }
    while (enrol__todo(across, first)->next_of_student != CAMPUS_NONE) {
        first = enrol__todo(across, first)->next_of_student;
    }
    enrol__todo(across, first)->next_of_student = slot;
    return slot;
}

static void unlink_of_student(struct enrol_across *across, uint32_t slot)
{
    struct enrol_todo *removed = enrol__todo(across, slot);
    uint32_t at = enrol__todo_first(across, removed->student);

    if (at != slot) {
        while (enrol__todo(across, at)->next_of_student != slot) {
            at = enrol__todo(across, at)->next_of_student;
        }
        enrol__todo(across, at)->next_of_student = removed->next_of_student;
        return;
    }
    bool was_there = map_remove(&across->todo_map, hash_u64(removed->student), slot);

    ASSERT(was_there);
    if (removed->next_of_student != CAMPUS_NONE) {
        map_put(&across->todo_map, hash_u64(removed->student), removed->next_of_student);
    }
}

void enrol__todo_remove(struct enrol_across *across, uint32_t slot)
{
    struct enrol_todo *removed = enrol__todo(across, slot);

    unlink_of_student(across, slot);
    if (removed->previous == CAMPUS_NONE) {
        across->todo_first = removed->next;
    } else {
        enrol__todo(across, removed->previous)->next = removed->next;
    }
    if (removed->next == CAMPUS_NONE) {
        across->todo_last = removed->previous;
    } else {
        enrol__todo(across, removed->next)->previous = removed->previous;
    }
    removed->student = CAMPUS_NONE;
    removed->next = across->todo_free;
    across->todo_free = slot;
    across->todo_count--;
}

/* ---- offers */

uint32_t enrol__offer_add(struct enrol_across *across, const struct enrol_offer *offer)
{
    uint32_t slot = across->offer_free;

    if (slot == CAMPUS_NONE) {
        slot = table_add(&across->offers);
    } else {
        across->offer_free = enrol__offer(across, slot)->next;
    }
    struct enrol_offer *added = enrol__offer(across, slot);

    *added = *offer;
    added->next = CAMPUS_NONE;
    added->previous = across->offer_last;
    if (across->offer_last == CAMPUS_NONE) {
        across->offer_first = slot;
    } else {
        enrol__offer(across, across->offer_last)->next = slot;
    }
    across->offer_last = slot;
    across->offer_count++;
    return slot;
}

void enrol__offer_remove(struct enrol_across *across, uint32_t slot)
{
    struct enrol_offer *removed = enrol__offer(across, slot);

    if (removed->previous == CAMPUS_NONE) {
        across->offer_first = removed->next;
    } else {
        enrol__offer(across, removed->previous)->next = removed->next;
    }
    if (removed->next == CAMPUS_NONE) {
        across->offer_last = removed->previous;
    } else {
        enrol__offer(across, removed->next)->previous = removed->previous;
    }
    removed->section = CAMPUS_NONE;
    removed->next = across->offer_free;
    across->offer_free = slot;
    across->offer_count--;
}

/* ---- images */

void enrol__offer_image(const struct enrol_across *across, uint32_t slot, struct buf *out)
{
    const struct enrol_offer *offer = enrol__offer(across, slot);

    image_ordinal(out, offer->section);
    image_ordinal(out, offer->student);
    image_u64(out, offer->number);
    image_u64(out, offer->since_ms);
}

int enrol__offer_load(struct enrol_across *across, const struct campus *campus,
                      struct unpack *in)
{
    struct enrol_offer offer = {0};

    offer.section = load_index(in, campus->sections.count);
    offer.student = load_index(in, campus->students.count);
    offer.number = load_u64(in);
    offer.since_ms = load_u64(in);
    if (in->failed) {
        return ERR_DAMAGED;
    }
    (void)enrol__offer_add(across, &offer);
    return OK;
}

static void image_id(const struct enrol_attempt_id *id, struct buf *out)
{
    image_u64(out, id->home);
    image_u64(out, id->term);
    image_u64(out, id->counter);
}

static void load_id(struct unpack *in, struct enrol_attempt_id *id)
{
    id->home = (uint32_t)load_u64_max(in, CAMPUS_SHARDS_MAX - 1);
    id->term = load_u64(in);
    id->counter = load_u64(in);
}

void enrol__hold_image(const struct enrol_across *across, uint32_t slot, struct buf *out)
{
    const struct enrol_hold *hold = enrol__hold(across, slot);

    image_id(&hold->id, out);
    image_ordinal(out, hold->student);
    image_u64(out, hold->since_ms);
    image_u64(out, hold->since_index);
    image_u64(out, hold->op_count);
    for (uint32_t i = 0; i < hold->op_count; i++) {
        image_ordinal(out, hold->ops[i].section);
        image_u64(out, hold->ops[i].op);
        image_u64(out, hold->ops[i].what);
        image_u64(out, hold->ops[i].permits);
        image_u64(out, hold->ops[i].is_over ? 1 : 0);
        image_u64(out, hold->ops[i].place);
    }
}

int enrol__hold_load(struct enrol_across *across, const struct campus *campus,
                     struct unpack *in)
{
    struct enrol_hold hold = {0};

    load_id(in, &hold.id);
    hold.student = load_index(in, campus->students.count);
    hold.since_ms = load_u64(in);
    hold.since_index = load_u64(in);
    hold.op_count = (uint32_t)load_u64_max(in, ENROL_HELD_OPS_MAX);
    for (uint32_t i = 0; i < hold.op_count; i++) {
        hold.ops[i].section = load_index(in, campus->sections.count);
        hold.ops[i].op = (uint8_t)load_u64_max(in, ENROL_HELD_OPS_MAX - 1);
        hold.ops[i].what = (uint8_t)load_u64_max(in, ENROL_HELD_NR - 1);
        hold.ops[i].permits = (uint8_t)load_u64_max(in, UINT8_MAX);
        hold.ops[i].is_over = load_u64_max(in, 1) != 0;
        hold.ops[i].place = (uint32_t)load_u64_max(in, UINT32_MAX);
    }
    if (in->failed || across->hold_count >= 2 * ENROL_HOLDS_MAX ||
        enrol__hold_find(across, hold.student) != CAMPUS_NONE) {
        return ERR_DAMAGED;
    }
    (void)enrol__hold_add(across, &hold);
    return OK;
}

void enrol__todo_image(const struct enrol_across *across, uint32_t slot, struct buf *out)
{
    const struct enrol_todo *todo = enrol__todo(across, slot);

    image_id(&todo->id, out);
    image_ordinal(out, todo->student);
    image_u64(out, todo->shard);
    image_u64(out, todo->verdict);
}

int enrol__todo_load(struct enrol_across *across, const struct campus *campus,
                     struct unpack *in)
{
    struct enrol_todo todo = {0};

    load_id(in, &todo.id);
    todo.student = load_index(in, campus->students.count);
    todo.shard = (uint32_t)load_u64_max(in, CAMPUS_SHARDS_MAX - 1);
    todo.verdict = (uint8_t)load_u64_max(in, 2);
    if (in->failed || todo.verdict == 0 || across->todo_count >= 2 * ENROL_TODOS_MAX ||
        enrol__todo_find(across, todo.student, &todo.id, todo.shard) != CAMPUS_NONE) {
        return ERR_DAMAGED;
    }
    (void)enrol__todo_add(across, &todo);
    return OK;
}
