/* io_sim/io_sim.h -- the simulated world behind io/io.h: seeded clock, disks that lose and
 * tear, connections.
 *
 * Layer: io_sim (base, io)
 *
 * One thread, one heap of events: the same seed and the same calls give the same run, byte for
 * byte, which the trace hash shows. A world holds any number of machines; each has an address,
 * a disk and one process. What the process gets is the machine's struct io; it stays the same
 * through crash and restart.
 *
 * The disk. A write goes into the file as seen by the process and into a list of unsynced
 * writes. Sync makes them durable. A crash keeps, for every 512-byte sector of every unsynced
 * write, a seeded choice: lost or kept, in any order (a sector holds what one of the writes to
 * it left, never a mixture). The size is seeded likewise: any size the file had since the last
 * sync. Created, renamed and removed names are durable after folder_sync; a crash keeps a
 * seeded choice of the others. Folders are durable at once. A failed sync leaves a seeded
 * choice of the unsynced sectors on the disk and forgets the rest: a later sync will say OK and
 * lie, as real ones do.
 *
 * The process. crash() ends it between two instructions: its timers, turns, jobs and
 * connections are gone, file calls answer ERR_IO until restart. Whoever runs the test frees the
 * process's memory; while it does so, closing files and streams is allowed, and closed() is the
 * only callback that may still come, unless it is told to forget them.
 */
#ifndef CARILLON_IO_SIM_H
#define CARILLON_IO_SIM_H

#include "io/io.h"

enum { IO_SIM_SECTOR_BYTES = 512 };

struct io_sim;
struct io_sim_sites;

/* All zero means the values in brackets. */
struct io_sim_options {
    uint64_t disk_bytes;         /* room on each disk [no limit] */
    uint64_t network_delay_us;   /* at most this long on the way [500] */
    size_t network_window_bytes; /* what the two kernels hold of one direction [64 KiB] */
    uint64_t job_us;  /* a job waits and lasts at most this long each, syncs apart [200] */
    uint64_t sync_us; /* a sync lasts at most this long [1000] */
    uint64_t unheard_ms; /* a connection whose other end is not heard for about so long breaks
                            [10000] */
    struct io_sim_sites
        *sites; /* where calls are counted by place [nowhere]; outlives the world */
};

/* ---- the world
 * ---------------------------------------------------------------------------------- */

/* @options may be NULL. */
struct io_sim *io_sim_create(uint64_t seed, const struct io_sim_options *options);
void io_sim_destroy(struct io_sim *sim);

/* Deliver the next event. Returns: false when there is none. */
bool io_sim_step(struct io_sim *sim);

/* Deliver events until none is left, or @limit_ms of simulated time have passed. Returns:
 * whether none is left. */
bool io_sim_run_idle(struct io_sim *sim, uint64_t limit_ms);

/* Deliver the events of the next @ms of simulated time. */
void io_sim_run_ms(struct io_sim *sim, uint64_t ms);

/* Deliver events until @is_done(context) holds, at most @limit_ms. Returns: whether it holds.
 */
bool io_sim_run_until(struct io_sim *sim, bool (*is_done)(void *context), void *context,
                      uint64_t limit_ms);

uint64_t io_sim_now_ns(const struct io_sim *sim);

/* A hash over all that was delivered and every file call: when, to whom, which bytes. */
uint64_t io_sim_trace_hash(const struct io_sim *sim);

/* ---- machines
 * ------------------------------------------------------------------------------------- */

/* A machine with an empty disk and a process on it. @address is numeric and its own in this
 * world. */
struct io *io_sim_machine_create(struct io_sim *sim, const char *address);

/* Power fails now. Does nothing to a machine that is down. */
void io_sim_crash(struct io *io);

/* The process is killed now: like a crash, but the disk loses nothing, synced or not. */
void io_sim_kill(struct io *io);

