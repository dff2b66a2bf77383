/* base/error.h -- the one table of errors: number, name, text, retryable, HTTP status, exit
 * code.
 *
 * Layer: base
 *
 * Functions that can fail return int: 0 (OK) or a negative error of this table, and must be
 * checked. A row's number is part of the client protocol (Reply.status carries it): rows are
 * added, never renumbered. Refusals by a rule are not errors of this table; a request that was
 * refused by rule ends with ERR_REFUSED and carries its list of refusals
 * (proto/registration.proto).
 */
#ifndef CARILLON_BASE_ERROR_H
#define CARILLON_BASE_ERROR_H

#include <stdbool.h>

#define CHECKED __attribute__((warn_unused_result))

enum { OK = 0 };

/* How a command line ends (docs: README, "exit codes"). */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_REFUSED = 2,
    EXIT_WAITLISTED = 3,
    EXIT_PENDING = 4,
    EXIT_UNAVAILABLE = 5,
    EXIT_UNKNOWN = 6,
    EXIT_USAGE = 64,
};

/*       name             no  retry  HTTP exit              text */
#define ERROR_TABLE(X)                                                                         \
    X(ERR_INTERNAL, 1, false, 500, EXIT_FAILED, "something went wrong inside the node")        \
    X(ERR_NOMEM, 2, false, 500, EXIT_FAILED, "memory is exhausted")                            \
    X(ERR_IO, 3, false, 500, EXIT_UNAVAILABLE, "the disk or the network failed")               \
    X(ERR_FULL, 4, true, 503, EXIT_UNAVAILABLE, "a limit is reached; try again later")         \
    X(ERR_DISK_FULL, 5, true, 507, EXIT_UNAVAILABLE,                                           \
      "the disk is full; reads go on, writes are refused")                                     \
    X(ERR_BUSY, 6, true, 503, EXIT_UNAVAILABLE, "too much work is waiting; try again shortly") \
    X(ERR_TIMEOUT, 7, true, 504, EXIT_UNKNOWN,                                                 \
      "no answer before the deadline; safe to try again with the same key")                    \
    X(ERR_CANCELLED, 8, true, 503, EXIT_UNAVAILABLE, "the operation was cancelled")            \
    X(ERR_CLOSED, 9, true, 503, EXIT_UNAVAILABLE, "the connection is closed")                  \
    X(ERR_REFUSED_CONNECT, 10, true, 503, EXIT_UNAVAILABLE, "nothing answers at that address") \
    X(ERR_EOF, 11, false, 400, EXIT_FAILED, "the input ends too early")                        \
    X(ERR_MALFORMED, 12, false, 400, EXIT_FAILED, "the bytes do not follow the format")        \
    X(ERR_TOO_LARGE, 13, false, 413, EXIT_FAILED, "larger than the limit")                     \
    X(ERR_VERSION, 14, false, 400, EXIT_FAILED, "the two sides share no version")              \
    X(ERR_METHOD, 15, false, 404, EXIT_FAILED, "no such method")                               \
    X(ERR_ARGUMENT, 16, false, 400, EXIT_USAGE, "an argument is not acceptable")               \
    X(ERR_EXISTS, 17, false, 409, EXIT_FAILED, "it exists already")                            \
    X(ERR_GONE, 18, false, 404, EXIT_FAILED, "it does not exist")                              \
    X(ERR_DAMAGED, 19, false, 500, EXIT_FAILED, "stored data is damaged")                      \
    X(ERR_LOCKED, 20, false, 409, EXIT_UNAVAILABLE, "another process uses this data folder")   \
    X(ERR_CONFIG, 21, false, 400, EXIT_USAGE, "the configuration is not acceptable")           \
    X(ERR_STOPPED, 22, true, 503, EXIT_UNAVAILABLE, "the node is stopping")                    \
    X(ERR_KEY_REUSED, 23, false, 422, EXIT_FAILED,                                             \
      "the idempotency key was used for another request")                                      \
    X(ERR_KEY_EXPIRED, 24, false, 409, EXIT_FAILED,                                            \
      "the idempotency key is older than 24 hours")                                            \
    X(ERR_REFUSED, 25, false, 409, EXIT_REFUSED, "refused by rule")                            \
    X(ERR_UNKNOWN_STUDENT, 26, false, 404, EXIT_FAILED, "no such student")                     \
    X(ERR_UNKNOWN_COURSE, 27, false, 404, EXIT_FAILED, "no such course")                       \
    X(ERR_UNKNOWN_SECTION, 28, false, 404, EXIT_FAILED, "no such section")                     \
    X(ERR_AMBIGUOUS, 29, false, 409, EXIT_FAILED, "the name fits more than one")               \
    X(ERR_SHRINK, 30, false, 409, EXIT_REFUSED,                                                \
      "the import would remove more than half; --force allows it")                             \
    X(ERR_QUERY, 31, false, 400, EXIT_USAGE, "the query is not well formed")                   \
    X(ERR_NOSPACE_REPLY, 32, false, 413, EXIT_FAILED, "the answer does not fit into a frame")  \
    X(ERR_UNKNOWN_IMPORT, 33, false, 404, EXIT_FAILED, "no such import is open")               \
    X(ERR_PERMISSION, 34, false, 403, EXIT_FAILED, "not permitted")                            \
    X(ERR_ADDRESS, 35, false, 400, EXIT_USAGE, "the address is not acceptable")                \
    X(ERR_UNAUTHENTICATED, 36, false, 401, EXIT_FAILED, "no valid credential was shown")       \
    X(ERR_FORBIDDEN, 37, false, 403, EXIT_FAILED, "the role may not do that")                  \
    X(ERR_NOT_LEADER, 38, true, 503, EXIT_UNAVAILABLE,                                         \
      "another node leads now, or none yet; try again shortly")

#define ERROR_ENUM(name, number, retry, http, exit_code, text) name = -(number),
enum error { ERROR_TABLE(ERROR_ENUM) };
#undef ERROR_ENUM

/* The name of @error ("ERR_IO"), or "OK", or "ERR_?" for a number that is not in the table.
 * Static storage. */
const char *error_name(int error);

/* One clause in words for people, without a full stop. Static storage. */
const char *error_text(int error);

/* Whether the very same request may succeed later. */
bool error_is_retryable(int error);

/* The HTTP status (100..599) and the process exit code that stand for @error. */
int error_http_status(int error);
int error_exit_code(int error);

/* The error for a number that came over the wire (Reply.status, positive), ERR_INTERNAL for an
 * unknown one. */
int error_from_wire(unsigned status);

#endif
