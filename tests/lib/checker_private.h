/* tests/lib/checker_private.h -- what the files of the checker share. */
#ifndef CARILLON_TESTS_CHECKER_PRIVATE_H
#define CARILLON_TESTS_CHECKER_PRIVATE_H

#include <protobuf-c/protobuf-c.h>

#include "base/assert.h"
#include "base/buf.h"

void checker__say(struct buf *why, const char *text);

/* Append the packed message in words. */
void checker__words(const ProtobufCMessageDescriptor *type, struct slice reply,
                    struct buf *out);

/* Compare a packed reply with the message it should be. */
bool checker__compare(const ProtobufCMessage *expected, struct slice reply, struct buf *why);

#endif
