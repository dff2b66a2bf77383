/* carillon/import_private.h -- the state of one import, shared by checking and sending.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_IMPORT_PRIVATE_H
#define CARILLON_CARILLON_IMPORT_PRIVATE_H

#include "carillon/import.h"
#include "carillon/import_index.h"
#include "proto/registrar.pb-c.h"

/* Chunks sent and not yet acknowledged: one on its way to the disk while the other is applied.
 * More would be applied in a row, and whoever registers meanwhile would wait for all of them. */
enum { IMPORT_SLOTS = 2 };

struct import_run {
    struct carillon_client *client;
    struct import_source *source;
    const struct import_options *options;
    struct import_report *report;
    struct import_summary *summary;
    struct arena arena; /* of the record at hand, or of the chunk being filled */
    struct import_context context;
    struct import_index index;
};

/* Whether the user wants to stop. */
static inline bool import__is_interrupted(const struct import_run *run)
{
    return run->options->is_interrupted != NULL && *run->options->is_interrupted != 0;
}

void import__progress(const struct import_run *run, enum import_stage stage, uint64_t done,
                      uint64_t total);

/* Ask for the hashes the node has and mark what differs. */
int import__compare(struct import_run *run) CHECKED;

/* Send what differs and commit, or abort. */
int import__send(struct import_run *run) CHECKED;

/* Read the record of @entry again. Errors: ERR_MALFORMED it is not what it was, which is
 * reported. */
int import__reload(struct import_run *run, const struct import_entry *entry,
                   struct import_record *ret_record) CHECKED;

/* Keep the words of the blocking call that just failed with @error; returns @error. */
int import__fail(struct import_run *run, int error);

#endif
