#include "carillon/import_source.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json_object.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"

#include "carillon/import_record.h"

enum { READ_BYTES = 256 << 10, WINDOW_BYTES_MAX = 2 * IMPORT_LINE_BYTES_MAX };

static int fail_io(const struct import_report *report, const char *path, const char *what)
{
    if (report->out != NULL) {
        fprintf(report->out, "%s: %s\n", path, what);
    }
    return ERR_IO;
}

/* The bytes that were read and not consumed. */
static struct slice unread(const struct import_file *file)
{
    return slice_sub(buf_slice(&file->window), file->at, SIZE_MAX);
}

/* Read more of the file behind the window. Errors: ERR_FULL the window is; ERR_IO. */
static int fill(struct import_file *file)
{
    buf_consume(&file->window, file->at);
    file->at = 0;
    int error = buf_reserve(&file->window, READ_BYTES);

    if (error != OK) {
        return error;
    }
    ssize_t got = read(file->fd, file->window.data + file->window.len, READ_BYTES);

    if (got < 0) {
        return errno == EINTR ? OK : ERR_IO;
    }
    file->window.len += (size_t)got;
    file->is_ended = got == 0;
    return OK;
}

/* The length of the row that begins at @from in the window; 0 at the end of the file. */
static int row_length(struct import_file *file, size_t from, size_t *ret_length)
{
    for (;;) {
        struct slice rest = slice_sub(unread(file), from, SIZE_MAX);
        size_t length = 0;

        if (file->is_csv) {
            length = csv_row_length(rest, file->is_ended);
        } else {
            const uint8_t *end = rest.len == 0 ? NULL : memchr(rest.data, '\n', rest.len);

            length = end != NULL      ? (size_t)(end - rest.data) + 1
                     : file->is_ended ? rest.len
                                      : 0;
        }
        if (length > 0 || file->is_ended) {
            *ret_length = length;
            return length > IMPORT_LINE_BYTES_MAX ? ERR_FULL : OK;
        }
        int error = fill(file);

        if (error != OK) {
            return error;
        }
    }
}

static void consume(struct import_file *file, size_t length)
{
    struct slice rest = slice_sub(unread(file), 0, length);
    const uint8_t *end = NULL;

    while (rest.len > 0 && (end = memchr(rest.data, '\n', rest.len)) != NULL) {
        file->line++;
        rest = slice_sub(rest, (size_t)(end - rest.data) + 1, SIZE_MAX);
    }
    file->offset += length;
    file->at += length;
}

/* Take rows that belong to the course whose first row is the window's first @length bytes. */
static int extend_group(struct import_file *file, struct arena *arena, size_t *length)
{
    struct slice window = unread(file);
    struct slice code =
        arena_copy(arena, import_csv_code(&file->header, slice_sub(window, 0, *length), arena));
    size_t next = 0;

    while (code.len > 0) {
        int error = row_length(file, *length, &next);

        if (error != OK || next == 0) {
            return error;
        }
        struct slice row = slice_sub(unread(file), *length, next);

        if (!csv_row_is_blank(row) &&
            !slice_is_equal(code, import_csv_code(&file->header, row, arena))) {
            break;
        }
        *length += next;
        if (*length > IMPORT_LINE_BYTES_MAX) {
            return ERR_FULL;
        }
    }
    return OK;
}

static int parse(struct import_file *file, struct import_context *context, struct slice text,
                 struct import_record *record)
{
    struct json_object *json = NULL;
    int error;

    record->course = NULL;
    record->student = NULL;
    if (file->is_csv) {
        return file->source.is_students
                   ? import_student_from_csv(context, &file->header, text, &record->student)
                   : import_course_from_csv(context, &file->header, text, &record->course);
    }
    error = import_json_parse(context, file->tokener, text, &json);
    if (error == OK) {
        error = file->source.is_students
                    ? import_student_from_json(context, json, &record->student)
                    : import_course_from_json(context, json, &record->course);
        json_object_put(json);
    }
    return error;
}

/* The beginning of the file: a byte order mark is skipped, the first row of CSV names the
 * columns. */
