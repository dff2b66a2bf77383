/* campus/campus.h -- the catalogue and the students of a shard, as they lie in memory.
 *
 * Layer: campus (base, wire)     Spec: docs/spec/registration.md
 *
 * Everything is addressed by ordinals, given in the order of first appearance and never reused
 * for another identity: a course that is removed keeps its ordinal and comes back under it.
 * Contents (documents, profiles, places) come and go. Only documents have ordinals that are
 * reused, the last freed first. Every change of an object is announced by campus_touch_*()
 * before it happens, so that a running snapshot keeps the old image. Nothing here decides
 * whether a change is allowed: that is enrol's.
 */
#ifndef CARILLON_CAMPUS_CAMPUS_H
#define CARILLON_CAMPUS_CAMPUS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "campus/rule.h"
#include "campus/table.h"

#define CAMPUS_NONE UINT32_MAX /* no ordinal; as a capacity: no limit; as credits: unknown */

enum {
    CAMPUS_INSTITUTION_BYTES_MAX = 64,
    CAMPUS_TERM_BYTES_MAX = 64,
    CAMPUS_CODE_BYTES_MAX = 128,
    CAMPUS_SECTION_BYTES_MAX = 64,
    CAMPUS_TOKEN_BYTES_MAX = 64,
    CAMPUS_NAME_BYTES_MAX = 256,
    CAMPUS_REASON_BYTES_MAX = 256,
    CAMPUS_SECTIONS_MAX = 1024,     /* a course */
    CAMPUS_MEETINGS_MAX = 64,       /* a section */
    CAMPUS_TAKEN_MAX = 512,         /* a student */
    CAMPUS_REGISTRATIONS_MAX = 128, /* a student, over all terms */
    CAMPUS_CAPACITY_MAX = 1000000,
    CAMPUS_PLACES_MAX = 64,         /* a student, on waitlists */
    CAMPUS_BLOCKS_MAX = 16,         /* a student */
    CAMPUS_PERMITS_MAX = 64,        /* a student */
    CAMPUS_DROPS_MAX = 16,          /* a place's promotion drops */
    CAMPUS_IMPORTS_MAX = 64,        /* open at the same time */
    CAMPUS_COURSES_MAX_DEFAULT = 5, /* a student and term */
    CAMPUS_WAITLIST_MAX_DEFAULT = 500,
    CAMPUS_WAITLIST_MAX = 10000,
    CAMPUS_REGISTRATIONS_INLINE = 5,
    CAMPUS_MEETINGS_INLINE = 4,
    CAMPUS_ID_INLINE = 16,
    CAMPUS_STUDENT_MAPS = 16, /* so that growing one moves little at once */
};

/* How much of a course, section or student is to be seen. */
enum campus_state {
    CAMPUS_HIDDEN = 0, /* removed, or staged and not yet committed: unknown to everyone */
    CAMPUS_OFFERED,
    CAMPUS_WITHDRAWN, /* gone from the file, kept because someone is registered or waiting */
};

/* A text that names things: institutions, terms, course codes. Interned for ever. */
struct campus_word {
    struct slice text;
    uint32_t first_code;      /* the codes with this text, one an institution */
    uint32_t first_catalogue; /* the catalogues of the institution with this name */
};

/* (institution, code): what rules and taken lists speak of; courses of several terms share one.
 */
struct campus_code {
    uint32_t institution; /* words */
    uint32_t word;
    uint32_t next_same_word;
    uint32_t first_course; /* one a term */
    uint32_t *named_by;    /* courses whose rule names or named this code, by ordinal */
    uint32_t named_count;
    uint32_t named_cap;
};

/* The courses of (institution, term), or the student body of an institution (term CAMPUS_NONE).
 */