/* The memory of the process that died is freed as a whole: closed() does not come any more for
 * what it was closing when it died. */
void io_sim_forget(struct io *io);

/* Bring the machine up again after crash or kill; after a crash the disk loses what it must. */
void io_sim_restart(struct io *io);
bool io_sim_is_down(const struct io *io);

/* Restart after a crash with a chosen loss: sector unit i is kept if kept[i] is not 0. The
 * units are the sectors of all unsynced writes, in the order of files' creation, writes and
 * offsets; io_sim_unsynced_units() counts them, up or down. All names and the last size of each
 * file are kept. */
void io_sim_restart_keeping(struct io *io, const uint8_t *kept, size_t kept_count);
size_t io_sim_unsynced_units(const struct io *io);

/* Who the machine's process is to those it is connected with, as a verified certificate would
 * say; nobody at first. The streams of a simulation are not sealed: its wires are not tapped. */
void io_sim_peer_set(struct io *io, const struct io_peer *peer);

/* Move the machine's wall clock. */
void io_sim_wall_set(struct io *io, uint64_t unix_ms);

/* From now on the machine's clocks run @ppm of a million too fast (below 0: too slow): its
 * timers, its monotonic and its wall clock. */
void io_sim_drift_set(struct io *io, int32_t ppm);

/* The process stands still for @ms, as one that is stopped or swapped out: what comes meanwhile
 * waits, and its clocks go on. Power and kill strike nevertheless. */
void io_sim_pause(struct io *io, uint64_t ms);

/* The machine that the last step delivered to, or NULL. */
struct io *io_sim_last(const struct io_sim *sim);

/* ---- what lies between machines
 * ------------------------------------------------------------------ */

/* One direction between two machines. Zero is a whole one, as fast as the world's options say. */
struct io_sim_wire {
    bool is_cut;          /* nothing gets through */
    uint64_t delay_us;    /* each run of bytes is on its way at most so much longer */
    uint64_t bytes_per_s; /* 0: no limit */
    uint32_t loss_ppm;    /* of the runs of bytes: they come by being sent again, some 200 ms or
                             a multiple later */
};

/* Streams do what those of TCP do. What was on its way into a cut is sent again after it,
 * sooner or later by how long it lasted, and nothing is lost; but an end that has not been
 * acknowledged for unheard_ms breaks, without the other end hearing of it; who is left alone on
 * a connection finds out by itself some time after the wires are whole. Connecting waits while
 * a wire is cut. */
void io_sim_wire_set(struct io *from, struct io *to, const struct io_sim_wire *wire);

/* ---- faults
 * --------------------------------------------------------------------------------------- */

enum io_sim_call {
    IO_SIM_OPEN,
    IO_SIM_READ,
    IO_SIM_WRITE,
    IO_SIM_SYNC,
    IO_SIM_SIZE,
    IO_SIM_TRUNCATE,
    IO_SIM_RENAME,
    IO_SIM_REMOVE,
    IO_SIM_FOLDER_MAKE,
    IO_SIM_FOLDER_SYNC,
    IO_SIM_FOLDER_LIST,
    IO_SIM_FREE_BYTES,
    IO_SIM_LOCK,
    IO_SIM_CALL_NR,
    IO_SIM_ANY = IO_SIM_CALL_NR, /* a call of any kind */
};

/* How many calls of @kind (or IO_SIM_ANY) the machine has made since it was created. */
uint64_t io_sim_calls(const struct io *io, enum io_sim_call kind);

/* From now on the @nth call of @kind (1: the next) answers @error; if @for_ever, so do all
 * later ones of that kind. It has no effect, but that any part of the beginning of a write may
 * have been written, and for sync see above. Up to 8 such rules at once; IO_SIM_ANY counts
 * every call. */
void io_sim_fail(struct io *io, enum io_sim_call kind, uint64_t nth, int error, bool for_ever);

