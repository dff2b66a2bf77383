"""A node that does what a test tells it: one coroutine answers every request, and connections break on demand."""

import asyncio
import os

from carillon._credential import _places
from carillon._frame import FrameReader, encode
from carillon.messages import envelope_pb2


class Connection:
    """One accepted connection of a FakeNode."""

    def __init__(self, node, reader, writer):
        self.node = node
        self.writer = writer
        self._reader = reader
        self.requests = []

    def answer(self, request, body=None, status=0, text="", retry_after_ms=0, request_id=None):
        reply = envelope_pb2.Reply(id=request.id if request_id is None else request_id, status=status, text=text,
                                   retry_after_ms=retry_after_ms,
                                   body=body.SerializeToString() if body is not None else b"")
        self.writer.write(encode(reply.SerializeToString()))

    def cut(self):
        if not self.writer.transport.is_closing():
            self.writer.transport.abort()

    async def run(self):
        frames = FrameReader()
        is_greeted = False
        while True:
            data = await self._reader.read(1 << 16)
            if not data:
                return
            for payload in frames.feed(data):
                if not is_greeted:
                    is_greeted = True
                    self.node.hellos.append(envelope_pb2.Hello.FromString(payload))
                    if self.node.welcome is not None:
                        self.writer.write(encode(self.node.welcome.SerializeToString()))
                    continue
                request = envelope_pb2.Request.FromString(payload)
                self.requests.append(request)
                self.node.requests.append(request)
                self.node.handle(self, request)


class FakeNode:
    """Listens on a port of its own. `handle(connection, request)` is called for every request; `welcome` is what it
    greets with, None for silence."""

    def __init__(self, handle=None, welcome=None):
        self.handle = handle or (lambda connection, request: None)
        self.welcome = welcome or envelope_pb2.Welcome(version=1, node_version="fake", outstanding_max=1024,
                                                       frame_bytes_max=1 << 20, cluster_id=bytes(16),
                                                       node_id=bytes(16))
        self.hellos = []
        self.requests = []
        self.connections = []
        self._server = None
        self.port = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def _accept(self, reader, writer):
        connection = Connection(self, reader, writer)
        self.connections.append(connection)
        try:
            await connection.run()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        # A daemon that was killed on this machine may have left a credential for its port, which is not this node's.
        while self.port == 0 and any(map(os.path.exists, _places("127.0.0.1", self._own_port, True))):
            self._server.close()
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._own_port

    @property
    def _own_port(self):
        return self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Stop listening and cut every connection."""
        self._server.close()
        for connection in self.connections:
            connection.cut()
        await self._server.wait_closed()

    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()
