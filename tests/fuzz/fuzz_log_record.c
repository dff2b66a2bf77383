/* Whatever bytes stand in two segments: the scan ends, keeps to its bounds, and keeps a prefix
 * that it would find again. The first byte says how much of the input is repaired first, so
 * that inputs get past the checksums. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "log/bytes.h"
#include "log/scan.h"

enum {
    SERIAL = 1,
    IDENTITY = 7,
    REPAIR_SUMS = 1,
    REPAIR_OWNER = 2,
    REPAIR_MARKERS = 4,
    TWO_SEGMENTS = 8
};

struct input {
    uint8_t *bytes[2];
    size_t sizes[2];
    uint64_t entries;
    uint64_t hash;
};

static int load(void *context, uint32_t i, uint64_t offset, uint64_t bytes,
                struct slice *ret_bytes)
{
    const struct input *input = context;

    *ret_bytes = slice_sub(slice_from(input->bytes[i], input->sizes[i]), offset, bytes);
    return OK;
}

static int replayed(void *context, const struct log_record *record)
{
    struct input *input = context;

    ASSERT(record->type > LOG_BATCH && record->type < LOG_TYPE_NR);
    ASSERT(record->identity == IDENTITY);
    input->entries++;
    input->hash = crc32c((uint32_t)input->hash, record->payload.data, record->payload.len);
    return OK;
}

static int scan(struct input *input, uint32_t count, struct log_scan *ret_scan)
{
    struct log_scan_input segments = {
        .context = input, .first_serial = SERIAL, .count = count, .load = load};

    input->entries = 0;
    input->hash = 0;
    log_scan_init(ret_scan, IDENTITY);
    ret_scan->replayed = replayed;
    ret_scan->context = input;
    return log_scan_run(ret_scan, &segments);
}

/* Make what looks like records into valid ones, as far as @how says. */
static void repair(uint8_t *bytes, size_t size, uint64_t serial, uint8_t how,
                   struct log_place *last, uint32_t *chain)
{
    for (size_t at = 0; at + LOG_HEADER_BYTES <= size;) {
        if (bytes_get_u32(bytes + at) != LOG_MAGIC) {
            at += LOG_RECORD_ALIGN;
            continue;
        }
        struct log_seal seal = {serial, bytes_get_u64(bytes + at + 48), IDENTITY, *chain};
        size_t room = size - at - LOG_HEADER_BYTES;
        bytes_put_u32(bytes + at + 8,
                      (uint32_t)(bytes_get_u32(bytes + at + 8) % (room / 8 * 8 + 1)));
        bool is_batch =
            bytes_get_u32(bytes + at + 20) == LOG_BATCH && room >= LOG_BATCH_PAYLOAD_BYTES;
        if (is_batch && (how & REPAIR_MARKERS) != 0) {
            bytes_put_u64(bytes + at + 64, last->batch);
            bytes_put_u64(bytes + at + 72, last->serial);
            bytes_put_u64(bytes + at + 80, last->end);
        }
        if ((how & REPAIR_OWNER) == 0) {
            seal.serial = bytes_get_u64(bytes + at + 40);
            seal.identity = bytes_get_u64(bytes + at + 56);
        }
        if ((how & REPAIR_SUMS) != 0) {
            at += log_record_seal(bytes + at, &seal);
            *chain = seal.chain;
            *last = (struct log_place){seal.batch, seal.serial, at};
        } else {
            at += log_record_size(bytes + at);
        }
    }
}

/* What was kept stands alone as well: a node that starts again on it keeps the same. */
static void check_prefix(struct input *input, uint32_t count, const struct log_scan *first)
{
    uint64_t entries = input->entries;
    uint64_t hash = input->hash;
    struct log_scan again;

    for (uint32_t i = 0; i < count; i++) {
        size_t keep = i < first->segment ? input->sizes[i] : 0;
        if (i == first->segment) {
            keep = (size_t)first->last.end;
        }
        memset(input->bytes[i] + keep, 0, input->sizes[i] - keep);
    }
    int status = scan(input, count, &again);
    ASSERT(status == OK);
    ASSERT(input->entries == entries && input->hash == hash);
    ASSERT(again.last.end == first->last.end && again.last.batch == first->last.batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {0};
    struct log_scan result;
    struct log_place last = {0, 0, 0};
    uint32_t chain = 0;

    if (size < 1 || size > 1 << 16) {
        return 0;
    }
    uint32_t count = (data[0] & TWO_SEGMENTS) != 0 ? 2 : 1;
    size_t half = (size - 1) / count;
    for (uint32_t i = 0; i < count; i++) {
        input.bytes[i] = malloc(half + 1);
        ASSERT(input.bytes[i] != NULL);
        memcpy(input.bytes[i], data + 1 + i * half, half);
        input.sizes[i] = half;
        repair(input.bytes[i], half, SERIAL + i, data[0], &last, &chain);
    }
    int status = scan(&input, count, &result);
    ASSERT(status == OK || status == ERR_DAMAGED || status == ERR_VERSION);
    ASSERT((status == OK) == (result.reason == LOG_SCAN_END));
    ASSERT(result.segment < count && result.stop_segment < count);
    ASSERT(result.last.end <= input.sizes[result.segment]);
    if (status == OK) {
        check_prefix(&input, count, &result);
    }
    free(input.bytes[0]);
    free(input.bytes[1]);
    return 0;
}
