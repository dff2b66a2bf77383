#include <inttypes.h>
#include <json-c/json.h>

#include "carillon/bench.h"

enum { LABEL_COLUMNS = 44, VALUE_COLUMNS = 14 };

void bench_report_begin(struct bench_report *report, struct cli *cli, const char *kind)
{
    *report = (struct bench_report){.cli = cli};
    if (cli->json) {
        report->json = json_object_new_object();
    }
    bench_report_text(report, "bench", "benchmark", kind);
    bench_report_text(report, "version", "carillon", CARILLON_VERSION);
}

void bench_report_heading(struct bench_report *report, const char *text)
{
    struct cli *cli = report->cli;

    if (report->json == NULL && cli->is_terminal) {
        fprintf(cli->out, "%s%s%s\n", cli_style(cli, STYLE_BOLD), text, cli_style_end(cli));
    }
}

void bench_report_number(struct bench_report *report, const char *key, const char *label,
                         double value, int decimals, const char *unit)
{
    struct cli *cli = report->cli;

    if (report->json != NULL) {
        char text[64];

        snprintf(text, sizeof text, "%.*f", decimals, value);
        json_object_object_add(report->json, key, json_object_new_double_s(value, text));
    } else if (cli->is_terminal) {
        fprintf(cli->out, "  %-*s %*.*f %s\n", LABEL_COLUMNS, label, VALUE_COLUMNS, decimals,
                value, unit);
    } else {
        fprintf(cli->out, "%s=%.*f\n", key, decimals, value);
    }
}

void bench_report_text(struct bench_report *report, const char *key, const char *label,
                       const char *text)
{
    struct cli *cli = report->cli;

    if (report->json != NULL) {
        json_object_object_add(report->json, key, json_object_new_string(text));
    } else if (cli->is_terminal) {
        fprintf(cli->out, "  %-*s %s\n", LABEL_COLUMNS, label, text);
    } else {
        fprintf(cli->out, "%s=%s\n", key, text);
    }
}

void bench_report_conditions(struct bench_report *report, const char *folder)
{
    struct bench_conditions conditions;

    bench_conditions_read(folder, &conditions);
    bench_report_heading(report, "Conditions");
    bench_report_text(report, "cpu", "processor", conditions.cpu);
    bench_report_number(report, "cores", "cores, shared by client and server", conditions.cores,
                        0, "");
    bench_report_number(report, "memory_mib", "memory", (double)(conditions.memory_bytes >> 20),
                        0, "MiB");
    bench_report_text(report, "kernel", "kernel", conditions.kernel);
    bench_report_text(report, "file_system", "file system of the data", conditions.file_system);
}

void bench_report_end(struct bench_report *report)
{
    if (report->json != NULL) {
        fprintf(report->cli->out, "%s\n",
                json_object_to_json_string_ext(report->json, JSON_C_TO_STRING_PRETTY));
        json_object_put(report->json);
        report->json = NULL;
    }
    fflush(report->cli->out);
}
