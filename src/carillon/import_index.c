#include "carillon/import_index.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/hash.h"

enum { INDEX_BYTES_MAX = 1 << 30 };

void import_index_init(struct import_index *index)
{
    memset(index, 0, sizeof *index);
    arena_init(&index->arena, INDEX_BYTES_MAX);
    map_init(&index->names, &index->arena);
}

void import_index_fini(struct import_index *index)
{
    map_fini(&index->names);
    arena_fini(&index->arena);
}

static bool has_name(const void *context, uint32_t value, const void *key)
{
    const struct import_index *index = context;
    const struct slice *name = key;

    return slice_is_equal(index->entries[value].name, *name);
}

static uint32_t find(const struct import_index *index, struct slice name)
{
    return map_find(&index->names, hash_slice(name), has_name, index, &name);
}

/* Make room for one more element of an array in the index's arena. */
static void *grow(struct arena *arena, void *items, size_t element, size_t count, size_t *cap)
{
    if (count < *cap) {
        return items;
    }
    size_t wanted = *cap == 0 ? 64 : *cap * 2;
    void *grown = arena_grow(arena, items, element, *cap, wanted);

    *cap = wanted;
    return grown;
}

static void add_edges(struct import_index *index, struct import_entry *entry,
                      const Carillon__Course *course)
{
    entry->first_edge = (uint32_t)index->edge_count;
    for (size_t i = 0; i < course->n_prerequisites; i++) {
        const Carillon__RuleNode *node = course->prerequisites[i];
        bool is_elsewhere =
            node->institution[0] != '\0' && strcmp(node->institution, course->institution) != 0;

        if (node->kind != CARILLON__RULE_KIND__RULE_COURSE || is_elsewhere) {
            continue;
        }
        index->edges = grow(&index->arena, index->edges, sizeof *index->edges,
                            index->edge_count, &index->edge_cap);
        index->edges[index->edge_count++] = (struct import_edge){
            .code = arena_copy(&index->arena, slice_from_text(node->code)),
            .target = MAP_NONE,
            .is_concurrent = node->concurrent,
        };
        entry->edge_count++;
    }
}

/* One file holds one institution and, of courses, one term: an import replaces exactly that. */
static bool is_of_one(struct import_index *index, const char *institution, const char *term,
                      struct import_report *report)
{
    if (index->count == 0) {
        snprintf(index->institution, sizeof index->institution, "%s", institution);
        snprintf(index->term, sizeof index->term, "%s", term);
        return true;
    }
    bool is_same_term = strcmp(index->term, term) == 0;

    if (is_same_term && strcmp(index->institution, institution) == 0) {
        return true;
    }
    import_find(report, IMPORT_FOUND_INSTITUTION_MIXED, is_same_term ? "institution" : "term",
                slice_from_text(is_same_term ? institution : term));
    return false;
}

static void report_duplicate(struct import_index *index, const struct import_record *record,
                             struct slice name, uint32_t other, struct import_report *report)
{
    const struct import_entry *entry = &index->entries[other];
    enum import_finding kind = record->student != NULL ? IMPORT_FOUND_TOKEN_DUPLICATE
                               : index->groups_rows    ? IMPORT_FOUND_CSV_ROWS_APART
                                                       : IMPORT_FOUND_CODE_DUPLICATE;

    import_find_format(report, kind, record->student != NULL ? "token" : "code",
                       "%.*s, first on line %" PRIu64, (int)(name.len < 60 ? name.len : 60),
                       (const char *)name.data, entry->unit.line);
}

void import_index_add(struct import_index *index, const struct import_record *record,
                      struct import_report *report)
{
    const Carillon__Course *course = record->course;
    const Carillon__Student *student = record->student;
    struct slice name = slice_from_text(course != NULL ? course->code : student->token);
    uint32_t other = find(index, name);

    if (!is_of_one(index, course != NULL ? course->institution : student->institution,
                   course != NULL ? course->term : "", report)) {
        return;
    }
    if (other != MAP_NONE) {
        report_duplicate(index, record, name, other, report);
        return;
    }
    if (index->count == IMPORT_RECORDS_MAX) {
        import_find(report, IMPORT_FOUND_TOO_MANY, "records", SLICE_NONE);
        return;
    }
    index->entries =
        grow(&index->arena, index->entries, sizeof *index->entries, index->count, &index->cap);
    struct import_entry *entry = &index->entries[index->count];

