/* enrol/enrol_private.h -- what the files of enrol share with each other only.
 *
 * Layer: enrol (base, wire, campus)
 */
#ifndef CARILLON_ENROL_ENROL_PRIVATE_H
#define CARILLON_ENROL_ENROL_PRIVATE_H

#include "campus/campus.h"
#include "campus/import.h"
#include "campus/name.h"
#include "campus/student.h"
#include "enrol/across_state.h"
#include "enrol/answer.h"
#include "enrol/enrol.h"
#include "proto/identity.pb-c.h"
#include "proto/operator.pb-c.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "proto/search.pb-c.h"

enum {
    ENROL_OPS_MAX = 16,
    ENROL_REFUSALS_MAX = 64,
    ENROL_BY_BYTES_MAX = 128,
    ENROL_TEXT_BYTES_MAX = 512,
    /* A schedule's registrations and places. */
    ENROL_SECTIONS_ASKED_MAX = CAMPUS_REGISTRATIONS_MAX + CAMPUS_PLACES_MAX,
    ENROL_AFTER_MAX = CAMPUS_REGISTRATIONS_MAX + ENROL_OPS_MAX,
};

#define ENROL_WHOLE UINT32_MAX /* a refusal of the request as a whole */

struct enrol_restore;

/* An import that takes part in a commit over all shards: a fact ends it, and nothing else. */
struct enrol_prepared {
    struct uuid id;
    struct uuid key; /* of the commit */
    uint64_t since_ms;
};

/* A token, or a certificate that was revoked, by the hash of what is shown. */
struct enrol_token {
    uint8_t hash[ENROL_TOKEN_HASH_BYTES];
    uint64_t issued_index; /* of a certificate: of the entry that revoked it */
    uint64_t revoked_index; /* 0: it is not */
    uint64_t issued_ms;
    uint64_t expires_ms; /* 0: it has no end */
    uint32_t student;    /* whom alone it stands for, or CAMPUS_NONE */
    uint32_t older;      /* the same student's one before, or CAMPUS_NONE; derived */
    uint8_t role;        /* enum Role; 0: of a certificate */
    struct slice name;
    struct slice by;
};

struct enrol {
    struct arena own; /* this struct itself */
    struct campus campus;
    struct arena scratch; /* of the request being worked on */
    struct buf line;      /* for making a text */
    struct enrol_answers answers;
    struct enrol_across across; /* holds, and the to-do list */
    uint64_t fact;              /* the newest of the cluster's that was applied */
    struct enrol_prepared prepared[CAMPUS_IMPORTS_MAX]; /* in order of their preparing */
    uint32_t prepared_count;
    struct table tokens;       /* struct enrol_token */
    struct map token_map;      /* by id */
    struct map token_students; /* by student: the newest */
    struct enrol_config config;
    uint64_t index; /* of the entry applied last */
    uint64_t term;
    uint64_t wall_ms;
    uint64_t reserved; /* bytes that entries in flight may need */
    uint32_t *queue;   /* sections to be settled: a ring */
    uint32_t queue_first;
    uint32_t queue_count;
    uint32_t queue_cap;          /* a power of two, or 0 */
    uint32_t saved_answers_from; /* what a running snapshot still has to write */
    uint32_t saved_answers_to;
    uint32_t saved_tokens_from;
    uint32_t saved_tokens_to;
    uint64_t snapshot_index; /* what the running snapshot is of */
    int snapshot_phase;
    struct buf stream; /* of a running snapshot: written, not yet handed out; of a restore: not
                          yet read */
    size_t stream_at;
    struct buf image; /* of what is being hashed: one after the other, in the same memory */
    int restore_phase;
    uint64_t restore_answers; /* how many the head announced */
    uint64_t restore_tokens;
    uint64_t map_margin;      /* bytes that the tables may take at their next growth */
};

/* ---- attempts: one request of one student, from ops to verdict */

