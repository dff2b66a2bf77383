/* DATA/keys: made once, found again, renewed, rotated; and after any interruption made whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "identity/keyring.h"
#include "io_sim/io_sim.h"
#include "node/node_private.h"
#include "tests/lib/node_world.h"

enum { CALLS_MAX = 400, TEXT_BYTES = 4096, HOUR_MS = 3600 * 1000 };

static const uint64_t day_ms = 86400000;
static const uint8_t node_id[IDENTITY_ID_BYTES] = "node id 16 bytes";

struct fixture {
    struct io_sim *sim;
    struct io *io;
    struct keyring ring;
    struct buf text;
    uint8_t cluster[IDENTITY_ID_BYTES];
};

static void begin(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){.sim = io_sim_create(seed, NULL)};
    f->io = io_sim_machine_create(f->sim, "10.0.0.1");
    buf_init(&f->text, TEXT_BYTES);
}

static void end(struct fixture *f)
{
    keyring_fini(&f->ring);
    io_sim_destroy(f->sim);
    buf_fini(&f->text);
}

static int open_ring(struct fixture *f, bool is_new)
{
    keyring_fini(&f->ring);
    buf_clear(&f->text);
    int rc = keyring_open(&f->ring, f->io, "data", is_new ? KEYRING_NEW : KEYRING_FOUND,
                          f->cluster, &f->text);

    return rc == OK ? keyring_open_node(&f->ring, node_id, &f->text) : rc;
}

static void is_whole(const struct fixture *f)
{
    const struct keyring *ring = &f->ring;
    struct identity_certificate read;
    struct identity_trust trust = {
        .root = &ring->root, .roles = IDENTITY_ROLE_NODE, .wall_ms = io_wall_ms(f->io)};

    memcpy(trust.cluster, f->cluster, sizeof trust.cluster);
    assert_int_equal(
        identity_certificate_judge(&trust, buf_slice(&ring->node.certificate), &read),
        IO_REFUSAL_NONE);
    assert_memory_equal(read.key, ring->node.key.bytes, sizeof read.key);
    trust.roles = IDENTITY_ROLE_OPERATOR;
    assert_int_equal(
        identity_certificate_judge(&trust, buf_slice(&ring->operator.certificate), &read),
        IO_REFUSAL_NONE);
    assert_memory_equal(ring->card.node_key, ring->node.key.bytes, sizeof read.key);
    assert_memory_equal(ring->card.cluster, f->cluster, sizeof f->cluster);
    assert_true(ring->has_secret);
}

static void remove_file(struct fixture *f, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "data/keys/%s", name);
    assert_int_equal(io_file_remove(f->io, path), OK);
}

static void ring__made_once__is_found_again(void **state)
{
    struct fixture f;
    uint8_t key[IDENTITY_KEY_BYTES];
    uint8_t secret[PROOF_SECRET_BYTES];
    uint8_t of_root[IDENTITY_ID_BYTES];

    (void)state;
    begin(&f, 1);
    assert_int_equal(open_ring(&f, true), OK);
    is_whole(&f);
    identity_cluster_id(&f.ring.root, of_root);
    assert_memory_equal(f.cluster, of_root, sizeof of_root);
    assert_false(f.ring.is_adopted);
    memcpy(key, f.ring.node.key.bytes, sizeof key);
    memcpy(secret, f.ring.secret, sizeof secret);
    uint64_t calls = io_sim_calls(f.io, IO_SIM_WRITE);

    assert_int_equal(open_ring(&f, false), OK);
    is_whole(&f);
    assert_memory_equal(f.ring.node.key.bytes, key, sizeof key);
    assert_memory_equal(f.ring.secret, secret, sizeof secret);
    assert_int_equal(f.ring.card.epoch, 1);
    assert_int_equal(io_sim_calls(f.io, IO_SIM_WRITE), calls); /* nothing was made */
    end(&f);
}

