/* carillon/import.h -- a whole import: check every record, ask the node what it has, send what
 * differs, commit.
 *
 * Layer: carillon (client)     Spec: docs/spec/import.md; docs/spec/registration.md section 7
 *
 * A source in which any record is refused changes nothing. Otherwise the node gets the records
 * that are new or whose content hash differs, and the names that are gone, in chunks staged
 * under an import id; the commit makes them visible at once. When the import fails or is
 * interrupted before the commit, it is aborted.
 */
#ifndef CARILLON_CARILLON_IMPORT_H
#define CARILLON_CARILLON_IMPORT_H

#include <signal.h>

#include "carillon/import_report.h"
#include "carillon/import_source.h"
#include "client/carillon.h"

enum import_stage { IMPORT_CHECKING, IMPORT_SENDING };

struct import_options {
    const char *institution;         /* instead of the records' own; NULL: theirs */
    const char *institution_default; /* for records that name none */
    const char *term; /* the same for courses' terms; NULL: theirs, else "current" */
    const char *by;   /* who imports, for the audit trail */
    bool force;       /* allow removing more than half */
    bool dry_run;     /* stop before anything is sent */
    uint32_t unheard_max; /* in a row may be answered neither yes nor no; 0: 12 */
    const volatile sig_atomic_t *is_interrupted; /* may be NULL */

    /* Called now and then; @total is 0 while it is not known. May be NULL. */
    void (*progress)(void *context, enum import_stage stage, uint64_t done, uint64_t total);
    void *progress_context;
};

struct import_summary {
    char institution[65];
    char term[65]; /* courses */
    uint64_t records;
    uint64_t sections;
    uint64_t fresh; /* not at the node yet */
    uint64_t differing;
    uint64_t same;
    uint64_t gone; /* at the node, not in the source */
    uint64_t bytes_sent;
    uint32_t chunks;
    bool was_compared;  /* the four counts above were made */
    bool was_committed; /* and these are the node's answer */
    uint32_t added;
    uint32_t changed;
    uint32_t removed;
    uint32_t withdrawn;
    uint32_t total;
    uint64_t receipt_index;
    char error[256]; /* what the node or the network said when the import failed; "" for refused
                        records */
};

/* Import courses, or students.
 *
 * @client: NULL only with options->dry_run: then nothing is compared.
 * @report: gets the findings; the caller prints its summary.
 * Errors:  ERR_MALFORMED at least one record was refused; ERR_CANCELLED interrupted;
 * ERR_SHRINK; ERR_IO; those of the client. @ret_summary is always written.
 */
int import_courses(struct carillon_client *client, struct import_source *source,
                   const struct import_options *options, struct import_report *report,
                   struct import_summary *ret_summary) CHECKED;
int import_students(struct carillon_client *client, struct import_source *source,
                    const struct import_options *options, struct import_report *report,
                    struct import_summary *ret_summary) CHECKED;

#endif
