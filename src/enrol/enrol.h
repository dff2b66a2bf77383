/* enrol/enrol.h -- registration: admits requests, applies log entries, answers reads.
 *
 * Layer: enrol (base, wire, campus)     Spec: docs/spec/registration.md
 *
 * The state changes in enrol_apply() and nowhere else, and depends on nothing but the entries
 * applied. What a caller may do with a state between two entries: enrol_admit, enrol_read, the
 * filters, verify and snapshot steps.
 */
#ifndef CARILLON_ENROL_ENROL_H
#define CARILLON_ENROL_ENROL_H

#include "base/buf.h"
#include "base/uuid.h"
#include "campus/campus.h"
#include "campus/document.h"

struct enrol;

struct enrol_config {
    uint64_t memory_bytes_max; /* what the state may hold */
    struct uuid cluster_id;
    uint32_t group;
    uint32_t shards; /* of the cluster, a power of two; groups 1.. are theirs. 0 or 1: one */
};

/* A new, empty state in memory of its own; enrol_destroy takes NULL. */
struct enrol *enrol_create(const struct enrol_config *config);
void enrol_destroy(struct enrol *enrol);

/* ---- writes */

/* A guess at what a submit names: its student, and the section of its first op. It is compared
 * with the names and never believed, so that a wrong one costs time and nothing else. */
struct enrol_hint {
    uint32_t student; /* CAMPUS_NONE: none */
    uint32_t section;
};

#define ENROL_HINT_NONE ((struct enrol_hint){CAMPUS_NONE, CAMPUS_NONE})

struct enrol_entry {
    uint64_t index; /* 1 up, one more than the entry before (jumps are allowed) */
    uint64_t term;
    uint64_t wall_ms;
    uint32_t method; /* 0: the passing of time */
    struct slice key;
    struct slice body;
    struct enrol_hint hint;
};

/* Whether a request that changes state may be proposed: decodes it, checks shape, key, names
 * and the import id against the newest state, and that the memory it may need is there. On OK
 * that memory is reserved until the entry is applied, or enrol_forget() takes it back. Changes
 * nothing that enrol_apply could see. @entry has no index and term yet.
 *
 * Errors: ERR_METHOD, ERR_MALFORMED, ERR_ARGUMENT, ERR_TOO_LARGE, ERR_KEY_EXPIRED, ERR_FULL,
 * ERR_UNKNOWN_*, ERR_AMBIGUOUS, ERR_GONE; @text then says what and where (appended; at most 512
 * bytes).
 */
int enrol_admit(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text) CHECKED;

/* An admitted request was not proposed after all. */
void enrol_forget(struct enrol *enrol, uint32_t method, struct slice body);

/* What became of all admitted requests that were not applied yet is not known any more. */
void enrol_forget_all(struct enrol *enrol);

/* What happened to documents, for the search index; in this order. */
enum enrol_effect_kind {
    ENROL_DOCUMENT_STAGED = 1, /* may be indexed, must not be found yet */
    ENROL_DOCUMENT_PUBLISHED,  /* staged before; to be found from now on */
    ENROL_DOCUMENT_REMOVED,    /* staged or published; its ordinal may be staged again later */
};

struct enrol_effect {
    uint32_t kind; /* enum enrol_effect_kind */
    uint32_t document;
};

/* What happened to students other than by their own request, for the audit trail. */
enum enrol_note_kind {
    ENROL_NOTE_PROMOTED = 1,
    ENROL_NOTE_PROMOTION_DROP, /* dropped because promoted elsewhere */
    ENROL_NOTE_SKIPPED,
};

struct enrol_note {
    uint32_t kind; /* enum enrol_note_kind */
    uint32_t student;
    uint32_t section;
    uint32_t refusal; /* enum RefusalKind of a skip, else 0 */
    uint32_t text_at; /* the skip's evidence, in result->note_text */
    uint32_t text_len;
};

