#include "tests/lib/search_fixture.h"

#include "base/sm.h"

enum { MEMORY_BYTES = 64 << 20, WORK_PER_STEP = 50, PAGE = 20 };

void search_fixture_init(struct search_fixture *fixture)
{
    *fixture = (struct search_fixture){0};
    arena_init(&fixture->memory, MEMORY_BYTES);
    arena_init(&fixture->scratch, MEMORY_BYTES);
    fixture->index = search_create(&fixture->memory);
}

void search_fixture_fini(struct search_fixture *fixture)
{
    search_destroy(fixture->index);
    arena_fini(&fixture->memory);
    arena_fini(&fixture->scratch);
}

void search_fixture_put(struct search_fixture *fixture, uint32_t doc,
                        const struct sample *sample)
{
    struct slice instructor = slice_from_text(sample->instructor);
    struct search_document document = {
        .institution =
            slice_from_text(sample->institution == NULL ? "alpha" : sample->institution),
        .term = slice_from_text(sample->term == NULL ? "current" : sample->term),
        .code = slice_from_text(sample->code),
        .subject = slice_from_text(sample->subject),
        .number = slice_from_text(sample->number),
        .title = slice_from_text(sample->title),
        .description = slice_from_text(sample->description),
        .instructors = &instructor,
        .instructors_count = sample->instructor == NULL ? 0 : 1,
        .credits_known = sample->credits != 0,
        .credits_hundredths = sample->credits,
        .level = sample->level,
        .days = sample->days,
        .days_count = sample->days_count,
    };
    search_put(fixture->index, doc, &document, false);
}

void search_fixture_search_with(struct search_fixture *fixture, const char *query,
                                struct search_request request)
{
    struct search_plan *plan = NULL;
    arena_reset(&fixture->scratch);
    fixture->count = 0;
    fixture->steps = 0;
    fixture->result = (struct search_result){0};
    fixture->status =
        search_plan_parse(slice_from_text(query), &fixture->scratch, &plan, &fixture->error);
    if (fixture->status != OK) {
        return;
    }
    request.limit = request.limit == 0 ? PAGE : request.limit;
    fixture->query = search_query_begin(fixture->index, plan, &request, &fixture->scratch);
    while (search_query_step(fixture->query, WORK_PER_STEP) == SM_PENDING) {
        fixture->steps++;
    }
    fixture->result = search_query_result(fixture->query);
    for (uint32_t i = 0; i < fixture->result.count; i++) {
        fixture->docs[fixture->count++] = fixture->result.hits[i].doc;
    }
}

void search_fixture_search(struct search_fixture *fixture, const char *query)
{
    search_fixture_search_with(fixture, query, (struct search_request){0});
}

bool search_fixture_found(const struct search_fixture *fixture, uint32_t doc)
{
    for (uint32_t i = 0; i < fixture->count; i++) {
        if (fixture->docs[i] == doc) {
            return true;
        }
    }
    return false;
}

bool search_fixture_found_only(const struct search_fixture *fixture, uint32_t doc)
{
    return fixture->count == 1 && fixture->docs[0] == doc;
}