/* A data folder older than its keys. */
static void ring__of_an_older_folder__keeps_its_cluster_id(void **state)
{
    struct fixture f;
    uint8_t recorded[IDENTITY_ID_BYTES];

    (void)state;
    begin(&f, 2);
    memset(f.cluster, 0xee, sizeof f.cluster);
    memcpy(recorded, f.cluster, sizeof recorded);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_ring(&f, false), OK);
        is_whole(&f);
        assert_true(f.ring.is_adopted && f.ring.card.is_adopted);
        assert_memory_equal(f.cluster, recorded, sizeof recorded);
    }
    end(&f);
}

static void ring__without_its_root_key__serves_and_says_what_it_needs(void **state)
{
    struct fixture f;
    struct keyring_update update;

    (void)state;
    begin(&f, 3);
    assert_int_equal(open_ring(&f, true), OK);
    remove_file(&f, "root.key");
    assert_int_equal(open_ring(&f, false), OK);
    is_whole(&f);
    assert_false(f.ring.has_root_key);
    keyring_plan(&f.ring, KEYRING_NODE_CERTIFICATE, &update);
    keyring_make(f.io, &update);
    assert_non_null(strstr(update.text, "root.key: it is needed"));
    assert_int_equal(keyring_take(&f.ring, &update), ERR_GONE);
    is_whole(&f);
    io_sim_wall_set(f.io, io_wall_ms(f.io) + 70 * day_ms); /* ends soon: that can wait */
    assert_int_equal(open_ring(&f, false), OK);
    io_sim_wall_set(f.io, io_wall_ms(f.io) + 30 * day_ms); /* has ended */
    assert_int_equal(open_ring(&f, false), ERR_GONE);
    assert_non_null(strstr(buf_text(&f.text), "root.key"));
    end(&f);
}

static void ring__that_lost_what_cannot_be_made__does_not_start(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, 4);
    assert_int_equal(open_ring(&f, true), OK);
    remove_file(&f, "root.key");
    remove_file(&f, "root.crt");
    assert_int_equal(open_ring(&f, false), ERR_DAMAGED);
    assert_non_null(strstr(buf_text(&f.text), "root.crt"));
    end(&f);
    begin(&f, 5);
    assert_int_equal(open_ring(&f, true), OK);
    f.cluster[3] ^= 1; /* another folder's keys */
    assert_int_equal(open_ring(&f, false), ERR_DAMAGED);
    end(&f);
    begin(&f, 6);
    assert_int_equal(open_ring(&f, true), OK);
    assert_int_equal(io_sim_flip_bit(f.io, "data/keys/card", 40, 3), OK);
    assert_int_equal(open_ring(&f, false), ERR_DAMAGED);
    end(&f);
}

static void certificate__before_it_ends__is_renewed_with_the_same_key(void **state)
{
    struct fixture f;
    struct keyring_update update;
    uint8_t key[IDENTITY_KEY_BYTES];

    (void)state;
    begin(&f, 7);
    assert_int_equal(open_ring(&f, true), OK);
    memcpy(key, f.ring.node.key.bytes, sizeof key);
    uint64_t ends = f.ring.node.not_after_ms;

    io_sim_wall_set(f.io, io_wall_ms(f.io) + 59 * day_ms);
    assert_int_equal(keyring_due(&f.ring, io_wall_ms(f.io)), 0);
    io_sim_wall_set(f.io, io_wall_ms(f.io) + 2 * day_ms);
    assert_int_equal(keyring_due(&f.ring, io_wall_ms(f.io)), KEYRING_NODE_CERTIFICATE);
    keyring_plan(&f.ring, KEYRING_NODE_CERTIFICATE, &update);
    keyring_make(f.io, &update);
    assert_int_equal(keyring_take(&f.ring, &update), OK);
    is_whole(&f);
    assert_memory_equal(f.ring.node.key.bytes, key, sizeof key);
    assert_true(f.ring.node.not_after_ms >= ends + 60 * day_ms);
    assert_int_equal(f.ring.card.epoch, 1);
    end(&f);
}

