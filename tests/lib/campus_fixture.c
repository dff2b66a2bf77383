#include "tests/lib/campus_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/sm.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { NAMES_MAX = 64, PART_BYTES = 96, LIST_MAX = 64 };

struct enrol *fixture_empty(void)
{
    struct enrol_config config = {.memory_bytes_max = 4ULL << 30, .group = 1};

    memset(config.cluster_id.bytes, 7, UUID_BYTES);
    return enrol_create(&config);
}

void fixture_init(struct campus_fixture *f)
{
    *f = (struct campus_fixture){.wall_ms = FIXTURE_WALL_MS, .institution = "x", .term = "t"};
    f->enrol = fixture_empty();
    f->is_admitting = true;
    enrol_result_init(&f->result);
    buf_init(&f->reply, 1 << 20);
    buf_init(&f->text, 1 << 16);
    buf_init(&f->summary, 1 << 20);
    buf_init(&f->body, 1 << 20);
}

void fixture_fini(struct campus_fixture *f)
{
    enrol_destroy(f->enrol);
    enrol_result_fini(&f->result);
    buf_fini(&f->reply);
    buf_fini(&f->text);
    buf_fini(&f->summary);
    buf_fini(&f->body);
}

int fixture_teardown(void **state)
{
    struct campus_fixture *f = *state;

    assert_string_equal(fixture_verify(f), "");
    fixture_fini(f);
    return 0;
}

struct uuid fixture_key(struct campus_fixture *f)
{
    uint8_t random[10] = {0};
    uint64_t number = hash_u64(++f->keys);

    memcpy(random, &number, sizeof number);
    return uuid_make(f->wall_ms, random);
}

static int apply(struct campus_fixture *f, uint32_t method, struct slice body)
{
    struct slice key = slice_from(f->key.bytes, UUID_BYTES);
    struct enrol_entry entry = {.index = ++f->index,
                                .term = 1,
                                .wall_ms = f->wall_ms,
                                .method = method,
                                .key = key,
                                .body = body,
                                .hint = ENROL_HINT_NONE};

    buf_clear(&f->text);
    if (f->is_admitting) {
        int rc = enrol_admit(f->enrol, &entry, &f->text);

        if (rc != OK) {
            f->index--;
            f->result.status = rc;
            return rc;
        }
    }
    enrol_apply(f->enrol, &entry, &f->result);
    return f->result.status;
}

int fixture_apply(struct campus_fixture *f, uint32_t method, struct slice body)
{
    f->key = fixture_key(f);
    return apply(f, method, body);
}

int fixture_write(struct campus_fixture *f, uint32_t method, const ProtobufCMessage *request)
{
    buf_clear(&f->body);
    assert_int_equal(wire_pack(request, &f->body), OK);
    return fixture_apply(f, method, buf_slice(&f->body));
}

int fixture_repeat(struct campus_fixture *f, uint32_t method)
{
    return apply(f, method, buf_slice(&f->body));
}

int fixture_read(struct campus_fixture *f, uint32_t method, const ProtobufCMessage *request)
{
    struct buf body;

    buf_init(&body, 1 << 20);
    buf_clear(&f->reply);
    buf_clear(&f->text);
    assert_int_equal(wire_pack(request, &body), OK);
    int rc = enrol_read(f->enrol, method, buf_slice(&body), f->wall_ms, &f->reply, &f->text);

    buf_fini(&body);
    return rc;
}

void fixture_tick(struct campus_fixture *f, uint64_t ms)
{
    struct enrol_entry entry = {
        .index = ++f->index, .term = 1, .wall_ms = f->wall_ms += ms, .method = 0};

    enrol_apply(f->enrol, &entry, &f->result);
}

/* ---- names */

static char *part(void)
{
    static char parts[NAMES_MAX * 4][PART_BYTES];
    static size_t next;

    return parts[next++ % (NAMES_MAX * 4)];
}

Carillon__SectionName *fixture_name(const char *text)
{
    static Carillon__SectionName names[NAMES_MAX];
    static size_t next;
    Carillon__SectionName *name = &names[next++ % NAMES_MAX];
    const char *colon = strchr(text, ':');
    const char *hash = strchr(text, '#');

    carillon__section_name__init(name);
    if (colon != NULL) {
        name->institution = part();
        (void)snprintf(name->institution, PART_BYTES, "%.*s", (int)(colon - text), text);
        text = colon + 1;
    }
    name->code = part();
    (void)snprintf(name->code, PART_BYTES, "%.*s",
                   hash == NULL ? (int)strlen(text) : (int)(hash - text), text);
    if (hash != NULL) {
        name->section = part();
        (void)snprintf(name->section, PART_BYTES, "%s", hash + 1);
    }
    return name;
}

