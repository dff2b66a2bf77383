/* carillon/suggest.h -- near names for a course that does not exist, found by a search.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_SUGGEST_H
#define CARILLON_CARILLON_SUGGEST_H

#include "carillon/cli.h"

/* The node has no course @name: print up to five that a search for its code finds. */
void suggest_course_name(struct cli *cli, const Carillon__SectionName *name);

/* The same for the course of @op, if that is the one the node does not have. */
void suggest_courses(struct cli *cli, const Carillon__Op *op);

#endif
