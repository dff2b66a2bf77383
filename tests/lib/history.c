#include "tests/lib/history.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/lib/history_private.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

static const uint64_t start_ms = 1780000000000;

int history__pick(struct history *history, int count)
{
    return (int)rng_below(&history->rng, (uint64_t)count);
}

bool history__chance(struct history *history, uint32_t ppm)
{
    return rng_chance(&history->rng, ppm);
}

char *history__text(struct history *history, const char *format, ...)
{
    char *text = arena_alloc(&history->scratch, 512);
    va_list args;

    va_start(args, format);
    vsnprintf(text, 512, format, args);
    va_end(args);
    return text;
}

void *history__zero(struct history *history, size_t size)
{
    return arena_alloc_zero(&history->scratch, size);
}

char *history__institution(struct history *history, int institution)
{
    return history__text(history, "u%d", institution + 1);
}

char *history__term(struct history *history, int term)
{
    return history__text(history, "t%d", term + 1);
}

char *history__code(struct history *history, int code)
{
    return history__text(history, "C%d", code + 1);
}

char *history__token(struct history *history, int student)
{
    return history__text(history, "s%d", student + 1);
}

void history__key(struct history *history, struct history_op *op)
{
    uint8_t random[10];
    struct uuid uuid;

    rng_fill(&history->rng, random, sizeof random);
    uuid = uuid_make(history->wall_ms, random);
    op->key_len = UUID_BYTES;
    memcpy(op->key, uuid.bytes, UUID_BYTES);
}

void history__body(struct history_op *op, uint32_t method, const ProtobufCMessage *message)
{
    int status;

    op->method = method;
    buf_clear(&op->body);
    status = wire_pack(message, &op->body);
    ASSERT(status == OK);
}

void history_op_init(struct history_op *op)
{
    *op = (struct history_op){.method = 0};
    buf_init(&op->body, 1 << 20);
}

void history_op_fini(struct history_op *op)
{
    buf_fini(&op->body);
}

void history_op_copy(struct history_op *to, const struct history_op *from)
{
    int status;

    to->method = from->method;
    to->wall_ms = from->wall_ms;
    to->key_len = from->key_len;
    memcpy(to->key, from->key, sizeof to->key);
    buf_clear(&to->body);
    status = buf_append_slice(&to->body, buf_slice(&from->body));
    ASSERT(status == OK);
}

/* A rate that is off, low or high. */
static uint32_t odd_draw(struct history *history, uint32_t high)
{
    int kind = history__pick(history, 3);

    return kind == 0 ? 0 : kind == 1 ? high / 8 : high;
}

static void weights_draw(struct history *history)
{
    static const uint32_t most[HISTORY_NR] = {
        [HISTORY_SUBMIT] = 40, [HISTORY_SWAP] = 20,   [HISTORY_WAIT] = 30,
        [HISTORY_REPEAT] = 6,  [HISTORY_PASS] = 6,    [HISTORY_WINDOW] = 4,
        [HISTORY_LIMITS] = 4,  [HISTORY_BLOCK] = 10,  [HISTORY_PERMIT] = 12,
        [HISTORY_CAP] = 12,    [HISTORY_IMPORT] = 10,
    };

    for (int i = 0; i < HISTORY_NR; i++) {
        history->weights[i] = history__chance(history, 200000)
                                  ? 0
                                  : (uint32_t)rng_between(&history->rng, 1, most[i]);
    }
    history->weights[HISTORY_SUBMIT] += 10;
    history->is_opening = history__chance(history, 250000);
    if (history->is_opening) {
        history->weights[HISTORY_WINDOW] += 3;
        history->weights[HISTORY_PASS] += 3;
        history->weights[HISTORY_CAP] += 20;
        history->weights[HISTORY_WAIT] += 30;
    }
    history->is_hoarded = history__chance(history, 150000);
    if (history->is_hoarded) {
        history->weights[HISTORY_BLOCK] += 20;
        history->weights[HISTORY_PERMIT] += 60;
    }
    history->odds = (struct history_odds){
        .short_name = odd_draw(history, 100000),
        .unknown_name = odd_draw(history, 20000),
        .bad_shape = odd_draw(history, 40000),
        .bad_key = odd_draw(history, 40000),
        .bad_import = odd_draw(history, 250000),
        .long_pause = odd_draw(history, 30000),
        .shrink = odd_draw(history, 200000),
    };
}

void history_init(struct history *history, uint64_t seed)
{
    memset(history, 0, sizeof *history);
    rng_init(&history->rng, seed);
    arena_init(&history->scratch, 16 << 20);
    for (int i = 0; i < HISTORY_PAST_MAX; i++) {
        history_op_init(&history->past[i]);
    }
    history->wall_ms = start_ms + rng_below(&history->rng, HOUR_MS);
    weights_draw(history);
    history__world_draw(history);
    history__scripts_begin(history);
}

void history_fini(struct history *history)
{
    for (int i = 0; i < HISTORY_PAST_MAX; i++) {
        history_op_fini(&history->past[i]);
    }
    arena_fini(&history->scratch);
}