struct enrol_op {
    uint32_t kind; /* enum OpKind */
    uint32_t section;
    bool waitlist;
    bool is_wait;    /* an add that takes a place instead of a seat */
    bool is_void;    /* names what an earlier op names */
    uint32_t place;  /* what came of a wait add: its number */
    uint32_t change; /* enum ChangeKind, once confirmed */
    uint32_t drop_count;
    uint32_t drops[CAMPUS_DROPS_MAX];
};

struct enrol_refusal {
    uint32_t kind; /* enum RefusalKind */
    uint32_t op;
    uint32_t rule_node;
    struct slice evidence; /* in scratch */
};

/* In the home, what the section's shard said of an op: what is held, and what it refuses. */
struct enrol_part {
    bool is_foreign;
    uint8_t what; /* enum enrol_held */
    uint8_t permits;
    uint32_t section; /* its stand-in */
    uint32_t place;
};

struct enrol_parts {
    struct enrol_part of[ENROL_OPS_MAX]; /* by op */
    uint32_t refusal_count;
    struct enrol_refusal refusals[ENROL_REFUSALS_MAX];
};

/* In the section's shard, what the home says of a student and does not stand here. */
struct enrol_facts {
    uint64_t credits_more;
    uint32_t beside_count; /* courses of the after-state in other shards, known here as codes */
    uint32_t codes[ENROL_AFTER_MAX];
    uint32_t terms[ENROL_AFTER_MAX]; /* words; CAMPUS_NONE: any */
};

struct enrol_attempt {
    struct enrol *enrol;
    uint32_t student; /* CAMPUS_NONE: of another shard, and has nothing here */
    /* His record; of one of another shard, what stands here with what his home says. */
    const struct campus_student *who;
    uint64_t wall_ms;
    const struct enrol_parts *parts; /* NULL: everything lies in this shard */
    const struct enrol_facts *facts; /* NULL: this is the student's home */
    bool is_settled;   /* nobody who waits for a section named here is eligible */
    bool is_promotion; /* the seat is there, and the place is the student's own */
    bool has_add;
    uint32_t op_count;
    uint32_t kept_count;  /* the first ones of `after` are registrations that stay */
    uint32_t after_count; /* the others are seat adds */
    uint32_t refusal_count;
    uint32_t after[ENROL_AFTER_MAX];
    uint8_t after_op[ENROL_AFTER_MAX]; /* of a seat add: its op */
    struct enrol_op ops[ENROL_OPS_MAX];
    struct enrol_refusal refusals[ENROL_REFUSALS_MAX];
};

/* Fill the attempt's student and ops from a packed SubmitRequest. @hint is a guess at the
 * student and the first op's section. Errors: ERR_MALFORMED, ERR_ARGUMENT, ERR_UNKNOWN_*,
 * ERR_AMBIGUOUS with @text. */
int enrol__attempt_make(struct enrol *enrol, struct slice body, struct enrol_hint hint,
                        struct enrol_attempt *attempt, struct buf *text) CHECKED;

/* The same for the home of a request across shards: the sections of other shards are those of
 * attempt->parts, which is set already. */
int enrol__attempt_make_across(struct enrol *enrol, struct slice body,
                               const struct enrol_parts *parts, struct enrol_attempt *attempt,
                               struct buf *text) CHECKED;

/* Fill modes and after-state only. */
void enrol__attempt_prepare(struct enrol_attempt *attempt);

/* Fill modes, after-state and refusals (section 3 of the specification). Changes nothing. */
void enrol__attempt_judge(struct enrol_attempt *attempt);
void enrol__refuse(struct enrol_attempt *attempt, uint32_t kind, uint32_t op,
                   struct slice evidence);

/* The parts of judging, in their own files. */
void enrol__reserve_course(struct enrol_attempt *attempt,
                           uint32_t op); /* the section's side: 6 to 11 */
