#include "base/hash.h"
#include "enrol/prefetch.h"
#include "tests/lib/trial.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/checker.h"
#include "tests/lib/trial_private.h"

enum { MEMORY_BYTES = 256 << 20, COMPARE_EVERY = 40 };

static const uint8_t cluster_bytes[UUID_BYTES] = {1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10};

struct enrol *trial__enrol_create(void)
{
    struct enrol_config config = {.memory_bytes_max = MEMORY_BYTES, .group = 3};

    memcpy(config.cluster_id.bytes, cluster_bytes, UUID_BYTES);
    return enrol_create(&config);
}

bool trial__differ(struct trial *trial, const char *text)
{
    int status = buf_append_format(
        trial->why, "%sSEED=%llu op=%u index=%llu: %s\n", trial->why->len > 0 ? "\n" : "",
        (unsigned long long)trial->seed, trial->step, (unsigned long long)trial->index, text);

    ASSERT(status == OK);
    return false;
}

/* The same, with the request in words. */
static bool differ_at(struct trial *trial, const struct history_op *op, const char *text)
{
    trial__differ(trial, text);
    history_words(op, trial->why);
    return false;
}

/* A good guess, a bad one, or none: it must make no difference. */
static struct enrol_hint hint_of(const struct enrol *enrol, const struct trial_entry *entry)
{
    const struct campus *campus = enrol_campus(enrol);
    struct enrol_ahead ahead = {.method = CARILLON__METHOD__METHOD_SUBMIT,
                                .key = slice_from(entry->op.key, entry->op.key_len),
                                .body = buf_slice(&entry->op.body)};
    uint64_t draw = hash_u64(entry->index);

    if (draw % 4 == 0) {
        return ENROL_HINT_NONE;
    }
    if (draw % 4 == 1) {
        return (struct enrol_hint){(uint32_t)(draw >> 8) % (campus->students.count + 1),
                                   (uint32_t)(draw >> 40) % (campus->sections.count + 1)};
    }
    enrol_prefetch(enrol, &ahead, 1);
    return ahead.hint;
}

void trial__enrol_apply(struct enrol *enrol, const struct trial_entry *entry,
                        struct enrol_result *result)
{
    struct enrol_entry applied = {
        .index = entry->index,
        .term = entry->term,
        .wall_ms = entry->op.wall_ms,
        .method = entry->op.method,
        .key = slice_from(entry->op.key, entry->op.key_len),
        .body = buf_slice(&entry->op.body),
        .hint = hint_of(enrol, entry),
    };

    enrol_apply(enrol, &applied, result);
}

static struct trial_entry *entry_push(struct trial *trial, const struct history_op *op)
{
    struct trial_entry *entry;

    if (trial->entry_count == trial->entry_room) {
        trial->entry_room = trial->entry_room == 0 ? 1024 : trial->entry_room * 2;
        trial->entries = realloc(trial->entries, trial->entry_room * sizeof *trial->entries);
        ASSERT(trial->entries != NULL);
    }
    entry = &trial->entries[trial->entry_count++];
    history_op_init(&entry->op);
    history_op_copy(&entry->op, op);
    trial->term += rng_chance(&trial->rng, 10000);
    trial->index += 1 + (rng_chance(&trial->rng, 20000) ? rng_below(&trial->rng, 4) : 0);
    entry->index = trial->index;
    entry->term = trial->term;
    return entry;
}

static bool answer_compare(struct trial *trial, const struct history_op *op,
                           const struct model_result *expected)
{
    struct checker_answer actual = {
        .status = trial->result.status,
        .is_repeated = trial->result.is_repeated,
        .index = trial->result.index,
        .reply = buf_slice(&trial->result.reply),
    };
    struct buf why;
    bool is_equal;

    buf_init(&why, 1 << 20);
    is_equal = checker_answer(expected, op->method, &actual, &why);
    if (!is_equal) {
        differ_at(trial, op, buf_text(&why));
    }
    buf_fini(&why);
    return is_equal;
}

