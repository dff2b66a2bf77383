#include "carillon/suggest.h"

#include "proto/search.pb-c.h"
#include "wire/message.h"

enum { SUGGESTIONS = 5 };

/* A quotation that the query language reads as words: the code's own marks must not act as
 * operators. */
static char *quoted(struct cli *cli, const char *code)
{
    char *text = cli_format(cli, "\"%s\"", code);

    for (char *at = text + 1; *at != '\0' && at[1] != '\0'; at++) {
        *at = *at == '"' || *at == '\\' ? ' ' : *at;
    }
    return text;
}

static int search(struct cli *cli, char *query, const Carillon__SectionName *name,
                  Carillon__SearchReply **ret_reply)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;

    request.query = query;
    request.institution = name->institution;
    request.limit = SUGGESTIONS;
    request.brief = true;
    return cli_call(cli, CARILLON__METHOD__METHOD_SEARCH, &request.base, ret_reply);
}

void suggest_course_name(struct cli *cli, const Carillon__SectionName *name)
{
    Carillon__SearchReply *reply = NULL;

    /* The bare code first: only bare words are corrected by one letter. */
    int error = search(cli, name->code, name, &reply);

    if (error != OK || reply->n_hits == 0) {
        error = search(cli, quoted(cli, name->code), name, &reply);
    }
    if (error != OK || reply->n_hits == 0) {
        return;
    }
    fprintf(cli->err, "  did you mean one of these?\n");
    for (size_t i = 0; i < reply->n_hits; i++) {
        const Carillon__SearchHit *hit = reply->hits[i];
        char *title = cli_format(cli, "%s", hit->title);
        size_t len = 0;

        for (const char *from = hit->title; *from != '\0'; from++) {
            if ((unsigned char)*from >= 0x20) {
                title[len++] = *from;
            }
        }
        title[len] = '\0';
        fprintf(cli->err, "    %s:%s  %s\n", hit->institution, hit->code, title);
    }
}

static bool exists(struct cli *cli, const Carillon__Op *op)
{
    Carillon__ShowRequest request = CARILLON__SHOW_REQUEST__INIT;
    Carillon__ShowReply *reply = NULL;

    request.institution = op->institution;
    request.code = op->code;
    request.term = op->term;
    return cli_call(cli, CARILLON__METHOD__METHOD_SHOW, &request.base, &reply) !=
           ERR_UNKNOWN_COURSE;
}

void suggest_courses(struct cli *cli, const Carillon__Op *op)
{
    Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;

    if (exists(cli, op)) {
        return;
    }
    name.institution = op->institution;
    name.code = op->code;
    suggest_course_name(cli, &name);
}
