/* A node joins in a simulated world, with power failing at every step it takes; and what the data
 * folder says of a node that joined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "identity/encoding.h"
#include "log/bytes.h"
#include "node/join.h"
#include "node/node_private.h"
#include "proto/identity.pb-c.h"
#include "tests/lib/node_world.h"
#include "wire/message.h"

enum { STEPS_MAX = 400, LIMIT_MS = 60000 };

static uint64_t sometimes[SOMETIMES_NR];

struct joiner {
    struct node_world world;
    struct io *io;
    struct node_config config;
    struct node_join join;
    struct node *node;
    struct buf text;
    bool is_done;
    int status;
};

static void on_done(struct node_join *join, int status)
{
    struct joiner *joiner = CONTAINER_OF(join, struct joiner, join);

    joiner->is_done = true;
    joiner->status = status;
}

/* An invite, as an entry like any other. */
static void grant(struct joiner *joiner)
{
    Carillon__GrantRequest request = CARILLON__GRANT_REQUEST__INIT;
    struct node *node = joiner->world.node;
    uint8_t secret[TOKEN_BYTES];
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];
    uint8_t root[IDENTITY_FINGERPRINT_BYTES];
    char digits[2 * TOKEN_BYTES + 1];
    char fingerprint[2 * IDENTITY_FINGERPRINT_BYTES + 1];
    struct buf body;

    rng_fill(&joiner->world.rng, secret, sizeof secret);
    identity_hash(slice_from(secret, sizeof secret), hash);
    request.hash = wire_binary(slice_from(hash, sizeof hash));
    request.role = CARILLON__ROLE__ROLE_NODE;
    request.name = wire_text("invite");
    request.expires_ms = io_wall_ms(joiner->world.io) + 86400000;
    buf_init(&body, 1024);
    assert_int_equal(wire_pack(&request.base, &body), OK);
    for (uint32_t i = 0; i <= joiner->world.replica_count; i++) {
        struct node *leader = i == 0 ? node : joiner->world.replicas[i - 1].node;

        if (leader->shards[0].is_leading) {
            assert_int_equal(node__propose(&leader->shards[0], CARILLON__METHOD__METHOD_GRANT,
                                           buf_slice(&body)),
                             OK);
        }
    }
    buf_fini(&body);
    node_world_run_ms(&joiner->world, 200);
    hex_encode(slice_from(secret, sizeof secret), digits);
    identity_fingerprint(&node->door.ring.root, root);
    hex_encode(slice_from(root, sizeof root), fingerprint);
    (void)snprintf(joiner->config.join, sizeof joiner->config.join,
                   "carillon-invite:10.0.0.1:7440:%s:%s", fingerprint, digits);
}

static void begin_world(struct joiner *joiner, uint64_t seed, uint32_t replicas)
{
    const struct io_peer sealed = {.is_encrypted = true};

    *joiner = (struct joiner){0};
    node_world_init(&joiner->world, seed, NULL, sometimes);
    node_world_replicas(&joiner->world, replicas);
    assert_int_equal(node_world_open(&joiner->world), OK);
    assert_true(replicas == 0 || node_world_gather(&joiner->world));
    node_world_run_ms(&joiner->world, 500);
    joiner->io = io_sim_machine_create(joiner->world.sim, "10.0.0.9");
    io_sim_peer_set(joiner->io, &sealed);
    joiner->config = joiner->world.config;
    (void)snprintf(joiner->config.listen, sizeof joiner->config.listen, "10.0.0.9:7440");
    (void)snprintf(joiner->config.name, sizeof joiner->config.name, "second");
    buf_init(&joiner->text, 4096);
}

static void begin(struct joiner *joiner, uint64_t seed)
{
    begin_world(joiner, seed, 0);
    grant(joiner);
}

static void end(struct joiner *joiner)
{
    if (joiner->node != NULL) {
        io_sim_kill(joiner->io);
        io_sim_forget(joiner->io);
        node_forget(joiner->node);
    }
    buf_fini(&joiner->text);
    node_world_fini(&joiner->world);
}

