/* carillon/bench_daemon.h -- a daemon of the benchmark's own: temporary folder, free port,
 * started, watched and removed.
 *
 * Layer: carillon
 *
 * The daemon is the `carillond` beside this program, with its own settings and nothing but the
 * data folder and the address changed. It lies in a process group of its own and dies with us,
 * whatever ends us.
 */
#ifndef CARILLON_CARILLON_BENCH_DAEMON_H
#define CARILLON_CARILLON_BENCH_DAEMON_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum { BENCH_PATH_BYTES = 768, BENCH_ADDRESS_BYTES = 512, BENCH_TEXT_BYTES = 2048 };

struct bench_daemon {
    char folder[BENCH_PATH_BYTES]; /* ours; the data lie in its subfolder `data` */
    char address[BENCH_ADDRESS_BYTES];
    uint32_t shards; /* of the cluster it founds; 0: the daemon's default */
    pid_t pid; /* 0: not running */
};

/* Where temporary folders are made: @chosen, else $TMPDIR, else /var/tmp (which, unlike /tmp,
 * is on a disk). */
const char *bench_folder_parent(const char *chosen);

/* Make a new folder below bench_folder_parent(@parent). Errors: ERR_IO with
 * @ret_text. */
int bench_daemon_init(struct bench_daemon *daemon, const char *parent,
                      char ret_text[BENCH_TEXT_BYTES]) CHECKED;

/* Start the daemon on the folder, on a port that is free. It may not serve yet.
 * Errors: ERR_GONE no carillond beside us; ERR_IO; with @ret_text. */
int bench_daemon_start(struct bench_daemon *daemon, char ret_text[BENCH_TEXT_BYTES]) CHECKED;

/* Whether it still runs; when it has ended, @ret_text gets the last lines it wrote. */
bool bench_daemon_is_running(struct bench_daemon *daemon, char ret_text[BENCH_TEXT_BYTES]);

/* End it (SIGTERM, after half a minute SIGKILL) and wait. Does nothing when it does not run.
 * Errors: ERR_IO it did not end by itself, or with a failure. */
int bench_daemon_stop(struct bench_daemon *daemon) CHECKED;

/* End it by SIGKILL, as a power cut would, and wait. Errors: ERR_IO it does not end. */
int bench_daemon_kill(struct bench_daemon *daemon) CHECKED;

/* Set the data of the daemon, which does not run, aside as what later runs begin with; make a
 * fresh copy of it the daemon's data. Errors: ERR_IO. */
int bench_daemon_keep_data(struct bench_daemon *daemon) CHECKED;
int bench_daemon_renew_data(struct bench_daemon *daemon) CHECKED;

/* Stop it if it runs, and remove the folder. Takes a zeroed one. */
void bench_daemon_fini(struct bench_daemon *daemon);

/* From now on SIGINT and SIGTERM end the daemon and are remembered, instead of ending us; a
 * second one ends us. */
void bench_signals_watch(void);
bool bench_is_interrupted(void);
const volatile sig_atomic_t *bench_interrupt_flag(void); /* for import */

#endif
