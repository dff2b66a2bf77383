/* carillon/suggest.h -- near names for a course that does not exist, and full names for one
 * that several institutions have, both found by a search.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_SUGGEST_H
#define CARILLON_CARILLON_SUGGEST_H

#include "carillon/cli.h"

/* The node answered @error (ERR_UNKNOWN_COURSE or ERR_AMBIGUOUS; others do nothing) about
 * @name: print on cli->err up to five courses whose codes are nearest, or those that share the
 * code. */
void suggest_course_name(struct cli *cli, const Carillon__SectionName *name, int error);

/* The same for those of @ops that the node answers so about. */
void suggest_courses(struct cli *cli, const Carillon__Op *ops, size_t count, int error);

/* How many letters and digits must be changed, added or taken away to make one code of the
 * other; spaces, dashes, other marks and case count nothing. */
size_t suggest_distance(const char *a, const char *b);

#endif