/* ---- imports */

static int import(struct campus_fixture *f, uint32_t kind, Carillon__ImportChunkRequest *chunk,
                  bool force)
{
    struct uuid id = fixture_key(f);
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    begin.kind = (Carillon__ImportKind)kind;
    begin.institution = wire_text(f->institution);
    begin.term = wire_text(kind == CARILLON__IMPORT_KIND__IMPORT_COURSES ? f->term : "");
    begin.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
    int rc = fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base);

    chunk->import_id = begin.import_id;
    rc = rc == OK ? fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base) : rc;
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    commit.force = force;
    return rc == OK ? fixture_write(f, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base)
                    : rc;
}

static void parse_rule_node(const char *text, Carillon__RuleNode *node)
{
    char *end;

    carillon__rule_node__init(node);
    switch (text[0]) {
    case '&':
        node->kind = CARILLON__RULE_KIND__RULE_AND;
        node->children = (uint32_t)strtoul(text + 1, NULL, 10);
        break;
    case '|':
        node->kind = CARILLON__RULE_KIND__RULE_OR;
        node->children = (uint32_t)strtoul(text + 1, NULL, 10);
        break;
    case '%':
        node->kind = CARILLON__RULE_KIND__RULE_N_OF;
        node->count = (uint32_t)strtoul(text + 1, &end, 10);
        node->children = (uint32_t)strtoul(end + 1, NULL, 10);
        break;
    case 'L':
        node->kind = CARILLON__RULE_KIND__RULE_LEVEL;
        node->count = (uint32_t)strtoul(text + 1, NULL, 10);
        break;
    case '$':
        node->kind = CARILLON__RULE_KIND__RULE_CREDITS;
        node->count = (uint32_t)strtoul(text + 1, NULL, 10);
        break;
    default:
        node->kind = CARILLON__RULE_KIND__RULE_COURSE;
        node->code = part();
        (void)snprintf(node->code, PART_BYTES, "%.*s", (int)strcspn(text + 1, ">*"), text + 1);
        node->grade_min =
            strchr(text, '>') != NULL ? (uint32_t)strtoul(strchr(text, '>') + 1, NULL, 10) : 0;
        node->concurrent = strchr(text, '*') != NULL;
        break;
    }
}

static void parse_section(const char *text, Carillon__Section *section,
                          Carillon__Meeting *meetings, Carillon__Meeting **list)
{
    char copy[PART_BYTES];
    char *rest = copy;

    (void)snprintf(copy, sizeof copy, "%s", text);
    carillon__section__init(section);
    section->id = part();
    (void)snprintf(section->id, PART_BYTES, "%s", strsep(&rest, ":"));
    const char *capacity = strsep(&rest, ":");

    if (capacity != NULL && capacity[0] != '-') {
        section->capacity_known = true;
        section->capacity = (uint32_t)strtoul(capacity, NULL, 10);
    }
    section->meetings = list;
    for (const char *at = strsep(&rest, ","); at != NULL && at[0] != '\0';
         at = strsep(&rest, ",")) {
        Carillon__Meeting *meeting = &meetings[section->n_meetings];
        char *end;

        carillon__meeting__init(meeting);
        meeting->days = (uint32_t)strtoul(at, &end, 16);
        meeting->start_min = (uint32_t)strtoul(end + 1, &end, 10);
        meeting->end_min = (uint32_t)strtoul(end + 1, NULL, 10);
        list[section->n_meetings++] = meeting;
    }
}

int fixture_course(struct campus_fixture *f, const char *code, int credits, const char *rule,
                   const char *const *sections)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course course = CARILLON__COURSE__INIT;
    Carillon__Course *courses[] = {&course};
    static Carillon__RuleNode nodes[LIST_MAX];
    static Carillon__Section section[LIST_MAX];
    static Carillon__Meeting meetings[LIST_MAX][8];
    static Carillon__Meeting *meeting_list[LIST_MAX][8];
    Carillon__RuleNode *node_list[LIST_MAX];
    Carillon__Section *section_list[LIST_MAX];
    char copy[1024];
    char *rest = copy;

    course.code = wire_text(code);
    course.title = wire_text(code);
    course.credits_known = credits >= 0;
    course.credits_hundredths = credits < 0 ? 0 : (uint32_t)credits;
    course.content_hash = hash_slice(slice_from_text(code));
    course.sections = section_list;
    course.prerequisites = node_list;
    (void)snprintf(copy, sizeof copy, "%s", rule == NULL ? "" : rule);
    for (char *at = strsep(&rest, " "); at != NULL && at[0] != '\0'; at = strsep(&rest, " ")) {
        parse_rule_node(at, &nodes[course.n_prerequisites]);
        node_list[course.n_prerequisites] = &nodes[course.n_prerequisites];
        course.n_prerequisites++;
    }
    for (; sections != NULL && sections[course.n_sections] != NULL; course.n_sections++) {
        size_t i = course.n_sections;

        parse_section(sections[i], &section[i], meetings[i], meeting_list[i]);
        section_list[i] = &section[i];
    }
    chunk.n_courses = 1;
    chunk.courses = courses;
    return import(f, CARILLON__IMPORT_KIND__IMPORT_COURSES, &chunk, true);
}

