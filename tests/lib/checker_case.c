#include "tests/lib/checker_case.h"

#include <stdlib.h>

#include "base/assert.h"
#include "wire/message.h"

enum { START_MS = 1000000 };

static void apply(struct checker_case *c, uint32_t method, const ProtobufCMessage *request,
                  bool is_new_key)
{
    uint8_t random[10] = {0};
    struct model_entry entry;
    struct uuid uuid;
    int status;

    if (is_new_key) {
        random[9] = ++c->key_count;
        uuid = uuid_make(START_MS, random);
        memcpy(c->key, uuid.bytes, UUID_BYTES);
    }
    buf_clear(&c->body);
    status = wire_pack(request, &c->body);
    ASSERT(status == OK);
    entry = (struct model_entry){
        .index = c->model.index + 1,
        .term = 1,
        .wall_ms = START_MS + c->model.index,
        .method = method,
        .key = slice_from(c->key, UUID_BYTES),
        .body = buf_slice(&c->body),
    };
    c->method = method;
    model_apply(&c->model, &entry, &c->last);
    if (c->observe != NULL) {
        c->observe(c->context, &entry, &c->last);
    }
}

void checker_case_apply(struct checker_case *c, uint32_t method,
                        const ProtobufCMessage *request)
{
    apply(c, method, request, true);
}

void checker_case_import(struct checker_case *c, uint32_t kind, const char *institution,
                         Carillon__ImportChunkRequest *chunk)
{
    Carillon__ImportBeginRequest begin = CARILLON__IMPORT_BEGIN_REQUEST__INIT;
    Carillon__ImportCommitRequest commit = CARILLON__IMPORT_COMMIT_REQUEST__INIT;
    struct uuid id = uuid_make(START_MS + c->model.index, (uint8_t[10]){9});

    begin.kind = kind;
    begin.institution = wire_text(institution);
    begin.term = wire_text(kind == CARILLON__IMPORT_KIND__IMPORT_COURSES ? "t" : "");
    begin.import_id = wire_binary(slice_from(id.bytes, UUID_BYTES));
    chunk->import_id = begin.import_id;
    commit.import_id = begin.import_id;
    commit.chunks = 1;
    apply(c, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &begin.base, true);
    apply(c, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &chunk->base, true);
    apply(c, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &commit.base, true);
    ASSERT(c->last.status == OK);
}

static void courses_import(struct checker_case *c)
{
    static const char *const codes[] = {"A", "B", "C"};
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Course courses[3];
    Carillon__Course *course_list[3];
    Carillon__Section sections[3];
    Carillon__Section *section_list[3];
    Carillon__Meeting meeting = CARILLON__MEETING__INIT;
    Carillon__Meeting *meetings[] = {&meeting};
    Carillon__RuleNode rule = CARILLON__RULE_NODE__INIT;
    Carillon__RuleNode *rules[] = {&rule};

    meeting.days = 1;
    meeting.start_min = 540;
    meeting.end_min = 600;
    rule.kind = CARILLON__RULE_KIND__RULE_COURSE;
    rule.code = wire_text("Z");
    for (int i = 0; i < 3; i++) {
        carillon__section__init(&sections[i]);
        sections[i].id = wire_text("1");
        sections[i].capacity_known = true;
        sections[i].capacity = i == 0 ? 1 : 2;
        sections[i].n_meetings = i < 2;
        sections[i].meetings = meetings;
        section_list[i] = &sections[i];
        carillon__course__init(&courses[i]);
        courses[i].institution = wire_text("u");
        courses[i].term = wire_text("t");
        courses[i].code = wire_text(codes[i]);
        courses[i].credits_known = true;
        courses[i].credits_hundredths = 400;
        courses[i].n_sections = 1;
        courses[i].sections = &section_list[i];
        courses[i].n_prerequisites = i == 2;
        courses[i].prerequisites = rules;
        course_list[i] = &courses[i];
    }
    chunk.n_courses = 3;
    chunk.courses = course_list;
    checker_case_import(c, CARILLON__IMPORT_KIND__IMPORT_COURSES, "u", &chunk);
}

