/* Random good histories with one thing changed, each change one that no correct cluster could
 * explain: every request of the history is answered, so every answer and every read follows
 * from the ones before it. The witness must not believe any of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/lib/witness.h"
#include "tests/lib/witness_draw.h"

enum { SEEDS = 60, REQUESTS = 100, LINES_MAX = 4096, LINE_BYTES = 4096, TRIES = 400 };

/* A history, line by line. */
struct sheet {
    struct rng rng;
    int count;
    char *lines[LINES_MAX];
};

/* What is between "@" and the items of an answer. */
struct place {
    char cluster[32];
    unsigned group;
    unsigned long long term;
    unsigned long long index;
};

/* ---- lines ---- */

static void sheet_fill(struct sheet *sheet, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        assert_true(sheet->count < LINES_MAX);
        sheet->lines[sheet->count++] = strndup(text, len);
        text += len + (text[len] == '\n');
    }
}

static void sheet_empty(struct sheet *sheet)
{
    for (int i = 0; i < sheet->count; i++) {
        free(sheet->lines[i]);
    }
    sheet->count = 0;
}

static char *sheet_text(const struct sheet *sheet, size_t *ret_len)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_len);

    assert_non_null(file);
    for (int i = 0; i < sheet->count; i++) {
        (void)fprintf(file, "%s\n", sheet->lines[i]);
    }
    (void)fclose(file);
    return text;
}

static void line_set(struct sheet *sheet, int at, const char *line)
{
    char *copy = strdup(line);

    free(sheet->lines[at]);
    sheet->lines[at] = copy;
}

static void line_remove(struct sheet *sheet, int at)
{
    free(sheet->lines[at]);
    sheet->count--;
    memmove(&sheet->lines[at], &sheet->lines[at + 1],
            (size_t)(sheet->count - at) * sizeof(char *));
}

