/* carillon/registrar.h -- shared by the registrar's verbs: windows, and how a change is
 * confirmed.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_REGISTRAR_H
#define CARILLON_CARILLON_REGISTRAR_H

#include "carillon/cli.h"

/* Print "TEXT  receipt ..." for a change that was accepted. */
void registrar_confirm(struct cli *cli, const char *text, const Carillon__Receipt *receipt);

/* Parse a number for option @name. Errors: ERR_ARGUMENT, said on stderr. */
int registrar_number(struct cli *cli, const char *name, const char *text, uint64_t max,
                     uint64_t *ret_number) CHECKED;

/* Run `open` (or `close`). */
int registrar_window(struct cli *cli, int argc, char **argv, bool is_close);

#endif