struct campus_catalogue {
    uint32_t institution; /* words */
    uint32_t term;
    uint32_t next_same_institution;
    uint32_t import; /* the open one, or CAMPUS_NONE */
    uint64_t opens_ms;
    uint64_t closes_ms;
    uint32_t level_min;
    uint32_t courses_max;
    uint32_t credits_max; /* hundredths; 0: no cap */
    uint32_t waitlist_max;
    uint64_t limits_index; /* the entry that last set the limits */
    uint64_t updated_ms;   /* last commit */
    uint32_t offered;      /* courses or students */
    uint32_t sections;     /* these four count what is offered */
    uint32_t bare;         /* courses without sections in the file */
    uint32_t unlimited;    /* sections without a limit */
    uint64_t seats;
    uint32_t *members; /* courses or students ever, in order of their ordinals */
    uint32_t member_count;
    uint32_t member_cap;
};

struct campus_course_section {
    uint32_t id_hash;
    uint32_t section;
};

struct campus_course {
    uint32_t code;
    uint32_t catalogue;
    uint32_t next_same_code;
    uint32_t document;                      /* what is shown, or CAMPUS_NONE */
    uint32_t staged;                        /* what an open import will show, or CAMPUS_NONE */
    uint32_t credits;                       /* hundredths, of the document, or CAMPUS_NONE */
    const struct campus_rule *rule;         /* of the document, or NULL */
    struct campus_course_section *sections; /* every one ever, in order of first import */
    uint32_t section_count;
    uint32_t section_cap;
    uint64_t changed_index; /* the entry that last changed what is shown: the rule's version */
    uint32_t epoch;
    uint8_t state;  /* enum campus_state */
    bool is_doomed; /* named as removed by the open import */
    bool is_foreign; /* of another shard: `credits` and `rule` are its own, as of changed_index
                      */
};

struct campus_meeting {
    uint16_t start_min;
    uint16_t end_min; /* exclusive */
    uint16_t days;    /* bit 0 Monday .. bit 6 Sunday */
};

struct campus_section {
    uint32_t course;
    uint32_t catalogue;     /* the course's */
    uint32_t capacity;      /* CAMPUS_NONE: no limit */
    uint32_t capacity_file; /* what the last import said */
    uint32_t enrolled;
    uint32_t *roster; /* students in order of registration */
    uint32_t roster_cap;
    uint32_t held;    /* seats kept for undecided attempts */
    uint32_t offered; /* seats kept for those who wait in other shards, until they answer */
    uint32_t places_held; /* places kept for undecided attempts */
    uint32_t over;    /* registrations recorded as over capacity, and such holds */
    uint32_t excused; /* further ones above the capacity, because it was lowered */
    uint32_t waiting;
    uint32_t wait_first; /* places */
    uint32_t wait_last;
    uint32_t epoch;
    uint8_t state;  /* enum campus_state */
    bool is_queued; /* in enrol's queue, within one entry */
    uint8_t id_len;
    uint8_t meeting_count;
    union {
        uint8_t inside[CAMPUS_ID_INLINE];
        const uint8_t *outside;
    } id;
    union {
        struct campus_meeting inside[CAMPUS_MEETINGS_INLINE];
        struct campus_meeting *outside;
    } meetings;
};

/* A place on a waitlist: doubly linked in its section, singly in its student by (since_index,
 * section). */
struct campus_place {
    uint32_t section;
    uint32_t student;
    uint32_t next;
    uint32_t previous;
    uint32_t next_of_student; /* also the list of free places */
    uint32_t drop_count;
    uint32_t *drops; /* sections, CAMPUS_DROPS_MAX at most */
    uint64_t since_index;
    uint64_t since_ms;
    uint64_t skip_index; /* the entry of the last skip; 0: none */
    uint64_t skip_ms;
    uint32_t skips;
    uint32_t skip_kind; /* enum RefusalKind */
    struct slice skip_evidence;
    uint32_t offer;     /* of enrol, or CAMPUS_NONE: a seat is kept and the home is asked */
    uint64_t passed_ms; /* when the last offer was declined, or not answered; 0: none was */
};

