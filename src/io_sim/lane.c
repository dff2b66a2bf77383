/* io_sim/lane.c -- lanes: jobs run at seeded instants, one after another, on the only thread
 * there is.
 *
 * A lane's event has two uses in turn: to run the first job of the queue, and to hand that job
 * back. What run() does to the disk happens at one instant; the time its syncs take passes
 * before done(), so a crash in between finds the work done and nobody told, as it may be in
 * reality.
 */
#include "base/assert.h"
#include "io_sim/io_sim_private.h"

static void lane_on_run(struct io_sim_event *event);

static void lane_next(struct lane *lane)
{
    if (lane->job == NULL && !list_is_empty(&lane->queue) && !heap_has(&lane->event.node)) {
        struct io_sim *sim = lane->machine->sim;
        io_sim__event_start(&lane->event, lane->machine,
                            io_sim__delay_ns(sim, sim->options.job_us), lane_on_run);
    }
}

static void lane_on_done(struct io_sim_event *event)
{
    struct lane *lane = CONTAINER_OF(event, struct lane, event);
    struct io_sim_machine *machine = lane->machine;
    struct io_job *job = lane->job;
    lane->job = NULL;
    lane_next(lane);
    job->done(job);
    io_sim__delivered(machine);
}

/* Run the first job of the queue. */
static struct io_job *lane_run(struct lane *lane)
{
    struct io_sim_machine *machine = lane->machine;
    struct io_job *job = CONTAINER_OF(lane->queue.next, struct io_job, node);
    list_remove(&job->node);
    machine->is_in_job = true;
    machine->job_ns = 0;
    job->run(&machine->io, job);
    machine->is_in_job = false;
    return job;
}

static void lane_on_run(struct io_sim_event *event)
{
    struct lane *lane = CONTAINER_OF(event, struct lane, event);
    struct io_sim_machine *machine = lane->machine;
    struct io_job *job = lane_run(lane);
    if (!machine->is_down) { /* power may have failed in the middle of the job */
        lane->job = job;
        uint64_t lasts_ns = io_sim__delay_ns(machine->sim, machine->sim->options.job_us);
        io_sim__event_start(&lane->event, machine, machine->job_ns + lasts_ns, lane_on_done);
    }
}

void io_sim__lane_submit(struct io *io, enum io_lane which, struct io_job *job)
{
    struct io_sim_machine *machine = io_sim__of(io);
    ASSERT(!machine->is_in_job);
    job->node = (struct list){NULL, NULL};
    if (!machine->is_down) {
        list_add(&machine->lanes[which].queue, &job->node);
        lane_next(&machine->lanes[which]);
    }
}

/* Time does not pass meanwhile: nothing else can happen on a machine whose loop waits. */
void io_sim__lane_wait(struct io *io, enum io_lane which)
{
    struct io_sim_machine *machine = io_sim__of(io);
    struct lane *lane = &machine->lanes[which];
    ASSERT(!machine->is_in_job);
    io_sim__event_stop(machine->sim, &lane->event);
    struct io_job *job = lane->job;
    lane->job = NULL;
    while (!machine->is_down && (job != NULL || !list_is_empty(&lane->queue))) {
        job = job != NULL ? job : lane_run(lane);
        if (!machine->is_down) {
            job->done(job);
        }
        job = NULL;
    }
}

void io_sim__lanes_init(struct io_sim_machine *machine)
{
    for (size_t i = 0; i < IO_LANE_NR; i++) {
        machine->lanes[i].machine = machine;
        list_init(&machine->lanes[i].queue);
    }
}

/* The process has died: its jobs are neither run nor handed back. */
void io_sim__lanes_drop(struct io_sim_machine *machine)
{
    for (size_t i = 0; i < IO_LANE_NR; i++) {
        struct lane *lane = &machine->lanes[i];
        while (!list_is_empty(&lane->queue)) {
            list_remove(lane->queue.next);
        }
        lane->job = NULL;
        io_sim__event_stop(machine->sim, &lane->event);
    }
}

/* Handshakes are judged on the one thread there is. */
void io_sim__ask(struct io *io, void (*asked)(void *context), void *context)
{
    (void)io;
    asked(context);
}
