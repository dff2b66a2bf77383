/* enrol/across_facts.h -- what the home tells a section's shard of a student.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/enrol.md section 4
 */
#ifndef CARILLON_ENROL_ACROSS_FACTS_H
#define CARILLON_ENROL_ACROSS_FACTS_H

#include "enrol/across_message.h"
#include "enrol/request.h"

/* Everything that @shard needs to judge its ops of @request, but the deadline; @claim: the
 * number of the offer that its add claims, or 0. With to->is_whole the student's whole record;
 * else what suffices where no course that is added has a rule: whether he has taken it before.
 * Borrows from the state and the request. */
void across__facts(const struct campus *campus, uint32_t student, const struct request *request,
                   uint32_t shard, uint64_t claim, struct across_reserve *to);

#endif
