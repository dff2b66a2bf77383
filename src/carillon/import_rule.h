/* carillon/import_rule.h -- prerequisite trees: from JSON or from the grammar of the CSV column
 * to prefix-order nodes.
 *
 * Layer: carillon     Spec: docs/spec/import.md, "Prerequisites"
 *
 * A tree under construction is a list of nodes in prefix order and a stack of the groups that
 * are open. Neither parser recurses: depth and size are bounded by IMPORT_RULE_DEPTH_MAX and
 * IMPORT_RULE_NODES_MAX.
 */
#ifndef CARILLON_CARILLON_IMPORT_RULE_H
#define CARILLON_CARILLON_IMPORT_RULE_H

#include "base/arena.h"
#include "base/error.h"
#include "carillon/import_limits.h"
#include "proto/catalogue.pb-c.h"

struct json_object;

struct import_rule {
    struct arena *arena; /* where nodes and texts live */
    Carillon__RuleNode *nodes[IMPORT_RULE_NODES_MAX];
    size_t count;
};

/* Why a tree was refused: where in the text, and what was expected there. */
struct import_rule_error {
    size_t at;     /* byte offset (grammar only) */
    char text[96]; /* what is wrong or was expected */
};

void import_rule_init(struct import_rule *rule, struct arena *arena);

/* Append a node of @kind. Errors: ERR_FULL when the tree is full. */
int import_rule_add(struct import_rule *rule, Carillon__RuleKind kind,
                    Carillon__RuleNode **ret_node) CHECKED;

/* Parse `(CS101 >= C- or CS105) and MATH120 concurrent and 2 of {A, B, C} and level >= 3 and
 * credits >= 60`. The empty text gives an empty tree.
 *
 * Owns:   nodes and their texts are in rule->arena.
 * Errors: with @ret_error filled: ERR_MALFORMED; ERR_FULL too many nodes; ERR_TOO_LARGE too
 * deep; ERR_ARGUMENT an n that does not fit its group; ERR_GONE a grade that is none.
 */
int import_rule_parse(struct import_rule *rule, struct slice text,
                      struct import_rule_error *ret_error) CHECKED;

/* Convert a JSON tree; null gives an empty tree. Errors: as above, and ERR_EOF for a group
 * without members. */
int import_rule_from_json(struct import_rule *rule, struct json_object *tree,
                          struct import_rule_error *ret_error) CHECKED;

#endif
