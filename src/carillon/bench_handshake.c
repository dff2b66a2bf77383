/* New connections by TLS: how many a second, and what one costs the node, with the whole
 * handshake and with a resumed session. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "carillon/bench.h"
#include "identity/credential.h"
#include "proto/envelope.pb-c.h"
#include "proto/operator.pb-c.h"
#include "wire/message.h"

enum { SLOTS_MAX = 256, OUT_BYTES = 4096, HELLO_MAGIC = 0x43524c4e, TURN_MS = 20 };

struct load;

/* One connection after another. */
struct slot {
    struct io_stream stream;
    struct load *load;
    bool is_open;
};

struct load {
    struct io *io;
    const struct credential *credential;
    struct identity_key root;
    const char *address;
    uint16_t port;
    struct io_tls *shared; /* of resumed sessions; NULL: each connection has its own */
    struct buf hello;
    struct slot slots[SLOTS_MAX];
    uint32_t slot_count;
    uint32_t open_count;
    uint64_t done;
    uint64_t failed;
    uint64_t resumed;
    bool is_ending;
};

static enum io_refusal verify(void *context, struct slice certificate, struct slice issuer,
                              struct io_peer *ret_peer)
{
    struct load *load = context;
    struct identity_certificate read;
    struct identity_trust trust = {
        .root = &load->root, .roles = IDENTITY_ROLE_NODE, .wall_ms = io_wall_ms(load->io)};

    (void)issuer;
    (void)ret_peer;
    memcpy(trust.cluster, load->credential->cluster, sizeof trust.cluster);
    return identity_certificate_judge(&trust, certificate, &read);
}

static int tls_make(struct load *load, struct io_tls **ret_tls)
{
    const struct io_tls_options options = {.verify = verify, .context = load};

    return io_tls_create(load->io, &options, ret_tls);
}

/* ---- a connection ---- */

static void slot_connect(struct slot *slot);

static void slot_close(struct slot *slot)
{
    io_stream_close(slot->load->io, &slot->stream);
}

static void slot_on_closed(struct io_stream *stream)
{
    struct slot *slot = CONTAINER_OF(stream, struct slot, stream);
    struct load *load = slot->load;

    if (load->shared == NULL) {
        io_tls_destroy(load->io, stream->tls);
    }
    buf_fini(&stream->out);
    slot->is_open = false;
    load->open_count--;
    if (!load->is_ending) {
        slot_connect(slot);
    }
}

static void slot_on_connected(struct io_stream *stream, int status)
{
    struct slot *slot = CONTAINER_OF(stream, struct slot, stream);
    struct load *load = slot->load;

    if (status != OK) {
        load->failed++;
        slot_close(slot);
        return;
    }
    load->resumed += io_stream_peer(stream)->is_resumed;
    io_stream_resume(load->io, stream);
    int rc = buf_append_slice(&stream->out, buf_slice(&load->hello));

    ASSERT(rc == OK);
    io_stream_flush(load->io, stream);
}

/* The Welcome, which is short enough to come whole. */
static void slot_on_received(struct io_stream *stream, struct slice bytes)
{
    struct slot *slot = CONTAINER_OF(stream, struct slot, stream);

    (void)bytes;
    slot->load->done++;
    slot_close(slot);
}

static void slot_on_ended(struct io_stream *stream, int status)
{
    struct slot *slot = CONTAINER_OF(stream, struct slot, stream);

    (void)status;
    slot->load->failed++;
    slot_close(slot);
}

static void slot_connect(struct slot *slot)
{
    struct load *load = slot->load;

    slot->stream = (struct io_stream){.tls = load->shared,
                                      .connected = slot_on_connected,
                                      .received = slot_on_received,
                                      .ended = slot_on_ended,
                                      .closed = slot_on_closed};
    int rc = load->shared == NULL ? tls_make(load, &slot->stream.tls) : OK;

    buf_init(&slot->stream.out, OUT_BYTES);
    slot->is_open = true;
    load->open_count++;
    rc = rc == OK ? io_stream_connect(load->io, &slot->stream, load->address, load->port) : rc;
    ASSERT(rc == OK);
}

/* ---- a run ---- */

static void run_for(struct io_uv *world, struct load *load, uint64_t ms)
{
    uint64_t until = io_now_exact_ns(load->io) + ms * 1000000;

    load->is_ending = false;
    for (uint32_t i = 0; i < load->slot_count; i++) {
        load->slots[i].load = load;
        slot_connect(&load->slots[i]);
    }
    while (io_now_exact_ns(load->io) < until && !bench_is_interrupted()) {
        io_uv_run_once(world, TURN_MS);
    }
    load->is_ending = true;
    while (load->open_count > 0) {
        io_uv_run_once(world, TURN_MS);
    }
}

