/* tests/lib/facts_bed.h -- the shards of a cluster without nodes, for facts and imports: what
 * group 0 and the leaders would do is done here, one entry after the other. A failed step fails
 * the test.
 */
#ifndef CARILLON_TESTS_FACTS_BED_H
#define CARILLON_TESTS_FACTS_BED_H

#include "base/arena.h"
#include "enrol/enrol_private.h"
#include "enrol/fact.h"
#include "enrol/merge.h"
#include "enrol/staging.h"

enum { FACTS_SHARDS = 4, FACTS_COURSES = 12 };

struct facts_bed {
    struct enrol *shard[FACTS_SHARDS];
    uint64_t index[FACTS_SHARDS];
    uint64_t facts; /* that group 0 has counted */
    uint64_t keys;
    struct uuid key; /* of the last request */
    struct enrol_result result[FACTS_SHARDS];
    struct arena scratch;
    struct buf body; /* of the last request */
    struct buf part;
    struct buf reply; /* of the cluster */
    struct buf text;
};

extern struct facts_bed facts;

int facts_setup(void **state);
int facts_teardown(void **state);

/* ---- requests */

struct slice facts_key(void);
void facts_new_key(void);
void facts_set_body(const ProtobufCMessage *message);
/* One entry in one shard. Returns: the status. */
int facts_apply(uint32_t shard, uint32_t method, struct slice entry_key, struct slice body);
/* What the cluster answers, of facts.result. */
int facts_merge(uint32_t method);
/* The same bytes in every shard, as an entry of a method. */
int facts_every_of(uint32_t method, const ProtobufCMessage *message);

/* The request as fact @number in one shard, admitted first. */
int facts_apply_fact(uint32_t shard, uint64_t number, uint32_t method);
/* The request of facts.key as the next fact, in every shard; a new one. Returns: what the
 * client hears. */
int facts_put(uint32_t method);
int facts_put_of(uint32_t method, const ProtobufCMessage *message);

/* ---- imports of the courses C0.. of x in t */

struct facts_import {
    struct uuid id;
    uint32_t chunks;
};

const char *facts_code(uint32_t number);
Carillon__ImportBeginRequest facts_begin_message(const struct facts_import *import);
struct facts_import facts_import_begin(void);
/* Courses from @from to below @to staged, those from @gone_from to below @gone_to removed, in
 * every shard its own. */
int facts_import_chunk(struct facts_import *import, uint32_t from, uint32_t to,
                       uint32_t gone_from, uint32_t gone_to);
void facts_set_commit(const struct facts_import *import, bool force);
void facts_ask_all(struct enrol_staging *parts);
void facts_prepare(uint32_t shard, struct enrol_staging *part);
/* As a node does it, for the request of facts.key in facts.body; under a new key. Returns: what
 * the client hears. */
int facts_commit(void);
int facts_import_commit(const struct facts_import *import, bool force);
/* All courses, in two chunks. */
void facts_populate(void);

uint64_t facts_offered(void); /* courses, in all shards */
const struct campus_catalogue *facts_catalogue(uint32_t shard);

#endif
