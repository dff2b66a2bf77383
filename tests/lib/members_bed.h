/* tests/lib/members_bed.h -- a simulated cluster of three nodes that are members of it, for tests
 * about who is there and who is to go.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_LIB_MEMBERS_BED_H
#define CARILLON_TESTS_LIB_MEMBERS_BED_H

#include "node/node_private.h"
#include "tests/lib/node_world.h"

enum { MEMBERS_BED_NODES = 3 };

/* Node @number of @world: 0 is the world's own, the one that clients speak with; NULL when it does
 * not run. */
struct node *members_bed_node(const struct node_world *world, uint32_t number);
struct io *members_bed_io(const struct node_world *world, uint32_t number);

/* Three nodes that know one another by the meta group; @sometimes as in node_world_init. */
void members_bed_begin(struct node_world *world, uint64_t seed, uint64_t *sometimes);

/* As the node @at holds the node @of. */
enum member_state members_bed_state(const struct node_world *world, uint32_t at, uint32_t of);
bool members_bed_all_alive(const struct node_world *world);

/* The test fails if anything was found wrong. */
void members_bed_expect_fine(const struct node_world *world);

/* A change of the meta group on its way. */
struct members_bed_wish {
    struct node_change change;
    bool is_done;
    int status;
};

/* node_change.done of a wish. */
void members_bed_on_done(struct node_change *change, int status);

/* Ask the node @at to have the node with @id changed, until it is told yes or no. */
int members_bed_change(struct node_world *world, uint32_t at, const uint8_t *id,
                       enum meta_kind kind, enum meta_member_state to);

bool members_bed_leads_any(const struct node *node);

/* The number of the node that leads @group: the test fails when there is none. Whether @id votes
 * in it, as node 0 knows it. */
uint32_t members_bed_leader_of(const struct node_world *world, uint32_t group);
bool members_bed_is_voter(const struct node_world *world, uint32_t group, raft_id id);

/* An import, to its end; registrations and all else that clients ask, with time in between. */
void members_bed_import(struct node_world *world);
void members_bed_work(struct node_world *world, uint32_t ops);

#endif