static void students_import(struct checker_case *c)
{
    static const char *const tokens[] = {"s1", "s2", "s3"};
    Carillon__ImportChunkRequest chunk = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    Carillon__Student students[3];
    Carillon__Student *list[3];

    for (int i = 0; i < 3; i++) {
        carillon__student__init(&students[i]);
        students[i].institution = wire_text("u");
        students[i].token = wire_text(tokens[i]);
        list[i] = &students[i];
    }
    chunk.n_students = 3;
    chunk.students = list;
    checker_case_import(c, CARILLON__IMPORT_KIND__IMPORT_STUDENTS, "u", &chunk);
}

enum { OPS_MAX = 4 };

/* A submit and what it is made of. */
struct submit {
    Carillon__SubmitRequest request;
    Carillon__Op ops[OPS_MAX];
    Carillon__Op *op_list[OPS_MAX];
    char codes[2 * OPS_MAX][2];
    Carillon__SectionName drops[OPS_MAX];
    Carillon__SectionName *drop_list[OPS_MAX];
};

static char *code_of(struct submit *submit, size_t at, char letter)
{
    submit->codes[at][0] = letter;
    submit->codes[at][1] = '\0';
    return submit->codes[at];
}

static void ops_parse(struct submit *submit, const char *ops)
{
    for (; *ops != '\0'; ops += 2) {
        size_t at = submit->request.n_ops;
        Carillon__Op *op = &submit->ops[at];

        if (*ops == '<') {
            at--;
            carillon__section_name__init(&submit->drops[at]);
            submit->drops[at].code = code_of(submit, OPS_MAX + at, ops[1]);
            submit->drop_list[at] = &submit->drops[at];
            submit->ops[at].n_promotion_drops = 1;
            submit->ops[at].promotion_drops = &submit->drop_list[at];
            continue;
        }
        ASSERT(at < OPS_MAX);
        carillon__op__init(op);
        op->kind = *ops == '-' ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;
        op->waitlist = *ops == '~';
        op->code = code_of(submit, at, ops[1]);
        submit->op_list[submit->request.n_ops++] = op;
    }
}

static void submit(struct checker_case *c, const char *student, const char *ops,
                   bool is_new_key)
{
    struct submit made;

    carillon__submit_request__init(&made.request);
    made.request.student = wire_text(student);
    made.request.ops = made.op_list;
    ops_parse(&made, ops);
    apply(c, CARILLON__METHOD__METHOD_SUBMIT, &made.request.base, is_new_key);
}

void checker_case_submit(struct checker_case *c, const char *student, const char *ops)
{
    submit(c, student, ops, true);
}

void checker_case_submit_again(struct checker_case *c, const char *student, const char *ops)
{
    submit(c, student, ops, false);
}

struct checker_case *checker_case_create(checker_case_observe *observe, void *context)
{
    static const uint8_t cluster[UUID_BYTES] = {1};
    struct checker_case *c = calloc(1, sizeof *c);

    ASSERT(c != NULL);
    c->observe = observe;
    c->context = context;
    model_init(&c->model, cluster, 1);
    buf_init(&c->body, CHECKER_CASE_BYTES);
    buf_init(&c->reply, CHECKER_CASE_BYTES);
    buf_init(&c->why, CHECKER_CASE_BYTES);
    courses_import(c);
    students_import(c);
    return c;
}

void checker_case_destroy(struct checker_case *c)
{
    model_fini(&c->model);
    buf_fini(&c->body);
    buf_fini(&c->reply);
    buf_fini(&c->why);
    free(c);
}

int checker_case_setup(void **state)
{
    *state = checker_case_create(NULL, NULL);
    return 0;
}

int checker_case_teardown(void **state)
{
    checker_case_destroy(*state);
    return 0;
}
