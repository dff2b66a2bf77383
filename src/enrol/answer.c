#include "enrol/answer.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

enum { BLOB_HEAD_BYTES = 8 };

static uint64_t key_hash(const uint8_t *key)
{
    return hash_bytes(key, ANSWER_KEY_BYTES);
}

/* The table takes the low bits of a hash; the choice of the table the high ones. */
static uint32_t map_of(uint64_t hash)
{
    return (uint32_t)(hash >> 58) % ANSWER_MAPS;
}

void answers_init(struct enrol_answers *answers, struct arena *arena)
{
    *answers = (struct enrol_answers){.arena = arena};
    for (uint32_t i = 0; i < ANSWER_MAPS; i++) {
        map_init(&answers->maps[i], arena);
    }
}

static bool key_is_equal(const void *context, uint32_t value, const void *key)
{
    return memcmp(answers_at(context, value)->key, key, ANSWER_KEY_BYTES) == 0;
}

struct enrol_answer *answers_find(const struct enrol_answers *answers, struct slice key)
{
    if (key.len != ANSWER_KEY_BYTES) {
        return NULL;
    }
    uint64_t hash = key_hash(key.data);
    uint32_t number =
        map_find(&answers->maps[map_of(hash)], hash, key_is_equal, answers, key.data);

    return number == MAP_NONE ? NULL : answers_at(answers, number);
}

void answers_prefetch(const struct enrol_answers *answers, struct slice key)
{
    if (key.len == ANSWER_KEY_BYTES) {
        uint64_t hash = key_hash(key.data);

        map_prefetch(&answers->maps[map_of(hash)], hash);
    }
}

/* A longer ring: every chunk goes to where its numbers look for it now. */
static void ring_grow(struct enrol_answers *answers)
{
    uint32_t old_cap = answers->chunk_cap;
    uint32_t cap = old_cap == 0 ? 8 : old_cap * 2;
    struct enrol_answer **chunks = arena_alloc_zero(answers->arena, cap * sizeof(void *));
    uint32_t first = answers->first >> ANSWER_CHUNK_BITS;

    for (uint32_t i = 0; i < old_cap; i++) {
        chunks[(first + i) & (cap - 1)] = answers->chunks[(first + i) & (old_cap - 1)];
    }
    if (old_cap > 0) {
        arena_free(answers->arena, answers->chunks, old_cap * sizeof(void *));
    }
    answers->chunks = chunks;
    answers->chunk_cap = cap;
}

/* The slot of the next number, with the ring long enough for it. */
static struct enrol_answer *slot_next(struct enrol_answers *answers)
{
    uint32_t chunk = answers->next >> ANSWER_CHUNK_BITS;
    /* Numbers wrap around, and with them the numbers of chunks. */
    uint32_t used =
        (chunk - (answers->first >> ANSWER_CHUNK_BITS)) & (UINT32_MAX >> ANSWER_CHUNK_BITS);

    if (used >= answers->chunk_cap) {
        ring_grow(answers);
    }
    struct enrol_answer **at = &answers->chunks[chunk & (answers->chunk_cap - 1)];

    if (*at == NULL) {
        *at = arena_alloc(answers->arena, sizeof **at * ANSWER_CHUNK);
    }
    return &(*at)[answers->next++ & (ANSWER_CHUNK - 1)];
}

void answers_add(struct enrol_answers *answers, const struct enrol_answer *answer)
{
    uint64_t hash = key_hash(answer->key);

    if (answers->next == MAP_NONE) { /* the one number that names nothing */
        memset(slot_next(answers), 0, sizeof *answer);
    }
    uint32_t number = answers->next;

    *slot_next(answers) = *answer;
    map_put(&answers->maps[map_of(hash)], hash, number);
}

void answers_load(struct enrol_answers *answers, const struct enrol_answer *answer)
{
    *slot_next(answers) = *answer;
}

/* Sorted by table first: filling one table after the other keeps each in the processor's cache
 * meanwhile, which is several times faster than keys in their order. */