/* Every call fails with ERR_IO in @ppm of a million cases. */
void io_sim_fail_randomly(struct io *io, uint32_t ppm);

/* Forget all rules of io_sim_fail, io_sim_fail_randomly and io_sim_crash_at. */
void io_sim_fail_clear(struct io *io);

/* Power fails in the middle of the @nth call from now (1: the next): it answers ERR_IO, having
 * begun. */
void io_sim_crash_at(struct io *io, uint64_t nth);

/* The control: file and folder sync answer OK and do nothing. Whatever checks durability must
 * then fail. */
void io_sim_sync_lies(struct io *io, bool lies);

/* Every sync lasts @us longer. */
void io_sim_sync_slow(struct io *io, uint64_t us);

/* Change the room on the disk (0: no limit). */
void io_sim_disk_bytes_set(struct io *io, uint64_t bytes);

/* Break the connection: both ends get ended(ERR_IO) and what is on the way is lost. */
void io_sim_stream_reset(struct io_stream *stream);

/* What becomes of datagrams, in this world. All zero: they come once each, in any order that
 * their delays give. */
struct io_sim_datagram_faults {
    uint32_t lost_ppm;   /* do not come */
    uint32_t copied_ppm; /* come twice */
    uint32_t late_ppm;   /* come up to late_us later */
    uint32_t late_us;
};

void io_sim_datagram_faults_set(struct io_sim *sim,
                                const struct io_sim_datagram_faults *faults);

/* From now on, or no longer, datagrams of @from do not come to @to: one way of the two. Streams
 * go on. Of the first 64 machines. */
void io_sim_datagrams_cut(const struct io *from, struct io *to, bool is_cut);

/* ---- looking at the disk, and spoiling it
 * --------------------------------------------------------- */

/* Append the durable contents of @path to @into. Errors: ERR_GONE no such durable name,
 * ERR_FULL. */
int io_sim_durable_read(struct io *io, const char *path, struct buf *into) CHECKED;

/* Change bytes of a file under everybody's hands, durable and seen; extends it if need be.
 * Errors: ERR_GONE. */
int io_sim_durable_write(struct io *io, const char *path, uint64_t offset, const void *data,
                         size_t len) CHECKED;
int io_sim_durable_truncate(struct io *io, const char *path, uint64_t size) CHECKED;

/* Flip bit @bit (0..7) of the byte at @offset. Errors: ERR_GONE, ERR_ARGUMENT past the end. */
int io_sim_flip_bit(struct io *io, const char *path, uint64_t offset, unsigned bit) CHECKED;

/* One bit of a file below @folder goes bad by itself: of a durable one that @may answers for, bit
 * and file by chance. io_sim_rot_mend() makes it good again, as from a copy kept elsewhere, and
 * so does writing there. One bit a file at a time. Returns: whether there was such a file. */
bool io_sim_rot(struct io *io, const char *folder, bool (*may)(void *context, const char *path),
                void *context);

/* Returns: how many bits were still bad. */
size_t io_sim_rot_mend(struct io *io);

/* Make @to's disk a copy of the durable part of @from's, possibly of another world. @to's
 * process has no file open. */
void io_sim_disk_copy(const struct io *from, struct io *to);

/* ---- places in the code that call files
 * ------------------------------------------------------------- */

/* A place is a call instruction together with the kind of call. Counted over all worlds that
 * share the table. */
struct io_sim_sites *io_sim_sites_create(void);
void io_sim_sites_destroy(struct io_sim_sites *sites);

/* Places seen, and those of them at which a call has failed by order at least once. */
size_t io_sim_sites_seen(const struct io_sim_sites *sites);
size_t io_sim_sites_failed(const struct io_sim_sites *sites);

/* Append one line a place: kind, calls, failures, and the offset that addr2line understands.
 * Errors: ERR_FULL. */
int io_sim_sites_describe(const struct io_sim_sites *sites, struct buf *into) CHECKED;

#endif
