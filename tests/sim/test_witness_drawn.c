/* Random histories that are good, answered by the model; then the same with one thing changed
 * so that it is certainly wrong. SEED=n draws one and prints it when the witness does not
 * believe it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/witness.h"
#include "tests/lib/witness_draw.h"

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SEEDS = 200, /* each costs four times as much */
#else
    SEEDS = 600,
#endif
    REQUESTS = 120,
};

struct campaign {
    const char *name;
    struct witness_draw_options options;
    uint64_t good;
    uint64_t undecided;
    uint64_t wrong;
    uint64_t calls;
    uint64_t entries;
    uint64_t reads;
    uint64_t unknown;
    uint64_t supposed;
    uint64_t tried;
};

static void draw_and_check(struct campaign *campaign, uint64_t seed)
{
    struct witness_record record;
    struct witness_result result;

    witness_record_init(&record);
    witness_draw(seed, &campaign->options, &record);
    witness_check(record.text, record.len, &result);
    campaign->good += result.kind == WITNESS_GOOD;
    campaign->undecided += result.kind == WITNESS_UNDECIDED;
    campaign->calls += result.calls;
    campaign->entries += result.entries;
    campaign->reads += result.reads;
    campaign->unknown += result.unknown;
    campaign->supposed += result.supposed;
    campaign->tried += result.tried;
    if (result.kind > WITNESS_UNDECIDED) {
        campaign->wrong++;
        print_error("%s SEED=%llu: line %d: %s: %s\n", campaign->name, (unsigned long long)seed,
                    result.line, witness_kind_names[result.kind], result.text);
        if (getenv("SEED") != NULL) {
            print_error("%s", record.text);
        }
    }
    witness_record_fini(&record);
}

static void run(struct campaign *campaign)
{
    const char *only = getenv("SEED");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 0;
    uint64_t end = only != NULL ? first + 1 : SEEDS;

    for (uint64_t seed = first; seed < end; seed++) {
        draw_and_check(campaign, seed);
    }
    print_message("%s: %llu good, %llu undecided, %llu wrong; %llu calls, %llu entries, %llu "
                  "reads, %llu unanswered, %llu of them supposed, %llu steps\n",
                  campaign->name, (unsigned long long)campaign->good,
                  (unsigned long long)campaign->undecided, (unsigned long long)campaign->wrong,
                  (unsigned long long)campaign->calls, (unsigned long long)campaign->entries,
                  (unsigned long long)campaign->reads, (unsigned long long)campaign->unknown,
                  (unsigned long long)campaign->supposed, (unsigned long long)campaign->tried);
    assert_int_equal(campaign->wrong, 0);
}

static void witness__all_answered__believes_every_good_history(void **state)
{
    struct campaign campaign = {
        .name = "all answered", .options = {REQUESTS, 0, 0}
    };

    (void)state;
    run(&campaign);
    assert_int_equal(campaign.undecided, 0);
}

static void witness__some_unanswered__believes_every_good_history(void **state)
{
    struct campaign campaign = {
        .name = "some unanswered", .options = {REQUESTS, 30000, 15000}
    };

    (void)state;
    run(&campaign);
    assert_int_equal(campaign.undecided, 0);
    assert_true(campaign.supposed > 0);
}

/* More is unknown than any client would bear with. Not every search ends; none ends wrongly. */
static void witness__many_unanswered__disbelieves_no_good_history(void **state)
{
    struct campaign campaign = {
        .name = "many unanswered", .options = {REQUESTS, 150000, 50000}
    };

    (void)state;
    run(&campaign);
    assert_true(campaign.good > 9 * campaign.undecided);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness__all_answered__believes_every_good_history),
        cmocka_unit_test(witness__some_unanswered__believes_every_good_history),
        cmocka_unit_test(witness__many_unanswered__disbelieves_no_good_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
