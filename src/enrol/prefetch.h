/* enrol/prefetch.h -- brings into the processor's cache what a group of submits will look at.
 *
 * Layer: enrol (base, wire, campus)
 */
#ifndef CARILLON_ENROL_PREFETCH_H
#define CARILLON_ENROL_PREFETCH_H

#include "base/slice.h"

struct enrol;

enum { ENROL_PREFETCH_MAX = 64 };

struct enrol_ahead {
    struct slice key;
    struct slice body; /* of a SubmitRequest, as received */
};

/* Prefetch for @count (<= ENROL_PREFETCH_MAX) submits that are about to be admitted. Changes
 * nothing and judges nothing; malformed ones are passed over. */
void enrol_prefetch(const struct enrol *enrol, const struct enrol_ahead *submits, size_t count);

#endif
