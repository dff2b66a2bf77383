/* Reading the audit trail: which records an AuditRequest asks for, and their AuditReply. */
#include <stdio.h>

#include "node/audit_private.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"
#include "wire/pack.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    FIND_SCRATCH_BYTES = 64 << 20,
    NAME_PREFIX_BYTES = 6,
    METHODS_END = 0x10000, /* above are entries between shards */
};

struct find {
    struct io *io;
    const char *folder;
    const Carillon__AuditRequest *request;
    struct arena scratch; /* what the answer points to */
    struct buf packed;
    struct buf raw;
    Carillon__AuditRecord **records;
    size_t count;
    size_t limit;
    size_t bytes;     /* of the answer, about */
    char current[64]; /* the file whose successor is not known yet */
};

static char *copy_text(struct arena *scratch, struct slice s)
{
    char *text = arena_alloc(scratch, s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.data, s.len);
    }
    text[s.len] = '\0';
    return text;
}

static bool text_matches(const char *wanted, const char *is)
{
    return wanted[0] == '\0' || strcmp(wanted, is) == 0;
}

static bool names_section(const Carillon__SectionName *wanted, const Carillon__SectionName *is)
{
    return is != NULL && strcmp(wanted->code, is->code) == 0 &&
           text_matches(wanted->institution, is->institution) &&
           text_matches(wanted->section, is->section) && text_matches(wanted->term, is->term);
}

/* Whether a registration's record concerns the section: one of its ops asked for it, or one of
 * its changes did it. */
static bool concerns_section(const Carillon__SectionName *wanted,
                             const Carillon__SubmitRequest *asked,
                             const Carillon__SubmitReply *reply)
{
    for (size_t i = 0; reply != NULL && i < reply->n_changes; i++) {
        if (names_section(wanted, reply->changes[i]->section)) {
            return true;
        }
    }
    for (size_t i = 0; asked != NULL && i < asked->n_ops; i++) {
        Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

        name.institution = asked->ops[i]->institution[0] != '\0' ? asked->ops[i]->institution
                                                                 : wanted->institution;
        name.code = asked->ops[i]->code;
        name.section =
            asked->ops[i]->section[0] != '\0' ? asked->ops[i]->section : wanted->section;
        name.term = asked->ops[i]->term[0] != '\0' ? asked->ops[i]->term : wanted->term;
        if (names_section(wanted, &name)) {
            return true;
        }
    }
    return false;
}

static bool wants(const struct find *find, const struct audit_record *record)
{
    const char *student = find->request->student;

    /* Entries between shards that nobody asked for tell nothing but what else they caused. */
    bool is_of_somebody = record->method < METHODS_END || record->notes.len > 0;

    return record->index > find->request->after_index && is_of_somebody &&
           (student[0] == '\0' || slice_is_equal(record->student, slice_from_text(student)));
}

/* Add the record to the answer, unless it is about another section. */
static void add(struct find *find, const struct audit_record *record)
{
    const Carillon__SectionName *section = find->request->section;
    Carillon__SubmitRequest *asked = NULL;
    Carillon__SubmitReply *reply = NULL;

    if (record->method == CARILLON__METHOD__METHOD_SUBMIT) {
        asked =
            wire_unpack(&carillon__submit_request__descriptor, record->body, &find->scratch);
        reply = wire_unpack(&carillon__submit_reply__descriptor, record->reply, &find->scratch);
    }
    if (section != NULL && section->code[0] != '\0' &&
        !concerns_section(section, asked, reply)) {
        return;
    }
    Carillon__AuditRecord *row = arena_alloc(&find->scratch, sizeof *row);
    carillon__audit_record__init(row);
    row->index = record->index;
    row->wall_ms = record->wall_ms;
    row->method = record->method;
    row->status = record->status;
    row->student = copy_text(&find->scratch, record->student);
    row->by = copy_text(&find->scratch, record->by);
    row->text = copy_text(&find->scratch, record->notes);
    if (reply != NULL) {
        row->n_changes = reply->n_changes;
        row->changes = reply->changes;
        row->n_refusals = reply->n_refusals;
        row->refusals = reply->refusals;
    }
    find->records[find->count++] = row;
    find->bytes += carillon__audit_record__get_packed_size(row) + 8;
}

