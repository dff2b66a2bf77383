#include <inttypes.h>

#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/operator.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about =
        "List the groups of the cluster as the node that answers knows them: who leads, who "
        "votes, who learns (gets everything and has no vote), what is about to change "
        "(+ gets a vote, - gives it up), the last entry that this node has applied, and the "
        "term.\v"
        "  carillon shards",
};

static const char *name_of(struct cli *cli, const Carillon__GroupMember *member)
{
    return member->name[0] != '\0' ? member->name
                                   : cli_format(cli, "%016" PRIx64, member->node);
}

static const char *leader_of(struct cli *cli, const Carillon__GroupStatus *group)
{
    for (size_t i = 0; i < group->n_members; i++) {
        if (group->members[i]->node == group->leader) {
            return name_of(cli, group->members[i]);
        }
    }
    return "nobody";
}

static const char *append(struct cli *cli, const char *text, const char *sign, const char *name)
{
    return cli_format(cli, "%s%s%s%s", text, text[0] != '\0' ? " " : "", sign, name);
}

/* Those who have a vote, or those who have none. */
static const char *members_of(struct cli *cli, const Carillon__GroupStatus *group,
                              bool is_voter)
{
    const char *text = "";

    for (size_t i = 0; i < group->n_members; i++) {
        if ((group->members[i]->voter != 0) == is_voter) {
            text = append(cli, text, "", name_of(cli, group->members[i]));
        }
    }
    return text;
}

/* How the votes of a group stand to where they should be. */
struct votes {
    size_t all;
    size_t placed; /* members that are to vote */
    size_t kept;   /* of them, those that do */
};

static void count(const Carillon__GroupStatus *group, struct votes *ret_votes)
{
    *ret_votes = (struct votes){0};
    for (size_t i = 0; i < group->n_members; i++) {
        const Carillon__GroupMember *member = group->members[i];

        ret_votes->all += member->voter != 0;
        ret_votes->placed += member->placed != 0;
        ret_votes->kept += member->placed != 0 && member->voter != 0;
    }
}

/* A learner of an even number is placed all the same: it waits for a third to come. */
static bool is_one_to_come(const struct votes *votes)
{
    return votes->kept + (votes->placed % 2 == 0) < votes->placed;
}

/* Of an odd number one that is drained keeps its vote until another takes its place. */
static bool is_one_to_go(const struct votes *votes)
{
    return is_one_to_come(votes) || votes->all % 2 == 0 || votes->kept % 2 == 1;
}

static const char *moves_of(struct cli *cli, const Carillon__GroupStatus *group)
{
    const char *text = "";
    struct votes votes;

    count(group, &votes);
    for (size_t i = 0; i < group->n_members; i++) {
        const Carillon__GroupMember *member = group->members[i];

        if (member->placed && !member->voter && is_one_to_come(&votes)) {
            text = append(cli, text, "+", name_of(cli, member));
        } else if (!member->placed && member->voter && is_one_to_go(&votes)) {
            text = append(cli, text, "-", name_of(cli, member));
        }
    }
    return text;
}

int verb_shards(struct cli *cli, int argc, char **argv)
{
    static const struct table_column columns[] = {
        {"GROUP",    false, false},
        {"LEADER",   false, false},
        {"VOTERS",   false, true },
        {"LEARNERS", false, false},
        {"MOVES",    false, false},
        {"APPLIED",  true,  false},
        {"TERM",     true,  false},
    };
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;
    struct table table;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_STATUS, &request.base, &reply, &code)) {
        return code;
    }
    table_init(&table, cli, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < reply->n_groups; i++) {
        const Carillon__GroupStatus *group = reply->groups[i];

        table_add(&table,
                  group->group == 0 ? "cluster" : cli_format(cli, "shard %u", group->group));
        table_add(&table, leader_of(cli, group));
        table_add(&table, members_of(cli, group, true));
        table_add(&table, members_of(cli, group, false));
        table_add(&table, moves_of(cli, group));
        table_add_format(&table, "%" PRIu64, group->applied_index);
        table_add_format(&table, "%" PRIu64, group->term);
    }
    table_print(&table);
    return code;
}
