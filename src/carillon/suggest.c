#include "carillon/suggest.h"

#include <string.h>

#include "proto/search.pb-c.h"
#include "wire/message.h"

enum { CANDIDATES = 50, SUGGESTIONS = 5, FOLDED_BYTES_MAX = 64 };

/* Letters and digits in small letters; bytes beyond ASCII as they are. */
static size_t fold(const char *code, uint8_t out[FOLDED_BYTES_MAX])
{
    size_t len = 0;

    for (; *code != '\0' && len < FOLDED_BYTES_MAX; code++) {
        uint8_t byte = (uint8_t)*code;

        if (byte >= 'A' && byte <= 'Z') {
            byte |= 0x20;
        }
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80) {
            out[len++] = byte;
        }
    }
    return len;
}

/* Levenshtein's distance, one row of the table at a time. */
size_t suggest_distance(const char *a, const char *b)
{
    uint8_t left[FOLDED_BYTES_MAX];
    uint8_t right[FOLDED_BYTES_MAX];
    size_t row[FOLDED_BYTES_MAX + 1];
    size_t left_len = fold(a, left);
    size_t right_len = fold(b, right);

    for (size_t j = 0; j <= right_len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < left_len; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < right_len; j++) {
            size_t changed = diagonal + (left[i] == right[j] ? 0 : 1);
            size_t moved = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

            diagonal = row[j + 1];
            row[j + 1] = changed < moved ? changed : moved;
        }
    }
    return row[right_len];
}

static int search(struct cli *cli, const char *query, const Carillon__SectionName *name,
                  Carillon__SearchReply **ret_reply)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;

    request.query = wire_text(query);
    request.institution = name->institution;
    request.limit = CANDIDATES;
    request.brief = true;
    return cli_call(cli, CARILLON__METHOD__METHOD_SEARCH, &request.base, ret_reply);
}

/* Bare words are what the search corrects by one letter; a code's own marks would act as
 * operators. */
static char *bare_words(struct cli *cli, const char *code)
{
    char *words = cli_format(cli, "%s", code);

    for (char *at = words; *at != '\0'; at++) {
        if ((uint8_t)*at < 0x80 && strchr("\"()\\:*", *at) != NULL) {
            *at = ' ';
        }
    }
    return words;
}

/* Candidates for @name: by the whole code, else by its first word, which is most often the
 * subject. */
static Carillon__SearchReply *find_candidates(struct cli *cli,
                                              const Carillon__SectionName *name)
{
    Carillon__SearchReply *reply = NULL;
    char *words = bare_words(cli, name->code);

    if (search(cli, words, name, &reply) == OK && reply->n_hits > 0) {
        return reply;
    }
    words[strcspn(words, " -/.0123456789")] = '\0';
    if (words[0] != '\0' && search(cli, words, name, &reply) == OK && reply->n_hits > 0) {
        return reply;
    }
    return NULL;
}

static void print_hit(struct cli *cli, const Carillon__SearchHit *hit)
{
    fprintf(cli->err, "    %s:%s@%s  ", hit->institution, hit->code, hit->term);
    for (const char *at = hit->title; *at != '\0'; at++) {
        if ((uint8_t)*at >= 0x20) {
            fputc(*at, cli->err);
        }
    }
    fputc('\n', cli->err);
}

/* Print the nearest five, best first; of equals the one that the search ranked first. */
static void print_nearest(struct cli *cli, const char *code, const Carillon__SearchReply *reply)
{
    bool is_printed[CANDIDATES] = {false};
    size_t count = reply->n_hits < CANDIDATES ? reply->n_hits : CANDIDATES;

    fputs("  did you mean one of these?\n", cli->err);
    for (size_t n = 0; n < SUGGESTIONS && n < count; n++) {
        size_t best = SIZE_MAX;
        size_t best_distance = SIZE_MAX;

        for (size_t i = 0; i < count; i++) {
            size_t distance = suggest_distance(code, reply->hits[i]->code);

            if (!is_printed[i] && distance < best_distance) {
                best = i;
                best_distance = distance;
            }
        }
        is_printed[best] = true;
        print_hit(cli, reply->hits[best]);
    }
}

static void print_same(struct cli *cli, const char *code, const Carillon__SearchReply *reply)
{
    for (size_t i = 0; i < reply->n_hits; i++) {
        if (strcmp(reply->hits[i]->code, code) == 0) {
            print_hit(cli, reply->hits[i]);
        }
    }
}

void suggest_course_name(struct cli *cli, const Carillon__SectionName *name, int error)
{
    if (error != ERR_UNKNOWN_COURSE && error != ERR_AMBIGUOUS) {
        return;
    }
    const Carillon__SearchReply *reply = find_candidates(cli, name);

    if (reply == NULL) {
        return;
    }
    if (error == ERR_AMBIGUOUS) {
        print_same(cli, name->code, reply);
    } else {
        print_nearest(cli, name->code, reply);
    }
}

void suggest_courses(struct cli *cli, const Carillon__Op *ops, size_t count, int error)
{
    for (size_t i = 0; i < count; i++) {
        Carillon__SectionName name = CARILLON__SECTION_NAME__INIT;
        Carillon__ShowRequest request = CARILLON__SHOW_REQUEST__INIT;
        Carillon__ShowReply *reply = NULL;

        name.institution = request.institution = ops[i].institution;
        name.code = request.code = ops[i].code;
        name.term = request.term = ops[i].term;
        if (cli_call(cli, CARILLON__METHOD__METHOD_SHOW, &request.base, &reply) == error) {
            suggest_course_name(cli, &name, error);
        }
    }
}