/* Once, as far as power and the other node let it come. */
static int join(struct joiner *joiner)
{
    joiner->is_done = false;
    int rc = node_join_start(&joiner->join, joiner->io, &joiner->config, on_done);

    for (uint64_t until = io_sim_now_ns(joiner->world.sim) + LIMIT_MS * 1000000ULL;
         rc == SM_PENDING && !joiner->is_done && !io_sim_is_down(joiner->io) &&
         io_sim_now_ns(joiner->world.sim) < until;) {
        (void)node_world_step(&joiner->world);
    }
    if (rc == SM_PENDING) {
        rc = joiner->is_done ? joiner->status : ERR_STOPPED;
    }
    if (io_sim_is_down(joiner->io)) { /* what it still called after the cut is delivered */
        node_world_run_ms(&joiner->world, 100);
    }
    buf_clear(&joiner->text);
    (void)!buf_append_slice(&joiner->text, buf_slice(&joiner->join.text));
    node_join_fini(&joiner->join);
    return rc;
}

static int start(struct joiner *joiner)
{
    buf_clear(&joiner->text);
    return node_open(joiner->io, &joiner->config, &joiner->node, &joiner->text);
}

static uint32_t joining_count(const struct joiner *joiner)
{
    const struct meta *meta = &joiner->world.node->meta;
    uint32_t count = 0;

    for (uint32_t i = 0; i < meta->member_count; i++) {
        count += meta->members[i].state == META_JOINING;
    }
    return count;
}

static void expect_waiting(struct joiner *joiner)
{
    const struct log_identity *own = node__identity(joiner->node);
    const struct meta_member *member = meta_find(&joiner->world.node->meta, own->node);

    assert_non_null(member);
    assert_int_equal(member->state, META_JOINING);
    assert_memory_equal(member->key, joiner->node->door.ring.node.key.bytes, META_KEY_BYTES);
    assert_string_equal(member->address, "10.0.0.9:7440");
    assert_memory_equal(own->cluster, node__identity(joiner->world.node)->cluster, LOG_ID_BYTES);
    assert_true(own->is_joined && node__is_waiting(joiner->node));
    assert_int_equal(joining_count(joiner), 1);
}

static void node__that_joined__waits_and_does_not_lead(void **state)
{
    struct joiner joiner;

    (void)state;
    begin(&joiner, 1);
    assert_int_equal(join(&joiner), OK);
    assert_int_equal(start(&joiner), OK);
    node_world_run_ms(&joiner.world, 20000); /* many times an election timeout */
    expect_waiting(&joiner);
    assert_false(joiner.node->shards[0].is_leading || joiner.node->is_leading_meta);
    assert_int_equal(joiner.node->raft.groups[0].raft.term, 0);
    end(&joiner);
}

/* Power fails in the nth call of the file system, for every n there is, while it joins or starts
 * for the first time: the same start again goes on, and the invite was used for one node. */
static void join__interrupted_anywhere__goes_on_with_the_same_start(void **state)
{
    uint64_t steps = 1;

    (void)state;
    for (bool is_over = false; !is_over && steps < STEPS_MAX; steps++) {
        struct joiner joiner;

        begin(&joiner, steps);
        io_sim_crash_at(joiner.io, steps);
        int rc = join(&joiner);

        rc = rc == OK ? start(&joiner) : rc;
        is_over = !io_sim_is_down(joiner.io);
        if (!is_over) {
            if (joiner.node != NULL) {
                io_sim_forget(joiner.io);
                node_forget(joiner.node);
                joiner.node = NULL;
            }
            io_sim_restart(joiner.io);
            io_sim_fail_clear(joiner.io);
            if (join(&joiner) != OK || start(&joiner) != OK) {
                fail_msg("after step %llu: %s", (unsigned long long)steps,
                         buf_text(&joiner.text));
            }
        }
        node_world_run_ms(&joiner.world, 2000);
        expect_waiting(&joiner);
        end(&joiner);
    }
    assert_true(steps > 20 && steps < STEPS_MAX);
}

/* The same with every call failing, or the power, and then a start without the invite: it says
 * what to do, or goes on; and never makes a cluster of its own. */
