#include "carillon/bench_readback.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "carillon/bench_pump.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registration.pb-c.h"
#include "wire/message.h"

enum { PAGE_ROWS = 5000, ROSTER_ROWS = 1000, READS_WINDOW = 64, SCRATCH_BYTES = 16 << 20 };

struct reading {
    const struct bench_workload *workload;
    const struct bench_load_result *result;
    struct bench_readback *readback;
    struct bench_answers_check *check;
    struct arena scratch; /* one reply */
};

static size_t message_write(const ProtobufCMessage *message, uint8_t out[], size_t out_bytes)
{
    size_t len = protobuf_c_message_get_packed_size(message);

    ASSERT(len <= out_bytes);
    return len == 0 ? 0 : protobuf_c_message_pack(message, out);
}

/* Add the registration that the names mean, or count it as a stranger. */
static int pair_add(struct reading *reading, struct bench_pairs *pairs, uint32_t student,
                    uint32_t section)
{
    if (student == UINT32_MAX || section == UINT32_MAX) {
        reading->readback->strangers++;
        return OK;
    }
    return bench_pairs_add(pairs, (struct bench_pair){student, section});
}

static const void *reply_unpack(struct reading *reading, const struct carillon_reply *reply,
                                const ProtobufCMessageDescriptor *type)
{
    arena_reset(&reading->scratch);
    return wire_unpack(type, slice_from(reply->body, reply->body_bytes), &reading->scratch);
}

/* ---- the export ---- */

static int page_take(struct reading *reading, const Carillon__ExportReply *page)
{
    const struct bench_workload *workload = reading->workload;
    int rc = OK;

    for (size_t i = 0; rc == OK && i < page->n_rows; i++) {
        const Carillon__ExportRow *row = page->rows[i];

        rc = pair_add(reading, &reading->readback->exported,
                      bench_student_find(workload, row->student),
                      bench_section_find(workload, row->code, row->section));
    }
    return rc;
}

static int read_export(struct reading *reading, struct carillon_client *client)
{
    Carillon__ExportRequest request = CARILLON__EXPORT_REQUEST__INIT;
    Carillon__ExportReply *page = NULL, *next = NULL;
    int rc;

    request.kind = CARILLON__EXPORT_KIND__EXPORT_REGISTRATIONS;
    request.institution = wire_text(reading->workload->slug);
    request.limit = PAGE_ROWS;
    do {
        request.cursor = wire_text(page == NULL ? "" : page->next_cursor);
        rc = carillon_call_message(client, CARILLON__METHOD__METHOD_EXPORT, NULL, &request.base,
                                   &carillon__export_reply__descriptor, &next);
        carillon_message_free(page);
        page = next;
        if (rc == OK) {
            rc = page_take(reading, page);
        }
    } while (rc == OK && page->next_cursor[0] != '\0');
    carillon_message_free(page);
    return rc;
}

/* ---- rosters ---- */

static size_t roster_write(void *context, uint32_t index, uint8_t out[], size_t out_bytes)
{
    struct reading *reading = context;
    const struct bench_section *section = &reading->workload->sections[index];
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
    char code[BENCH_NAME_BYTES], id[BENCH_NAME_BYTES];

    bench_code(section->course, code);
    bench_section_id(section, id);
    name.institution = wire_text(reading->workload->slug);
    name.code = code;
    name.section = id;
    request.section = &name;
    request.limit = ROSTER_ROWS;
    return message_write(&request.base, out, out_bytes);
}

static int roster_take(void *context, uint32_t index, const struct carillon_reply *reply)
{
    struct reading *reading = context;

    if (reply->status != OK) {
        return reply->status;
    }
    const Carillon__RosterReply *roster =
        reply_unpack(reading, reply, &carillon__roster_reply__descriptor);
    if (roster == NULL) {
        return ERR_MALFORMED;
    }
    if (roster->next_cursor[0] != '\0') {
        return OK; /* longer than a page: left to the export, and not counted as read */
    }
    reading->readback->has_roster[index] = true;
    reading->check->rosters++;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < roster->n_students; i++) {
        rc = pair_add(reading, &reading->readback->rosters,
                      bench_student_find(reading->workload, roster->students[i]->token), index);
    }
    return rc;
}

/* ---- schedules ---- */

static size_t schedule_write(void *context, uint32_t index, uint8_t out[], size_t out_bytes)
{
    struct reading *reading = context;
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;
    char token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES];

    bench_token(reading->workload, index, token);
    request.student = token;
    return message_write(&request.base, out, out_bytes);
}

