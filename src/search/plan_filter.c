#include "search/plan.h"

enum {
    LEVEL_MAX = 5,
    CREDIT_DECIMALS = 100,
    NUMBER_MAX = 1000000000,
};

static char lower(uint8_t byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
}

static bool is_text(struct slice s, const char *text)
{
    size_t len = strlen(text);
    if (s.len != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lower(s.data[i]) != text[i]) {
            return false;
        }
    }
    return true;
}

/* A number in units of 1 / @scale ("3", "1.5" with scale 100). */
static bool number_of(struct slice s, uint32_t scale, uint32_t *ret_value)
{
    uint64_t value = 0;
    uint32_t left = 0; /* the next decimal's unit, once a dot was seen */
    if (s.len == 0 || s.len > 12) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.data[i];
        if (byte == '.' && left == 0 && scale > 1 && i > 0) {
            value *= scale;
            left = scale;
            continue;
        }
        if (byte < '0' || byte > '9' || left == 1) {
            return false;
        }
        if (left > 0) {
            left /= 10;
            value += (uint64_t)(byte - '0') * left;
        } else {
            value = value * 10 + (uint64_t)(byte - '0');
        }
    }
    value *= left == 0 ? scale : 1;
    if (value > NUMBER_MAX) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* "3", "3..5", "3..", "..5", ">=3", ">3", "<=3", "<3", "=3": inclusive bounds in units of 1 /
 * @scale. */
static bool range_of(struct slice s, uint32_t scale, uint32_t *ret_low, uint32_t *ret_high)
{
    *ret_low = 0;
    *ret_high = UINT32_MAX;
    uint32_t bound = 0;
    if (s.len > 0 && (s.data[0] == '>' || s.data[0] == '<' || s.data[0] == '=')) {
        bool is_equal = s.data[0] == '=' || (s.len > 1 && s.data[1] == '=');
        size_t skip = s.data[0] != '=' && is_equal ? 2 : 1;
        if (!number_of(slice_sub(s, skip, s.len), scale, &bound)) {
            return false;
        }
        if (s.data[0] == '=') {
            *ret_low = bound;
            *ret_high = bound;
        } else if (s.data[0] == '>') {
            *ret_low = is_equal ? bound : bound + 1;
        } else if (is_equal || bound > 0) {
            *ret_high = is_equal ? bound : bound - 1;
        } else {
            return false;
        }
        return true;
    }
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.data[i] == '.' && s.data[i + 1] == '.') {
            struct slice head = slice_sub(s, 0, i);
            struct slice tail = slice_sub(s, i + 2, s.len);
            bool is_good = (head.len == 0 || number_of(head, scale, ret_low)) &&
                           (tail.len == 0 || number_of(tail, scale, ret_high));
            return is_good && head.len + tail.len > 0 && *ret_low <= *ret_high;
        }
    }
    if (!number_of(s, scale, &bound)) {
        return false;
    }
    *ret_low = bound;
    *ret_high = bound;
    return true;
}

static bool days_of(struct slice s, uint32_t *ret_mask)
{
    static const char letters[] = "mtwrfsu";
    uint32_t mask = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *found = strchr(letters, lower(s.data[i]));
        if (found == NULL || s.data[i] == '\0') {
            return false;
        }
        mask |= 1U << (found - letters);
    }
    *ret_mask = mask;
    return mask != 0;
}

/* "A,B,C" into keys of the plan. A single * stands for anything. */
static int list_of(struct search_plan *plan, struct slice value, struct leaf *leaf,
                   struct search_error *error)
{
    leaf->first = (uint8_t)plan->values_count;
    leaf->any = value.len == 1 && value.data[0] == '*';
    if (leaf->any) {
        return OK;
    }
    bool is_more = true;
    while (is_more) {
        struct slice item;
        is_more = slice_cut(value, ',', &item, &value);
        item = slice_trim(item);
        if (item.len == 0 && !is_more && leaf->count > 0) {
            break;
        }
        if (plan->values_count == PLAN_VALUES_MAX) {
            return plan_error(error, leaf->at, "too many values in the query's lists");
        }
        bool is_name = leaf->kind == LEAF_AT || leaf->kind == LEAF_TERM;
        struct code_key *key = &plan->values[plan->values_count];
        if (!(is_name ? code_name_of(item, key) : code_key_of(item, key))) {
            return plan_error(error, leaf->at, "a value in the list is empty");
        }
        plan->values_count++;
        leaf->count++;
    }
    return OK;
}

