/* One entry after the other: keys and answers (section 2), then the method. */
#include <stdlib.h>

#include "tests/lib/model_private.h"
#include "wire/message.h"

enum { HOUR_MS = 60 * 60 * 1000 };

void model_init(struct model *model, const uint8_t cluster_id[UUID_BYTES], uint32_t group)
{
    *model = (struct model){.group = group};
    memcpy(model->cluster_id, cluster_id, UUID_BYTES);
}

void model_fini(struct model *model)
{
    for (int i = 0; i < model->courses.count; i++) {
        free(model->courses.items[i].nodes);
    }
    for (int i = 0; i < model->students.count; i++) {
        free(model->students.items[i].taken);
    }
    for (int i = 0; i < model->answers.count; i++) {
        free(model->answers.items[i].body);
        free(model->answers.items[i].reply);
    }
    for (int i = 0; i < model->imports.count; i++) {
        model__import_free(&model->imports.items[i]);
    }
    free(model->courses.items);
    free(model->sections.items);
    free(model->students.items);
    free(model->registrations.items);
    free(model->places.items);
    free(model->offers.items);
    free(model->answers.items);
    free(model->imports.items);
    free(model->queue.items);
    free(model->notes.items);
    *model = (struct model){.group = 0};
}

Carillon__Receipt model__receipt(const struct model *model)
{
    Carillon__Receipt receipt = CARILLON__RECEIPT__INIT;

    receipt.cluster_id = wire_binary(slice_from(model->cluster_id, UUID_BYTES));
    receipt.group = model->group;
    receipt.term = model->term;
    receipt.index = model->index;
    return receipt;
}

void model__reply(struct model_answer *answer, const ProtobufCMessage *message)
{
    answer->reply_len = protobuf_c_message_get_packed_size(message);
    answer->reply = model__alloc(answer->reply_len);
    protobuf_c_message_pack(message, answer->reply);
}

static int perform(struct model *model, const struct model_entry *entry,
                   struct model_answer *answer)
{
    switch (entry->method) {
    case CARILLON__METHOD__METHOD_SUBMIT:
        return model__submit(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_WINDOW:
        return model__window_set(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_BLOCK:
        return model__block(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_PERMIT:
        return model__permit_set(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_CAP:
        return model__cap(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_LIMITS:
        return model__limits_set(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_IMPORT_BEGIN:
        return model__import_begin(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_IMPORT_CHUNK:
        return model__import_chunk(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_IMPORT_COMMIT:
        return model__import_commit(model, entry->body, answer);
    case CARILLON__METHOD__METHOD_IMPORT_ABORT:
        return model__import_abort(model, entry->body, answer);
    default:
        return ERR_METHOD;
    }
}

/* Rules 1 and 2 of section 2. */
static int key_check(const struct model *model, struct slice key)
{
    struct uuid uuid;
    uint64_t key_ms;

    if (key.len != UUID_BYTES) {
        return ERR_ARGUMENT;
    }
    memcpy(uuid.bytes, key.data, UUID_BYTES);
    if (!uuid_is_v7(&uuid)) {
        return ERR_ARGUMENT;
    }
    key_ms = uuid_unix_ms(&uuid);
    if (key_ms + 24 * (uint64_t)HOUR_MS < model->wall_ms) {
        return ERR_KEY_EXPIRED;
    }
    return key_ms > model->wall_ms + HOUR_MS ? ERR_ARGUMENT : OK;
}

/* Rule 3: what a key with an answer gives. */
static void answer_again(const struct model_answer *answer, const struct model_entry *entry,
                         struct model_result *ret_result)
{
    if (answer->method != entry->method ||
        !slice_is_equal(slice_from(answer->body, answer->body_len), entry->body)) {
        ret_result->status = ERR_KEY_REUSED;
        return;
    }
    ret_result->status = answer->status;
    ret_result->is_repeated = true;
    ret_result->index = answer->index;
    ret_result->reply = slice_from(answer->reply, answer->reply_len);
}

/* Rule 4. */
static void answer_first(struct model *model, const struct model_entry *entry,
                         struct model_result *ret_result)
{
    struct model_answer answer = {
        .method = entry->method,
        .body = model__alloc(entry->body.len),
        .body_len = entry->body.len,
        .index = entry->index,
        .wall_ms = entry->wall_ms,
    };

    memcpy(answer.key, entry->key.data, UUID_BYTES);
    if (entry->body.len > 0) {
        memcpy(answer.body, entry->body.data, entry->body.len);
    }
    answer.status = perform(model, entry, &answer);
    *MODEL_PUSH(model->answers) = answer;
    ret_result->status = answer.status;
    ret_result->reply = slice_from(answer.reply, answer.reply_len);
}

void model_apply(struct model *model, const struct model_entry *entry,
                 struct model_result *ret_result)
{
    const struct model_answer *former;

    ASSERT(entry->index > model->index);
    ASSERT(entry->wall_ms >= model->wall_ms);
    model->index = entry->index;
    model->term = entry->term;
    model->wall_ms = entry->wall_ms;
    model->notes.count = 0;
    model->settled_first = 0;
    *ret_result = (struct model_result){.status = OK, .index = entry->index};
    if (entry->method == 0) {
        model__queue_all(model);
        model__queue_run(model, MODEL_NONE);
        return;
    }
    ret_result->status = key_check(model, entry->key);
    if (ret_result->status != OK) {
        return;
    }
    former = model_answer_find(model, entry->key.data);
    if (former != NULL) {
        answer_again(former, entry, ret_result);
    } else {
        answer_first(model, entry, ret_result);
    }
    ASSERT(model->queue.count == 0);
}
