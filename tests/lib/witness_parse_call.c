/* One request: "call ID KEY VERB ...", its words from the verb on. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/witness_private.h"

/* ---- names: one that the catalogue does not have is no error of the history ---- */

static void student_find(struct witness_history *history, struct witness_call *call,
                         const char *word)
{
    call->student = witness__name_find(&history->students, word);
    call->is_strange |= call->student == WITNESS_NONE;
}

static int section_find(struct witness_history *history, struct witness_call *call,
                        const char *word)
{
    int section = witness__name_find(&history->sections, word);

    call->is_strange |= section == WITNESS_NONE;
    return section;
}

/* ---- +C1#1, -C1#1, +C1#1~ and +C1#1~C2#1,C3#1 ---- */

static bool parse_drops(struct witness_history *history, struct witness_call *call,
                        struct witness_wish *wish, char *words)
{
    char *rest = NULL;

    for (char *word = strtok_r(words, ",", &rest); word != NULL;
         word = strtok_r(NULL, ",", &rest)) {
        if (wish->drop_count == WITNESS_DROPS_MAX) {
            return false;
        }
        wish->drops[wish->drop_count++] = (int16_t)section_find(history, call, word);
    }
    return true;
}

static bool parse_wish(struct witness_history *history, struct witness_call *call, char *word)
{
    char *tilde = strchr(word, '~');
    struct witness_wish *wish = &call->wishes[call->wish_count];

    if (call->wish_count == WITNESS_WISHES_MAX || (word[0] != '+' && word[0] != '-')) {
        return false;
    }
    call->wish_count++;
    *wish = (struct witness_wish){.is_drop = word[0] == '-', .is_wait = tilde != NULL};
    if (tilde != NULL) {
        *tilde = '\0';
        if (wish->is_drop || !parse_drops(history, call, wish, tilde + 1)) {
            return false;
        }
    }
    wish->section = section_find(history, call, word + 1);
    return true;
}

static bool parse_submit(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    if (count < 2) {
        return false;
    }
    student_find(history, call, words[0]);
    for (int i = 1; i < count; i++) {
        if (!parse_wish(history, call, words[i])) {
            return false;
        }
    }
    return true;
}

/* ---- the others ---- */

static bool parse_numbers(struct witness_call *call, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        uint64_t number = WITNESS_UNLIMITED;

        if (strcmp(words[i], "none") != 0 && !witness__number(words[i], 1000000, &number)) {
            return false;
        }
        call->numbers[i] = (uint32_t)number;
    }
    return true;
}

static bool parse_cap(struct witness_history *history, struct witness_call *call, char **words,
                      int count)
{
    call->section = section_find(history, call, words[0]);
    return count == 2 && parse_numbers(call, words + 1, 1);
}

static bool parse_block(struct witness_history *history, struct witness_call *call,
                        char **words, int count)
{
    student_find(history, call, words[0]);
    if (count == 2 && strcmp(words[1], "*") != 0) {
        call->word = witness__name_put(&history->words, words[1]);
    }
    return count == 2 && (call->word != WITNESS_NONE || call->verb == WITNESS_UNBLOCK);
}

static bool parse_permit(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    student_find(history, call, words[0]);
    if (count != 3) {
        return false;
    }
    call->section = section_find(history, call, words[1]);
    return parse_numbers(call, words + 2, 1) && call->numbers[0] <= 7;
}

static bool parse_limits(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    (void)history;
    return count == 3 && parse_numbers(call, words, 3);
}

static bool parse_window(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    static const char *const names[] = {
        [WITNESS_OPEN] = "open", [WITNESS_BEFORE] = "before", [WITNESS_CLOSED] = "closed"};

    (void)history;
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(words[0], names[i]) == 0 && count == 2) {
            bool is_number = parse_numbers(call, words + 1, 1);

            call->numbers[1] = call->numbers[0];
            call->numbers[0] = i;
            return is_number;
        }
    }
    return false;
}

static bool parse_schedule(struct witness_history *history, struct witness_call *call,
                           char **words, int count)
{
    student_find(history, call, words[0]);
    return count == 1;
}

static bool parse_roster(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    call->section = section_find(history, call, words[0]);
    return count == 1;
}

static bool parse_outcome(struct witness_history *history, struct witness_call *call,
                          char **words, int count)
{
    student_find(history, call, words[0]);
    if (count == 2) {
        call->word = witness__name_put(&history->keys, words[1]);
    }
    return count == 2;
}

bool witness__parse_call(struct witness_history *history, struct witness_call *call,
                         char **words, int count)
{
    static bool (*const parsers[WITNESS_VERBS])(struct witness_history * history,
                                                struct witness_call * call, char **words,
                                                int count) = {
        [WITNESS_SUBMIT] = parse_submit,     [WITNESS_CHECK] = parse_submit,
        [WITNESS_CAP] = parse_cap,           [WITNESS_BLOCK] = parse_block,
        [WITNESS_UNBLOCK] = parse_block,     [WITNESS_PERMIT] = parse_permit,
        [WITNESS_LIMITS] = parse_limits,     [WITNESS_WINDOW] = parse_window,
        [WITNESS_SCHEDULE] = parse_schedule, [WITNESS_ROSTER] = parse_roster,
        [WITNESS_OUTCOME] = parse_outcome,
    };

    for (int i = 0; i < WITNESS_VERBS && count > 1; i++) {
        if (strcmp(words[0], witness__verbs[i]) == 0) {
            call->verb = (enum witness_verb)i;
            return parsers[i](history, call, words + 1, count - 1);
        }
    }
    return false;
}
