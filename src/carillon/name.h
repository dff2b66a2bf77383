/* carillon/name.h -- section names as people write them: [institution:]CODE[#SECTION][@term].
 *
 * Layer: carillon
 *
 * Codes contain spaces, dots, slashes and dashes, but none of the three separators; a section
 * id may contain # and a term may not contain @. What stands before the first colon is the
 * institution, what follows the last @ the term.
 */
#ifndef CARILLON_CARILLON_NAME_H
#define CARILLON_CARILLON_NAME_H

#include "base/arena.h"
#include "base/slice.h"
#include "proto/registration.pb-c.h"

/* Take @text apart into @ret_name, whose texts live in @arena; parts that are not given are
 * empty. Returns: NULL, or what is wrong (static text, nothing stored). */
const char *name_parse(struct arena *arena, struct slice text, Carillon__SectionName *ret_name);

/* The name as it is written, in @arena; empty parts are left out. @name may be NULL. */
char *name_format(struct arena *arena, const Carillon__SectionName *name);

#endif
