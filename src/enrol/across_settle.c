/* Settlement: decisions reach those who hold something, in both directions. */
#include "base/assert.h"
#include "enrol/across_private.h"

/* Decisions in one message, acknowledged items in one entry; so many do not wait for the tick. */
enum { SETTLED_MAX = 64 };

/* ---- what is known of slots beside the state */

static struct across_news *news_at(struct across *across, struct across_news **news,
                                   uint32_t *cap, uint32_t slot)
{
    if (slot >= *cap) {
        uint32_t grown = *cap == 0 ? 64 : *cap;

        while (grown <= slot) {
            grown *= 2;
        }
        *news = arena_grow(&across->own, *news, sizeof **news, *cap, grown);
        memset(*news + *cap, 0, (grown - *cap) * sizeof **news);
        *cap = grown;
    }
    return &(*news)[slot];
}

struct across_news *across__news(struct across *across, struct across_news **news,
                                 uint32_t *cap, uint32_t slot,
                                 const struct enrol_attempt_id *id, uint64_t next_ms)
{
    struct across_news *of = news_at(across, news, cap, slot);

    if (of->id.home != id->home || enrol_attempt_id_compare(&of->id, id) != 0 ||
        of->next_ms == 0) {
        *of = (struct across_news){.id = *id, .next_ms = next_ms};
    }
    return of;
}

void across__news_reset(struct across *across)
{
    if (across->hold_news_cap > 0) {
        memset(across->hold_news, 0, across->hold_news_cap * sizeof *across->hold_news);
    }
    if (across->offer_news_cap > 0) {
        memset(across->offer_news, 0, across->offer_news_cap * sizeof *across->offer_news);
    }
    if (across->todo_news_cap > 0) {
        memset(across->todo_news, 0, across->todo_news_cap * sizeof *across->todo_news);
    }
}

/* ---- the home tells */

bool across__is_owed(const struct across *across, uint32_t student, uint32_t shard)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = enrol__todo_first(state, student); at != CAMPUS_NONE;
         at = enrol__todo(state, at)->next_of_student) {
        const struct enrol_todo *todo = enrol__todo(state, at);
        const struct across_news *news =
            at < across->todo_news_cap ? &across->todo_news[at] : NULL;
        bool is_done = news != NULL && news->is_done &&
                       enrol_attempt_id_compare(&news->id, &todo->id) == 0;

        if (todo->shard == shard && !is_done) {
            return true;
        }
    }
    return false;
}

static struct across_news *todo_news(struct across *across, uint64_t now_ms, uint32_t slot)
{
    return across__news(across, &across->todo_news, &across->todo_news_cap, slot,
                        &enrol__todo(&across->enrol->across, slot)->id,
                        now_ms > 0 ? now_ms : 1);
}

static bool is_due(struct across *across, uint64_t now_ms, uint32_t slot)
{
    const struct across_news *news = todo_news(across, now_ms, slot);

    return !news->is_done && news->next_ms <= now_ms;
}

/* @shard is told what it has to hear of now, from the item @at on. */
static void tell(struct across *across, uint64_t now_ms, uint32_t at, uint32_t shard)
{
    const struct enrol_across *state = &across->enrol->across;
    uint32_t count = 0;

    buf_clear(&across->message);
    for (; at != CAMPUS_NONE && count < SETTLED_MAX; at = enrol__todo(state, at)->next) {
        const struct enrol_todo *todo = enrol__todo(state, at);

        if (todo->shard != shard || !is_due(across, now_ms, at)) {
            continue;
        }
        todo_news(across, now_ms, at)->next_ms = now_ms + ACROSS_REPEAT_MS;
        across_put_head(&across->message,
                        &(struct across_head){.kind = ACROSS_SETTLE,
                                              .id = todo->id,
                                              .token = across__token(across, todo->student)});
        across_put_number(&across->message, todo->verdict);
        count++;
    }
    if (count > 0) {
        across__send(across, shard, buf_slice(&across->message));
    }
}

