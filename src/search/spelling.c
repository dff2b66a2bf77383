#include "search/spelling.h"

enum {
    BLOCKS_FIRST = 128,  /* 1 KiB: a small catalogue pays little */
    WORDS_PER_BLOCK = 5, /* about one look in forty says "perhaps" for nothing */
};

void spelling_add(struct spelling *spelling, struct arena *arena, struct slice word)
{
    uint32_t count = spelling->layers_count;
    uint32_t blocks = count == 0 ? 0 : spelling->layers[count - 1].mask + 1;
    if (spelling->words == blocks * WORDS_PER_BLOCK && count < SPELLING_LAYERS_MAX) {
        blocks = blocks == 0 ? BLOCKS_FIRST : blocks * 2;
        spelling->layers[count].blocks =
            arena_alloc_zero(arena, blocks * sizeof(*spelling->layers[count].blocks));
        spelling->layers[count].mask = blocks - 1;
        spelling->layers_count = ++count;
        spelling->words = 0;
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < word.len; i++) {
        hash = spelling_next(hash, word.data[i]);
    }
    uint64_t mixed = hash_u64(hash);
    uint32_t block = (uint32_t)(mixed >> 32) & (blocks - 1);
    spelling->layers[count - 1].blocks[block] |= spelling_bits(mixed);
    spelling->words++;
}
