/* One answer: "done ID STATUS [@PLACE] ...", its words from the status on. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/witness_private.h"

static const char *const statuses[] = {
    [WITNESS_UNKNOWN] = "unknown", [WITNESS_OK] = "ok",        [WITNESS_NO] = "no",
    [WITNESS_NEVER] = "never",     [WITNESS_FAILED] = "error",
};

static int table_find(const char *const *names, int count, const char *text, size_t len)
{
    for (int i = 0; i < count; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0) {
            return i;
        }
    }
    return WITNESS_NONE;
}

/* GROUP.TERM.INDEX, with CLUSTER/ before it. The first cluster named is the one. */
static bool parse_place(struct witness_history *history, const char *word,
                        struct witness_answer *answer)
{
    const char *slash = strchr(word, '/');
    unsigned long long term = 0;
    unsigned long long index = 0;
    unsigned group = 0;
    char rest = '\0';

    if (slash != NULL) {
        size_t len = (size_t)(slash - word);

        if (history->cluster[0] == '\0') {
            (void)snprintf(history->cluster, sizeof history->cluster, "%.*s", (int)len, word);
        }
        answer->is_of_another_cluster =
            strlen(history->cluster) != len || memcmp(history->cluster, word, len) != 0;
        word = slash + 1;
    }
    if (sscanf(word, "%u.%llu.%llu%c", &group, &term, &index, &rest) != 3 || index == 0 ||
        index >= WITNESS_HIDDEN_BASE) {
        return false;
    }
    answer->at = (struct witness_place_in_log){group, term, index};
    return true;
}

/* ---- items ---- */

static bool parse_change(const char *word, struct witness_item *item)
{
    size_t len = strcspn(word, ":");
    int change = table_find(witness__changes, WITNESS_CHANGES, word, len);
    uint64_t place = 0;

    if (change == WITNESS_NONE ||
        (word[len] == ':' && !witness__number(word + len + 1, 1000000, &place))) {
        return false;
    }
    *item = (struct witness_item){
        .kind = WITNESS_ITEM_CHANGE, .code = (uint32_t)change, .count = (uint32_t)place};
    return true;
}

static bool parse_refusal(const char *word, struct witness_item *item)
{
    size_t len = strcspn(word, ":");
    uint64_t op = 0;

    if (word[len] != ':') {
        return false;
    }
    const char *name = word + len + 1;
    int refusal = table_find(witness__refusals, WITNESS_REFUSALS, name, strlen(name));
    char number[8];

    (void)snprintf(number, sizeof number, "%.*s", (int)len, word);
    bool is_whole = strcmp(number, "*") == 0;
    if (refusal == WITNESS_NONE || (!is_whole && !witness__number(number, 1000, &op))) {
        return false;
    }
    *item = (struct witness_item){.kind = WITNESS_ITEM_REFUSAL,
                                  .who = is_whole ? WITNESS_NONE : (int)op,
                                  .code = (uint32_t)refusal};
    return true;
}

static bool parse_counter(const char *word, struct witness_item *item)
{
    size_t len = strcspn(word, ":");
    int number = table_find(witness__numbers, WITNESS_NUMBERS, word, len);
    uint64_t count = WITNESS_UNLIMITED;

    if (number == WITNESS_NONE || word[len] != ':' ||
        (strcmp(word + len + 1, "none") != 0 &&
         !witness__number(word + len + 1, 1000000, &count))) {
        return false;
    }
    *item = (struct witness_item){
        .kind = WITNESS_ITEM_NUMBER, .code = (uint32_t)number, .count = (uint32_t)count};
    return true;
}

/* none, found:ok:12, found:no:12. */
static bool parse_found(const char *word, struct witness_item *item)
{
    char status[8] = "";
    unsigned long long index = 0;
    char rest = '\0';

    if (strcmp(word, "none") == 0) {
        *item = (struct witness_item){.kind = WITNESS_ITEM_NOTHING};
        return true;
    }
    if (sscanf(word, "found:%2s:%llu%c", status, &index, &rest) != 2 ||
        (strcmp(status, "ok") != 0 && strcmp(status, "no") != 0)) {
        return false;
    }
    *item = (struct witness_item){.kind = WITNESS_ITEM_FOUND,
                                  .code = status[0] == 'o' ? WITNESS_OK : WITNESS_NO,
                                  .since = index};
    return true;
}

/* NAME@12, NAME@12!, ~NAME@12, ~NAME:2. A name that the catalogue does not have matches
 * nothing.
 */
static bool parse_member(const struct witness_names *names, const char *word,
                         struct witness_item *item)
{
    bool is_place = word[0] == '~';
    char name[WITNESS_NAME_BYTES];
    uint64_t number = 0;

    word += is_place;
    size_t len = strcspn(word, "@:");
    bool is_since = word[len] == '@';
    size_t end = strlen(word);
    bool is_over = end > 0 && word[end - 1] == '!';
    char digits[24];