static void join__interrupted_anywhere__makes_no_cluster_of_its_own(void **state)
{
    uint64_t steps = 1;
    uint32_t refused = 0;

    (void)state;
    for (bool is_over = false; !is_over && steps < STEPS_MAX; steps++) {
        struct joiner joiner;
        uint8_t cluster[LOG_ID_BYTES];

        begin(&joiner, steps);
        memcpy(cluster, node__identity(joiner.world.node)->cluster, sizeof cluster);
        io_sim_crash_at(joiner.io, steps);
        int rc = join(&joiner);

        is_over = !io_sim_is_down(joiner.io);
        bool has_key = false;
        if (!is_over) {
            struct buf key;

            io_sim_restart(joiner.io);
            io_sim_fail_clear(joiner.io);
            buf_init(&key, 4096);
            has_key = io_sim_durable_read(joiner.io, "data/keys/node.key", &key) == OK;
            buf_fini(&key);
        } else {
            assert_int_equal(rc, OK);
        }
        rc = start(&joiner);
        if (rc == OK && (has_key || is_over)) {
            assert_memory_equal(node__identity(joiner.node)->cluster, cluster, sizeof cluster);
        } else if (has_key) {
            assert_non_null(strstr(buf_text(&joiner.text), "--join"));
            refused++;
        }
        node_world_run_ms(&joiner.world, 200);
        end(&joiner);
    }
    assert_true(refused > 5 && steps < STEPS_MAX);
}

/* The other's disk is slow: who has the answer is a member by then. */
static void answer__before_the_entry_is_durable__does_not_come(void **state)
{
    struct joiner joiner;

    (void)state;
    begin(&joiner, 3);
    io_sim_sync_slow(joiner.world.io, 300000);
    assert_int_equal(join(&joiner), OK);
    assert_int_equal(joining_count(&joiner), 1);
    end(&joiner);
}

/* The node that is asked dies in between: the same invite, the same node, one member. */
static void join__of_a_node_that_dies__is_asked_again(void **state)
{
    (void)state;
    for (uint64_t ms = 0; ms < 40; ms += 2) {
        struct joiner joiner;

        begin(&joiner, 100 + ms);
        int rc = node_join_start(&joiner.join, joiner.io, &joiner.config, on_done);

        assert_int_equal(rc, SM_PENDING);
        node_world_run_ms(&joiner.world, ms / 2);
        node_world_kill(&joiner.world);
        node_world_up(&joiner.world);
        assert_int_equal(node_world_open(&joiner.world), OK);
        while (!joiner.is_done && node_world_step(&joiner.world)) {
        }
        node_join_fini(&joiner.join);
        node_world_run_ms(&joiner.world, 2000);
        assert_int_equal(join(&joiner), OK);
        assert_int_equal(start(&joiner), OK);
        node_world_run_ms(&joiner.world, 500);
        expect_waiting(&joiner);
        end(&joiner);
    }
}

/* ---- of a node that does not know it all ---- */

/* A replica that leads neither group, as one that is asked. */
static uint32_t follower(const struct joiner *joiner)
{
    uint32_t number = 0;

    while (joiner->world.replicas[number].node->shards[0].is_leading ||
           joiner->world.replicas[number].node->is_leading_meta) {
        number++;
        assert_true(number < joiner->world.replica_count);
    }
    return number;
}

/* Nothing gets through between the replica @number and the other nodes; or all. */
static void cut_off(struct joiner *joiner, uint32_t number, bool is_cut)
{
    const struct io_sim_wire wire = {.is_cut = is_cut};
    struct io *io = joiner->world.replicas[number].io;

    for (uint32_t i = 0; i <= joiner->world.replica_count; i++) {
        struct io *other = i == 0 ? joiner->world.io : joiner->world.replicas[i - 1].io;

        if (other != io) {
            io_sim_wire_set(io, other, &wire);
            io_sim_wire_set(other, io, &wire);
        }
    }
}

