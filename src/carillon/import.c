#include "carillon/import.h"

#include "base/assert.h"
#include "carillon/import_private.h"

enum { RECORD_ARENA_BYTES_MAX = 64 << 20, PROGRESS_EVERY = 512 };

void import__progress(const struct import_run *run, enum import_stage stage, uint64_t done,
                      uint64_t total)
{
    if (run->options->progress != NULL) {
        run->options->progress(run->options->progress_context, stage, done, total);
    }
}

/* First reading: every record is parsed, checked and entered in the index. */
static int check_all(struct import_run *run)
{
    struct import_record record;
    uint64_t seen = 0;
    int error = OK;

    run->report->file = run->source->name;
    for (;;) {
        error = run->source->next(run->source, &run->context, &record);
        if (error == OK) {
            import_index_add(&run->index, &record, run->report);
        } else if (error != ERR_MALFORMED) {
            break;
        }
        if (++seen % PROGRESS_EVERY == 0) {
            import__progress(run, IMPORT_CHECKING, record.unit.offset, 0);
        }
        if (import__is_interrupted(run)) {
            return ERR_CANCELLED;
        }
    }
    if (error != ERR_EOF) {
        return error;
    }
    if (seen == 0 && run->report->refused == 0) {
        run->report->line = 0;
        import_find(run->report, IMPORT_FOUND_EMPTY_FILE, NULL, SLICE_NONE);
    }
    import_index_resolve(&run->index, run->report);
    return run->report->refused > 0 ? ERR_MALFORMED : OK;
}

static void summarise(struct import_run *run)
{
    struct import_summary *summary = run->summary;

    memcpy(summary->institution, run->index.institution, sizeof summary->institution);
    memcpy(summary->term, run->index.term, sizeof summary->term);
    summary->records = run->index.count;
    summary->sections = run->index.sections;
}

static void count_differences(struct import_run *run)
{
    struct import_summary *summary = run->summary;

    for (size_t i = 0; i < run->index.count; i++) {
        const struct import_entry *entry = &run->index.entries[i];

        summary->fresh += entry->is_known ? 0 : 1;
        summary->same += entry->is_same ? 1 : 0;
        summary->differing += entry->is_known && !entry->is_same ? 1 : 0;
    }
    summary->gone = run->index.removed_count;
    summary->was_compared = true;
}

static int perform(struct import_run *run)
{
    int error = check_all(run);

    summarise(run);
    if (error != OK || run->client == NULL) {
        return error;
    }
    error = import__compare(run);
    if (error != OK) {
        return error;
    }
    count_differences(run);
    bool has_work = run->summary->fresh + run->summary->differing + run->summary->gone > 0;

    return run->options->dry_run || !has_work ? OK : import__send(run);
}

static int import_run(struct carillon_client *client, struct import_source *source,
                      const struct import_options *options, struct import_report *report,
                      struct import_summary *summary)
{
    ASSERT(client != NULL || options->dry_run);
    struct import_run run = {.client = client,
                             .source = source,
                             .options = options,
                             .report = report,
                             .summary = summary};

    memset(summary, 0, sizeof *summary);
    arena_init(&run.arena, RECORD_ARENA_BYTES_MAX);
    import_context_init(&run.context, &run.arena, report);
    import_index_init(&run.index);
    run.index.groups_rows = source->groups_rows;
    run.context.institution = options->institution;
    run.context.institution_default = options->institution_default;
    run.context.term = options->term;
    int error = perform(&run);

    import_index_fini(&run.index);
    import_context_fini(&run.context);
    arena_fini(&run.arena);
    return error;
}

int import_courses(struct carillon_client *client, struct import_source *source,
                   const struct import_options *options, struct import_report *report,
                   struct import_summary *ret_summary)
{
    ASSERT(!source->is_students);
    return import_run(client, source, options, report, ret_summary);
}

int import_students(struct carillon_client *client, struct import_source *source,
                    const struct import_options *options, struct import_report *report,
                    struct import_summary *ret_summary)
{
    ASSERT(source->is_students);
    return import_run(client, source, options, report, ret_summary);
}