struct enrol_result {
    int status;         /* OK or an error */
    bool is_repeated;   /* the stored answer of an earlier entry */
    bool is_undecided;  /* a decision across shards that was not taken: the student has changed
                           since it was prepared; nothing is stored under its key */
    bool is_outdated;   /* a fact that was applied before (enrol/fact.h): nothing happened */
    uint64_t index;     /* of the entry that the answer stems from */
    uint32_t student;   /* whom the request was about, or CAMPUS_NONE */
    struct buf text;    /* for people; empty when status is OK */
    struct buf reply;   /* the packed reply message; may be empty when status is not OK */
    struct buf effects; /* of struct enrol_effect */
    struct buf notes;   /* of struct enrol_note */
    struct buf note_text;
};

/* A result is used again for one entry after the other. */
void enrol_result_init(struct enrol_result *result);
void enrol_result_fini(struct enrol_result *result);

static inline size_t enrol_effect_count(const struct enrol_result *result)
{
    return result->effects.len / sizeof(struct enrol_effect);
}

static inline struct enrol_effect enrol_effect_at(const struct enrol_result *result, size_t i)
{
    return ((const struct enrol_effect *)(const void *)result->effects.data)[i];
}

static inline size_t enrol_note_count(const struct enrol_result *result)
{
    return result->notes.len / sizeof(struct enrol_note);
}

static inline struct enrol_note enrol_note_at(const struct enrol_result *result, size_t i)
{
    return ((const struct enrol_note *)(const void *)result->notes.data)[i];
}

/* Apply one committed entry. Never fails: what is wrong with a request is its result. */
void enrol_apply(struct enrol *enrol, const struct enrol_entry *entry,
                 struct enrol_result *ret_result);

/* The entry that was applied last; 0 at the beginning. */
uint64_t enrol_index(const struct enrol *enrol);

/* The id of the @n-th open import (n from 0), for ending those that a stopped node left open. Those
 * that are prepared are not the node's to end. Returns: false past the last. */
bool enrol_open_import(const struct enrol *enrol, size_t n, struct uuid *ret_id);

/* ---- reads */

/* Answer CHECK, SCHEDULE, ROSTER, OUTCOME, IMPORT_HASHES, CATALOGUES, EXPORT or SHOW from the
 * state as it is.
 * @reply gets the packed reply (also with ERR_REFUSED, from CHECK), @text what is wrong.
 *
 * Errors: ERR_METHOD, ERR_MALFORMED, ERR_ARGUMENT, ERR_UNKNOWN_*, ERR_AMBIGUOUS, ERR_REFUSED,
 *         ERR_NOSPACE_REPLY beyond @reply's bound.
 */
int enrol_read(struct enrol *enrol, uint32_t method, struct slice body, uint64_t wall_ms,
               struct buf *reply, struct buf *text) CHECKED;

/* The section that a RosterRequest @body asks about. Errors: ERR_MALFORMED,
 * ERR_UNKNOWN_COURSE, ERR_UNKNOWN_SECTION, ERR_AMBIGUOUS, with @text. */
int enrol_roster_section(struct enrol *enrol, struct slice body, uint32_t *ret_section,
                         struct buf *text) CHECKED;

struct enrol_counters {
    uint64_t courses;
    uint64_t sections;
    uint64_t students;
    uint64_t registrations;
    uint64_t waiting;
    uint64_t answers;
    uint64_t bytes;    /* held by the state */
    uint64_t reserved; /* for entries in flight */
    uint64_t bytes_max;
    uint64_t student_bytes; /* average of one, rounded */
    uint64_t course_bytes;
};

/* Where the state lies; lent to whoever prepares memory for it. */
struct arena *enrol_arena(struct enrol *enrol);

void enrol_count(const struct enrol *enrol, struct enrol_counters *ret_counters);

/* ---- for search: the state itself, and what filters ask. Documents are those of effects. */

const struct campus *enrol_campus(const struct enrol *enrol);

/* The ordinal of an offered or withdrawn student. Errors: ERR_UNKNOWN_STUDENT. */
int enrol_student_find(const struct enrol *enrol, struct slice token,
                       uint32_t *ret_student) CHECKED;

/* Some section offered has a free seat. */
bool enrol_document_open(const struct enrol *enrol, uint32_t document);

/* Who asks: a student, in the state of the shard that is his home. */
struct enrol_seeker {
    const struct enrol *home;
    uint32_t student;
};

