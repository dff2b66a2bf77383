#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "carillon/cli.h"
#include "carillon/import.h"
#include "carillon/import_value.h"
#include "carillon/json_message.h"
#include "carillon/verbs.h"

enum {
    PATHS_MAX = 4096,
    PROGRESS_MS = 100,
    BAR_COLUMNS = 40,
    OPTION_DRY_RUN = 0x200,
    OPTION_WARNINGS
};

static volatile sig_atomic_t is_interrupted;

struct arguments {
    struct cli *cli;
    const char *paths[PATHS_MAX]; /* files and folders as given */
    size_t path_count;
    struct import_options options;
    bool is_students;
    bool show_warnings;
};

/* What the import verb knows while a file is being read. */
struct importing {
    struct cli *cli;
    const struct arguments *arguments;
    struct import_report report;
    uint64_t file_bytes;
    uint64_t drawn_ms; /* when the bar was drawn last */
    bool has_bar;
    int exit_code; /* the first that is not EXIT_DONE */
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;

    switch (key) {
    case 's':
        arguments->is_students = true;
        return 0;
    case 'i':
        arguments->options.institution = arg;
        return 0;
    case 't':
        arguments->options.term = arg;
        return 0;
    case 'f':
        arguments->options.force = true;
        return 0;
    case OPTION_DRY_RUN:
        arguments->options.dry_run = true;
        return 0;
    case OPTION_WARNINGS:
        arguments->show_warnings = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path_count == PATHS_MAX) {
            argp_error(state, "at most %d files", PATHS_MAX);
        }
        arguments->paths[arguments->path_count++] = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which file?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"students", 's', NULL, 0, "the files hold students, not courses", 0},
                                     {"institution", 'i', "NAME", 0,
             "instead of the records' own; a CSV file without a column "
             "of that name is named by its file name",
             0},
                                     {"term", 't', "TERM", 0, "of the courses (default: their own, else current)", 0},
                                     {"dry-run", OPTION_DRY_RUN, NULL, 0,
             "check, say what would change, and change nothing", 0},
                                     {"force", 'f', NULL, 0, "allow removing more than half of what is there", 0},
                                     {"warnings", OPTION_WARNINGS, NULL, 0,
             "print every warning instead of one of each kind", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "FILE|FOLDER...",
    .about =
        "Make a catalogue, or the students of an institution, what a file says: JSON Lines, or "
        "CSV when "
        "the name ends with .csv. Of a folder every .jsonl and .csv is taken. A file in which "
        "any record "
        "is refused changes nothing; a file that was imported before moves only what changed.\v"
        "The formats: docs/spec/import.md.\n\n"
        "  carillon import samples\n"
        "  carillon import --students samples/students\n"
        "  carillon import --term 2027-spring --dry-run lindenmoor.jsonl",
};

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void draw_progress(void *context, enum import_stage stage, uint64_t done, uint64_t total)
{
    struct importing *importing = context;
    uint64_t now = now_ms();

    if (now - importing->drawn_ms < PROGRESS_MS) {
        return;
    }
    importing->drawn_ms = now;
    importing->has_bar = true;
    total = stage == IMPORT_CHECKING ? importing->file_bytes : total;
    int filled = total == 0 ? 0 : (int)(done * BAR_COLUMNS / total);

    filled = filled > BAR_COLUMNS ? BAR_COLUMNS : filled;
    fprintf(importing->cli->err, "\r%-8s [%.*s%*s]",
            stage == IMPORT_CHECKING ? "checking" : "sending", filled,
            "########################################", BAR_COLUMNS - filled, "");
    fflush(importing->cli->err);
}

static void clear_progress(struct importing *importing)
{
    if (importing->has_bar) {
        fprintf(importing->cli->err, "\r%*s\r", BAR_COLUMNS + 12, "");
        importing->has_bar = false;
    }
}

/* "brackwater" of "samples/csv/brackwater.csv", when that can be an institution's name; else
 * NULL. */