/* Of the courses that he has beside, the codes of those that count in @term (a word). Returns: how
 * many. */
uint32_t enrol__beside(const struct enrol_facts *facts, uint32_t term,
                       uint32_t codes[ENROL_AFTER_MAX]);
void enrol__reserve_rule(struct enrol_attempt *attempt, uint32_t op); /* 11 */
void enrol__reserve_seat(struct enrol_attempt *attempt, uint32_t op); /* 13 and 14 */
void enrol__reserve_place(struct enrol_attempt *attempt, uint32_t op); /* 14, the student's */
void enrol__decide_student(struct enrol_attempt *attempt); /* the student's side: 1 and 2 */
void enrol__decide_times(struct enrol_attempt *attempt, uint32_t op); /* 12 */
void enrol__decide_load(struct enrol_attempt *attempt);               /* 15 to 17 */
struct slice enrol__evidence_section(struct enrol_attempt *attempt, uint32_t section);
/* A line to write into, empty; a copy of it in scratch. */
struct buf *enrol__line(struct enrol *enrol);
struct slice enrol__line_copy(struct enrol *enrol, int rc);
#define ENROL_EVIDENCE(enrol, ...)                                                             \
    enrol__line_copy((enrol), buf_append_format(enrol__line(enrol), __VA_ARGS__))
bool enrol__is_taken(const struct enrol_attempt *attempt,
                     uint32_t section); /* no seat left for it */
bool enrol__has_permit(const struct enrol_attempt *attempt, uint32_t section, uint32_t kind);
/* The student's place in the section's line, or CAMPUS_NONE. */
static inline uint32_t enrol__place_of(const struct enrol_attempt *attempt, uint32_t section)
{
    return attempt->student == CAMPUS_NONE
               ? CAMPUS_NONE
               : campus_place_find(&attempt->enrol->campus, attempt->student, section);
}
uint32_t enrol__term_of(const struct campus *campus, uint32_t section);

/* ---- one entry being applied */

struct enrol_work {
    struct enrol *enrol;
    const struct enrol_entry *entry;
    struct enrol_result *result;
    uint64_t asked_ms; /* when it was asked for: of a fact, the same in every shard */
    const struct enrol_fact *fact; /* that it is, or NULL */
    struct slice described; /* of a permit: its section, when that is another shard's */
    uint32_t change; /* enum ChangeKind of a submit's only op, for the short answer; else 0 */
    uint32_t section;
    uint32_t place;
};

static inline struct campus_since enrol__since(const struct enrol_work *work)
{
    return (struct campus_since){work->entry->index, work->entry->wall_ms, 0};
}

/* Perform an accepted attempt: drops, then adds; each op's change is noted in it. */
void enrol__confirm(struct enrol_work *work, struct enrol_attempt *attempt);

/* Section 5: settle one section; put candidates into the queue; work it off. */
uint32_t enrol__settle(struct enrol_work *work,
                       uint32_t section); /* returns how many were promoted */
void enrol__queue_section(struct enrol *enrol, uint32_t section);
void enrol__queue_student(struct enrol *enrol, uint32_t student);
void enrol__queue_all(struct enrol *enrol);
uint32_t enrol__queue_work(struct enrol_work *work);
/* Whether as many eligible students wait as there are free seats; for reads, which settle
 * nothing. */
bool enrol__is_spoken_for(struct enrol *enrol, uint32_t section, uint64_t wall_ms);

/* ---- offers to those who wait and are at home in another shard: offer.c */

enum { ENROL_OFFER_MS = 2000, ENROL_OFFER_AGAIN_MS = 10000 };

static inline bool enrol__is_foreign_place(const struct enrol *enrol,
                                           const struct campus_place *place)
{
    return campus_student(&enrol->campus, place->student)->is_foreign;
}

/* Whether the home is to be asked, at this logged time: it is not being asked, and its last no is
 * some time ago. */
