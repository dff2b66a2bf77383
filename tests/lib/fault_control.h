/* tests/lib/fault_control.h -- what a daemon's clock and disk are to do from now on, told by a
 * test while it runs.
 *
 * Layer: tests
 *
 * The test and the library tests/fault/fault_shim.c, which is preloaded into the daemon, map
 * the same file; its path is in the environment variable FAULT_CONTROL.
 */
#ifndef CARILLON_TESTS_FAULT_CONTROL_H
#define CARILLON_TESTS_FAULT_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_CONTROL_VARIABLE "FAULT_CONTROL"

struct fault_control {
    int64_t clock_ms;     /* added to the wall clock; the monotonic one is left alone */
    bool is_sync_failing; /* fsync and fdatasync fail with EIO */
    uint32_t sync_ms;     /* how much longer each takes */
    uint64_t syncs;       /* counted here, so that a test sees that the library is in use */
    uint64_t clock_reads;
    uint64_t failed;
};

#endif
