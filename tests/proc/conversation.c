/* conversation ADDRESS SCRIPT: holds a conversation with a node through libcarillon and prints
 * it. `conversation --tables` prints the tables of errors and methods.
 *
 * A script is what it prints: lines that begin with "> " are what is asked, the others what was
 * answered or said about it. So a client in any language that prints the script again has got
 * the same answers. The form of the lines is in tests/proc/conversation.txt; the other speaker
 * is clients/python/tests/lib/conversation.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "carillon/name.h"
#include "carillon/words.h"
#include "client/carillon.h"
#include "proto/registrar.pb-c.h"
#include "proto/registration.pb-c.h"
#include "proto/search.pb-c.h"
#include "wire/message.h"
#include "wire/method.h"

enum { LINE_BYTES = 1024, WORDS_MAX = 20, KEYS_MAX = 64, RECEIPTS_MAX = 256, ROW_BYTES = 512 };

struct talk {
    struct carillon_client *client;
    struct arena arena;
    /* The line that is being performed: its verb, its plain words, its options. */
    char line[LINE_BYTES];
    const char *verb;
    const char *words[WORDS_MAX];
    size_t count;
    const char *key;
    const char *student;
    const char *limit;
    bool is_wait;
    Carillon__Op ops[WORDS_MAX];
    Carillon__Op *op_list[WORDS_MAX];
    size_t op_count;
    Carillon__SectionName *promotion[1];
    size_t promotion_count;
    /* Keys by the names that the script gives them; receipts by the order they were first seen.
     */
    char key_names[KEYS_MAX][16];
    struct carillon_key keys[KEYS_MAX];
    size_t key_count;
    uint64_t receipts[RECEIPTS_MAX];
    size_t receipt_count;
};

static Carillon__SectionName *name_of(struct talk *talk, const char *text)
{
    Carillon__SectionName *name = arena_alloc(&talk->arena, sizeof *name);
    const char *why = name_parse(&talk->arena, slice_from_text(text), name);

    if (why != NULL) {
        printf("bad name %s: %s\n", text, why);
        exit(2);
    }
    return name;
}

static const char *show_name(struct talk *talk, const Carillon__SectionName *name)
{
    return name_format(&talk->arena, name);
}

static void add_op(struct talk *talk, Carillon__OpKind kind, const char *text)
{
    const Carillon__SectionName *name = name_of(talk, text);
    Carillon__Op *op = &talk->ops[talk->op_count];

    carillon__op__init(op);
    op->kind = kind;
    op->institution = name->institution;
    op->code = name->code;
    op->section = name->section;
    op->term = name->term;
    talk->op_list[talk->op_count++] = op;
}

static const struct carillon_key *key_of(struct talk *talk, const char *name)
{
    for (size_t i = 0; i < talk->key_count; i++) {
        if (strcmp(talk->key_names[i], name) == 0) {
            return &talk->keys[i];
        }
    }
    snprintf(talk->key_names[talk->key_count], sizeof talk->key_names[0], "%s", name);
    talk->keys[talk->key_count] = carillon_key_make(talk->client);
    return &talk->keys[talk->key_count++];
}

/* ---- printing ---- */

static void print_receipt(struct talk *talk, const Carillon__Receipt *receipt)
{
    size_t at = 0;

    if (receipt == NULL) {
        return;
    }
    while (at < talk->receipt_count && talk->receipts[at] != receipt->index) {
        at++;
    }
    if (at == talk->receipt_count) {
        talk->receipts[talk->receipt_count++] = receipt->index;
    }
    printf("receipt %zu\n", at + 1);
}

static const char *credits(struct talk *talk, bool is_known, uint32_t hundredths)
{
    char *text = arena_alloc(&talk->arena, 32);

    snprintf(text, 32, is_known ? "%u.%02u" : "?", hundredths / 100, hundredths % 100);
    return text;
}

static void print_capacity(bool is_known, uint32_t capacity)
{
    if (is_known) {
        printf(" capacity %u", capacity);
    } else {
        printf(" no limit");
    }
}

static void print_meeting(uint32_t days, uint32_t start, uint32_t end, const char *location)
{
    printf("; ");
    for (uint32_t i = 0; i < 7; i++) {
        if ((days >> i & 1) != 0) {
            putchar("MTWRFSU"[i]);
        }
    }
    printf(" %02u:%02u-%02u:%02u %s", start / 60, start % 60, end / 60, end % 60, location);
}

