/* Tokens: who may act for a student, a registrar or an operator, by the hash of what they show;
 * and certificates that are not to be believed any more. docs/spec/identity.md sections 6
 * and 9.
 *
 * Rows are added and never taken out; revoking sets the entry that did it. So a snapshot of the
 * state at some entry is the rows up to it, without those revocations that came later, and
 * nothing has to be saved before it changes. */
#include "base/assert.h"
#include "base/hash.h"
#include "campus/image.h"
#include "campus/text.h"
#include "enrol/enrol_private.h"

enum { TOKEN_NAME_BYTES_MAX = 64, INVITE_MS_MAX = 7 * 24 * 3600 * 1000 };

/* ---- finding ---- */

static struct enrol_token *token_at(const struct enrol *enrol, uint32_t number)
{
    return table_at(&enrol->tokens, number);
}

static uint64_t key_of(const uint8_t *hash)
{
    return hash_bytes(hash, ENROL_TOKEN_ID_BYTES);
}

/* The table's key is the id, which is no secret; the whole is compared without telling where it
 * differs. */
static bool has_hash(const void *context, uint32_t number, const void *key)
{
    const uint8_t *own = token_at(context, number)->hash;
    const uint8_t *asked = key;
    uint8_t differ = 0;

    for (size_t i = 0; i < ENROL_TOKEN_HASH_BYTES; i++) {
        differ = (uint8_t)(differ | (own[i] ^ asked[i]));
    }
    return differ == 0;
}

static bool has_id(const void *context, uint32_t number, const void *key)
{
    return memcmp(token_at(context, number)->hash, key, ENROL_TOKEN_ID_BYTES) == 0;
}

static bool has_student(const void *context, uint32_t number, const void *key)
{
    return token_at(context, number)->student == *(const uint32_t *)key;
}

static uint32_t find_hash(const struct enrol *enrol, const uint8_t *hash)
{
    return map_find(&enrol->token_map, key_of(hash), has_hash, enrol, hash);
}

static bool is_live(const struct enrol_token *token, uint64_t wall_ms)
{
    return token->revoked_index == 0 && (token->expires_ms == 0 || token->expires_ms > wall_ms);
}

bool enrol_token_find(const struct enrol *enrol, const uint8_t hash[ENROL_TOKEN_HASH_BYTES],
                      uint64_t wall_ms, struct enrol_token_view *ret_view)
{
    uint32_t number = find_hash(enrol, hash);

    if (number == MAP_NONE || !is_live(token_at(enrol, number), wall_ms)) {
        return false;
    }
    const struct enrol_token *token = token_at(enrol, number);

    *ret_view = (struct enrol_token_view){.number = number, .role = token->role};
    if (token->student != CAMPUS_NONE) {
        const struct campus_profile *profile =
            campus_student(&enrol->campus, token->student)->profile;

        ret_view->student = profile == NULL ? SLICE_NONE : campus_profile_token(profile);
        return profile != NULL; /* a student who has left */
    }
    return true;
}

bool enrol_token_is_live(const struct enrol *enrol, uint32_t number, uint64_t wall_ms)
{
    return number < enrol->tokens.count && is_live(token_at(enrol, number), wall_ms);
}

struct enrol_token_secret enrol_token_secret(const struct enrol *enrol, uint32_t number)
{
    const struct enrol_token *token = token_at(enrol, number);

    return (struct enrol_token_secret){token->hash, token->expires_ms};
}

bool enrol_certificate_is_revoked(const struct enrol *enrol,
                                  const uint8_t hash[ENROL_TOKEN_HASH_BYTES])
{
    uint32_t number = find_hash(enrol, hash);

    return number != MAP_NONE && token_at(enrol, number)->revoked_index != 0;
}

/* ---- adding ---- */

