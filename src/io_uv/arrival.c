/* io_uv/arrival.c -- connections that are arriving wait until everybody else was heard.
 *
 * A handshake costs the one who begins it a few bytes and us a signature. So no turn reads as
 * many of them as there are: first it delivers what came on connections that are open, then it
 * reads handshakes for a moment, and what is left waits in the kernel for the next turn. The
 * newest is read first. When there are more than we can read, whoever asked long ago has been
 * waiting for others of the crowd, and is the next to be sent away by the owner; whoever comes
 * now gets his answer at once and has all his time left.
 */
#include "io_uv/stream_private.h"

enum { READING_NS = 200000 }; /* of cheap ones a good many, and one that needs a signature */

void io_uv__arrival_wait(struct link *link)
{
    if (!list_is_linked(&link->arrival)) {
        list_add(&io_uv__of(link->io)->arrivals, &link->arrival);
    }
}

bool io_uv__arrivals_read(struct io_uv *world)
{
    if (list_is_empty(&world->arrivals)) {
        return false;
    }
    uint64_t until_ns = io_uv__now_exact_ns(&world->io) + READING_NS;
    do {
        struct link *link = CONTAINER_OF(world->arrivals.prev, struct link, arrival);
        list_remove(&link->arrival);
        io_uv__link_read_arrival(link);
    } while (!list_is_empty(&world->arrivals) && io_uv__now_exact_ns(&world->io) < until_ns);
    world->has_delivered = true;
    return true;
}
