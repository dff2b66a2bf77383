/* Searching: parse, run in slices, show the hits. */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "node/node_private.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

enum {
    LIMIT_DEFAULT = 20,
    SNIPPET_BYTES = 220,
    MARKED_BYTES_MAX = 512 << 10,
    INSTRUCTORS_SHOWN = 5,
    QUERY_SCRATCH_BYTES = SEARCH_SCRATCH_BYTES + (1 << 20),
};

static uint64_t cpu_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
}

/* ---- queries at rest
 * ----------------------------------------------------------------------------------------------
 */

static struct query *query_take(struct node *node)
{
    struct query *query;

    if (!list_is_empty(&node->idle_queries)) {
        query = CONTAINER_OF(node->idle_queries.next, struct query, node_link);
        list_remove(&query->node_link);
    } else {
        query = arena_alloc_zero(&node->arena, sizeof *query);
        query->node = node;
        arena_init(&query->scratch, QUERY_SCRATCH_BYTES);
    }
    return query;
}

static void query_give(struct query *query)
{
    arena_reset(&query->scratch);
    list_add(&query->node->idle_queries, &query->node_link);
}

static void fini_all(struct list *queries)
{
    struct list *node;
    struct list *following;

    LIST_EACH(node, following, queries)
    {
        arena_fini(&CONTAINER_OF(node, struct query, node_link)->scratch);
    }
}

void node__search_fini(struct node *node)
{
    fini_all(&node->queries);
    fini_all(&node->idle_queries);
}

/* ---- the answer
 * ---------------------------------------------------------------------------------------------------
 */

static char *terminated(struct query *query, struct slice s)
{
    char *text = arena_alloc(&query->scratch, s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.data, s.len);
    }
    text[s.len] = '\0';
    return text;
}

/* @text with its matched parts marked, or as it is when there is no room for marks. */
static char *marked(struct query *query, struct slice text)
{
    struct buf *out = &query->node->notes;

    buf_clear(out);
    return search_mark(query->search, text, out) == OK ? terminated(query, buf_slice(out))
                                                       : terminated(query, text);
}

static char *snippet(struct query *query, struct slice text)
{
    struct buf *out = &query->node->notes;

    buf_clear(out);
    return search_snippet(query->search, text, SNIPPET_BYTES, out) == OK
               ? terminated(query, buf_slice(out))
               : terminated(query, SLICE_NONE);
}

static void show_sections(const struct campus *campus, uint32_t ordinal,
                          Carillon__SearchHit *row)
{
    const struct campus_course *course = campus_course(campus, ordinal);

    for (uint32_t i = 0; i < course->section_count; i++) {
        const struct campus_section *section =
            campus_section(campus, course->sections[i].section);

        if (section->state == CAMPUS_OFFERED) {
            row->sections++;
            row->sections_open += !campus_section_is_full(section);
        }
    }
}

static void show_instructors(struct query *query, const struct campus_document_view *view,
                             Carillon__SearchHit *row)
{
    size_t at = view->instructors_at;
    struct slice name;

    row->instructors =
        arena_alloc(&query->scratch, INSTRUCTORS_SHOWN * sizeof *row->instructors);
    while (row->n_instructors < INSTRUCTORS_SHOWN && campus_view_instructor(view, &at, &name)) {
        row->instructors[row->n_instructors++] = terminated(query, name);
    }
}

static Carillon__SearchHit *show(struct query *query, const struct search_hit *hit)
{
    const struct campus *campus = enrol_campus(query->node->enrol);
    Carillon__SearchHit *row = arena_alloc(&query->scratch, sizeof *row);
    struct campus_document_view view;

    campus_document_view(campus, hit->doc, &view);
    carillon__search_hit__init(row);
    row->institution = terminated(query, view.institution);
    row->term = terminated(query, view.term);
    row->code = terminated(query, view.code);
    row->title = query->is_brief ? terminated(query, view.title) : marked(query, view.title);
    row->score = hit->score;
    row->credits_known = view.credits_known;
    row->credits_hundredths = view.credits_hundredths;
    row->level = view.level;
    if (!query->is_brief) {
        row->snippet = snippet(query, view.description);
        show_sections(campus, view.course, row);
        show_instructors(query, &view, row);
    }
    return row;
}