static bool is_full(const struct find *find)
{
    return find->count >= find->limit ||
           find->bytes + (size_t)AUDIT_FIELD_BYTES_MAX * 2 > AUDIT_REPLY_BYTES_MAX ||
           !arena_has_room(&find->scratch, AUDIT_PACKED_BYTES_MAX);
}

static int search_block(struct find *find)
{
    struct unpack in = unpack_from(buf_slice(&find->raw));
    struct audit_record record;

    while (!unpack_is_done(&in) && !is_full(find)) {
        int rc = audit__record_decode(&in, &record);

        if (rc != OK) {
            return rc;
        }
        if (wants(find, &record)) {
            add(find, &record);
        }
    }
    return OK;
}

static int search_file(struct find *find, const char *name, uint64_t end)
{
    struct audit_block_header header;
    struct io_file *file;
    char path[AUDIT_PATH_BYTES];
    uint64_t offset = 0;

    (void)snprintf(path, sizeof path, "%s/%s", find->folder, name);
    int rc = io_file_open(find->io, path, IO_OPEN_READ, &file);
    if (rc != OK) {
        return rc;
    }
    while (rc == OK && offset < end && !is_full(find)) {
        rc = audit__block_read(find->io, file, offset, &find->packed, &find->raw, &header);
        if (rc == OK && header.last > find->request->after_index) {
            rc = search_block(find);
        }
        offset += rc == OK ? AUDIT_HEADER_BYTES + header.packed_bytes : 0;
    }
    io_file_close(find->io, file);
    return rc == ERR_EOF ? OK : rc;
}

static uint64_t first_index(const char *name)
{
    uint64_t first;
    struct slice digits = slice_sub(slice_from_text(name), NAME_PREFIX_BYTES, SIZE_MAX);

    return slice_parse_u64(digits, UINT64_MAX, &first) == OK ? first : 0;
}

/* A file is read once the next one's first index tells that it reaches beyond what the reader
 * has already. */
static int visit(void *context, const char *name)
{
    struct find *find = context;
    int rc = OK;

    if (find->current[0] != '\0' && first_index(name) > find->request->after_index + 1 &&
        !is_full(find)) {
        rc = search_file(find, find->current, UINT64_MAX);
    }
    (void)snprintf(find->current, sizeof find->current, "%s", name);
    return rc;
}

static int search_files(struct find *find, uint64_t end)
{
    int rc = audit__files(find->io, find->folder, visit, find);

    if (rc == OK && find->current[0] != '\0' && !is_full(find)) {
        rc = search_file(find, find->current, end);
    }
    return rc;
}

int audit__find(struct io *io, const char *folder, uint64_t end, struct slice request,
                struct buf *reply)
{
    struct find find = {.io = io, .folder = folder};
    Carillon__AuditReply answer = CARILLON__AUDIT_REPLY__INIT;
    int rc = ERR_MALFORMED;

    arena_init(&find.scratch, FIND_SCRATCH_BYTES);
    buf_init(&find.packed, AUDIT_PACKED_BYTES_MAX);
    buf_init(&find.raw, AUDIT_PACKED_BYTES_MAX);
    find.request = wire_unpack(&carillon__audit_request__descriptor, request, &find.scratch);
    if (find.request != NULL) {
        find.limit = find.request->limit == 0 ? LIMIT_DEFAULT : find.request->limit;
        find.limit = find.limit > LIMIT_MAX ? LIMIT_MAX : find.limit;
        find.records = arena_alloc(&find.scratch, find.limit * sizeof *find.records);
        rc = search_files(&find, end);
    }
    if (rc == OK) {
        answer.n_records = find.count;
        answer.records = find.records;
        if (find.count > 0 && is_full(&find)) {
            answer.next_after_index = find.records[find.count - 1]->index;
        }
        rc = wire_pack(&answer.base, reply);
    }
    buf_fini(&find.raw);
    buf_fini(&find.packed);
    arena_fini(&find.scratch);
    return rc;
}
