#include "tests/lib/witness_record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "tests/lib/witness.h"
#include "wire/message.h"
#include "wire/method.h"

enum { SCRATCH_BYTES = 16 << 20, CLUSTER_BYTES = 6, WORD_BYTES = 48 };

void witness_record_init(struct witness_record *record)
{
    *record = (struct witness_record){0};
    record->file = open_memstream(&record->text, &record->len);
    ASSERT(record->file != NULL);
    arena_init(&record->scratch, SCRATCH_BYTES);
}

void witness_record_fini(struct witness_record *record)
{
    (void)fclose(record->file);
    free(record->text);
    arena_fini(&record->scratch);
}

void witness_record_flush(struct witness_record *record)
{
    int rc = fflush(record->file);

    ASSERT(rc == 0);
}

void witness_record_line(struct witness_record *record, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vfprintf(record->file, format, values);
    va_end(values);
    (void)fputc('\n', record->file);
}

/* ---- words ---- */

/* A word of a history has no space in it. */
static void put_word(FILE *file, const char *text)
{
    for (int i = 0; i < WORD_BYTES - 1 && text[i] != '\0'; i++) {
        (void)fputc(text[i] == ' ' ? '_' : text[i], file);
    }
}

static void put_section(FILE *file, const char *code, const char *section)
{
    put_word(file, code);
    (void)fputc('#', file);
    put_word(file, section[0] == '\0' ? "1" : section);
}

static void put_name(FILE *file, const Carillon__SectionName *name)
{
    put_section(file, name == NULL ? "" : name->code, name == NULL ? "" : name->section);
}

static void put_key(FILE *file, struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        (void)fprintf(file, "%02x", key.data[i]);
    }
}

static void put_limit(FILE *file, bool is_known, uint32_t limit)
{
    if (is_known) {
        (void)fprintf(file, "%" PRIu32, limit);
    } else {
        (void)fputs("none", file);
    }
}

/* ---- requests ---- */

static void put_submit(FILE *file, const void *message)
{
    const Carillon__SubmitRequest *request = message;

    put_word(file, request->student);
    for (size_t i = 0; i < request->n_ops; i++) {
        const Carillon__Op *op = request->ops[i];

        (void)fputs(op->kind == CARILLON__OP_KIND__OP_ADD ? " +" : " -", file);
        put_section(file, op->code, op->section);
        (void)fputs(op->waitlist ? "~" : "", file);
        for (size_t k = 0; k < op->n_promotion_drops; k++) {
            (void)fputs(k > 0 ? "," : "", file);
            put_name(file, op->promotion_drops[k]);
        }
    }
}

static void put_cap(FILE *file, const void *message)
{
    const Carillon__CapRequest *request = message;

    put_name(file, request->section);
    (void)fputc(' ', file);
    put_limit(file, request->capacity_known, request->capacity);
}

static void put_block(FILE *file, const void *message)
{
    const Carillon__BlockRequest *request = message;

    put_word(file, request->student);
    (void)fputc(' ', file);
    put_word(file, request->reason[0] == '\0' ? "*" : request->reason);
}

static void put_permit(FILE *file, const void *message)
{
    const Carillon__PermitRequest *request = message;

    put_word(file, request->student);
    (void)fputc(' ', file);
    put_name(file, request->section);
    (void)fprintf(file, " %" PRIu32, request->kinds);
}

static void put_limits(FILE *file, const void *message)
{
    const Carillon__LimitsRequest *request = message;

    (void)fprintf(file, "%" PRIu32 " %" PRIu32 " %" PRIu32, request->courses_max,
                  request->credits_max_hundredths, request->waitlist_max);
}

/* A window is open, closed for good, or not open for a long time: no history knows the time. */
static void put_window(FILE *file, const void *message)
{
    const Carillon__WindowRequest *request = message;
    bool is_closed = request->closes_ms != 0;
    bool is_before = !is_closed && request->opens_ms != 0;

    (void)fprintf(file, "%s %" PRIu32,
                  is_closed   ? "closed"
                  : is_before ? "before"
                              : "open",
                  request->level_min);
}

static void put_schedule(FILE *file, const void *message)
{
    put_word(file, ((const Carillon__ScheduleRequest *)message)->student);
}

static void put_roster(FILE *file, const void *message)
{
    put_name(file, ((const Carillon__RosterRequest *)message)->section);
}

static void put_outcome(FILE *file, const void *message)
{
    const Carillon__OutcomeRequest *request = message;

    put_word(file, request->student);
    (void)fputc(' ', file);
    put_key(file, wire_bytes(request->key));
}

/* ---- answers ---- */

