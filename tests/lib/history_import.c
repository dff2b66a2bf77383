/* Imports: each is a script of several requests, with other requests in between. */
#include "tests/lib/history_private.h"

#define IMPORT(name) CARILLON__IMPORT_KIND__IMPORT_##name

static ProtobufCBinaryData id_of(struct history_script *script)
{
    return wire_binary(slice_from(script->id.bytes, UUID_BYTES));
}

static void script_begin(struct history *history, struct history_script *script, uint32_t kind)
{
    uint8_t random[10];

    rng_fill(&history->rng, random, sizeof random);
    *script = (struct history_script){
        .is_running = true,
        .id = uuid_make(history->wall_ms, random),
        .kind = kind,
        .chunk_records = 1 + history__pick(history, 12),
    };
}

static bool is_course_of(const struct history *history, int course,
                         const struct history_script *script)
{
    return history->courses[course].institution == script->institution &&
           history->courses[course].term == script->term;
}

/* Stage everything that belongs to the script, as a first import does. */
static void script_stage_all(struct history *history, struct history_script *script)
{
    if (script->kind == IMPORT(COURSES)) {
        for (int i = 0; i < history->course_count; i++) {
            if (is_course_of(history, i, script)) {
                script->staged[script->staged_count++] = i;
            }
        }
        return;
    }
    for (int i = 0; i < history->student_count; i++) {
        if (history->students[i].institution == script->institution) {
            script->staged[script->staged_count++] = i;
        }
    }
}

void history__scripts_begin(struct history *history)
{
    struct history_script *script = history->scripts;

    for (int i = 0; i < history->institution_count; i++) {
        for (int j = 0; j < history->term_count; j++) {
            script_begin(history, script, IMPORT(COURSES));
            script->institution = i;
            script->term = j;
            script_stage_all(history, script++);
        }
        script_begin(history, script, IMPORT(STUDENTS));
        script->institution = i;
        script_stage_all(history, script++);
    }
}

bool history__scripts_running(const struct history *history)
{
    for (int i = 0; i < HISTORY_SCRIPTS_MAX; i++) {
        if (history->scripts[i].is_running) {
            return true;
        }
    }
    return false;
}

/* What a later file says about one course: left out, or new or changed. */
static void course_redraw(struct history *history, struct history_script *script, int course,
                          uint32_t removed_ppm)
{
    if (history__chance(history, removed_ppm)) {
        script->removed[script->removed_count++] = course;
    } else if (history__chance(history, 300000)) {
        history__course_change(history, &history->courses[course]);
        script->staged[script->staged_count++] = course;
    }
}

static void student_redraw(struct history *history, struct history_script *script, int student,
                           uint32_t removed_ppm)
{
    if (history__chance(history, removed_ppm)) {
        script->removed[script->removed_count++] = student;
    } else if (history__chance(history, 200000)) {
        history__student_draw(history, &history->students[student]);
        script->staged[script->staged_count++] = student;
    }
}

static void script_draw(struct history *history, struct history_script *script)
{
    bool is_shrink = history__chance(history, history->odds.shrink);
    uint32_t removed_ppm = is_shrink ? 800000 : 60000;

    script_begin(history, script,
                 history__chance(history, 600000) ? IMPORT(COURSES) : IMPORT(STUDENTS));
    script->institution = history__pick(history, history->institution_count);
    if (script->kind == IMPORT(COURSES)) {
        script->term = history__pick(history, history->term_count);
        for (int i = 0; i < history->course_count; i++) {
            if (is_course_of(history, i, script)) {
                course_redraw(history, script, i, removed_ppm);
            }
        }
        return;
    }
    for (int i = 0; i < history->student_count; i++) {
        if (history->students[i].institution == script->institution) {
            student_redraw(history, script, i, removed_ppm);
        }
    }
}

static int chunk_count(const struct history_script *script)
{
    int chunks = (script->staged_count + script->chunk_records - 1) / script->chunk_records;

    return chunks == 0 ? 1 : chunks;
}

static const struct model_import *import_of(const struct model *model,
                                            const struct history_script *script)
{
    for (int i = 0; i < model->imports.count; i++) {
        if (memcmp(model->imports.items[i].id, script->id.bytes, UUID_BYTES) == 0) {
            return &model->imports.items[i];
        }
    }
    return NULL;
}

static void begin_draw(struct history *history, struct history_script *script,
                       struct history_op *op)
{
    Carillon__ImportBeginRequest request = CARILLON__IMPORT_BEGIN_REQUEST__INIT;

    request.kind = script->kind;
    request.institution = history__institution(history, script->institution);
    if (script->kind == IMPORT(COURSES)) {
        request.term = history__term(history, script->term);
    }
    request.import_id = id_of(script);
    request.by = history__text(history, "registrar");
    request.source_name = history__text(history, "file");
    script->is_begun = true;
    if (history->is_built && history__chance(history, history->odds.bad_import / 8)) {
        request.import_id.len--;
        script->is_begun = false;
    } else if (history->is_built && history__chance(history, history->odds.bad_import / 8)) {
        request.kind = IMPORT(NONE);
        script->is_begun = false;
    }
    history__body(op, CARILLON__METHOD__METHOD_IMPORT_BEGIN, &request.base);
}

