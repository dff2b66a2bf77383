/* log/marker.h -- the durable marker's own file, for when the log idles.
 *
 * Layer: log (base, io)     Spec: docs/spec/log.md section 5
 *
 * Two slots of one sector each, written in turn: a torn write leaves the other. A slot that
 * does not verify does not count; the marker only ever adds protection.
 */
#ifndef CARILLON_LOG_MARKER_H
#define CARILLON_LOG_MARKER_H

#include "base/error.h"
#include "base/slice.h"

enum { LOG_MARKER_SLOT_BYTES = 512, LOG_MARKER_FILE_BYTES = 2 * LOG_MARKER_SLOT_BYTES };

struct log_place;

void log_marker_encode(const struct log_place *place, uint64_t identity,
                       uint8_t out[LOG_MARKER_SLOT_BYTES]);

/* The newest valid slot of the file's bytes (which may be short); zeros when there is none.
 * Returns: the slot to write next, 0 or 1. */
uint64_t log_marker_decode(struct slice bytes, uint64_t identity, struct log_place *ret_place);

#endif
