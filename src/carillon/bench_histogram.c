#include "carillon/bench_histogram.h"

#include <stddef.h>

enum { SUB = 1 << BENCH_HISTOGRAM_BITS };

/* Values below 64 have buckets of their own; above, the highest bit says the group and the next
 * six the bucket. */
static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB) {
        return (uint32_t)value;
    }
    uint32_t shift = (uint32_t)(63 - __builtin_clzll(value)) - BENCH_HISTOGRAM_BITS;

    return ((shift + 1) << BENCH_HISTOGRAM_BITS) + (uint32_t)(value >> shift) - SUB;
}

static uint64_t bucket_end(uint32_t bucket)
{
    if (bucket < SUB) {
        return bucket;
    }
    uint32_t shift = (bucket >> BENCH_HISTOGRAM_BITS) - 1;
    uint64_t top = SUB + (bucket & (SUB - 1));

    return (top << shift) + ((1ULL << shift) - 1);
}

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value_ns)
{
    histogram->counts[bucket_of(value_ns)]++;
    histogram->count++;
    histogram->max_ns = value_ns > histogram->max_ns ? value_ns : histogram->max_ns;
}

void bench_histogram_merge(struct bench_histogram *to, const struct bench_histogram *from)
{
    for (size_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        to->counts[i] += from->counts[i];
    }
    to->count += from->count;
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
}

uint64_t bench_histogram_quantile_ns(const struct bench_histogram *histogram, uint32_t permille)
{
    uint64_t wanted = (histogram->count * permille + 999) / 1000;
    uint64_t seen = 0;

    if (histogram->count == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < BENCH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted && seen > 0) {
            uint64_t end = bucket_end(i);

            return end < histogram->max_ns ? end : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