static void print_changes(struct talk *talk, Carillon__Change *const *changes, size_t count)
{
    static const char *const kinds[] = {"none", "registered", "dropped", "waitlisted",
                                        "waitlist-left"};

    for (size_t i = 0; i < count; i++) {
        printf("%s %s", kinds[changes[i]->kind], show_name(talk, changes[i]->section));
        if (changes[i]->waitlist_place > 0) {
            printf(" place %u", changes[i]->waitlist_place);
        }
        putchar('\n');
    }
}

static void print_refusals(struct talk *talk, Carillon__Refusal *const *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Carillon__Refusal *refusal = refusals[i];
        const char *name = "the request";

        if (refusal->op < talk->op_count) {
            const Carillon__Op *op = &talk->ops[refusal->op];
            Carillon__SectionName section = CARILLON__SECTION_NAME__INIT;

            section.institution = op->institution;
            section.code = op->code;
            section.section = op->section;
            section.term = op->term;
            name = show_name(talk, &section);
        }
        printf("refused %s %s [%s] %s\n", name, words_refusal(refusal->kind), refusal->evidence,
               refusal->remedy);
    }
}

/* Call, and print an answer that is no message. Returns: the message, or NULL. */
static void *ask(struct talk *talk, uint32_t number, const ProtobufCMessage *request)
{
    const struct method *method = method_get(number);
    bool needs_key = method->kind == METHOD_KIND_WRITE;
    struct carillon_key fresh = carillon_key_make(talk->client);
    const struct carillon_key *key = talk->key != NULL ? key_of(talk, talk->key) : &fresh;
    void *reply = NULL;
    int rc = carillon_call_message(talk->client, number, needs_key ? key : NULL, request,
                                   method->reply, &reply);

    if (rc == OK || (rc == ERR_REFUSED && reply != NULL)) {
        return reply;
    }
    printf("error %s %s", error_name(rc), carillon_text(talk->client));
    if (rc == ERR_QUERY && reply != NULL) {
        const Carillon__SearchReply *found = reply;

        printf(" at %u", found->query_error_at - 1);
    }
    putchar('\n');
    carillon_message_free(reply);
    return NULL;
}

/* ---- verbs ---- */

static void talk_submit(struct talk *talk)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    bool is_check = strcmp(talk->verb, "check") == 0;
    bool is_drop = strcmp(talk->verb, "drop") == 0;
    bool is_swap = strcmp(talk->verb, "swap") == 0;

    for (size_t i = 1; i < talk->count; i++) {
        bool drops = is_drop || (is_swap && i == 1);

        add_op(talk, drops ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD,
               talk->words[i]);
        if (!drops) {
            talk->ops[talk->op_count - 1].waitlist = talk->is_wait;
            talk->ops[talk->op_count - 1].promotion_drops = talk->promotion;
            talk->ops[talk->op_count - 1].n_promotion_drops = talk->promotion_count;
        }
    }
    request.student = wire_text(talk->words[0]);
    request.ops = talk->op_list;
    request.n_ops = talk->op_count;
    if (is_check) {
        Carillon__CheckReply *reply = ask(talk, CARILLON__METHOD__METHOD_CHECK, &request.base);

        if (reply != NULL) {
            print_changes(talk, reply->changes, reply->n_changes);
            print_refusals(talk, reply->refusals, reply->n_refusals);
        }
        carillon_message_free(reply);
        return;
    }
    Carillon__SubmitReply *reply = ask(talk, CARILLON__METHOD__METHOD_SUBMIT, &request.base);

    if (reply != NULL) {
        print_changes(talk, reply->changes, reply->n_changes);
        print_refusals(talk, reply->refusals, reply->n_refusals);
        print_receipt(talk, reply->receipt);
    }
    carillon_message_free(reply);
}

static void talk_outcome(struct talk *talk)
{
    Carillon__OutcomeRequest request = CARILLON__OUTCOME_REQUEST__INIT;
    const struct carillon_key *key = key_of(talk, talk->key);

    request.student = wire_text(talk->words[0]);
    request.key = wire_binary(slice_from(key->bytes, sizeof key->bytes));
    Carillon__OutcomeReply *reply = ask(talk, CARILLON__METHOD__METHOD_OUTCOME, &request.base);

    if (reply != NULL && !reply->known) {
        printf("not known\n");
    } else if (reply != NULL) {
        printf("known %s\n",
               reply->status == 0 ? "OK" : error_name(error_from_wire(reply->status)));
    }
    if (reply != NULL && reply->outcome != NULL) {
        print_changes(talk, reply->outcome->changes, reply->outcome->n_changes);
        print_refusals(talk, reply->outcome->refusals, reply->outcome->n_refusals);
        print_receipt(talk, reply->outcome->receipt);
    }
    carillon_message_free(reply);
}

