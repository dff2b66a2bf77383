#include "log/scan.h"

#include "base/assert.h"
#include "log/bytes.h"

/* How much of a later segment is searched: a whole first batch and the header after it. */
enum { AHEAD_BYTES = LOG_BATCH_BYTES_MAX + (64 << 10) };

void log_scan_init(struct log_scan *scan, uint64_t identity)
{
    memset(scan, 0, sizeof *scan);
    scan->identity = identity;
}

const char *log_scan_text(enum log_scan_reason reason)
{
    static const char *const texts[] = {
        [LOG_SCAN_END] = "the log ends here",
        [LOG_SCAN_LATER_BATCH] = "the record here is bad, yet a later batch follows",
        [LOG_SCAN_BELOW_MARKER] = "the record here is bad or missing, yet it was durable",
        [LOG_SCAN_FOREIGN] = "the record here was written by another node",
        [LOG_SCAN_VERSION] = "the record here has another format version",
    };
    return texts[reason];
}

/* Whether @record was written by this node in this life of the segment. */
static bool is_ours(const struct log_scan *scan, const struct log_record *record,
                    uint64_t serial)
{
    return record->serial == serial && record->identity == scan->identity;
}

/* The batch header that may follow what was accepted so far (spec section 4). */
static bool header_follows(const struct log_scan *scan, struct slice bytes, uint64_t offset,
                           uint64_t serial, struct log_record *ret_record,
                           struct log_batch *ret_batch)
{
    struct log_record record;
    struct log_batch batch;

    if (offset >= bytes.len ||
        log_record_decode(slice_sub(bytes, offset, SIZE_MAX), &record) != OK ||
        record.type != LOG_BATCH || !is_ours(scan, &record, serial) ||
        log_batch_decode(record.payload, &batch) != OK || batch.bytes > LOG_BATCH_BYTES_MAX) {
        return false;
    }
    if (scan->last.batch != 0 &&
        (record.batch <= scan->last.batch || record.chain != scan->chain ||
         batch.durable_batch != scan->last.batch || batch.durable_serial != scan->last.serial ||
         batch.durable_end != scan->last.end)) {
        return false;
    }
    if (record.batch == 0) {
        return false;
    }
    *ret_record = record;
    *ret_batch = batch;
    return true;
}

static void take(struct log_scan *scan, const struct log_record *record, uint64_t end)
{
    scan->last = (struct log_place){record->batch, record->serial, end};
    scan->chain = record->crc;
    scan->records++;
    if (record->batch > scan->batch_seen) {
        scan->batch_seen = record->batch;
    }
}

/* Accept the records of the batch whose header was just accepted. Leaves is_inside set when one
 * is missing. */
static int walk_batch(struct log_scan *scan, struct slice bytes)
{
    struct log_record record;

    while (scan->last.end < scan->batch_end) {
        uint64_t at = scan->last.end;
        struct slice rest = slice_sub(bytes, at, scan->batch_end - at);
        if (log_record_decode(rest, &record) != OK || record.type == LOG_BATCH ||
            !is_ours(scan, &record, scan->last.serial) || record.batch != scan->last.batch ||
            record.chain != scan->chain) {
            scan->is_inside = true;
            return OK;
        }
        take(scan, &record, at + log_record_bytes(record.payload.len));
        int status = scan->replayed == NULL ? OK : scan->replayed(scan->context, &record);
        if (status != OK) {
            return status;
        }
    }
    scan->is_inside = false;
    return OK;
}

/* Accept batches from @offset on, until none follows. */
static int walk_segment(struct log_scan *scan, struct slice bytes, uint64_t serial,
                        uint64_t offset)
{
    struct log_record record;
    struct log_batch batch;

    while (header_follows(scan, bytes, offset, serial, &record, &batch)) {
        take(scan, &record, offset + LOG_BATCH_HEADER_BYTES);
        scan->last_begin = offset;
        scan->batch_end = offset + batch.bytes;
        int status = walk_batch(scan, bytes);
        if (status != OK) {
            return status;
        }
        offset = log_align(scan->last.end, LOG_SECTOR_BYTES);
    }
    return OK;
}

