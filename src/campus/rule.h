/* campus/rule.h -- rule trees: from messages, checked, judged without recursion.
 *
 * Layer: campus (base, wire)     Spec: docs/spec/registration.md section 4
 */
#ifndef CARILLON_CAMPUS_RULE_H
#define CARILLON_CAMPUS_RULE_H

#include "base/slice.h"
#include "proto/catalogue.pb-c.h"

struct campus;

enum { RULE_NODES_MAX = 256 };

struct campus_rule_node {
    uint8_t kind; /* enum RuleKind */
    bool concurrent;
    uint16_t children;
    uint16_t grade_min;
    uint32_t code;  /* COURSE */
    uint32_t count; /* N_OF, LEVEL, CREDITS */
};

struct campus_rule {
    uint32_t count;
    struct campus_rule_node nodes[]; /* prefix order */
};

struct campus_student;

/* What a rule is judged for: a student, and the sections he would have. */
struct rule_facts {
    const struct campus *campus;
    const struct campus_student *student;
    uint32_t term;            /* word: concurrent courses count in this term only */
    const uint32_t *sections; /* the after-state */
    uint32_t section_count;
    /* Of a student at home in another shard, what does not stand here: codes of the
     * after-state's other courses in this term, and the credits of courses taken that are
     * unknown here. */
    const uint32_t *codes;
    uint32_t code_count;
    uint64_t credits_more;
};

struct rule_verdict {
    bool is_met;
    bool met[RULE_NODES_MAX];
    bool is_listed[RULE_NODES_MAX]; /* failing leaves below failing nodes only */
};

/* Whether the list is one tree of known kinds within the bounds. @ret_text says what is wrong
 * (static storage). */
bool rule_is_sound(Carillon__RuleNode *const *nodes, size_t count, const char **ret_text);

/* Build the rule of a course of @institution (a word) from a sound list, interning its codes.
 * count > 0. */
struct campus_rule *rule_make(struct campus *campus, uint32_t institution,
                              Carillon__RuleNode *const *nodes, size_t count);
/* A cleared one of @count nodes; for loading. */
struct campus_rule *rule_alloc(struct campus *campus, size_t count);
void rule_free(struct campus *campus, struct campus_rule *rule);

/* Judge every node. @rule may be NULL: met. */
void rule_judge(const struct campus_rule *rule, const struct rule_facts *facts,
                struct rule_verdict *ret_verdict);

/* What a course taken under @code counts when the registrar gave no credits; 0: unknown here.
 */
uint32_t rule_credits_of(const struct campus *campus, uint32_t code);

/* Whether the rule names @code in a concurrent leaf. */
bool rule_needs_beside(const struct campus_rule *rule, uint32_t code);

#endif