/* The place behind the last hit, as the client hands it back for the next page. */
static void next_cursor(const struct search_result *result, char out[32])
{
    const struct search_hit *last = &result->hits[result->count - 1];

    (void)snprintf(out, 32, "%x.%x", last->score, last->doc);
}

static void answer(struct query *query)
{
    struct node *node = query->node;
    struct search_result result = search_query_result(query->search);
    Carillon__SearchReply reply = CARILLON__SEARCH_REPLY__INIT;
    char cursor[32];

    reply.n_hits = result.count;
    reply.hits = arena_alloc(&query->scratch, (result.count + 1) * sizeof *reply.hits);
    for (uint32_t i = 0; i < result.count; i++) {
        reply.hits[i] = show(query, &result.hits[i]);
    }
    if (result.has_more && result.count > 0) {
        next_cursor(&result, cursor);
        reply.next_cursor = cursor;
    }
    reply.matches = result.matches;
    reply.matches_more = result.matches_more;
    reply.corrected = wire_text(result.corrected);
    reply.coverage = wire_text("1/1");
    reply.node_us = (io_now_exact_ns(node->io) - query->began_ns) / 1000;
    buf_clear(&node->body);
    int rc = wire_pack(&reply.base, &node->body);
    node__answer(node, query->conn,
                 &(struct conn_answer){.id = query->id,
                                       .status = rc == OK ? OK : ERR_NOSPACE_REPLY,
                                       .body = buf_slice(&node->body)});
}

static void answer_query_error(struct node *node, struct conn *conn, uint64_t id,
                               const struct search_error *error)
{
    Carillon__SearchReply reply = CARILLON__SEARCH_REPLY__INIT;

    reply.query_error_at = error->at + 1;
    buf_clear(&node->body);
    buf_clear(&node->text);
    (void)!buf_append_format(&node->text, "at position %u of the query: %s", error->at + 1,
                             error->text);
    int rc = wire_pack(&reply.base, &node->body);
    ASSERT(rc == OK);
    conn_reply(conn, &(struct conn_answer){.id = id,
                                           .status = ERR_QUERY,
                                           .text = buf_text(&node->text),
                                           .body = buf_slice(&node->body)});
}

/* ---- running
 * ----------------------------------------------------------------------------------------------------------
 */

static bool holds(void *context, enum search_predicate predicate, uint32_t document)
{
    const struct query *query = context;
    const struct enrol *enrol = query->node->enrol;

    switch (predicate) {
    case SEARCH_IS_OPEN:
        return enrol_document_open(enrol, document);
    case SEARCH_FITS_ME:
        return enrol_document_fits(enrol, document, query->student);
    case SEARCH_ELIGIBLE_ME:
        return enrol_document_eligible(enrol, document, query->student);
    }
    return false;
}

/* One slice; the answer is queued with the last. Returns: whether the query goes on. */
static bool query_step(struct query *query)
{
    struct node *node = query->node;
    uint64_t began = cpu_ns();
    int rc = search_query_step(query->search, NODE_QUERY_SLICE_WORK);

    if (rc == OK) {
        answer(query);
        histogram_add(&node->counters.search_time, io_now_exact_ns(node->io) - query->began_ns);
    }
    query->cpu_ns += cpu_ns() - began;
    if (rc == SM_PENDING) {
        return true;
    }
    node->counters.search_cpu_ns += query->cpu_ns;
    return false;
}

/* One slice of the query that has waited longest. */
static void step_first(struct node *node)
{
    struct list *first = node->queries.next;
    struct query *query = CONTAINER_OF(first, struct query, node_link);

    list_remove(first);
    bool is_late = io_now_ns(node->io) > query->deadline_ns;
    if (is_late) {
        node__answer(node, query->conn,
                     &(struct conn_answer){.id = query->id, .status = ERR_TIMEOUT});
    }
    if (!is_late && query_step(query)) {
        list_add(&node->queries,
                 first); /* the others first: a long search does not hold up short ones */
    } else {
        node->query_count--;
        query_give(query);
    }
}

