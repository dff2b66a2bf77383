/* io/io.c -- hands every io_* call to the world behind the struct io, and asserts what every
 * world relies on. */
#include "io/io.h"

#include "base/assert.h"

/* Which instruction of the caller is making a file call on this thread; for the simulation,
 * which must see every such place fail. */
static _Thread_local const void *call_site;

#define NOTE_CALL_SITE() (call_site = __builtin_return_address(0))

const void *io_call_site(void)
{
    return call_site;
}

uint64_t io_now_ns(struct io *io)
{
    ASSERT(io != NULL);
    return io->ops->now_ns(io);
}

uint64_t io_now_exact_ns(struct io *io)
{
    ASSERT(io != NULL);
    return io->ops->now_exact_ns(io);
}

uint64_t io_wall_ms(struct io *io)
{
    ASSERT(io != NULL);
    return io->ops->wall_ms(io);
}

uint64_t io_cpu_thread_ns(struct io *io)
{
    ASSERT(io != NULL);
    return io->ops->cpu_thread_ns(io);
}

void io_cpu_process(struct io *io, struct io_cpu *ret_used)
{
    ASSERT(io != NULL);
    ASSERT(ret_used != NULL);
    io->ops->cpu_process(io, ret_used);
}

void io_random(struct io *io, void *data, size_t len)
{
    ASSERT(io != NULL);
    ASSERT(data != NULL || len == 0);
    io->ops->random(io, data, len);
}

void io_timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms,
                    void (*fired)(struct io_timer *))
{
    ASSERT(io != NULL);
    ASSERT(timer != NULL);
    ASSERT(fired != NULL);
    ASSERT(delay_ms <= UINT64_MAX / 4 / 1000000);
    timer->fired = fired;
    io->ops->timer_start(io, timer, delay_ms);
}

void io_timer_stop(struct io *io, struct io_timer *timer)
{
    ASSERT(io != NULL);
    ASSERT(timer != NULL);
    io->ops->timer_stop(io, timer);
}

void io_turn_add(struct io *io, struct io_turn *turn, void (*ended)(struct io_turn *))
{
    ASSERT(io != NULL);
    ASSERT(turn != NULL);
    ASSERT(ended != NULL);
    turn->ended = ended;
    turn->again = false;
    io->ops->turn_add(io, turn);
}

void io_turn_remove(struct io *io, struct io_turn *turn)
{
    ASSERT(io != NULL);
    ASSERT(turn != NULL);
    io->ops->turn_remove(io, turn);
}

int io_file_open(struct io *io, const char *path, enum io_open how, struct io_file **ret_file)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    ASSERT(how >= IO_OPEN_READ && how <= IO_OPEN_PRIVATE);
    ASSERT(ret_file != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_open(io, path, how, ret_file);
}

void io_file_close(struct io *io, struct io_file *file)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    io->ops->file_close(io, file);
}

int io_file_read(struct io *io, struct io_file *file, uint64_t offset, void *data, size_t len,
                 size_t *ret_len)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    ASSERT(data != NULL || len == 0);
    ASSERT(offset <= INT64_MAX - len);
    ASSERT(ret_len != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_read(io, file, offset, data, len, ret_len);
}

int io_file_write(struct io *io, struct io_file *file, uint64_t offset, const void *data,
                  size_t len)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    ASSERT(data != NULL || len == 0);
    ASSERT(offset <= INT64_MAX - len);
    NOTE_CALL_SITE();
    return io->ops->file_write(io, file, offset, data, len);
}

int io_file_sync(struct io *io, struct io_file *file)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_sync(io, file);
}

int io_file_size(struct io *io, struct io_file *file, uint64_t *ret_size)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    ASSERT(ret_size != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_size(io, file, ret_size);
}

int io_file_truncate(struct io *io, struct io_file *file, uint64_t size)
{
    ASSERT(io != NULL);
    ASSERT(file != NULL);
    ASSERT(size <= INT64_MAX);
    NOTE_CALL_SITE();
    return io->ops->file_truncate(io, file, size);
}

int io_file_rename(struct io *io, const char *from, const char *to)
{
    ASSERT(io != NULL);
    ASSERT(from != NULL);
    ASSERT(to != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_rename(io, from, to);
}

int io_file_remove(struct io *io, const char *path)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    NOTE_CALL_SITE();
    return io->ops->file_remove(io, path);
}

int io_folder_make(struct io *io, const char *path)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    NOTE_CALL_SITE();
    return io->ops->folder_make(io, path);
}

int io_folder_sync(struct io *io, const char *path)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    NOTE_CALL_SITE();
    return io->ops->folder_sync(io, path);
}

int io_folder_list(struct io *io, const char *path,
                   int (*found)(void *context, const char *name), void *context)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    ASSERT(found != NULL);
    NOTE_CALL_SITE();
    return io->ops->folder_list(io, path, found, context);
}

int io_folder_free_bytes(struct io *io, const char *path, uint64_t *ret_bytes)
{
    ASSERT(io != NULL);
    ASSERT(path != NULL);
    ASSERT(ret_bytes != NULL);
    NOTE_CALL_SITE();
    return io->ops->folder_free_bytes(io, path, ret_bytes);
}

int io_folder_lock(struct io *io, const char *folder, struct io_file **ret_lock)
{
    ASSERT(io != NULL);
    ASSERT(folder != NULL);
    ASSERT(ret_lock != NULL);
    NOTE_CALL_SITE();
    return io->ops->folder_lock(io, folder, ret_lock);
}

void io_folder_unlock(struct io *io, struct io_file *lock)
{
    ASSERT(io != NULL);
    ASSERT(lock != NULL);
    io->ops->folder_unlock(io, lock);
}

