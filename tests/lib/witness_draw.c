#include "tests/lib/witness_draw.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/rng.h"
#include "tests/lib/checker.h"
#include "wire/message.h"

enum {
    COURSES_MAX = 8,
    SECTIONS_MAX = 2,
    STUDENTS_MAX = 10,
    UNDER_WAY_MAX = 6,
    OPS_MAX = 3,
    PAST_MAX = 16,
    TEXT_BYTES = 16,
    REPLY_BYTES = 1 << 18,
    START_MS = 1000000,
    FAR_MS = 1 << 30,
};

/* A request: its message, packed, and what became of it. */
struct asked {
    uint64_t call;
    uint32_t method;
    struct uuid key;
    struct buf body;
    struct buf reply;
    int status;
    bool is_write;
    bool is_done;  /* performed or read; the answer is on its way */
    bool is_never; /* never to be performed */
};

struct draw {
    struct rng rng;
    const struct witness_draw_options *options;
    struct witness_record *record;
    struct model model;
    struct arena scratch; /* of the request being made */
    uint64_t term;
    uint64_t keys;
    uint32_t courses;
    uint32_t students;
    uint32_t sections[COURSES_MAX];
    struct asked asked[UNDER_WAY_MAX];
    uint32_t under_way;
    struct asked past[PAST_MAX]; /* to be asked once more */
    uint32_t past_count;
};

static uint32_t below(struct draw *draw, uint32_t bound)
{
    return (uint32_t)rng_below(&draw->rng, bound);
}

static void *make(struct draw *draw, size_t size)
{
    void *made = arena_alloc(&draw->scratch, size);

    ASSERT(made != NULL);
    return made;
}

static char *text(struct draw *draw, const char *letter, uint32_t number)
{
    char *made = make(draw, TEXT_BYTES);

    (void)snprintf(made, TEXT_BYTES, "%s%u", letter, number);
    return made;
}

/* ---- entries ---- */

static void apply(struct draw *draw, uint32_t method, const struct uuid *key, struct slice body,
                  struct model_result *ret_result)
{
    if (rng_chance(&draw->rng, 20000)) {
        draw->term++;
    }
    struct model_entry entry = {
        .index = draw->model.index + 1 + (rng_chance(&draw->rng, 100000) ? below(draw, 3) : 0),
        .term = draw->term,
        .wall_ms = START_MS + draw->model.index,
        .method = method,
        .body = body,
    };

    if (key != NULL) {
        entry.key = slice_from(key->bytes, UUID_BYTES);
    }
    model_apply(&draw->model, &entry, ret_result);
}

static struct uuid key_make(struct draw *draw)
{
    uint8_t random[10] = {0};

    draw->keys++;
    random[8] = (uint8_t)(draw->keys >> 8);
    random[9] = (uint8_t)draw->keys;
    return uuid_make(START_MS, random);
}

/* ---- the catalogue ---- */

static void rule_draw(struct draw *draw, Carillon__Course *course, uint32_t number)
{
    static const char *const words[] = {"needs", "with", "level"};
    uint32_t kind = below(draw, 3);
    uint32_t other = (number + 1) % draw->courses;
    Carillon__RuleNode *node = make(draw, sizeof *node);

    carillon__rule_node__init(node);
    course->prerequisites = make(draw, sizeof(void *));
    course->prerequisites[0] = node;
    course->n_prerequisites = 1;
    if (kind == 2) {
        node->kind = CARILLON__RULE_KIND__RULE_LEVEL;
        node->count = 2;
        (void)fprintf(draw->record->file, " %s 2", words[kind]);
    } else {
        node->kind = CARILLON__RULE_KIND__RULE_COURSE;
        node->code = text(draw, "C", other);
        node->concurrent = kind == 1;
        (void)fprintf(draw->record->file, " %s C%u", words[kind], other);
    }
}

static Carillon__Section *section_draw(struct draw *draw, uint32_t course, uint32_t number)
{
    Carillon__Section *section = make(draw, sizeof *section);
    Carillon__Meeting *meeting = make(draw, sizeof *meeting);

    carillon__section__init(section);
    carillon__meeting__init(meeting);
    section->id = text(draw, "", number + 1);
    section->capacity_known = !rng_chance(&draw->rng, 100000);
    section->capacity = section->capacity_known ? 1 + below(draw, 3) : 0;
    (void)fprintf(draw->record->file, "section C%u#%s ", course, section->id);
    (void)fprintf(draw->record->file, section->capacity_known ? "%u" : "none",
                  section->capacity);
    if (rng_chance(&draw->rng, 600000)) {
        meeting->days = 1U << below(draw, 2);
        meeting->start_min = 540 + 30 * below(draw, 6);
        meeting->end_min = meeting->start_min + 60;
        section->meetings = make(draw, sizeof(void *));
        section->meetings[0] = meeting;
        section->n_meetings = 1;
        (void)fprintf(draw->record->file, " %u:%u-%u", meeting->days, meeting->start_min,
                      meeting->end_min);
    }
    (void)fputc('\n', draw->record->file);
    return section;
}

