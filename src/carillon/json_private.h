/* carillon/json_private.h -- shared by printing and reading messages as JSON.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_JSON_PRIVATE_H
#define CARILLON_CARILLON_JSON_PRIVATE_H

#include "wire/method.h"
#include <stddef.h>

/* Bytes of one element of a repeated field of @type, as protobuf-c lays it out. */
size_t json__element_bytes(ProtobufCType type);

#endif
