#include "carillon/bench_query.h"

#include <ctype.h>
#include <dirent.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"

enum {
    HITS = 20, /* what a page of results shows */
    QUERY_BYTES_MAX = 200,
    WORDS_MAX = 3,
    WORDS_SEEN_MAX = 32, /* of a text */
    PATH_BYTES = 1024,
};

void bench_queries_init(struct bench_queries *queries)
{
    *queries = (struct bench_queries){0};
    arena_init(&queries->arena, UINT64_MAX);
}

void bench_queries_fini(struct bench_queries *queries)
{
    arena_fini(&queries->arena);
    free(queries->at);
    *queries = (struct bench_queries){0};
}

static const char *text_keep(struct bench_queries *queries, struct slice text)
{
    char *copy = arena_alloc(&queries->arena, text.len + 1);

    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

static void query_pack(struct bench_queries *queries, struct bench_query *query)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;

    request.query = wire_text(query->text);
    request.institution = wire_text(query->institution);
    request.limit = HITS;
    size_t len = protobuf_c_message_get_packed_size(&request.base);
    uint8_t *packed = arena_alloc(&queries->arena, len);
    query->packed = slice_from(packed, protobuf_c_message_pack(&request.base, packed));
}

static int query_add(struct bench_queries *queries, struct slice text, struct slice institution,
                     const char *expected)
{
    if (queries->count == queries->cap) {
        uint32_t cap = queries->cap == 0 ? 64 : queries->cap * 2;
        struct bench_query *at = realloc(queries->at, cap * sizeof *at);

        if (at == NULL) {
            return ERR_NOMEM;
        }
        queries->at = at;
        queries->cap = cap;
    }
    struct bench_query *query = &queries->at[queries->count++];
    *query = (struct bench_query){.expected = expected};
    query->text = text_keep(queries, text);
    query->institution = text_keep(queries, institution);
    query_pack(queries, query);
    return OK;
}

/* ---- from a file ---- */

static int line_take(struct bench_queries *queries, struct slice line)
{
    struct slice text, institution, expected;

    if (line.len == 0) {
        return OK;
    }
    if (!slice_cut(line, '\t', &text, &line) ||
        !slice_cut(line, '\t', &institution, &expected)) {
        return ERR_MALFORMED;
    }
    if (slice_is_equal(institution, SLICE_LITERAL("*"))) {
        institution = SLICE_NONE;
    }
    return query_add(queries, text, institution, text_keep(queries, slice_trim(expected)));
}

int bench_queries_read(struct bench_queries *queries, const char *path)
{
    FILE *in = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = OK;

    if (in == NULL) {
        return ERR_GONE;
    }
    while (rc == OK && (len = getline(&line, &cap, in)) > 0) {
        rc = line_take(queries, slice_trim(slice_from(line, (size_t)len)));
    }
    free(line);
    (void)fclose(in); /* it was only read */
    return rc == OK && queries->count == 0 ? ERR_MALFORMED : rc;
}

/* ---- drawn from catalogues ---- */

/* What a course offers to be searched by; kept for all courses until the draw. */
struct offer {
    const char *institution;
    const char *code;
    const char *title;
    const char *person; /* NULL: none */
};

struct offers {
    struct bench_queries *queries; /* its arena keeps the texts */
    struct offer *at;
    size_t count;
    size_t cap;
};

static const char *json_keep(struct offers *offers, struct json_object *record,
                             const char *name)
{
    struct json_object *value;

    if (!json_object_object_get_ex(record, name, &value) || value == NULL) {
        return "";
    }
    return text_keep(offers->queries, slice_from_text(json_object_get_string(value)));
}

static const char *person_keep(struct offers *offers, struct json_object *record)
{
    struct json_object *people;

    if (!json_object_object_get_ex(record, "instructors", &people) ||
        !json_object_is_type(people, json_type_array) ||
        json_object_array_length(people) == 0) {
        return NULL;
    }
    const char *name = json_object_get_string(json_object_array_get_idx(people, 0));
    return name == NULL ? NULL : text_keep(offers->queries, slice_from_text(name));
}

static int offer_add(struct offers *offers, const char *line)
{
    struct json_object *record = json_tokener_parse(line);

    if (record == NULL) {
        return OK; /* the import says what is wrong with such a line */
    }
    if (offers->count == offers->cap) {
        size_t cap = offers->cap == 0 ? 4096 : offers->cap * 2;
        struct offer *at = realloc(offers->at, cap * sizeof *at);

        if (at == NULL) {
            json_object_put(record);
            return ERR_NOMEM;
        }
        offers->at = at;
        offers->cap = cap;
    }
    offers->at[offers->count++] = (struct offer){
        json_keep(offers, record, "institution"), json_keep(offers, record, "code"),
        json_keep(offers, record, "title"), person_keep(offers, record)};
    json_object_put(record);
    return OK;
}

