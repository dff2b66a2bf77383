/* Whatever the prereq column holds: it is refused with a place inside the text, or it becomes a
 * whole tree in prefix order that, written and read again, is the same tree. */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "carillon/export.h"
#include "carillon/import_rule.h"

enum { ARENA_BYTES = 16 << 20, INPUT_BYTES_MAX = 8192 };

/* Prefix order: every node is wanted by one before it, and nothing is left wanting. */
static void check_whole(const struct import_rule *rule)
{
    size_t wanted = 1;

    for (size_t i = 0; i < rule->count; i++) {
        ASSERT(wanted > 0);
        wanted += rule->nodes[i]->children;
        wanted--;
    }
    ASSERT(rule->count == 0 || wanted == 0);
}

static bool is_same(const Carillon__RuleNode *a, const Carillon__RuleNode *b)
{
    return a->kind == b->kind && a->children == b->children && a->count == b->count &&
           a->grade_min == b->grade_min && a->concurrent == b->concurrent &&
           strcmp(a->code, b->code) == 0 && strcmp(a->institution, b->institution) == 0;
}

/* A code with both kinds of quotation marks cannot be written in the grammar. */
static bool is_writable(const struct import_rule *rule)
{
    for (size_t i = 0; i < rule->count; i++) {
        if (strchr(rule->nodes[i]->code, '"') != NULL ||
            strchr(rule->nodes[i]->code, '\'') != NULL) {
            return false;
        }
    }
    return true;
}

static void check_again(const struct import_rule *rule, struct arena *arena)
{
    static struct import_rule again;
    struct import_rule_error error;
    struct cli cli = {.arena = *arena};
    char *text = export_rule_text(&cli, rule->nodes, rule->count);

    import_rule_init(&again, &cli.arena);
    ASSERT(import_rule_parse(&again, slice_from_text(text), &error) == OK);
    ASSERT(again.count == rule->count);
    for (size_t i = 0; i < rule->count; i++) {
        ASSERT(is_same(again.nodes[i], rule->nodes[i]));
    }
    *arena = cli.arena;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct import_rule rule;
    struct import_rule_error detail = {0, ""};
    struct slice text = slice_from(data, size);
    struct arena arena;

    /* The importer has checked for both before. */
    if (size > INPUT_BYTES_MAX || !utf8_is_valid(text) || memchr(data, 0, size) != NULL) {
        return 0;
    }
    arena_init(&arena, ARENA_BYTES);
    import_rule_init(&rule, &arena);
    int error = import_rule_parse(&rule, text, &detail);

    if (error == OK) {
        check_whole(&rule);
        if (is_writable(&rule)) {
            check_again(&rule, &arena);
        }
    } else {
        ASSERT(detail.at <= size);
        ASSERT(detail.text[0] != '\0');
    }
    arena_fini(&arena);
    return 0;
}