int fixture_simple(struct campus_fixture *f, const char *code, const char *section)
{
    const char *sections[] = {section, NULL};

    return fixture_course(f, code, 300, NULL, sections);
}

int fixture_student(struct campus_fixture *f, const char *token, uint32_t level,
                    const char *taken)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Student student = CARILLON__STUDENT__INIT;
    Carillon__Student *students[] = {&student};
    static Carillon__Taken list[LIST_MAX];
    Carillon__Taken *pointers[LIST_MAX];
    char copy[1024];
    char *rest = copy;

    student.token = wire_text(token);
    student.name = wire_text(token);
    student.level = level;
    student.taken = pointers;
    (void)snprintf(copy, sizeof copy, "%s", taken == NULL ? "" : taken);
    for (char *at = strsep(&rest, " "); at != NULL && at[0] != '\0'; at = strsep(&rest, " ")) {
        Carillon__Taken *entry = &list[student.n_taken];
        char *grade = strchr(at, '=');

        carillon__taken__init(entry);
        if (grade != NULL) {
            *grade = '\0';
            entry->grade = (uint32_t)strtoul(grade + 1, NULL, 10);
        }
        entry->code = part();
        (void)snprintf(entry->code, PART_BYTES, "%s", at);
        pointers[student.n_taken++] = entry;
    }
    chunk.n_students = 1;
    chunk.students = students;
    return import(f, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, &chunk, true);
}

int fixture_remove(struct campus_fixture *f, uint32_t kind, const char *name, bool force)
{
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    char *removed[] = {wire_text(name)};

    chunk.n_removed = 1;
    chunk.removed = removed;
    return import(f, kind, &chunk, force);
}

/* ---- submits */

struct request {
    Carillon__SubmitRequest message;
    Carillon__Op ops[LIST_MAX];
    Carillon__Op *list[LIST_MAX];
    Carillon__SectionName *drops[LIST_MAX][4];
};

static void parse_op(char *text, Carillon__Op *op, Carillon__SectionName **drops)
{
    char *more = strchr(text, '(');

    carillon__op__init(op);
    op->kind = text[0] == '-' ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
    op->waitlist = text[0] == '~';
    op->promotion_drops = drops;
    if (more != NULL) {
        *more++ = '\0';
        more[strcspn(more, ")")] = '\0';
        for (char *at = strsep(&more, ","); at != NULL; at = strsep(&more, ",")) {
            drops[op->n_promotion_drops++] = fixture_name(at);
        }
    }
    const Carillon__SectionName *name = fixture_name(text + 1);

    op->institution = name->institution;
    op->code = name->code;
    op->section = name->section;
}

static void parse_request(struct request *request, const char *student, const char *ops)
{
    static char copy[4096];
    char *rest = copy;

    carillon__submit_request__init(&request->message);
    request->message.student = wire_text(student);
    request->message.ops = request->list;
    (void)snprintf(copy, sizeof copy, "%s", ops);
    for (char *at = strsep(&rest, " "); at != NULL && at[0] != '\0'; at = strsep(&rest, " ")) {
        size_t i = request->message.n_ops++;

        parse_op(at, &request->ops[i], request->drops[i]);
        request->list[i] = &request->ops[i];
    }
}

static void say(struct campus_fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct campus_fixture *f, const char *format, ...)
{
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_int_equal(buf_append_text(&f->summary, line), OK);
}

static const char *said(struct campus_fixture *f)
{
    const char *text = buf_text(&f->summary);

    assert_non_null(text);
    return text;
}

static const char *short_name(const ProtobufCEnumDescriptor *kinds, int value, size_t prefix)
{
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(kinds, value);

    return row == NULL ? "?" : row->name + prefix;
}