static Carillon__Course *course_draw(struct draw *draw, uint32_t number)
{
    Carillon__Course *course = make(draw, sizeof *course);

    carillon__course__init(course);
    course->institution = wire_text("u");
    course->term = wire_text("t");
    course->code = text(draw, "C", number);
    course->credits_known = !rng_chance(&draw->rng, 100000);
    course->credits_hundredths = course->credits_known ? 100 * (1 + below(draw, 6)) : 0;
    (void)fprintf(draw->record->file, "course %s ", course->code);
    (void)fprintf(draw->record->file, course->credits_known ? "%u" : "unknown",
                  course->credits_hundredths);
    if (rng_chance(&draw->rng, 250000)) {
        rule_draw(draw, course, number);
    }
    (void)fputc('\n', draw->record->file);
    draw->sections[number] = 1 + below(draw, SECTIONS_MAX);
    course->sections = make(draw, SECTIONS_MAX * sizeof(void *));
    for (uint32_t i = 0; i < draw->sections[number]; i++) {
        course->sections[course->n_sections++] = section_draw(draw, number, i);
    }
    return course;
}

static Carillon__Student *student_draw(struct draw *draw, uint32_t number)
{
    Carillon__Student *student = make(draw, sizeof *student);
    Carillon__Taken *taken = make(draw, sizeof *taken);

    carillon__student__init(student);
    carillon__taken__init(taken);
    student->institution = wire_text("u");
    student->token = text(draw, "s", number);
    student->level = 1 + below(draw, 3);
    (void)fprintf(draw->record->file, "student %s level %u", student->token, student->level);
    if (rng_chance(&draw->rng, 300000)) {
        taken->code = text(draw, "C", below(draw, draw->courses));
        student->taken = make(draw, sizeof(void *));
        student->taken[0] = taken;
        student->n_taken = 1;
        (void)fprintf(draw->record->file, " taken %s", taken->code);
    }
    (void)fputc('\n', draw->record->file);
    return student;
}

static void import_step(struct draw *draw, uint32_t method, const ProtobufCMessage *request)
{
    struct uuid key = key_make(draw);
    struct model_result result;
    struct buf body;

    buf_init(&body, REPLY_BYTES);
    int rc = wire_pack(request, &body);
    ASSERT(rc == OK);
    apply(draw, method, &key, buf_slice(&body), &result);
    ASSERT(result.status == OK);
    buf_fini(&body);
}

static void import(struct draw *draw, uint32_t kind, Carillon__ImportChunkRequest *chunk)
{
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    struct uuid id = key_make(draw);

    begin.kind = kind;
    begin.institution = wire_text("u");
    begin.term = wire_text(kind == CARILLON__IMPORT_KIND__IMPORT_COURSES ? "t" : "");
    begin.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
    chunk->import_id = begin.import_id;
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    import_step(draw, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base);
    import_step(draw, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base);
    import_step(draw, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base);
}

static void catalogue_draw(struct draw *draw)
{
    Carillon__ImportChunkRequest courses = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__ImportChunkRequest students = CARILLON__IMPORT_CHUNK_REQUEST__INIT;

    draw->courses = 3 + below(draw, COURSES_MAX - 2);
    draw->students = 3 + below(draw, STUDENTS_MAX - 2);
    courses.courses = make(draw, COURSES_MAX * sizeof(void *));
    students.students = make(draw, STUDENTS_MAX * sizeof(void *));
    for (uint32_t i = 0; i < draw->courses; i++) {
        courses.courses[courses.n_courses++] = course_draw(draw, i);
    }
    for (uint32_t i = 0; i < draw->students; i++) {
        students.students[students.n_students++] = student_draw(draw, i);
    }
    import(draw, CARILLON__IMPORT_KIND__IMPORT_COURSES, &courses);
    import(draw, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, &students);
}

/* ---- requests ---- */