static void put_place(FILE *file, const Carillon__Receipt *receipt)
{
    if (receipt == NULL) {
        return;
    }
    (void)fputs(" @", file);
    for (size_t i = 0; i < CLUSTER_BYTES && i < receipt->cluster_id.len; i++) {
        (void)fprintf(file, "%02x", receipt->cluster_id.data[i]);
    }
    (void)fprintf(file, "/%" PRIu32 ".%" PRIu64 ".%" PRIu64, receipt->group, receipt->term,
                  receipt->index);
}

static void put_changes(FILE *file, Carillon__Change *const *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (changes[i]->kind) {
        case CARILLON__CHANGE_KIND__CHANGE_REGISTERED:
            (void)fputs(" registered", file);
            break;
        case CARILLON__CHANGE_KIND__CHANGE_DROPPED:
            (void)fputs(" dropped", file);
            break;
        case CARILLON__CHANGE_KIND__CHANGE_WAITLISTED:
            (void)fprintf(file, " waitlisted:%" PRIu32, changes[i]->waitlist_place);
            break;
        case CARILLON__CHANGE_KIND__CHANGE_WAITLIST_LEFT:
            (void)fputs(" left", file);
            break;
        case CARILLON__CHANGE_KIND__CHANGE_NONE:
        case _CARILLON__CHANGE_KIND_IS_INT_SIZE:
            (void)fputs(" nothing", file);
            break;
        }
    }
}

static void put_refusals(FILE *file, Carillon__Refusal *const *refusals, size_t count)
{
    enum { PREFIX = sizeof "REFUSAL_" - 1 };

    for (size_t i = 0; i < count; i++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
            &carillon__refusal_kind__descriptor, (int)refusals[i]->kind);
        const char *name = value == NULL ? "REFUSAL_?" : value->name;

        if (refusals[i]->op == UINT32_MAX) {
            (void)fprintf(file, " *:%s", name + PREFIX);
        } else {
            (void)fprintf(file, " %" PRIu32 ":%s", refusals[i]->op, name + PREFIX);
        }
    }
}

static void answer_submit(FILE *file, const void *message)
{
    const Carillon__SubmitReply *reply = message;

    put_place(file, reply->receipt);
    put_changes(file, reply->changes, reply->n_changes);
    put_refusals(file, reply->refusals, reply->n_refusals);
}

static void answer_check(FILE *file, const void *message)
{
    const Carillon__CheckReply *reply = message;

    put_place(file, reply->as_of);
    put_changes(file, reply->changes, reply->n_changes);
    put_refusals(file, reply->refusals, reply->n_refusals);
}

static void answer_cap(FILE *file, const void *message)
{
    const Carillon__CapReply *reply = message;

    put_place(file, reply->receipt);
    (void)fprintf(file, " enrolled:%" PRIu32 " promoted:%" PRIu32, reply->enrolled,
                  reply->promoted);
}

static void answer_block(FILE *file, const void *message)
{
    const Carillon__BlockReply *reply = message;

    put_place(file, reply->receipt);
    (void)fprintf(file, " blocks:%" PRIu32, reply->blocks);
}

static void answer_permit(FILE *file, const void *message)
{
    put_place(file, ((const Carillon__PermitReply *)message)->receipt);
}

static void answer_limits(FILE *file, const void *message)
{
    put_place(file, ((const Carillon__LimitsReply *)message)->receipt);
}

static void answer_window(FILE *file, const void *message)
{
    put_place(file, ((const Carillon__WindowReply *)message)->receipt);
}

static void answer_schedule(FILE *file, const void *message)
{
    const Carillon__ScheduleReply *reply = message;

    put_place(file, reply->as_of);
    for (size_t i = 0; i < reply->n_items; i++) {
        (void)fputc(' ', file);
        put_name(file, reply->items[i]->section);
        (void)fprintf(file, "@%" PRIu64, reply->items[i]->since_index);
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        (void)fputs(" ~", file);
        put_name(file, reply->waitlist[i]->section);
        (void)fprintf(file, ":%" PRIu32, reply->waitlist[i]->place);
    }
}

static void answer_roster(FILE *file, const void *message)
{
    const Carillon__RosterReply *reply = message;

    put_place(file, reply->as_of);
    (void)fputs(" capacity:", file);
    put_limit(file, reply->capacity_known, reply->capacity);
    (void)fprintf(file, " enrolled:%" PRIu32 " waiting:%" PRIu32, reply->enrolled,
                  reply->waiting);
    for (size_t i = 0; i < reply->n_students; i++) {
        (void)fputc(' ', file);
        put_word(file, reply->students[i]->token);
        (void)fprintf(file, "@%" PRIu64 "%s", reply->students[i]->since_index,
                      reply->students[i]->over_capacity ? "!" : "");
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        (void)fputs(" ~", file);
        put_word(file, reply->waitlist[i]->token);
        (void)fprintf(file, "@%" PRIu64, reply->waitlist[i]->since_index);
    }
}