static void talk_search(struct talk *talk)
{
    Carillon__SearchRequest request = CARILLON__SEARCH_REQUEST__INIT;

    request.query = wire_text(talk->words[0]);
    request.student = wire_text(talk->student);
    request.limit = (uint32_t)strtoul(talk->limit, NULL, 10);
    Carillon__SearchReply *reply = ask(talk, CARILLON__METHOD__METHOD_SEARCH, &request.base);

    if (reply == NULL) {
        return;
    }
    printf("matches %u%s coverage %s\n", reply->matches, reply->matches_more ? "+" : "",
           reply->coverage);
    if (reply->corrected[0] != '\0') {
        printf("corrected %s\n", reply->corrected);
    }
    for (size_t i = 0; i < reply->n_hits; i++) {
        const Carillon__SearchHit *hit = reply->hits[i];

        printf("hit %s:%s@%s ", hit->institution, hit->code, hit->term);
        for (const char *at = hit->title; *at != '\0'; at++) {
            putchar(*at == 2 ? '<' : *at == 3 ? '>' : *at);
        }
        printf(" credits %s level %u open %u/%u\n",
               credits(talk, hit->credits_known, hit->credits_hundredths), hit->level,
               hit->sections_open, hit->sections);
    }
    carillon_message_free(reply);
}

/* A tree in prefix order: a node is as deep as there are nodes above it that still miss
 * children. */
static void print_rules(const Carillon__ShowReply *reply)
{
    static const char *const kinds[] = {"none",   "and",   "or",     "n-of",
                                        "course", "level", "credits"};
    uint32_t missing[257] = {0};
    size_t depth = 0;

    for (size_t i = 0; i < reply->course->n_prerequisites && depth < 256; i++) {
        const Carillon__RuleNode *node = reply->course->prerequisites[i];
        const char *met = "?";

        for (size_t k = 0; k < reply->n_ticks; k++) {
            met = reply->ticks[k]->rule_node == i ? (reply->ticks[k]->met ? "yes" : "no") : met;
        }
        printf("rule %zu %s %s %u grade ", depth, kinds[node->kind], node->code, node->count);
        if (node->grade_min > 0) {
            printf("%u.%02u", (node->grade_min - 1) / 100, (node->grade_min - 1) % 100);
        } else {
            printf("any");
        }
        printf("%s met %s\n", node->concurrent ? " concurrent" : "", met);
        if (node->children > 0) {
            missing[++depth] = node->children;
        } else {
            while (depth > 0 && --missing[depth] == 0) {
                depth--;
            }
        }
    }
}

static void talk_show(struct talk *talk)
{
    const Carillon__SectionName *name = name_of(talk, talk->words[0]);
    Carillon__ShowRequest request = CARILLON__SHOW_REQUEST__INIT;

    request.institution = name->institution;
    request.code = name->code;
    request.term = name->term;
    request.student = wire_text(talk->student);
    Carillon__ShowReply *reply = ask(talk, CARILLON__METHOD__METHOD_SHOW, &request.base);

    if (reply == NULL) {
        return;
    }
    const Carillon__Course *course = reply->course;

    printf("course %s:%s@%s %s credits %s level %u\n", course->institution, course->code,
           course->term, course->title,
           credits(talk, course->credits_known, course->credits_hundredths), course->level);
    for (size_t i = 0; i < course->n_instructors; i++) {
        printf("instructor %s\n", course->instructors[i]);
    }
    print_rules(reply);
    for (size_t i = 0; i < reply->n_sections; i++) {
        const Carillon__SectionState *section = reply->sections[i];

        printf("section %s enrolled %u waiting %u", section->id, section->enrolled,
               section->waiting);
        print_capacity(section->capacity_known, section->capacity);
        for (size_t k = 0; k < section->n_meetings; k++) {
            print_meeting(section->meetings[k]->days, section->meetings[k]->start_min,
                          section->meetings[k]->end_min, section->meetings[k]->location);
        }
        putchar('\n');
    }
    for (size_t i = 0; i < reply->n_unlocks; i++) {
        printf("unlocks %s\n", reply->unlocks[i]);
    }
    carillon_message_free(reply);
}

