/* Runs a fuzz target without libFuzzer: over its corpus, and over inputs made from that by a
 * seeded sequence. What every build can do for every change; finding new paths is the work of
 * libFuzzer at night. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/rng.h"

enum { INPUTS_MAX = 4000, INPUT_BYTES_MAX = 1 << 16, EXECUTIONS = 20000, SECONDS_MAX = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *data;
    size_t len;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;

static void add_input(const void *data, size_t len)
{
    assert_true(input_count < INPUTS_MAX);
    struct input *input = &inputs[input_count++];
    input->data = malloc(len + 1);
    assert_non_null(input->data);
    memcpy(input->data, data, len);
    input->len = len;
}

static void read_input(const char *folder, const char *name)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    size_t len = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    add_input(bytes, len);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_corpus(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, compare_names);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            read_input(folder, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
}

/* Change @data a little, as a careless or hostile sender would: bits, bytes, runs, the length.
 */
static size_t mutate(struct rng *rng, uint8_t *data, size_t len)
{
    uint64_t changes = rng_between(rng, 1, 6);
    for (uint64_t i = 0; i < changes; i++) {
        size_t at = len == 0 ? 0 : (size_t)rng_below(rng, len);
        switch (rng_below(rng, 5)) {
        case 0:
            if (len > 0) {
                data[at] ^= (uint8_t)(1U << rng_below(rng, 8));
            }
            break;
        case 1:
            if (len > 0) {
                data[at] = (uint8_t)rng_next(rng);
            }
            break;
        case 2:
            len = at;
            break;
        case 3:
            if (len < INPUT_BYTES_MAX) {
                memmove(data + at + 1, data + at, len - at);
                data[at] = (uint8_t)rng_next(rng);
                len++;
            }
            break;
        default: {
            const struct input *other = &inputs[rng_below(rng, input_count)];
            size_t run = other->len < INPUT_BYTES_MAX - at ? other->len : INPUT_BYTES_MAX - at;
            memcpy(data + at, other->data, run);
            len = at + run > len ? at + run : len;
        }
        }
    }
    return len;
}

static void inputs__of_the_corpus_and_near_it__are_survived(void **state)
{
    (void)state;
    static uint8_t bytes[INPUT_BYTES_MAX];
    uint8_t noise[64];
    struct rng rng;
    rng_init(&rng, 1);
    read_corpus(CORPUS_FOLDER);
    size_t corpus = input_count;
    rng_fill(&rng, noise, sizeof noise);
    add_input(noise, sizeof noise);
    add_input(noise, 0);
    for (size_t i = 0; i < input_count; i++) {
        LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].len);
    }
    time_t end = time(NULL) + SECONDS_MAX;
    int executions = 0;
    while (executions < EXECUTIONS && time(NULL) < end) {
        const struct input *from = &inputs[rng_below(&rng, input_count)];
        memcpy(bytes, from->data, from->len);
        size_t len = mutate(&rng, bytes, from->len);
        uint8_t *exact = malloc(len + (len == 0)); /* so that a read beyond the end is seen */
        assert_non_null(exact);
        memcpy(exact, bytes, len);
        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
        executions++;
    }
    print_message("%zu inputs of the corpus, %d made from them\n", corpus, executions);
    for (size_t i = 0; i < input_count; i++) {
        free(inputs[i].data);
    }
    input_count = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs__of_the_corpus_and_near_it__are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
