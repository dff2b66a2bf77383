/* carillon/import_index.h -- what an import remembers of every record: name, hash, place, and
 * whom its rules name.
 *
 * Layer: carillon     Spec: docs/spec/import.md
 *
 * Finds names that occur twice, prerequisites that no record has, and circles of prerequisites;
 * tells what must be sent by comparing with what the node has.
 */
#ifndef CARILLON_CARILLON_IMPORT_INDEX_H
#define CARILLON_CARILLON_IMPORT_INDEX_H

#include "base/map.h"
#include "carillon/import_report.h"
#include "carillon/import_source.h"

struct import_entry {
    struct import_unit unit;
    uint64_t content_hash;
    uint32_t packed_bytes; /* of the message */
    struct slice name;   /* code or token, in the index's arena */
    uint32_t first_edge; /* into edges; those of one entry follow one another */
    uint32_t edge_count;
    bool is_known; /* the node has this name */
    bool is_same;  /* and this very content */
};

/* A prerequisite: the code it names, and, once resolved, the entry of that code. */
struct import_edge {
    struct slice code;
    uint32_t target; /* MAP_NONE: no such record */
    bool is_concurrent;
};

struct import_index {
    struct arena arena;
    struct map names;
    struct import_entry *entries;
    size_t count;
    size_t cap;
    struct import_edge *edges;
    size_t edge_count;
    size_t edge_cap;
    char institution[64 + 1]; /* of all records; "" before the first */
    char term[64 + 1];
    bool groups_rows; /* records are rows of CSV: a code that occurs again stands apart */
    uint64_t sections;
    struct slice *removed; /* names the node has and the source has not */
    size_t removed_count;
    size_t removed_cap;
};

void import_index_init(struct import_index *index);
void import_index_fini(struct import_index *index);

/* Add a record that was accepted so far. Reports duplicates and a change of institution. */
void import_index_add(struct import_index *index, const struct import_record *record,
                      struct import_report *report);

/* After the last record: report prerequisites that are not in the file, and circles. */
void import_index_resolve(struct import_index *index, struct import_report *report);

/* The node has a record @name with @hash. */
void import_index_compare(struct import_index *index, struct slice name, uint64_t hash);

#endif