static void propose_settled(struct across *across, uint32_t count)
{
    struct slice body = buf_slice(&across->message);

    if (count > 0) {
        /* Taking off the list frees memory: it must not wait for some. */
        across->enrol->reserved += enrol__across_growth(ENROL_ENTRY_SETTLED, body);
        across__propose(across, ENROL_ENTRY_SETTLED, SLICE_NONE, body);
    }
    buf_clear(&across->message);
}

/* What is acknowledged is taken off the list. Nobody waits for that: many go in one entry. */
static void settled_look(struct across *across, uint64_t now_ms)
{
    const struct enrol_across *state = &across->enrol->across;
    uint32_t count = 0;

    across->settled_count = 0;
    buf_clear(&across->message);
    for (uint32_t at = state->todo_first; at != CAMPUS_NONE;
         at = enrol__todo(state, at)->next) {
        const struct enrol_todo *todo = enrol__todo(state, at);
        struct across_news *news = todo_news(across, now_ms, at);

        if (!news->is_done || news->next_ms > now_ms) {
            continue;
        }
        news->next_ms = now_ms + ACROSS_REPEAT_MS;
        across_put_head(&across->message,
                        &(struct across_head){.kind = ACROSS_SETTLED,
                                              .id = todo->id,
                                              .token = across__token(across, todo->student)});
        across_put_number(&across->message, todo->shard);
        if (++count == SETTLED_MAX) {
            propose_settled(across, count);
            count = 0;
        }
    }
    propose_settled(across, count);
}

void across__todo_send(struct across *across, uint64_t now_ms)
{
    const struct enrol_across *state = &across->enrol->across;

    across->untold_count = 0;
    for (uint32_t at = state->todo_first; at != CAMPUS_NONE;
         at = enrol__todo(state, at)->next) {
        if (is_due(across, now_ms, at)) {
            tell(across, now_ms, at, enrol__todo(state, at)->shard);
        }
    }
    settled_look(across, now_ms);
}

void across__todo_send_of(struct across *across, uint64_t now_ms, uint32_t student)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = enrol__todo_first(state, student); at != CAMPUS_NONE;
         at = enrol__todo(state, at)->next_of_student) {
        if (is_due(across, now_ms, at)) { /* others go along */
            tell(across, now_ms, at, enrol__todo(state, at)->shard);
        }
    }
}

void across__todo_added(struct across *across, uint64_t now_ms, uint32_t count)
{
    across->untold_count += count;
    if (across->untold_count >= SETTLED_MAX) {
        across__todo_send(across, now_ms);
    }
}

static void settled(struct across *across, uint64_t now_ms, uint32_t shard,
                    const struct across_head *head)
{
    struct enrol *enrol = across->enrol;
    uint32_t student = campus_student_find(&enrol->campus, head->token);
    uint32_t slot = student == CAMPUS_NONE
                        ? CAMPUS_NONE
                        : enrol__todo_find(&enrol->across, student, &head->id, shard);

    if (slot == CAMPUS_NONE) {
        return;
    }
    struct across_news *news =
        across__news(across, &across->todo_news, &across->todo_news_cap, slot, &head->id, 1);

    if (!news->is_done) {
        news->is_done = true;
        news->next_ms = 1; /* at the next look */
        if (++across->settled_count == SETTLED_MAX) {
            settled_look(across, now_ms);
        }
    }
}

void across__settled_take(struct across *across, uint64_t now_ms, uint32_t shard,
                          struct slice message)
{
    struct unpack in = unpack_from(message);
    struct across_head head;

    do {
        across_take_head(&in, &head);
        if (!in.failed && head.kind == ACROSS_SETTLED &&
            head.id.home == across->enrol->campus.shard) {
            settled(across, now_ms, shard, &head);
        }
    } while (!in.failed && !unpack_is_done(&in));
    across__home_look(across, now_ms);
}

/* ---- the home is asked */

