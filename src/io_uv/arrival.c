/* io_uv/arrival.c -- connections that are arriving wait until everybody else was heard, and
 * their handshakes are computed elsewhere.
 *
 * A handshake costs the one who begins it a few bytes and us a key exchange and a signature. So
 * the loop only reads: after it has delivered what came on connections that are open, it reads
 * from those that arrive, for a moment; what is left waits in the kernel for the next turn.
 * Nothing is made of a handshake before a whole record of it is there, so one that falls
 * silent, or talks a byte at a time, costs what its bytes cost. A whole record is a step, and
 * steps are made on a lane of their own, whose thread yields to the loop's; STEPS_MAX of them
 * are with the lane at a time, and the others wait here.
 *
 * The newest is read first, and stepped first. When there are more than we can serve, whoever
 * asked long ago has been waiting for others of the crowd, and is the next to be sent away by
 * the owner; whoever comes now gets his answer at once and has all his time left.
 *
 * A step owns the link's tls, arrived and seen from when it is handed to the lane until its
 * done(): the loop reads nothing from that socket meanwhile and sends nothing. Closing such a
 * link ends its socket at once and its storage when the step has come back.
 */
#include "base/assert.h"
#include "io_uv/stream_private.h"
#include "io_uv/tls_private.h"

enum { READING_NS = 100000 };

void io_uv__arrival_wait(struct link *link)
{
    if (!list_is_linked(&link->arrival)) {
        list_add(&io_uv__of(link->io)->arrivals, &link->arrival);
    }
}

size_t io_uv__arrival_room(const struct link *link)
{
    ASSERT(link->arrived.len < TLS_HANDSHAKE_BYTES_MAX);
    return TLS_HANDSHAKE_BYTES_MAX - link->arrived.len;
}

/* ---- steps ---- */

static void step_run(struct io *io, struct io_job *job)
{
    struct link *link = CONTAINER_OF(job, struct link, step);
    (void)io;
    link->step_status =
        tls_feed(link->tls, slice_sub(buf_slice(&link->arrived), 0, link->step_len));
}

/* Let the handshake go on as soon as it can. */
static void step_look(struct link *link)
{
    struct slice bytes = buf_slice(&link->arrived);
    link->step_len =
        bytes.len == TLS_HANDSHAKE_BYTES_MAX ? bytes.len : tls_whole_records(bytes);
    if (link->step_len > 0) {
        list_add(&io_uv__of(link->io)->steps_new, &link->arrival);
    }
}

static void step_on_done(struct io_job *job)
{
    struct link *link = CONTAINER_OF(job, struct link, step);
    io_uv__of(link->io)->steps_count--;
    link->is_stepping = false;
    if (link->is_closing) {
        if (link->is_gone) {
            io_uv__link_finish(link);
        }
        return;
    }
    link->peer = link->seen;
    tls_set_peer(link->tls, &link->peer);
    buf_consume(&link->arrived, link->step_len);
    io_uv__secure_stepped(link, link->step_status);
    if (link->is_closing) {
        return;
    }
    if (link->is_arriving && !link->has_ended && !link->is_broken) {
        step_look(link);
    }
    if (!io_uv__arrival_is_waiting(link)) {
        io_uv__link_watch(link);
    }
}

static void steps_give(struct io_uv *world)
{
    while (!list_is_empty(&world->steps_new)) {
        struct list *oldest = world->steps_new.prev;
        list_remove(oldest);
        list_add(&world->steps, oldest);
    }
    while (world->steps_count < STEPS_MAX && !list_is_empty(&world->steps)) {
        struct link *link = CONTAINER_OF(world->steps.prev, struct link, arrival);
        list_remove(&link->arrival);
        link->seen = link->peer;
        tls_set_peer(link->tls, &link->seen);
        world->steps_count++;
        link->is_stepping = true;
        link->step = (struct io_job){.run = step_run, .done = step_on_done};
        io_uv__lane_give(&world->lanes[LANE_ARRIVAL], &link->step);
    }
}

/* ---- reading ---- */

/* The first byte of an accepted connection says whether it is to be secured. */
void io_uv__arrival_receive(struct link *link, struct slice bytes)
{
    if (link->offer != NULL) {
        if (bytes.data[0] == TLS_FIRST_BYTE) {
            link->tls = tls_create(link->offer, &link->peer);
            buf_init(&link->arrived, TLS_HANDSHAKE_BYTES_MAX);
        }
        io_uv__link_offer_end(link);
    }
    if (link->tls == NULL) {
        link->is_arriving = false;
        link->stream->received(link->stream, bytes);
        return;
    }
    int rc = buf_append_slice(&link->arrived, bytes);
    ASSERT(rc == OK); /* no more was read than there is room for */
    step_look(link);
}

bool io_uv__arrivals_turn(struct io_uv *world)
{
    bool has_read = !list_is_empty(&world->arrivals);
    uint64_t until_ns = has_read ? io_uv__now_exact_ns(&world->io) + READING_NS : 0;
    while (!list_is_empty(&world->arrivals)) {
        struct link *link = CONTAINER_OF(world->arrivals.prev, struct link, arrival);
        list_remove(&link->arrival);
        io_uv__link_read_arrival(link);
        if (io_uv__now_exact_ns(&world->io) >= until_ns) {
            break;
        }
    }
    world->has_delivered |= has_read;
    steps_give(world);
    return has_read;
}
