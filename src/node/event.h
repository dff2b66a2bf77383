/* node/event.h -- the node's own log for operators: one event, one line.
 *
 * Layer: node (base)
 *
 * A line is `TIME LEVEL id key=value ...` on standard error. The id is stable and the values
 * are plain; students appear by opaque id only, secrets never. Only the edges of the node write
 * lines; a function logs or returns, never both.
 */
#ifndef CARILLON_NODE_EVENT_H
#define CARILLON_NODE_EVENT_H

/* EVENT_NONE is no event's: as the lowest level written it silences all. */
enum event_level { EVENT_INFO, EVENT_WARNING, EVENT_ERROR, EVENT_NONE };

/* Write one line; @format gives the key=value part. Control characters in it are shown as '?'.
 * At most 1 KiB; the rest is cut. */
void event_log(enum event_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Below this level nothing is written (default EVENT_INFO). */
void event_set_level(enum event_level level);

#endif