static int predicate_of(struct slice value, bool is_open, struct leaf *leaf,
                        struct search_error *error)
{
    if (!is_open) {
        if (is_text(value, "me")) {
            return OK;
        }
        return plan_error(error, leaf->at, "the value of this filter can only be me");
    }
    if (is_text(value, "true") || is_text(value, "yes")) {
        return OK;
    }
    if (is_text(value, "false") || is_text(value, "no")) {
        leaf->any = true; /* turned round by the parser */
        return OK;
    }
    return plan_error(error, leaf->at, "open: is true or false");
}

/* Levels are 1 to 5; anything beyond can only mean course numbers. */
static int level_of(struct slice value, struct leaf *leaf, struct search_error *error)
{
    if (!range_of(value, 1, &leaf->low, &leaf->high)) {
        return plan_error(error, leaf->at,
                          "level: wants a number or a range such as 3, 1..2, 300..499 or >=3");
    }
    bool is_level =
        (leaf->high == UINT32_MAX || leaf->high <= LEVEL_MAX) && leaf->low <= LEVEL_MAX;
    leaf->kind = is_level ? LEAF_LEVEL : LEAF_NUMBER;
    return OK;
}

static int days_filter(struct slice value, struct leaf *leaf, struct search_error *error)
{
    static const char none[] = "has-none-of";
    leaf->kind = LEAF_DAYS_ONLY;
    if (value.len >= sizeof(none) - 1 && is_text(slice_sub(value, 0, sizeof(none) - 1), none)) {
        leaf->kind = LEAF_DAYS_NONE;
        value = slice_trim(slice_sub(value, sizeof(none) - 1, value.len));
    }
    if (!days_of(value, &leaf->low)) {
        return plan_error(error, leaf->at, "days: wants letters of MTWRFSU, as in days:MWF");
    }
    return OK;
}

int plan_filter(struct search_plan *plan, struct slice name, struct slice value,
                struct leaf *leaf, struct search_error *error)
{
    static const struct {
        const char *name;
        enum leaf_kind kind;
        uint8_t predicate;
    } filters[] = {
        {"subject",  LEAF_SUBJECT,   0                 },
        {"at",       LEAF_AT,        0                 },
        {"term",     LEAF_TERM,      0                 },
        {"code",     LEAF_CODE,      0                 },
        {"level",    LEAF_LEVEL,     0                 },
        {"credits",  LEAF_CREDITS,   0                 },
        {"days",     LEAF_DAYS_ONLY, 0                 },
        {"open",     LEAF_PREDICATE, SEARCH_IS_OPEN    },
        {"fits",     LEAF_PREDICATE, SEARCH_FITS_ME    },
        {"eligible", LEAF_PREDICATE, SEARCH_ELIGIBLE_ME},
    };
    size_t found = 0;
    while (found < sizeof(filters) / sizeof(filters[0]) &&
           !is_text(name, filters[found].name)) {
        found++;
    }
    if (found == sizeof(filters) / sizeof(filters[0])) {
        return ERR_GONE;
    }
    leaf->kind = filters[found].kind;
    leaf->predicate = filters[found].predicate;
    if (leaf->kind == LEAF_LEVEL) {
        return level_of(value, leaf, error);
    }
    if (leaf->kind == LEAF_CREDITS) {
        bool is_good = range_of(value, CREDIT_DECIMALS, &leaf->low, &leaf->high);
        return is_good
                   ? OK
                   : plan_error(error, leaf->at,
                                "credits: wants a number or a range such as 3, >=3 or 3..4.5");
    }
    if (leaf->kind == LEAF_DAYS_ONLY) {
        return days_filter(value, leaf, error);
    }
    if (leaf->kind == LEAF_PREDICATE) {
        return predicate_of(value, leaf->predicate == SEARCH_IS_OPEN, leaf, error);
    }
    if (leaf->kind == LEAF_CODE && value.len > 1 && value.data[value.len - 1] == '*') {
        leaf->is_prefix = true;
        value.len--;
    }
    return list_of(plan, value, leaf, error);
}