/* Search @bytes from @offset on for valid records of the segment's life. Returns: whether one
 * of a batch above
 * @torn is there. */
static bool search(struct log_scan *scan, struct slice bytes, uint64_t serial, uint64_t offset,
                   uint64_t torn)
{
    struct log_record record;
    bool is_found = false;

    for (uint64_t at = log_align(offset, LOG_RECORD_ALIGN); at + LOG_HEADER_BYTES <= bytes.len;
         at += LOG_RECORD_ALIGN) {
        if (bytes_get_u32(bytes.data + at) != LOG_MAGIC ||
            log_record_decode(slice_sub(bytes, at, SIZE_MAX), &record) != OK ||
            !is_ours(scan, &record, serial)) {
            continue;
        }
        if (record.batch > scan->batch_seen) {
            scan->batch_seen = record.batch;
        }
        is_found = is_found || record.batch > torn;
    }
    return is_found;
}

/* The record at the stop is none of ours, yet intact or of our family: say so rather than call
 * it a torn tail. */
static enum log_scan_reason stranger(const struct log_scan *scan, struct slice bytes,
                                     uint64_t serial)
{
    struct log_record record;
    int status = log_record_decode(slice_sub(bytes, scan->stop, SIZE_MAX), &record);

    if (status == ERR_VERSION && scan->last.batch == 0) {
        return LOG_SCAN_VERSION;
    }
    bool is_foreign = status == OK && record.serial == serial &&
                      record.identity != scan->identity && record.batch > scan->last.batch;
    return is_foreign ? LOG_SCAN_FOREIGN : LOG_SCAN_END;
}

/* The walk has stopped: torn tail or damage? */
static int judge(struct log_scan *scan, const struct log_scan_input *input)
{
    uint64_t torn = scan->is_inside ? scan->last.batch : scan->last.batch + 1;
    uint64_t from = scan->last.batch == 0 ? 0 : scan->last.end;
    bool is_later = false;
    struct slice bytes;

    scan->stop = scan->is_inside ? from : log_align(from, LOG_SECTOR_BYTES);
    for (uint32_t i = scan->segment; i < input->count; i++) {
        int status = input->load(input->context, i,
                                 i == scan->segment ? UINT64_MAX : AHEAD_BYTES, &bytes);
        if (status != OK) {
            return status;
        }
        if (i == scan->segment) {
            scan->reason = stranger(scan, bytes, input->first_serial + i);
        }
        is_later = search(scan, bytes, input->first_serial + i, from, torn) || is_later;
        from = 0;
    }
    if (is_later) {
        scan->reason = LOG_SCAN_LATER_BATCH;
    } else if (scan->marker.batch > scan->last.batch ||
               (scan->marker.batch == scan->last.batch && scan->marker.end > scan->last.end)) {
        scan->reason = LOG_SCAN_BELOW_MARKER;
    }
    if (scan->reason == LOG_SCAN_END) {
        return OK;
    }
    return scan->reason == LOG_SCAN_VERSION ? ERR_VERSION : ERR_DAMAGED;
}

int log_scan_run(struct log_scan *scan, const struct log_scan_input *input)
{
    struct log_record record;
    struct log_batch batch;
    struct slice bytes;

    ASSERT(input->count > 0);
    for (uint32_t i = 0; i < input->count; i++) {
        uint64_t serial = input->first_serial + i;
        int status = input->load(input->context, i, LOG_BATCH_HEADER_BYTES, &bytes);
        if (status != OK) {
            return status;
        }
        if (!header_follows(scan, bytes, 0, serial, &record, &batch)) {
            break;
        }
        scan->segment = i;
        status = input->load(input->context, i, UINT64_MAX, &bytes);
        if (status == OK) {
            status = walk_segment(scan, bytes, serial, 0);
        }
        if (status != OK) {
            return status;
        }
    }
    return judge(scan, input);
}
