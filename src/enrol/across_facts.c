/* What the home tells the sections' shards of a student: facts with the attempt's own adds and
 * drops. */
#include "enrol/across_facts.h"
#include "base/assert.h"
#include "campus/shard.h"
#include "campus/student.h"
#include "enrol/across_private.h"

static void put_taken(const struct campus *campus, const struct campus_taken *taken,
                      struct across_reserve *to)
{
    const struct campus_code *code = campus_code(campus, taken->code);
    uint32_t credits =
        taken->credits != 0 ? taken->credits : rule_credits_of(campus, taken->code);

    to->taken[to->taken_count++] = (struct across_taken){
        .institution = campus_word(campus, code->institution)->text,
        .code = campus_word(campus, code->word)->text,
        .grade = taken->grade,
        .credits = credits,
    };
}

static void put_record(const struct campus *campus, const struct campus_profile *profile,
                       struct across_reserve *to)
{
    for (uint32_t i = 0; i < profile->taken_count; i++) {
        put_taken(campus, &profile->taken[i], to);
    }
}

/* The ops before @count name the code, too. */
static bool is_named_before(const struct across_reserve *to, uint32_t count, struct slice code)
{
    for (uint32_t i = 0; i < count; i++) {
        if (slice_is_equal(to->ops[i].name.code, code)) {
            return true;
        }
    }
    return false;
}

/* Of the record the courses of the codes that the ops name, of whatever institution: which is
 * meant the section's shard knows. */
static void put_named(const struct campus *campus, const struct campus_profile *profile,
                      struct across_reserve *to)
{
    for (uint32_t i = 0; i < to->op_count; i++) {
        struct slice name = to->ops[i].name.code;
        uint32_t word =
            is_named_before(to, i, name) ? CAMPUS_NONE : campus_word_find(campus, name);

        if (word == CAMPUS_NONE) {
            continue;
        }
        for (uint32_t at = campus_word(campus, word)->first_code; at != CAMPUS_NONE;
             at = campus_code(campus, at)->next_same_word) {
            const struct campus_taken *taken = campus_taken_find(profile, at);

            if (taken != NULL) {
                put_taken(campus, taken, to);
            }
        }
    }
}

static bool is_named(const struct campus_name *name, const struct campus_name *by)
{
    return slice_is_equal(name->code, by->code) &&
           (by->institution.len == 0 || slice_is_equal(name->institution, by->institution)) &&
           (by->term.len == 0 || slice_is_equal(name->term, by->term)) &&
           (by->section.len == 0 || slice_is_equal(name->section, by->section));
}

static bool is_dropped(const struct request *request, const struct campus_name *name)
{
    for (uint32_t i = 0; i < request->op_count; i++) {
        if (request->ops[i].kind == CARILLON__OP_KIND__OP_DROP &&
            is_named(name, &request->ops[i].name)) {
            return true;
        }
    }
    return false;
}

/* The later of two ops for one section takes no part in the after-state. Names that leave out
 * what the other says are taken to mean the same. */
static bool is_void(const struct request *request, uint32_t op)
{
    const struct campus_name *name = &request->ops[op].name;

    for (uint32_t i = 0; i < op; i++) {
        if (is_named(name, &request->ops[i].name) || is_named(&request->ops[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Courses of the shard that is asked are its own to know. */
static void put_beside(const struct campus *campus, uint32_t student,
                       const struct request *request, uint32_t shard, struct across_reserve *to)
{
    const struct campus_student *of = campus_student(campus, student);

    for (uint32_t i = 0; i < of->registration_count; i++) {
        struct campus_name name;

        campus_section_name(campus, campus_registration(of, i)->section, &name);
        if (campus_shard_of(name.code, campus->shard_count) != shard &&
            !is_dropped(request, &name)) {
            to->beside[to->beside_count++] =
                (struct across_beside){name.institution, name.code, name.term};
        }
    }
    for (uint32_t i = 0; i < request->op_count; i++) {
        const struct campus_name *name = &request->ops[i].name;

        if (request->ops[i].kind == CARILLON__OP_KIND__OP_ADD && !is_void(request, i) &&
            campus_shard_of(name->code, campus->shard_count) != shard) {
            to->beside[to->beside_count++] = (struct across_beside){
                name->institution.len > 0 ? name->institution : to->institution, name->code,
                name->term};
        }
    }
}

/* A permit stands for a section by its full name: how the request names it is the section's
 * shard's to resolve. */
static void put_permits(const struct campus *campus, const struct campus_student *of,
                        uint32_t shard, struct across_reserve *to)
{
    uint32_t count = of->extra == NULL ? 0 : of->extra->permit_count;

    for (uint32_t i = 0; i < count; i++) {
        struct across_permit permit = {.kinds = of->extra->permits[i].kinds};

        campus_section_name(campus, of->extra->permits[i].section, &permit.name);
        if (campus_shard_of(permit.name.code, campus->shard_count) == shard) {
            to->permits[to->permit_count++] = permit;
        }
    }
}

void across__facts(const struct campus *campus, uint32_t student, const struct request *request,
                   uint32_t shard, uint64_t claim, struct across_reserve *to)
{
    const struct campus_student *of = campus_student(campus, student);

    /* Field by field: the lists are long, and short what is in them. */
    to->left_ms = 0;
    to->fact = 0;
    to->institution =
        campus_word(campus, campus_catalogue(campus, of->body)->institution)->text;
    to->name = campus_profile_name(of->profile);
    to->level = of->level;
    to->taken_count = 0;
    to->beside_count = 0;
    to->permit_count = 0;
    to->op_count = 0;
    put_permits(campus, of, shard, to);
    for (uint32_t i = 0; i < request->op_count; i++) {
        const struct request_op *op = &request->ops[i];

        if (campus_shard_of(op->name.code, campus->shard_count) == shard) {
            to->ops[to->op_count++] = (struct across_op){
                .op = i,
                .kind = op->kind,
                .waitlist = op->waitlist,
                .claim = op->kind == CARILLON__OP_KIND__OP_ADD ? claim : 0,
                .name = op->name,
            };
        }
    }
    if (to->is_whole) {
        put_record(campus, of->profile, to);
        put_beside(campus, student, request, shard, to);
    } else {
        put_named(campus, of->profile, to);
    }
}