static Carillon__SectionName *name_draw(struct draw *draw)
{
    Carillon__SectionName *name = make(draw, sizeof *name);
    uint32_t course = below(draw, draw->courses);

    carillon__section_name__init(name);
    name->code = text(draw, "C", course);
    name->section = text(draw, "", 1 + below(draw, draw->sections[course]));
    return name;
}

/* A section that somebody has, mostly of @student, when there is any. */
static Carillon__SectionName *held_draw(struct draw *draw, const char *student)
{
    Carillon__SectionName *name = name_draw(draw);
    int who = model_student_find(&draw->model, student);
    int count = draw->model.registrations.count;
    int from = count == 0 ? 0 : (int)below(draw, (uint32_t)count);

    for (int i = 0; i < count; i++) {
        const struct model_registration *held =
            &draw->model.registrations.items[(from + i) % count];

        if (held->student == who) {
            name->code = (char *)(uintptr_t)model_course_of(&draw->model, held->section)->code;
            name->section = draw->model.sections.items[held->section].id;
            break;
        }
    }
    return name;
}

static Carillon__Op *op_draw(struct draw *draw, const char *student)
{
    Carillon__Op *op = make(draw, sizeof *op);
    bool is_drop = rng_chance(&draw->rng, 300000);
    const Carillon__SectionName *name =
        is_drop && rng_chance(&draw->rng, 800000) ? held_draw(draw, student) : name_draw(draw);

    carillon__op__init(op);
    op->kind = is_drop ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
    op->code = name->code;
    op->section = name->section;
    op->waitlist = !is_drop && rng_chance(&draw->rng, 500000);
    if (op->waitlist && rng_chance(&draw->rng, 300000)) {
        op->promotion_drops = make(draw, sizeof(void *));
        op->promotion_drops[0] = held_draw(draw, student);
        op->n_promotion_drops = 1;
    }
    return op;
}

static const ProtobufCMessage *submit_draw(struct draw *draw)
{
    Carillon__SubmitRequest *request = make(draw, sizeof *request);
    uint32_t ops = rng_chance(&draw->rng, 600000) ? 1 : 1 + below(draw, OPS_MAX);

    carillon__submit_request__init(request);
    request->student = text(draw, "s", below(draw, draw->students));
    request->ops = make(draw, OPS_MAX * sizeof(void *));
    for (uint32_t i = 0; i < ops; i++) {
        request->ops[request->n_ops++] = op_draw(draw, request->student);
    }
    return &request->base;
}

static const ProtobufCMessage *cap_draw(struct draw *draw)
{
    Carillon__CapRequest *request = make(draw, sizeof *request);

    carillon__cap_request__init(request);
    request->section = name_draw(draw);
    request->capacity_known = !rng_chance(&draw->rng, 100000);
    request->capacity = below(draw, 4);
    return &request->base;
}

static const ProtobufCMessage *block_draw(struct draw *draw)
{
    Carillon__BlockRequest *request = make(draw, sizeof *request);

    carillon__block_request__init(request);
    request->student = text(draw, "s", below(draw, draw->students));
    request->remove = rng_chance(&draw->rng, 700000);
    request->reason = request->remove && rng_chance(&draw->rng, 600000)
                          ? wire_text("")
                          : text(draw, "reason", below(draw, 2));
    return &request->base;
}

static const ProtobufCMessage *permit_draw(struct draw *draw)
{
    Carillon__PermitRequest *request = make(draw, sizeof *request);

    carillon__permit_request__init(request);
    request->student = text(draw, "s", below(draw, draw->students));
    request->section = name_draw(draw);
    request->kinds = below(draw, 8);
    return &request->base;
}

static const ProtobufCMessage *limits_draw(struct draw *draw)
{
    Carillon__LimitsRequest *request = make(draw, sizeof *request);

    carillon__limits_request__init(request);
    request->institution = wire_text("u");
    request->term = wire_text("t");
    request->courses_max = 1 + below(draw, 5);
    request->credits_max_hundredths = 100 * below(draw, 15);
    request->waitlist_max = below(draw, 3);
    return &request->base;
}

static const ProtobufCMessage *window_draw(struct draw *draw)
{
    Carillon__WindowRequest *request = make(draw, sizeof *request);
    uint32_t kind = below(draw, 8);

    carillon__window_request__init(request);
    request->institution = wire_text("u");
    request->term = wire_text("t");
    request->opens_ms = kind == 0 ? 1 : kind == 1 ? FAR_MS : 0;
    request->closes_ms = kind == 0 ? 1 : 0;
    request->level_min = kind == 2 ? 2 : 0;
    return &request->base;
}

