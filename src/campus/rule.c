#include "campus/rule.h"

#include "base/assert.h"
#include "campus/name.h"
#include "campus/student.h"
#include "campus/text.h"

static bool is_inner(uint32_t kind)
{
    return kind == CARILLON__RULE_KIND__RULE_AND || kind == CARILLON__RULE_KIND__RULE_OR ||
           kind == CARILLON__RULE_KIND__RULE_N_OF;
}

static const char *node_fault(const Carillon__RuleNode *node)
{
    if (is_inner(node->kind)) {
        if (node->children == 0 || node->children >= RULE_NODES_MAX) {
            return "a node of its rule has no children, or too many";
        }
        if (node->kind == CARILLON__RULE_KIND__RULE_N_OF &&
            (node->count == 0 || node->count > node->children)) {
            return "its rule asks for more of a list than there is";
        }
    } else if (node->children != 0) {
        return "a leaf of its rule has children";
    } else if (node->kind == CARILLON__RULE_KIND__RULE_COURSE) {
        if (!text_is_name(node->code, CAMPUS_CODE_BYTES_MAX) ||
            !text_is_plain(node->institution, CAMPUS_INSTITUTION_BYTES_MAX)) {
            return "its rule names a course without a proper code";
        }
        if (node->grade_min > UINT16_MAX) {
            return "its rule asks for a grade out of range";
        }
    } else if (node->kind != CARILLON__RULE_KIND__RULE_LEVEL &&
               node->kind != CARILLON__RULE_KIND__RULE_CREDITS) {
        return "its rule has a node of an unknown kind";
    }
    return NULL;
}

bool rule_is_sound(Carillon__RuleNode *const *nodes, size_t count, const char **ret_text)
{
    size_t open = count > 0 ? 1 : 0; /* subtrees still to come */

    if (count > RULE_NODES_MAX) {
        *ret_text = "its rule has more than 256 nodes";
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = node_fault(nodes[i]);

        if (fault != NULL || open == 0) {
            *ret_text = fault != NULL ? fault : "its rule is more than one tree";
            return false;
        }
        open += nodes[i]->children;
        open--;
    }
    if (open != 0) {
        *ret_text = "its rule ends too early";
        return false;
    }
    return true;
}

static size_t rule_bytes(size_t count)
{
    return sizeof(struct campus_rule) + count * sizeof(struct campus_rule_node);
}

struct campus_rule *rule_alloc(struct campus *campus, size_t count)
{
    struct campus_rule *rule = arena_alloc_zero(&campus->arena, rule_bytes(count));

    ASSERT(count > 0 && count <= RULE_NODES_MAX);
    rule->count = (uint32_t)count;
    return rule;
}

struct campus_rule *rule_make(struct campus *campus, uint32_t institution,
                              Carillon__RuleNode *const *nodes, size_t count)
{
    struct campus_rule *rule = rule_alloc(campus, count);

    for (size_t i = 0; i < count; i++) {
        const Carillon__RuleNode *from = nodes[i];
        struct campus_rule_node *node = &rule->nodes[i];

        node->kind = (uint8_t)from->kind;
        node->children = (uint16_t)from->children;
        node->count = from->count;
        node->code = CAMPUS_NONE;
        if (from->kind == CARILLON__RULE_KIND__RULE_COURSE) {
            uint32_t at = from->institution[0] == '\0'
                              ? institution
                              : campus_word_intern(campus, slice_from_text(from->institution));

            node->code = campus_code_intern(campus, at, slice_from_text(from->code));
            node->grade_min = (uint16_t)from->grade_min;
            node->concurrent = from->concurrent != 0;
        }
    }
    return rule;
}

void rule_free(struct campus *campus, struct campus_rule *rule)
{
    if (rule != NULL) {
        arena_free(&campus->arena, rule, rule_bytes(rule->count));
    }
}

bool rule_needs_beside(const struct campus_rule *rule, uint32_t code)
{
    for (uint32_t i = 0; rule != NULL && i < rule->count; i++) {
        if (rule->nodes[i].code == code && rule->nodes[i].concurrent) {
            return true;
        }
    }
    return false;
}

/* Credits of a course taken for which the registrar gave none: those of its oldest offered
 * course. */
uint32_t rule_credits_of(const struct campus *campus, uint32_t code)
{
    for (uint32_t at = campus_code(campus, code)->first_course; at != CAMPUS_NONE;
         at = campus_course(campus, at)->next_same_code) {
        const struct campus_course *course = campus_course(campus, at);

        if (course->state == CAMPUS_OFFERED && course->credits != CAMPUS_NONE) {
            return course->credits;
        }
    }
    return 0;
}