bool across__question_add(struct across *across, const struct across_question *of)
{
    if (across->question_count == ACROSS_ASKED_MAX) {
        return false; /* asked again */
    }
    struct across_question *question = &across->questions[across->question_count++];

    *question = *of;
    /* One read point is under way at a time; it answers all that were asked before it was. */
    if (across->token == across->token_done) {
        across__read(across);
        question->token = across->token;
    } else {
        question->token = across->token + 1;
    }
    question->head.token = across__keep(across, of->head.token);
    question->message = across__keep(across, of->message);
    return true;
}

void across__asked(struct across *across, uint64_t now_ms, uint32_t shard,
                   const struct across_head *head, struct slice message)
{
    struct across_question question = {.head = *head, .shard = shard};
    const struct enrol_across *state = &across->enrol->across;
    uint32_t student = campus_student_find(&across->enrol->campus, head->token);
    struct across_flight *flight = across__flight_find(across, head);

    if (student != CAMPUS_NONE &&
        enrol__todo_find(state, student, &head->id, shard) != CAMPUS_NONE) {
        across__todo_send_of(across, now_ms, student); /* decided: no read point says more */
        return;
    }
    if (flight != NULL) {
        flight->is_hurried = true; /* somebody waits for what comes of it */
    }
    /* An attempt of a later term is another leader's, who leads by now. */
    if (across_take_asked(message, &question.asked_term, &question.asked) &&
        head->id.term <= across->term) {
        (void)across__question_add(across, &question);
    }
}

/* "On the to-do list: confirm; in flight at this leader: pending; neither: release." */
static void answer(struct across *across, const struct across_question *question)
{
    struct enrol *enrol = across->enrol;
    const struct across_head *head = &question->head;
    uint32_t student = campus_student_find(&enrol->campus, head->token);
    uint32_t slot = student == CAMPUS_NONE
                        ? CAMPUS_NONE
                        : enrol__todo_find(&enrol->across, student, &head->id, question->shard);

    if (slot != CAMPUS_NONE) {
        across__send_head(across, question->shard, ACROSS_SETTLE, &head->id, head->token,
                          enrol__todo(&enrol->across, slot)->verdict);
    } else if (across__flight_find(across, head) != NULL) {
        buf_clear(&across->message);
        across_put_head(&across->message, &(struct across_head){.kind = ACROSS_PENDING,
                                                                .id = head->id,
                                                                .token = head->token});
        across_put_asked(&across->message, question->asked_term, question->asked);
        across__send(across, question->shard, buf_slice(&across->message));
    } else {
        across__send_head(across, question->shard, ACROSS_SETTLE, &head->id, head->token,
                          ACROSS_RELEASE);
    }
}

/* Those whose read point was reached. */
void across__answer(struct across *across)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < across->question_count; i++) {
        struct across_question *question = &across->questions[i];

        if (question->token <= across->token_done) {
            if (question->message.len > 0) {
                across__check_answer(across, question->message);
            } else {
                answer(across, question);
            }
            across__give_back(across, &question->head.token);
            across__give_back(across, &question->message);
        } else {
            across->questions[left++] = *question;
        }
    }
    across->question_count = left;
}

/* ---- the section's shard asks */

static struct across_news *hold_news(struct across *across, uint32_t slot, uint64_t next_ms)
{
    return across__news(across, &across->hold_news, &across->hold_news_cap, slot,
                        &enrol__hold(&across->enrol->across, slot)->id, next_ms);
}

static void ask(struct across *across, uint64_t now_ms, uint32_t slot)
{
    const struct enrol_hold *hold = enrol__hold(&across->enrol->across, slot);

    struct across_news *news = hold_news(across, slot, 1);

    news->next_ms = now_ms + ACROSS_ASK_MS;
    news->is_done = true;
    buf_clear(&across->message);
    across_put_head(&across->message,
                    &(struct across_head){.kind = ACROSS_ASK,
                                          .id = hold->id,
                                          .token = across__token(across, hold->student)});
    across_put_asked(&across->message, across->term, ++across->asked);
    across__send(across, hold->id.home, buf_slice(&across->message));
}

