/* node/rights.h -- who may do what: a connection's roles against a method's row.
 *
 * Layer: node (base, wire)     Spec: docs/spec/identity.md section 9
 */
#ifndef CARILLON_NODE_RIGHTS_H
#define CARILLON_NODE_RIGHTS_H

#include "node/conn.h"
#include "wire/method.h"

/* Whether @who may call @method with this body. Looks at the body of a student's request only,
 * and there at the field `student` alone. Errors: ERR_FORBIDDEN, with @text; ERR_MALFORMED. */
int rights_check(const struct conn_who *who, const struct method *method, struct slice body,
                 struct buf *text) CHECKED;

#endif