static bool starts(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

static unsigned id_of(const char *line)
{
    return (unsigned)strtoul(line + 5, NULL, 10);
}

/* The call of an answer, or the answer of a call; -1 when there is none. */
static int partner(const struct sheet *sheet, int at)
{
    const char *with = starts(sheet->lines[at], "call ") ? "done " : "call ";

    for (int i = 0; i < sheet->count; i++) {
        if (starts(sheet->lines[i], with) &&
            id_of(sheet->lines[i]) == id_of(sheet->lines[at])) {
            return i;
        }
    }
    return -1;
}

/* Whether line @at is an answer with @status to a request with @verb. */
static bool is_answer(const struct sheet *sheet, int at, const char *verb, const char *status)
{
    char wanted[32];
    char has[32] = "";
    char found[32] = "";

    (void)snprintf(wanted, sizeof wanted, "%s", status);
    if (!starts(sheet->lines[at], "done ") ||
        sscanf(sheet->lines[at], "done %*u %31s", found) != 1 || strcmp(found, wanted) != 0) {
        return false;
    }
    (void)sscanf(sheet->lines[partner(sheet, at)], "call %*u %*s %31s", has);
    return strcmp(has, verb) == 0;
}

/* A random answer with @status to @verb. */
static int answer_pick(struct sheet *sheet, const char *verb, const char *status)
{
    for (int i = 0; i < TRIES; i++) {
        int at = (int)rng_below(&sheet->rng, (uint64_t)sheet->count);

        if (is_answer(sheet, at, verb, status)) {
            return at;
        }
    }
    return -1;
}

static bool place_get(const char *line, struct place *ret_place)
{
    const char *at = strstr(line, " @");

    return starts(line, "done ") && at != NULL &&
           sscanf(at, " @%31[^/]/%u.%llu.%llu", ret_place->cluster, &ret_place->group,
                  &ret_place->term, &ret_place->index) == 4;
}

static void place_set(struct sheet *sheet, int at, const struct place *place)
{
    char made[LINE_BYTES];
    const char *line = sheet->lines[at];
    const char *begin = strstr(line, " @");
    const char *end = begin + 2 + strcspn(begin + 2, " ");

    (void)snprintf(made, sizeof made, "%.*s @%s/%u.%llu.%llu%s", (int)(begin - line), line,
                   place->cluster, place->group, place->term, place->index, end);
    line_set(sheet, at, made);
}

/* Put @with where the first @what stands in the line. Returns: whether it does. */
static bool replace(struct sheet *sheet, int at, const char *what, const char *with)
{
    char made[LINE_BYTES];
    const char *line = sheet->lines[at];
    const char *found = strstr(line, what);

    if (found == NULL) {
        return false;
    }
    (void)snprintf(made, sizeof made, "%.*s%s%s", (int)(found - line), line, with,
                   found + strlen(what));
    line_set(sheet, at, made);
    return true;
}

/* The words behind the place: "found" the @n-th as a slice of the line. */
static bool item_at(const char *line, int n, char *out, size_t size)
{
    const char *at = strstr(line, " @");

    at = at == NULL ? NULL : strchr(at + 2, ' ');
    for (int i = 0; at != NULL && i < n; i++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return false;
    }
    (void)snprintf(out, size, " %.*s", (int)strcspn(at + 1, " "), at + 1);
    return true;
}

static int item_count(const char *line)
{
    char item[128];
    int count = 0;

    while (item_at(line, count, item, sizeof item)) {
        count++;
    }
    return count;
}

static void append(struct sheet *sheet, int at, const char *words)
{
    char made[LINE_BYTES];

    (void)snprintf(made, sizeof made, "%s%s", sheet->lines[at], words);
    line_set(sheet, at, made);
}

/* ---- places ---- */

static bool mutate_two_in_one_place(struct sheet *sheet)
{
    int one = answer_pick(sheet, "submit", "ok");
    int other = answer_pick(sheet, "submit", "no");
    struct place place;

    if (one < 0 || other < 0 || !place_get(sheet->lines[one], &place)) {
        return false;
    }
    place_set(sheet, other, &place);
    return true;
}

/* Two that followed one another change places. */
static bool mutate_order(struct sheet *sheet)
{
    for (int i = 0; i < TRIES; i++) {
        int one = answer_pick(sheet, "submit", "ok");
        int other = answer_pick(sheet, "submit", i % 2 == 0 ? "ok" : "no");
        struct place first;
        struct place second;

        if (one >= 0 && other >= 0 && partner(sheet, other) > one &&
            place_get(sheet->lines[one], &first) && place_get(sheet->lines[other], &second) &&
            first.index < second.index) { /* else one of them was asked again */
            place_set(sheet, one, &second);
            place_set(sheet, other, &first);
            return true;
        }
    }
    return false;
}

static bool mutate_term_of(struct sheet *sheet, const char *verb)
{
    int at = answer_pick(sheet, verb, "ok");
    struct place place;
    struct place last;
    bool is_later = false;

    if (at < 0 || !place_get(sheet->lines[at], &place)) {
        return false;
    }
    for (int i = 0; i < sheet->count; i++) {
        is_later |= place_get(sheet->lines[i], &last) && last.index > place.index;
    }
    place.term = 9999;
    place_set(sheet, at, &place);
    return is_later;
}

static bool mutate_term(struct sheet *sheet)
{
    return mutate_term_of(sheet, "submit");
}

static bool mutate_term_of_read(struct sheet *sheet)
{
    return mutate_term_of(sheet, "roster");
}

static bool mutate_cluster(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");
    struct place place;

    if (at < 0 || !place_get(sheet->lines[at], &place)) {
        return false;
    }
    (void)snprintf(place.cluster, sizeof place.cluster, "ffffffffffff");
    place_set(sheet, at, &place);
    return true;
}

/* A read that takes no notice of what was known when it was asked. */
static bool mutate_stale(struct sheet *sheet)
{
    int at = answer_pick(sheet, "schedule", "ok");
    struct place place;
    struct place known = {.index = 0};
    struct place seen;

    if (at < 0 || !place_get(sheet->lines[at], &place)) {
        return false;
    }
    for (int i = 0; i < partner(sheet, at); i++) {
        if (place_get(sheet->lines[i], &seen) && seen.index > known.index) {
            known = seen;
        }
    }
    if (known.index < 2) {
        return false;
    }
    place.index = 1 + rng_below(&sheet->rng, known.index - 1);
    place.term = 1;
    place_set(sheet, at, &place);
    return true;
}

static bool mutate_no_place(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");
    char made[LINE_BYTES];

    if (at < 0) {
        return false;
    }
    const char *place = strstr(sheet->lines[at], " @");
    (void)snprintf(made, sizeof made, "%.*s%s", (int)(place - sheet->lines[at]),
                   sheet->lines[at], place + 1 + strcspn(place + 1, " "));
    line_set(sheet, at, made);
    return true;
}

/* ---- keys ---- */

/* The request of the answer @at, asked once more and answered with @answer. */
static void ask_again(struct sheet *sheet, int at, const char *answer)
{
    char made[LINE_BYTES];
    const char *call = sheet->lines[partner(sheet, at)];

    (void)snprintf(made, sizeof made, "call 999999 %s", strchr(call + 5, ' ') + 1);
    sheet->lines[sheet->count++] = strdup(made);
    (void)snprintf(made, sizeof made, "done 999999 %s", answer);
    sheet->lines[sheet->count++] = strdup(made);
}

static bool mutate_performed_again(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");
    struct place place;
    char answer[LINE_BYTES];

    if (at < 0 || !place_get(sheet->lines[at], &place)) {
        return false;
    }
    (void)snprintf(answer, sizeof answer, "no @%s/%u.9999.%llu 0:ALREADY_REGISTERED",
                   place.cluster, place.group, place.index + 100000);
    ask_again(sheet, at, answer);
    return true;
}

static bool mutate_another_receipt(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");
    struct place place;
    char answer[LINE_BYTES];

    if (at < 0 || !place_get(sheet->lines[at], &place)) {
        return false;
    }
    const char *items = strchr(strstr(sheet->lines[at], " @") + 2, ' ');
    (void)snprintf(answer, sizeof answer, "ok @%s/%u.9999.%llu%s", place.cluster, place.group,
                   place.index + 100000, items);
    ask_again(sheet, at, answer);
    return true;
}

static bool mutate_outcome_forgotten(struct sheet *sheet)
{
    int at = answer_pick(sheet, "outcome", "ok");
    char item[64];

    return at >= 0 && item_at(sheet->lines[at], 0, item, sizeof item) &&
           starts(item, " found:") && replace(sheet, at, item, " none");
}

static bool mutate_outcome_changed(struct sheet *sheet)
{
    int at = answer_pick(sheet, "outcome", "ok");

    return at >= 0 && (replace(sheet, at, "found:ok", "found:no") ||
                       replace(sheet, at, "found:no", "found:ok"));
}

/* ---- answers ---- */

static bool mutate_refused(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");
    char made[LINE_BYTES];
    const char *place;

    if (at < 0) {
        return false;
    }
    place = strstr(sheet->lines[at], " @");
    (void)snprintf(made, sizeof made, "done %u no %.*s 0:SEAT_UNAVAILABLE",
                   id_of(sheet->lines[at]), (int)strcspn(place + 1, " "), place + 1);
    line_set(sheet, at, made);
    return true;
}

static bool mutate_accepted(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "no");
    char made[LINE_BYTES];
    int count = 0;

    if (at < 0) {
        return false;
    }
    const char *place = strstr(sheet->lines[at], " @");
    const char *call = sheet->lines[partner(sheet, at)];
    (void)snprintf(made, sizeof made, "done %u ok %.*s", id_of(sheet->lines[at]),
                   (int)strcspn(place + 1, " "), place + 1);
    for (const char *op = strstr(call, " s"); op != NULL; op = strpbrk(op + 1, "+-")) {
        if (*op != ' ') {
            (void)strncat(made, *op == '+' ? " registered" : " dropped",
                          sizeof made - strlen(made) - 1);
            count++;
        }
    }
    line_set(sheet, at, made);
    return count > 0;
}

