/* Settings: defaults, file, flags, and the words of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/config.h"
#include "node/histogram.h"

struct world {
    struct node_config config;
    struct buf text;
    char path[64];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    if (world == NULL) {
        return -1;
    }
    node_config_init(&world->config);
    buf_init(&world->text, 4096);
    (void)snprintf(world->path, sizeof world->path, "/tmp/carillon-config-XXXXXX");
    int fd = mkstemp(world->path);
    *state = world;
    return fd < 0 || close(fd) != 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    (void)unlink(world->path);
    buf_fini(&world->text);
    free(world);
    return 0;
}

static int read_text(struct world *world, const char *text)
{
    FILE *file = fopen(world->path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return node_config_read_file(&world->config, world->path, &world->text);
}

static void config__without_a_file__serves_loopback_with_half_the_memory(void **state)
{
    struct world *world = *state;
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    assert_int_equal(node_config_finish(&world->config, &world->text), OK);
    assert_string_equal(world->config.listen, "127.0.0.1:7440");
    assert_true(world->config.memory_bytes_max == memory / 2);
    assert_true(world->config.connections_max >= 16);
    assert_true(world->config.data_folder[0] == '/');
}

static void config_read__of_known_settings__sets_them(void **state)
{
    struct world *world = *state;

    assert_int_equal(
        read_text(
            world,
            "data_folder = \"/srv/c\";\nmemory_bytes_max = \"1G\";\nconnections_max = 77;\n"),
        OK);
    assert_string_equal(world->config.data_folder, "/srv/c");
    assert_true(world->config.memory_bytes_max == 1ULL << 30);
    assert_true(world->config.connections_max == 77);
}

static void config_read__of_an_unknown_name__names_file_and_line(void **state)
{
    struct world *world = *state;
    char where[80];

    assert_int_equal(read_text(world, "connections_max = 5;\n\nconections_max = 6;\n"),
                     ERR_CONFIG);
    (void)snprintf(where, sizeof where, "%s:3: ", world->path);
    assert_non_null(strstr(buf_text(&world->text), where));
    assert_non_null(strstr(buf_text(&world->text), "conections_max"));
}

static void config_read__of_broken_syntax__names_file_and_line(void **state)
{
    struct world *world = *state;
    char where[80];

    assert_int_equal(read_text(world, "connections_max = 5;\nlisten = = 3;\n"), ERR_CONFIG);
    (void)snprintf(where, sizeof where, "%s:2: ", world->path);
    assert_non_null(strstr(buf_text(&world->text), where));
}

static void config_read__of_a_missing_file__says_so(void **state)
{
    struct world *world = *state;

    assert_int_equal(
        node_config_read_file(&world->config, "/nonexistent/carillon.conf", &world->text),
        ERR_CONFIG);
    assert_non_null(strstr(buf_text(&world->text), "/nonexistent/carillon.conf"));
}

static void config_set__out_of_bounds_or_of_the_wrong_type__is_refused(void **state)
{
    struct world *world = *state;

    assert_int_equal(node_config_set(&world->config, "connections_max", "0", &world->text),
                     ERR_CONFIG);
    assert_int_equal(node_config_set(&world->config, "connections_max", "many", &world->text),
                     ERR_CONFIG);
    assert_int_equal(node_config_set(&world->config, "memory_bytes_max", "1M", &world->text),
                     ERR_CONFIG);
    assert_int_equal(node_config_set(&world->config, "memory_bytes_max",
                                     "99999999999999999999G", &world->text),
                     ERR_CONFIG);
    assert_int_equal(node_config_set(&world->config, "listen", "", &world->text), ERR_CONFIG);
    assert_int_equal(read_text(world, "listen = 7440;\n"), ERR_CONFIG);
    assert_int_equal(read_text(world, "connections_max = -3;\n"), ERR_CONFIG);
    assert_true(world->config.connections_max == 0);
}

static void config_finish__without_an_address_and_a_port__is_refused(void **state)
{
    static const char *const refused[] = {"7440", "127.0.0.1:70000", ":7440", "127.0.0.1:"};
    static const char *const taken[] = {"0.0.0.0:7440", "192.0.2.1:7440", "[::]:7440",
                                        "[::1]:0"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(node_config_set(&world->config, "listen", refused[i], &world->text),
                         OK);
        assert_int_equal(node_config_finish(&world->config, &world->text), ERR_CONFIG);
    }
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_int_equal(node_config_set(&world->config, "listen", taken[i], &world->text), OK);
        assert_int_equal(node_config_finish(&world->config, &world->text), OK);
    }
}

static void config_finish__with_another_word_for_plain__is_refused(void **state)
{
    struct world *world = *state;

    assert_int_equal(node_config_set(&world->config, "plain", "always", &world->text), OK);
    assert_int_equal(node_config_finish(&world->config, &world->text), ERR_CONFIG);
    assert_int_equal(node_config_set(&world->config, "plain", "never", &world->text), OK);
    assert_int_equal(node_config_finish(&world->config, &world->text), OK);
}

static void config_describe__read_back__is_the_same(void **state)
{
    struct world *world = *state;
    struct node_config again;
    struct buf described;

    assert_int_equal(node_config_finish(&world->config, &world->text), OK);
    buf_init(&described, 1 << 16);
    assert_int_equal(node_config_describe(&world->config, &described), OK);
    again = world->config;
    node_config_init(&world->config);
    int rc = read_text(world, buf_text(&described));
    assert_int_equal(rc, OK);
    assert_memory_equal(&world->config, &again, sizeof again);
    buf_fini(&described);
}

static void histogram__quantiles__are_at_most_an_eighth_off(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    assert_true(histogram_quantile(&histogram, 500000) == 0);
    for (uint64_t ns = 1; ns <= 100000; ns++) {
        histogram_add(&histogram, ns);
    }
    for (uint32_t ppm = 10000; ppm <= 1000000; ppm += 10000) {
        uint64_t exact = ppm / 10;
        uint64_t is = histogram_quantile(&histogram, ppm);

        assert_true(is >= exact && is <= exact + exact / 8 + 1);
    }
    assert_true(histogram.sum == 5000050000ULL);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 1000000) >= UINT64_MAX / 8 * 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            config__without_a_file__serves_loopback_with_half_the_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(config_read__of_known_settings__sets_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(config_read__of_an_unknown_name__names_file_and_line,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(config_read__of_broken_syntax__names_file_and_line,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(config_read__of_a_missing_file__says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            config_set__out_of_bounds_or_of_the_wrong_type__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            config_finish__without_an_address_and_a_port__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            config_finish__with_another_word_for_plain__is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(config_describe__read_back__is_the_same, setup,
                                        teardown),
        cmocka_unit_test(histogram__quantiles__are_at_most_an_eighth_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
