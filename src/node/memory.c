/* The state's next chunk of memory, prepared in the bulk lane before it is wanted. */
#include "base/assert.h"
#include "node/node_private.h"

static void spare_run(struct io *io, struct io_job *job)
{
    struct node *node = CONTAINER_OF(job, struct node, spare_job);

    (void)io;
    node->spare = arena_spare_make();
}

static void spare_done(struct io_job *job)
{
    struct node *node = CONTAINER_OF(job, struct node, spare_job);

    arena_spare_give(enrol_arena(node->spare_shard->enrol), node->spare);
    node->spare = NULL;
    node->spare_is_coming = false;
    if (node->spare_awaited != NULL) {
        node->spare_awaited(node);
    }
}

void node__memory_turn(struct node *node)
{
    uint32_t at = 0;

    if (node->spare_is_coming || node->is_closing) {
        return;
    }
    while (at < node->shard_count && !arena_wants_spare(enrol_arena(node->shards[at].enrol))) {
        at++;
    }
    if (at == node->shard_count) {
        return;
    }
    node->spare_shard = &node->shards[at];
    node->spare_is_coming = true;
    node->spare_job = (struct io_job){.run = spare_run, .done = spare_done};
    io_lane_submit(node->io, IO_LANE_BULK, &node->spare_job);
}

bool node__memory_await(struct node *node, void (*done)(struct node *node))
{
    ASSERT(node->is_closing); /* or the next one would follow */
    node->spare_awaited = done;
    return node->spare_is_coming;
}
