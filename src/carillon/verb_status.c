#include <inttypes.h>

#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/operator.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about = "Show the node: its state, what it holds, its groups with their leaders and what others "
             "lag, its memory, log and load.\v"
             "  carillon status",
};

static void print_fact(struct cli *cli, const char *name, const char *value)
{
    fprintf(cli->out, cli->is_terminal ? "%-16s%s\n" : "%s\t%s\n", name, value);
}

static const char *duration(struct cli *cli, uint64_t ms)
{
    uint64_t seconds = ms / 1000;

    if (seconds < 60) {
        return cli_format(cli, "%" PRIu64 ".%" PRIu64 " s", seconds, ms % 1000 / 100);
    }
    return cli_format(cli, "%" PRIu64 " d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64,
                      seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

static void print_contents(struct cli *cli, const Carillon__StatusReply *reply)
{
    print_fact(cli, "courses",
               cli_format(cli, "%" PRIu64 " with %" PRIu64 " sections", reply->courses,
                          reply->sections));
    print_fact(cli, "students", cli_format(cli, "%" PRIu64, reply->students));
    print_fact(cli, "registrations",
               cli_format(cli, "%" PRIu64 ", %" PRIu64 " waiting", reply->registrations,
                          reply->waiting));
    print_fact(cli, "answers kept", cli_format(cli, "%" PRIu64, reply->answers_kept));
    print_fact(cli, "memory",
               cli_format(cli, "%s campus, %s search, of %s",
                          words_bytes(cli, reply->memory_campus_bytes),
                          words_bytes(cli, reply->memory_search_bytes),
                          words_bytes(cli, reply->memory_bytes_max)));
    print_fact(cli, "a student",
               cli_format(cli, "%" PRIu64 " bytes", reply->memory_student_bytes));
    print_fact(cli, "a course",
               cli_format(cli, "%" PRIu64 " bytes", reply->memory_course_bytes));
    print_fact(cli, "search index",
               cli_format(cli, "%s for %s of text", words_bytes(cli, reply->search_index_bytes),
                          words_bytes(cli, reply->search_text_bytes)));
}

static void print_work(struct cli *cli, const Carillon__StatusReply *reply)
{
    print_fact(cli, "log",
               cli_format(cli,
                          "entries %" PRIu64 " to %" PRIu64 ", durable %" PRIu64
                          ", applied %" PRIu64 ", %s in %" PRIu64 " batches",
                          reply->log_first_index, reply->log_last_index,
                          reply->log_durable_index, reply->log_applied_index,
                          words_bytes(cli, reply->log_bytes), reply->log_batches));
    print_fact(cli, "snapshot",
               reply->snapshot_ms == 0
                   ? "none yet"
                   : cli_format(cli, "at entry %" PRIu64 ", %s, %s", reply->snapshot_index,
                                words_bytes(cli, reply->snapshot_bytes),
                                words_moment(cli, reply->snapshot_ms, "")));
    print_fact(cli, "connections", cli_format(cli, "%u", reply->connections));
    print_fact(cli, "requests",
               cli_format(cli,
                          "%" PRIu64 ", %" PRIu64 " refused for load, %" PRIu64 " bad frames",
                          reply->requests, reply->refused_load, reply->bad_frames));
    for (size_t i = 0; i < reply->n_refused; i++) {
        if (reply->refused[i]->count > 0) {
            print_fact(cli, "refused",
                       cli_format(cli, "%" PRIu64 " %s", reply->refused[i]->count,
                                  reply->refused[i]->reason));
        }
    }
    print_fact(cli, "tls",
               cli_format(cli,
                          "%" PRIu64 " handshakes, %" PRIu64
                          " of them resumed; certificate until %s",
                          reply->tls_handshakes, reply->tls_resumed,
                          words_moment(cli, reply->certificate_ends_ms, "")));
    print_fact(cli, "searches",
               cli_format(cli, "%" PRIu64 ", p50 %.3f ms, p99 %.3f ms", reply->search_count,
                          (double)reply->search_p50_ns / 1e6,
                          (double)reply->search_p99_ns / 1e6));
    print_fact(cli, "cpu",
               cli_format(cli, "%.2f s user, %.2f s system", (double)reply->cpu_user_us / 1e6,
                          (double)reply->cpu_system_us / 1e6));
}

static const char *role_of(Carillon__GroupRole role)
{
    switch ((int)role) {
    case CARILLON__GROUP_ROLE__GROUP_FOLLOWER:
        return "follows";
    case CARILLON__GROUP_ROLE__GROUP_CANDIDATE:
        return "looks for a leader";
    case CARILLON__GROUP_ROLE__GROUP_LEADER:
        return "leads";
    case CARILLON__GROUP_ROLE__GROUP_LEARNER:
        return "learns";
    default:
        return "?";
    }
}

static const char *member_name(struct cli *cli, const Carillon__GroupMember *member)
{
    return member->name[0] != '\0' ? member->name : cli_format(cli, "%016" PRIx64, member->node);
}

/* "a (leader), b (lags 12), c (learner)" */
static const char *members_of(struct cli *cli, const Carillon__GroupStatus *group)
{
    const char *text = "";

    for (size_t i = 0; i < group->n_members; i++) {
        const Carillon__GroupMember *member = group->members[i];
        const char *lag =
            member->lag > 0 ? cli_format(cli, " (lags %" PRIu64 ")", member->lag) : "";

        text = cli_format(cli, "%s%s%s%s%s%s", text, i > 0 ? ", " : "",
                          member_name(cli, member), member->voter ? "" : " (learner)",
                          member->node == group->leader ? " (leader)" : "", lag);
    }
    return text;
}

static void print_groups(struct cli *cli, const Carillon__StatusReply *reply)
{
    for (size_t i = 0; i < reply->n_groups; i++) {
        const Carillon__GroupStatus *group = reply->groups[i];

        print_fact(cli, cli_format(cli, "group %u", group->group),
                   cli_format(cli,
                              "%s, term %" PRIu64 ", last %" PRIu64 ", committed %" PRIu64
                              ", applied %" PRIu64 "; %s",
                              role_of(group->role), group->term, group->last_index,
                              group->commit_index, group->applied_index,
                              members_of(cli, group)));
    }
    print_fact(cli, "datagrams",
               cli_format(cli,
                          "%" PRIu64 " sent, %" PRIu64 " received, %" PRIu64
                          " refused; %" PRIu64 " over connections",
                          reply->datagrams_sent, reply->datagrams_received,
                          reply->datagrams_refused, reply->datagrams_linked));
}

int verb_status(struct cli *cli, int argc, char **argv)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_STATUS, &request.base, &reply, &code)) {
        return code;
    }
    print_fact(cli, "state", reply->state);
    print_fact(cli, "writable", reply->writable ? "yes" : "no: the disk is full, reads go on");
    print_fact(cli, "version", reply->version);
    print_fact(cli, "up", duration(cli, reply->uptime_ms));
    print_fact(cli, "node", words_id(cli, reply->node_id));
    print_fact(cli, "cluster", words_id(cli, reply->cluster_id));
    print_fact(cli, "data", reply->data_folder);
    print_contents(cli, reply);
    print_groups(cli, reply);
    print_work(cli, reply);
    return code;
}