/* Some section offered meets at no time at which the student's sections of that term meet. */
bool enrol_document_fits(const struct enrol *enrol, uint32_t document,
                         struct enrol_seeker seeker);

/* The student satisfies the course's rule and has neither taken it nor registered for it. */
bool enrol_document_eligible(const struct enrol *enrol, uint32_t document,
                             struct enrol_seeker seeker);

/* ---- tokens: who shows one, by its hash */

enum { ENROL_TOKEN_HASH_BYTES = 32, ENROL_TOKEN_ID_BYTES = 8 };

struct enrol_token_view {
    uint32_t number; /* for enrol_token_is_live */
    uint32_t role;   /* enum Role */
    struct slice student; /* whom alone it stands for; empty: nobody in particular */
};

/* Whether there is a token with this hash that is neither revoked nor at its end. */
bool enrol_token_find(const struct enrol *enrol, const uint8_t hash[ENROL_TOKEN_HASH_BYTES],
                      uint64_t wall_ms, struct enrol_token_view *ret_view);
bool enrol_token_is_live(const struct enrol *enrol, uint32_t number, uint64_t wall_ms);


/* Of a token by its number: the hash it is known by, and its end. */
struct enrol_token_secret {
    const uint8_t *hash; /* ENROL_TOKEN_HASH_BYTES, borrowed */
    uint64_t expires_ms;
};
struct enrol_token_secret enrol_token_secret(const struct enrol *enrol, uint32_t number);

bool enrol_certificate_is_revoked(const struct enrol *enrol,
                                  const uint8_t hash[ENROL_TOKEN_HASH_BYTES]);

/* ---- verify: walks the invariants, a slice at a time; entries may be applied in between. */

struct enrol_verify;

struct enrol_verify *enrol_verify_begin(struct enrol *enrol);

/* Do about a quarter of a millisecond of work, however long rosters and lines are. Returns:
 * SM_PENDING, or OK when all is checked. */
int enrol_verify_step(struct enrol_verify *verify) CHECKED;

/* The most that a step has done so far, in registrations, places and objects looked at. */
uint32_t enrol_verify_work_most(const struct enrol_verify *verify);

/* Pack the VerifyReply (state_hash 0 when entries were applied meanwhile) and release @verify,
 * which may be NULL or unfinished. @reply may be NULL. Errors: ERR_NOSPACE_REPLY. */
int enrol_verify_end(struct enrol_verify *verify, struct buf *reply) CHECKED;

/* A hash of the whole state, the same for the same entries however they were reached (replay,
 * snapshot). Walks everything: for tests and tools. */
uint64_t enrol_hash(struct enrol *enrol);

/* ---- snapshots: a stream of bytes that holds the state as it was at begin, while entries are
 * applied. */

enum { ENROL_SNAPSHOT_STEP_BYTES = 16 << 10 };

/* Errors: ERR_BUSY one is running already. */
int enrol_snapshot_begin(struct enrol *enrol) CHECKED;

/* Append up to ENROL_SNAPSHOT_STEP_BYTES of the stream to @out.
 * Returns: SM_PENDING while there is more, OK after the last bytes (the snapshot has then
 * ended). Errors:  ERR_FULL when @out has no room; nothing is lost, call again. */
int enrol_snapshot_step(struct enrol *enrol, struct buf *out) CHECKED;

/* Give up a running snapshot; does nothing when there is none. */
void enrol_snapshot_abort(struct enrol *enrol);

/* Load a snapshot into an empty state: chunks of any size in order, then the end, which checks
 * that nothing is missing. After an error the state is of no use and is destroyed. Errors:
 * ERR_DAMAGED, ERR_VERSION. */
int enrol_restore_chunk(struct enrol *enrol, struct slice chunk) CHECKED;
int enrol_restore_end(struct enrol *enrol) CHECKED;

/* After a restore: the documents that the index needs, one call each, @cursor from 0.
 * Returns: false past the last. @ret_effect says STAGED or PUBLISHED. */
bool enrol_document_next(const struct enrol *enrol, uint32_t *cursor,
                         struct enrol_effect *ret_effect);

#endif