    (void)snprintf(name, sizeof name, "%.*s", (int)len, word);
    (void)snprintf(digits, sizeof digits, "%.*s", (int)(end - len - 1 - is_over),
                   word + len + 1);
    if (word[len] == '\0' || !witness__number(digits, UINT64_MAX, &number)) {
        return false;
    }
    *item = (struct witness_item){.kind = is_place ? WITNESS_ITEM_PLACE : WITNESS_ITEM_SEAT,
                                  .who = witness__name_find(names, name),
                                  .count = is_since ? 0 : (uint32_t)number,
                                  .since = is_since ? number : 0,
                                  .is_over = is_over};
    return true;
}

static bool parse_item(const struct witness_history *history, const struct witness_call *call,
                       const char *word, struct witness_item *item)
{
    switch (call->verb) {
    case WITNESS_SUBMIT:
    case WITNESS_CHECK:
        return parse_change(word, item) || parse_refusal(word, item);
    case WITNESS_SCHEDULE:
        return parse_member(&history->sections, word, item);
    case WITNESS_ROSTER:
        return parse_counter(word, item) || parse_member(&history->students, word, item);
    case WITNESS_OUTCOME:
        return parse_found(word, item);
    case WITNESS_CAP:
    case WITNESS_BLOCK:
    case WITNESS_UNBLOCK:
    case WITNESS_PERMIT:
    case WITNESS_LIMITS:
    case WITNESS_WINDOW:
    case WITNESS_VERBS:
        break;
    }
    return parse_counter(word, item);
}

bool witness__parse_answer(struct witness_history *history, struct witness_call *call, int line,
                           char **words, int count)
{
    struct witness_answer *answer = &call->answer;
    int status =
        table_find(statuses, sizeof statuses / sizeof statuses[0], words[0], strlen(words[0]));
    int at = 1;

    *answer = (struct witness_answer){.line = line, .item_first = history->item_count};
    if (status == WITNESS_NONE) {
        return false;
    }
    answer->status = (enum witness_status)status;
    if (answer->status == WITNESS_FAILED) {
        answer->error = count == 2 ? witness__name_put(&history->words, words[1]) : 0;
        return count == 2;
    }
    if (at < count && words[at][0] == '@') {
        if (!parse_place(history, words[at] + 1, answer)) {
            return false;
        }
        at++;
    }
    for (; at < count; at++) {
        history->items = witness__grow(history->items, history->item_count, &history->item_room,
                                       sizeof *history->items);
        if (answer->item_count == WITNESS_ITEMS_MAX ||
            !parse_item(history, call, words[at], &history->items[history->item_count])) {
            return false;
        }
        history->item_count++;
        answer->item_count++;
    }
    return true;
}

/* ---- and back, for what is said of a difference ---- */

static void print_member(const struct witness_history *history, const struct witness_call *call,
                         const struct witness_item *item, char *out, size_t size)
{
    const struct witness_names *names =
        call->verb == WITNESS_SCHEDULE ? &history->sections : &history->students;
    const char *name = item->who == WITNESS_NONE ? "?" : names->text[item->who];
    const char *tilde = item->kind == WITNESS_ITEM_PLACE ? "~" : "";

    if (item->since >= WITNESS_HIDDEN_BASE) {
        (void)snprintf(out, size, " %s%s@?", tilde, name);
    } else if (item->since != 0) {
        (void)snprintf(out, size, " %s%s@%llu%s", tilde, name, (unsigned long long)item->since,
                       item->is_over ? "!" : "");
    } else {
        (void)snprintf(out, size, " %s%s:%u", tilde, name, item->count);
    }
}

static void print_item(const struct witness_history *history, const struct witness_call *call,
                       const struct witness_item *item, char *out, size_t size)
{
    switch (item->kind) {
    case WITNESS_ITEM_CHANGE:
        if (item->count != 0) {
            (void)snprintf(out, size, " %s:%u", witness__changes[item->code], item->count);
        } else {
            (void)snprintf(out, size, " %s", witness__changes[item->code]);
        }
        break;
    case WITNESS_ITEM_REFUSAL:
        if (item->who == WITNESS_NONE) {
            (void)snprintf(out, size, " *:%s", witness__refusals[item->code]);
        } else {
            (void)snprintf(out, size, " %d:%s", item->who, witness__refusals[item->code]);
        }
        break;
    case WITNESS_ITEM_NUMBER:
        if (item->count == WITNESS_UNLIMITED) {
            (void)snprintf(out, size, " %s:none", witness__numbers[item->code]);
        } else {
            (void)snprintf(out, size, " %s:%u", witness__numbers[item->code], item->count);
        }
        break;
    case WITNESS_ITEM_NOTHING:
        (void)snprintf(out, size, " none");
        break;
    case WITNESS_ITEM_FOUND:
        (void)snprintf(out, size, " found:%s:%llu", statuses[item->code],
                       (unsigned long long)item->since);
        break;
    case WITNESS_ITEM_SEAT:
    case WITNESS_ITEM_PLACE:
        print_member(history, call, item, out, size);
        break;
    }
}

void witness__items_print(const struct witness_history *history,
                          const struct witness_call *call, const struct witness_item *items,
                          int count, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < count && len + 1 < size; i++) {
        print_item(history, call, &items[i], out + len, size - len);
        len += strlen(out + len);
    }
}
