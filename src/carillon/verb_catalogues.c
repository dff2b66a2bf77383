#include <inttypes.h>

#include "carillon/table.h"
#include "carillon/verbs.h"
#include "carillon/words.h"
#include "proto/registrar.pb-c.h"

static const struct cli_syntax syntax = {
    .arguments = "",
    .about = "List every catalogue of the node: its size, registration window and limits.\v"
             "  carillon catalogues",
};

static const char *window_of(struct cli *cli, const Carillon__CatalogueItem *item)
{
    if (item->opens_ms == 0 && item->closes_ms == 0) {
        return "always open";
    }
    if (item->opens_ms == 1 && item->closes_ms == 1) {
        return "closed";
    }
    return cli_format(cli, "%s to %s", words_moment(cli, item->opens_ms, "now"),
                      words_moment(cli, item->closes_ms, "further notice"));
}

int verb_catalogues(struct cli *cli, int argc, char **argv)
{
    static const struct table_column columns[] = {
        {"INSTITUTION", false, false},
        {"TERM",        false, false},
        {"COURSES",     true,  false},
        {"SECTIONS",    true,  false},
        {"SEATS",       true,  false},
        {"UNLIMITED",   true,  false},
        {"WINDOW",      false, true },
        {"LIMITS",      false, false},
        {"UPDATED",     false, false},
    };
    Carillon__CataloguesRequest request = CARILLON__CATALOGUES_REQUEST__INIT;
    Carillon__CataloguesReply *reply = NULL;
    struct table table;
    int code = EXIT_DONE;

    cli_parse(cli, argc, argv, &syntax, NULL);
    if (!cli_ask(cli, CARILLON__METHOD__METHOD_CATALOGUES, &request.base, &reply, &code)) {
        return code;
    }
    table_init(&table, cli, columns, 9);
    for (size_t i = 0; i < reply->n_items; i++) {
        const Carillon__CatalogueItem *item = reply->items[i];

        table_add(&table, item->institution);
        table_add(&table, item->term);
        table_add_format(&table, "%u", item->courses);
        table_add_format(&table, "%u", item->sections);
        table_add_format(&table, "%" PRIu64, item->seats);
        table_add_format(&table, "%u", item->sections_without_limit);
        table_add(&table, window_of(cli, item));
        table_add_format(
            &table, "%u courses%s", item->courses_max,
            item->credits_max_hundredths == 0
                ? ""
                : cli_format(cli, ", %s credits",
                             words_credits(cli, true, item->credits_max_hundredths)));
        table_add(&table, words_moment(cli, item->updated_ms, ""));
    }
    table_print(&table);
    if (cli->is_terminal) {
        fprintf(cli->out, "%" PRIu64 " students, %" PRIu64 " registrations\n", reply->students,
                reply->registrations);
    }
    return code;
}
