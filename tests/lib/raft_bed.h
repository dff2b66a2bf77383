/* tests/lib/raft_bed.h -- what every program of schedules (raft_story.h) begins and ends with.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_LIB_RAFT_BED_H
#define CARILLON_TESTS_LIB_RAFT_BED_H

#include "tests/lib/raft_story.h"

/* The one world of the program, for all its cases; there from open to close. */
extern struct world *world;

/* For cmocka, around the program. */
int raft_bed_open(void **state);
int raft_bed_close(void **state);

/* A group of @voters members with the options that stories begin from. */
void raft_bed_begin(uint32_t voters);

/* Fail the case when anything that the checks look at has not held. */
void raft_bed_expect_well(void);

#endif
