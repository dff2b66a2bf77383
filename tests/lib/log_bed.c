#include "tests/lib/log_bed.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"

enum { PAYLOAD_MAX = 3000 };

static void violate(struct log_bed *bed, const char *what, uint64_t a, uint64_t b)
{
    if (bed->violation[0] == '\0') {
        (void)snprintf(bed->violation, sizeof bed->violation, "%s: %llu, %llu", what,
                       (unsigned long long)a, (unsigned long long)b);
    }
}

size_t log_bed_payload(uint64_t term, uint8_t *out, size_t out_max)
{
    uint64_t draw = hash_u64(term);
    size_t len = draw % 10 == 0 ? 0 : draw % 23 == 0 ? draw % PAYLOAD_MAX : draw % 200;

    ASSERT(len <= out_max);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(term + i * 7);
    }
    return len;
}

bool log_bed_is_it(const struct log_bed *bed, const struct log_bed_group *groups,
                   const struct log_record *record)
{
    const struct log_bed_group *group = &groups[record->group];
    uint8_t payload[PAYLOAD_MAX];

    if (record->index <= group->base || record->index > group->last ||
        group->terms[record->index] != record->term || record->term > bed->appended ||
        record->type != bed->steps[record->term].type) {
        return false;
    }
    size_t len = log_bed_payload(record->term, payload, sizeof payload);
    return record->payload.len == len &&
           (len == 0 || memcmp(payload, record->payload.data, len) == 0);
}

/* What one record makes of a group. */
static void take_step(struct log_bed_group *groups, const struct log_bed_step *step,
                      uint64_t number)
{
    struct log_bed_group *group = &groups[step->group];

    if (step->type == LOG_TRUNCATE) {
        group->last = step->index - 1 < group->last ? step->index - 1 : group->last;
    } else if (log_type_is_entry(step->type)) {
        group->last = step->index;
        group->terms[step->index] = number;
    }
}

/* ---- hooks ---- */

static int replayed(void *context, const struct log_record *record)
{
    struct log_bed *bed = context;

    if (record->type == LOG_HARD_STATE) {
        return OK;
    }
    if (record->term > bed->appended || (bed->seen != 0 && record->term != bed->seen + 1)) {
        violate(bed, "replayed out of order", bed->seen, record->term);
        return OK;
    }
    const struct log_bed_step *step = &bed->steps[record->term];
    uint8_t payload[PAYLOAD_MAX];
    size_t len = log_type_is_entry(step->type)
                     ? log_bed_payload(record->term, payload, sizeof payload)
                     : 0;
    if (step->group != record->group || step->type != record->type ||
        step->index != record->index || record->payload.len != len ||
        (len > 0 && memcmp(payload, record->payload.data, len) != 0)) {
        violate(bed, "replayed another record", record->term, record->index);
    }
    bed->seen = record->term;
    return OK;
}

static void stored(void *context, const struct log_record *record)
{
    struct log_bed *bed = context;

    if (record->type == LOG_HARD_STATE) {
        return;
    }
    if (record->term != bed->told + 1) {
        violate(bed, "told out of order", bed->told, record->term);
        return;
    }
    bed->told = record->term;
    take_step(bed->told_groups, &bed->steps[bed->told], bed->told);
}

static void failed(void *context, const char *text)
{
    struct log_bed *bed = context;

    (void)text;
    bed->is_failed = true;
}

static void closed(void *context)
{
    struct log_bed *bed = context;

    bed->is_closed = true;
}

/* ---- the bed ---- */

struct log_bed *log_bed_create(uint64_t seed, const struct io_sim_options *options)
{
    struct log_bed *bed = calloc(1, sizeof *bed);

    ASSERT(bed != NULL);
    bed->sim = io_sim_create(seed, options);
    bed->io = io_sim_machine_create(bed->sim, "10.0.0.1");
    rng_init(&bed->rng, seed);
    log_options_default(&bed->options);
    bed->options.folder = "log";
    bed->options.identity = 4711;
    bed->options.groups = 5;
    bed->options.is_new = true;
    bed->options.segment_bytes = 16 << 10;
    bed->options.batch_bytes = 8 << 10;
    bed->options.ready_max = 2;
    return bed;
}