/* Print the entry in words. */
static void trace(const struct trial *trial, const struct history_op *op,
                  const struct model_result *expected)
{
    struct buf words;

    buf_init(&words, 1 << 20);
    history_words(op, &words);
    fprintf(stderr, "%llu %s -> %s%s\n", (unsigned long long)trial->index, buf_text(&words),
            error_name(expected->status), expected->is_repeated ? " again" : "");
    buf_fini(&words);
}

/* Apply the request to both and compare what they say. */
static bool entry_apply(struct trial *trial, const struct history_op *op,
                        struct model_result *ret_expected)
{
    struct trial_entry *entry = entry_push(trial, op);
    struct model_entry modelled = {
        .index = entry->index,
        .term = entry->term,
        .wall_ms = op->wall_ms,
        .method = op->method,
        .key = slice_from(op->key, op->key_len),
        .body = buf_slice(&op->body),
    };

    trial__enrol_apply(trial->enrol, entry, &trial->result);
    model_apply(&trial->model, &modelled, ret_expected);
    trial__count(trial, op, ret_expected);
    if (trial->is_traced) {
        trace(trial, op, ret_expected);
    }
    return answer_compare(trial, op, ret_expected) &&
           (trial__documents_follow(trial) || differ_at(trial, op, "by this entry")) &&
           (trial__notes_compare(trial) || differ_at(trial, op, "by this entry"));
}

static int admit(struct trial *trial, const struct history_op *op)
{
    buf_clear(&trial->text);
    if (op->method == 0) {
        return OK;
    }
    const struct enrol_entry entry = {
        .wall_ms = op->wall_ms,
        .method = op->method,
        .key = slice_from(op->key, op->key_len),
        .body = buf_slice(&op->body),
        .hint = ENROL_HINT_NONE,
    };

    return enrol_admit(trial->enrol, &entry, &trial->text);
}

/* What a request that fails at its entry with @status should have heard at admission, when
 * nothing came in between. */
static bool is_for_admission(uint32_t method, int status)
{
    bool is_import = method == CARILLON__METHOD__METHOD_IMPORT_CHUNK ||
                     method == CARILLON__METHOD__METHOD_IMPORT_COMMIT;

    return status == ERR_MALFORMED || status == ERR_METHOD || status == ERR_KEY_EXPIRED ||
           status == ERR_UNKNOWN_STUDENT || status == ERR_UNKNOWN_COURSE ||
           status == ERR_UNKNOWN_SECTION || status == ERR_AMBIGUOUS ||
           (status == ERR_ARGUMENT && !is_import);
}

/* Put one request through at once: admission, CHECK before a submit, entry. What admission
 * turns down is never proposed; as an entry it would end with the same error. */
static bool request_run(struct trial *trial, const struct history_op *op)
{
    struct trial_check check = {.is_asked = false};
    struct model_result expected;
    int admitted;
    bool is_same;

    if (!trial__check_ask(trial, op, &check)) {
        return differ_at(trial, op, "at CHECK");
    }
    admitted = admit(trial, op);
    if (admitted != OK) {
        trial->counters->marks[TRIAL_REFUSED_AT_ADMISSION]++;
        if (trial->text.len == 0) {
            return differ_at(trial, op, "admission failed without a word");
        }
        if (admitted == ERR_METHOD || (!check.is_asked && rng_chance(&trial->rng, 500000))) {
            return true;
        }
    }
    is_same = entry_apply(trial, op, &expected);
    if (is_same && admitted != OK && admitted != expected.status) {
        trial__differ(trial, error_name(admitted));
        return differ_at(trial, op, "at admission, and the entry ended otherwise");
    }
    if (is_same && admitted == OK && !expected.is_repeated &&
        is_for_admission(op->method, expected.status)) {
        trial__differ(trial, error_name(expected.status));
        return differ_at(trial, op, "was not seen at admission");
    }
    return is_same && (trial__check_compare(trial, &expected, &check) ||
                       differ_at(trial, op, "CHECK said otherwise right before"));
}

