#include <stdio.h>
#include <stdlib.h>

#include "carillon/import_private.h"
#include "proto/envelope.pb-c.h"

enum { HASHES_PAGE = 5000 };

int import__fail(struct import_run *run, int error)
{
    snprintf(run->summary->error, sizeof run->summary->error, "%s", carillon_text(run->client));
    return error;
}

int import__compare(struct import_run *run)
{
    Carillon__ImportHashesRequest request = CARILLON__IMPORT_HASHES_REQUEST__INIT;
    Carillon__ImportHashesReply *reply = NULL;
    char *cursor = strdup("");
    int error = OK;

    request.kind = run->source->is_students ? CARILLON__IMPORT_KIND__IMPORT_STUDENTS
                                            : CARILLON__IMPORT_KIND__IMPORT_COURSES;
    request.institution = run->summary->institution;
    request.term = run->summary->term;
    request.limit = HASHES_PAGE;
    while (cursor != NULL) {
        request.cursor = cursor;
        error = carillon_call_message(run->client, CARILLON__METHOD__METHOD_IMPORT_HASHES, NULL,
                                      &request.base, &carillon__import_hashes_reply__descriptor,
                                      &reply);
        free(cursor);
        cursor = NULL;
        if (error != OK) {
            carillon_message_free(reply);
            return import__fail(run, error);
        }
        for (size_t i = 0; i < reply->n_names && i < reply->n_hashes; i++) {
            import_index_compare(&run->index, slice_from_text(reply->names[i]),
                                 reply->hashes[i]);
        }
        cursor = reply->next_cursor[0] != '\0' ? strdup(reply->next_cursor) : NULL;
        carillon_message_free(reply);
    }
    return OK;
}
