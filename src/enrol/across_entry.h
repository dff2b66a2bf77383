/* enrol/across_entry.h -- the entries of attempts across shards, which no client sends.
 *
 * Layer: enrol (base)     Spec: docs/spec/enrol.md section 4
 */
#ifndef CARILLON_ENROL_ACROSS_ENTRY_H
#define CARILLON_ENROL_ACROSS_ENTRY_H

/* In the place of a method's number, far above any. */
enum enrol_across_entry {
    ENROL_ENTRY_RESERVE = 0x10001, /* section: body a RESERVE; the reply a RESERVED */
    ENROL_ENTRY_SETTLE,            /* section: body a SETTLE; the reply a SETTLED */
    ENROL_ENTRY_DECIDE,            /* home: key (none: a promotion) and body; the reply a
                                      SubmitReply */
    ENROL_ENTRY_SETTLED,           /* home: body n times a SETTLED and the shard that sent it */
    ENROL_ENTRY_DECLINE,           /* section: body a DECLINE */
    ENROL_ENTRY_FACT,              /* every shard: key and body of enrol/fact.h */
    ENROL_ENTRY_PREPARE,           /* every shard: body of enrol/staging.h */
    ENROL_ENTRY_PERMIT,            /* home: key; body a PermitRequest and the section's
                                      description; the reply a PermitReply */
    ENROL_ENTRY_REFRESH,           /* home: body descriptions of sections elsewhere */
};

/* Questions between nodes that enrol_read() answers, beside the methods of clients. */
enum enrol_across_read {
    ENROL_READ_IMPORT = 0x10101, /* what a shard has of an import (enrol/staging.h) */
    ENROL_READ_SECTIONS,         /* what a schedule shows of sections (enrol/merge.h) */
    ENROL_READ_RECORD,           /* home: a student's record, for the ticks of a rule */
    ENROL_READ_SHOWN,            /* a course, with the record of another shard's student */
    ENROL_READ_RELATED,          /* what else there is to a course that another shard shows */
    ENROL_READ_END,
};

#endif
