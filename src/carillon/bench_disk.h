/* carillon/bench_disk.h -- what the disk itself takes, and under which conditions figures were
 * measured.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_BENCH_DISK_H
#define CARILLON_CARILLON_BENCH_DISK_H

#include "carillon/bench_histogram.h"
#include "io/io.h"

enum { BENCH_CONDITION_BYTES = 128 };

/* Overwrite 4 KiB of a zero-filled file in @folder and fdatasync it, @count times; each time is
 * added to @histogram. The file is removed again. Errors: those of io/io.h. */
int bench_disk_floor(struct io *io, const char *folder, uint32_t count,
                     struct bench_histogram *histogram) CHECKED;

struct bench_conditions {
    char cpu[BENCH_CONDITION_BYTES];
    char kernel[BENCH_CONDITION_BYTES];
    char file_system[BENCH_CONDITION_BYTES];
    uint32_t cores;
    uint64_t memory_bytes;
};

/* What can be found out; "unknown" where it cannot. */
void bench_conditions_read(const char *folder, struct bench_conditions *ret_conditions);

#endif
