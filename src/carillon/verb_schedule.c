#include "carillon/name.h"
#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "wire/message.h"

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    const char **term = input;

    (void)state;
    if (key == 't') {
        *term = arg;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct cli_syntax syntax = {
    .options =
        (const struct argp_option[]){
                                     {"term", 't', "TERM", 0, "only this term", 0},
                                     {NULL, 0, NULL, 0, NULL, 0},
                                     },
    .parse = parse,
    .arguments = "",
    .about = "Show a student's courses with their meetings, places on waitlists, blocks and "
             "permits.\v"
             "  carillon schedule --student lm-0007",
    .takes_stale = true,
};

static const char *meetings_of(struct cli *cli, const Carillon__ScheduleItem *item)
{
    const char *text = "";

    for (size_t i = 0; i < item->n_meeting_days && i < item->n_meeting_start_min &&
                       i < item->n_meeting_end_min && i < item->n_meeting_location;
         i++) {
        text = cli_format(cli, "%s%s%s%s%s", text, i > 0 ? "; " : "",
                          words_meeting(cli, item->meeting_days[i], item->meeting_start_min[i],
                                        item->meeting_end_min[i]),
                          item->meeting_location[i][0] != '\0' ? " " : "",
                          item->meeting_location[i]);
    }
    return text;
}

static void print_items(struct cli *cli, const Carillon__ScheduleReply *reply)
{
    static const struct table_column columns[] = {
        {"SECTION",  false, false},
        {"TITLE",    false, true },
        {"CREDITS",  true,  false},
        {"MEETINGS", false, false},
        {"",         false, false},
    };
    struct table table;

    table_init(&table, cli, columns, 5);
    for (size_t i = 0; i < reply->n_items; i++) {
        const Carillon__ScheduleItem *item = reply->items[i];

        table_add(&table, name_format(&cli->arena, item->section));
        table_add(&table, item->title);
        table_add(&table, words_credits(cli, item->credits_known, item->credits_hundredths));
        table_add(&table, meetings_of(cli, item));
        table_add(&table, item->withdrawn ? "withdrawn" : "");
    }
    table_print(&table);
}

static const char *skip_of(struct cli *cli, const Carillon__WaitlistItem *item)
{
    if (item->skips == 0) {
        return "";
    }
    return cli_format(
        cli, "passed over %u times, last: %s%s%s", item->skips, words_refusal(item->last_skip),
        item->last_skip_evidence[0] != '\0' ? ": " : "", item->last_skip_evidence);
}

static void print_waitlist(struct cli *cli, const Carillon__ScheduleReply *reply)
{
    static const struct table_column columns[] = {
        {"WAITING FOR", false, false},
        {"TITLE",       false, true },
        {"PLACE",       true,  false},
        {"SINCE",       false, false},
        {"",            false, false},
    };
    struct table table;

    table_init(&table, cli, columns, 5);
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        const Carillon__WaitlistItem *item = reply->waitlist[i];

        table_add(&table, name_format(&cli->arena, item->section));
        table_add(&table, item->title);
        table_add_format(&table, "%u", item->place);
        table_add(&table, words_moment(cli, item->since_ms, ""));
        table_add(&table, skip_of(cli, item));
    }
    if (reply->n_waitlist > 0 && cli->is_terminal) {
        fputc('\n', cli->out);
    }
    table_print(&table);
}

static void print_notes(struct cli *cli, const Carillon__ScheduleReply *reply)
{
    for (size_t i = 0; i < reply->n_blocks; i++) {
        fprintf(cli->out, "%sblocked%s\t%s (by %s, %s)\n", cli_style(cli, STYLE_BAD),
                cli_style_end(cli), reply->blocks[i]->reason, reply->blocks[i]->by,
                words_moment(cli, reply->blocks[i]->since_ms, ""));
    }
    for (size_t i = 0; i < reply->n_permits; i++) {
        const Carillon__PermitItem *permit = reply->permits[i];

        fprintf(cli->out, "%spermit%s\t%s: %s%s%s (by %s)\n", cli_style(cli, STYLE_GOOD),
                cli_style_end(cli), name_format(&cli->arena, permit->section),
                words_permit_kinds(cli, permit->kinds), permit->reason[0] != '\0' ? ", " : "",
                permit->reason, permit->by);
    }
}

int verb_schedule(struct cli *cli, int argc, char **argv)
{
    const char *term = "";
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;
    Carillon__ScheduleReply *reply = NULL;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, &term);
    if (cli_student(cli) == NULL) {
        return EXIT_USAGE;
    }
    request.student = wire_text(cli->student);
    request.term = wire_text(term);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_SCHEDULE, &request.base, &reply, &code)) {
        return code;
    }
    if (cli->is_terminal) {
        fprintf(cli->out, "%s%s%s  %s, %s%s%s\n", cli_style(cli, STYLE_BOLD), reply->name,
                cli_style_end(cli), reply->student, reply->institution,
                reply->level > 0 ? cli_format(cli, ", level %u", reply->level) : "",
                reply->withdrawn ? ", withdrawn" : "");
        fprintf(cli->out, "%zu of %u courses, %s%s credits%s\n", reply->n_items,
                reply->courses_max, words_credits(cli, true, reply->credits_hundredths),
                reply->credits_incomplete ? " known" : "",
                reply->credits_max_hundredths > 0
                    ? cli_format(cli, " of %s",
                                 words_credits(cli, true, reply->credits_max_hundredths))
                    : "");
    }
    print_items(cli, reply);
    print_waitlist(cli, reply);
    print_notes(cli, reply);
    return code;
}