static void say_outcome(struct campus_fixture *f, const Carillon__SubmitReply *reply)
{
    for (size_t i = 0; i < reply->n_changes; i++) {
        const Carillon__Change *change = reply->changes[i];

        say(f, "%s%s %s:%s#%s", i == 0 ? "" : " ",
            short_name(&carillon__change_kind__descriptor, (int)change->kind, 7),
            change->section->institution, change->section->code, change->section->section);
        if (change->waitlist_place != 0) {
            say(f, "/%u", change->waitlist_place);
        }
    }
    for (size_t i = 0; i < reply->n_refusals; i++) {
        const Carillon__Refusal *refusal = reply->refusals[i];

        say(f, "%s%s@", i == 0 ? "" : " ",
            short_name(&carillon__refusal_kind__descriptor, (int)refusal->kind, 8));
        if (refusal->op == UINT32_MAX) {
            say(f, "*");
        } else {
            say(f, "%u", refusal->op);
        }
        if (refusal->rule_node != 0) {
            say(f, "/%u", refusal->rule_node);
        }
        if (refusal->evidence[0] != '\0') {
            say(f, "[%s]", refusal->evidence);
        }
    }
}

/* SubmitReply and CheckReply have changes and refusals under the same numbers; a check's
 * receipt differs. */
static const char *summarise(struct campus_fixture *f, int status, struct slice packed,
                             bool is_check)
{
    buf_clear(&f->summary);
    if (status != OK && status != ERR_REFUSED) {
        say(f, "%s", error_name(status));
    } else if (is_check) {
        Carillon__CheckReply *reply =
            carillon__check_reply__unpack(NULL, packed.len, packed.data);

        assert_non_null(reply);
        Carillon__SubmitReply same = {.n_changes = reply->n_changes,
                                      .changes = reply->changes,
                                      .n_refusals = reply->n_refusals,
                                      .refusals = reply->refusals};

        say_outcome(f, &same);
        carillon__check_reply__free_unpacked(reply, NULL);
    } else {
        Carillon__SubmitReply *reply =
            carillon__submit_reply__unpack(NULL, packed.len, packed.data);

        assert_non_null(reply);
        assert_int_equal(reply->receipt->index, f->result.index);
        say_outcome(f, reply);
        carillon__submit_reply__free_unpacked(reply, NULL);
    }
    return said(f);
}

const char *fixture_summary(struct campus_fixture *f)
{
    return summarise(f, f->result.status, buf_slice(&f->result.reply), false);
}

const char *fixture_submit(struct campus_fixture *f, const char *student, const char *ops)
{
    static struct request request;

    parse_request(&request, student, ops);
    (void)fixture_write(f, CARILLON__METHOD__METHOD_SUBMIT, &request.message.base);
    return fixture_summary(f);
}

const char *fixture_check(struct campus_fixture *f, const char *student, const char *ops)
{
    static struct request request;

    parse_request(&request, student, ops);
    int rc = fixture_read(f, CARILLON__METHOD__METHOD_CHECK, &request.message.base);

    return summarise(f, rc, buf_slice(&f->reply), true);
}

/* ---- what became of it */

const char *fixture_schedule(struct campus_fixture *f, const char *student)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

    request.student = wire_text(student);
    int rc = fixture_read(f, CARILLON__METHOD__METHOD_SCHEDULE, &request.base);

    buf_clear(&f->summary);
    if (rc != OK) {
        return error_name(rc);
    }
    Carillon__ScheduleReply *reply =
        carillon__schedule_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_non_null(reply);
    for (size_t i = 0; i < reply->n_items; i++) {
        say(f, "%s%s#%s", i == 0 ? "" : " ", reply->items[i]->section->code,
            reply->items[i]->section->section);
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        say(f, "%s%s#%s/%u", i == 0 ? " | " : " ", reply->waitlist[i]->section->code,
            reply->waitlist[i]->section->section, reply->waitlist[i]->place);
    }
    carillon__schedule_reply__free_unpacked(reply, NULL);
    return said(f);
}

const char *fixture_roster(struct campus_fixture *f, const char *section)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;

    request.section = fixture_name(section);
    int rc = fixture_read(f, CARILLON__METHOD__METHOD_ROSTER, &request.base);

    buf_clear(&f->summary);
    if (rc != OK) {
        return error_name(rc);
    }
    Carillon__RosterReply *reply =
        carillon__roster_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_non_null(reply);
    for (size_t i = 0; i < reply->n_students; i++) {
        say(f, "%s%s%s", i == 0 ? "" : " ", reply->students[i]->token,
            reply->students[i]->over_capacity ? "!" : "");
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        say(f, "%s%s/%u", i == 0 ? " | " : " ", reply->waitlist[i]->token,
            reply->waitlist[i]->waitlist_place);
    }
    carillon__roster_reply__free_unpacked(reply, NULL);
    return said(f);
}

