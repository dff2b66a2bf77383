#include "carillon/submit.h"

#include <inttypes.h>

#include "carillon/name.h"
#include "carillon/suggest.h"
#include "carillon/words.h"
#include "wire/message.h"

void submit_init(struct submit *submit, struct cli *cli)
{
    submit->cli = cli;
    carillon__submit_request__init(&submit->request);
    submit->request.ops = submit->op_list;
}

Carillon__Op *submit_add(struct submit *submit, Carillon__OpKind kind, const char *name)
{
    size_t index = submit->request.n_ops;

    if (index == SUBMIT_OPS_MAX) {
        fprintf(submit->cli->err, "carillon: at most %d sections in one request\n",
                SUBMIT_OPS_MAX);
        return NULL;
    }
    const Carillon__SectionName *section = cli_section_name(submit->cli, name);

    if (section == NULL) {
        return NULL;
    }
    Carillon__Op *op = &submit->ops[index];

    carillon__op__init(op);
    op->kind = kind;
    op->institution = section->institution;
    op->code = section->code;
    op->section = section->section;
    op->term = section->term;
    submit->op_list[index] = op;
    submit->names[index] = name;
    submit->request.n_ops++;
    return op;
}

bool submit_add_promotion_drop(struct submit *submit, Carillon__Op *op, const char *name)
{
    Carillon__SectionName *section = cli_section_name(submit->cli, name);

    if (section == NULL) {
        return false;
    }
    Carillon__SectionName **list =
        arena_alloc(&submit->cli->arena, (op->n_promotion_drops + 1) * sizeof *list);

    for (size_t i = 0; i < op->n_promotion_drops; i++) {
        list[i] = op->promotion_drops[i];
    }
    list[op->n_promotion_drops++] = section;
    op->promotion_drops = list;
    return true;
}

static void print_change(struct cli *cli, const Carillon__Change *change, bool is_check)
{
    static const char *const done[] = {"nothing", "registered", "dropped", "waiting",
                                       "left the waitlist of"};
    static const char *const would[] = {"nothing", "would register", "would drop", "would wait",
                                        "would leave the waitlist of"};
    size_t kind = (size_t)change->kind < 5 ? (size_t)change->kind : 0;
    bool is_waiting = change->kind == CARILLON__CHANGE_KIND__CHANGE_WAITLISTED;
    const char *name = name_format(&cli->arena, change->section);

    if (!cli->is_terminal) {
        fprintf(cli->out, "%s\t%s\t%s\n", done[kind], name,
                is_waiting ? cli_format(cli, "%u", change->waitlist_place) : "");
        return;
    }
    fprintf(cli->out, "%s%s%s  ", cli_style(cli, is_waiting ? STYLE_WARN : STYLE_GOOD),
            is_check ? would[kind] : done[kind], cli_style_end(cli));
    fputs(name, cli->out);
    if (is_waiting) {
        fprintf(cli->out, "  place %u", change->waitlist_place);
    }
    fputc('\n', cli->out);
}

static void print_refusal(const struct submit *submit, const Carillon__Refusal *refusal)
{
    struct cli *cli = submit->cli;
    bool has_op = refusal->op < submit->request.n_ops;
    const char *name = has_op ? submit->names[refusal->op] : "the request";
    const char *kind = words_refusal(refusal->kind);

    if (!cli->is_terminal) {
        fprintf(cli->out, "refused\t%s\t%s\t%s\t%s\n", has_op ? name : "", kind,
                refusal->evidence, refusal->remedy);
        return;
    }
    fprintf(cli->out, "%srefused%s  %s: %s%s%s\n", cli_style(cli, STYLE_BAD),
            cli_style_end(cli), name, kind, refusal->evidence[0] != '\0' ? ": " : "",
            refusal->evidence);
    if (refusal->remedy[0] != '\0') {
        fprintf(cli->out, "         %s%s%s\n", cli_style(cli, STYLE_DIM), refusal->remedy,
                cli_style_end(cli));
    }
}