static void ask_at(struct joiner *joiner, uint32_t number)
{
    char address[64];
    char *rest = strstr(joiner->config.join, ":7440:");

    assert_non_null(rest);
    (void)snprintf(address, sizeof address, "carillon-invite:10.0.1.%u", number + 1);
    memmove(joiner->config.join + strlen(address), rest, strlen(rest) + 1);
    memcpy(joiner->config.join, address, strlen(address));
}

/* Start to join at the replica @number, which is whole again after @ms. Returns: when that was
 * over, ms after its beginning; the status in joiner->status. */
static uint64_t join_at(struct joiner *joiner, uint32_t number, uint64_t ms)
{
    uint64_t began_ns = io_sim_now_ns(joiner->world.sim);

    ask_at(joiner, number);
    joiner->is_done = false;
    assert_int_equal(
        node_join_start(&joiner->join, joiner->io, &joiner->config, on_done), SM_PENDING);
    node_world_run_ms(&joiner->world, ms);
    cut_off(joiner, number, false);
    while (!joiner->is_done && node_world_step(&joiner->world)) {
    }
    buf_clear(&joiner->text);
    (void)!buf_append_slice(&joiner->text, buf_slice(&joiner->join.text));
    node_join_fini(&joiner->join);
    return (io_sim_now_ns(joiner->world.sim) - began_ns) / 1000000;
}

/* The invite was made while the node that is asked heard nothing: it does not say that there is
 * none before it can know, and who asks waits. */
static void invite__that_a_node_has_not_heard_of__is_not_refused(void **state)
{
    static const uint64_t cut_ms[] = {0, 200, 1000, 5000, 15000};

    (void)state;
    for (uint32_t i = 0; i < sizeof cut_ms / sizeof *cut_ms; i++) {
        struct joiner joiner;

        begin_world(&joiner, 200 + i, 2);
        uint32_t number = follower(&joiner);

        cut_off(&joiner, number, true);
        grant(&joiner);
        (void)join_at(&joiner, number, cut_ms[i]);
        if (joiner.status != OK) {
            fail_msg("cut for %llu ms: %s", (unsigned long long)cut_ms[i],
                     buf_text(&joiner.text));
        }
        node_world_run_ms(&joiner.world, 2000);
        assert_string_equal(joiner.world.violation, "");
        end(&joiner);
    }
}

/* One that nobody made is refused as soon as that is certain. */
static void invite__that_there_is_not__is_refused_at_once(void **state)
{
    struct joiner joiner;

    (void)state;
    begin_world(&joiner, 300, 2);
    grant(&joiner);
    char *last = joiner.config.join + strlen(joiner.config.join) - 1;

    *last = *last == '0' ? '1' : '0';
    assert_in_range(join_at(&joiner, follower(&joiner), 1), 1, 1500);
    assert_int_equal(joiner.status, ERR_UNAUTHENTICATED);
    assert_non_null(strstr(buf_text(&joiner.text), "the invite is unknown"));
    end(&joiner);
}

/* Who never hears a leader cannot say so. */
static void invite__at_a_node_that_hears_no_leader__is_told_what_is_missing(void **state)
{
    struct joiner joiner;

    (void)state;
    begin_world(&joiner, 400, 2);
    uint32_t number = follower(&joiner);

    cut_off(&joiner, number, true);
    grant(&joiner);
    assert_in_range(join_at(&joiner, number, 2 * LIMIT_MS), 20000, 3 * LIMIT_MS);
    assert_int_equal(joiner.status, ERR_NOT_LEADER);
    assert_non_null(strstr(buf_text(&joiner.text), "cannot learn from a leader"));
    node_world_run_ms(&joiner.world, 5000);
    assert_int_equal(join(&joiner), OK); /* the same start, later */
    end(&joiner);
}

