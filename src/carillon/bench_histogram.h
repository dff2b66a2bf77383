/* carillon/bench_histogram.h -- latencies: counted in buckets 1.6 % wide, from 1 ns to hours.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_BENCH_HISTOGRAM_H
#define CARILLON_CARILLON_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    BENCH_HISTOGRAM_BITS = 6, /* 64 buckets for every power of two */
    BENCH_HISTOGRAM_BUCKETS = (64 - BENCH_HISTOGRAM_BITS + 1) << BENCH_HISTOGRAM_BITS,
};

struct bench_histogram {
    uint64_t counts[BENCH_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

void bench_histogram_add(struct bench_histogram *histogram, uint64_t value_ns);
void bench_histogram_merge(struct bench_histogram *to, const struct bench_histogram *from);

/* The smallest value, in ns and rounded up to its bucket's end, that @permille of a thousand
 * stay within (999: p99.9); 0 when nothing was counted. */
uint64_t bench_histogram_quantile_ns(const struct bench_histogram *histogram,
                                     uint32_t permille);

#endif
