#include "campus/campus.h"

#include "campus/snapshot.h"

void campus_init(struct campus *campus, uint64_t memory_bytes_max)
{
    *campus = (struct campus){.free_document = CAMPUS_NONE, .free_place = CAMPUS_NONE};
    arena_init(&campus->arena, memory_bytes_max);
    table_init(&campus->words, &campus->arena, sizeof(struct campus_word));
    table_init(&campus->codes, &campus->arena, sizeof(struct campus_code));
    table_init(&campus->catalogues, &campus->arena, sizeof(struct campus_catalogue));
    table_init(&campus->courses, &campus->arena, sizeof(struct campus_course));
    table_init(&campus->sections, &campus->arena, sizeof(struct campus_section));
    table_init(&campus->documents, &campus->arena, sizeof(struct campus_document));
    table_init(&campus->students, &campus->arena, sizeof(struct campus_student));
    table_init(&campus->places, &campus->arena, sizeof(struct campus_place));
    map_init(&campus->word_map, &campus->arena);
    for (uint32_t i = 0; i < CAMPUS_STUDENT_MAPS; i++) {
        map_init(&campus->student_maps[i], &campus->arena);
    }
}

void campus_fini(struct campus *campus)
{
    campus_snapshot_abort(campus);
    arena_fini(&campus->arena);
}