static bool mutate_reason_left_out(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "no");
    char item[128];

    return at >= 0 && item_count(sheet->lines[at]) > 1 &&
           item_at(sheet->lines[at], 0, item, sizeof item) && replace(sheet, at, item, "");
}

static bool mutate_reason_added(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "no");

    if (at >= 0) {
        append(sheet, at, " *:BLOCKED"); /* blocks are told first */
    }
    return at >= 0;
}

static bool mutate_change(struct sheet *sheet)
{
    int at = answer_pick(sheet, "submit", "ok");

    return at >= 0 && (replace(sheet, at, " dropped", " left") ||
                       replace(sheet, at, " left", " dropped") ||
                       replace(sheet, at, " registered", " waitlisted:1"));
}

static bool mutate_line_number(struct sheet *sheet)
{
    for (int i = 0; i < TRIES; i++) {
        int at = answer_pick(sheet, "submit", "ok");

        if (at >= 0 && (replace(sheet, at, "waitlisted:1", "waitlisted:2") ||
                        replace(sheet, at, "waitlisted:2", "waitlisted:1"))) {
            return true;
        }
    }
    return false;
}

static bool mutate_promotions_counted(struct sheet *sheet)
{
    int at = answer_pick(sheet, "cap", "ok");

    return at >= 0 && (replace(sheet, at, "promoted:0", "promoted:1") ||
                       replace(sheet, at, "promoted:1", "promoted:0"));
}