const char *fixture_notes(struct campus_fixture *f)
{
    static const char *const kinds[] = {"?", "promoted", "dropped", "skipped"};
    const struct campus *campus = enrol_campus(f->enrol);

    buf_clear(&f->summary);
    for (size_t i = 0; i < enrol_note_count(&f->result); i++) {
        struct enrol_note note = enrol_note_at(&f->result, i);
        struct slice token =
            campus_profile_token(campus_student(campus, note.student)->profile);

        say(f, "%s%s %.*s %.*s", i == 0 ? "" : ", ", kinds[note.kind], (int)token.len,
            token.data, (int)campus_section_id(campus_section(campus, note.section)).len,
            campus_section_id(campus_section(campus, note.section)).data);
        if (note.refusal != 0) {
            say(f, " %s[%.*s]",
                short_name(&carillon__refusal_kind__descriptor, (int)note.refusal, 8),
                (int)note.text_len, f->result.note_text.data + note.text_at);
        }
    }
    return said(f);
}

const char *fixture_verify(struct campus_fixture *f)
{
    struct enrol_verify *verify = enrol_verify_begin(f->enrol);

    while (enrol_verify_step(verify) == SM_PENDING) {
    }
    buf_clear(&f->reply);
    assert_int_equal(enrol_verify_end(verify, &f->reply), OK);
    Carillon__VerifyReply *reply =
        carillon__verify_reply__unpack(NULL, f->reply.len, f->reply.data);

    assert_non_null(reply);
    buf_clear(&f->summary);
    assert_int_equal(reply->ok, reply->n_findings == 0);
    assert_true(reply->state_hash == enrol_hash(f->enrol));
    for (size_t i = 0; i < reply->n_findings; i++) {
        say(f, "%s\n", reply->findings[i]);
    }
    carillon__verify_reply__free_unpacked(reply, NULL);
    return said(f);
}

/* ---- the registrar */

int fixture_block(struct campus_fixture *f, const char *student, const char *reason,
                  bool remove)
{
    Carillon__BlockRequest request = CARILLON__BLOCK_REQUEST__INIT;

    request.student = wire_text(student);
    request.reason = wire_text(reason);
    request.by = wire_text("reg");
    request.remove = remove;
    return fixture_write(f, CARILLON__METHOD__METHOD_BLOCK, &request.base);
}

int fixture_permit(struct campus_fixture *f, const char *student, const char *section,
                   uint32_t kinds)
{
    Carillon__PermitRequest request = CARILLON__PERMIT_REQUEST__INIT;

    request.student = wire_text(student);
    request.section = fixture_name(section);
    request.kinds = kinds;
    request.reason = wire_text("because");
    return fixture_write(f, CARILLON__METHOD__METHOD_PERMIT, &request.base);
}

int fixture_cap(struct campus_fixture *f, const char *section, int capacity)
{
    Carillon__CapRequest request = CARILLON__CAP_REQUEST__INIT;

    request.section = fixture_name(section);
    request.capacity_known = capacity >= 0;
    request.capacity = capacity < 0 ? 0 : (uint32_t)capacity;
    return fixture_write(f, CARILLON__METHOD__METHOD_CAP, &request.base);
}

int fixture_window(struct campus_fixture *f, uint64_t opens_ms, uint64_t closes_ms,
                   uint32_t level_min)
{
    Carillon__WindowRequest request = CARILLON__WINDOW_REQUEST__INIT;

    request.institution = wire_text(f->institution);
    request.term = wire_text(f->term);
    request.opens_ms = opens_ms;
    request.closes_ms = closes_ms;
    request.level_min = level_min;
    return fixture_write(f, CARILLON__METHOD__METHOD_WINDOW, &request.base);
}

int fixture_limits(struct campus_fixture *f, uint32_t courses, uint32_t credits,
                   uint32_t waitlist)
{
    Carillon__LimitsRequest request = CARILLON__LIMITS_REQUEST__INIT;

    request.institution = wire_text(f->institution);
    request.term = wire_text(f->term);
    request.courses_max = courses;
    request.credits_max_hundredths = credits;
    request.waitlist_max = waitlist;
    return fixture_write(f, CARILLON__METHOD__METHOD_LIMITS, &request.base);
}
