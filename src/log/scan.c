#include "log/scan.h"

#include "base/assert.h"
#include "log/bytes.h"

enum {
    /* How much of a later segment is searched: a whole first batch and the header after it. */
    AHEAD_BYTES = LOG_BATCH_BYTES_MAX + (64 << 10),
    VIEW_BYTES = 1 << 20,
};

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

/* What stands at @offset of the segment at hand: @bytes of it, fewer only where the segment
 * ends. */
static int look(struct log_scan *scan, uint64_t offset, uint64_t bytes, struct slice *ret_bytes)
{
    uint64_t view_end = scan->view_offset + scan->view.len;

    if (offset < scan->view_offset || (offset + bytes > view_end && !scan->is_view_end)) {
        uint64_t want = bytes > VIEW_BYTES ? bytes : VIEW_BYTES;
        int status =
            scan->input->load(scan->input->context, scan->at, offset, want, &scan->view);
        if (status != OK) {
            return status;
        }
        scan->view_offset = offset;
        scan->is_view_end = scan->view.len < want;
    }
    *ret_bytes = slice_sub(scan->view, offset - scan->view_offset, SIZE_MAX);
    return OK;
}

/* Turn to the segment @i. */
static void turn_to(struct log_scan *scan, uint32_t i)
{
    scan->at = i;
    scan->view = SLICE_NONE;
    scan->view_offset = 0;
    scan->is_view_end = false;
}

/* Whether @record was written by this node in this life of the segment in view. */
static bool is_ours(const struct log_scan *scan, const struct log_record *record)
{
    return record->serial == scan->input->first_serial + scan->at &&
           record->identity == scan->identity;
}

/* Whether @bytes begin with the batch header that may follow what was taken so far (spec
 * section 4). */
static bool header_follows(const struct log_scan *scan, struct slice bytes,
                           struct log_record *ret_record, struct log_batch *ret_batch)
{
    struct log_record record;
    struct log_batch batch;