static void token_index(struct enrol *enrol, uint32_t number)
{
    struct enrol_token *token = token_at(enrol, number);

    map_put(&enrol->token_map, key_of(token->hash), number);
    token->older = CAMPUS_NONE;
    if (token->student == CAMPUS_NONE) {
        return;
    }
    uint64_t key = hash_u64(token->student);
    uint32_t newest =
        map_find(&enrol->token_students, key, has_student, enrol, &token->student);

    if (newest != MAP_NONE) {
        (void)map_remove(&enrol->token_students, key, newest);
        token->older = newest;
    }
    map_put(&enrol->token_students, key, number);
}

static void token_add(struct enrol *enrol, const struct enrol_token *from)
{
    uint32_t number = table_add(&enrol->tokens);
    struct enrol_token *token = token_at(enrol, number);

    *token = *from;
    token->name = arena_copy(&enrol->campus.arena, from->name);
    token->by = arena_copy(&enrol->campus.arena, from->by);
    token_index(enrol, number);
}

static int hash_check(const struct enrol *enrol, ProtobufCBinaryData hash, struct buf *text)
{
    if (hash.len != ENROL_TOKEN_HASH_BYTES) {
        return ENROL_SAY(text, ERR_ARGUMENT, "a token's hash is %d bytes",
                         ENROL_TOKEN_HASH_BYTES);
    }
    /* An id names one token: two hashes that begin alike are as good as one. */
    if (map_find(&enrol->token_map, key_of(hash.data), has_id, enrol, hash.data) != MAP_NONE) {
        return ENROL_SAY(text, ERR_EXISTS, "this token is known already");
    }
    return OK;
}

static int by_check(const char *by, struct buf *text)
{
    return text_is_plain(by, ENROL_BY_BYTES_MAX)
               ? OK
               : ENROL_SAY(text, ERR_ARGUMENT, "who does it: more than %d bytes, or not UTF-8",
                           ENROL_BY_BYTES_MAX);
}

static struct enrol_token token_new(const struct enrol_work *work, ProtobufCBinaryData hash,
                                    uint64_t expires_ms, const char *by)
{
    struct enrol_token token = {
        .issued_index = work->entry->index,
        .issued_ms = work->asked_ms,
        .expires_ms = expires_ms,
        .student = CAMPUS_NONE,
        .by = slice_from_text(by),
    };

    memcpy(token.hash, hash.data, sizeof token.hash);
    return token;
}

/* ---- a student's token ---- */

static int issue_find(struct enrol *enrol, const Carillon__TokenIssueRequest *request,
                      uint32_t *ret_student, struct buf *text)
{
    int rc = by_check(request->by, text);

    rc = rc == OK ? hash_check(enrol, request->hash, text) : rc;
    return rc == OK ? enrol__find_student(enrol, slice_from_text(request->student), ret_student,
                                          text)
                    : rc;
}

int enrol__token_issue_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t student;

    return issue_find(enrol, request, &student, text);
}