static void print_item(struct talk *talk, const Carillon__ScheduleItem *item)
{
    printf("registered %s %s credits %s", show_name(talk, item->section), item->title,
           credits(talk, item->credits_known, item->credits_hundredths));
    for (size_t k = 0; k < item->n_meeting_days; k++) {
        print_meeting(item->meeting_days[k], item->meeting_start_min[k],
                      item->meeting_end_min[k], item->meeting_location[k]);
    }
    putchar('\n');
}

static void talk_schedule(struct talk *talk)
{
    Carillon__ScheduleRequest request = CARILLON__SCHEDULE_REQUEST__INIT;

    request.student = wire_text(talk->words[0]);
    Carillon__ScheduleReply *reply =
        ask(talk, CARILLON__METHOD__METHOD_SCHEDULE, &request.base);

    if (reply == NULL) {
        return;
    }
    printf("student %s %s of %s level %u, at most %u courses, %s credits%s\n", reply->student,
           reply->name, reply->institution, reply->level, reply->courses_max,
           credits(talk, true, reply->credits_hundredths),
           reply->credits_incomplete ? " and unknown ones" : "");
    for (size_t i = 0; i < reply->n_items; i++) {
        print_item(talk, reply->items[i]);
    }
    for (size_t i = 0; i < reply->n_waitlist; i++) {
        const Carillon__WaitlistItem *item = reply->waitlist[i];

        printf("waiting %s %s place %u skips %u", show_name(talk, item->section), item->title,
               item->place, item->skips);
        for (size_t k = 0; k < item->n_promotion_drops; k++) {
            printf(" for %s", show_name(talk, item->promotion_drops[k]));
        }
        putchar('\n');
    }
    for (size_t i = 0; i < reply->n_blocks; i++) {
        printf("block %s by %s\n", reply->blocks[i]->reason, reply->blocks[i]->by);
    }
    carillon_message_free(reply);
}

static void print_students(const char *what, Carillon__RosterStudent *const *students,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s %s %s of %s%s", what, students[i]->token, students[i]->name,
               students[i]->institution, students[i]->over_capacity ? " over capacity" : "");
        if (students[i]->waitlist_place > 0) {
            printf(" place %u", students[i]->waitlist_place);
        }
        putchar('\n');
    }
}

static void talk_roster(struct talk *talk)
{
    Carillon__RosterRequest request = CARILLON__ROSTER_REQUEST__INIT;
    char cursor[ROW_BYTES] = "";

    request.section = name_of(talk, talk->words[0]);
    request.limit = (uint32_t)strtoul(talk->limit, NULL, 10);
    do {
        request.cursor = cursor;
        Carillon__RosterReply *reply =
            ask(talk, CARILLON__METHOD__METHOD_ROSTER, &request.base);

        if (reply == NULL) {
            return;
        }
        printf("page %s %s enrolled %u waiting %u", show_name(talk, reply->section),
               reply->title, reply->enrolled, reply->waiting);
        print_capacity(reply->capacity_known, reply->capacity);
        putchar('\n');
        print_students("student", reply->students, reply->n_students);
        print_students("waits", reply->waitlist, reply->n_waitlist);
        snprintf(cursor, sizeof cursor, "%s", reply->next_cursor);
        carillon_message_free(reply);
    } while (cursor[0] != '\0');
}

static void talk_block(struct talk *talk)
{
    Carillon__BlockRequest request = CARILLON__BLOCK_REQUEST__INIT;

    request.student = wire_text(talk->words[0]);
    request.reason = wire_text(talk->words[1]);
    request.by = wire_text("conversation");
    request.remove = strcmp(talk->verb, "lift") == 0;
    carillon_message_free(ask(talk, CARILLON__METHOD__METHOD_BLOCK, &request.base));
}

static const struct {
    const char *verb;
    size_t words_min;
    void (*perform)(struct talk *talk);
} verbs[] = {
    {"register", 1, talk_submit  },
    {"drop",     1, talk_submit  },
    {"swap",     1, talk_submit  },
    {"check",    1, talk_submit  },
    {"outcome",  1, talk_outcome },
    {"search",   1, talk_search  },
    {"show",     1, talk_show    },
    {"schedule", 1, talk_schedule},
    {"roster",   1, talk_roster  },
    {"block",    2, talk_block   },
    {"lift",     2, talk_block   },
};