static const char *institution_of(struct cli *cli, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    char *slug =
        cli_format(cli, "%.*s", (int)(dot == NULL ? strlen(name) : (size_t)(dot - name)), name);

    return dot != NULL && strcmp(dot, ".csv") == 0 && import_is_slug(slice_from_text(slug))
               ? slug
               : NULL;
}

static void print_summary(const struct importing *importing, const char *path,
                          const struct import_summary *summary)
{
    FILE *out = importing->cli->out;
    const char *what = importing->arguments->is_students ? "students" : "courses";

    fprintf(out, "%s: %s%s%s: %" PRIu64 " %s", path, summary->institution,
            summary->term[0] != '\0' ? ", " : "", summary->term, summary->records, what);
    if (!importing->arguments->is_students) {
        fprintf(out, " with %" PRIu64 " sections", summary->sections);
    }
    if (summary->was_committed) {
        fprintf(out, "; added %u, changed %u, removed %u", summary->added, summary->changed,
                summary->removed);
        if (summary->withdrawn > 0) {
            fprintf(out, ", withdrawn but kept for who is registered %u", summary->withdrawn);
        }
        fprintf(out, ", unchanged %" PRIu64 "\n", summary->same);
    } else if (summary->was_compared && importing->arguments->options.dry_run) {
        fprintf(out,
                "; would add %" PRIu64 ", change %" PRIu64 ", remove %" PRIu64
                "; unchanged %" PRIu64 "\n",
                summary->fresh, summary->differing, summary->gone, summary->same);
    } else if (summary->was_compared) {
        fprintf(out, "; nothing to do, all unchanged\n");
    } else {
        fprintf(out, "; all in order\n");
    }
}

static void print_failure(struct importing *importing, const char *path, int error,
                          const struct import_summary *summary)
{
    FILE *err = importing->cli->err;

    if (error == ERR_MALFORMED) {
        fprintf(err, "%s: refused; nothing was changed\n", path);
    } else if (error == ERR_CANCELLED) {
        fprintf(err, "%s: interrupted; nothing was changed\n", path);
    } else if (error == ERR_SHRINK) {
        fprintf(err, "%s: refused, nothing was changed: %s; --force allows it\n", path,
                summary->error[0] != '\0' ? summary->error : error_text(error));
    } else if (error != ERR_IO || summary->error[0] != '\0') {
        fprintf(err, "%s: not imported: %s\n", path,
                summary->error[0] != '\0' ? summary->error : error_text(error));
    }
}

/* One object a file: what it held, what became of it, and how many findings of each kind. */
static void print_json(const struct importing *importing, const char *path, int error,
                       const struct import_summary *summary)
{
    FILE *out = importing->cli->out;
    bool is_done = summary->was_committed;
    const char *text = summary->error[0] != '\0' ? summary->error : error_text(error);

    fputs("{\"file\":", out);
    json_text_print(out, path);
    fprintf(out,
            ",\"error\":\"%s\",\"institution\":\"%s\",\"term\":\"%s\",\"records\":%" PRIu64
            ",\"sections\":%" PRIu64,
            error == OK ? "" : error_name(error), summary->institution, summary->term,
            summary->records, summary->sections);
    fprintf(out,
            ",\"committed\":%s,\"added\":%" PRIu64 ",\"changed\":%" PRIu64
            ",\"removed\":%" PRIu64 ",\"withdrawn\":%u,\"unchanged\":%" PRIu64,
            is_done ? "true" : "false", is_done ? summary->added : summary->fresh,
            is_done ? summary->changed : summary->differing,
            is_done ? summary->removed : summary->gone, summary->withdrawn, summary->same);
    fputs(",\"text\":", out);
    json_text_print(out, error == OK ? "" : text);
    fputs(",\"findings\":{", out);
    for (size_t kind = 0, count = 0; kind < IMPORT_FINDING_NR; kind++) {
        if (importing->report.counts[kind] > 0) {
            fprintf(out, "%s\"%s\":%" PRIu64, count++ > 0 ? "," : "",
                    import_finding_id((enum import_finding)kind),
                    importing->report.counts[kind]);
        }
    }
    fputs("}}\n", out);
}