    if (log_record_decode(bytes, &record) != OK || record.type != LOG_BATCH ||
        !is_ours(scan, &record) || log_batch_decode(record.payload, &batch) != OK ||
        batch.bytes > LOG_BATCH_BYTES_MAX || record.batch <= scan->last.batch) {
        return false;
    }
    if (scan->last.batch != 0 &&
        (record.chain != scan->chain || batch.durable_batch != scan->last.batch ||
         batch.durable_serial != scan->last.serial || batch.durable_end != scan->last.end)) {
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

/* Take the records of a batch whose header was just taken; @bytes follow it, as many as the
 * batch has. Leaves is_inside set when one is missing. */
static int walk_batch(struct log_scan *scan, struct slice bytes)
{
    struct log_record record;

    scan->is_inside = true;
    for (size_t at = 0; at < bytes.len;) {
        if (log_record_decode(slice_sub(bytes, at, SIZE_MAX), &record) != OK ||
            record.type == LOG_BATCH || !is_ours(scan, &record) ||
            record.batch != scan->last.batch || record.chain != scan->chain) {
            return OK;
        }
        size_t whole = log_record_bytes(record.payload.len);
        at += whole;
        take(scan, &record, scan->last.end + whole);
        int status = scan->replayed == NULL ? OK : scan->replayed(scan->context, &record);
        if (status != OK) {
            return status;
        }
    }
    scan->is_inside = false;
    return OK;
}

/* Take batches of the segment at hand, as long as one follows. */
static int walk_segment(struct log_scan *scan)
{
    struct log_record record;
    struct log_batch batch;
    struct slice bytes;

    for (uint64_t offset = 0;; offset = log_align(scan->last.end, LOG_SECTOR_BYTES)) {
        int status = look(scan, offset, LOG_BATCH_HEADER_BYTES, &bytes);
        if (status != OK || !header_follows(scan, bytes, &record, &batch)) {
            return status;
        }
        scan->segment = scan->at;
        scan->last_begin = offset;
        take(scan, &record, offset + LOG_BATCH_HEADER_BYTES);
        status = look(scan, offset, batch.bytes, &bytes);
        if (status != OK) {
            return status;
        }
        bool is_short = bytes.len < batch.bytes;
        status = walk_batch(scan, slice_sub(bytes, LOG_BATCH_HEADER_BYTES,
                                            batch.bytes - LOG_BATCH_HEADER_BYTES));
        if (status != OK) {
            return status;
        }
        scan->is_inside = scan->is_inside || is_short;
    }
}

/* The marker in a later batch's header tells which segment the lost batch was in. */
static void note_later(struct log_scan *scan, const struct log_record *record)
{
    struct log_batch batch;

    if (record->type == LOG_BATCH && log_batch_decode(record->payload, &batch) == OK &&
        (scan->later_batch == 0 || record->batch < scan->later_batch)) {
        scan->later_batch = record->batch;
        scan->later_after = batch.durable_serial;
    }
}

/* Decode what stands at @offset: @ret_found is the answer of log_record_decode(). */
static int read_record(struct log_scan *scan, uint64_t offset, struct log_record *ret_record,
                       int *ret_found)
{
    struct slice bytes;

    int status = look(scan, offset, LOG_HEADER_BYTES, &bytes);
    if (status != OK) {
        return status;
    }
    bool is_whole = bytes.len >= LOG_HEADER_BYTES && bytes_get_u32(bytes.data) == LOG_MAGIC;
    if (is_whole && log_record_size(bytes.data) <= LOG_BATCH_BYTES_MAX) {
        status = look(scan, offset, log_record_size(bytes.data), &bytes);
    }
    if (status == OK) {
        *ret_found = log_record_decode(bytes, ret_record);
    }
    return status;
}

/* What looks like a record at @offset: is it a valid one of this life, and later than @torn? */
static int search_at(struct log_scan *scan, uint64_t offset, uint64_t torn, bool *ret_is_found)
{
    struct log_record record;
    int found;

    int status = read_record(scan, offset, &record, &found);
    if (status != OK || found != OK || !is_ours(scan, &record)) {
        return status;
    }
    if (record.batch > scan->batch_seen) {
        scan->batch_seen = record.batch;
    }
    if (record.batch > torn) {
        *ret_is_found = true;
        note_later(scan, &record);
    }
    return OK;
}

/* Search the segment at hand from @from to @until for valid records of its life: is one of a
 * batch above @torn there? */
static int search(struct log_scan *scan, uint64_t from, uint64_t until, uint64_t torn,
                  bool *ret_is_found)
{
    struct slice bytes;

    for (uint64_t offset = log_align(from, LOG_RECORD_ALIGN); offset < until;) {
        int status = look(scan, offset, LOG_RECORD_ALIGN, &bytes);
        if (status != OK || bytes.len < LOG_RECORD_ALIGN) {
            return status;
        }
        size_t at = 0;
        while (at + LOG_RECORD_ALIGN <= bytes.len &&
               bytes_get_u32(bytes.data + at) != LOG_MAGIC) {
            at += LOG_RECORD_ALIGN;
        }
        offset += at;
        if (at + LOG_RECORD_ALIGN <= bytes.len) {
            status = search_at(scan, offset, torn, ret_is_found);
            offset += LOG_RECORD_ALIGN;
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* A record where the next one is expected is none of ours, yet intact or of our family: say so
 * rather than call it a torn tail. */
static int find_stranger(struct log_scan *scan, uint32_t segment, uint64_t offset)
{
    enum log_scan_reason reason = LOG_SCAN_END;
    struct log_record record;
    int found;

    turn_to(scan, segment);
    int status = read_record(scan, offset, &record, &found);
    if (status != OK) {
        return status;
    }
    if (found == ERR_VERSION && scan->last.batch == 0) {
        reason = LOG_SCAN_VERSION;
    } else if (found == OK && record.identity != scan->identity &&
               record.serial == scan->input->first_serial + segment &&
               record.batch > scan->last.batch) {
        reason = LOG_SCAN_FOREIGN;
    }
    if (reason != LOG_SCAN_END) {
        scan->reason = reason;
        scan->stop_segment = segment;
        scan->stop = offset;
    }
    return OK;
}

/* Is there a valid record of a batch above @torn behind the last one? */
static int find_later(struct log_scan *scan, uint64_t torn, bool *ret_is_later)
{
    uint64_t from = scan->last.end;
    bool is_next = false;
    bool is_later = false;
    int status = OK;

    for (uint32_t i = scan->segment; i < scan->input->count && status == OK; i++) {
        turn_to(scan, i);
        bool is_first = i == scan->segment;
        status = search(scan, from, is_first ? UINT64_MAX : AHEAD_BYTES, torn, &is_later);
        is_next = is_next || (is_later && !is_first);
        if (is_first && is_later) {
            break;
        }
        from = 0;
    }
    /* The lost batch was the first of the next segment: that is where to look. */
    uint64_t serial = scan->input->first_serial + scan->segment;
    if (is_next && !scan->is_inside && scan->later_after == serial + 1) {
        scan->stop_segment = scan->segment + 1;
        scan->stop = 0;
    }
    *ret_is_later = is_later;
    return status;
}

static void judge_marker(struct log_scan *scan)
{
    const struct log_place *marker = &scan->marker;
    const struct log_place *last = &scan->last;

    if (marker->batch < last->batch ||
        (marker->batch == last->batch && marker->end <= last->end)) {
        return;
    }
    scan->reason = LOG_SCAN_BELOW_MARKER;
    if (!scan->is_inside && marker->serial == scan->input->first_serial + scan->segment + 1) {
        scan->stop_segment = scan->segment + 1;
        scan->stop = 0;
    }
}

/* The walk has stopped: torn tail or damage? */
static int judge(struct log_scan *scan)
{
    uint64_t torn = scan->is_inside ? scan->last.batch : scan->last.batch + 1;
    bool is_later = false;
    int status = OK;

    scan->stop_segment = scan->segment;
    scan->stop = scan->is_inside ? scan->last.end : log_align(scan->last.end, LOG_SECTOR_BYTES);
    if (scan->segment + 1 < scan->input->count) {
        status = find_stranger(scan, scan->segment + 1, 0);
    }
    if (status == OK) {
        status = find_stranger(scan, scan->segment, scan->stop);
    }
    if (status == OK) {
        status = find_later(scan, torn, &is_later);
    }
    if (status != OK) {
        return status;
    }
    if (is_later) {
        scan->reason = LOG_SCAN_LATER_BATCH;
    } else if (scan->reason == LOG_SCAN_END) {
        judge_marker(scan);
    }
    if (scan->reason == LOG_SCAN_END) {
        return OK;
    }
    return scan->reason == LOG_SCAN_VERSION ? ERR_VERSION : ERR_DAMAGED;
}

int log_scan_run(struct log_scan *scan, const struct log_scan_input *input)
{
    ASSERT(input->count > 0);
    scan->input = input;
    for (uint32_t i = 0; i < input->count; i++) {
        turn_to(scan, i);
        uint64_t before = scan->last.batch;
        int status = walk_segment(scan);
        if (status != OK) {
            return status;
        }
        if (scan->last.batch == before) {
            break; /* nothing follows here, so nothing can follow in a later one */
        }
    }
    return judge(scan);
}