/* Apply what is admitted and waits, or forget some of it. */
static bool flight_land(struct trial *trial)
{
    struct model_result expected;
    bool is_same = true;

    for (unsigned i = 0; i < trial->flight_count && is_same; i++) {
        struct history_op *op = &trial->flight[i];

        if (op->method != 0 && rng_chance(&trial->rng, 50000)) {
            enrol_forget(trial->enrol, op->method, buf_slice(&op->body));
            trial->counters->marks[TRIAL_FORGOTTEN]++;
            continue;
        }
        is_same = entry_apply(trial, op, &expected);
        trial->counters->marks[TRIAL_IN_FLIGHT]++;
    }
    trial->flight_count = 0;
    trial->flight_target = rng_chance(&trial->rng, 300000)
                               ? (unsigned)rng_between(&trial->rng, 1, TRIAL_FLIGHT_MAX)
                               : 0;
    return is_same;
}

static bool step(struct trial *trial, struct history_op *op)
{
    history_next(&trial->history, &trial->model, op);
    if (trial->flight_target == 0) {
        bool is_same = request_run(trial, op);

        if (trial->history.is_built && rng_chance(&trial->rng, 100000)) {
            trial->flight_target = (unsigned)rng_between(&trial->rng, 2, TRIAL_FLIGHT_MAX);
        }
        return is_same;
    }
    if (admit(trial, op) == OK) {
        history_op_copy(&trial->flight[trial->flight_count++], op);
    }
    return trial->flight_count < trial->flight_target || flight_land(trial);
}

/* What is looked at now and then. */
static bool look(struct trial *trial)
{
    if (trial->step % COMPARE_EVERY == 0 && !trial__state_compare(trial)) {
        return false;
    }
    if (trial->step % (COMPARE_EVERY * 4) == 0 && !trial__verify(trial)) {
        return false;
    }
    return trial__snapshot_step(trial);
}

static void trial_init(struct trial *trial, uint64_t seed, struct trial_counters *counters,
                       struct buf *why)
{
    memset(trial, 0, sizeof *trial);
    trial->seed = seed;
    trial->counters = counters;
    trial->why = why;
    trial->is_traced = getenv("CARILLON_TRACE") != NULL;
    rng_init(&trial->rng, ~seed);
    history_init(&trial->history, seed);
    model_init(&trial->model, cluster_bytes, 3);
    trial->enrol = trial__enrol_create();
    enrol_result_init(&trial->result);
    buf_init(&trial->text, TRIAL_TEXT_BYTES);
    buf_init(&trial->reply, 4 << 20);
    buf_init(&trial->expected, 4 << 20);
    buf_init(&trial->snapshot, 64 << 20);
    for (unsigned i = 0; i < TRIAL_FLIGHT_MAX; i++) {
        history_op_init(&trial->flight[i]);
    }
}

static void trial_fini(struct trial *trial)
{
    for (unsigned i = 0; i < trial->entry_count; i++) {
        history_op_fini(&trial->entries[i].op);
    }
    for (unsigned i = 0; i < TRIAL_FLIGHT_MAX; i++) {
        history_op_fini(&trial->flight[i]);
    }
    free(trial->entries);
    free(trial->documents);
    buf_fini(&trial->snapshot);
    buf_fini(&trial->reply);
    buf_fini(&trial->expected);
    buf_fini(&trial->text);
    enrol_result_fini(&trial->result);
    enrol_destroy(trial->enrol);
    model_fini(&trial->model);
    history_fini(&trial->history);
}

bool trial_run(uint64_t seed, unsigned ops, struct trial_counters *counters, struct buf *why)
{
    static struct trial trial;
    struct history_op op;
    bool is_same = true;

    trial_init(&trial, seed, counters, why);
    history_op_init(&op);
    for (trial.step = 1; trial.step <= ops && is_same; trial.step++) {
        is_same = step(&trial, &op) && look(&trial);
    }
    is_same = is_same && flight_land(&trial) && trial__state_compare(&trial) &&
              trial__verify(&trial) && trial__replay(&trial);
    history_op_fini(&op);
    trial_fini(&trial);
    return is_same;
}