static uint64_t credits_earned(const struct rule_facts *facts)
{
    const struct campus_profile *profile = facts->student->profile;
    uint64_t sum = facts->credits_more;

    for (uint32_t i = 0; i < profile->taken_count; i++) {
        const struct campus_taken *taken = &profile->taken[i];

        if (campus_taken_is_passed(taken)) {
            sum += taken->credits != 0 ? taken->credits
                                       : rule_credits_of(facts->campus, taken->code);
        }
    }
    return sum;
}

static bool is_beside(const struct rule_facts *facts, uint32_t code)
{
    for (uint32_t i = 0; i < facts->section_count; i++) {
        const struct campus_section *section =
            campus_section(facts->campus, facts->sections[i]);
        const struct campus_course *course = campus_course(facts->campus, section->course);

        if (course->code == code &&
            campus_catalogue(facts->campus, course->catalogue)->term == facts->term) {
            return true;
        }
    }
    for (uint32_t i = 0; i < facts->code_count; i++) {
        if (facts->codes[i] == code) {
            return true;
        }
    }
    return false;
}

static bool course_is_met(const struct campus_rule_node *node, const struct rule_facts *facts)
{
    const struct campus_taken *taken = campus_taken_find(facts->student->profile, node->code);

    if (taken != NULL &&
        (node->grade_min == 0 ? campus_taken_is_passed(taken)
                              : taken->grade == 0 || taken->grade >= node->grade_min)) {
        return true;
    }
    return node->concurrent && is_beside(facts, node->code);
}

static bool leaf_is_met(const struct campus_rule_node *node, const struct rule_facts *facts)
{
    switch ((Carillon__RuleKind)node->kind) {
    case CARILLON__RULE_KIND__RULE_COURSE:
        return course_is_met(node, facts);
    case CARILLON__RULE_KIND__RULE_LEVEL:
        return facts->student->level >= node->count;
    case CARILLON__RULE_KIND__RULE_CREDITS:
        return credits_earned(facts) >= node->count;
    case CARILLON__RULE_KIND__RULE_NONE:
    case CARILLON__RULE_KIND__RULE_AND:
    case CARILLON__RULE_KIND__RULE_OR:
    case CARILLON__RULE_KIND__RULE_N_OF:
    case _CARILLON__RULE_KIND_IS_INT_SIZE:
        break;
    }
    UNREACHABLE();
}

static uint32_t needed_children(const struct campus_rule_node *node)
{
    if (node->kind == CARILLON__RULE_KIND__RULE_AND) {
        return node->children;
    }
    return node->kind == CARILLON__RULE_KIND__RULE_OR ? 1 : node->count;
}

/* Take the results of the node's children off the stack. */
static bool inner_is_met(const struct campus_rule_node *node, const bool *stack,
                         uint32_t *depth)
{
    uint32_t met = 0;

    ASSERT(*depth >= node->children);
    for (uint32_t child = 0; child < node->children; child++) {
        met += stack[--*depth] ? 1 : 0;
    }
    return met >= needed_children(node);
}

/* From the last node to the first: the results of a node's children are then the topmost on the
 * stack. */
static void judge_upward(const struct campus_rule *rule, const struct rule_facts *facts,
                         struct rule_verdict *verdict)
{
    bool stack[RULE_NODES_MAX];
    uint32_t depth = 0;

    for (uint32_t i = rule->count; i-- > 0;) {
        const struct campus_rule_node *node = &rule->nodes[i];

        verdict->met[i] =
            is_inner(node->kind) ? inner_is_met(node, stack, &depth) : leaf_is_met(node, facts);
        stack[depth++] = verdict->met[i];
    }
    ASSERT(depth == 1);
    verdict->is_met = verdict->met[0];
}

/* From the first node to the last, with the children that each open ancestor still awaits: what
 * lies below a node that is met need not be told to anyone. */
static void list_failures(const struct campus_rule *rule, struct rule_verdict *verdict)
{
    struct {
        uint32_t left;
        bool fails;
    } above[RULE_NODES_MAX + 1] = {{0}};
    uint32_t depth = 0;

    above[0].left = 1;
    above[0].fails = true;
    for (uint32_t i = 0; i < rule->count; i++) {
        while (above[depth].left == 0) {
            depth--;
        }
        above[depth].left--;
        bool fails = above[depth].fails && !verdict->met[i];

        verdict->is_listed[i] = fails && !is_inner(rule->nodes[i].kind);
        if (is_inner(rule->nodes[i].kind)) {
            depth++;
            above[depth].left = rule->nodes[i].children;
            above[depth].fails = fails;
        }
    }
}

void rule_judge(const struct campus_rule *rule, const struct rule_facts *facts,
                struct rule_verdict *ret_verdict)
{
    if (rule == NULL) {
        ret_verdict->is_met = true;
        return;
    }
    judge_upward(rule, facts, ret_verdict);
    if (!ret_verdict->is_met) {
        list_failures(rule, ret_verdict);
    }
}
