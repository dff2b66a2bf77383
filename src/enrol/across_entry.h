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
    ENROL_ENTRY_SETTLED,           /* home: body a SETTLED and the shard that sent it */
    ENROL_ENTRY_DECLINE,           /* section: body a DECLINE */
};

#endif