static const ProtobufCMessage *schedule_draw(struct draw *draw)
{
    Carillon__ScheduleRequest *request = make(draw, sizeof *request);

    carillon__schedule_request__init(request);
    request->student = text(draw, "s", below(draw, draw->students));
    return &request->base;
}

static const ProtobufCMessage *roster_draw(struct draw *draw)
{
    Carillon__RosterRequest *request = make(draw, sizeof *request);

    carillon__roster_request__init(request);
    request->section = name_draw(draw);
    return &request->base;
}

/* ---- a request's way ---- */

static void asked_fini(struct asked *asked)
{
    buf_fini(&asked->body);
    buf_fini(&asked->reply);
}

static struct asked *asked_add(struct draw *draw, uint32_t method, const struct uuid *key,
                               const ProtobufCMessage *message, bool is_write)
{
    struct asked *asked = &draw->asked[draw->under_way++];

    *asked = (struct asked){.method = method, .key = *key, .is_write = is_write};
    buf_init(&asked->body, REPLY_BYTES);
    buf_init(&asked->reply, REPLY_BYTES);
    int rc = wire_pack(message, &asked->body);
    ASSERT(rc == OK);
    asked->call =
        witness_record_call(draw->record, method, is_write ? key->bytes : NULL, message);
    asked->is_never = is_write && rng_chance(&draw->rng, draw->options->never_ppm);
    return asked;
}

static void ask(struct draw *draw)
{
    static const struct {
        uint32_t weight;
        uint32_t method;
        const ProtobufCMessage *(*make)(struct draw *draw);
    } rows[] = {
        {70, CARILLON__METHOD__METHOD_SUBMIT,   submit_draw  },
        {5,  CARILLON__METHOD__METHOD_CAP,      cap_draw     },
        {3,  CARILLON__METHOD__METHOD_BLOCK,    block_draw   },
        {4,  CARILLON__METHOD__METHOD_PERMIT,   permit_draw  },
        {1,  CARILLON__METHOD__METHOD_LIMITS,   limits_draw  },
        {2,  CARILLON__METHOD__METHOD_WINDOW,   window_draw  },
        {8,  CARILLON__METHOD__METHOD_SCHEDULE, schedule_draw},
        {7,  CARILLON__METHOD__METHOD_ROSTER,   roster_draw  },
    };
    uint32_t dice = below(draw, 100);
    size_t row = 0;

    while (dice >= rows[row].weight) {
        dice -= rows[row++].weight;
    }
    struct uuid key = key_make(draw);
    bool is_write = rows[row].method != CARILLON__METHOD__METHOD_SCHEDULE &&
                    rows[row].method != CARILLON__METHOD__METHOD_ROSTER;

    arena_reset(&draw->scratch);
    (void)asked_add(draw, rows[row].method, &key, rows[row].make(draw), is_write);
}

static void *unpacked(struct draw *draw, const struct asked *asked)
{
    void *message = NULL;

    arena_reset(&draw->scratch);
    if (asked->method == CARILLON__METHOD__METHOD_SUBMIT) {
        message = wire_unpack(&carillon__submit_request__descriptor, buf_slice(&asked->body),
                              &draw->scratch);
    } else if (asked->method == CARILLON__METHOD__METHOD_SCHEDULE) {
        message = wire_unpack(&carillon__schedule_request__descriptor, buf_slice(&asked->body),
                              &draw->scratch);
    } else if (asked->method == CARILLON__METHOD__METHOD_ROSTER) {
        message = wire_unpack(&carillon__roster_request__descriptor, buf_slice(&asked->body),
                              &draw->scratch);
    }
    ASSERT(message != NULL);
    return message;
}

/* The same submit with the same key, or what became of it. */
static void ask_again(struct draw *draw)
{
    const struct asked *past = &draw->past[below(draw, draw->past_count)];
    const Carillon__SubmitRequest *submit = unpacked(draw, past);

    if (rng_chance(&draw->rng, 500000)) {
        (void)asked_add(draw, past->method, &past->key, &submit->base, true);
        return;
    }
    Carillon__OutcomeRequest outcome = CARILLON__OUTCOME_REQUEST__INIT;

    outcome.student = submit->student;
    outcome.key = wire_binary(slice_from(past->key.bytes, UUID_BYTES));
    (void)asked_add(draw, CARILLON__METHOD__METHOD_OUTCOME, &past->key, &outcome.base, false);
}

