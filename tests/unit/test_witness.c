/* The witness itself: histories written by hand, each with what is to be said of it. A file of
 * tests/histories begins with the catalogue of all its histories; "history NAME: KIND" begins
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/witness.h"

enum { FILE_BYTES = 1 << 18, GOOD_MIN = 50, BAD_MIN = 50, NAME_BYTES = 128 };

struct tally {
    uint32_t good;
    uint32_t bad;
    uint32_t wrong;
    uint32_t of_kind[WITNESS_KINDS];
};

static char file_text[FILE_BYTES];

static size_t file_read(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/tests/histories/%s", SOURCE_FOLDER, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(file_text, 1, sizeof file_text - 1, file);
    assert_true(len < sizeof file_text - 1);
    (void)fclose(file);
    file_text[len] = '\0';
    return len;
}

static void judge(struct tally *tally, const char *name, const char *kind, const char *history,
                  size_t len)
{
    struct witness_result result;

    witness_check(history, len, &result);
    tally->of_kind[result.kind]++;
    if (strcmp(kind, "good") == 0) {
        tally->good++;
    } else {
        tally->bad++;
    }
    if (strcmp(witness_kind_names[result.kind], kind) != 0) {
        print_error("%s: %s instead of %s (line %d: %s)\n", name,
                    witness_kind_names[result.kind], kind, result.line, result.text);
        tally->wrong++;
    }
}

/* One history of a file: its catalogue, then the lines up to the next one. */
static const char *judge_next(struct tally *tally, const char *catalogue, size_t catalogue_len,
                              const char *at)
{
    static char history[FILE_BYTES];
    char name[NAME_BYTES];
    char kind[16];
    const char *end = strstr(at + 1, "\nhistory ");

    end = end == NULL ? at + strlen(at) : end;
    assert_int_equal(sscanf(at, "\nhistory %127[^:]: %15s", name, kind), 2);
    const char *body = strchr(at + 1, '\n');
    size_t len = body == NULL || body > end ? 0 : (size_t)(end - body);
    memcpy(history, catalogue, catalogue_len);
    memcpy(history + catalogue_len, body, len);
    judge(tally, name, kind, history, catalogue_len + len);
    return end;
}

static void judge_file(struct tally *tally, const char *name)
{
    (void)file_read(name);
    const char *at = strstr(file_text, "\nhistory ");
    assert_non_null(at);
    size_t catalogue_len = (size_t)(at - file_text);

    while (*at != '\0') {
        at = judge_next(tally, file_text, catalogue_len, at);
    }
}

static void witness__histories_written_by_hand__are_told_apart(void **state)
{
    static const char *const files[] = {"order.txt",     "seats.txt",      "rules.txt",
                                        "waitlists.txt", "unanswered.txt", "shards.txt"};
    struct tally tally = {0};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        judge_file(&tally, files[i]);
    }
    print_message("%u good and %u bad histories, each bad one wrong in its own way\n",
                  tally.good, tally.bad);
    for (int i = 0; i < WITNESS_KINDS; i++) {
        print_message("%8u  %s\n", tally.of_kind[i], witness_kind_names[i]);
    }
    assert_int_equal(tally.wrong, 0);
    assert_true(tally.good >= GOOD_MIN);
    assert_true(tally.bad >= BAD_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness__histories_written_by_hand__are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