static int begin(struct import_file *file, struct import_context *context)
{
    size_t length = 0;
    int error = row_length(file, 0, &length);

    file->is_begun = true;
    if (error == OK && slice_has_prefix(unread(file), SLICE_LITERAL("\xef\xbb\xbf"))) {
        consume(file, 3);
        length -= 3;
    }
    if (error != OK || !file->is_csv || length == 0) {
        return error;
    }
    context->report->line = 1;
    error = import_csv_header(context, slice_sub(unread(file), 0, length),
                              file->source.is_students, &file->header);
    consume(file, length);
    /* Without its columns nothing of the file can be read. */
    return error == OK ? OK : ERR_EOF;
}

static int take_unit(struct import_file *file, struct import_context *context,
                     size_t *ret_length)
{
    size_t length = 0;
    int error = file->is_begun ? OK : begin(file, context);

    while (error == OK) {
        error = row_length(file, 0, &length);
        if (error != OK || length == 0) {
            break;
        }
        if (!csv_row_is_blank(slice_sub(unread(file), 0, length))) {
            break;
        }
        consume(file, length);
    }
    if (error == OK && file->is_csv && !file->source.is_students && length > 0) {
        error = extend_group(file, context->arena, &length);
    }
    *ret_length = length;
    return error != OK ? error : length == 0 ? ERR_EOF : OK;
}

static int file_next(struct import_source *source, struct import_context *context,
                     struct import_record *ret_record)
{
    struct import_file *file = CONTAINER_OF(source, struct import_file, source);
    size_t length = 0;

    arena_reset(context->arena);
    int error = take_unit(file, context, &length);

    context->report->line = file->line;
    if (error == ERR_FULL) {
        import_find(context->report, IMPORT_FOUND_LINE_TOO_LONG, NULL, SLICE_NONE);
        return ERR_EOF;
    }
    if (error == ERR_IO) {
        return fail_io(context->report, source->name, strerror(errno));
    }
    if (error != OK) {
        return error;
    }
    ret_record->unit = (struct import_unit){file->offset, (uint32_t)length, file->line};
    error = parse(file, context, slice_sub(unread(file), 0, length), ret_record);
    consume(file, length);
    return error;
}

static int file_load(struct import_source *source, struct import_context *context,
                     const struct import_unit *unit, struct import_record *ret_record)
{
    struct import_file *file = CONTAINER_OF(source, struct import_file, source);
    size_t got = 0;

    buf_clear(&file->again);
    int error = buf_reserve(&file->again, unit->bytes);

    while (error == OK && got < unit->bytes) {
        ssize_t part = pread(file->fd, file->again.data + got, unit->bytes - got,
                             (off_t)(unit->offset + got));

        if (part == 0 || (part < 0 && errno != EINTR)) {
            return ERR_EOF;
        }
        got += part > 0 ? (size_t)part : 0;
    }
    file->again.len = got;
    ret_record->unit = *unit;
    context->report->line = unit->line;
    return error != OK ? error : parse(file, context, buf_slice(&file->again), ret_record);
}

static bool ends_with(const char *path, const char *ending)
{
    size_t len = strlen(path);
    size_t tail = strlen(ending);

    return len >= tail && strcmp(path + len - tail, ending) == 0;
}

int import_file_open(struct import_file *file, const char *path, bool is_students,
                     struct import_report *report)
{
    struct stat status;

    memset(file, 0, sizeof *file);
    file->source = (struct import_source){
        .name = path, .is_students = is_students, .next = file_next, .load = file_load};
    file->is_csv = ends_with(path, ".csv");
    file->source.groups_rows = file->is_csv && !is_students;
    file->line = 1;
    buf_init(&file->window, WINDOW_BYTES_MAX);
    buf_init(&file->again, WINDOW_BYTES_MAX);
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        return fail_io(report, path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail_io(report, path,
                       "not a file; an import reads its input twice, so save it first");
    }
    file->bytes = (uint64_t)status.st_size;
    file->tokener = import_json_open();
    return OK;
}

void import_file_close(struct import_file *file)
{
    if (file->tokener != NULL) {
        import_json_close(file->tokener);
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    buf_fini(&file->window);
    buf_fini(&file->again);
}
