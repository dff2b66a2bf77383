/* tests/lib/log_image.h -- a log built in memory, record by record, with every place
 * remembered.
 *
 * Layer: tests
 *
 * It follows docs/spec/log.md and uses nothing of the writer, so that the scan is compared with
 * the page and not with the code that wrote the files.
 */
#ifndef CARILLON_TESTS_LIB_LOG_IMAGE_H
#define CARILLON_TESTS_LIB_LOG_IMAGE_H

#include "log/scan.h"

enum { LOG_IMAGE_SEGMENTS = 4, LOG_IMAGE_RECORDS = 4096, LOG_IMAGE_BYTES = 1 << 17 };

#define LOG_IMAGE_IDENTITY 0x1122334455667788ULL

struct log_image_record {
    uint32_t segment;
    uint64_t begin;
    uint64_t end;
    uint64_t batch;
    uint64_t index; /* 0: a batch header */
};

struct log_image {
    uint8_t bytes[LOG_IMAGE_SEGMENTS][LOG_IMAGE_BYTES];
    uint64_t sizes[LOG_IMAGE_SEGMENTS];
    uint32_t count; /* segments */
    uint64_t first_serial;
    struct log_image_record records[LOG_IMAGE_RECORDS];
    uint32_t record_count;
    struct log_place end;
    uint64_t last_begin; /* of the last batch */
    uint64_t batch;      /* its number */
    uint64_t index;      /* of the last entry */
    uint32_t chain;
    uint64_t identity;
    uint32_t step; /* bytes by which payloads grow within a batch, 7 to begin with */

    /* what a scan handed over */
    uint64_t seen;    /* entries */
    bool is_in_order; /* indexes 1, 2, ... */
};

/* One empty segment of @bytes zeros, first serial @serial. */
void log_image_init(struct log_image *image, uint64_t serial, uint64_t bytes);

/* Go on in a new segment of @bytes. */
void log_image_rotate(struct log_image *image, uint64_t bytes);

/* Append a batch of @count entries; entry i gets (@payload_bytes + step * i) % 200 bytes. */
void log_image_batch(struct log_image *image, uint32_t count, uint32_t payload_bytes);

/* Leave numbers out, as a seal after a torn batch does. */
void log_image_skip_batches(struct log_image *image, uint64_t count);

/* Let every segment end @bytes behind its last sector in use. */
void log_image_trim(struct log_image *image, uint64_t bytes);

/* Scan it. @marker may be NULL. Fills seen and is_in_order. */
int log_image_scan(struct log_image *image, const struct log_place *marker,
                   struct log_scan *ret_scan);

/* The record that contains the byte, or NULL: padding and free space. */
const struct log_image_record *log_image_find(const struct log_image *image, uint32_t segment,
                                              uint64_t offset);

#endif
