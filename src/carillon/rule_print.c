#include "carillon/rule_print.h"

#include <string.h>

#include "carillon/words.h"

enum { DEPTH_MAX = 64 };

static const char *describe(struct cli *cli, const Carillon__RuleNode *node)
{
    switch ((int)node->kind) {
    case CARILLON__RULE_KIND__RULE_AND:
        return "all of";
    case CARILLON__RULE_KIND__RULE_OR:
        return "one of";
    case CARILLON__RULE_KIND__RULE_N_OF:
        return cli_format(cli, "%u of", node->count);
    case CARILLON__RULE_KIND__RULE_LEVEL:
        return cli_format(cli, "level %u or above", node->count);
    case CARILLON__RULE_KIND__RULE_CREDITS:
        return cli_format(cli, "%s credits or more", words_credits(cli, true, node->count));
    case CARILLON__RULE_KIND__RULE_COURSE:
        return cli_format(cli, "%s%s%s%s%s%s", node->institution,
                          node->institution[0] != '\0' ? ":" : "", node->code,
                          node->grade_min > 0 ? " with at least " : "",
                          words_grade(cli, node->grade_min),
                          node->concurrent ? " (may be taken at the same time)" : "");
    case CARILLON__RULE_KIND__RULE_NONE:
    default:
        return "?";
    }
}

static const Carillon__RuleTick *find_tick(const Carillon__ShowReply *reply, size_t node)
{
    for (size_t i = 0; i < reply->n_ticks; i++) {
        if (reply->ticks[i]->rule_node == node) {
            return reply->ticks[i];
        }
    }
    return NULL;
}

static bool is_unknown(const Carillon__ShowReply *reply, const Carillon__RuleNode *node)
{
    for (size_t i = 0; i < reply->n_unknown_codes; i++) {
        if (node->kind == CARILLON__RULE_KIND__RULE_COURSE &&
            strcmp(node->code, reply->unknown_codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void print_node(struct cli *cli, const Carillon__ShowReply *reply, size_t index,
                       size_t indent)
{
    const Carillon__RuleNode *node = reply->course->prerequisites[index];
    const Carillon__RuleTick *tick = find_tick(reply, index);

    fprintf(cli->out, "%*s", (int)indent, "");
    if (tick != NULL) {
        fprintf(cli->out, "%s%s%s ", cli_style(cli, tick->met ? STYLE_GOOD : STYLE_BAD),
                tick->met ? "✓" : "✗", cli_style_end(cli));
    }
    fprintf(cli->out, "%s%s\n", describe(cli, node),
            is_unknown(reply, node) ? "  (no such course here)" : "");
}

void rule_print(struct cli *cli, const Carillon__ShowReply *reply, size_t indent)
{
    uint32_t left[DEPTH_MAX] = {1}; /* subtrees still to come at each depth */
    size_t depth = 0;

    for (size_t i = 0; i < reply->course->n_prerequisites; i++) {
        const Carillon__RuleNode *node = reply->course->prerequisites[i];

        print_node(cli, reply, i, indent + 2 * depth);
        if (left[depth] > 0) {
            left[depth]--;
        }
        if (node->children > 0 && depth + 1 < DEPTH_MAX) {
            left[++depth] = node->children;
        }
        while (depth > 0 && left[depth] == 0) {
            depth--;
        }
    }
}
