#include <stdlib.h>
#include <string.h>

#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

struct arguments {
    struct cli *cli;
    const char *query;
    const char *institution;
    const char *term;
    const char *cursor;
    uint32_t limit;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;
    uint64_t limit = 0;

    switch (key) {
    case 'i':
        arguments->institution = arg;
        return 0;
    case 't':
        arguments->term = arg;
        return 0;
    case 'c':
        arguments->cursor = arg;
        return 0;
    case 'n':
        if (slice_parse_u64(slice_from_text(arg), 100, &limit) != OK || limit == 0) {
            argp_error(state, "--limit %s: a number from 1 to 100 is expected", arg);
        }
        arguments->limit = (uint32_t)limit;
        return 0;
    case ARGP_KEY_ARG:
        arguments->query = arguments->query[0] == '\0'
                               ? arg
                               : cli_format(arguments->cli, "%s %s", arguments->query, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"institution", 'i', "NAME", 0, "only this institution's courses", 0},
                                     {"term", 't', "TERM", 0, "only this term's courses", 0},
                                     {"limit", 'n', "N", 0, "how many to show, at most 100 (default 20)", 0},
                                     {"cursor", 'c', "TEXT", 0, "the next page, as the previous one named it", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "QUERY...",
    .about =
        "Find courses by code, title, instructor or description, best first.\v"
        "Bare words, \"phrases\", and: subject:in MATH,CS level:300..499 credits:>=3 open:true "
        "at:INSTITUTION days:MWF NOT word (a OR b); with --student also fits:me and "
        "eligible:me.\n\n"
        "  carillon search linear algebra open:true level:200..299\n"
        "  carillon search --student ada1 fits:me eligible:me ocean",
    .takes_stale = true,
};

/* Show a query with a mark below the byte where it could not be read. */
static int show_query_error(struct cli *cli, const char *query, uint32_t at)
{
    int code = cli_fail(cli, ERR_QUERY);

    if (at > 0 && at - 1 <= strlen(query)) {
        fprintf(cli->err, "  %s\n  %*s^\n", query, (int)at - 1, "");
    }
    return code;
}

static void print_hits(struct cli *cli, const Carillon__SearchReply *reply)
{
    static const struct table_column columns[] = {
        {"COURSE",      false, false},
        {"TITLE",       false, true },
        {"CREDITS",     true,  false},
        {"LEVEL",       true,  false},
        {"OPEN",        true,  false},
        {"INSTRUCTORS", false, false},
    };
    struct table table;

    table_init(&table, cli, columns, 6);
    for (size_t i = 0; i < reply->n_hits; i++) {
        const Carillon__SearchHit *hit = reply->hits[i];
        const char *more =
            hit->n_instructors > 1 ? cli_format(cli, " +%zu", hit->n_instructors - 1) : "";

        table_add_format(&table, "%s:%s", hit->institution, hit->code);
        table_add(&table, hit->title);
        table_add(&table, words_credits(cli, hit->credits_known, hit->credits_hundredths));
        table_add(&table, hit->level > 0 ? cli_format(cli, "%u", hit->level) : "?");
        table_add_format(&table, "%u/%u", hit->sections_open, hit->sections);
        table_add_format(&table, "%s%s", hit->n_instructors > 0 ? hit->instructors[0] : "",
                         more);
    }
    table_print(&table);
    if (!cli->is_terminal) {
        return;
    }
    if (reply->corrected[0] != '\0') {
        fprintf(cli->out, "%sread as %s%s\n", cli_style(cli, STYLE_WARN), reply->corrected,
                cli_style_end(cli));
    }
    fprintf(cli->out, "%s%zu of %u%s courses, coverage %s, %.1f ms%s\n",
            cli_style(cli, STYLE_DIM), reply->n_hits, reply->matches,
            reply->matches_more ? "+" : "", reply->coverage, (double)reply->node_us / 1000,
            cli_style_end(cli));
    if (reply->next_cursor[0] != '\0') {
        fprintf(cli->out, "%snext page: --cursor %s%s\n", cli_style(cli, STYLE_DIM),
                reply->next_cursor, cli_style_end(cli));
    }
}

int verb_search(struct cli *cli, int argc, char **argv)
{
    struct arguments arguments = {
        .cli = cli, .query = "", .institution = "", .term = "", .cursor = ""};
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;
    Carillon__SearchReply *reply = NULL;

    cli_parse(cli, argc, argv, &syntax, &arguments);
    request.query = wire_text(arguments.query);
    request.student = wire_text(cli->student == NULL ? "" : cli->student);
    request.institution = wire_text(arguments.institution);
    request.term = wire_text(arguments.term);
    request.cursor = wire_text(arguments.cursor);
    request.limit = arguments.limit;
    int error = cli_call(cli, CARILLON__METHOD__METHOD_SEARCH, &request.base, &reply);

    if (cli->json) {
        if (reply != NULL) {
            cli_print_json(cli, reply);
            return error_exit_code(error);
        }
        return cli_fail_json(cli, error);
    }
    if (error == ERR_QUERY && reply != NULL) {
        return show_query_error(cli, arguments.query, reply->query_error_at);
    }
    if (error != OK) {
        return cli_fail(cli, error);
    }
    print_hits(cli, reply);
    return EXIT_DONE;
}
