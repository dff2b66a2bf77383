/* io_sim/io_sim_private.h -- what the files of io_sim share: world, machine, disk, events.
 *
 * Layer: io_sim
 */
#ifndef CARILLON_IO_SIM_PRIVATE_H
#define CARILLON_IO_SIM_PRIVATE_H

#include "base/rng.h"
#include "io_sim/io_sim.h"

enum {
    FAULTS_MAX = 8,
    ADDRESS_BYTES = 46,
    WIRES_MACHINES_MAX = 32,
    NS_PER_US = 1000,
    NS_PER_MS = 1000000
};

struct io_sim_machine;

/* Something that will happen. Embedded in what it happens to. */
struct io_sim_event {
    struct heap_node node; /* by time in ns */
    struct io_sim_machine *machine;
    uint32_t life;   /* the machine's life it belongs to; in another one it is dropped */
    bool is_certain; /* delivered in any life, and on a machine that is down */
    void (*run)(struct io_sim_event *event);
};

/* ---- disk ---- */

struct image {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* An unsynced change of a file: bytes at an offset (zeroes for what a truncation cut off), and
 * the size it left. */
struct change {
    uint64_t offset;
    size_t len;
    uint8_t *data;
    size_t size_after;
};

struct inode {
    struct list node; /* of disk.inodes, in order of creation */
    struct image now; /* what the process sees */
    struct image durable;
    struct change *changes;
    size_t changes_count;
    size_t changes_cap;
    uint64_t flip_offset; /* of a byte that io_sim_rot has spoiled */
    uint8_t flip_mask;    /* the bit; 0: none */
    uint32_t refs; /* names, seen or durable, unsynced renames and open files */
    uint32_t
        room_refs; /* those that keep its room on the disk taken: names seen and open files */
};

struct name {
    char *path;
    struct inode *now;     /* NULL: no such file for the process */
    struct inode *durable; /* NULL: no such file after a crash */
};

/* An unsynced change of names: created (no from), removed (no to) or renamed. */
struct rename {
    char *from;
    char *to;
    struct inode *inode;
};

struct io_file {
    struct list node;    /* of disk.files */
    struct inode *inode; /* NULL once the process has died */
    char *locked;        /* a lock: the folder; else NULL */
    bool is_writable;
};

struct disk {
    struct list inodes;
    struct list files;
    struct name *names;
    size_t names_count;
    size_t names_cap;
    struct rename *renames;
    size_t renames_count;
    size_t renames_cap;
    char **folders;
    size_t folders_count;
    size_t folders_cap;
    uint64_t room; /* bytes; 0: no limit */
};

/* Decides what a crash keeps. */
struct loss {
    struct rng *rng;     /* NULL: by order */
    const uint8_t *kept; /* by order: unit i is kept if kept[i] */
    size_t kept_count;
    size_t unit;  /* the next one */
    uint32_t ppm; /* of the file at hand: the chance of a unit */
};

/* ---- machine ---- */

struct fault {
    enum io_sim_call kind;
    uint64_t left; /* calls of that kind until it strikes; 1: the next */
    int error;
    bool for_ever;
};

struct lane {
    struct io_sim_event event;
    struct io_sim_machine *machine;
    struct list queue;  /* struct io_job */
    struct io_job *job; /* run and on its way to done(); NULL: none */
};

struct io_sim_machine {
    struct io io; /* first */
    struct io_sim *sim;
    struct io_sim_machine *next; /* in order of creation */
    char address[ADDRESS_BYTES];
    uint32_t number;
    uint32_t life; /* counts restarts */
    bool is_down;
    bool was_killed;   /* down by kill: the disk loses nothing */
    struct rng random; /* for io_random */
    struct rng chance; /* for losses and random faults */
    uint64_t wall_offset_ms;
    int32_t drift_ppm;
    uint64_t drift_from_ns; /* when the drift was set: the world's time, */
    uint64_t drift_own_ns;  /* and the machine's own */
    uint64_t paused_until_ns;
    uint64_t cpu_ns; /* what its process has used */
    struct io_peer peer; /* who its process is to others */
    struct heap timers;  /* struct io_timer */
    struct list turns;  /* struct io_turn */
    struct io_sim_event turn;
    struct lane lanes[IO_LANE_NR];
    bool is_in_job;    /* a job's run() is on the stack */
    uint64_t job_ns;   /* what its syncs have cost so far */
    struct list ends;  /* struct end of this machine's connections */
    struct list doors; /* struct door */
    struct list ports; /* struct port: where datagrams are received */
    uint64_t deaf_to;  /* bits by number: whose datagrams do not come here */
    struct disk disk;
    uint64_t calls[IO_SIM_CALL_NR + 1];
    struct fault faults[FAULTS_MAX];
    size_t faults_count;
    uint32_t fail_ppm;
    uint64_t crash_left; /* calls until power fails; 0: never */
    bool sync_lies;
    uint64_t sync_slow_us;
};

/* One direction between two machines. */
struct wire {
    struct io_sim_wire is;
    uint64_t cut_ns; /* since when, while it is cut */
};

struct io_sim {
    struct io_sim_options options;
    struct rng rng; /* for delays and cuts */
    uint64_t now_ns;
    uint64_t trace;
    struct heap events; /* struct io_sim_event */
    struct io_sim_machine *machines;
    struct io_sim_machine *last;
    uint32_t machines_count;
    struct io_sim_machine *delivered; /* by the last step */
    struct wire *wires; /* WIRES_MACHINES_MAX squared, by the machines' numbers; NULL: all whole */
    struct list conns;   /* struct conn, all of them */
    struct list flights; /* struct flight: datagrams on their way */
    struct io_sim_datagram_faults datagram_faults;
    struct buf delivery; /* bytes being received */
    uint16_t next_port;
};

static inline struct io_sim_machine *io_sim__of(const struct io *io)
{
    return (struct io_sim_machine *)(void *)io;
}

/* world.c */
void *io_sim__alloc(size_t size); /* zeroed */
void *io_sim__grow(void *array, size_t element, size_t count, size_t *cap);
char *io_sim__copy_text(const char *text);
void io_sim__trace(struct io_sim *sim, const struct io_sim_machine *machine, uint64_t what,
                   uint64_t value);
void io_sim__event_start(struct io_sim_event *event, struct io_sim_machine *machine,
                         uint64_t delay_ns, void (*run)(struct io_sim_event *event));
void io_sim__event_stop(struct io_sim *sim, struct io_sim_event *event);
uint64_t io_sim__delay_ns(struct io_sim *sim, uint64_t us_max); /* 1 ns .. us_max */
void io_sim__delivered(
    struct io_sim_machine *machine); /* a callback was made: a turn has begun */

/* machine.c */
void io_sim__machine_destroy(struct io_sim_machine *machine);
void io_sim__machine_down(struct io_sim_machine *machine, bool is_kill);
uint64_t io_sim__now_ns(struct io *io);
uint64_t io_sim__now_exact_ns(struct io *io);
uint64_t io_sim__wall_ms(struct io *io);
uint64_t io_sim__cpu_thread_ns(struct io *io);
void io_sim__cpu_process(struct io *io, struct io_cpu *ret_used);
void io_sim__random(struct io *io, void *data, size_t len);
void io_sim__timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms);
void io_sim__timer_stop(struct io *io, struct io_timer *timer);
void io_sim__turn_add(struct io *io, struct io_turn *turn);
void io_sim__turn_remove(struct io *io, struct io_turn *turn);
void io_sim__turn_on_end(struct io_sim_event *event);
uint64_t io_sim__own_ns(const struct io_sim_machine *machine); /* its monotonic clock */
uint64_t io_sim__world_ns(const struct io_sim_machine *machine,
                          uint64_t own_ns); /* when that shows @own_ns, or just after */