struct campus_taken {
    uint32_t code;
    uint16_t grade;   /* hundredths of a grade point + 1; 0: passed, no grade known */
    uint16_t credits; /* hundredths; 0: as the catalogue says */
};

/* What the registrar says about a student; replaced as a whole. The token and the name follow
 * the taken list. */
struct campus_profile {
    uint64_t content_hash;
    uint32_t bytes; /* of the whole */
    uint16_t level;
    uint16_t taken_count;
    uint16_t name_len;
    uint8_t token_len;
    struct campus_taken taken[]; /* ascending by code, each once */
};

/* A registration in 16 bytes: index 48 bits, wall time 44 bits, and which permits (bits of enum
 * PermitKind) were in force when it was made; that of capacity only when it was needed. */
struct campus_registration {
    uint32_t section;
    uint32_t ms_low;
    uint64_t rest; /* index << 16 | ms high 12 bits << 4 | exemptions */
};

struct campus_block {
    struct slice reason;
    struct slice by;
    uint64_t since_ms;
};

struct campus_permit {
    uint32_t section;
    uint32_t kinds; /* bits of enum PermitKind */
    struct slice reason;
    struct slice by;
    uint64_t since_ms;
};

/* What few students have. */
struct campus_extra {
    struct campus_registration *more; /* from the sixth on */
    struct campus_block *blocks;
    struct campus_permit *permits;
    uint32_t more_cap;
    uint32_t first_place;
    uint32_t place_count;
    uint16_t block_count;
    uint16_t block_cap;
    uint16_t permit_count;
    uint16_t permit_cap;
};

struct campus_student {
    struct campus_profile *profile;
    struct campus_extra *extra; /* or NULL */
    uint64_t profile_index;     /* the entry that set the profile */
    uint32_t body;              /* catalogue of the home institution */
    uint32_t epoch;
    uint32_t version; /* raised by every change; kept only where there are several shards */
    uint16_t level;
    uint8_t state; /* enum campus_state */
    uint8_t registration_count;
    bool is_staged;
    bool is_doomed;
    bool is_foreign; /* at home in another shard: only what he has in this one stands here */
    struct campus_registration registrations[CAMPUS_REGISTRATIONS_INLINE];
};

/* One section of a document, as the file has it. */
struct campus_offer {
    uint32_t section;  /* the section's ordinal */
    uint32_t capacity; /* CAMPUS_NONE: no limit */
    uint32_t first_meeting;
    uint32_t meeting_count;
};

/* What a file says about a course: immutable, replaced as a whole. */
struct campus_document {
    uint32_t course; /* CAMPUS_NONE: a free ordinal */
    uint32_t blob_len;
    uint8_t *blob; /* the packed Course message */
    uint32_t credits; /* hundredths, or CAMPUS_NONE */
    uint16_t level;
    bool is_bare; /* without sections in the file; a view reads no further than here */
    struct campus_rule *rule;
    struct campus_offer *offers;
    struct campus_meeting *meetings;
    uint32_t offer_count;
    uint32_t meeting_count;
    uint64_t content_hash;
    uint32_t epoch;
    uint32_t next_free;
};

struct campus_import;
struct campus_snapshot;

struct campus {
    struct arena arena;
    uint32_t shard;       /* which keys are its own (campus/shard.h) */
    uint32_t shard_count; /* 0 or 1: all of them */
    struct table words;
    struct table codes;
    struct table catalogues;
    struct table courses;
    struct table sections;
    struct table documents;
    struct table students;
    struct table places;
    struct map word_map;                               /* by text */
    struct map student_maps[CAMPUS_STUDENT_MAPS];      /* by token */
    struct campus_import *imports[CAMPUS_IMPORTS_MAX]; /* by slot; NULL: free */
    struct campus_snapshot *snapshot;                  /* the running one, or NULL */
    uint32_t *stalled; /* sections with a place and a free seat, ascending */
    uint32_t stalled_count;
    uint32_t stalled_cap;
    uint32_t free_document; /* head of the list of free ones */
    uint32_t free_place;
    uint32_t epoch;         /* of the last snapshot begun */
    uint64_t course_count;  /* offered */
    uint64_t section_count; /* offered */
    uint64_t student_count; /* offered */
    uint64_t registration_count;
    uint64_t waiting_count;
    uint64_t registrations_away; /* of those, of students at home in other shards, who count them */
    uint64_t waiting_away;
    uint64_t student_bytes; /* held by students' own memory */
    uint64_t course_bytes;  /* held by courses, sections and documents */
};

