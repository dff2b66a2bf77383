/* enrol/verify_private.h -- a running verify, shared by its two files.
 *
 * Layer: enrol (base, wire, campus)
 */
#ifndef CARILLON_ENROL_VERIFY_PRIVATE_H
#define CARILLON_ENROL_VERIFY_PRIVATE_H

#include "enrol/enrol_private.h"

enum {
    /* Units of work: a registration, a place or an object, about a microsecond each. */
    VERIFY_WORK_PER_STEP = 256,
    VERIFY_WORK_JUDGING = 4,       /* one who waits is judged */
    VERIFY_WORK_HASHING = 32,      /* images of VERIFY_HASH_BYTES are made and hashed */
    VERIFY_HASH_BYTES = 16 << 10,
    VERIFY_SCANNED_PER_WORK = 256, /* roster entries looked at one after the other */
    VERIFY_FINDINGS_MAX = 100,
    VERIFY_FINDING_BYTES = 256,
};

/* What of a section is looked at, one after the other. */
enum verify_part {
    VERIFY_ROSTER,
    VERIFY_LINE,
    VERIFY_WINDOWS,  /* of what those who wait would drop */
    VERIFY_ELIGIBLE, /* whether one of them could have a free seat */
    VERIFY_PART_NR,
};

/* Where the walk through one section stands. Entries may be applied between two steps. */
struct verify_section {
    enum verify_part part;
    uint32_t at;     /* roster entry, or place */
    uint64_t last;   /* index of the one before */
    uint32_t over;   /* seen so far */
    uint32_t count;  /* places seen so far */
    uint64_t index;  /* entry that was applied last when the part was begun */
    uint32_t begun;  /* how often the part was begun */
    bool is_begun;
};

struct enrol_verify {
    struct arena own;
    struct enrol *enrol;
    uint64_t begun_at; /* index */
    uint32_t section;  /* cursors */
    struct verify_section walk;
    uint32_t student;
    uint64_t hash_cursor;
    uint32_t answer;
    uint32_t token;
    uint64_t hash;
    uint64_t sections;
    uint64_t students;
    uint64_t registrations;
    uint32_t work;      /* of the current step */
    uint32_t work_most; /* of any step */
    uint32_t finding_count;
    bool is_campus_hashed;
    bool is_across_hashed;
    char *findings[VERIFY_FINDINGS_MAX];
};

/* What was written into the state's line is a finding. */
void enrol__verify_find(struct enrol_verify *verify, int rc);

#define VERIFY_FIND(verify, ...)                                                               \
    enrol__verify_find((verify), buf_append_format(enrol__line((verify)->enrol), __VA_ARGS__))

/* Go on with section verify->section until it is done or the step has done its work. Returns:
 * whether it is done. */
bool enrol__verify_section(struct enrol_verify *verify);

#endif
