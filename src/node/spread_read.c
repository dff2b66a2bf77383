/* Reads that one shard answers, and others add to: a schedule is the home's, what is shown of
 * its sections theirs; a course is its shard's, what has to do with it lies everywhere. */
#include "base/assert.h"
#include "enrol/across_entry.h"
#include "enrol/route.h"
#include "node/spread.h"
#include "proto/envelope.pb-c.h"

static void ask(struct spread *spread, uint32_t shard, uint32_t method, struct slice body)
{
    const struct spread_question question = {
        .group = NODE_GROUP_SHARD + shard, .method = method, .body = body};

    node__spread_ask(spread, shard, &question);
}

/* The error of the shard that was asked alone is the answer. */
static void pay_first(struct spread *spread)
{
    struct node *node = spread->node;
    struct spread_part *part = &spread->parts[spread->shard];

    buf_clear(&node->body);
    buf_clear(&node->text);
    (void)!buf_append_slice(&node->text, buf_slice(&part->text));
    node__spread_pay(spread, part->status);
}

/* The answers of all shards but the one that was asked first, as far as there are any.
 * Returns: how many. */
static uint32_t others(struct spread *spread, struct slice *ret_answers)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < spread->node->shard_count; i++) {
        const struct spread_part *part = &spread->parts[i];

        if (i != spread->shard && part->is_done && part->status == OK) {
            ret_answers[count++] = buf_slice(&part->reply);
        }
    }
    return count;
}

/* ---- schedules */

static void schedule_ask(struct spread *spread)
{
    struct node *node = spread->node;

    spread->step = SPREAD_SCHEDULE;
    for (uint32_t i = 0; i < node->shard_count; i++) {
        arena_reset(&node->scratch);
        buf_clear(&spread->body);
        int rc = i == spread->shard
                     ? OK
                     : enrol_schedule_ask(buf_slice(&spread->parts[spread->shard].reply),
                                          node->shard_count, i, &node->scratch, &spread->body);
        if (rc == OK && spread->body.len > 0) {
            ask(spread, i, ENROL_READ_SECTIONS, buf_slice(&spread->body));
        }
    }
    if (spread->awaited == 0) {
        node__spread_next(spread);
    }
}

/* ---- courses */

static void show_ask_course(struct spread *spread, struct slice record)
{
    struct buf body;
    int rc = OK;

    spread->step = SPREAD_SHOW_COURSE;
    spread->shard =
        enrol_route(spread->method, buf_slice(&spread->body), spread->node->shard_count).shard;
    if (record.len == 0) {
        ask(spread, spread->shard, spread->method, buf_slice(&spread->body));
        return;
    }
    buf_init(&body, NODE_ENTRY_BYTES_MAX);
    rc = enrol_show_ask(buf_slice(&spread->body), record, &body);
    if (rc == OK) {
        ask(spread, spread->shard, ENROL_READ_SHOWN, buf_slice(&body));
    }
    buf_fini(&body);
    if (rc != OK) {
        node__spread_pay_error(spread, rc);
    }
}

static void show_begin(struct spread *spread)
{
    struct buf body;

    buf_init(&body, NODE_ENTRY_BYTES_MAX);
    if (enrol_show_home(buf_slice(&spread->body), spread->node->shard_count, &spread->shard,
                        &body)) {
        spread->step = SPREAD_SHOW_HOME;
        ask(spread, spread->shard, ENROL_READ_RECORD, buf_slice(&body));
    } else {
        show_ask_course(spread, SLICE_NONE);
    }
    buf_fini(&body);
}

static void show_ask_others(struct spread *spread)
{
    struct node *node = spread->node;

    spread->step = SPREAD_SHOW;
    arena_reset(&node->scratch);
    buf_clear(&spread->body);
    int rc = enrol_show_ask_others(buf_slice(&spread->parts[spread->shard].reply),
                                   &node->scratch, &spread->body);
    for (uint32_t i = 0; rc == OK && i < node->shard_count; i++) {
        if (i != spread->shard) {
            ask(spread, i, ENROL_READ_RELATED, buf_slice(&spread->body));
        }
    }
    if (rc != OK) {
        node__spread_pay_error(spread, rc);
    }
}

/* ---- step by step */

void node__spread_read(struct spread *spread, uint32_t shard)
{
    if (spread->method == CARILLON__METHOD__METHOD_SHOW) {
        show_begin(spread);
        return;
    }
    ASSERT(spread->method == CARILLON__METHOD__METHOD_SCHEDULE);
    spread->step = SPREAD_SCHEDULE_HOME;
    spread->shard = shard;
    ask(spread, shard, spread->method, buf_slice(&spread->body));
}

/* What shards that cannot be asked now would have added is left out. */
static void end(struct spread *spread)
{
    struct node *node = spread->node;
    struct slice first = buf_slice(&spread->parts[spread->shard].reply);

    arena_reset(&node->scratch);
    struct slice *answers = arena_alloc(&node->scratch, node->shard_count * sizeof *answers);
    uint32_t count = others(spread, answers);

    buf_clear(&node->body);
    buf_clear(&node->text);
    int rc = spread->step == SPREAD_SHOW
                 ? enrol_show_fill(first, answers, count, count == node->shard_count - 1,
                                   &node->scratch, &node->body)
                 : enrol_schedule_fill(first, answers, count, &node->scratch, &node->body);
    node__spread_pay(spread, rc);
}

void node__spread_read_next(struct spread *spread)
{
    struct spread_part *first = &spread->parts[spread->shard];

    if (spread->step == SPREAD_SCHEDULE || spread->step == SPREAD_SHOW) {
        end(spread);
    } else if (first->status != OK) {
        pay_first(spread);
    } else if (spread->step == SPREAD_SCHEDULE_HOME) {
        schedule_ask(spread);
    } else if (spread->step == SPREAD_SHOW_HOME) {
        show_ask_course(spread, buf_slice(&first->reply));
    } else {
        show_ask_others(spread);
    }
}