/* "A section's shard without news of a hold for 1 s asks the home." The timer asks; it ends
 * nothing. */
void across__hold_ask(struct across *across, uint64_t now_ms)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = state->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(state, at)->next) {
        if (hold_news(across, at, now_ms + ACROSS_ASK_MS)->next_ms <= now_ms) {
            ask(across, now_ms, at);
        }
    }
}

void across__pending(struct across *across, uint64_t now_ms, const struct across_head *head,
                     struct slice message)
{
    const struct enrol_across *state = &across->enrol->across;
    uint32_t student = campus_student_find(&across->enrol->campus, head->token);
    uint32_t slot = student == CAMPUS_NONE ? CAMPUS_NONE : enrol__hold_find(state, student);

    uint64_t term;
    uint64_t asked;

    if (across_take_asked(message, &term, &asked) && term == across->term &&
        slot != CAMPUS_NONE &&
        enrol_attempt_id_compare(&enrol__hold(state, slot)->id, &head->id) == 0) {
        struct across_news *news = hold_news(across, slot, now_ms + ACROSS_ASK_MS);

        news->pending = asked > news->pending ? asked : news->pending;
        across__roster_look(across, now_ms);
    }
}

/* ---- reads that meet holds */

static bool keeps_in(const struct enrol_hold *hold, uint32_t section)
{
    for (uint32_t i = 0; i < hold->op_count; i++) {
        if (hold->ops[i].section == section && hold->ops[i].what != ENROL_HELD_NOTHING) {
            return true;
        }
    }
    return false;
}

void across__hold_hurry(struct across *across, uint64_t now_ms, uint32_t section)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = state->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(state, at)->next) {
        if (keeps_in(enrol__hold(state, at), section) &&
            !hold_news(across, at, now_ms + ACROSS_ASK_MS)->is_done) {
            ask(across, now_ms, at);
        }
    }
}

/* Whether a hold that the read would meet is neither gone nor said to be under way, in answer to
 * a question that was asked for the read: an earlier one's may be late, and the hold decided. */
static bool is_unclear(struct across *across, uint64_t now_ms,
                       const struct across_roster *roster)
{
    const struct enrol_across *state = &across->enrol->across;

    for (uint32_t at = state->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(state, at)->next) {
        const struct enrol_hold *hold = enrol__hold(state, at);

        if (hold->since_index <= roster->index && keeps_in(hold, roster->section) &&
            hold_news(across, at, now_ms + ACROSS_ASK_MS)->pending <= roster->asked) {
            return true;
        }
    }
    return false;
}

void across__roster_look(struct across *across, uint64_t now_ms)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < across->roster_count; i++) {
        struct across_roster *roster = &across->rosters[i];

        if (now_ms < roster->deadline_ms && is_unclear(across, now_ms, roster)) {
            across->rosters[left++] = *roster;
        } else {
            across__effect(across, &(struct across_effect){.kind = ACROSS_ROSTER,
                                                           .client = roster->client});
        }
    }
    across->roster_count = left;
}

int across_roster(struct across *across, uint64_t now_ms, uint64_t deadline_ms,
                  uint32_t section, uint64_t client)
{
    const struct enrol_across *state = &across->enrol->across;

    across__begin(across);
    if (across->roster_count == ACROSS_ROSTERS_MAX) {
        return ERR_BUSY;
    }
    across->rosters[across->roster_count++] =
        (struct across_roster){.client = client,
                               .asked = across->asked,
                               .deadline_ms = deadline_ms,
                               .index = enrol_index(across->enrol),
                               .section = section};
    for (uint32_t at = state->hold_first; at != CAMPUS_NONE;
         at = enrol__hold(state, at)->next) {
        if (keeps_in(enrol__hold(state, at), section)) {
            ask(across, now_ms, at);
        }
    }
    across__roster_look(across, now_ms);
    return OK;
}
