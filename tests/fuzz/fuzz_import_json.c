/* Whatever a line of a JSON Lines file holds: it is refused with a finding, or it becomes a
 * message that packs within its bound and that, exported and read again, is the same message.
 * The first byte chooses between courses and students. */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "carillon/export.h"
#include "carillon/import_record.h"

enum { ARENA_BYTES = 64 << 20, INPUT_BYTES_MAX = 1 << 16 };

struct outcome {
    Carillon__Course *course;
    Carillon__Student *student;
};

static int read_line(struct import_context *context, struct slice line, bool is_student,
                     struct outcome *outcome)
{
    struct json_tokener *tokener = import_json_open();
    struct json_object *record = NULL;
    int error = import_json_parse(context, tokener, line, &record);

    *outcome = (struct outcome){NULL, NULL};
    if (error == OK) {
        error = is_student ? import_student_from_json(context, record, &outcome->student)
                           : import_course_from_json(context, record, &outcome->course);
        json_object_put(record);
    }
    import_json_close(tokener);
    return error;
}

static uint64_t hash_of(const struct outcome *outcome)
{
    return outcome->course != NULL ? outcome->course->content_hash
                                   : outcome->student->content_hash;
}

static void check_export(struct import_context *context, const struct outcome *outcome)
{
    struct outcome again;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    ASSERT(out != NULL);
    if (outcome->course != NULL) {
        export_json_course(out, outcome->course);
    } else {
        export_json_student(out, outcome->student);
    }
    fclose(out);
    ASSERT(read_line(context, slice_from(text, len), outcome->student != NULL, &again) == OK);
    ASSERT(hash_of(outcome) == hash_of(&again));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_report report;
    struct import_context context;
    struct outcome outcome;
    struct arena arena;

    if (size == 0 || size > INPUT_BYTES_MAX) {
        return 0;
    }
    import_report_init(&report, NULL);
    arena_init(&arena, ARENA_BYTES);
    import_context_init(&context, &arena, &report);
    context.institution_default = "lindenmoor";
    int error =
        read_line(&context, slice_from(data + 1, size - 1), (data[0] & 1) != 0, &outcome);

    ASSERT((error == OK) == (report.refused == 0));
    if (error == OK) {
        check_export(&context, &outcome);
    }
    import_context_fini(&context);
    arena_fini(&arena);
    return 0;
}