static int cpu_read(struct bench_session *session, uint64_t *ret_us)
{
    Carillon__StatusRequest request = CARILLON__STATUS_REQUEST__INIT;
    Carillon__StatusReply *reply = NULL;
    int rc = carillon_call_message(session->client, CARILLON__METHOD__METHOD_STATUS, NULL,
                                   &request.base, &carillon__status_reply__descriptor, &reply);

    *ret_us = rc == OK ? reply->cpu_user_us + reply->cpu_system_us : 0;
    carillon_message_free(reply);
    return rc;
}

static int measure(struct bench_session *session, struct load *load,
                   struct bench_report *report, bool is_resumed)
{
    uint64_t before = 0;
    uint64_t after = 0;
    int rc = is_resumed ? tls_make(load, &load->shared) : OK;

    load->done = load->failed = load->resumed = 0;
    rc = rc == OK ? cpu_read(session, &before) : rc;
    if (rc == OK) {
        run_for(session->world, load, session->options->window_ms);
        rc = cpu_read(session, &after);
    }
    io_tls_destroy(load->io, load->shared);
    load->shared = NULL;
    if (rc != OK) {
        return bench_session_fail(session, "cannot read the node's status", rc);
    }
    double seconds = (double)session->options->window_ms / 1000;
    double each = load->done == 0 ? 0 : (double)(after - before) / (double)load->done;

    bench_report_heading(report, is_resumed ? "resumed sessions" : "whole handshakes");
    bench_report_number(report, is_resumed ? "resumed_per_s" : "full_per_s", "a second",
                        (double)load->done / seconds, 0, "");
    bench_report_number(report, is_resumed ? "resumed_cpu_us" : "full_cpu_us",
                        "the node's processor, each", each, 1, "us");
    bench_report_number(report, is_resumed ? "resumed_short" : "full_short", "of them short",
                        (double)load->resumed, 0, "");
    bench_report_number(report, is_resumed ? "resumed_failed" : "full_failed", "failed",
                        (double)load->failed, 0, "");
    return load->failed == 0 ? OK : ERR_IO;
}

/* The Hello of every connection; what they connect with. */
static int load_prepare(struct bench_session *session, struct load *load)
{
    Carillon__Hello hello = CARILLON__HELLO__INIT;
    Carillon__Credential credential = CARILLON__CREDENTIAL__INIT;
    const char *colon = strrchr(session->address, ':');

    load->io = session->io;
    load->credential = carillon_credential(session->client);
    load->address = "127.0.0.1";
    load->port = colon == NULL ? 0 : (uint16_t)strtoul(colon + 1, NULL, 10);
    load->slot_count =
        session->options->outstanding < SLOTS_MAX ? session->options->outstanding : SLOTS_MAX;
    buf_init(&load->hello, OUT_BYTES);
    hello.magic = HELLO_MAGIC;
    hello.version_min = 1;
    hello.version_max = 1;
    hello.client = wire_text("carillon-bench");
    hello.credential = &credential;
    credential.kind = CARILLON__CREDENTIAL_KIND__CREDENTIAL_TOKEN;
    credential.token =
        wire_binary(slice_from(load->credential->secret, sizeof load->credential->secret));
    int rc = wire_pack_frame(&hello.base, &load->hello);

    return rc == OK ? identity_certificate_root_key(
                          buf_slice(&load->credential->root_certificate), &load->root)
                    : rc;
}

int bench_handshake(struct cli *cli, const struct bench_options *given)
{
    struct bench_options options = *given;
    struct bench_session session;
    struct bench_report report;
    static struct load load;

    options.is_tls = true;
    if (options.connect != NULL) {
        fprintf(cli->err, "carillon bench: handshake measures a node of its own\n");
        return EXIT_USAGE;
    }
    int rc = bench_session_open(&session, cli, &options, 1, 1);

    rc = rc == OK ? load_prepare(&session, &load) : rc;
    if (rc == OK) {
        bench_report_begin(&report, cli, "handshake");
        bench_report_number(&report, "connections", "connections at a time", load.slot_count, 0,
                            "");
        rc = measure(&session, &load, &report, false);
        rc = rc == OK ? measure(&session, &load, &report, true) : rc;
        bench_report_end(&report);
    }
    identity_key_fini(&load.root);
    identity_buf_wipe(&load.hello);
    bench_session_close(&session);
    return rc == OK ? EXIT_DONE : EXIT_FAILED;
}
