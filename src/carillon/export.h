/* carillon/export.h -- exported records in the shapes that import reads.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 *
 * What is exported can be imported again: courses and students keep every field that the shape has. CSV of courses
 * has no description beyond its column and one row a meeting, as the importer wants it.
 */
#ifndef CARILLON_CARILLON_EXPORT_H
#define CARILLON_CARILLON_EXPORT_H

#include "carillon/cli.h"
#include "proto/operator.pb-c.h"

void export_csv_heading(FILE *out, Carillon__ExportKind kind);
void export_csv_row(struct cli *cli, const Carillon__ExportRow *row);
void export_csv_course(struct cli *cli, const Carillon__Course *course);
void export_csv_student(struct cli *cli, const Carillon__Student *student);

void export_json_course(FILE *out, const Carillon__Course *course);
void export_json_student(FILE *out, const Carillon__Student *student);

/* The rule tree as a JSON value; "null" for an empty one. */
void export_json_rule(FILE *out, Carillon__RuleNode *const *nodes, size_t count);

/* The rule tree in the grammar of the CSV column, "" for an empty one. */
char *export_rule_text(struct cli *cli, Carillon__RuleNode *const *nodes, size_t count);

#endif
