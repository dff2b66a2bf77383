/* campus/text.h -- which texts are accepted: UTF-8, bounded, names without control characters.
 *
 * Layer: campus (base)
 */
#ifndef CARILLON_CAMPUS_TEXT_H
#define CARILLON_CAMPUS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* UTF-8 of at most @bytes_max bytes; may be empty. */
bool text_is_plain(const char *text, size_t bytes_max);

/* The same, not empty, and without control characters: something to call a thing by. */
bool text_is_name(const char *text, size_t bytes_max);

/* @text when it is a name, else a question mark: for saying what may be anything. */
const char *text_or_mark(const char *text, size_t bytes_max);

#endif
