/* carillon/bench_ops.h -- the benchmark's requests, packed beforehand.
 *
 * Layer: carillon
 *
 * A Protobuf message may be sent in two parts one after the other: fields that are in neither
 * both are merged. So the student's part and the section's part of every SubmitRequest are
 * packed once, and a request is two copies.
 */
#ifndef CARILLON_CARILLON_BENCH_OPS_H
#define CARILLON_CARILLON_BENCH_OPS_H

#include "base/buf.h"
#include "carillon/bench_workload.h"

enum { BENCH_OP_BYTES_MAX = 512 };

struct bench_ops {
    struct buf bytes;
    uint32_t *students; /* where each one's part begins; one more for the end */
    uint32_t *sections;
};

/* Errors: ERR_NOMEM, ERR_FULL. */
int bench_ops_init(struct bench_ops *ops, const struct bench_workload *workload) CHECKED;
void bench_ops_fini(struct bench_ops *ops);

/* Write the packed SubmitRequest that adds @section for @student. Returns: its length in bytes.
 */
size_t bench_ops_write(const struct bench_ops *ops, uint32_t student, uint32_t section,
                       uint8_t out[BENCH_OP_BYTES_MAX]);

#endif
