/* log/log_private.h -- what the files of src/log share about one open log.
 *
 * Layer: log (base, io)
 */
#ifndef CARILLON_LOG_LOG_PRIVATE_H
#define CARILLON_LOG_LOG_PRIVATE_H

#include "log/log.h"
#include "log/scan.h"

enum { LOG_PAGE_BYTES = 4096, LOG_FILL_BYTES = 1 << 20 };

/* The path of the segment @serial, or of another file in the log's folder. */
void log__segment_path(const struct log *log, uint64_t serial, char out[LOG_PATH_BYTES]);
void log__file_path(const struct log *log, const char *name, char out[LOG_PATH_BYTES]);

/* Segments that wait, ready, behind the current one. */
static inline uint32_t log__ready(const struct log *log)
{
    return log->segment_count - log->current - 1;
}

/* Append a segment to the table; its file, when open, is the table's from now on. */
struct log_segment *log__segment_add(struct log *log, uint64_t serial, uint64_t filled,
                                     struct io_file *file);

/* Take the oldest segment out of the table. */
void log__segment_drop(struct log *log);

/* Note a durable record that stands at @offset of @segment: what it keeps there, and where an
 * entry is found again. */
void log__note(struct log *log, struct log_segment *segment, const struct log_record *record,
               uint64_t offset);

/* read.c: the entries of @group from @index on are void; reads under way do not return them. */
void log__void_reads(struct log *log, uint32_t group, uint64_t index);

/* recover.c: find the segments, scan them, seal the end; or make the first one. */
int log__recover(struct log *log) CHECKED;

/* Make an empty segment @serial under its name. For opening, when the bulk lane cannot be
 * waited for. */
int log__segment_make(struct log *log, uint64_t serial) CHECKED;

/* write.c: gather from now on in @buffer, which begins with the place of the batch's header. */
void log__filling_begin(struct log *log, struct buf *buffer);

/* Give what was gathered to the writer thread, if it is free and there is a place. */
void log__hand_over(struct log *log);

/* Try a held batch again. */
void log__write_again(struct log *log);

/* keep.c: begin the next thing that the bulk lane should do, if it is free. */
void log__keep(struct log *log);

/* Whether no live record needs the oldest segment. Hard states that do are copied forward. */
bool log__oldest_is_covered(struct log *log);

/* log.c: the disk failed at @operation on the file @name: end everything. */
void log__fail(struct log *log, const char *operation, const char *name, int status);

/* There is no room for another segment. */
void log__starve(struct log *log);

/* Go on with closing, when it was asked for and nothing is under way. */
void log__close_step(struct log *log);

#endif
