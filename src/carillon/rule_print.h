/* carillon/rule_print.h -- a prerequisite tree as indented lines, with ticks where they are
 * known.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_RULE_PRINT_H
#define CARILLON_CARILLON_RULE_PRINT_H

#include "carillon/cli.h"
#include "proto/search.pb-c.h"

/* Print the tree of @reply's course, a node a line, with a mark for each node that @reply has a
 * tick for. */
void rule_print(struct cli *cli, const Carillon__ShowReply *reply, size_t indent);

#endif
