/* tests/lib/log_bed.h -- a bare log in the simulation, with a model of what its groups hold.
 *
 * The term of each record is the number of its append, so that what comes back names itself;
 * payloads follow from it. After a restart the log must be the model after some append that is
 * not before the last one that was told.
 */
#ifndef CARILLON_TESTS_LIB_LOG_BED_H
#define CARILLON_TESTS_LIB_LOG_BED_H

#include "base/rng.h"
#include "io_sim/io_sim.h"
#include "log/log.h"

enum { LOG_BED_GROUPS = 64, LOG_BED_ENTRIES_MAX = 6000, LOG_BED_STEPS_MAX = 60000 };

struct log_bed_step {
    uint32_t group;
    enum log_type type;
    uint64_t index;
};

struct log_bed_group {
    uint64_t base; /* nothing at or below it is there any more */
    uint64_t last;
    uint64_t terms[LOG_BED_ENTRIES_MAX]; /* by index; 0: never appended */
};

struct log_bed {
    struct io_sim *sim;
    struct io *io;
    struct log_options options;
    struct log log;
    struct rng rng;
    bool is_open;
    bool is_failed;
    bool is_closed;

    struct log_bed_step steps[LOG_BED_STEPS_MAX]; /* by number, from 1 */
    uint64_t appended;
    uint64_t told;
    uint64_t seen; /* while replaying */
    struct log_bed_group appended_groups[LOG_BED_GROUPS];
    struct log_bed_group told_groups[LOG_BED_GROUPS];
    uint64_t released[LOG_BED_GROUPS];
    char violation[200];
};

/* On the heap: it is large. */
struct log_bed *log_bed_create(uint64_t seed, const struct io_sim_options *options);
void log_bed_destroy(struct log_bed *bed);

/* Open the log and compare what it replays with the model. */
int log_bed_open(struct log_bed *bed) CHECKED;

/* The process is gone: after a crash of the machine, or killed now. */
void log_bed_drop(struct log_bed *bed);

/* Drop, and open again; @has_lost_power: with what a power failure leaves. */
int log_bed_restart(struct log_bed *bed, bool has_lost_power) CHECKED;

/* Close and wait for it. */
void log_bed_close(struct log_bed *bed);

/* The payload of the record @term: a tenth are empty, some are long. */
size_t log_bed_payload(uint64_t term, uint8_t *out, size_t out_max);

/* Append the next entry of @group, or a configuration. */
int log_bed_append(struct log_bed *bed, uint32_t group, enum log_type type) CHECKED;

/* Void the entries of @group from @index on. */
int log_bed_truncate(struct log_bed *bed, uint32_t group, uint64_t index) CHECKED;

/* Deliver events until all that was appended is told. Returns: whether it is. */
bool log_bed_settle(struct log_bed *bed);

void log_bed_step(struct log_bed *bed, int events);

/* Whether @record is the entry that @groups hold at its index. */
bool log_bed_is_it(const struct log_bed *bed, const struct log_bed_group *groups,
                   const struct log_record *record);

#endif
