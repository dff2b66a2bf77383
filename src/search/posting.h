/* search/posting.h -- one term's posting list: which rows hold it, in which fields, how
 * strongly.
 *
 * Layer: search (base)     Spec: docs/spec/search.md section 5
 *
 * A posting is a row number (ascending, only appended) and one byte: three bits of fields and
 * five of strength. It is stored as a varint of the distance to the row before, then the byte.
 * Every POSTING_BLOCK postings a skip entry holds the row before the block and the block's
 * offset, so that a seek decodes one block.
 */
#ifndef CARILLON_SEARCH_POSTING_H
#define CARILLON_SEARCH_POSTING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum {
    POSTING_BLOCK = 64,
    POSTING_TITLE = 0x80,
    POSTING_PEOPLE = 0x40,
    POSTING_TEXT = 0x20,
    POSTING_FIELDS = 0xE0,
    POSTING_STRENGTH = 0x1F,
};

#define POSTING_NO_ROW UINT32_MAX

struct posting_skip {
    uint32_t before; /* the last row of the block before */
    uint32_t offset; /* of the block in data */
};

struct posting_list {
    uint8_t *data;
    struct posting_skip *skips; /* one per full block before the last */
    uint32_t used;
    uint32_t capacity;
    uint32_t count : 26;
    uint32_t skips_class : 6; /* 0: none; each one holds half as many again as the one below */
    uint32_t last;            /* row */
};

void posting_append(struct posting_list *list, struct arena *arena, uint32_t row, uint8_t byte);

/* Keep only the postings whose row @is_alive; the list shrinks in place. Returns: postings
 * left. */
uint32_t posting_sweep(struct posting_list *list, struct arena *arena,
                       bool (*is_alive)(const void *context, uint32_t row),
                       const void *context);

void posting_free(struct posting_list *list, struct arena *arena);

/* Walks a list in ascending order. Valid until the list changes. */
struct posting_walk {
    const struct posting_list *list; /* NULL: a single posting */
    const uint8_t *at;
    uint32_t row;  /* POSTING_NO_ROW past the end */
    uint32_t seen; /* postings decoded, the current one included */
    uint8_t byte;
};

/* Stand on the first posting. */
void posting_open(struct posting_walk *walk, const struct posting_list *list);

static inline void posting_open_single(struct posting_walk *walk, uint32_t row, uint8_t byte)
{
    *walk = (struct posting_walk){.row = row, .byte = byte};
}

static inline void posting_next(struct posting_walk *walk)
{
    if (walk->list == NULL || walk->seen == walk->list->count) {
        walk->row = POSTING_NO_ROW;
        return;
    }
    uint32_t delta = *walk->at++;
    if (delta >= 0x80) {
        uint32_t shift = 7;
        uint32_t more;
        delta &= 0x7F;
        do {
            more = *walk->at++;
            delta |= (more & 0x7F) << shift;
            shift += 7;
        } while (more >= 0x80);
    }
    walk->row += delta;
    walk->byte = *walk->at++;
    walk->seen++;
}

/* Jump over whole blocks so that the next postings decoded reach @row. */
void posting_skip_to(struct posting_walk *walk, uint32_t row);

/* Stand on the first posting with a row of at least @row; never moves back. */
static inline void posting_seek(struct posting_walk *walk, uint32_t row)
{
    if (walk->row >= row) {
        return;
    }
    if (walk->list != NULL && walk->list->count - walk->seen >= POSTING_BLOCK) {
        posting_skip_to(walk, row);
    }
    while (walk->row < row) {
        posting_next(walk);
    }
}

#endif