    *entry = (struct import_entry){
        .unit = record->unit,
        .packed_bytes =
            (uint32_t)(course != NULL ? carillon__course__get_packed_size(course)
                                      : carillon__student__get_packed_size(student)),
        .content_hash = course != NULL ? course->content_hash : student->content_hash,
        .name = arena_copy(&index->arena, name),
    };
    map_put(&index->names, hash_slice(name), (uint32_t)index->count);
    index->count++;
    if (course != NULL) {
        index->sections += course->n_sections == 0 ? 1 : course->n_sections;
        add_edges(index, entry, course);
    }
}

static void resolve_edges(struct import_index *index, struct import_report *report)
{
    for (size_t i = 0; i < index->count; i++) {
        const struct import_entry *entry = &index->entries[i];

        for (uint32_t j = 0; j < entry->edge_count; j++) {
            struct import_edge *edge = &index->edges[entry->first_edge + j];

            edge->target = find(index, edge->code);
            if (edge->target == MAP_NONE) {
                report->line = entry->unit.line;
                import_find(report, IMPORT_FOUND_PREREQUISITE_UNKNOWN, "prerequisites",
                            edge->code);
            }
        }
    }
}

/* One step of the way from a course down its prerequisites. */
struct step {
    uint32_t entry;
    uint32_t next; /* edge to look at next */
};

enum mark { MARK_NEW, MARK_ON_WAY, MARK_DONE };

static void report_circle(struct import_index *index, const struct step *way, size_t depth,
                          uint32_t target, struct import_report *report)
{
    char text[256];
    size_t from = depth;
    size_t len = 0;

    while (way[from - 1].entry != target) {
        from--;
    }
    for (size_t i = from - 1; i < depth && len < sizeof text; i++) {
        struct slice name = index->entries[way[i].entry].name;

        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s > ", (int)name.len,
                                (const char *)name.data);
    }
    if (len < sizeof text) {
        struct slice name = index->entries[target].name;

        snprintf(text + len, sizeof text - len, "%.*s", (int)name.len, (const char *)name.data);
    }
    report->line = index->entries[target].unit.line;
    import_find(report, IMPORT_FOUND_PREREQUISITE_CYCLE, "prerequisites",
                slice_from_text(text));
}

/* Depth first without recursion; an edge back to the way we came closes a circle. Courses to be
 * taken at the same time may name each other. */
static void walk_from(struct import_index *index, uint32_t start, uint8_t *marks,
                      struct step *way, struct import_report *report)
{
    size_t depth = 1;

    way[0] = (struct step){start, 0};
    marks[start] = MARK_ON_WAY;
    while (depth > 0) {
        struct step *step = &way[depth - 1];
        const struct import_entry *entry = &index->entries[step->entry];

        if (step->next == entry->edge_count) {
            marks[step->entry] = MARK_DONE;
            depth--;
            continue;
        }
        const struct import_edge *edge = &index->edges[entry->first_edge + step->next++];

        if (edge->target == MAP_NONE || edge->is_concurrent ||
            marks[edge->target] == MARK_DONE) {
            continue;
        }
        if (marks[edge->target] == MARK_ON_WAY) {
            report_circle(index, way, depth, edge->target, report);
            continue;
        }
        marks[edge->target] = MARK_ON_WAY;
        way[depth++] = (struct step){edge->target, 0};
    }
}

void import_index_resolve(struct import_index *index, struct import_report *report)
{
    if (index->count == 0) {
        return;
    }
    uint8_t *marks = arena_alloc_zero(&index->arena, index->count);
    struct step *way = arena_alloc(&index->arena, index->count * sizeof *way);

    resolve_edges(index, report);
    for (size_t i = 0; i < index->count; i++) {
        if (marks[i] == MARK_NEW) {
            walk_from(index, (uint32_t)i, marks, way, report);
        }
    }
    arena_free(&index->arena, way, index->count * sizeof *way);
    arena_free(&index->arena, marks, index->count);
}

void import_index_compare(struct import_index *index, struct slice name, uint64_t hash)
{
    uint32_t at = find(index, name);

    if (at != MAP_NONE) {
        index->entries[at].is_known = true;
        index->entries[at].is_same = index->entries[at].content_hash == hash;
        return;
    }
    index->removed = grow(&index->arena, index->removed, sizeof *index->removed,
                          index->removed_count, &index->removed_cap);
    index->removed[index->removed_count++] = arena_copy(&index->arena, name);
}