static void print_result(struct importing *importing, const char *path, int error,
                         const struct import_summary *summary)
{
    clear_progress(importing);
    import_report_summary(&importing->report);
    if (importing->cli->json) {
        print_json(importing, path, error, summary);
    } else if (error == OK) {
        print_summary(importing, path, summary);
    } else {
        print_failure(importing, path, error, summary);
    }
}

static int import_path(struct importing *importing, const char *path)
{
    struct import_options options = importing->arguments->options;
    struct carillon_client *client = importing->cli->client;
    bool is_students = importing->arguments->is_students;
    struct import_summary summary;
    struct import_file file;

    import_report_init(&importing->report, importing->cli->err);
    importing->report.show_warnings = importing->arguments->show_warnings;
    options.institution_default = institution_of(importing->cli, path);
    options.by = importing->cli->by;
    options.is_interrupted = &is_interrupted;
    if (importing->cli->is_terminal) {
        options.progress = draw_progress;
        options.progress_context = importing;
    }
    int error = import_file_open(&file, path, is_students, &importing->report);

    if (error == OK) {
        importing->file_bytes = file.bytes;
        error =
            is_students
                ? import_students(client, &file.source, &options, &importing->report, &summary)
                : import_courses(client, &file.source, &options, &importing->report, &summary);
        print_result(importing, path, error, &summary);
    }
    import_file_close(&file);
    return error;
}

static int is_record_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL && dot != entry->d_name &&
           (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".csv") == 0);
}

static void note_error(struct importing *importing, int error)
{
    if (error != OK && importing->exit_code == EXIT_DONE) {
        importing->exit_code = error_exit_code(error);
    }
}

static void import_folder(struct importing *importing, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_record_file, alphasort);

    if (count <= 0) {
        fprintf(importing->cli->err, "%s: no .jsonl or .csv file in this folder\n", path);
        note_error(importing, ERR_IO);
    }
    for (int i = 0; i < count; i++) {
        if (is_interrupted == 0) {
            note_error(importing, import_path(importing, cli_format(importing->cli, "%s/%s",
                                                                    path, entries[i]->d_name)));
        }
        free(entries[i]);
    }
    free(entries);
}

static bool check_names(const struct arguments *arguments)
{
    const char *names[] = {arguments->options.institution, arguments->options.term};

    for (size_t i = 0; i < 2; i++) {
        if (names[i] != NULL && !import_is_slug(slice_from_text(names[i]))) {
            fprintf(
                arguments->cli->err,
                "carillon: %s: a short name of small letters, digits and dashes is expected\n",
                names[i]);
            return false;
        }
    }
    return true;
}

int verb_import(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {.cli = cli};
    struct importing importing = {.cli = cli, .arguments = &arguments};
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    cli_parse(cli, argc, argv, &syntax, &arguments);
    if (!check_names(&arguments)) {
        return EXIT_USAGE;
    }
    if (cli_client(cli) == NULL) {
        if (!arguments.options.dry_run) {
            return error_exit_code(cli->connect_error);
        }
        fprintf(cli->err, "carillon: only checking, without comparing with a node\n");
    }
    /* A second CTRL-C ends the process at once; the node then drops the import by itself. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < arguments.path_count && is_interrupted == 0; i++) {
        struct stat status;
        bool is_folder = stat(arguments.paths[i], &status) == 0 && S_ISDIR(status.st_mode);

        if (is_folder) {
            import_folder(&importing, arguments.paths[i]);
        } else {
            note_error(&importing, import_path(&importing, arguments.paths[i]));
        }
    }
    return is_interrupted != 0 ? EXIT_UNAVAILABLE : importing.exit_code;
}