/* ---- lines ---- */

static const char *value_of(const char *word, const char *option)
{
    size_t len = strlen(option);

    return strncmp(word, option, len) == 0 ? word + len : NULL;
}

static void take_word(struct talk *talk, const char *word)
{
    const char *value;

    if ((value = value_of(word, "key=")) != NULL) {
        talk->key = value;
    } else if ((value = value_of(word, "student=")) != NULL) {
        talk->student = value;
    } else if ((value = value_of(word, "limit=")) != NULL) {
        talk->limit = value;
    } else if ((value = value_of(word, "drop=")) != NULL) {
        add_op(talk, CARILLON__OP_KIND__OP_DROP, value);
    } else if ((value = value_of(word, "for=")) != NULL) {
        talk->promotion[0] = name_of(talk, value);
        talk->promotion_count = 1;
    } else if (strcmp(word, "waitlist") == 0) {
        talk->is_wait = true;
    } else {
        talk->words[talk->count++] = word;
    }
}

/* "> verb word | word | option=value" */
static void take_line(struct talk *talk, const char *line)
{
    snprintf(talk->line, sizeof talk->line, "%s", line + 2);
    talk->line[strcspn(talk->line, "\n")] = '\0';
    talk->verb = talk->line;
    talk->count = 0;
    talk->op_count = 0;
    talk->promotion_count = 0;
    talk->key = NULL;
    talk->student = "";
    talk->limit = "0";
    talk->is_wait = false;
    char *rest = strchr(talk->line, ' ');

    while (rest != NULL && talk->count < WORDS_MAX && talk->op_count < WORDS_MAX / 2) {
        *rest = '\0';
        const char *word = rest + (rest[1] == '|' ? 3 : 1);

        rest = strstr(word, " | ");
        if (rest != NULL) {
            *rest = '\0';
        }
        take_word(talk, word);
    }
}

static void perform(struct talk *talk)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(talk->verb, verbs[i].verb) == 0 && talk->count >= verbs[i].words_min) {
            verbs[i].perform(talk);
            return;
        }
    }
    printf("cannot be read: %s\n", talk->verb);
    exit(2);
}

/* Comments and empty lines are said again; answers of the script are left out, for ours come.
 */
static int hold(struct talk *talk, FILE *script)
{
    char line[LINE_BYTES];

    while (fgets(line, sizeof line, script) != NULL) {
        if (line[0] == '#' || line[0] == '\n') {
            fputs(line, stdout);
        } else if (strncmp(line, "> ", 2) == 0) {
            fputs(line, stdout);
            arena_reset(&talk->arena);
            take_line(talk, line);
            perform(talk);
        }
    }
    return ferror(script) ? 1 : 0;
}

static int print_tables(void)
{
    for (unsigned number = 1; error_from_wire(number) == -(int)number; number++) {
        int error = error_from_wire(number);

        printf("error\t%s\t%u\t%d\t%d\t%d\t%s\n", error_name(error), number,
               error_is_retryable(error), error_http_status(error), error_exit_code(error),
               error_text(error));
    }
    for (size_t i = 0; method_at(i) != NULL; i++) {
        const struct method *method = method_at(i);

        printf("method\t%d\t%s\t%d\t%u\t%s\t%s\n", (int)method->number, method->name,
               method->kind == METHOD_KIND_WRITE, method->deadline_ms,
               method->request->short_name, method->reply->short_name);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct talk talk;

    if (argc == 2 && strcmp(argv[1], "--tables") == 0) {
        return print_tables();
    }
    FILE *script = argc == 3 ? fopen(argv[2], "re") : NULL;
    struct carillon_options options = {.address = argc == 3 ? argv[1] : NULL,
                                       .name = "conversation"};

    if (script == NULL || carillon_create(&options, &talk.client) != OK) {
        fprintf(stderr, "usage: conversation ADDRESS SCRIPT | conversation --tables\n");
        return 2;
    }
    arena_init(&talk.arena, 1 << 20);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* whoever listens hears how far it has come */
    int code = hold(&talk, script);
    unsigned long long connects = carillon_counters(talk.client).connects;

    (void)fflush(stdout);
    if (connects > 1) {
        fprintf(stderr, "connections: %llu\n", connects);
    }
    carillon_destroy(talk.client);
    arena_fini(&talk.arena);
    (void)fclose(script);
    return code;
}
