/* io_sim/fault.c -- counts file calls and makes them fail: by number, for ever, by chance, or
 * with a power failure. */
#include "base/assert.h"
#include "base/hash.h"
#include "io_sim/io_sim_private.h"

uint64_t io_sim_calls(const struct io *io, enum io_sim_call kind)
{
    ASSERT(io != NULL);
    ASSERT(kind <= IO_SIM_ANY);
    return io_sim__of(io)->calls[kind];
}

void io_sim_fail(struct io *io, enum io_sim_call kind, uint64_t nth, int error, bool for_ever)
{
    ASSERT(io != NULL);
    ASSERT(kind <= IO_SIM_ANY);
    ASSERT(nth > 0);
    ASSERT(error < 0);
    struct io_sim_machine *machine = io_sim__of(io);
    ASSERT(machine->faults_count < FAULTS_MAX);
    machine->faults[machine->faults_count++] =
        (struct fault){.kind = kind, .left = nth, .error = error, .for_ever = for_ever};
}

void io_sim_fail_randomly(struct io *io, uint32_t ppm)
{
    ASSERT(io != NULL);
    ASSERT(ppm <= 1000000);
    io_sim__of(io)->fail_ppm = ppm;
}

void io_sim_fail_clear(struct io *io)
{
    ASSERT(io != NULL);
    struct io_sim_machine *machine = io_sim__of(io);
    machine->faults_count = 0;
    machine->fail_ppm = 0;
    machine->crash_left = 0;
}

void io_sim_crash_at(struct io *io, uint64_t nth)
{
    ASSERT(io != NULL);
    ASSERT(nth > 0);
    io_sim__of(io)->crash_left = nth;
}

void io_sim_sync_lies(struct io *io, bool lies)
{
    ASSERT(io != NULL);
    io_sim__of(io)->sync_lies = lies;
}

void io_sim_sync_slow(struct io *io, uint64_t us)
{
    ASSERT(io != NULL);
    io_sim__of(io)->sync_slow_us = us;
}

void io_sim_disk_bytes_set(struct io *io, uint64_t bytes)
{
    ASSERT(io != NULL);
    io_sim__of(io)->disk.room = bytes;
}

/* Time passes while a sync lasts: for the loop at once, for a job until it is handed back. */
void io_sim__sync_cost(struct io_sim_machine *machine)
{
    struct io_sim *sim = machine->sim;
    uint64_t ns =
        io_sim__delay_ns(sim, sim->options.sync_us) + machine->sync_slow_us * NS_PER_US;
    if (machine->is_in_job) {
        machine->job_ns += ns;
    } else {
        sim->now_ns += ns;
    }
}

/* ---- the call in progress ---- */

/* Count down the rules that this call concerns. Returns: the error of the first that strikes,
 * or OK. */
static int faults_strike(struct io_sim_machine *machine, enum io_sim_call kind)
{
    int error = OK;
    size_t left = 0;
    for (size_t i = 0; i < machine->faults_count; i++) {
        struct fault fault = machine->faults[i];
        bool concerns = fault.kind == kind || fault.kind == IO_SIM_ANY;
        bool strikes = concerns && fault.left == 1;
        if (concerns && fault.left > 1) {
            fault.left--;
        }
        if (strikes && error == OK) {
            error = fault.error;
        }
        if (!strikes || fault.for_ever) {
            machine->faults[left++] = fault;
        }
    }
    machine->faults_count = left;
    if (error == OK && machine->fail_ppm > 0 &&
        rng_chance(&machine->chance, machine->fail_ppm)) {
        error = ERR_IO;
    }
    return error;
}

struct call io_sim__call_begin(struct io_sim_machine *machine, enum io_sim_call kind)
{
    if (machine->is_down) {
        return (struct call){.error = ERR_IO};
    }
    machine->calls[kind]++;
    machine->calls[IO_SIM_ANY]++;
    struct call call = {.error = faults_strike(machine, kind)};
    if (machine->crash_left > 0 && --machine->crash_left == 0) {
        call.has_begun = true;
        call.error = OK;
    }
    if (machine->sim->options.sites != NULL) {
        io_sim__sites_note(machine->sim->options.sites, kind,
                           call.error != OK || call.has_begun);
    }
    io_sim__trace(machine->sim, machine, 16 + (uint64_t)kind, (uint64_t)(int64_t)call.error);
    return call;
}

/* What the call answers whose work has ended with @status. */
int io_sim__call_end(struct io_sim_machine *machine, const struct call *call, int status)
{
    if (call->has_begun) {
        io_sim__machine_down(machine, false);
        return ERR_IO;
    }
    return status;
}

void io_sim__call_trace(struct io_sim_machine *machine, uint64_t offset, const void *data,
                        size_t len)
{
    io_sim__trace(machine->sim, machine, offset, hash_bytes(data, len));
}