static void rotation__of_everything__makes_the_next_card(void **state)
{
    struct fixture f;
    struct keyring_update update;
    struct card first;
    uint8_t hash[IDENTITY_FINGERPRINT_BYTES];
    uint8_t secret[PROOF_SECRET_BYTES];

    (void)state;
    begin(&f, 8);
    assert_int_equal(open_ring(&f, true), OK);
    first = f.ring.card;
    identity_hash(buf_slice(&f.ring.card_bytes), hash);
    memcpy(secret, f.ring.secret, sizeof secret);
    keyring_plan(&f.ring, KEYRING_ROTATION, &update);
    keyring_make(f.io, &update);
    assert_int_equal(keyring_take(&f.ring, &update), OK);
    is_whole(&f);
    assert_int_equal(f.ring.card.epoch, 2);
    assert_memory_equal(f.ring.card.previous, hash, sizeof hash);
    assert_memory_not_equal(f.ring.card.node_key, first.node_key, sizeof first.node_key);
    assert_memory_not_equal(f.ring.secret, secret, sizeof secret);
    assert_int_equal(open_ring(&f, false), OK);
    assert_int_equal(f.ring.card.epoch, 2);
    is_whole(&f);
    end(&f);
}

/* Power fails in, or an error answers, each call of a first start and a rotation: the next
 * start makes it whole, and a cluster that was known stays who it is. */
static bool interrupted(uint64_t n, bool is_cut)
{
    struct fixture f;
    struct keyring_update update;
    uint8_t known[IDENTITY_ID_BYTES];
    bool was_open = false;

    begin(&f, 100 + n);
    if (is_cut) {
        io_sim_crash_at(f.io, n);
    } else {
        io_sim_fail(f.io, IO_SIM_ANY, n, ERR_IO, false);
    }
    if (open_ring(&f, true) == OK) {
        was_open = true;
        memcpy(known, f.cluster, sizeof known);
        keyring_plan(&f.ring, KEYRING_ROTATION, &update);
        keyring_make(f.io, &update);
        (void)!keyring_take(&f.ring, &update);
    } else if (!is_cut) {
        assert_true(f.text.len > 0);
    }
    bool is_struck = io_sim_calls(f.io, IO_SIM_ANY) >= n;

    if (is_cut && io_sim_is_down(f.io)) {
        io_sim_restart(f.io);
    }
    io_sim_fail_clear(f.io);
    assert_int_equal(open_ring(&f, !was_open), OK);
    is_whole(&f);
    if (was_open) {
        assert_memory_equal(f.cluster, known, sizeof known);
    }
    end(&f);
    return is_struck;
}

static void ring__interrupted_anywhere__is_made_whole_by_the_next_start(void **state)
{
    (void)state;
    for (int is_cut = 0; is_cut <= 1; is_cut++) {
        uint64_t n = 1;

        while (n < CALLS_MAX && interrupted(n, is_cut == 1)) {
            n++;
        }
        assert_in_range(n, 40, CALLS_MAX - 1);
    }
}

/* The whole node, over months. */
static void node__over_months__renews_its_certificate_by_itself(void **state)
{
    static uint64_t sometimes[SOMETIMES_NR];
    struct node_world world;

    (void)state;
    node_world_init(&world, 9, NULL, sometimes);
    assert_int_equal(node_world_open(&world), OK);
    uint64_t ends = world.node->door.ring.node.not_after_ms;

    node_world_run_ms(&world, 2 * HOUR_MS);
    assert_int_equal(world.node->door.ring.node.not_after_ms, ends);
    io_sim_wall_set(world.io, io_wall_ms(world.io) + 61 * day_ms);
    node_world_run_ms(&world, HOUR_MS + 1000);
    assert_true(world.node->door.ring.node.not_after_ms > ends);
    assert_int_equal(world.node->door.ring.card.epoch, 1);
    node_world_close(&world);
    assert_string_equal(world.violation, "");
    node_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring__made_once__is_found_again),
        cmocka_unit_test(ring__of_an_older_folder__keeps_its_cluster_id),
        cmocka_unit_test(ring__without_its_root_key__serves_and_says_what_it_needs),
        cmocka_unit_test(ring__that_lost_what_cannot_be_made__does_not_start),
        cmocka_unit_test(certificate__before_it_ends__is_renewed_with_the_same_key),
        cmocka_unit_test(rotation__of_everything__makes_the_next_card),
        cmocka_unit_test(ring__interrupted_anywhere__is_made_whole_by_the_next_start),
        cmocka_unit_test(node__over_months__renews_its_certificate_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
