/* enrol/request.h -- reads a SubmitRequest where it lies: no copies, no memory but the struct.
 *
 * Layer: enrol (base, wire)
 *
 * Submits are what a node decodes most, twice each (admit and apply); this takes a tenth of
 * what the general decoder needs. tests/unit/test_enrol_request compares the two.
 */
#ifndef CARILLON_ENROL_REQUEST_H
#define CARILLON_ENROL_REQUEST_H

#include "base/error.h"
#include "base/slice.h"
#include "campus/name.h"

enum { REQUEST_OPS_MAX = 16, REQUEST_DROPS_MAX = 16 };

struct request_op {
    uint32_t kind; /* enum OpKind, unchecked */
    bool waitlist;
    struct campus_name name;
    uint32_t drop_count; /* may exceed the bound: the further ones are not kept */
    struct slice drops[REQUEST_DROPS_MAX]; /* packed SectionNames */
};

struct request {
    struct slice student;
    uint32_t op_count; /* likewise */
    struct request_op ops[REQUEST_OPS_MAX];
};

/* Texts are borrowed from @body. Errors: ERR_MALFORMED. */
int request_decode(struct slice body, struct request *ret_request) CHECKED;
int request_decode_name(struct slice packed, struct campus_name *ret_name) CHECKED;

#endif
