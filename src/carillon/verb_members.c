#include <string.h>

#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/meta.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about = "List the cluster's nodes: id, name, address, what each is in the cluster, and how the one "
             "that answers (it has an asterisk) finds it: alive, suspect, unreachable, left in good "
             "order, or gone (unreachable for a minute).\v"
             "  carillon members",
};

static const char *state_of(Carillon__MemberState state)
{
    switch ((int)state) {
    case CARILLON__MEMBER_STATE__MEMBER_JOINING:
        return "joining";
    case CARILLON__MEMBER_STATE__MEMBER_PRESENT:
        return "member";
    case CARILLON__MEMBER_STATE__MEMBER_LEAVING:
        return "leaving";
    case CARILLON__MEMBER_STATE__MEMBER_REMOVED:
        return "removed";
    default:
        return "?";
    }
}

static const char *sight_of(Carillon__MemberSight sight)
{
    switch ((int)sight) {
    case CARILLON__MEMBER_SIGHT__SIGHT_ALIVE:
        return "alive";
    case CARILLON__MEMBER_SIGHT__SIGHT_SUSPECT:
        return "suspect";
    case CARILLON__MEMBER_SIGHT__SIGHT_UNREACHABLE:
        return "unreachable";
    case CARILLON__MEMBER_SIGHT__SIGHT_LEFT:
        return "left";
    case CARILLON__MEMBER_SIGHT__SIGHT_GONE:
        return "gone";
    default:
        return "";
    }
}

static bool is_it(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

int verb_members(struct cli *cli, int argc, char **argv)
{
    static const struct table_column columns[] = {
        {"NODE",    false, false},
        {"NAME",    false, true },
        {"ADDRESS", false, false},
        {"STATE",   false, false},
        {"SINCE",   false, false},
        {"FOUND",   false, false},
        {"SINCE",   false, false},
    };
    Carillon__MembersRequest request = CARILLON__MEMBERS_REQUEST__INIT;
    Carillon__MembersReply *reply = NULL;
    struct table table;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_MEMBERS, &request.base, &reply, &code)) {
        return code;
    }
    table_init(&table, cli, columns, 7);
    for (size_t i = 0; i < reply->n_members; i++) {
        const Carillon__Member *member = reply->members[i];

        table_add_format(&table, "%s%s", words_id(cli, member->node_id),
                         is_it(&member->node_id, &reply->node_id) ? "*" : "");
        table_add(&table, member->name);
        table_add(&table, member->address);
        table_add(&table, state_of(member->state));
        table_add(&table, words_moment(cli, member->changed_ms, ""));
        table_add(&table, sight_of(member->sight));
        table_add(&table, words_moment(cli, member->sight_ms, ""));
    }
    table_print(&table);
    return code;
}
