#include "campus/foreign.h"

#include "base/assert.h"
#include "campus/section.h"
#include "campus/snapshot.h"
#include "campus/student.h"

/* ---- the section's shard describes */

static int describe_rule(const struct campus *campus, const struct campus_rule *rule,
                         struct buf *out)
{
    int rc = pack_u64(out, rule == NULL ? 0 : rule->count);

    for (uint32_t i = 0; rc == OK && rule != NULL && i < rule->count; i++) {
        const struct campus_rule_node *node = &rule->nodes[i];

        rc = pack_u64(out, node->kind);
        rc = rc == OK ? pack_u64(out, node->concurrent ? 1 : 0) : rc;
        rc = rc == OK ? pack_u64(out, node->children) : rc;
        rc = rc == OK ? pack_u64(out, node->grade_min) : rc;
        rc = rc == OK ? pack_u64(out, node->count) : rc;
        if (rc == OK && node->code != CAMPUS_NONE) {
            const struct campus_code *code = campus_code(campus, node->code);

            rc = pack_bytes(out, campus_word(campus, code->institution)->text);
            rc = rc == OK ? pack_bytes(out, campus_word(campus, code->word)->text) : rc;
        }
    }
    return rc;
}

/* The home looks at a rule only for what a drop would break: courses to be taken beside. */
static const struct campus_rule *rule_beside(const struct campus_rule *rule)
{
    for (uint32_t i = 0; rule != NULL && i < rule->count; i++) {
        if (rule->nodes[i].concurrent) {
            return rule;
        }
    }
    return NULL;
}

int campus_section_describe(const struct campus *campus, uint32_t section, struct buf *out)
{
    const struct campus_section *of = campus_section(campus, section);
    const struct campus_course *course = campus_course(campus, of->course);
    const struct campus_meeting *meetings = campus_section_meetings(of);
    struct campus_name name;

    campus_section_name(campus, section, &name);
    int rc = pack_bytes(out, name.institution);
    rc = rc == OK ? pack_bytes(out, name.code) : rc;
    rc = rc == OK ? pack_bytes(out, name.section) : rc;
    rc = rc == OK ? pack_bytes(out, name.term) : rc;
    rc = rc == OK ? pack_u64(out, course->changed_index) : rc;
    rc = rc == OK ? pack_u64(out, (uint64_t)(uint32_t)(course->credits + 1)) : rc;
    rc = rc == OK ? describe_rule(campus, rule_beside(course->rule), out) : rc;
    rc = rc == OK ? pack_u64(out, of->meeting_count) : rc;
    for (uint32_t i = 0; rc == OK && i < of->meeting_count; i++) {
        rc = pack_u64(out, meetings[i].days);
        rc = rc == OK ? pack_u64(out, meetings[i].start_min) : rc;
        rc = rc == OK ? pack_u64(out, meetings[i].end_min) : rc;
    }
    return rc;
}

/* ---- the student's home takes in */

struct campus_name campus_description_name(struct unpack *in)
{
    struct campus_name name;

    name.institution = unpack_bytes(in);
    name.code = unpack_bytes(in);
    name.section = unpack_bytes(in);
    name.term = unpack_bytes(in);
    return name;
}

static bool is_name(struct slice text, size_t bytes_max)
{
    return text.len > 0 && text.len <= bytes_max;
}

static uint32_t code_intern(struct campus *campus, struct unpack *in)
{
    struct slice institution = unpack_bytes(in);
    struct slice code = unpack_bytes(in);

    if (in->failed || !is_name(institution, CAMPUS_INSTITUTION_BYTES_MAX) ||
        !is_name(code, CAMPUS_CODE_BYTES_MAX)) {
        in->failed = true;
        return CAMPUS_NONE;
    }
    return campus_code_intern(campus, campus_word_intern(campus, institution), code);
}

static struct campus_rule *take_rule(struct campus *campus, struct unpack *in)
{
    uint32_t count = (uint32_t)unpack_u64_max(in, RULE_NODES_MAX);
    uint64_t open = 1; /* nodes that those before have announced */

    if (count == 0) {
        return NULL;
    }
    struct campus_rule *rule = rule_alloc(campus, count);

    for (uint32_t i = 0; i < count; i++) {
        struct campus_rule_node *node = &rule->nodes[i];

        node->kind = (uint8_t)unpack_u64_max(in, CARILLON__RULE_KIND__RULE_CREDITS);
        node->concurrent = unpack_u64_max(in, 1) != 0;
        node->children = (uint16_t)unpack_u64_max(in, RULE_NODES_MAX);
        node->grade_min = (uint16_t)unpack_u64_max(in, UINT16_MAX);
        node->count = (uint32_t)unpack_u64_max(in, UINT32_MAX);
        node->code = node->kind == CARILLON__RULE_KIND__RULE_COURSE ? code_intern(campus, in)
                                                                    : CAMPUS_NONE;
        in->failed = in->failed || open == 0 || node->kind == CARILLON__RULE_KIND__RULE_NONE;
        open += node->children;
        open -= open > 0 ? 1 : 0;
    }
    in->failed = in->failed || open != 0;
    if (in->failed) {
        rule_free(campus, rule);
        return NULL;
    }
    return rule;
}