static int schedule_take(void *context, uint32_t index, const struct carillon_reply *reply)
{
    struct reading *reading = context;

    if (reply->status != OK) {
        return reply->status;
    }
    const Carillon__ScheduleReply *schedule =
        reply_unpack(reading, reply, &carillon__schedule_reply__descriptor);
    if (schedule == NULL) {
        return ERR_MALFORMED;
    }
    reading->readback->has_schedule[index] = true;
    reading->check->schedules++;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < schedule->n_items; i++) {
        const Carillon__SectionName *name = schedule->items[i]->section;

        rc = name == NULL
                 ? ERR_MALFORMED
                 : pair_add(reading, &reading->readback->schedules, index,
                            bench_section_find(reading->workload, name->code, name->section));
    }
    return rc;
}

/* ---- outcomes ---- */

static size_t outcome_write(void *context, uint32_t index, uint8_t out[], size_t out_bytes)
{
    struct reading *reading = context;
    const struct bench_sample *sample = &reading->result->samples[index];
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    char token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES];

    bench_token(reading->workload, sample->pair.student, token);
    request.student = token;
    request.key = wire_binary(slice_from(sample->key.bytes, sizeof sample->key.bytes));
    return message_write(&request.base, out, out_bytes);
}

static int outcome_take(void *context, uint32_t index, const struct carillon_reply *reply)
{
    struct reading *reading = context;

    if (reply->status != OK) {
        return reply->status;
    }
    const Carillon__OutcomeReply *outcome =
        reply_unpack(reading, reply, &carillon__outcome_reply__descriptor);
    if (outcome == NULL) {
        return ERR_MALFORMED;
    }
    int status = outcome->status == 0 ? OK : error_from_wire(outcome->status);
    reading->check->outcomes++;
    reading->check->outcomes_wrong +=
        !outcome->known || status != reading->result->samples[index].status;
    return OK;
}

/* ---- all of it ---- */

static int ask_node(struct carillon_client *client, struct bench_answers_check *check)
{
    Carillon__VerifyRequest request = CARILLON__VERIFY_REQUEST__INIT;
    Carillon__VerifyReply *reply;
    int rc = carillon_call_message(client, CARILLON__METHOD__METHOD_VERIFY, NULL, &request.base,
                                   &carillon__verify_reply__descriptor, &reply);

    if (rc == OK) {
        check->is_state_sound = reply->ok;
        snprintf(check->text, sizeof check->text, "%s",
                 reply->n_findings > 0 ? reply->findings[0] : "");
    }
    carillon_message_free(reply);
    return rc;
}

static int read_many(struct reading *reading, struct carillon_client *client)
{
    struct bench_pump rosters = {client,       CARILLON__METHOD__METHOD_ROSTER,
                                 READS_WINDOW, reading,
                                 roster_write, roster_take};
    struct bench_pump schedules = {client,         CARILLON__METHOD__METHOD_SCHEDULE,
                                   READS_WINDOW,   reading,
                                   schedule_write, schedule_take};
    struct bench_pump outcomes = {client,        CARILLON__METHOD__METHOD_OUTCOME,
                                  READS_WINDOW,  reading,
                                  outcome_write, outcome_take};
    int rc = bench_pump_run(&rosters, reading->workload->section_count);

    if (rc == OK) {
        rc = bench_pump_run(&schedules, reading->workload->student_count);
    }
    return rc == OK ? bench_pump_run(&outcomes, reading->result->sample_count) : rc;
}

int bench_readback(struct carillon_client *client, const struct bench_workload *workload,
                   const struct bench_load_result *result, struct bench_readback *ret_readback,
                   struct bench_answers_check *ret_check)
{
    struct reading reading = {
        .workload = workload, .result = result, .readback = ret_readback, .check = ret_check};

    *ret_readback = (struct bench_readback){0};
    *ret_check = (struct bench_answers_check){0};
    ret_readback->has_roster = calloc(workload->section_count, sizeof(bool));
    ret_readback->has_schedule = calloc(workload->student_count, sizeof(bool));
    if (ret_readback->has_roster == NULL || ret_readback->has_schedule == NULL) {
        return ERR_NOMEM;
    }
    arena_init(&reading.scratch, SCRATCH_BYTES);
    int rc = read_export(&reading, client);
    if (rc == OK) {
        rc = read_many(&reading, client);
    }
    if (rc == OK) {
        rc = ask_node(client, ret_check);
    }
    arena_fini(&reading.scratch);
    return rc;
}

void bench_readback_fini(struct bench_readback *readback)
{
    bench_pairs_fini(&readback->exported);
    bench_pairs_fini(&readback->rosters);
    bench_pairs_fini(&readback->schedules);
    free(readback->has_roster);
    free(readback->has_schedule);
    *readback = (struct bench_readback){0};
}
