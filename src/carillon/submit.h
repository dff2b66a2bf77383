/* carillon/submit.h -- the verbs that register: build one request, send or check it, show what
 * happened.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_SUBMIT_H
#define CARILLON_CARILLON_SUBMIT_H

#include "carillon/cli.h"

enum { SUBMIT_OPS_MAX = 16 };

struct submit {
    struct cli *cli;
    Carillon__SubmitRequest request;
    Carillon__Op ops[SUBMIT_OPS_MAX];
    Carillon__Op *op_list[SUBMIT_OPS_MAX];
    const char *names[SUBMIT_OPS_MAX]; /* as they were written */
};

void submit_init(struct submit *submit, struct cli *cli);

/* Add an op for @name. Returns: it, or NULL after saying what is wrong. */
Carillon__Op *submit_add(struct submit *submit, Carillon__OpKind kind, const char *name);

/* Let a waiting add drop @name on promotion. Returns: false after saying what is wrong. */
bool submit_add_promotion_drop(struct submit *submit, Carillon__Op *op, const char *name);

/* Send (or only check) the request for the student of --student. Returns: the exit code. */
int submit_perform(struct submit *submit, bool is_check);

/* A verb whose arguments are sections to add and whose --drop names others to leave; @about is
 * its help. Returns: the exit code. */
int submit_verb(struct cli *cli, int argc, char **argv, const char *about, bool is_check);

#endif