/* Make one record of a chunk unacceptable. */
static void chunk_spoil(struct history *history, Carillon__ImportChunkRequest *request)
{
    int kind = history__pick(history, 6);

    if (kind == 0) {
        request->sequence++;
    } else if (request->n_courses > 0) {
        Carillon__Course *course = request->courses[0];

        if (kind == 1) {
            course->term = history__text(history, "t9");
        } else if (kind == 2) {
            course->code = history__text(history, "%s", "");
        } else if (kind == 3 && course->n_prerequisites > 0) {
            course->n_prerequisites--; /* a tree cut short, or a smaller one */
        } else if (kind == 4) {
            request->courses[request->n_courses++] = course;
        } else if (course->n_sections > 1) {
            course->sections[1]->id = course->sections[0]->id;
        }
    } else if (request->n_students > 0) {
        Carillon__Student *student = request->students[0];

        if (kind == 1) {
            student->institution = history__text(history, "u9");
        } else if (kind == 2) {
            student->token = history__text(history, "%s", "");
        } else if (kind == 3) {
            student->token =
                history__token(history, history__pick(history, history->student_count));
        } else {
            request->students[request->n_students++] = student;
        }
    }
}

static void removed_push(struct history *history, const struct history_script *script,
                         Carillon__ImportChunkRequest *request)
{
    request->removed = history__zero(history, HISTORY_STUDENTS_MAX * sizeof *request->removed);
    for (int i = 0; i < script->removed_count; i++) {
        request->removed[request->n_removed++] =
            script->kind == IMPORT(COURSES)
                ? history__code(history, history->courses[script->removed[i]].code)
                : history__token(history, script->removed[i]);
    }
}

static void chunk_draw(struct history *history, struct history_script *script, int chunk,
                       bool is_new, struct history_op *op)
{
    Carillon__ImportChunkRequest request = CARILLON__IMPORT_CHUNK_REQUEST__INIT;
    int from = chunk * script->chunk_records;

    request.import_id = id_of(script);
    request.sequence = (uint32_t)chunk;
    /* Room for the one that chunk_spoil() puts in twice. */
    request.courses = history__zero(history, 16 * sizeof *request.courses);
    request.students = history__zero(history, 16 * sizeof *request.students);
    for (int i = from; i < from + script->chunk_records && i < script->staged_count; i++) {
        if (script->kind == IMPORT(COURSES)) {
            request.courses[request.n_courses++] =
                history__course_message(history, script->staged[i]);
        } else {
            request.students[request.n_students++] =
                history__student_message(history, script->staged[i]);
        }
    }
    if (chunk == chunk_count(script) - 1) {
        removed_push(history, script, &request);
    }
    /* What a chunk of before says does not matter, so only new ones are spoiled. */
    if (history->is_built && is_new && history__chance(history, history->odds.bad_import)) {
        chunk_spoil(history, &request);
    }
    history__body(op, CARILLON__METHOD__METHOD_IMPORT_CHUNK, &request.base);
}

static void commit_draw(struct history *history, struct history_script *script,
                        struct history_op *op)
{
    Carillon__ImportCommitRequest request = CARILLON__IMPORT_COMMIT_REQUEST__INIT;

    request.import_id = id_of(script);
    request.chunks = (uint32_t)chunk_count(script);
    request.force = script->is_closing && history__chance(history, 500000);
    if (history->is_built && history__chance(history, history->odds.bad_import / 4)) {
        request.chunks++;
    }
    script->is_closing = true;
    history__body(op, CARILLON__METHOD__METHOD_IMPORT_COMMIT, &request.base);
}

static void abort_draw(struct history_script *script, struct history_op *op)
{
    Carillon__ImportAbortRequest request = CARILLON__IMPORT_ABORT_REQUEST__INIT;

    request.import_id = id_of(script);
    script->is_running = false;
    history__body(op, CARILLON__METHOD__METHOD_IMPORT_ABORT, &request.base);
}

/* A running script, or one that begins now. The first imports run one after the other. */
static struct history_script *script_pick(struct history *history)
{
    struct history_script *script = &history->scripts[history__pick(history, 2)];

    if (!history->is_built) {
        script = history->scripts;
        while (!script->is_running) {
            script++;
        }
    } else if (!script->is_running) {
        script_draw(history, script);
    }
    return script;
}

void history__import(struct history *history, const struct model *model, struct history_op *op)
{
    struct history_script *script = script_pick(history);
    const struct model_import *import = import_of(model, script);
    uint32_t odd = history->is_built ? history->odds.bad_import : 0;

    if (!script->is_begun) {
        begin_draw(history, script, op);
        return;
    }
    if (import == NULL || history__chance(history, odd / 6)) {
        /* Committed, or ended by a newer one: a last word that may come too late. */
        if (history__chance(history, odd / 2)) {
            commit_draw(history, script, op);
            script->is_running = false;
            return;
        }
        abort_draw(script, op);
        return;
    }
    if (history__chance(history, odd / 8)) {
        begin_draw(history, script, op);
        script->is_begun = true;
        return;
    }
    if (import->chunk_count > 0 && history__chance(history, odd / 2)) {
        chunk_draw(history, script, history__pick(history, (int)import->chunk_count), false,
                   op);
        return;
    }
    if ((int)import->chunk_count < chunk_count(script)) {
        chunk_draw(history, script, (int)import->chunk_count, true, op);
        return;
    }
    commit_draw(history, script, op);
}