/* Let time pass: mostly little, sometimes so long that keys and answers end. */
static void time_pass(struct history *history)
{
    static const uint64_t pauses[] = {MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 23 * HOUR_MS,
                                      26 * (uint64_t)HOUR_MS};

    if (history__chance(history, history->odds.long_pause)) {
        history->wall_ms += rng_below(&history->rng, pauses[history__pick(history, 5)]);
    } else if (history__chance(history, 700000)) {
        history->wall_ms += rng_below(&history->rng, SECOND_MS);
    }
}

static void key_spoil(struct history *history, struct history_op *op)
{
    static const uint64_t day_ms = 24 * (uint64_t)HOUR_MS;
    uint8_t random[10] = {1};
    uint64_t times[] = {
        history->wall_ms - day_ms,     history->wall_ms - day_ms - 1,
        history->wall_ms + HOUR_MS,    history->wall_ms + HOUR_MS + 1,
        history->wall_ms - 2 * day_ms,
    };
    int kind = history__pick(history, 8);
    struct uuid uuid;

    rng_fill(&history->rng, random, sizeof random);
    if (kind < 5) {
        uuid = uuid_make(times[kind], random);
        memcpy(op->key, uuid.bytes, UUID_BYTES);
    } else if (kind == 5) {
        op->key[6] = (uint8_t)((op->key[6] & 0x0f) | 0x40); /* version 4 */
    } else if (kind == 6) {
        op->key_len = (size_t)history__pick(history, UUID_BYTES);
    } else {
        op->key[UUID_BYTES] = 0;
        op->key_len = UUID_BYTES + 1;
    }
}

/* An earlier request again: as it was, or with its key and another body or method. */
static void repeat_draw(struct history *history, const struct model *model,
                        struct history_op *op)
{
    const struct history_op *past;

    if (history->past_count == 0) {
        history__submit(history, model, op);
        return;
    }
    past = &history->past[history__pick(history, history->past_count < HISTORY_PAST_MAX
                                                     ? history->past_count
                                                     : HISTORY_PAST_MAX)];
    if (history__chance(history, 700000)) {
        history_op_copy(op, past);
        return;
    }
    if (history__chance(history, 300000)) {
        history_op_copy(op, past);
        op->method = past->method == CARILLON__METHOD__METHOD_CAP
                         ? CARILLON__METHOD__METHOD_PERMIT
                         : CARILLON__METHOD__METHOD_CAP;
        return;
    }
    history__submit(history, model, op);
    memcpy(op->key, past->key, sizeof op->key);
    op->key_len = past->key_len;
}

static enum history_kind kind_draw(struct history *history)
{
    uint32_t sum = 0;
    uint32_t at;
    int kind = 0;

    for (int i = 0; i < HISTORY_NR; i++) {
        sum += history->weights[i];
    }
    at = (uint32_t)rng_below(&history->rng, sum);
    while (at >= history->weights[kind]) {
        at -= history->weights[kind++];
    }
    return (enum history_kind)kind;
}

static void op_draw(struct history *history, const struct model *model, struct history_op *op)
{
    enum history_kind kind = history->is_built ? kind_draw(history) : HISTORY_IMPORT;

    static void (*const draws[HISTORY_NR])(struct history *, const struct model *,
                                           struct history_op *) = {
        [HISTORY_SUBMIT] = history__submit, [HISTORY_SWAP] = history__swap,
        [HISTORY_WAIT] = history__wait,     [HISTORY_REPEAT] = repeat_draw,
        [HISTORY_WINDOW] = history__window, [HISTORY_LIMITS] = history__limits,
        [HISTORY_BLOCK] = history__block,   [HISTORY_PERMIT] = history__permit,
        [HISTORY_CAP] = history__cap,       [HISTORY_IMPORT] = history__import,
    };

    op->method = 0;
    op->key_len = 0;
    buf_clear(&op->body);
    if (kind == HISTORY_PASS && history->opening_step == 0) {
        history->wall_ms += rng_below(&history->rng, MINUTE_MS);
        op->wall_ms = history->wall_ms;
        return;
    }
    history__key(history, op);
    if (history->opening_step > 0) {
        history__opening_step(history, model, op);
    } else {
        draws[kind](history, model, op);
    }
    op->wall_ms = history->wall_ms;
    if (op->method == 0) {
        return;
    }
    if (history->is_built && history__chance(history, history->odds.bad_key)) {
        key_spoil(history, op);
    }
    if (history->is_built && op->body.len > 0 &&
        history__chance(history, history->odds.bad_shape / 4)) {
        op->body.len--; /* cut short */
    }
    if (history->is_built && history__chance(history, history->odds.bad_shape / 8)) {
        op->method = history__chance(history, 500000) ? CARILLON__METHOD__METHOD_CHECK : 99;
    }
}

void history_next(struct history *history, const struct model *model, struct history_op *ret_op)
{
    arena_reset(&history->scratch);
    if (!history->is_built) {
        history->is_built = !history__scripts_running(history);
    }
    time_pass(history);
    op_draw(history, model, ret_op);
    if (ret_op->method != 0) {
        history_op_copy(&history->past[history->past_count++ % HISTORY_PAST_MAX], ret_op);
    }
}