extern const struct io_ops io_sim__ops;

/* lane.c */
void io_sim__lanes_init(struct io_sim_machine *machine);
void io_sim__lanes_drop(struct io_sim_machine *machine);
void io_sim__lane_submit(struct io *io, enum io_lane lane, struct io_job *job);
void io_sim__lane_wait(struct io *io, enum io_lane lane);
void io_sim__ask(struct io *io, void (*asked)(void *context), void *context);

/* inode.c */
struct inode *io_sim__inode_create(struct disk *disk);
struct inode *io_sim__inode_ref(struct inode *inode); /* NULL gives NULL */
void io_sim__inode_unref(struct inode *inode); /* frees it with the last; NULL is allowed */
void io_sim__inode_write(struct inode *inode, uint64_t offset, const void *data, size_t len);
void io_sim__inode_truncate(struct inode *inode, size_t size);
void io_sim__inode_sync(struct inode *inode);
void io_sim__inode_lose(struct inode *inode, struct loss *loss);
size_t io_sim__inode_units(const struct inode *inode);
void io_sim__image_resize(struct image *image, size_t len);

/* disk.c */
void io_sim__disk_init(struct disk *disk, uint64_t room);
void io_sim__disk_fini(struct disk *disk);
struct name *io_sim__disk_find(struct disk *disk, const char *path);
struct name *io_sim__disk_name(struct disk *disk, const char *path); /* added if not there */
bool io_sim__disk_has_folder(const struct disk *disk, const char *path);
void io_sim__disk_add_folder(struct disk *disk, const char *path);
void io_sim__disk_rename(struct disk *disk, const char *from, const char *to,
                         struct inode *inode); /* NULL from: create; NULL to: remove */