static int file_read(struct offers *offers, const char *path)
{
    FILE *in = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    int rc = OK;

    if (in == NULL) {
        return ERR_GONE;
    }
    while (rc == OK && getline(&line, &cap, in) > 0) {
        rc = offer_add(offers, line);
    }
    free(line);
    (void)fclose(in); /* it was only read */
    return rc;
}

static int is_catalogue(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 6 && strcmp(entry->d_name + len - 6, ".jsonl") == 0 &&
           strstr(entry->d_name, "students") == NULL;
}

static int folder_read(struct offers *offers, const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_catalogue, alphasort);
    int rc = count <= 0 ? ERR_GONE : OK;
    char path[PATH_BYTES];

    for (int i = 0; i < count; i++) {
        if (rc == OK) {
            snprintf(path, sizeof path, "%.640s/%.255s", folder, entries[i]->d_name);
            rc = file_read(offers, path);
        }
        free(entries[i]);
    }
    free(entries);
    return rc == OK && offers->count == 0 ? ERR_GONE : rc;
}

/* ASCII signs become blanks, for they mean something in the query language. */
static char plain(char from)
{
    unsigned char byte = (unsigned char)from;

    if (byte >= 0x80) {
        return from;
    }
    return isalnum(byte) ? (char)tolower(byte) : ' ';
}

/* Returns: how many words there are in @clean, at most WORDS_SEEN_MAX, which @words point to.
 */
static size_t words_cut(const char *text, char clean[QUERY_BYTES_MAX],
                        struct slice words[WORDS_SEEN_MAX])
{
    struct slice rest, head;
    size_t count = 0;

    snprintf(clean, QUERY_BYTES_MAX, "%s", text);
    for (char *at = clean; *at != '\0'; at++) {
        *at = plain(*at);
    }
    rest = slice_from_text(clean);
    while (rest.len > 0 && count < WORDS_SEEN_MAX) {
        slice_cut(rest, ' ', &head, &rest);
        if (head.len > 0) {
            words[count++] = head;
        }
    }
    return count;
}

/* Up to three words from a random place. */
static struct slice words_draw(struct rng *rng, const char *text, char out[QUERY_BYTES_MAX])
{
    struct slice words[WORDS_SEEN_MAX];
    char clean[QUERY_BYTES_MAX];
    size_t count = words_cut(text, clean, words);
    size_t from = count == 0 ? 0 : (size_t)rng_below(rng, count);
    size_t wanted = (size_t)rng_between(rng, 1, WORDS_MAX);
    size_t len = 0;

    for (size_t i = from; i < count && i < from + wanted; i++) {
        int n = snprintf(out + len, QUERY_BYTES_MAX - len, "%s%.*s", len == 0 ? "" : " ",
                         (int)words[i].len, (const char *)words[i].data);
        len += n < 0 ? 0 : (size_t)n;
    }
    return slice_from(out, len < QUERY_BYTES_MAX ? len : QUERY_BYTES_MAX - 1);
}

static struct slice text_draw(struct rng *rng, const struct offer *offer,
                              char out[QUERY_BYTES_MAX])
{
    switch (rng_below(rng, 3)) {
    case 0:
        return slice_from_text(offer->code);
    case 1:
        if (offer->person != NULL) {
            return words_draw(rng, offer->person, out);
        }
        break;
    default:
        break;
    }
    return words_draw(rng, offer->title, out);
}

int bench_queries_draw(struct bench_queries *queries, const char *folder, uint64_t seed,
                       uint32_t count)
{
    struct offers offers = {.queries = queries};
    struct rng rng;
    char text[QUERY_BYTES_MAX];
    int rc = folder_read(&offers, folder);

    rng_init(&rng, seed);
    /* Half of the people search in their own institution only. */
    for (uint32_t drawn = 0, tries = 0; rc == OK && drawn < count && tries < 4 * count;
         tries++) {
        const struct offer *offer = &offers.at[rng_below(&rng, offers.count)];
        struct slice query = text_draw(&rng, offer, text);

        if (query.len == 0) {
            continue;
        }
        rc = query_add(
            queries, query,
            rng_below(&rng, 2) == 0 ? SLICE_NONE : slice_from_text(offer->institution), NULL);
        drawn++;
    }
    free(offers.at);
    return rc;
}
