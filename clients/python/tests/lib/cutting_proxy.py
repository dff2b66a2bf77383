"""Stands between client and daemon and ends the daemon between a request and its answer."""

import asyncio

from carillon._frame import FrameReader, encode
from carillon.messages import envelope_pb2, registration_pb2


class CuttingProxy:
    """Passes everything on until it is armed. Then the next request, or the next answer, calls `kill`; what comes
    after that, and an answer that was armed for, never reaches the client. Connections are closed at once until
    `daemon_port` says where the daemon listens again: a Hello that waited for that would be older than its listening,
    and refused."""

    def __init__(self):
        self.port = 0
        self.daemon_port = 0
        self.swallowed = {}  # key -> receipt index, of answers that were given and not passed on
        self.seen = set()  # keys that came by
        self.repeated = set()  # more than once
        self._armed = None
        self._kill = None
        self._server = None
        self._writers = set()
        self._tasks = set()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def arm(self, moment, kill):
        """`moment`: "request" or "answer". `kill()` ends the daemon and returns when it has ended."""
        self._armed = moment
        self._kill = kill

    def cut(self):
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        keys = {}
        upstream = None
        try:
            if self.daemon_port == 0:
                raise ConnectionError
            down, upstream = await asyncio.open_connection("127.0.0.1", self.daemon_port)
            self._writers.add(upstream)
            await asyncio.gather(self._pass_requests(reader, upstream, keys), self._pass_answers(down, writer, keys))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, upstream):
                if each is not None:
                    each.transport.abort()
                    self._writers.discard(each)

    async def _fire(self):
        kill, self._armed, self._kill = self._kill, None, None
        self.daemon_port = 0
        await kill()
        self.cut()

    async def _pass_requests(self, reader, upstream, keys):
        frames = FrameReader()
        is_greeted = False
        while True:
            data = await reader.read(1 << 16)
            if not data:
                raise ConnectionError
            has_request = False
            for payload in frames.feed(data):
                if is_greeted:
                    request = envelope_pb2.Request.FromString(payload)
                    keys[request.id] = request.key
                    (self.repeated if request.key in self.seen else self.seen).add(request.key)
                    has_request = True
                is_greeted = True
            upstream.write(data)
            await upstream.drain()
            if has_request and self._armed == "request":
                await self._fire()

    async def _pass_answers(self, down, writer, keys):
        frames = FrameReader()
        is_greeted = False
        while True:
            data = await down.read(1 << 16)
            if not data:
                raise ConnectionError
            for payload in frames.feed(data):
                if is_greeted and self._armed == "answer":
                    self._armed = "answers"
                if is_greeted and self._armed == "answers":
                    self._swallow(envelope_pb2.Reply.FromString(payload), keys)
                else:
                    writer.write(encode(payload))
                is_greeted = True
            if self._armed == "answers":
                await self._fire()

    def _swallow(self, reply, keys):
        if reply.status == 0 and keys.get(reply.id):
            self.swallowed[keys[reply.id]] = registration_pb2.SubmitReply.FromString(reply.body).receipt.index
