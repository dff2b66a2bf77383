/* tests/lib/daemon.h -- a carillond process of a test's own, on a folder and port of its own.
 *
 * Layer: tests
 */
#ifndef CARILLON_TESTS_DAEMON_H
#define CARILLON_TESTS_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

enum { DAEMON_PATH_BYTES = 512 };

struct daemon {
    char folder[DAEMON_PATH_BYTES]; /* temporary; data in its subfolder `data`, what it says in
                                       `log` */
    char address[32];
    pid_t pid; /* 0: not running */
};

/* Make the temporary folder. */
void daemon_init(struct daemon *daemon);

/* Start @program (the path of carillond) with further flags (NULL-terminated, may be NULL) and
 * wait until it serves. Returns: false when it ended instead or does not serve within a minute;
 * its words are in the log file. */
bool daemon_start(struct daemon *daemon, const char *program, const char *const *flags);

/* Send @signal and wait for the end. Returns: the wait status as of waitpid. */
int daemon_signal(struct daemon *daemon, int signal);

/* The contents of the log file, terminated; the caller frees it. */
char *daemon_log(const struct daemon *daemon);

/* Kill it if it runs, remove the folder. */
void daemon_fini(struct daemon *daemon);

#endif