/* ---- what is lost: seats of the last reads, by the entry that gave them */

/* An accepted submit that the last reads still show. */
static int visible_pick(struct sheet *sheet)
{
    for (int i = 0; i < TRIES; i++) {
        int at = answer_pick(sheet, "submit", "ok");
        struct place place;
        char since[32];

        if (at < 0 || !place_get(sheet->lines[at], &place)) {
            return -1;
        }
        (void)snprintf(since, sizeof since, "#1@%llu", place.index);
        for (int k = at + 1; k < sheet->count; k++) {
            const char *found = strstr(sheet->lines[k], since);

            if (found != NULL && strspn(found + strlen(since), "0123456789") == 0) {
                return at;
            }
        }
    }
    return -1;
}

static bool mutate_entry_that_nobody_asked_for(struct sheet *sheet)
{
    int at = visible_pick(sheet);

    if (at < 0) {
        return false;
    }
    char key[64] = "";
    int call = partner(sheet, at);

    assert_int_equal(sscanf(sheet->lines[call], "call %*u %63s", key), 1);
    for (int i = sheet->count - 1; i >= 0; i--) { /* all its repetitions as well */
        if (starts(sheet->lines[i], "call ") && strstr(sheet->lines[i], key) != NULL) {
            int answer = partner(sheet, i);

            if (answer >= 0) {
                line_remove(sheet, answer);
            }
            line_remove(sheet, i);
        }
    }
    return true;
}

static bool mutate_definite_no(struct sheet *sheet)
{
    int at = visible_pick(sheet);
    char made[LINE_BYTES];

    if (at < 0) {
        return false;
    }
    (void)snprintf(made, sizeof made, "done %u never", id_of(sheet->lines[at]));
    line_set(sheet, at, made);
    const char *call = sheet->lines[partner(sheet, at)];
    char key[64] = "";
    int uses = 0;

    assert_int_equal(sscanf(call, "call %*u %63s", key), 1);
    for (int i = 0; i < sheet->count; i++) {
        uses += strstr(sheet->lines[i], key) != NULL;
    }
    return uses == 1;
}