int enrol__token_issue_apply(struct enrol_work *work, const void *body)
{
    const Carillon__TokenIssueRequest *request = body;
    Carillon__TokenIssueReply reply = CARILLON__TOKEN_ISSUE_REPLY__INIT;
    uint32_t student = CAMPUS_NONE;
    int rc = issue_find(work->enrol, request, &student, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    struct enrol_token token = token_new(work, request->hash, request->expires_ms, request->by);

    token.role = CARILLON__ROLE__ROLE_STUDENT;
    token.student = student;
    token_add(work->enrol, &token);
    work->result->student = student;
    reply.receipt = enrol__receipt_of(work);
    reply.id = (ProtobufCBinaryData){ENROL_TOKEN_ID_BYTES, request->hash.data};
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- revoking ---- */

static bool revoke(struct enrol_work *work, uint32_t number)
{
    struct enrol_token *token = token_at(work->enrol, number);

    if (token->revoked_index != 0) {
        return false;
    }
    token->revoked_index = work->entry->index;
    return true;
}

static int revoke_find(struct enrol *enrol, const Carillon__TokenRevokeRequest *request,
                       uint32_t *ret_number, uint32_t *ret_student, struct buf *text)
{
    int rc = by_check(request->by, text);

    *ret_number = MAP_NONE;
    *ret_student = CAMPUS_NONE;
    if (rc != OK) {
        return rc;
    }
    if (request->id.len == 0) {
        return enrol__find_student(enrol, slice_from_text(request->student), ret_student, text);
    }
    if (request->id.len != ENROL_TOKEN_ID_BYTES || request->student[0] != '\0') {
        return ENROL_SAY(text, ERR_ARGUMENT, "a token's id of %d bytes, or a student",
                         ENROL_TOKEN_ID_BYTES);
    }
    *ret_number =
        map_find(&enrol->token_map, key_of(request->id.data), has_id, enrol, request->id.data);
    if (*ret_number == MAP_NONE || token_at(enrol, *ret_number)->student == CAMPUS_NONE) {
        return ENROL_SAY(text, ERR_GONE, "no student's token has this id");
    }
    *ret_student = token_at(enrol, *ret_number)->student;
    return OK;
}

int enrol__token_revoke_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t number;
    uint32_t student;

    return revoke_find(enrol, request, &number, &student, text);
}

int enrol__token_revoke_apply(struct enrol_work *work, const void *body)
{
    const Carillon__TokenRevokeRequest *request = body;
    Carillon__TokenRevokeReply reply = CARILLON__TOKEN_REVOKE_REPLY__INIT;
    struct enrol *enrol = work->enrol;
    uint32_t number = MAP_NONE;
    uint32_t student = CAMPUS_NONE;
    int rc = revoke_find(enrol, request, &number, &student, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    work->result->student = student;
    if (number != MAP_NONE) {
        reply.revoked = revoke(work, number);
    } else {
        number =
            map_find(&enrol->token_students, hash_u64(student), has_student, enrol, &student);
        for (; number != MAP_NONE && number != CAMPUS_NONE;
             number = token_at(enrol, number)->older) {
            reply.revoked += revoke(work, number);
        }
    }
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- what operators grant and revoke ---- */

static int grant_find(struct enrol *enrol, const Carillon__GrantRequest *request,
                      struct buf *text)
{
    int rc = by_check(request->by, text);

    if (rc == OK && request->role != CARILLON__ROLE__ROLE_REGISTRAR &&
        request->role != CARILLON__ROLE__ROLE_OPERATOR &&
        request->role != CARILLON__ROLE__ROLE_NODE) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "a grant is for a registrar, an operator or a node");
    }
    if (rc == OK && !text_is_name(request->name, TOKEN_NAME_BYTES_MAX)) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "who holds it is named by 1 to %d bytes",
                       TOKEN_NAME_BYTES_MAX);
    }
    if (rc == OK && request->role == CARILLON__ROLE__ROLE_NODE && request->expires_ms == 0) {
        rc = ENROL_SAY(text, ERR_ARGUMENT, "an invite has an end");
    }
    return rc == OK ? hash_check(enrol, request->hash, text) : rc;
}

int enrol__grant_check(struct enrol *enrol, const void *request, struct buf *text)
{
    return grant_find(enrol, request, text);
}

int enrol__grant_apply(struct enrol_work *work, const void *body)
{
    const Carillon__GrantRequest *request = body;
    Carillon__GrantReply reply = CARILLON__GRANT_REPLY__INIT;
    int rc = grant_find(work->enrol, request, &work->result->text);

    if (rc == OK && request->role == CARILLON__ROLE__ROLE_NODE &&
        request->expires_ms > work->asked_ms + INVITE_MS_MAX) {
        rc = ENROL_SAY(&work->result->text, ERR_ARGUMENT, "an invite ends within 7 days");
    }
    if (rc != OK) {
        return rc;
    }
    struct enrol_token token = token_new(work, request->hash, request->expires_ms, request->by);

    token.role = (uint8_t)request->role;
    token.name = slice_from_text(request->name);
    token_add(work->enrol, &token);
    reply.receipt = enrol__receipt_of(work);
    reply.id = (ProtobufCBinaryData){ENROL_TOKEN_ID_BYTES, request->hash.data};
    return enrol__pack(&reply.base, &work->result->reply);
}

