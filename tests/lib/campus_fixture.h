/* tests/lib/campus_fixture.h -- a state under test, spoken to in short texts.
 *
 * Sections of a course are written `id:capacity:days:start-end,days:start-end`, capacity `-`
 * for none, days as hex bits (1 Monday): "A:2:05:600-660". Rules are written in prefix order:
 * `&2` and, `|2` or, `%2/3` two of three, `L3` level, `$6000` credits, `:CS1` a course,
 * `:CS1>301` with a least grade, `:CS1*` or at the same time. A submit is written `+CS1#A` add,
 * `-CS1#A` drop, `~CS1#A` add or wait, `~CS1#A(CS2#B)` and drop CS2#B then.
 */
#ifndef CARILLON_TESTS_CAMPUS_FIXTURE_H
#define CARILLON_TESTS_CAMPUS_FIXTURE_H

#include "campus/student.h"
#include "enrol/enrol.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"

struct campus_fixture {
    struct enrol *enrol;
    struct enrol_result result;
    struct buf reply; /* of the last read */
    struct buf text;
    struct buf summary;
    struct buf body; /* of the last write */
    struct uuid key;
    uint64_t index;
    uint64_t wall_ms;
    uint64_t keys;
    bool is_admitting; /* writes go through enrol_admit first */
    const char *institution;
    const char *term;
};

#define FIXTURE_WALL_MS 1760000000000ULL

void fixture_init(struct campus_fixture *f);
void fixture_fini(struct campus_fixture *f);

/* Of a test whose state is a fixture: the state is whole at its end. */
int fixture_teardown(void **state);
/* A new empty state with the same configuration. */
struct enrol *fixture_empty(void);

/* Apply one request under a new key at the present time. Returns: the status. */
int fixture_write(struct campus_fixture *f, uint32_t method, const ProtobufCMessage *request);
/* The same bytes again, under the last key; under a new one. */
int fixture_repeat(struct campus_fixture *f, uint32_t method);
int fixture_apply(struct campus_fixture *f, uint32_t method, struct slice body);
int fixture_read(struct campus_fixture *f, uint32_t method, const ProtobufCMessage *request);
void fixture_tick(struct campus_fixture *f, uint64_t ms); /* time passes, as an entry */

/* Import one course (or student) more. @rule NULL: none; @sections a list of texts ended by
 * NULL, or NULL. */
int fixture_course(struct campus_fixture *f, const char *code, int credits, const char *rule,
                   const char *const *sections);
/* One section only. */
int fixture_simple(struct campus_fixture *f, const char *code, const char *section);
/* @taken: codes with grades, "CS1 CS2=301". */
int fixture_student(struct campus_fixture *f, const char *token, uint32_t level,
                    const char *taken);
int fixture_remove(struct campus_fixture *f, uint32_t kind, const char *name, bool force);

/* Submit, and say what came of it: "REGISTERED x:CS1#A WAITLISTED x:CS2#A/1", or the refusals
 * "TIME_CONFLICT@0[x:CS1#A] BLOCKED@*[fees]" (KIND@op/rule node[evidence]), or the error's
 * name. Valid until the next call. */
const char *fixture_submit(struct campus_fixture *f, const char *student, const char *ops);
const char *fixture_check(struct campus_fixture *f, const char *student, const char *ops);
/* What the last write said, written the same way. */
const char *fixture_summary(struct campus_fixture *f);
/* "CS1#A CS2#B | CS3#A/1": registrations, then places. */
const char *fixture_schedule(struct campus_fixture *f, const char *student);
/* "ann bob! | cid/1": the roster (! over capacity), then the waitlist. */
const char *fixture_roster(struct campus_fixture *f, const char *section);
/* The notes of the last write: "promoted ann x:CS1#A, skipped bob x:CS1#A
 * TIME_CONFLICT[x:CS2#A]". */
const char *fixture_notes(struct campus_fixture *f);
/* The findings of a verify run; "" when all is well. */
const char *fixture_verify(struct campus_fixture *f);

int fixture_block(struct campus_fixture *f, const char *student, const char *reason,
                  bool remove);
int fixture_permit(struct campus_fixture *f, const char *student, const char *section,
                   uint32_t kinds);
int fixture_cap(struct campus_fixture *f, const char *section, int capacity); /* -1: no limit */
int fixture_window(struct campus_fixture *f, uint64_t opens_ms, uint64_t closes_ms,
                   uint32_t level_min);
int fixture_limits(struct campus_fixture *f, uint32_t courses, uint32_t credits,
                   uint32_t waitlist);

/* A section's message name from "CODE#SECTION", "inst:CODE#SECTION" or "CODE"; static storage,
 * a few at a time. */
Carillon__SectionName *fixture_name(const char *text);
struct uuid fixture_key(struct campus_fixture *f);

#endif
