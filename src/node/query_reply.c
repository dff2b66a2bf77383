/* The answer to a search, packed as it is made: with twenty hits of ten texts each, building it
 * as a message first cost as much as finding the hits. */
#include <stdio.h>

#include "node/node_private.h"
#include "wire/field_append.h"

enum {
    SNIPPET_BYTES = 220,
    INSTRUCTORS_SHOWN = 5,
    HIT_BYTES_LIKELY = 500,
    TITLE_BYTES_LIKELY = 100,
    CURSOR_BYTES = 32,
    HITS_BETWEEN_LINKS = 2, /* of a hit's chain of pointers: time for memory to answer */
};

/* Numbers of the fields in proto/search.proto. */
enum hit_field {
    HIT_INSTITUTION = 1,
    HIT_TERM,
    HIT_CODE,
    HIT_TITLE,
    HIT_SNIPPET,
    HIT_SCORE,
    HIT_CREDITS_KNOWN,
    HIT_CREDITS_HUNDREDTHS,
    HIT_LEVEL,
    HIT_SECTIONS,
    HIT_SECTIONS_OPEN,
    HIT_INSTRUCTORS,
};

enum reply_field {
    REPLY_HITS = 1,
    REPLY_NEXT_CURSOR,
    REPLY_MATCHES,
    REPLY_MATCHES_MORE,
    REPLY_CORRECTED,
    REPLY_QUERY_ERROR_AT,
    REPLY_COVERAGE,
    REPLY_NODE_US,
};

static int pack_title(const struct query *query, struct slice title, struct buf *out)
{
    struct field_open open;

    if (query->is_brief) {
        return field_append_text(out, HIT_TITLE, title);
    }
    int rc = field_begin(out, HIT_TITLE, TITLE_BYTES_LIKELY, &open);
    rc = rc == OK ? search_mark(query->search, title, out) : rc;
    return rc == OK ? field_end_text(out, open) : rc;
}

static int pack_snippet(const struct query *query, struct slice text, struct buf *out)
{
    struct field_open open;
    int rc = field_begin(out, HIT_SNIPPET, SNIPPET_BYTES, &open);

    rc = rc == OK ? search_snippet(query->search, text, SNIPPET_BYTES, out) : rc;
    return rc == OK ? field_end_text(out, open) : rc;
}

static int pack_sections(const struct campus *campus, uint32_t ordinal, struct buf *out)
{
    const struct campus_course *course = campus_course(campus, ordinal);
    uint32_t sections = 0, sections_open = 0;

    for (uint32_t i = 0; i < course->section_count; i++) {
        const struct campus_section *section =
            campus_section(campus, course->sections[i].section);

        if (section->state == CAMPUS_OFFERED) {
            sections++;
            sections_open += !campus_section_is_full(section);
        }
    }
    int rc = field_append_number(out, HIT_SECTIONS, sections);
    return rc == OK ? field_append_number(out, HIT_SECTIONS_OPEN, sections_open) : rc;
}

static int pack_instructors(const struct campus_document_view *view, struct buf *out)
{
    size_t at = view->instructors_at;
    struct slice name;
    int rc = OK;

    for (uint32_t i = 0;
         rc == OK && i < INSTRUCTORS_SHOWN && campus_view_instructor(view, &at, &name); i++) {
        rc = field_append_item(out, HIT_INSTRUCTORS, name);
    }
    return rc;
}

static int pack_fields(const struct query *query, const struct search_hit *hit, struct buf *out)
{
    const struct node *node = query->node;
    const struct campus *campus = enrol_campus(node__document_shard(node, hit->doc)->enrol);
    struct campus_document_view view;

    campus_document_view(campus, node__document_ordinal(node, hit->doc), &view);
    int rc = field_append_text(out, HIT_INSTITUTION, view.institution);
    rc = rc == OK ? field_append_text(out, HIT_TERM, view.term) : rc;
    rc = rc == OK ? field_append_text(out, HIT_CODE, view.code) : rc;
    rc = rc == OK ? pack_title(query, view.title, out) : rc;
    if (rc == OK && !query->is_brief) {
        rc = pack_snippet(query, view.description, out);
    }
    rc = rc == OK ? field_append_number(out, HIT_SCORE, hit->score) : rc;
    rc = rc == OK ? field_append_number(out, HIT_CREDITS_KNOWN, view.credits_known) : rc;
    rc = rc == OK ? field_append_number(out, HIT_CREDITS_HUNDREDTHS, view.credits_hundredths)
                  : rc;
    rc = rc == OK ? field_append_number(out, HIT_LEVEL, view.level) : rc;
    if (rc == OK && !query->is_brief) {
        rc = pack_sections(campus, view.course, out);
        rc = rc == OK ? pack_instructors(&view, out) : rc;
    }
    return rc;
}

static int pack_hit(const struct query *query, const struct search_hit *hit, struct buf *out)
{
    struct field_open open;
    int rc = field_begin(out, REPLY_HITS, HIT_BYTES_LIKELY, &open);

    rc = rc == OK ? pack_fields(query, hit, out) : rc;
    return rc == OK ? field_end(out, open) : rc;
}

/* The hits lie anywhere in memory, each behind a chain of pointers, and the processor waits for
 * few lines at a time: while a hit is packed, those behind it come nearer link by link. */
static int pack_hits(const struct query *query, const struct search_result *result,
                     struct buf *out)
{
    const struct node *node = query->node;
    uint32_t lead = CAMPUS_VIEW_LINKS * HITS_BETWEEN_LINKS;
    int rc = OK;

    for (uint32_t turn = 0; rc == OK && turn < result->count + lead; turn++) {
        for (uint32_t link = 0; link < CAMPUS_VIEW_LINKS; link++) {
            uint32_t hit = turn - link * HITS_BETWEEN_LINKS; /* wraps before the first */

            if (hit < result->count) {
                uint32_t document = result->hits[hit].doc;

                campus_document_prefetch(
                    enrol_campus(node__document_shard(node, document)->enrol),
                    node__document_ordinal(node, document), link);
            }
        }
        if (turn >= lead) {
            rc = pack_hit(query, &result->hits[turn - lead], out);
        }
    }
    return rc;
}

/* The place behind the last hit, as the client hands it back for the next page. */
static int pack_cursor(const struct search_result *result, struct buf *out)
{
    char cursor[CURSOR_BYTES];

    if (!result->has_more || result->count == 0) {
        return OK;
    }
    const struct search_hit *last = &result->hits[result->count - 1];
    (void)snprintf(cursor, sizeof cursor, "%x.%x", last->score, last->doc);
    return field_append_text(out, REPLY_NEXT_CURSOR, slice_from_text(cursor));
}

int node__search_pack(const struct query *query, struct buf *out)
{
    struct search_result result = search_query_result(query->search);
    int rc = pack_hits(query, &result, out);

    rc = rc == OK ? pack_cursor(&result, out) : rc;
    rc = rc == OK ? field_append_number(out, REPLY_MATCHES, result.matches) : rc;
    rc = rc == OK ? field_append_number(out, REPLY_MATCHES_MORE, result.matches_more) : rc;
    rc = rc == OK ? field_append_text(out, REPLY_CORRECTED, slice_from_text(result.corrected))
                  : rc;
    rc = rc == OK ? field_append_text(out, REPLY_COVERAGE, SLICE_LITERAL("1/1")) : rc;
    uint64_t used_ns = io_now_exact_ns(query->node->io) - query->began_ns;
    return rc == OK ? field_append_number(out, REPLY_NODE_US, used_ns / 1000) : rc;
}
