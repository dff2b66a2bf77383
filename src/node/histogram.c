#include "node/histogram.h"

/* Values below 8 have a class each; above, the three bits after the leading one choose among 8
 * an octave. */
static unsigned class_of(uint64_t ns)
{
    if (ns < 8) {
        return (unsigned)ns;
    }
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns);

    return (octave - 2) * 8 + (unsigned)(ns >> (octave - 3) & 7);
}

static uint64_t class_end(unsigned class)
{
    if (class < 8) {
        return class;
    }
    unsigned octave = class / 8 + 2;

    return (((uint64_t)(class % 8) + 9) << (octave - 3)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->sum += ns;
    histogram->classes[class_of(ns)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm)
{
    uint64_t want = (histogram->count * ppm + 999999) / 1000000;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_CLASSES; i++) {
        seen += histogram->classes[i];
        if (seen >= want && seen > 0) {
            return class_end(i);
        }
    }
    return 0;
}