void log_bed_destroy(struct log_bed *bed)
{
    if (bed->is_open) {
        log_bed_drop(bed);
    }
    io_sim_destroy(bed->sim);
    free(bed);
}

/* The log was replayed up to `seen`: that is what there is from now on. */
static void settle_model(struct log_bed *bed)
{
    if (bed->seen != 0 && bed->seen < bed->told) {
        violate(bed, "told and lost", bed->told, bed->seen);
        return;
    }
    for (uint64_t number = bed->told + 1; number <= bed->seen; number++) {
        take_step(bed->told_groups, &bed->steps[number], number);
    }
    bed->told = bed->seen > bed->told ? bed->seen : bed->told;
    bed->appended = bed->told;
    memcpy(bed->appended_groups, bed->told_groups, sizeof bed->told_groups);
}

int log_bed_open(struct log_bed *bed)
{
    struct log_hooks hooks = {
        .context = bed,
        .replayed = replayed,
        .stored = stored,
        .failed = failed,
        .closed = closed,
    };

    bed->seen = 0;
    bed->is_failed = false;
    bed->is_closed = false;
    int status = log_open(&bed->log, bed->io, &bed->options, &hooks);
    if (status != OK) {
        return status;
    }
    bed->is_open = true;
    bed->options.is_new = false;
    settle_model(bed);
    return OK;
}

void log_bed_drop(struct log_bed *bed)
{
    if (!bed->is_closed) {
        if (!io_sim_is_down(bed->io)) {
            io_sim_kill(bed->io);
        }
        log_abandon(&bed->log);
    }
    bed->is_open = false;
}

int log_bed_restart(struct log_bed *bed, bool has_lost_power)
{
    if (has_lost_power) {
        io_sim_crash(bed->io);
    }
    if (bed->is_open) {
        log_bed_drop(bed);
    }
    io_sim_restart(bed->io);
    return log_bed_open(bed);
}

void log_bed_step(struct log_bed *bed, int events)
{
    for (int i = 0; i < events && !io_sim_is_down(bed->io); i++) {
        if (!io_sim_step(bed->sim)) {
            return;
        }
    }
}

void log_bed_close(struct log_bed *bed)
{
    log_close(&bed->log);
    for (int i = 0; i < 100000 && !bed->is_closed && !io_sim_is_down(bed->io); i++) {
        log_bed_step(bed, 1);
    }
    ASSERT(bed->is_closed || io_sim_is_down(bed->io));
}

static int append(struct log_bed *bed, const struct log_bed_step *step)
{
    uint64_t number = bed->appended + 1;
    uint8_t payload[PAYLOAD_MAX];
    size_t len =
        log_type_is_entry(step->type) ? log_bed_payload(number, payload, sizeof payload) : 0;
    struct log_record record = {
        .group = step->group,
        .type = step->type,
        .index = step->index,
        .term = number,
        .payload = {len > 0 ? payload : NULL, len},
    };

    ASSERT(number < LOG_BED_STEPS_MAX && step->index < LOG_BED_ENTRIES_MAX);
    int status = log_append(&bed->log, &record);
    if (status == OK) {
        bed->appended = number;
        bed->steps[number] = *step;
        take_step(bed->appended_groups, step, number);
    }
    return status;
}

int log_bed_append(struct log_bed *bed, uint32_t group, enum log_type type)
{
    struct log_bed_step step = {group, type, bed->appended_groups[group].last + 1};

    return append(bed, &step);
}

int log_bed_truncate(struct log_bed *bed, uint32_t group, uint64_t index)
{
    struct log_bed_step step = {group, LOG_TRUNCATE, index};

    ASSERT(index > bed->released[group]);
    return append(bed, &step);
}

bool log_bed_settle(struct log_bed *bed)
{
    for (int i = 0; i < 100000 && bed->told < bed->appended; i++) {
        log_bed_step(bed, 1);
    }
    return bed->told == bed->appended;
}