static void look(struct draw *draw, struct asked *asked)
{
    const struct model *model = &draw->model;

    if (asked->method == CARILLON__METHOD__METHOD_OUTCOME) {
        checker_outcome_pack(model, model_answer_find(model, asked->key.bytes), &asked->reply);
    } else if (asked->method == CARILLON__METHOD__METHOD_SCHEDULE) {
        const Carillon__ScheduleRequest *request = unpacked(draw, asked);

        checker_schedule_pack(model, model_student_find(model, request->student),
                              &asked->reply);
    } else {
        const Carillon__RosterRequest *request = unpacked(draw, asked);
        int section = MODEL_NONE;
        int rc = model_resolve(model, request->section, &section);

        ASSERT(rc == OK);
        checker_roster_pack(model, section, &asked->reply);
    }
}

static void perform(struct draw *draw, struct asked *asked)
{
    struct model_result result;

    asked->is_done = true;
    if (!asked->is_write) {
        look(draw, asked);
        return;
    }
    apply(draw, asked->method, &asked->key, buf_slice(&asked->body), &result);
    asked->status = result.status;
    int rc = buf_append(&asked->reply, result.reply.data, result.reply.len);
    ASSERT(rc == OK);
}

static void forget(struct draw *draw, uint32_t at)
{
    struct asked *asked = &draw->asked[at];

    if (asked->method == CARILLON__METHOD__METHOD_SUBMIT && draw->past_count < PAST_MAX) {
        draw->past[draw->past_count++] = *asked;
    } else {
        asked_fini(asked);
    }
    *asked = draw->asked[--draw->under_way];
}

static void answer(struct draw *draw, uint32_t at)
{
    struct asked *asked = &draw->asked[at];

    if (!asked->is_write || !rng_chance(&draw->rng, draw->options->lost_ppm)) {
        witness_record_done(draw->record, asked->call, asked->method, asked->status,
                            buf_slice(&asked->reply));
    }
    forget(draw, at);
}

/* One of those under way comes a step further. */
static void go_on(struct draw *draw)
{
    uint32_t at = below(draw, draw->under_way);

    if (draw->asked[at].is_done) {
        answer(draw, at);
    } else if (draw->asked[at].is_never) {
        forget(draw, at);
    } else {
        perform(draw, &draw->asked[at]);
    }
}

static void read_all(struct draw *draw)
{
    struct uuid key = key_make(draw);

    for (uint32_t i = 0; i < draw->students; i++) {
        Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

        arena_reset(&draw->scratch);
        request.student = text(draw, "s", i);
        perform(draw,
                asked_add(draw, CARILLON__METHOD__METHOD_SCHEDULE, &key, &request.base, false));
        answer(draw, 0);
    }
    for (uint32_t i = 0; i < draw->courses; i++) {
        for (uint32_t k = 0; k < draw->sections[i]; k++) {
            Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
            Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

            arena_reset(&draw->scratch);
            name.code = text(draw, "C", i);
            name.section = text(draw, "", k + 1);
            request.section = &name;
            perform(draw, asked_add(draw, CARILLON__METHOD__METHOD_ROSTER, &key, &request.base,
                                    false));
            answer(draw, 0);
        }
    }
}

void witness_draw(uint64_t seed, const struct witness_draw_options *options,
                  struct witness_record *record)
{
    static const uint8_t cluster[UUID_BYTES] = {7};
    struct draw *draw = calloc(1, sizeof *draw);

    ASSERT(draw != NULL);
    draw->options = options;
    draw->record = record;
    draw->term = 1;
    rng_init(&draw->rng, seed);
    arena_init(&draw->scratch, 1 << 22);
    model_init(&draw->model, cluster, 1);
    catalogue_draw(draw);
    for (uint32_t i = 0; i < options->requests;) {
        if (draw->under_way == UNDER_WAY_MAX ||
            (draw->under_way > 0 && rng_chance(&draw->rng, 650000))) {
            go_on(draw);
        } else if (draw->past_count > 0 && rng_chance(&draw->rng, 60000)) {
            ask_again(draw);
            i++;
        } else {
            ask(draw);
            i++;
        }
    }
    while (draw->under_way > 0) {
        go_on(draw);
    }
    read_all(draw);
    for (uint32_t i = 0; i < draw->past_count; i++) {
        asked_fini(&draw->past[i]);
    }
    witness_record_flush(record);
    model_fini(&draw->model);
    arena_fini(&draw->scratch);
    free(draw);
}
