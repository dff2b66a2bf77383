/* tests/lib/witness_record.h -- writes down what clients ask and are told, as a history for the
 * witness.
 *
 * Layer: tests (base, wire)     Spec: docs/spec/history.md
 *
 * The catalogue comes first, by the caller's own lines. The moment of an event is that of the
 * call here: a request is written before it is sent, an answer after it was received. One
 * thread.
 */
#ifndef CARILLON_TESTS_LIB_WITNESS_RECORD_H
#define CARILLON_TESTS_LIB_WITNESS_RECORD_H

#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/slice.h"

enum { WITNESS_KEY_BYTES = 16 };

struct witness_record {
    char *text; /* what is written; terminated, valid after witness_record_flush() */
    size_t len;
    FILE *file;
    uint64_t calls;
    struct arena scratch;
};

void witness_record_init(struct witness_record *record);
void witness_record_fini(struct witness_record *record);
void witness_record_flush(struct witness_record *record);

/* A line of the catalogue. */
void witness_record_line(struct witness_record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A request is about to be sent. @key: WITNESS_KEY_BYTES, or NULL for a read. Names of sections
 * that leave out the section mean section 1.
 * Returns: its number, or 0 when requests of this method are not part of a history. */
uint64_t witness_record_call(struct witness_record *record, uint32_t method, const uint8_t *key,
                             const ProtobufCMessage *request);

/* What was answered to it. @call 0 is ignored. */
void witness_record_done(struct witness_record *record, uint64_t call, uint32_t method,
                         int status, struct slice body);

/* Check what was written so far. A history that is not good is kept in @folder (NULL: nowhere)
 * as NAME.history. Returns: whether it is good; else @text says what is not. */
bool witness_record_check(struct witness_record *record, const char *folder, const char *name,
                          char *text, size_t size);

/* Write it to @folder (NULL: nowhere) as NAME.history. */
void witness_record_keep(const struct witness_record *record, const char *folder,
                         const char *name);

#endif