/* Whoever leads has just died: it is waited for another. */
static void join__while_nobody_leads__waits_for_the_next_leader(void **state)
{
    (void)state;
    for (uint64_t seed = 500; seed < 510; seed++) {
        struct joiner joiner;

        begin_world(&joiner, seed, 2);
        grant(&joiner);
        bool is_first = joiner.world.node->is_leading_meta;
        uint32_t leader = joiner.world.replicas[0].node->is_leading_meta ? 0 : 1;
        uint32_t asked = is_first ? 0 : 1 - leader;

        if (is_first) {
            node_world_kill(&joiner.world);
        } else {
            node_world_replica_kill(&joiner.world, leader);
        }
        (void)join_at(&joiner, asked, 1);
        if (joiner.status != OK) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, buf_text(&joiner.text));
        }
        assert_int_equal(start(&joiner), OK);
        end(&joiner);
    }
}

/* ---- the data folder's identity ---- */

static void identity__of_either_format__is_read(void **state)
{
    struct io_sim *sim = io_sim_create(5, NULL);
    struct io *io = io_sim_machine_create(sim, "10.0.0.1");
    struct log_identity made = {0};
    struct log_identity read = {0};
    uint8_t bytes[48] = "CLRI\1";
    struct io_file *file;

    (void)state;
    assert_int_equal(io_folder_make(io, "data"), OK);
    log_identity_make(io, 7, &made);
    for (int joined = 0; joined < 2; joined++) {
        made.is_joined = joined == 1;
        assert_int_equal(log_identity_write(io, "data", &made), OK);
        assert_int_equal(log_identity_read(io, "data", &read), OK);
        assert_int_equal(read.is_joined, made.is_joined);
        assert_int_equal(read.shards, 7);
        assert_memory_equal(read.cluster, made.cluster, LOG_ID_BYTES);
        assert_memory_equal(read.node, made.node, LOG_ID_BYTES);
    }
    /* a flag that this version does not know means something it would not do */
    uint8_t later[52] = "CLRI\2";
    later[44] = 2;
    bytes_put_u32(later + 48, crc32c(0, later, 48));
    assert_int_equal(io_file_remove(io, "data/identity"), OK);
    assert_int_equal(io_file_open(io, "data/identity", IO_OPEN_CREATE, &file), OK);
    assert_int_equal(io_file_write(io, file, 0, later, sizeof later), OK);
    assert_int_equal(log_identity_read(io, "data", &read), ERR_VERSION);
    /* as the version before wrote it */
    memcpy(bytes + 8, made.cluster, LOG_ID_BYTES);
    memcpy(bytes + 24, made.node, LOG_ID_BYTES);
    bytes_put_u32(bytes + 40, 3);
    bytes_put_u32(bytes + 44, crc32c(0, bytes, 44));
    assert_int_equal(io_file_truncate(io, file, 0), OK);
    assert_int_equal(io_file_write(io, file, 0, bytes, sizeof bytes), OK);
    assert_int_equal(log_identity_read(io, "data", &read), OK);
    assert_false(read.is_joined);
    assert_int_equal(read.shards, 3);
    assert_memory_equal(read.node, made.node, LOG_ID_BYTES);
    /* any bit of it */
    for (uint64_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        uint8_t flipped = bytes[bit / 8] ^ (uint8_t)(1U << (bit % 8));

        assert_int_equal(io_file_write(io, file, bit / 8, &flipped, 1), OK);
        assert_int_equal(log_identity_read(io, "data", &read), ERR_DAMAGED);
        assert_int_equal(io_file_write(io, file, bit / 8, &bytes[bit / 8], 1), OK);
    }
    io_file_close(io, file);
    io_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node__that_joined__waits_and_does_not_lead),
        cmocka_unit_test(join__interrupted_anywhere__goes_on_with_the_same_start),
        cmocka_unit_test(join__interrupted_anywhere__makes_no_cluster_of_its_own),
        cmocka_unit_test(answer__before_the_entry_is_durable__does_not_come),
        cmocka_unit_test(join__of_a_node_that_dies__is_asked_again),
        cmocka_unit_test(invite__that_a_node_has_not_heard_of__is_not_refused),
        cmocka_unit_test(invite__that_there_is_not__is_refused_at_once),
        cmocka_unit_test(invite__at_a_node_that_hears_no_leader__is_told_what_is_missing),
        cmocka_unit_test(join__while_nobody_leads__waits_for_the_next_leader),
        cmocka_unit_test(identity__of_either_format__is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
