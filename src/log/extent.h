/* log/extent.h -- where each group's entries lie in the segments, coarsely.
 *
 * Layer: log (base)
 *
 * An extent is a run of live entries of one group in one segment, which stand there in the
 * order of their indexes, with nothing of the group between them but perhaps hard states and
 * marks: whoever walks the records from its offset meets its entries one after another, and
 * then has no reason to go on. Entries that a truncation voided are in no extent.
 *
 * Bounds:  an extent reaches over at most `span` bytes of a segment (64 KiB at first). When
 * there are more than `max`, neighbours are joined and span doubles, so that a read has to look
 * at more; what is left at the end is one extent for each segment a group has entries in, and
 * one for each truncation.
 */
#ifndef CARILLON_LOG_EXTENT_H
#define CARILLON_LOG_EXTENT_H

#include "base/arena.h"

enum { LOG_EXTENT_SPAN_MIN = 64 << 10 };

struct log_extent {
    uint64_t first;  /* index */
    uint64_t serial; /* of the segment */
    uint32_t offset; /* of the record of the first entry */
    uint32_t count;  /* entries */
    bool is_cut;     /* void entries stand behind it */
};

/* Ascending in index and in place. */
struct log_extent_list {
    struct log_extent *items; /* cap places, used from start on */
    uint32_t start;
    uint32_t count;
    uint32_t cap;
};

struct log_extents {
    struct arena *arena;
    struct log_extent_list *lists; /* by group */
    uint32_t groups;
    uint32_t count; /* of all groups */
    uint32_t max;
    uint64_t span; /* bytes */
    uint64_t span_max;
};

/* Owns: memory from @arena. @segment_bytes: span never grows beyond. */
void log_extents_init(struct log_extents *extents, struct arena *arena, uint32_t groups,
                      uint32_t max, uint64_t segment_bytes);

/* A durable entry stands at @offset of the newest segment, @serial, behind all others. One at
 * or below the group's last takes the place of everything from there on. */
void log_extents_add(struct log_extents *extents, uint32_t group, uint64_t index,
                     uint64_t serial, uint64_t offset);

/* The entries from @index on are void. */
void log_extents_cut(struct log_extents *extents, uint32_t group, uint64_t index);

/* The oldest segment, @serial, leaves. */
void log_extents_drop(struct log_extents *extents, uint64_t serial);

/* Copy the extent that holds @index, and those that follow it without a gap, at most @max.
 * Returns: how many, 0: no such entry. */
uint32_t log_extents_copy(const struct log_extents *extents, uint32_t group, uint64_t index,
                          struct log_extent *out, uint32_t max);

#endif