static int any_find(struct enrol *enrol, const Carillon__RevokeRequest *request,
                    uint32_t *ret_number, struct buf *text)
{
    bool is_token = request->id.len == ENROL_TOKEN_ID_BYTES && request->certificate.len == 0;
    bool is_certificate =
        request->id.len == 0 && request->certificate.len == ENROL_TOKEN_HASH_BYTES;
    int rc = by_check(request->by, text);

    if (rc == OK && !is_token && !is_certificate) {
        rc = ENROL_SAY(text, ERR_ARGUMENT,
                       "a token's id of %d bytes, or a certificate's hash of %d",
                       ENROL_TOKEN_ID_BYTES, ENROL_TOKEN_HASH_BYTES);
    }
    if (rc != OK) {
        return rc;
    }
    *ret_number = is_token ? map_find(&enrol->token_map, key_of(request->id.data), has_id,
                                      enrol, request->id.data)
                           : find_hash(enrol, request->certificate.data);
    return is_token && *ret_number == MAP_NONE
               ? ENROL_SAY(text, ERR_GONE, "no token has this id")
               : OK;
}

int enrol__revoke_check(struct enrol *enrol, const void *request, struct buf *text)
{
    uint32_t number;

    return any_find(enrol, request, &number, text);
}

int enrol__revoke_apply(struct enrol_work *work, const void *body)
{
    const Carillon__RevokeRequest *request = body;
    Carillon__RevokeReply reply = CARILLON__REVOKE_REPLY__INIT;
    uint32_t number = MAP_NONE;
    int rc = any_find(work->enrol, request, &number, &work->result->text);

    if (rc != OK) {
        return rc;
    }
    if (number == MAP_NONE) { /* a certificate is known here only once it is revoked */
        struct enrol_token token = token_new(work, request->certificate, 0, request->by);

        token.revoked_index = work->entry->index;
        token_add(work->enrol, &token);
        reply.revoked = 1;
    } else {
        reply.revoked = revoke(work, number);
    }
    reply.receipt = enrol__receipt_of(work);
    return enrol__pack(&reply.base, &work->result->reply);
}

/* ---- snapshots ---- */

void enrol__tokens_init(struct enrol *enrol)
{
    table_init(&enrol->tokens, &enrol->campus.arena, sizeof(struct enrol_token));
    map_init(&enrol->token_map, &enrol->campus.arena);
    map_init(&enrol->token_students, &enrol->campus.arena);
}

void enrol__token_image(const struct enrol *enrol, uint32_t number, uint64_t index,
                        struct buf *out)
{
    const struct enrol_token *token = token_at(enrol, number);

    image_bytes(out, slice_from(token->hash, sizeof token->hash));
    image_u64(out, token->issued_index);
    image_u64(out, token->revoked_index <= index ? token->revoked_index : 0);
    image_u64(out, token->issued_ms);
    image_u64(out, token->expires_ms);
    image_ordinal(out, token->student);
    image_u64(out, token->role);
    image_bytes(out, token->name);
    image_bytes(out, token->by);
}

int enrol__token_load(struct enrol *enrol, struct unpack *in)
{
    struct enrol_token token = {0};
    struct slice hash = load_bytes(in);

    token.issued_index = load_u64(in);
    token.revoked_index = load_u64(in);
    token.issued_ms = load_u64(in);
    token.expires_ms = load_u64(in);
    token.student = load_ordinal(in, enrol->campus.students.count);
    token.role = (uint8_t)load_u64_max(in, UINT8_MAX);
    token.name = load_bytes(in);
    token.by = load_bytes(in);
    if (in->failed || hash.len != sizeof token.hash ||
        map_find(&enrol->token_map, key_of(hash.data), has_id, enrol, hash.data) != MAP_NONE) {
        return ERR_DAMAGED;
    }
    memcpy(token.hash, hash.data, sizeof token.hash);
    token_add(enrol, &token);
    return OK;
}