void answers_index(struct enrol_answers *answers)
{
    struct pair {
        uint64_t hash;
        uint32_t number;
    };
    uint32_t count = answers_count(answers);
    uint32_t ends[ANSWER_MAPS + 1] = {0};
    struct pair *pairs = NULL;

    if (count == 0) {
        return;
    }
    pairs = arena_alloc(answers->arena, count * sizeof *pairs);
    for (uint32_t i = 0; i < count; i++) {
        ends[map_of(key_hash(answers_at(answers, answers->first + i)->key)) + 1]++;
    }
    for (uint32_t map = 0; map < ANSWER_MAPS; map++) {
        map_reserve(&answers->maps[map], ends[map + 1]);
        ends[map + 1] += ends[map];
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t hash = key_hash(answers_at(answers, answers->first + i)->key);

        pairs[ends[map_of(hash)]++] = (struct pair){hash, answers->first + i};
    }
    for (uint32_t i = 0; i < count; i++) {
        map_put(&answers->maps[map_of(pairs[i].hash)], pairs[i].hash, pairs[i].number);
    }
    arena_free(answers->arena, pairs, count * sizeof *pairs);
}

static uint32_t blob_part(const uint8_t *blob, size_t at)
{
    uint32_t len;

    memcpy(&len, blob + at, sizeof len);
    return len;
}

static void blob_free(struct enrol_answers *answers, struct enrol_answer *answer)
{
    if (answer->change == 0 && answer->more.blob != NULL) {
        uint8_t *blob = answer->more.blob;

        arena_free(answers->arena, blob,
                   BLOB_HEAD_BYTES + (size_t)blob_part(blob, 0) + blob_part(blob, 4));
    }
}

void answers_remove_first(struct enrol_answers *answers)
{
    uint32_t number = answers->first;
    struct enrol_answer *answer = answers_at(answers, number);
    uint64_t hash = key_hash(answer->key);

    ASSERT(answers_count(answers) > 0);
    if (number != MAP_NONE) {
        bool is_removed = map_remove(&answers->maps[map_of(hash)], hash, number);

        ASSERT(is_removed);
        blob_free(answers, answer);
    }
    answers->first++;
    if ((answers->first & (ANSWER_CHUNK - 1)) == 0) {
        struct enrol_answer **chunk =
            &answers->chunks[(number >> ANSWER_CHUNK_BITS) & (answers->chunk_cap - 1)];

        arena_free(answers->arena, *chunk, sizeof **chunk * ANSWER_CHUNK);
        *chunk = NULL;
    }
}

uint8_t *answer_blob_make(struct enrol_answers *answers, struct slice reply, struct slice text)
{
    uint32_t lengths[2] = {(uint32_t)reply.len, (uint32_t)text.len};

    if (reply.len + text.len == 0) {
        return NULL;
    }
    uint8_t *blob = arena_alloc(answers->arena, BLOB_HEAD_BYTES + reply.len + text.len);

    memcpy(blob, lengths, sizeof lengths);
    if (reply.len > 0) {
        memcpy(blob + BLOB_HEAD_BYTES, reply.data, reply.len);
    }
    if (text.len > 0) {
        memcpy(blob + BLOB_HEAD_BYTES + reply.len, text.data, text.len);
    }
    return blob;
}

struct slice answer_reply(const struct enrol_answer *answer)
{
    const uint8_t *blob = answer->change == 0 ? answer->more.blob : NULL;

    return blob == NULL ? SLICE_NONE : slice_from(blob + BLOB_HEAD_BYTES, blob_part(blob, 0));
}

struct slice answer_text(const struct enrol_answer *answer)
{
    const uint8_t *blob = answer->change == 0 ? answer->more.blob : NULL;

    return blob == NULL
               ? SLICE_NONE
               : slice_from(blob + BLOB_HEAD_BYTES + blob_part(blob, 0), blob_part(blob, 4));
}