static inline bool enrol__can_be_offered(const struct campus_place *place, uint64_t wall_ms)
{
    return place->offer == CAMPUS_NONE &&
           (place->passed_ms == 0 || place->passed_ms + ENROL_OFFER_AGAIN_MS <= wall_ms);
}

void enrol__offer_make(struct enrol_work *work, uint32_t place);
/* The offer to @place ends, and its seat with it; what becomes of the seat is the caller's. */
void enrol__offer_end(struct enrol *enrol, uint32_t place);
/* Those whose window has passed by this entry's time. */
void enrol__offers_expire(struct enrol_work *work);
/* A place ends, with an offer to it. */
void enrol__place_end(struct enrol *enrol, uint32_t place);
/* The submit that a promotion from @place stands for. */
void enrol__promotion_make(struct enrol *enrol, const struct campus_place *place,
                           uint64_t wall_ms, struct enrol_attempt *attempt);

/* Whether who waits at @place could be promoted. */
bool enrol__is_eligible(struct enrol *enrol, uint32_t place, uint64_t wall_ms);

void enrol__note(struct enrol_work *work, uint32_t kind, uint32_t student, uint32_t section,
                 const struct enrol_refusal *refusal);

/* ---- methods: a row each in method_rows.c */

struct enrol_method {
    bool is_raw; /* `request` is the struct enrol_entry: the method decodes its body itself */
    /* Shape and names, against the newest state; for admit only. NULL: nothing beyond the
     * schema. */
    int (*check)(struct enrol *enrol, const void *request, struct buf *text);
    /* Perform; fills result->reply and result->text, returns the status. */
    int (*apply)(struct enrol_work *work, const void *request);
    /* Bytes of state the request may need at most, beyond those of its answer. */
    uint64_t (*growth)(const struct enrol *enrol, struct slice body);
};

/* The row of a method that changes state, or NULL. */
const struct enrol_method *enrol__method(uint32_t method);

int enrol__submit_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__submit_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__window_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__window_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__limits_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__limits_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__block_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__block_apply(struct enrol_work *work, const void *request) CHECKED;
/* All of a permit but its section. */
int enrol__permit_shape(struct enrol *enrol, const Carillon__PermitRequest *request,
                        uint32_t *ret_student, struct buf *text) CHECKED;
int enrol__permit_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__permit_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__cap_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__cap_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__begin_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__begin_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__chunk_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__chunk_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__commit_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__commit_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__abort_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__abort_apply(struct enrol_work *work, const void *request) CHECKED;

int enrol__token_issue_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__token_issue_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__token_revoke_check(struct enrol *enrol, const void *request,
                              struct buf *text) CHECKED;
int enrol__token_revoke_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__grant_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__grant_apply(struct enrol_work *work, const void *request) CHECKED;
int enrol__revoke_check(struct enrol *enrol, const void *request, struct buf *text) CHECKED;
int enrol__revoke_apply(struct enrol_work *work, const void *request) CHECKED;

/* ---- tokens */

void enrol__tokens_init(struct enrol *enrol);

/* One token's bytes, as it was after the entry @index; and back. Errors: ERR_DAMAGED. */
void enrol__token_image(const struct enrol *enrol, uint32_t number, uint64_t index,
                        struct buf *out);
uint64_t enrol__token_hash(struct enrol *enrol, uint32_t number); /* for the state's */
struct unpack;
int enrol__token_load(struct enrol *enrol, struct unpack *in) CHECKED;

/* ---- across shards: entries that no client sends */

/* Bytes of state that an entry across shards may need at most; 0: it is none. */
uint64_t enrol__across_growth(uint32_t method, struct slice body);
void enrol__across_apply(struct enrol_work *work);

