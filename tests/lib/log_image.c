#include "tests/lib/log_image.h"

#include "base/assert.h"

void log_image_init(struct log_image *image, uint64_t serial, uint64_t bytes)
{
    memset(image, 0, sizeof *image);
    ASSERT(bytes <= LOG_IMAGE_BYTES);
    image->first_serial = serial;
    image->count = 1;
    image->sizes[0] = bytes;
    image->identity = LOG_IMAGE_IDENTITY;
    image->step = 7;
}

void log_image_rotate(struct log_image *image, uint64_t bytes)
{
    ASSERT(image->count < LOG_IMAGE_SEGMENTS && bytes <= LOG_IMAGE_BYTES);
    image->sizes[image->count] = bytes;
    image->count++;
}

void log_image_skip_batches(struct log_image *image, uint64_t count)
{
    image->batch += count;
}

static void note(struct log_image *image, uint64_t begin, uint64_t end, uint64_t index)
{
    ASSERT(image->record_count < LOG_IMAGE_RECORDS);
    image->records[image->record_count++] =
        (struct log_image_record){image->count - 1, begin, end, image->batch, index};
}

/* Write one record at @at and seal it. Returns: its end. */
static uint64_t put(struct log_image *image, uint64_t at, const struct log_record *record,
                    struct log_seal *seal)
{
    uint32_t segment = image->count - 1;
    uint64_t end = at + log_record_bytes(record->payload.len);

    ASSERT(end <= image->sizes[segment]);
    log_record_encode(record, image->bytes[segment] + at);
    size_t whole = log_record_seal(image->bytes[segment] + at, seal);
    ASSERT(at + whole == end);
    note(image, at, end, record->index);
    return end;
}

void log_image_batch(struct log_image *image, uint32_t count, uint32_t payload_bytes)
{
    uint8_t payload[200];
    uint8_t header[LOG_BATCH_PAYLOAD_BYTES];
    uint64_t serial = image->first_serial + image->count - 1;
    uint64_t begin =
        image->end.serial == serial ? log_align(image->end.end, LOG_SECTOR_BYTES) : 0;
    struct log_batch batch = {image->end.batch, image->end.serial, image->end.end,
                              LOG_BATCH_HEADER_BYTES, count + 1};

    image->batch++;
    for (uint32_t i = 0; i < count; i++) {
        batch.bytes += (uint32_t)log_record_bytes((payload_bytes + image->step * i) % 200);
    }
    log_batch_encode(&batch, header);
    struct log_seal seal = {serial, image->batch, image->identity, image->chain};
    struct log_record record = {
        .type = LOG_BATCH, .payload = {header, sizeof header}
    };
    uint64_t at = put(image, begin, &record, &seal);
    for (uint32_t i = 0; i < count; i++) {
        image->index++;
        memset(payload, (int)(image->index & 0xff), sizeof payload);
        record = (struct log_record){
            .type = LOG_ENTRY,
            .group = (uint32_t)image->index % 3,
            .index = image->index,
            .term = 1,
            .payload = {payload, (payload_bytes + image->step * i) % 200},
        };
        at = put(image, at, &record, &seal);
    }
    ASSERT(at == begin + batch.bytes);
    image->chain = seal.chain;
    image->last_begin = begin;
    image->end = (struct log_place){image->batch, serial, at};
}

static int load(void *context, uint32_t i, uint64_t offset, uint64_t bytes,
                struct slice *ret_bytes)
{
    const struct log_image *image = context;
    struct slice whole = slice_from(image->bytes[i], image->sizes[i]);

    *ret_bytes = slice_sub(whole, offset, bytes);
    return OK;
}

static int replayed(void *context, const struct log_record *record)
{
    struct log_image *image = context;

    image->seen++;
    if (record->type != LOG_ENTRY || record->index != image->seen) {
        image->is_in_order = false;
    }
    /* All bytes are the index's lowest: the first is, and each equals the one before. */
    const uint8_t *payload = record->payload.data;
    size_t len = record->payload.len;
    if (len > 0 &&
        (payload[0] != (uint8_t)record->index || memcmp(payload, payload + 1, len - 1) != 0)) {
        image->is_in_order = false;
    }
    return OK;
}

int log_image_scan(struct log_image *image, const struct log_place *marker,
                   struct log_scan *ret_scan)
{
    struct log_scan_input input = {
        .context = image,
        .first_serial = image->first_serial,
        .count = image->count,
        .load = load,
    };

    image->seen = 0;
    image->is_in_order = true;
    log_scan_init(ret_scan, image->identity);
    if (marker != NULL) {
        ret_scan->marker = *marker;
    }
    ret_scan->replayed = replayed;
    ret_scan->context = image;
    return log_scan_run(ret_scan, &input);
}

void log_image_trim(struct log_image *image, uint64_t bytes)
{
    for (uint32_t i = 0; i < image->count; i++) {
        uint64_t used = 0;
        for (uint32_t r = 0; r < image->record_count; r++) {
            if (image->records[r].segment == i) {
                used = image->records[r].end;
            }
        }
        image->sizes[i] = log_align(used, LOG_SECTOR_BYTES) + bytes;
    }
}

const struct log_image_record *log_image_find(const struct log_image *image, uint32_t segment,
                                              uint64_t offset)
{
    for (uint32_t i = 0; i < image->record_count; i++) {
        const struct log_image_record *record = &image->records[i];
        if (record->segment == segment && record->begin <= offset && offset < record->end) {
            return record;
        }
    }
    return NULL;
}