/* ---- reads ---- */

static bool item_remove(struct sheet *sheet, const char *verb, const char *mark)
{
    for (int n = 0; n < TRIES; n++) {
        int at = answer_pick(sheet, verb, "ok");
        char item[128];

        for (int i = 0; at >= 0 && item_at(sheet->lines[at], i, item, sizeof item); i++) {
            if (strstr(item, mark) != NULL) {
                return replace(sheet, at, item, "");
            }
        }
    }
    return false;
}

static bool mutate_schedule_lacks(struct sheet *sheet)
{
    return item_remove(sheet, "schedule", "@");
}

static bool mutate_schedule_lacks_place(struct sheet *sheet)
{
    return item_remove(sheet, "schedule", "~");
}

static bool mutate_roster_lacks(struct sheet *sheet)
{
    return item_remove(sheet, "roster", "@");
}

static bool mutate_roster_adds(struct sheet *sheet)
{
    int at = answer_pick(sheet, "roster", "ok");

    if (at < 0) {
        return false;
    }
    append(sheet, at, strchr(sheet->lines[at], '~') == NULL ? " s0@3" : " ~s0@3");
    return true;
}

static bool mutate_since(struct sheet *sheet)
{
    int at = answer_pick(sheet, "schedule", "ok");
    char item[128];
    char other[160];

    for (int i = 0; at >= 0 && item_at(sheet->lines[at], i, item, sizeof item); i++) {
        char *since = strchr(item, '@');

        if (since != NULL) {
            (void)snprintf(other, sizeof other, "%.*s@%llu", (int)(since - item), item,
                           strtoull(since + 1, NULL, 10) + 1);
            return replace(sheet, at, item, other);
        }
    }
    return false;
}

static bool mutate_counts(struct sheet *sheet)
{
    int at = answer_pick(sheet, "roster", "ok");

    return at >= 0 && (replace(sheet, at, "enrolled:0", "enrolled:1") ||
                       replace(sheet, at, "waiting:0", "waiting:1"));
}

static bool mutate_capacity(struct sheet *sheet)
{
    int at = answer_pick(sheet, "roster", "ok");

    return at >= 0 && (replace(sheet, at, "capacity:2", "capacity:7") ||
                       replace(sheet, at, "capacity:none", "capacity:0"));
}

static bool mutate_over_capacity(struct sheet *sheet)
{
    int at = answer_pick(sheet, "roster", "ok");
    char item[128];
    char other[160];

    for (int i = 3; at >= 0 && item_at(sheet->lines[at], i, item, sizeof item); i++) {
        if (strchr(item, '~') == NULL) {
            bool is_over = strchr(item, '!') != NULL;

            (void)snprintf(other, sizeof other, "%.*s%s", (int)strcspn(item, "!"), item,
                           is_over ? "" : "!");
            return replace(sheet, at, item, other);
        }
    }
    return false;
}

/* The last two of a roster, or of its line, the other way round. */
static bool mutate_roster_order(struct sheet *sheet)
{
    int at = -1;
    int count = 0;
    char one[128];
    char other[128];
    char both[300];
    char turned[300];

    for (int i = 0; i < TRIES && count < 5; i++) {
        at = answer_pick(sheet, "roster", "ok");
        count = at < 0 ? 0 : item_count(sheet->lines[at]);
    }
    if (count < 5) {
        return false;
    }
    (void)item_at(sheet->lines[at], count - 2, one, sizeof one);
    (void)item_at(sheet->lines[at], count - 1, other, sizeof other);
    (void)snprintf(both, sizeof both, "%s%s", one, other);
    (void)snprintf(turned, sizeof turned, "%s%s", other, one);
    return (strchr(one, '~') == NULL) == (strchr(other, '~') == NULL) &&
           replace(sheet, at, both, turned);
}