int enrol__reserve_apply(struct enrol_work *work) CHECKED;
struct across_reserve;
/* Whether a course that is added has a rule, which may ask for anything of the record. */
bool enrol__foreign_is_ruled(const struct campus *campus, const struct across_reserve *reserve);
/* Judge what the home of another shard's student asks of this one: attempt->enrol, student and
 * wall_ms are set; the rest is filled, in scratch. @work: the entry, which settles the sections
 * first; NULL: a look that changes nothing. Errors: ERR_UNKNOWN_*, ERR_AMBIGUOUS, ERR_GONE with
 * @text. */
int enrol__foreign_judge(struct enrol_attempt *attempt, const struct across_reserve *reserve,
                         struct enrol_work *work, struct buf *text) CHECKED;
/* A student of another shard as his home describes him, in scratch: his record, and what he has
 * beside (@facts). */
struct campus_student *enrol__foreign_record(struct enrol *enrol,
                                             const struct across_reserve *reserve,
                                             struct enrol_facts *facts);
struct across_reserved;
/* What the home is told of it: every refusal, or what there is to be had. */
void enrol__foreign_tell(const struct enrol_attempt *attempt,
                         const struct across_reserve *reserve, struct across_reserved *to);
/* What a home is to know of a section (campus/foreign.h), in scratch. */
struct slice enrol__describe(struct enrol *enrol, uint32_t section);

struct enrol_parts;
/* Put what one shard said (a RESERVED or CHECKED) into @parts. Sections that are new here get
 * their stand-ins if @is_learning; else one that has none makes it false. @ret_outcome: enum
 * across_outcome. Returns: false also when malformed. */
bool enrol__parts_take(struct enrol *enrol, struct slice bytes, bool is_learning,
                       struct enrol_parts *parts, uint32_t *ret_outcome);
/* What the ops would come to: fills change and place of each. Nothing is confirmed. */
void enrol__foresee(struct enrol_attempt *attempt);

int enrol__permit_entry_apply(struct enrol_work *work) CHECKED;
int enrol__refresh_apply(struct enrol_work *work) CHECKED;
int enrol__settle_apply(struct enrol_work *work) CHECKED;
int enrol__decide_apply(struct enrol_work *work) CHECKED;
int enrol__settled_apply(struct enrol_work *work) CHECKED;
int enrol__decline_apply(struct enrol_work *work) CHECKED;
int enrol__fact_apply(struct enrol_work *work) CHECKED;
int enrol__prepare_apply(struct enrol_work *work) CHECKED;

/* Admit a fact. Errors: ERR_MALFORMED, ERR_EXISTS. */
int enrol__fact_admit(struct enrol *enrol, const struct enrol_entry *entry,
                      struct buf *text) CHECKED;

/* The import's row among the prepared ones, or NULL; take it out, if it is there. */
const struct enrol_prepared *enrol__prepared_find(const struct enrol *enrol,
                                                  const struct uuid *id);
static inline bool enrol__is_prepared(const struct enrol *enrol, const struct uuid *id)
{
    return enrol__prepared_find(enrol, id) != NULL;
}
void enrol__prepared_end(struct enrol *enrol, const struct uuid *id);

/* The hash of holds and to-do list, for the state's. */
uint64_t enrol__across_hash(const struct enrol *enrol);

/* Reserve memory for an entry to be proposed, which enrol_forget() or its application gives
 * back. Errors: ERR_FULL. */
int enrol__room_reserve(struct enrol *enrol, uint64_t growth, struct buf *text) CHECKED;

/* What enrol_admit() asks of a request of a client, without memory. */
int enrol__check(struct enrol *enrol, const struct enrol_entry *entry, struct buf *text) CHECKED;
/* Perform work->entry, a method's, whose key is sound, or repeat its answer. */
void enrol__apply_keyed(struct enrol_work *work);

/* Parts of applying a request with a key, for submits and decisions alike. */
int enrol__key_check(struct slice key, uint64_t wall_ms, struct buf *text) CHECKED;
uint64_t enrol__request_hash(uint32_t method, struct slice body);
void enrol__answer_repeat(struct enrol *enrol, const struct enrol_answer *answer,
                          struct enrol_result *result);
