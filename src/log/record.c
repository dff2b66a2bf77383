#include "log/record.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "log/bytes.h"

enum {
    AT_MAGIC = 0,
    AT_CRC = 4,
    AT_LENGTH = 8,
    AT_CHAIN = 12,
    AT_GROUP = 16,
    AT_TYPE = 20,
    AT_INDEX = 24,
    AT_TERM = 32,
    AT_SERIAL = 40,
    AT_BATCH = 48,
    AT_IDENTITY = 56,
};

void log_record_encode(const struct log_record *record, uint8_t *out)
{
    size_t len = record->payload.len;
    size_t whole = log_record_bytes(len);

    ASSERT(len <= UINT32_MAX);
    bytes_put_u32(out + AT_MAGIC, LOG_MAGIC);
    bytes_put_u32(out + AT_CRC, 0);
    bytes_put_u32(out + AT_LENGTH, (uint32_t)len);
    bytes_put_u32(out + AT_CHAIN, 0);
    bytes_put_u32(out + AT_GROUP, record->group);
    bytes_put_u32(out + AT_TYPE, (uint32_t)record->type);
    bytes_put_u64(out + AT_INDEX, record->index);
    bytes_put_u64(out + AT_TERM, record->term);
    memset(out + AT_SERIAL, 0, LOG_HEADER_BYTES - AT_SERIAL);
    if (len > 0) {
        memcpy(out + LOG_HEADER_BYTES, record->payload.data, len);
    }
    memset(out + LOG_HEADER_BYTES + len, 0, whole - LOG_HEADER_BYTES - len);
}

size_t log_record_size(const uint8_t *at)
{
    return log_record_bytes(bytes_get_u32(at + AT_LENGTH));
}

size_t log_record_seal(uint8_t *out, struct log_seal *seal)
{
    size_t whole = log_record_size(out);

    bytes_put_u32(out + AT_CHAIN, seal->chain);
    bytes_put_u64(out + AT_SERIAL, seal->serial);
    bytes_put_u64(out + AT_BATCH, seal->batch);
    bytes_put_u64(out + AT_IDENTITY, seal->identity);
    seal->chain = crc32c(0, out + AT_LENGTH, whole - AT_LENGTH);
    bytes_put_u32(out + AT_CRC, seal->chain);
    return whole;
}

void log_record_parse(const uint8_t *at, struct log_record *ret_record)
{
    ret_record->group = bytes_get_u32(at + AT_GROUP);
    ret_record->type = (enum log_type)bytes_get_u32(at + AT_TYPE);
    ret_record->index = bytes_get_u64(at + AT_INDEX);
    ret_record->term = bytes_get_u64(at + AT_TERM);
    ret_record->payload = slice_from(at + LOG_HEADER_BYTES, bytes_get_u32(at + AT_LENGTH));
    ret_record->serial = bytes_get_u64(at + AT_SERIAL);
    ret_record->batch = bytes_get_u64(at + AT_BATCH);
    ret_record->identity = bytes_get_u64(at + AT_IDENTITY);
    ret_record->chain = bytes_get_u32(at + AT_CHAIN);
    ret_record->crc = bytes_get_u32(at + AT_CRC);
}

int log_record_decode(struct slice bytes, struct log_record *ret_record)
{
    if (bytes.len < LOG_HEADER_BYTES) {
        return ERR_MALFORMED;
    }
    uint32_t magic = bytes_get_u32(bytes.data + AT_MAGIC);
    if (magic != LOG_MAGIC) {
        bool is_family = (magic & 0x00ffffffU) == LOG_MAGIC_FAMILY;
        return is_family ? ERR_VERSION : ERR_MALFORMED;
    }
    uint32_t len = bytes_get_u32(bytes.data + AT_LENGTH);
    if (len > bytes.len - LOG_HEADER_BYTES) {
        return ERR_MALFORMED;
    }
    size_t whole = log_record_bytes(len);
    if (whole > bytes.len) {
        return ERR_MALFORMED;
    }
    uint32_t crc = crc32c(0, bytes.data + AT_LENGTH, whole - AT_LENGTH);
    if (bytes_get_u32(bytes.data + AT_CRC) != crc) {
        return ERR_MALFORMED;
    }
    uint32_t type = bytes_get_u32(bytes.data + AT_TYPE);
    if (type < LOG_BATCH || type >= LOG_TYPE_NR) {
        return ERR_VERSION;
    }
    log_record_parse(bytes.data, ret_record);
    ret_record->crc = crc;
    return OK;
}

void log_batch_encode(const struct log_batch *batch, uint8_t out[LOG_BATCH_PAYLOAD_BYTES])
{
    bytes_put_u64(out, batch->durable_batch);
    bytes_put_u64(out + 8, batch->durable_serial);
    bytes_put_u64(out + 16, batch->durable_end);
    bytes_put_u32(out + 24, batch->bytes);
    bytes_put_u32(out + 28, batch->records);
}

int log_batch_decode(struct slice payload, struct log_batch *ret_batch)
{
    if (payload.len != LOG_BATCH_PAYLOAD_BYTES) {
        return ERR_MALFORMED;
    }
    uint32_t bytes = bytes_get_u32(payload.data + 24);
    if (bytes < LOG_BATCH_HEADER_BYTES || bytes % LOG_RECORD_ALIGN != 0) {
        return ERR_MALFORMED;
    }
    ret_batch->durable_batch = bytes_get_u64(payload.data);
    ret_batch->durable_serial = bytes_get_u64(payload.data + 8);
    ret_batch->durable_end = bytes_get_u64(payload.data + 16);
    ret_batch->bytes = bytes;
    ret_batch->records = bytes_get_u32(payload.data + 28);
    return OK;
}