void io_lane_submit(struct io *io, enum io_lane lane, struct io_job *job)
{
    ASSERT(io != NULL);
    ASSERT(lane < IO_LANE_NR);
    ASSERT(job != NULL);
    ASSERT(job->run != NULL);
    ASSERT(job->done != NULL);
    io->ops->lane_submit(io, lane, job);
}

void io_lane_wait(struct io *io, enum io_lane lane)
{
    ASSERT(io != NULL);
    ASSERT(lane < IO_LANE_NR);
    io->ops->lane_wait(io, lane);
}

void io_ask(struct io *io, void (*asked)(void *context), void *context)
{
    ASSERT(io != NULL);
    ASSERT(asked != NULL);
    io->ops->ask(io, asked, context);
}

int io_stream_connect(struct io *io, struct io_stream *stream, const char *address,
                      uint16_t port)
{
    ASSERT(io != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->world == NULL);
    ASSERT(stream->connected != NULL);
    ASSERT(stream->received != NULL);
    ASSERT(stream->ended != NULL);
    ASSERT(stream->closed != NULL);
    ASSERT(address != NULL);
    return io->ops->stream_connect(io, stream, address, port);
}

void io_stream_flush(struct io *io, struct io_stream *stream)
{
    ASSERT(io != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->world != NULL);
    io->ops->stream_flush(io, stream);
}

void io_stream_pause(struct io *io, struct io_stream *stream)
{
    ASSERT(io != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->world != NULL);
    io->ops->stream_pause(io, stream);
}

void io_stream_resume(struct io *io, struct io_stream *stream)
{
    ASSERT(io != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->world != NULL);
    io->ops->stream_resume(io, stream);
}

size_t io_stream_unsent(const struct io_stream *stream)
{
    ASSERT(stream != NULL);
    if (stream->world == NULL) {
        return 0;
    }
    /* The one call without a struct io: a world's own part of a stream begins with a pointer to
     * it. */
    const struct io *io = *(struct io *const *)stream->world;
    return io->ops->stream_unsent(stream);
}

const struct io_peer *io_stream_peer(const struct io_stream *stream)
{
    ASSERT(stream != NULL);
    ASSERT(stream->world != NULL);
    const struct io *io = *(struct io *const *)stream->world;
    return io->ops->stream_peer(stream);
}

void io_stream_close(struct io *io, struct io_stream *stream)
{
    ASSERT(io != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->closed != NULL);
    io->ops->stream_close(io, stream);
}

int io_listen(struct io *io, struct io_listener *listener, const char *address, uint16_t port,
              uint16_t *ret_port)
{
    ASSERT(io != NULL);
    ASSERT(listener != NULL);
    ASSERT(listener->incoming != NULL);
    ASSERT(listener->closed != NULL);
    ASSERT(address != NULL);
    ASSERT(ret_port != NULL);
    return io->ops->listen(io, listener, address, port, ret_port);
}

int io_accept(struct io *io, struct io_listener *listener, struct io_stream *stream)
{
    ASSERT(io != NULL);
    ASSERT(listener != NULL);
    ASSERT(listener->world != NULL);
    ASSERT(stream != NULL);
    ASSERT(stream->world == NULL);
    ASSERT(stream->received != NULL);
    ASSERT(stream->ended != NULL);
    ASSERT(stream->closed != NULL);
    return io->ops->accept(io, listener, stream);
}

void io_listener_close(struct io *io, struct io_listener *listener)
{
    ASSERT(io != NULL);
    ASSERT(listener != NULL);
    ASSERT(listener->world != NULL);
    io->ops->listener_close(io, listener);
}

int io_datagrams_open(struct io *io, struct io_datagrams *datagrams, const char *address,
                      uint16_t port, uint16_t *ret_port)
{
    ASSERT(io != NULL);
    ASSERT(datagrams != NULL);
    ASSERT(datagrams->received != NULL);
    ASSERT(datagrams->closed != NULL);
    ASSERT(address != NULL);
    ASSERT(ret_port != NULL);
    return io->ops->datagrams_open(io, datagrams, address, port, ret_port);
}

int io_datagrams_send(struct io *io, struct io_datagrams *datagrams, const char *address,
                      uint16_t port, struct slice bytes)
{
    ASSERT(io != NULL);
    ASSERT(datagrams != NULL);
    ASSERT(datagrams->world != NULL);
    ASSERT(address != NULL);
    ASSERT(port != 0);
    ASSERT(bytes.len > 0);
    ASSERT(bytes.len <= IO_DATAGRAM_BYTES_MAX);
    return io->ops->datagrams_send(io, datagrams, address, port, bytes);
}

void io_datagrams_close(struct io *io, struct io_datagrams *datagrams)
{
    ASSERT(io != NULL);
    ASSERT(datagrams != NULL);
    ASSERT(datagrams->world != NULL);
    io->ops->datagrams_close(io, datagrams);
}

int io_tls_create(struct io *io, const struct io_tls_options *options, struct io_tls **ret_tls)
{
    ASSERT(io != NULL);
    ASSERT(options != NULL);
    ASSERT(options->verify != NULL);
    ASSERT(ret_tls != NULL);
    return io->ops->tls_create(io, options, ret_tls);
}

int io_tls_renew(struct io *io, struct io_tls *tls, const struct io_tls_options *options)
{
    ASSERT(io != NULL);
    ASSERT(tls != NULL);
    ASSERT(options != NULL);
    return io->ops->tls_renew(io, tls, options);
}

void io_tls_destroy(struct io *io, struct io_tls *tls)
{
    ASSERT(io != NULL);
    io->ops->tls_destroy(io, tls);
}