static uint32_t take_meetings(struct unpack *in, struct campus_meeting *meetings)
{
    uint32_t count = (uint32_t)unpack_u64_max(in, CAMPUS_MEETINGS_MAX);

    for (uint32_t i = 0; i < count; i++) {
        meetings[i].days = (uint16_t)unpack_u64_max(in, UINT16_MAX);
        meetings[i].start_min = (uint16_t)unpack_u64_max(in, UINT16_MAX);
        meetings[i].end_min = (uint16_t)unpack_u64_max(in, UINT16_MAX);
    }
    return in->failed ? 0 : count;
}

/* A course's description replaces an older one of the course, and the section's times with it.
 */
static void bring_up_to_date(struct campus *campus, uint32_t section, struct unpack *in)
{
    uint32_t ordinal = campus_section(campus, section)->course;
    struct campus_course *course = campus_course(campus, ordinal);
    struct campus_meeting meetings[CAMPUS_MEETINGS_MAX];
    uint64_t version = unpack_u64(in);
    uint32_t credits = (uint32_t)unpack_u64_max(in, UINT32_MAX) - 1;
    struct campus_rule *rule = take_rule(campus, in);
    uint32_t count = take_meetings(in, meetings);

    if (in->failed || version < course->changed_index) {
        rule_free(campus, rule);
        return;
    }
    campus_touch_course(campus, ordinal);
    campus_touch_section(campus, section);
    /* of a foreign course the rule belongs to nothing else */
    rule_free(campus, (struct campus_rule *)course->rule);
    course->rule = rule;
    course->credits = credits;
    course->changed_index = version;
    campus_section_set_meetings(campus, section, meetings, count);
}

uint32_t campus_section_stand_in(struct campus *campus, struct unpack *in)
{
    struct campus_name name = campus_description_name(in);

    if (in->failed || !is_name(name.institution, CAMPUS_INSTITUTION_BYTES_MAX) ||
        !is_name(name.code, CAMPUS_CODE_BYTES_MAX) ||
        !is_name(name.section, CAMPUS_SECTION_BYTES_MAX) ||
        !is_name(name.term, CAMPUS_TERM_BYTES_MAX)) {
        in->failed = true;
        return CAMPUS_NONE;
    }
    uint32_t catalogue = campus_catalogue_intern(campus, name.institution, name.term);
    uint32_t course = campus_course_intern(campus, catalogue, name.code);

    if (!campus_course(campus, course)->is_foreign) {
        in->failed = true;
        return CAMPUS_NONE;
    }
    uint32_t section = campus_section_intern(campus, course, name.section);

    campus_section(campus, section)->capacity = CAMPUS_NONE;
    campus_section(campus, section)->capacity_file = CAMPUS_NONE;
    bring_up_to_date(campus, section, in);
    return in->failed ? CAMPUS_NONE : section;
}

uint32_t campus_stand_in_find(const struct campus *campus, struct slice description)
{
    struct unpack in = unpack_from(description);
    struct campus_name name = campus_description_name(&in);
    uint32_t section = in.failed ? CAMPUS_NONE : campus_full_name_find(campus, &name);

    return section != CAMPUS_NONE &&
                   campus_course(campus, campus_section(campus, section)->course)->is_foreign
               ? section
               : CAMPUS_NONE;
}

bool campus_stand_in_knows(const struct campus *campus, struct slice description)
{
    uint32_t section = campus_stand_in_find(campus, description);
    struct unpack in = unpack_from(description);
    struct buf own;

    if (section == CAMPUS_NONE) {
        return false;
    }
    (void)campus_description_name(&in);
    if (unpack_u64(&in) <
        campus_course(campus, campus_section(campus, section)->course)->changed_index) {
        return true;
    }
    /* packing asks for room for the longest number; what does not fit is not the same */
    buf_init(&own, description.len + PACK_U64_BYTES_MAX);
    int rc = campus_section_describe(campus, section, &own);
    bool is_same = rc == OK && slice_is_equal(buf_slice(&own), description);

    buf_fini(&own);
    return is_same;
}

uint32_t campus_student_stand_in(struct campus *campus, struct slice institution,
                                 struct slice token, struct slice name)
{
    uint32_t student = campus_student_find(campus, token);

    if (student != CAMPUS_NONE) {
        return student;
    }
    student = campus_student_intern(campus, campus_body_intern(campus, institution), token);
    struct campus_student *of = campus_student(campus, student);

    ASSERT(of->is_foreign);
    campus_profile_free(campus, of->profile);
    of->profile = campus_profile_alloc(campus, 0, token, name);
    of->profile->content_hash = 0;
    of->profile->level = 0;
    return student;
}