static void answer_outcome(FILE *file, const void *message)
{
    const Carillon__OutcomeReply *reply = message;

    put_place(file, reply->as_of);
    if (!reply->known) {
        (void)fputs(" none", file);
    } else if (reply->outcome != NULL && reply->outcome->receipt != NULL) {
        (void)fprintf(file, " found:%s:%" PRIu64, reply->status == 0 ? "ok" : "no",
                      reply->outcome->receipt->index);
    }
}

/* ---- the table ---- */

struct row {
    uint32_t method;
    const char *verb;
    void (*put)(FILE *file, const void *request);
    void (*answer)(FILE *file, const void *reply);
};

static const struct row rows[] = {
    {CARILLON__METHOD__METHOD_SUBMIT,   "submit",   put_submit,   answer_submit  },
    {CARILLON__METHOD__METHOD_CHECK,    "check",    put_submit,   answer_check   },
    {CARILLON__METHOD__METHOD_SCHEDULE, "schedule", put_schedule, answer_schedule},
    {CARILLON__METHOD__METHOD_ROSTER,   "roster",   put_roster,   answer_roster  },
    {CARILLON__METHOD__METHOD_OUTCOME,  "outcome",  put_outcome,  answer_outcome },
    {CARILLON__METHOD__METHOD_CAP,      "cap",      put_cap,      answer_cap     },
    {CARILLON__METHOD__METHOD_BLOCK,    "block",    put_block,    answer_block   },
    {CARILLON__METHOD__METHOD_PERMIT,   "permit",   put_permit,   answer_permit  },
    {CARILLON__METHOD__METHOD_LIMITS,   "limits",   put_limits,   answer_limits  },
    {CARILLON__METHOD__METHOD_WINDOW,   "window",   put_window,   answer_window  },
};

static const struct row *row_find(uint32_t method)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].method == method) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool is_lifting(uint32_t method, const ProtobufCMessage *request)
{
    return method == CARILLON__METHOD__METHOD_BLOCK &&
           ((const Carillon__BlockRequest *)(const void *)request)->remove;
}

uint64_t witness_record_call(struct witness_record *record, uint32_t method, const uint8_t *key,
                             const ProtobufCMessage *request)
{
    const struct row *row = row_find(method);

    if (row == NULL) {
        return 0;
    }
    (void)fprintf(record->file, "call %" PRIu64 " ", ++record->calls);
    if (key != NULL) {
        put_key(record->file, slice_from(key, WITNESS_KEY_BYTES));
    } else {
        (void)fputc('-', record->file);
    }
    (void)fprintf(record->file, " %s%s ", is_lifting(method, request) ? "un" : "", row->verb);
    row->put(record->file, request);
    (void)fputc('\n', record->file);
    return record->calls;
}

void witness_record_done(struct witness_record *record, uint64_t call, uint32_t method,
                         int status, struct slice body)
{
    const struct row *row = row_find(method);

    if (call == 0) {
        return;
    }
    ASSERT(row != NULL);
    (void)fprintf(record->file, "done %" PRIu64, call);
    if (status == OK || status == ERR_REFUSED) {
        arena_reset(&record->scratch);
        const void *reply = wire_unpack(method_get(method)->reply, body, &record->scratch);

        (void)fputs(status == OK ? " ok" : " no", record->file);
        if (reply != NULL) {
            row->answer(record->file, reply);
        }
    } else if (status == ERR_TIMEOUT) {
        (void)fputs(" unknown", record->file);
    } else if (error_is_retryable(status) || status == ERR_IO) {
        (void)fputs(" never", record->file);
    } else {
        (void)fprintf(record->file, " error %s", error_name(status));
    }
    (void)fputc('\n', record->file);
}

void witness_record_keep(const struct witness_record *record, const char *folder,
                         const char *name)
{
    char path[512];

    if (folder == NULL) {
        return;
    }
    (void)snprintf(path, sizeof path, "%s/%s.history", folder, name);
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        (void)fwrite(record->text, 1, record->len, file);
        (void)fclose(file);
    }
}

bool witness_record_check(struct witness_record *record, const char *folder, const char *name,
                          char *text, size_t size)
{
    struct witness_result result;

    witness_record_flush(record);
    witness_check(record->text, record->len, &result);
    (void)snprintf(text, size, "%s%s%s", witness_kind_names[result.kind],
                   result.text[0] != '\0' ? ": " : "", result.text);
    if (result.kind != WITNESS_GOOD) {
        witness_record_keep(record, folder, name);
    }
    return result.kind == WITNESS_GOOD;
}
