/* node/histogram.h -- how long things took: counts by logarithmic class, 8 classes an octave
 * (at most 12.5 % off).
 *
 * Layer: node (base)
 */
#ifndef CARILLON_NODE_HISTOGRAM_H
#define CARILLON_NODE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_CLASSES = 64 * 8 };

struct histogram {
    uint64_t count;
    uint64_t sum; /* of all values, ns */
    uint64_t classes[HISTOGRAM_CLASSES];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The upper end of the class in which the share @ppm of a million values ends; 0 when there are
 * none. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm);

#endif
