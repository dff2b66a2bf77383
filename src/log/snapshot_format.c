#include "log/snapshot_format.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "log/bytes.h"

/* All three begin with a magic and a crc of everything of them but these eight bytes. The
 * configuration behind a header has a crc of its own in it, so that the fixed part can be read
 * first, whatever the version. */
enum {
    AT_CRC = 4,
    AT_BODY = 8,
    AT_CONFIGURATION_INDEX = 40,
    AT_CONFIGURATION_BYTES = 48,
    AT_CONFIGURATION_CRC = 52,
};

static void seal(uint8_t *out, size_t len)
{
    bytes_put_u32(out + AT_CRC, crc32c(0, out + AT_BODY, len - AT_BODY));
}

static bool is_sealed(const uint8_t *in, size_t len, const char *magic)
{
    return memcmp(in, magic, 4) == 0 &&
           bytes_get_u32(in + AT_CRC) == crc32c(0, in + AT_BODY, len - AT_BODY);
}

size_t snapshot_header_encode(const struct log_snapshot_info *info,
                              uint8_t out[SNAPSHOT_HEADER_MAX])
{
    uint8_t *configuration = out + SNAPSHOT_HEADER_BYTES;
    size_t len = snapshot_configuration_bytes(info);

    ASSERT(info->configuration_bytes <= LOG_SNAPSHOT_CONFIGURATION_MAX);
    memset(out, 0, SNAPSHOT_HEADER_MAX);
    memcpy(configuration, info->configuration, info->configuration_bytes);
    memcpy(out, "CLRS", 4);
    bytes_put_u32(out + 8, LOG_SNAPSHOT_FORMAT);
    bytes_put_u32(out + 12, info->group);
    bytes_put_u64(out + 16, info->index);
    bytes_put_u64(out + 24, info->term);
    bytes_put_u64(out + 32, info->identity);
    bytes_put_u64(out + AT_CONFIGURATION_INDEX, info->configuration_index);
    bytes_put_u32(out + AT_CONFIGURATION_BYTES, info->configuration_bytes);
    bytes_put_u32(out + AT_CONFIGURATION_CRC, crc32c(0, configuration, len));
    seal(out, SNAPSHOT_HEADER_BYTES);
    return SNAPSHOT_HEADER_BYTES + len;
}

int snapshot_header_decode(const uint8_t in[SNAPSHOT_HEADER_BYTES],
                           struct log_snapshot_info *ret_info)
{
    struct log_snapshot_info info = {.group = 0};

    if (!is_sealed(in, SNAPSHOT_HEADER_BYTES, "CLRS")) {
        return ERR_DAMAGED;
    }
    info.version = bytes_get_u32(in + 8);
    if (info.version != LOG_SNAPSHOT_FORMAT && info.version != LOG_SNAPSHOT_FORMAT_NODE) {
        return ERR_VERSION;
    }
    info.group = bytes_get_u32(in + 12);
    info.index = bytes_get_u64(in + 16);
    info.term = bytes_get_u64(in + 24);
    info.identity = bytes_get_u64(in + 32);
    if (info.version != LOG_SNAPSHOT_FORMAT_NODE) {
        info.configuration_index = bytes_get_u64(in + AT_CONFIGURATION_INDEX);
        info.configuration_bytes = bytes_get_u32(in + AT_CONFIGURATION_BYTES);
    }
    if (info.configuration_bytes > LOG_SNAPSHOT_CONFIGURATION_MAX) {
        return ERR_DAMAGED;
    }
    *ret_info = info;
    return OK;
}

int snapshot_configuration_decode(const uint8_t *in, struct log_snapshot_info *info)
{
    const uint8_t *configuration = in + SNAPSHOT_HEADER_BYTES;
    size_t len = snapshot_configuration_bytes(info);

    if (len > 0 && bytes_get_u32(in + AT_CONFIGURATION_CRC) != crc32c(0, configuration, len)) {
        return ERR_DAMAGED;
    }
    memcpy(info->configuration, configuration, info->configuration_bytes);
    return OK;
}

static uint32_t chunk_crc(const uint8_t *header, const uint8_t *data, size_t len)
{
    uint32_t crc = crc32c(0, header + AT_BODY, SNAPSHOT_CHUNK_BYTES - AT_BODY);
    return crc32c(crc, data, len);
}

void snapshot_chunk_encode(const struct snapshot_chunk *chunk, const uint8_t *data,
                           uint8_t out[SNAPSHOT_CHUNK_BYTES])
{
    memcpy(out, "CLRK", 4);
    bytes_put_u32(out + 8, chunk->packed);
    bytes_put_u32(out + 12, chunk->raw);
    bytes_put_u64(out + 16, chunk->number);
    bytes_put_u32(out + AT_CRC, chunk_crc(out, data, chunk->packed));
}

bool snapshot_is_chunk(const uint8_t *in)
{
    return memcmp(in, "CLRK", 4) == 0;
}

int snapshot_chunk_decode(const uint8_t in[SNAPSHOT_CHUNK_BYTES],
                          struct snapshot_chunk *ret_chunk)
{
    uint32_t packed = bytes_get_u32(in + 8);
    uint32_t raw = bytes_get_u32(in + 12);

    if (!snapshot_is_chunk(in) || packed == 0 || packed > SNAPSHOT_PACKED_MAX || raw == 0 ||
        raw > LOG_SNAPSHOT_RAW_MAX) {
        return ERR_DAMAGED;
    }
    *ret_chunk = (struct snapshot_chunk){packed, raw, bytes_get_u64(in + 16)};
    return OK;
}

bool snapshot_chunk_is_intact(const uint8_t in[SNAPSHOT_CHUNK_BYTES], struct slice data)
{
    return bytes_get_u32(in + AT_CRC) == chunk_crc(in, data.data, data.len);
}

void snapshot_footer_encode(const struct snapshot_footer *footer,
                            uint8_t out[SNAPSHOT_FOOTER_BYTES])
{
    memset(out, 0, SNAPSHOT_FOOTER_BYTES);
    memcpy(out, "CLRF", 4);
    bytes_put_u64(out + 8, footer->chunks);
    bytes_put_u64(out + 16, footer->raw_bytes);
    bytes_put_u64(out + 24, footer->bytes);
    bytes_put_u64(out + 32, footer->hash);
    seal(out, SNAPSHOT_FOOTER_BYTES);
}

int snapshot_footer_decode(const uint8_t in[SNAPSHOT_FOOTER_BYTES],
                           struct snapshot_footer *ret_footer)
{
    if (!is_sealed(in, SNAPSHOT_FOOTER_BYTES, "CLRF")) {
        return ERR_DAMAGED;
    }
    ret_footer->chunks = bytes_get_u64(in + 8);
    ret_footer->raw_bytes = bytes_get_u64(in + 16);
    ret_footer->bytes = bytes_get_u64(in + 24);
    ret_footer->hash = bytes_get_u64(in + 32);
    return OK;
}
