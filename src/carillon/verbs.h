/* carillon/verbs.h -- the verbs of the command line: one row here and one file verb_NAME.c each.
 *
 * Layer: carillon     How to add one: src/carillon/README.md
 */
#ifndef CARILLON_CARILLON_VERBS_H
#define CARILLON_CARILLON_VERBS_H

#include <stddef.h>

struct cli;

struct verb {
    const char *name;
    const char *group; /* heading in `carillon --help` */
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is "carillon NAME"; returns the exit code */
    const char *help;  /* one line */
};

/* The row with this name, or NULL. */
const struct verb *verb_find(const char *name);

/* The rows in order; NULL past the end. */
const struct verb *verb_at(size_t index);

/* clang-format off */
#define VERBS(X)                                                                                          \
    /* name       group        help */                                                                    \
    X(search,     "Students",   "find courses in every catalogue")                                         \
    X(show,       "Students",   "show one course: sections, seats, prerequisites")                         \
    X(check,      "Students",   "say what registering would do, and change nothing")                       \
    X(register,   "Students",   "register for sections, all or nothing")                                   \
    X(drop,       "Students",   "leave sections or waitlists")                                             \
    X(swap,       "Students",   "drop one section and register for another in one step")                   \
    X(waitlist,   "Students",   "register, or wait for a seat in a full section")                          \
    X(schedule,   "Students",   "show a student's courses, waitlists, blocks and permits")                 \
    X(login,      "Students",   "keep a token for a node on another machine")                              \
    X(roster,     "Registrars", "show who is in a section, and who waits")                                 \
    X(import,     "Registrars", "replace a catalogue, or the students, by what a file says")               \
    X(export,     "Registrars", "write registrations, courses, students or waitlists as JSON Lines or CSV") \
    X(open,       "Registrars", "open registration, now or from a moment on")                              \
    X(close,      "Registrars", "close registration, now or from a moment on")                             \
    X(block,      "Registrars", "keep a student from adding courses, or lift that")                        \
    X(permit,     "Registrars", "let a student past capacity, rules or times for one section")             \
    X(cap,        "Registrars", "change a section's capacity; nobody is dropped")                          \
    X(limits,     "Registrars", "set how many courses and credits a student may take in a term")           \
    X(catalogues, "Registrars", "list catalogues with their windows and limits")                           \
    X(token,      "Registrars", "issue a token for a student, a registrar or an operator, or revoke it")    \
    X(audit,      "Registrars", "list what was asked and answered, refusals included")                     \
    X(status,     "Operators",  "show the node: state, memory, log, connections")                          \
    X(snapshot,   "Operators",  "write a snapshot now")                                                    \
    X(verify,     "Operators",  "check every invariant of the state")                                      \
    X(keys,       "Operators",  "show the cluster's and the node's keys, or make new ones")                \
    X(node,       "Operators",  "invite another node to join, drain one, or remove it")                    \
    X(members,    "Operators",  "list the cluster's nodes, and who is there")                              \
    X(shards,     "Operators",  "list the shards: who leads, who votes, and what moves")                   \
    X(call,       "Operators",  "call any method by name with a JSON body")                                \
    X(bench,      "Operators",  "measure registrations, searches, the start, or importing")             \
    X(sim,        "Operators",  "live through one seed of the simulation of a whole cluster")
/* clang-format on */

#define VERB_DECLARATION(name, group, help) int verb_##name(struct cli *cli, int argc, char **argv);
VERBS(VERB_DECLARATION)
#undef VERB_DECLARATION

#endif