static void print_receipt(struct cli *cli, const Carillon__Receipt *receipt)
{
    if (receipt != NULL && receipt->index > 0 && cli->is_terminal) {
        fprintf(cli->out, "%sreceipt %u.%" PRIu64 ".%" PRIu64 "%s\n", cli_style(cli, STYLE_DIM),
                receipt->group, receipt->term, receipt->index, cli_style_end(cli));
    }
}

/* Exit code of an answer that came: refused, waiting, or done. */
static int exit_code(size_t refusals, Carillon__Change *const *changes, size_t count)
{
    if (refusals > 0) {
        return EXIT_REFUSED;
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i]->kind == CARILLON__CHANGE_KIND__CHANGE_WAITLISTED) {
            return EXIT_WAITLISTED;
        }
    }
    return EXIT_DONE;
}

/* What submit and check answer in common. */
struct answer {
    Carillon__Change **changes;
    size_t change_count;
    Carillon__Refusal **refusals;
    size_t refusal_count;
    const Carillon__Receipt *receipt;
};

static struct answer read_answer(const void *message, bool is_check)
{
    struct answer answer = {.change_count = 0};

    if (message != NULL && is_check) {
        const Carillon__CheckReply *reply = message;

        answer = (struct answer){reply->changes, reply->n_changes, reply->refusals,
                                 reply->n_refusals, NULL};
    } else if (message != NULL) {
        const Carillon__SubmitReply *reply = message;

        answer = (struct answer){reply->changes, reply->n_changes, reply->refusals,
                                 reply->n_refusals, reply->receipt};
    }
    return answer;
}

static int fail(const struct submit *submit, int error)
{
    int code = cli_fail(submit->cli, error);

    suggest_courses(submit->cli, submit->ops, submit->request.n_ops, error);
    return code;
}

int submit_perform(struct submit *submit, bool is_check)
{
    struct cli *cli = submit->cli;
    const char *student = cli_student(cli);
    void *reply = NULL;

    if (student == NULL) {
        return EXIT_USAGE;
    }
    submit->request.student = wire_text(student);
    int error = cli_call(
        cli, is_check ? CARILLON__METHOD__METHOD_CHECK : CARILLON__METHOD__METHOD_SUBMIT,
        &submit->request.base, &reply);
    struct answer answer = read_answer(reply, is_check);

    if (error != OK && (error != ERR_REFUSED || reply == NULL)) {
        return cli->json ? cli_fail_json(cli, error) : fail(submit, error);
    }
    if (cli->json) {
        cli_print_json(cli, reply);
    } else {
        for (size_t i = 0; i < answer.change_count; i++) {
            print_change(cli, answer.changes[i], is_check);
        }
        for (size_t i = 0; i < answer.refusal_count; i++) {
            print_refusal(submit, answer.refusals[i]);
        }
        print_receipt(cli, answer.receipt);
    }
    int code = exit_code(answer.refusal_count, answer.changes, answer.change_count);

    return code == EXIT_DONE ? error_exit_code(error) : code;
}

/* ---- adding, and dropping in the same step */

struct arguments {
    struct submit submit;
    bool is_bad;
};

static error_t parse(int key, char *arg, struct argp_state *state, void *input)
{
    struct arguments *arguments = input;
    Carillon__OpKind kind = key == 'd' ? CARILLON__OP_KIND__OP_DROP : CARILLON__OP_KIND__OP_ADD;

    switch (key) {
    case 'd':
    case ARGP_KEY_ARG:
        arguments->is_bad |= submit_add(&arguments->submit, kind, arg) == NULL;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which section? to leave one only, use `carillon drop`");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int submit_verb(struct cli *cli, int argc, char **argv, const char *about, bool is_check)
{
    static const struct argp_option options[] = {
        {"drop", 'd', "NAME", 0, "leave this section in the same step (may be repeated)", 0},
        {NULL,   0,   NULL,   0, NULL,                                                    0},
    };
    const struct cli_syntax syntax = {
        .options = options, .parse = parse, .arguments = "NAME...", .about = about};
    struct arguments arguments = {.is_bad = false};

    submit_init(&arguments.submit, cli);
    cli_parse(cli, argc, argv, &syntax, &arguments);
    return arguments.is_bad ? EXIT_USAGE : submit_perform(&arguments.submit, is_check);
}
