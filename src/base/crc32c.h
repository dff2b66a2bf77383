/* base/crc32c.h -- CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of log records.
 *
 * Layer: base
 */
#ifndef CARILLON_BASE_CRC32C_H
#define CARILLON_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of @len bytes continued from @crc (0 to begin). Uses the processor's instruction
 * where there is one; crc32c_portable gives the same by table and is there to be compared with.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
