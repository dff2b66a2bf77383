/* campus/snapshot.h -- the state written down as it was at one moment, while it goes on
 * changing.
 *
 * Layer: campus (base, wire)
 *
 * Every object has the epoch of the last snapshot that has it. Objects are written in the order
 * of their ordinals; one that is about to change before its turn is written first, to the side,
 * and not again. Objects that are newer than the snapshot are born with its epoch. Names, which
 * never change, need no such care.
 *
 * The stream is a sequence of records: kind, length, bytes. Records refer to each other by
 * ordinal and may come in any order after the names; campus_restore_end ties them together.
 */
#ifndef CARILLON_CAMPUS_SNAPSHOT_H
#define CARILLON_CAMPUS_SNAPSHOT_H

#include "base/buf.h"
#include "campus/campus.h"

enum campus_record {
    CAMPUS_RECORD_COUNTS = 1, /* how many objects of each kind follow, first of all */
    CAMPUS_RECORD_WORD,
    CAMPUS_RECORD_CODE,
    CAMPUS_RECORD_CATALOGUE,
    CAMPUS_RECORD_COURSE,
    CAMPUS_RECORD_SECTION,
    CAMPUS_RECORD_DOCUMENT,
    CAMPUS_RECORD_STUDENT,
    CAMPUS_RECORD_IMPORT,
    CAMPUS_RECORD_STAGED,
    CAMPUS_RECORD_REMOVED,
    CAMPUS_RECORD_NR, /* kinds from here on are enrol's */
};

/* Errors: ERR_BUSY one is running. */
int campus_snapshot_begin(struct campus *campus) CHECKED;
/* Append about @bytes of records to @out (an object is never cut, so it may be more).
 * Returns: SM_PENDING (base/sm.h), or OK when everything is written and the snapshot has ended.
 */
int campus_snapshot_step(struct campus *campus, size_t bytes, struct buf *out) CHECKED;
void campus_snapshot_abort(struct campus *campus);

/* Take in one record. Errors: ERR_DAMAGED. */
int campus_restore_record(struct campus *campus, uint64_t kind, struct slice bytes) CHECKED;
/* Tie everything together and check that it is whole. Errors: ERR_DAMAGED. */
int campus_restore_end(struct campus *campus) CHECKED;

/* Add the hashes of the images of objects from @*cursor on, which begins with 0 and counts over
 * all kinds, until they are about @bytes long (each counts 64 more); the sum over all is the
 * state's hash. Returns: false at the end. */
bool campus_hash_step(const struct campus *campus, uint64_t *cursor, uint64_t bytes,
                      uint64_t *hash);

/* Append kind, length and bytes. The stream's buffer is large; running out of it is a
 * programmer's error. */
void campus_record_append(struct buf *out, uint64_t kind, struct slice bytes);

/* ---- announcing a change */

void campus__save_course(struct campus *campus, uint32_t course);
void campus__save_section(struct campus *campus, uint32_t section);
void campus__save_document(struct campus *campus, uint32_t document);
void campus__save_student(struct campus *campus, uint32_t student);
struct campus_import;
void campus__save_import(struct campus *campus, struct campus_import *import);

static inline void campus_touch_course(struct campus *campus, uint32_t course)
{
    if (campus->snapshot != NULL && campus_course(campus, course)->epoch != campus->epoch) {
        campus__save_course(campus, course);
    }
}

static inline void campus_touch_section(struct campus *campus, uint32_t section)
{
    if (campus->snapshot != NULL && campus_section(campus, section)->epoch != campus->epoch) {
        campus__save_section(campus, section);
    }
}

static inline void campus_touch_document(struct campus *campus, uint32_t document)
{
    if (campus->snapshot != NULL && campus_document(campus, document)->epoch != campus->epoch) {
        campus__save_document(campus, document);
    }
}

/* Raises the student's version too. */
static inline void campus_touch_student(struct campus *campus, uint32_t student)
{
    if (campus->snapshot != NULL && campus_student(campus, student)->epoch != campus->epoch) {
        campus__save_student(campus, student);
    }
    campus_student(campus, student)->version++;
}

#endif
