#include "tests/lib/population.h"

#include <stdio.h>

#include "base/error.h"
#include "client/carillon.h"
#include "proto/envelope.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "wire/message.h"

enum { PER_CHUNK = 200, SLOT_MIN = 60, SLOTS_A_DAY = 12 };

void population_code(uint32_t course, char out[16])
{
    (void)snprintf(out, 16, "C %u", course);
}

void population_token(uint32_t student, char out[16])
{
    (void)snprintf(out, 16, "s%u", student);
}

struct import {
    struct carillon_client *client;
    const struct population *population;
    Carillon__ImportKind kind;
    struct carillon_key id;
    uint32_t chunks;
};

static int call(struct import *import, uint32_t method, const ProtobufCMessage *request,
                const ProtobufCMessageDescriptor *type)
{
    struct carillon_key key = carillon_key_make(import->client);
    void *reply = NULL;
    int rc = carillon_call_message(import->client, method, &key, request, type, &reply);

    if (rc != OK) {
        (void)fprintf(stderr, "population: %s: %s\n", error_name(rc),
                      carillon_text(import->client));
    }
    carillon_message_free(reply);
    return rc;
}

struct population_slot population_slot(const struct population *population, uint32_t number)
{
    uint32_t slot = number % population->slots;
    uint32_t start_min = 8 * 60 + slot % SLOTS_A_DAY * SLOT_MIN;

    return (struct population_slot){1U << (slot / SLOTS_A_DAY % 7), start_min,
                                    start_min + SLOT_MIN};
}

static void make_course(const struct population *population, uint32_t number,
                        Carillon__Course *course, Carillon__Section *section,
                        Carillon__Section **sections, Carillon__Meeting *meeting,
                        Carillon__Meeting **meetings, char code[16])
{
    population_code(number, code);
    carillon__course__init(course);
    carillon__section__init(section);
    carillon__meeting__init(meeting);
    course->institution = wire_text("gen");
    course->term = wire_text("current");
    course->code = code;
    course->title = code;
    course->credits_known = true;
    course->credits_hundredths = 300;
    course->content_hash = number;
    course->n_sections = 1;
    course->sections = sections;
    *sections = section;
    section->id = wire_text("1");
    section->capacity_known = true;
    section->capacity = population->capacity;
    if (population->slots > 0) {
        struct population_slot slot = population_slot(population, number);

        meeting->days = slot.days;
        meeting->start_min = slot.start_min;
        meeting->end_min = slot.end_min;
        section->n_meetings = 1;
        section->meetings = meetings;
        *meetings = meeting;
    }
}

static int send_courses(struct import *import, uint32_t first, uint32_t count)
{
    static Carillon__Course courses[PER_CHUNK];
    static Carillon__Section sections[PER_CHUNK];
    static Carillon__Section *section_rows[PER_CHUNK];
    static Carillon__Meeting meetings[PER_CHUNK];
    static Carillon__Meeting *meeting_rows[PER_CHUNK];
    static Carillon__Course *rows[PER_CHUNK];
    static char codes[PER_CHUNK][16];
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;

    for (uint32_t i = 0; i < count; i++) {
        make_course(import->population, first + i, &courses[i], &sections[i], &section_rows[i],
                    &meetings[i], &meeting_rows[i], codes[i]);
        rows[i] = &courses[i];
    }
    chunk.import_id = wire_binary(slice_from(import->id.bytes, sizeof import->id.bytes));
    chunk.sequence = import->chunks++;
    chunk.n_courses = count;
    chunk.courses = rows;
    return call(import, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base,
                &carillon__import_chunk_reply__descriptor);
}

static int send_students(struct import *import, uint32_t first, uint32_t count)
{
    static Carillon__Student students[PER_CHUNK];
    static Carillon__Student *rows[PER_CHUNK];
    static char tokens[PER_CHUNK][16];
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;

    for (uint32_t i = 0; i < count; i++) {
        population_token(first + i, tokens[i]);
        carillon__student__init(&students[i]);
        students[i].institution = wire_text("gen");
        students[i].token = tokens[i];
        students[i].name = tokens[i];
        students[i].level = 1;
        students[i].content_hash = first + i;
        rows[i] = &students[i];
    }
    chunk.import_id = wire_binary(slice_from(import->id.bytes, sizeof import->id.bytes));
    chunk.sequence = import->chunks++;
    chunk.n_students = count;
    chunk.students = rows;
    return call(import, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk.base,
                &carillon__import_chunk_reply__descriptor);
}

static int run(struct import *import, uint32_t total,
               int (*send)(struct import *import, uint32_t first, uint32_t count))
{
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    import->id = carillon_key_make(import->client);
    begin.kind = import->kind;
    begin.institution = wire_text("gen");
    begin.term =
        wire_text(import->kind == CARILLON__IMPORT_KIND__IMPORT_COURSES ? "current" : "");
    begin.import_id = wire_binary(slice_from(import->id.bytes, sizeof import->id.bytes));
    begin.by = wire_text("test");
    int rc = call(import, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base,
                  &carillon__import_begin_reply__descriptor);
    for (uint32_t at = 1; rc == OK && at <= total; at += PER_CHUNK) {
        rc = send(import, at, total - at + 1 < PER_CHUNK ? total - at + 1 : PER_CHUNK);
    }
    commit.import_id = begin.import_id;
    commit.chunks = import->chunks;
    return rc == OK ? call(import, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base,
                           &carillon__import_commit_reply__descriptor)
                    : rc;
}

int population_import(struct carillon_client *client, const struct population *population)
{
    struct import courses = {
        client, population, CARILLON__IMPORT_KIND__IMPORT_COURSES, {{0}}, 0};
    struct import students = {
        client, population, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, {{0}}, 0};
    int rc = run(&courses, population->courses, send_courses);

    return rc == OK ? run(&students, population->students, send_students) : rc;
}