/* ---- the table ---- */

struct mutation {
    const char *name;
    bool (*mutate)(struct sheet *sheet);
};

static const struct mutation mutations[] = {
    {"two in one place",                    mutate_two_in_one_place           },
    {"order",                               mutate_order                      },
    {"term",                                mutate_term                       },
    {"term of a read",                      mutate_term_of_read               },
    {"cluster",                             mutate_cluster                    },
    {"stale read",                          mutate_stale                      },
    {"no place",                            mutate_no_place                   },
    {"performed again",                     mutate_performed_again            },
    {"another receipt",                     mutate_another_receipt            },
    {"outcome forgotten",                   mutate_outcome_forgotten          },
    {"outcome changed",                     mutate_outcome_changed            },
    {"refused without reason",              mutate_refused                    },
    {"accepted against a rule",             mutate_accepted                   },
    {"a reason left out",                   mutate_reason_left_out            },
    {"a reason added",                      mutate_reason_added               },
    {"another change",                      mutate_change                     },
    {"another number in line",              mutate_line_number                },
    {"promotions counted wrong",            mutate_promotions_counted         },
    {"an entry that nobody asked for",      mutate_entry_that_nobody_asked_for},
    {"a definite no that happened",         mutate_definite_no                },
    {"a registration gone from a schedule", mutate_schedule_lacks             },
    {"a place gone from a schedule",        mutate_schedule_lacks_place       },
    {"somebody gone from a roster",         mutate_roster_lacks               },
    {"somebody more in a roster",           mutate_roster_adds                },
    {"since another entry",                 mutate_since                      },
    {"counts of a roster",                  mutate_counts                     },
    {"capacity of a roster",                mutate_capacity                   },
    {"mark of a permit",                    mutate_over_capacity              },
    {"order of a roster",                   mutate_roster_order               },
};

enum { MUTATIONS = sizeof mutations / sizeof mutations[0], EACH_MIN = 10 };

struct count {
    uint64_t made[MUTATIONS];
    uint64_t believed;
    uint64_t of_kind[WITNESS_KINDS];
};

static void try_mutation(struct count *count, uint64_t seed, int number, const char *text)
{
    static struct sheet sheet;
    struct witness_result result;
    size_t len = 0;

    sheet_fill(&sheet, text);
    rng_init(&sheet.rng, seed * MUTATIONS + (uint64_t)number);
    if (mutations[number].mutate(&sheet)) {
        char *mutated = sheet_text(&sheet, &len);

        witness_check(mutated, len, &result);
        count->made[number]++;
        count->of_kind[result.kind]++;
        if (result.kind == WITNESS_GOOD || result.kind == WITNESS_UNDECIDED) {
            count->believed++;
            print_error("SEED=%llu: %s is %s\n", (unsigned long long)seed,
                        mutations[number].name, witness_kind_names[result.kind]);
        }
        free(mutated);
    }
    sheet_empty(&sheet);
}

static void witness__any_change__is_not_believed(void **state)
{
    const struct witness_draw_options options = {.requests = REQUESTS};
    struct count count = {0};
    uint64_t all = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct witness_record record;

        witness_record_init(&record);
        witness_draw(seed + 1000000, &options, &record);
        for (int i = 0; i < MUTATIONS; i++) {
            try_mutation(&count, seed, i, record.text);
        }
        witness_record_fini(&record);
    }
    for (int i = 0; i < MUTATIONS; i++) {
        print_message("%8llu  %s\n", (unsigned long long)count.made[i], mutations[i].name);
        all += count.made[i];
        assert_true(count.made[i] >= EACH_MIN);
    }
    print_message("%llu changed histories, %llu believed\n", (unsigned long long)all,
                  (unsigned long long)count.believed);
    assert_int_equal(count.of_kind[WITNESS_FORMAT], 0);
    assert_int_equal(count.believed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness__any_change__is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
