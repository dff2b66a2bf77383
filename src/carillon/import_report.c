#include "carillon/import_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"

struct finding_row {
    const char *id;
    enum import_severity severity;
    const char *what;
    const char *advice;
};

#define FINDING_ROW(KIND, id, severity, what, advice)                                          \
    [IMPORT_FOUND_##KIND] = {id, IMPORT_##severity, what, advice},
static const struct finding_row rows[IMPORT_FINDING_NR] = {IMPORT_FINDINGS(FINDING_ROW)};
#undef FINDING_ROW

enum { EVIDENCE_BYTES_MAX = 96 };

void import_report_init(struct import_report *report, FILE *out)
{
    memset(report, 0, sizeof *report);
    report->out = out;
    report->file = "";
}

const char *import_finding_id(enum import_finding kind)
{
    ASSERT(kind < IMPORT_FINDING_NR);
    return rows[kind].id;
}

enum import_severity import_finding_severity(enum import_finding kind)
{
    ASSERT(kind < IMPORT_FINDING_NR);
    return rows[kind].severity;
}

/* Evidence comes from a foreign file: it must neither move the terminal's cursor nor fill its
 * screen. */
static void show_evidence(struct slice evidence, char out[EVIDENCE_BYTES_MAX + 8])
{
    struct slice cut = slice_sub(evidence, 0, EVIDENCE_BYTES_MAX);
    size_t at = 0;

    cut.len = utf8_valid_prefix(cut);
    for (size_t i = 0; i < cut.len; i++) {
        uint8_t byte = cut.data[i];

        out[at++] = (char)(byte < 0x20 || byte == 0x7f ? '.' : byte);
    }
    if (cut.len < evidence.len) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
}

static void write_message(const struct import_report *report, const struct finding_row *row,
                          const char *field, const char *evidence,
                          char out[IMPORT_MESSAGE_BYTES_MAX])
{
    char line[24] = "";

    if (report->line > 0) {
        snprintf(line, sizeof line, ":%" PRIu64, report->line);
    }
    snprintf(out, IMPORT_MESSAGE_BYTES_MAX, "%s%s: %s%s%s%s%s; %s", report->file, line,
             field == NULL ? "" : field, field == NULL ? "" : ": ", row->what,
             evidence[0] == '\0' ? "" : ": ", evidence, row->advice);
}

void import_find(struct import_report *report, enum import_finding kind, const char *field,
                 struct slice evidence)
{
    ASSERT(kind < IMPORT_FINDING_NR);
    const struct finding_row *row = &rows[kind];
    bool is_refused = row->severity == IMPORT_REFUSED;
    char shown[EVIDENCE_BYTES_MAX + 8];
    char message[IMPORT_MESSAGE_BYTES_MAX];
    bool is_printed = is_refused ? report->refused < IMPORT_PRINTED_MAX : report->show_warnings;
    bool is_first = report->counts[kind] == 0;

    if (report->is_muted && !is_refused) {
        return;
    }
    report->counts[kind]++;
    report->refused += is_refused ? 1 : 0;
    report->warned += is_refused ? 0 : 1;
    if (!is_first && !is_printed) {
        return;
    }
    show_evidence(evidence, shown);
    write_message(report, row, field, shown, message);
    if (is_first) {
        memcpy(report->first[kind], message, sizeof message);
    }
    if (is_printed && report->out != NULL) {
        fprintf(report->out, "%s%s\n", is_refused ? "" : "warning: ", message);
    }
}

void import_find_format(struct import_report *report, enum import_finding kind,
                        const char *field, const char *format, ...)
{
    char text[EVIDENCE_BYTES_MAX + 64];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    import_find(report, kind, field, slice_from_text(text));
}

void import_report_summary(const struct import_report *report)
{
    if (report->out == NULL) {
        return;
    }
    if (report->refused > IMPORT_PRINTED_MAX) {
        fprintf(report->out, "... and %" PRIu64 " more like these\n",
                report->refused - IMPORT_PRINTED_MAX);
    }
    for (size_t kind = 0; kind < IMPORT_FINDING_NR && !report->show_warnings; kind++) {
        if (rows[kind].severity == IMPORT_WARNED && report->counts[kind] > 0) {
            fprintf(report->out, "warning: %" PRIu64 " x %s, for example %s\n",
                    report->counts[kind], rows[kind].id, report->first[kind]);
        }
    }
}