void campus_init(struct campus *campus, uint64_t memory_bytes_max);
void campus_fini(struct campus *campus);

static inline struct campus_word *campus_word(const struct campus *campus, uint32_t ordinal)
{
    return table_at(&campus->words, ordinal);
}

static inline struct campus_code *campus_code(const struct campus *campus, uint32_t ordinal)
{
    return table_at(&campus->codes, ordinal);
}

static inline struct campus_catalogue *campus_catalogue(const struct campus *campus,
                                                        uint32_t ordinal)
{
    return table_at(&campus->catalogues, ordinal);
}

static inline struct campus_course *campus_course(const struct campus *campus, uint32_t ordinal)
{
    return table_at(&campus->courses, ordinal);
}

static inline struct campus_section *campus_section(const struct campus *campus,
                                                    uint32_t ordinal)
{
    return table_at(&campus->sections, ordinal);
}

static inline struct campus_document *campus_document(const struct campus *campus,
                                                      uint32_t ordinal)
{
    return table_at(&campus->documents, ordinal);
}

static inline struct campus_student *campus_student(const struct campus *campus,
                                                    uint32_t ordinal)
{
    return table_at(&campus->students, ordinal);
}

static inline struct campus_place *campus_place(const struct campus *campus, uint32_t ordinal)
{
    return table_at(&campus->places, ordinal);
}

/* Whether the section has a limit and has reached it, with the seats that are kept. */
static inline bool campus_section_is_full(const struct campus_section *section)
{
    return section->capacity != CAMPUS_NONE &&
           section->enrolled + section->held + section->offered >= section->capacity;
}

/* Whether nothing but undecided attempts stands between anyone and a seat. */
static inline bool campus_section_is_undecided(const struct campus_section *section)
{
    return campus_section_is_full(section) &&
           section->enrolled + section->offered < section->capacity;
}

static inline struct slice campus_section_id(const struct campus_section *section)
{
    return slice_from(section->id_len > CAMPUS_ID_INLINE ? section->id.outside
                                                         : section->id.inside,
                      section->id_len);
}

static inline const struct campus_meeting *
campus_section_meetings(const struct campus_section *section)
{
    return section->meeting_count > CAMPUS_MEETINGS_INLINE ? section->meetings.outside
                                                           : section->meetings.inside;
}

static inline uint64_t campus_registration_index(const struct campus_registration *registration)
{
    return registration->rest >> 16;
}

static inline uint64_t campus_registration_ms(const struct campus_registration *registration)
{
    return (registration->rest >> 4 & 0xfff) << 32 | registration->ms_low;
}

static inline uint32_t
campus_registration_permits(const struct campus_registration *registration)
{
    return (uint32_t)(registration->rest & 15);
}

static inline bool campus_registration_is_over(const struct campus_registration *registration)
{
    return (registration->rest & 1) != 0;
}

static inline struct slice campus_profile_token(const struct campus_profile *profile)
{
    return slice_from(&profile->taken[profile->taken_count], profile->token_len);
}

static inline struct slice campus_profile_name(const struct campus_profile *profile)
{
    const uint8_t *token = (const uint8_t *)&profile->taken[profile->taken_count];

    return slice_from(token + profile->token_len, profile->name_len);
}

#endif