void io_sim__disk_folder_sync(struct disk *disk, const char *folder);
void io_sim__disk_close_all(struct disk *disk);
void io_sim__disk_lose(struct disk *disk, struct loss *loss);
uint64_t io_sim__disk_free_bytes(const struct disk *disk);
void io_sim__disk_copy(const struct disk *from, struct disk *to);
struct io_file *io_sim__disk_open(struct disk *disk, struct inode *inode, bool is_writable);
void io_sim__disk_close(struct io_file *file);
char *io_sim__path_clean(const char *path);  /* owned by the caller */
char *io_sim__path_parent(const char *path); /* owned by the caller */
bool io_sim__path_is_in(const char *path, const char *folder);

/* file.c */
int io_sim__file_open(struct io *io, const char *path, enum io_open how,
                      struct io_file **ret_file);
void io_sim__file_close(struct io *io, struct io_file *file);
int io_sim__file_read(struct io *io, struct io_file *file, uint64_t offset, void *data,
                      size_t len, size_t *ret_len);
int io_sim__file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                       size_t len);
int io_sim__file_sync(struct io *io, struct io_file *file);
int io_sim__file_size(struct io *io, struct io_file *file, uint64_t *ret_size);
int io_sim__file_truncate(struct io *io, struct io_file *file, uint64_t size);
int io_sim__file_rename(struct io *io, const char *from, const char *to);
int io_sim__file_remove(struct io *io, const char *path);

/* folder.c */
int io_sim__folder_make(struct io *io, const char *path);
int io_sim__folder_sync(struct io *io, const char *path);
int io_sim__folder_list(struct io *io, const char *path,
                        int (*found)(void *context, const char *name), void *context);
int io_sim__folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes);
int io_sim__folder_lock(struct io *io, const char *folder, struct io_file **ret_lock);
void io_sim__folder_unlock(struct io *io, struct io_file *lock);

/* datagram.c */
void io_sim__ports_drop(struct io_sim_machine *machine);
void io_sim__ports_forget(struct io_sim_machine *machine);
void io_sim__ports_fini(struct io_sim *sim);
int io_sim__datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                           uint16_t port, uint16_t *ret_port);
int io_sim__datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                           uint16_t port, struct slice bytes);
void io_sim__datagrams_close(struct io *io, struct io_datagrams *datagrams);

/* fault.c */
struct call {
    int error;      /* what the call must answer; OK: what it finds */
    bool has_begun; /* power fails in the middle of it: it takes effect, and then answers ERR_IO
                     */
};

struct call io_sim__call_begin(struct io_sim_machine *machine, enum io_sim_call kind);
int io_sim__call_end(struct io_sim_machine *machine, const struct call *call, int status);
void io_sim__call_trace(struct io_sim_machine *machine, uint64_t offset, const void *data,
                        size_t len);
void io_sim__sync_cost(struct io_sim_machine *machine);
void io_sim__sites_note(struct io_sim_sites *sites, enum io_sim_call kind, bool has_failed);

/* stream.c and listener.c; what only they share is in net_private.h */
bool io_sim__address_is_numeric(const char *address);
bool io_sim__address_is_loopback(const char *address);
bool io_sim__address_is_wildcard(const char *address);
void io_sim__address_set(char address[ADDRESS_BYTES], const char *text);
void io_sim__net_drop(struct io_sim_machine *machine);
void io_sim__net_forget(struct io_sim_machine *machine);
void io_sim__net_fini(struct io_sim *sim);
int io_sim__stream_connect(struct io *io, struct io_stream *stream, const char *address,
                           uint16_t port);
void io_sim__stream_flush(struct io *io, struct io_stream *stream);
void io_sim__stream_pause(struct io *io, struct io_stream *stream);
void io_sim__stream_resume(struct io *io, struct io_stream *stream);
const struct io_peer *io_sim__stream_peer(const struct io_stream *stream);
int io_sim__tls_create(struct io *io, const struct io_tls_options *options,
                       struct io_tls **ret_tls);
int io_sim__tls_renew(struct io *io, struct io_tls *tls, const struct io_tls_options *options);
void io_sim__tls_destroy(struct io *io, struct io_tls *tls);
size_t io_sim__stream_unsent(const struct io_stream *stream);
void io_sim__stream_close(struct io *io, struct io_stream *stream);
int io_sim__listen(struct io *io, struct io_listener *listener, const char *address,
                   uint16_t port, uint16_t *ret_port);
int io_sim__accept(struct io *io, struct io_listener *listener, struct io_stream *stream);
void io_sim__listener_close(struct io *io, struct io_listener *listener);

#endif