bool node__search_turn(struct node *node)
{
    uint64_t until = 0;

    while (!list_is_empty(&node->queries)) {
        uint64_t now = io_now_exact_ns(node->io);

        until = until == 0 ? now + NODE_QUERY_TURN_NS : until;
        if (now >= until) {
            return true;
        }
        step_first(node);
    }
    return false;
}

static int read_cursor(const char *cursor, struct search_request *request)
{
    unsigned score;
    unsigned doc;
    int used = 0;

    if (cursor[0] == '\0') {
        return OK;
    }
    if (sscanf(cursor, "%8x.%8x%n", &score, &doc, &used) != 2 || cursor[used] != '\0') {
        return ERR_ARGUMENT;
    }
    request->has_after = true;
    request->after_score = score;
    request->after_doc = doc;
    return OK;
}

/* The student of the request; a plan that asks about one must name one. */
static int find_student(struct query *query, const Carillon__SearchRequest *asked,
                        struct search_error *ret_error)
{
    uint32_t at = 0;

    query->student = CAMPUS_NONE;
    if (asked->student[0] != '\0') {
        return enrol_student_find(query->node->enrol, slice_from_text(asked->student),
                                  &query->student);
    }
    if (search_plan_asks(query->plan, SEARCH_FITS_ME, &at) ||
        search_plan_asks(query->plan, SEARCH_ELIGIBLE_ME, &at)) {
        ret_error->at = at;
        (void)snprintf(ret_error->text, sizeof ret_error->text,
                       "fits:me and eligible:me need to know the student");
        return ERR_QUERY;
    }
    return OK;
}

static int begin(struct query *query, struct slice body, struct search_error *ret_error)
{
    const Carillon__SearchRequest *asked =
        wire_unpack(&carillon__search_request__descriptor, body, &query->scratch);

    if (asked == NULL) {
        return ERR_MALFORMED;
    }
    int rc = search_plan_parse(slice_from_text(asked->query), &query->scratch, &query->plan,
                               ret_error);
    rc = rc == OK ? find_student(query, asked, ret_error) : rc;
    if (rc != OK) {
        return rc;
    }
    uint32_t limit = asked->limit == 0 ? LIMIT_DEFAULT : asked->limit;
    query->is_brief = asked->brief;
    query->request = (struct search_request){
        .institution = slice_from_text(asked->institution),
        .term = slice_from_text(asked->term),
        .limit = limit > SEARCH_LIMIT_MAX ? SEARCH_LIMIT_MAX : limit,
        .holds = holds,
        .context = query,
    };
    rc = read_cursor(asked->cursor, &query->request);
    if (rc == OK) {
        query->search = search_query_begin(query->node->search, query->plan, &query->request,
                                           &query->scratch);
    }
    return rc;
}

void node__search(struct node *node, struct conn *conn, uint64_t id, uint64_t deadline_ns,
                  struct slice body)
{
    struct search_error error = {0};

    if (node->query_count >= NODE_QUERIES_MAX) {
        node->counters.refused_load++;
        conn_reply(conn, &(struct conn_answer){.id = id,
                                               .status = ERR_BUSY,
                                               .retry_after_ms = NODE_RETRY_AFTER_MS});
        return;
    }
    uint64_t cpu = cpu_ns();
    struct query *query = query_take(node);
    query->conn = conn->name;
    query->id = id;
    query->began_ns = io_now_exact_ns(node->io);
    query->deadline_ns = deadline_ns;
    int rc = begin(query, body, &error);
    query->cpu_ns = cpu_ns() - cpu;
    if (rc == ERR_QUERY) {
        answer_query_error(node, conn, id, &error);
    } else if (rc != OK) {
        conn_reply(conn, &(struct conn_answer){.id = id, .status = rc});
    }
    if (rc == OK && query_step(query)) {
        list_add(&node->queries, &query->node_link);
        node->query_count++;
        node->turn.again = true;
    } else {
        query_give(query);
    }
}
