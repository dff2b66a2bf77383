#include "log/extent.h"

#include <string.h>

#include "base/assert.h"

enum { CAP_MIN = 8 };

static uint64_t end_of(const struct log_extent *extent)
{
    return extent->first + extent->count;
}

void log_extents_init(struct log_extents *extents, struct arena *arena, uint32_t groups,
                      uint32_t max, uint64_t segment_bytes)
{
    *extents = (struct log_extents){
        .arena = arena,
        .lists = arena_alloc_zero(arena, groups * sizeof *extents->lists),
        .groups = groups,
        .max = max,
        .span = LOG_EXTENT_SPAN_MIN,
        .span_max = segment_bytes,
    };
}

static struct log_extent *last_of(const struct log_extent_list *list)
{
    return list->count == 0 ? NULL : &list->items[list->start + list->count - 1];
}

static void push(struct log_extents *extents, struct log_extent_list *list,
                 const struct log_extent *extent)
{
    if (list->start + list->count == list->cap && list->start > list->cap / 2) {
        memmove(list->items, list->items + list->start, list->count * sizeof *list->items);
        list->start = 0;
    }
    if (list->start + list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? CAP_MIN : 2 * list->cap;
        list->items =
            arena_grow(extents->arena, list->items, sizeof *list->items, list->cap, cap);
        list->cap = cap;
    }
    list->items[list->start + list->count] = *extent;
    list->count++;
    extents->count++;
}

/* Whether nothing void and no gap lies between @extent and an entry @index that begins less
 * than @span behind it. */
static bool reaches(const struct log_extent *extent, uint64_t index, uint64_t serial,
                    uint64_t offset, uint64_t span)
{
    return !extent->is_cut && extent->serial == serial && end_of(extent) == index &&
           offset - extent->offset < span;
}

static void join(struct log_extents *extents, struct log_extent_list *list)
{
    uint32_t kept = 0;
    struct log_extent *items = list->items + list->start;

    for (uint32_t i = 0; i < list->count; i++) {
        struct log_extent *last = kept == 0 ? NULL : &items[kept - 1];
        if (last != NULL &&
            reaches(last, items[i].first, items[i].serial, items[i].offset, extents->span)) {
            last->count += items[i].count;
            last->is_cut = items[i].is_cut;
        } else {
            items[kept] = items[i];
            kept++;
        }
    }
    extents->count -= list->count - kept;
    list->count = kept;
}

/* Make room by looking less closely; a fourth of it, so that it is not asked for soon again. */
static void coarsen(struct log_extents *extents)
{
    while (extents->count > extents->max - extents->max / 4 &&
           extents->span < extents->span_max) {
        extents->span *= 2;
        for (uint32_t group = 0; group < extents->groups; group++) {
            join(extents, &extents->lists[group]);
        }
    }
}

void log_extents_add(struct log_extents *extents, uint32_t group, uint64_t index,
                     uint64_t serial, uint64_t offset)
{
    struct log_extent_list *list = &extents->lists[group];
    struct log_extent *last = last_of(list);

    ASSERT(group < extents->groups);
    ASSERT(offset <= UINT32_MAX);
    if (last != NULL && index < end_of(last)) {
        log_extents_cut(extents, group, index);
    }
    if (extents->count >= extents->max) {
        coarsen(extents);
    }
    last = last_of(list);
    if (last != NULL && reaches(last, index, serial, offset, extents->span)) {
        last->count++;
        return;
    }
    struct log_extent extent = {
        .first = index, .serial = serial, .offset = (uint32_t)offset, .count = 1};
    push(extents, list, &extent);
}

void log_extents_cut(struct log_extents *extents, uint32_t group, uint64_t index)
{
    struct log_extent_list *list = &extents->lists[group];

    ASSERT(group < extents->groups);
    while (list->count > 0 && last_of(list)->first >= index) {
        list->count--;
        extents->count--;
    }
    struct log_extent *last = last_of(list);
    if (last != NULL) {
        last->is_cut = true;
        if (end_of(last) > index) {
            last->count = (uint32_t)(index - last->first);
        }
    }
}

void log_extents_drop(struct log_extents *extents, uint64_t serial)
{
    for (uint32_t group = 0; group < extents->groups; group++) {
        struct log_extent_list *list = &extents->lists[group];
        while (list->count > 0 && list->items[list->start].serial <= serial) {
            list->start++;
            list->count--;
            extents->count--;
        }
        if (list->count == 0) {
            list->start = 0;
        }
    }
    if (extents->count < extents->max / 4 && extents->span > LOG_EXTENT_SPAN_MIN) {
        extents->span /= 2;
    }
}

uint32_t log_extents_copy(const struct log_extents *extents, uint32_t group, uint64_t index,
                          struct log_extent *out, uint32_t max)
{
    const struct log_extent_list *list = &extents->lists[group];
    const struct log_extent *items = list->items + list->start;
    uint32_t low = 0; /* items before it begin at or below index */
    uint32_t high = list->count;
    uint32_t count = 0;

    ASSERT(group < extents->groups);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (items[middle].first <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || index >= end_of(&items[low - 1])) {
        return 0;
    }
    for (uint32_t i = low - 1; i < list->count && count < max; i++) {
        if (count > 0 && items[i].first != end_of(&out[count - 1])) {
            break;
        }
        out[count] = items[i];
        count++;
    }
    return count;
}
