/* Searching: parse, run in slices. */
#include <stdio.h>

#include "base/assert.h"
#include "campus/shard.h"
#include "node/node_private.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

enum {
    LIMIT_DEFAULT = 20,
    QUERY_SCRATCH_BYTES = SEARCH_SCRATCH_BYTES + (1 << 20),
    SEARCHES_A_SAMPLE = 16,
};

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

static void give_all(struct list *queries)
{
    while (!list_is_empty(queries)) {
        struct query *query = CONTAINER_OF(queries->next, struct query, node_link);

        list_remove(&query->node_link);
        query_give(query);
    }
}

void node__search_forget(struct node *node)
{
    give_all(&node->queries);
    give_all(&node->long_queries);
    node->query_count = 0;
}

void node__search_fini(struct node *node)
{
    fini_all(&node->queries);
    fini_all(&node->long_queries);
    fini_all(&node->idle_queries);
}

/* ---- the answer
 * ---------------------------------------------------------------------------------------------------
 */

static void answer(struct query *query)
{
    struct node *node = query->node;

    buf_clear(&node->body);
    int rc = node__search_pack(query, &node->body);
    struct conn_answer answer = {.id = query->id,
                                 .status = rc == OK ? OK : ERR_NOSPACE_REPLY,
                                 .body = rc == OK ? buf_slice(&node->body) : SLICE_NONE};

    if (query->is_stale_ok) {
        answer.stale = node__stale_pack(node, &query->age);
    }
    node__answer(node, query->conn, &answer);
    histogram_add(&node->counters.search_time, io_now_exact_ns(node->io) - query->began_ns);
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
    const struct enrol *enrol = node__document_shard(query->node, document)->enrol;
    uint32_t ordinal = node__document_ordinal(query->node, document);

    switch (predicate) {
    case SEARCH_IS_OPEN:
        return enrol_document_open(enrol, ordinal);
    case SEARCH_FITS_ME:
        return enrol_document_fits(enrol, ordinal, query->seeker);
    case SEARCH_ELIGIBLE_ME:
        return enrol_document_eligible(enrol, ordinal, query->seeker);
    }
    return false;
}

/* One slice; the answer is queued with the last. Returns: whether the query goes on. */
static bool query_step(struct query *query)
{
    query->slices++;
    if (search_query_step(query->search, NODE_QUERY_SLICE_WORK) == SM_PENDING) {
        return true;
    }
    answer(query);
    return false;
}

/* One slice of the first of @queries, which gives its place up when it is over. Returns:
 * whether it goes on. */
static bool step_first(struct node *node, struct list *queries)
{
    struct query *query = CONTAINER_OF(queries->next, struct query, node_link);
    bool is_late = io_now_ns(node->io) > query->deadline_ns;

    if (is_late) {
        node__answer(node, query->conn,
                     &(struct conn_answer){.id = query->id, .status = ERR_TIMEOUT});
    } else if (query_step(query)) {
        return true;
    }
    list_remove(&query->node_link);
    node->query_count--;
    query_give(query);
    return false;
}

/* The one that came first is brought to its end before the next: taking turns, all would be
 * late together. But one that goes on for long makes way for the others. */
static void step_short(struct node *node)
{
    struct query *query = CONTAINER_OF(node->queries.next, struct query, node_link);

    if (step_first(node, &node->queries) && query->slices >= NODE_QUERY_SLICES_SHORT) {
        list_remove(&query->node_link);
        list_add(&node->long_queries, &query->node_link);
    }
}

/* The long ones take turns. */
static void step_long(struct node *node)
{
    struct list *first = node->long_queries.next;

    if (step_first(node, &node->long_queries)) {
        list_remove(first);
        list_add(&node->long_queries, first);
    }
}

bool node__search_turn(struct node *node)
{
    if (list_is_empty(&node->queries) && list_is_empty(&node->long_queries)) {
        return false;
    }
    uint64_t cpu = io_cpu_thread_ns(node->io); /* a system call: twice a turn, no more often */
    uint64_t until = io_now_exact_ns(node->io) + NODE_QUERY_TURN_NS;
    bool is_long_served = false;

    while (!list_is_empty(&node->queries) || !list_is_empty(&node->long_queries)) {
        if (io_now_exact_ns(node->io) >= until) {
            break;
        }
        /* One slice a turn for the long ones at least, so that they come to an end. */
        if (list_is_empty(&node->queries) ||
            (!is_long_served && !list_is_empty(&node->long_queries))) {
            is_long_served = true;
            step_long(node);
        } else {
            step_short(node);
        }
    }
    node->counters.search_cpu_ns += io_cpu_thread_ns(node->io) - cpu;
    return !list_is_empty(&node->queries) || !list_is_empty(&node->long_queries);
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

    query->seeker = (struct enrol_seeker){.student = CAMPUS_NONE};
    if (asked->student[0] != '\0') {
        const struct node *node = query->node;
        struct slice token = slice_from_text(asked->student);

        query->seeker.home = node->shards[campus_shard_of(token, node->shard_count)].enrol;
        return enrol_student_find(query->seeker.home, token, &query->seeker.student);
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

/* Take a place, and run the first slice. Returns: whether the query goes on. */
static bool start(struct query *query, const struct asker *asker,
                  const struct envelope_request *request)
{
    struct node *node = query->node;
    struct search_error error = {0};

    query->conn = asker->name;
    query->id = asker->id;
    query->slices = 0;
    query->began_ns = io_now_exact_ns(node->io);
    query->is_stale_ok = request->is_stale_ok;
    int rc = query->is_stale_ok ? node__stale_look(node, NULL, &query->age) : OK;

    rc = rc == OK ? begin(query, request->body, &error) : rc;
    if (rc == ERR_QUERY) {
        answer_query_error(node, asker->conn, asker->id, &error);
    } else if (rc != OK) {
        node__answer_error(node, asker->name, asker->id, rc);
    }
    return rc == OK && query_step(query);
}

/* The thread's processor time is asked for by a system call that takes as long as a fiftieth of
 * a search: the beginning of one search in so many is timed, and stands for all of them. */
static bool is_sample(struct node *node)
{
    return node->counters.searches++ % SEARCHES_A_SAMPLE == 0;
}

void node__search(struct node *node, const struct node_call *call,
                  const struct envelope_request *request)
{
    const struct asker *asker = &call->asker;

    if (node->query_count >= NODE_QUERIES_MAX) {
        node__answer_error(node, asker->name, asker->id, ERR_BUSY);
        return;
    }
    bool is_timed = is_sample(node);
    uint64_t cpu = is_timed ? io_cpu_thread_ns(node->io) : 0;
    struct query *query = query_take(node);

    query->deadline_ns = call->deadline_ns;
    bool goes_on = start(query, asker, request);

    if (is_timed) {
        node->counters.search_cpu_ns += SEARCHES_A_SAMPLE * (io_cpu_thread_ns(node->io) - cpu);
    }
    if (goes_on) {
        list_add(&node->queries, &query->node_link);
        node->query_count++;
        node->turn.again = true;
    } else {
        query_give(query);
    }
}
