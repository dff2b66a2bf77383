#include "enrol/route.h"

#include <inttypes.h>

#include "enrol/enrol_private.h"
#include "proto/envelope.pb-c.h"
#include "wire/field.h"

enum { SECTION_CODE = 2 }; /* a SectionName's field */

/* Where a method's requests go, and which of their fields names the key. */
struct row {
    uint32_t kind; /* enum enrol_route_kind */
    uint32_t key;  /* field of a student's token, or of a course's code; 0: none */
    uint32_t
        in; /* field of the message in which the key stands: a SectionName; 0: the request */
    uint32_t unless; /* of a SHARD: a field that, when it is there, makes it a FACT */
};

#define ROW(NUMBER, kind, key, in, unless)                                                     \
    [CARILLON__METHOD__METHOD_##NUMBER] = {ENROL_ROUTE_##kind, key, in, unless}

/* clang-format off */
static const struct row rows[] = {
    /*  number         kind   key in unless */
    ROW(STATUS,        NODE,  0, 0, 0),
    ROW(SEARCH,        EVERY, 2, 0, 0),
    ROW(SHOW,          SHARD, 2, 0, 0),
    ROW(CHECK,         SHARD, 1, 0, 0),
    ROW(SUBMIT,        SHARD, 1, 0, 0),
    ROW(SCHEDULE,      SHARD, 1, 0, 0),
    ROW(ROSTER,        SHARD, SECTION_CODE, 1, 0),
    ROW(OUTCOME,       SHARD, 1, 0, 0),
    ROW(IMPORT_BEGIN,  EVERY, 0, 0, 0),
    ROW(IMPORT_CHUNK,  SPLIT, 0, 0, 0),
    ROW(IMPORT_COMMIT, FACT,  0, 0, 0),
    ROW(IMPORT_ABORT,  EVERY, 0, 0, 0),
    ROW(IMPORT_HASHES, PAGES, 0, 0, 0),
    ROW(WINDOW,        FACT,  0, 0, 0),
    ROW(BLOCK,         SHARD, 1, 0, 0),
    ROW(PERMIT,        SHARD, 1, 0, 0),
    ROW(CAP,           SHARD, SECTION_CODE, 1, 0),
    ROW(LIMITS,        FACT,  0, 0, 0),
    ROW(SNAPSHOT,      NODE,  0, 0, 0),
    ROW(VERIFY,        EVERY, 0, 0, 0),
    ROW(AUDIT,         EVERY, 1, 0, 0),
    ROW(EXPORT,        PAGES, 0, 0, 0),
    ROW(CATALOGUES,    EVERY, 0, 0, 0),
    ROW(TOKEN_ISSUE,   SHARD, 2, 0, 0),
    ROW(TOKEN_REVOKE,  SHARD, 2, 0, 1),
    ROW(GRANT,         FACT,  0, 0, 0),
    ROW(REVOKE,        FACT,  0, 0, 0),
    ROW(KEYS,          NODE,  0, 0, 0),
    ROW(ROTATE,        NODE,  0, 0, 0),
    ROW(PEER,          NODE,  0, 0, 0),
    ROW(FORWARD,       NODE,  0, 0, 0),
    ROW(MEMBERS,       NODE,  0, 0, 0),
    ROW(JOIN,          NODE,  0, 0, 0),
    ROW(POINT,         SHARD, 0, 0, 0), /* the one whose leader it is said to be for */
    ROW(CHANGE,        NODE,  0, 0, 0),
    ROW(META,          NODE,  0, 0, 0),
    ROW(SIGN,          NODE,  0, 0, 0),
};
/* clang-format on */

struct enrol_route enrol_route(uint32_t method, struct slice body, uint32_t shards)
{
    if (method >= sizeof rows / sizeof rows[0] || rows[method].kind == 0) {
        return (struct enrol_route){ENROL_ROUTE_NODE, 0};
    }
    const struct row *row = &rows[method];
    struct enrol_route route = {row->kind, 0};

    if (route.kind == ENROL_ROUTE_NODE) {
        return route;
    }
    if (shards <= 1) {
        return (struct enrol_route){ENROL_ROUTE_SHARD, 0};
    }
    if (row->unless != 0 && field_find(body, row->unless).len > 0) {
        return (struct enrol_route){ENROL_ROUTE_FACT, 0};
    }
    if (row->key != 0) {
        struct slice in = row->in == 0 ? body : field_find(body, row->in);
        struct slice key = field_find(in, row->key);

        route.shard = key.len == 0 ? 0 : campus_shard_of(key, shards);
    }
    return route;
}

/* ---- pages */

enum { REQUEST_CURSOR = 4, CURSOR_BYTES_MAX = 64 };

/* Append the message without the field @number, and then that field anew. */
static int replace_field(struct slice message, uint32_t number, struct slice bytes,
                         struct buf *out)
{
    struct field_reader in = field_reader_from(message);
    struct field field;
    uint8_t head[FIELD_VARINT_BYTES_MAX + 1 + CURSOR_BYTES_MAX];
    int rc = OK;

    while (rc == OK && !field_reader_is_done(&in)) {
        const uint8_t *from = in.at;

        if (!field_read(&in, &field)) {
            return ERR_MALFORMED;
        }
        if (field.number != number) {
            rc = buf_append(out, from, (size_t)(in.at - from));
        }
    }
    if (rc == OK && bytes.len > 0) {
        rc = buf_append(out, head, (size_t)(field_put_bytes(head, number, bytes) - head));
    }
    return rc;
}

static uint32_t reply_cursor(uint32_t method)
{
    return method == CARILLON__METHOD__METHOD_EXPORT ? 4 : 3;
}

int enrol_page_open(uint32_t method, struct slice body, uint32_t shards, uint32_t *ret_shard,
                    struct buf *out)
{
    struct slice cursor = field_find(body, REQUEST_CURSOR);
    struct slice own = SLICE_NONE;
    uint64_t shard = 0;

    (void)method; /* both have it in the same field */
    if (cursor.len > 0) {
        struct slice number;

        if (cursor.len > CURSOR_BYTES_MAX || !slice_cut(cursor, '.', &number, &own) ||
            slice_parse_u64(number, shards - 1, &shard) != OK) {
            return ERR_ARGUMENT;
        }
    }
    *ret_shard = (uint32_t)shard;
    return replace_field(body, REQUEST_CURSOR, own, out);
}

int enrol_page_close(uint32_t method, uint32_t shard, uint32_t shards, struct slice reply,
                     struct buf *out)
{
    struct slice own = field_find(reply, reply_cursor(method));
    struct buf cursor;
    int rc = OK;

    if (own.len > CURSOR_BYTES_MAX / 2) {
        return ERR_MALFORMED;
    }
    buf_init(&cursor, CURSOR_BYTES_MAX);
    if (own.len > 0) {
        rc = buf_append_format(&cursor, "%" PRIu32 ".", shard);
        rc = rc == OK ? buf_append_slice(&cursor, own) : rc;
    } else if (shard + 1 < shards) {
        rc = buf_append_format(&cursor, "%" PRIu32 ".", shard + 1);
    }
    rc = rc == OK ? replace_field(reply, reply_cursor(method), buf_slice(&cursor), out) : rc;
    buf_fini(&cursor);
    return rc == ERR_FULL ? ERR_NOSPACE_REPLY : rc;
}
