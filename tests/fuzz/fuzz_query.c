#include "base/assert.h"
#include "base/sm.h"
#include "tests/lib/search_fixture.h"

#include <stdlib.h>

/* Any bytes as a query, and as a text to mark: parse, run on a small index in small steps, page
 * once, mark. What must hold: errors point into the query, hits are in order and alive, marks
 * are balanced. */

enum { STEP_WORK = 64, PAGE = 3, TEXT_BYTES_MAX = 4096 };

static struct search_fixture fixture;

static void set_up(void)
{
    static const uint8_t days[] = {1 | 4 | 16, 2 | 8};
    static const struct sample samples[] = {
        {.code = "AB 0101",
         .subject = "AB",
         .number = "0101",
         .title = "Introduction to Algorithms",
         .instructor = "Ann O'Neill",
         .level = 1,
         .credits = 300,
         .days = days,
         .days_count = 2,
         .description = "The course is about the design of algorithms and their analysis."},
        {.code = "10.87",
         .subject = "10",
         .number = "87",
         .title = "Höhere Mathematik II für die Informatik",
         .instructor = "Jürgen Groß"},
        {.code = "CD 238/EF 268",
         .subject = "CD",
         .number = "238",
         .title = "Théorie des nombres et de la géométrie"                                 },
        {.code = "5901206",
         .title = "線性代數 Linear Algebra（一）",
         .instructor = "山田 太郎",
         .description = "本課程介紹線性代數。"                                },
        {.code = "2301107", .title = "แคลคูลัส 1 (CALCULUS I)"},
        {.code = "c-plus-plus",      .title = "C++ and C#",      .institution = "beta", .term = "later"},
    };
    search_fixture_init(&fixture);
    for (uint32_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        for (uint32_t copy = 0; copy < 20; copy++) {
            search_fixture_put(&fixture, i * 20 + copy, &samples[i]);
        }
    }
}

static bool holds(void *context, enum search_predicate predicate, uint32_t doc)
{
    (void)context;
    return (doc + (uint32_t)predicate) % 2 == 0;
}

static struct search_result run(const struct search_plan *plan,
                                const struct search_request *request)
{
    fixture.query = search_query_begin(fixture.index, plan, request, &fixture.scratch);
    uint32_t steps = 0;
    while (search_query_step(fixture.query, STEP_WORK) == SM_PENDING) {
        ASSERT(steps++ < 100000);
    }
    struct search_result result = search_query_result(fixture.query);
    for (uint32_t i = 1; i < result.count; i++) {
        ASSERT(result.hits[i - 1].score > result.hits[i].score ||
               (result.hits[i - 1].score == result.hits[i].score &&
                result.hits[i - 1].doc < result.hits[i].doc));
    }
    return result;
}

static void mark(struct slice text)
{
    struct buf out;
    buf_init(&out, TEXT_BYTES_MAX * 8);
    int depth = 0;
    ASSERT(search_mark(fixture.query, text, &out) == OK);
    ASSERT(search_snippet(fixture.query, text, 80, &out) == OK);
    for (size_t i = 0; i < out.len; i++) {
        depth += out.data[i] == 2 ? 1 : out.data[i] == 3 ? -1 : 0;
        ASSERT(depth == 0 || depth == 1);
    }
    ASSERT(depth == 0);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (fixture.index == NULL) {
        set_up();
    }
    arena_reset(&fixture.scratch);
    struct slice text = {data, size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX};
    struct search_plan *plan = NULL;
    struct search_error error;
    int status = search_plan_parse(text, &fixture.scratch, &plan, &error);
    if (status != OK) {
        ASSERT(status == ERR_QUERY && error.at <= text.len && error.text[0] != '\0');
        return 0;
    }
    struct search_request request = {.limit = PAGE, .holds = holds};
    struct search_result result = run(plan, &request);
    uint32_t matches = result.matches;
    if (result.has_more) {
        request.has_after = true;
        request.after_score = result.hits[result.count - 1].score;
        request.after_doc = result.hits[result.count - 1].doc;
        result = run(plan, &request);
        ASSERT(result.count > 0);
        ASSERT(result.matches_more || result.matches == matches || matches > 0);
    }
    mark(text);
    mark(SLICE_LITERAL("線性代數 Linear Algebra（一） and C++: Höhere Mathematik"));
    return 0;
}