void enrol__answer_store(struct enrol_work *work, uint32_t method, uint64_t hash);
/* Pack the reply of a judged, and if accepted confirmed, attempt. Returns: OK, ERR_REFUSED. */
int enrol__attempt_reply(struct enrol_work *work, const struct enrol_attempt *attempt) CHECKED;
void enrol__attempt_queue(struct enrol *enrol, const struct enrol_attempt *attempt);

/* ---- answers to reads: a row each in read.c */

struct enrol_reading {
    struct enrol *enrol;
    uint64_t wall_ms;
    struct buf *reply;
    struct buf *text;
};

/* Judge an attempt that was made, and say what would come of it. Returns: OK, ERR_REFUSED. */
int enrol__check_answer(struct enrol_reading *reading, struct enrol_attempt *attempt) CHECKED;
int enrol__read_check(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_schedule(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_roster(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_outcome(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_hashes(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_catalogues(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_export(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_staging(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_sections(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_show(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_record(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_shown(struct enrol_reading *reading, const void *request) CHECKED;
int enrol__read_related(struct enrol_reading *reading, const void *request) CHECKED;

/* ---- messages */

/* A terminated copy in scratch, for packing. */
char *enrol__text(struct enrol *enrol, struct slice s);
void *enrol__scratch(struct enrol *enrol, size_t bytes); /* cleared */
Carillon__SectionName *enrol__section_message(struct enrol *enrol, uint32_t section);
/* The receipt of an entry; of the one being applied, or the fact that it is; of the entry applied
 * last. */
Carillon__Receipt *enrol__receipt(struct enrol *enrol, uint64_t term, uint64_t index);
Carillon__Receipt *enrol__receipt_of(const struct enrol_work *work);
Carillon__Receipt *enrol__as_of(struct enrol *enrol);
/* Pack a reply. Errors: ERR_NOSPACE_REPLY. */
int enrol__pack(const ProtobufCMessage *message, struct buf *out) CHECKED;
/* What is shown of a course, unpacked; NULL when nothing is. */
const Carillon__Course *enrol__course_message(struct enrol *enrol, uint32_t course);

/* The packed reply that an answer keeps. Errors: ERR_NOSPACE_REPLY. */
int enrol__answer_reply(struct enrol *enrol, const struct enrol_answer *answer,
                        struct buf *reply) CHECKED;

/* Look anew at how much the tables may grow. */
void enrol__margin_update(struct enrol *enrol);
/* The oldest answer is about to be forgotten: a running snapshot may still want it. */
void enrol__save_oldest_answer(struct enrol *enrol);
/* The hash of one answer, for the state's. */
uint64_t enrol__answer_hash(struct enrol *enrol, uint32_t number);

/* Say what is wrong, and return @error. No room for a text is no reason to fail otherwise. */
static inline int enrol__said(int rc, int error)
{
    (void)rc;
    return error;
}
#define ENROL_SAY(text, error, ...) enrol__said(buf_append_format((text), __VA_ARGS__), (error))

/* The code of an institution's course, or CAMPUS_NONE. */
uint32_t enrol__code_find(const struct campus *campus, struct slice institution,
                          struct slice code);

/* Resolve with a text when it fails. */
int enrol__find_student(const struct enrol *enrol, struct slice token, uint32_t *ret_student,
                        struct buf *text) CHECKED;
int enrol__find_section(const struct enrol *enrol, const struct campus_name *name,
                        uint32_t *ret_section, struct buf *text) CHECKED;
int enrol__find_course(const struct enrol *enrol, const struct campus_name *name,
                       uint32_t *ret_course, struct buf *text) CHECKED;
/* The name in a request; NULL gives the empty one. */
struct campus_name enrol__name(const Carillon__SectionName *name);

#endif
