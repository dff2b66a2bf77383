"""One connection: the greeting, frames in and out, and what is unanswered on it."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Dict, List, Optional, Set, Tuple

from google.protobuf.message import DecodeError

from ._frame import FrameError, FrameReader, encode
from ._request import Request
from ._transport import Handshake, explain
from .errors import CarillonError, number_of
from .messages import envelope_pb2

HELLO_MAGIC = 0x43524C4E
PROTOCOL_VERSION = 1

PROBE_ID = 1  # asks a node whether it is there, by a method that no node has: any answer will do
PROBE = 1.0  # of silence, before that is asked; and again before the node is left

ERR_CLOSED = number_of("ERR_CLOSED")
ERR_MALFORMED = number_of("ERR_MALFORMED")
ERR_VERSION = number_of("ERR_VERSION")


class Link(asyncio.Protocol):
    """Belongs to a channel, which it tells `link_ready`, `link_answered`, `link_drained` and (once) `link_lost`."""

    def __init__(self, channel: Any, peer: Any, name: str, handshake: Handshake) -> None:
        self.channel = channel
        self.peer = peer  # where it leads
        self.answers = 0
        self._probe_timer: Optional[asyncio.TimerHandle] = None
        self._is_probed = False
        self.sent: Dict[int, Request] = {}
        self.abandoned: Set[int] = set()  # given up, and counted until the node answers, for the node counts so
        self.welcome: Any = None
        self.room_max = 0
        self.heard = 0.0  # when it last said something, or had nothing to say
        self._name = name
        self._handshake = handshake
        self._reader = FrameReader()
        self._loop = asyncio.get_running_loop()
        self._transport: Optional[asyncio.Transport] = None
        self._out: List[bytes] = []
        self._is_writable = True
        self._is_lost = False
        self.greeted: asyncio.Future[None] = self._loop.create_future()  # or lost before it was
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # ---- for the channel ----

    @property
    def is_connected(self) -> bool:
        return self._transport is not None

    @property
    def has_room(self) -> bool:
        return self._is_writable and len(self.sent) + len(self.abandoned) < self.room_max

    def send(self, request: Request, request_id: int) -> None:
        """Append a request; what one turn of the loop appends leaves in one write."""
        now = self._loop.time()
        message = envelope_pb2.Request(id=request_id, method=request.method, key=request.key, body=request.body,
                                       deadline_ms=max(int((request.due - now) * 1000), 0) + 1,
                                       stale_ok=request.stale_ok)
        if not self.sent and not self.abandoned:
            self.heard = now  # silence begins with something to say
            self._is_probed = False
        self.sent[request_id] = request
        self._append(encode(message.SerializeToString()))
        if self._probe_timer is None and self.channel.has_others:
            self._probe_timer = self._loop.call_later(PROBE, self._probe)

    def _probe(self) -> None:
        """A node that says nothing while others could answer is asked whether it is there, and left when it is not: a
        machine that lost its power says no word."""
        self._probe_timer = None
        if self._is_lost or not self.sent:
            return
        left = self.heard + (2 if self._is_probed else 1) * PROBE - self._loop.time()
        if left <= 0 and self._is_probed:
            self.fail(ERR_CLOSED, "the node has fallen silent")
            return
        if left <= 0:
            self._is_probed = True
            self._append(encode(envelope_pb2.Request(id=PROBE_ID).SerializeToString()))
            left = PROBE
        self._probe_timer = self._loop.call_later(left, self._probe)

    def _stop_probing(self) -> None:
        if self._probe_timer is not None:
            self._probe_timer.cancel()
            self._probe_timer = None

    def abandon(self, request: Request) -> None:
        """Nobody waits for this answer any more."""
        del self.sent[request.id]
        self.abandoned.add(request.id)

    def is_silent(self, silence: float) -> bool:
        return self._loop.time() - self.heard >= silence

    def fail(self, status: int, text: str = "") -> None:
        """Close because of `status`; the channel is told at once."""
        if self._is_lost:
            return
        self._is_lost = True
        self._stop_probing()
        if self._transport is not None:
            self._transport.abort()
        self._settle(self.greeted)
        self.channel.link_lost(self, status, text)

    def close(self) -> None:
        """Close for good, without a word to the channel."""
        self._is_lost = True
        self._stop_probing()
        if self._transport is not None:
            self._flush()
            self._transport.close()
        else:
            self._settle(self.closed)
        self._settle(self.greeted)

    async def wait_closed(self, timeout: float) -> None:
        """After close(): until the other side has closed as well, or for `timeout` seconds at most."""
        await asyncio.wait({self.closed}, timeout=timeout)
        if not self.closed.done() and self._transport is not None:
            self._transport.abort()

    @staticmethod
    def _settle(future: asyncio.Future[None]) -> None:
        if not future.done():
            future.set_result(None)

    # ---- out ----

    def _append(self, frame: bytes) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(frame)

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # ---- in ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._is_lost:
            transport.abort()
            return
        hello = envelope_pb2.Hello(magic=HELLO_MAGIC, version_min=PROTOCOL_VERSION, version_max=PROTOCOL_VERSION,
                                   client=self._name)
        try:
            self._handshake.check_peer(transport)
        except CarillonError as error:
            self.fail(error.number, error.text)
            return
        self._handshake.introduce(hello)
        self._append(encode(hello.SerializeToString()))

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        self._is_probed = False
        try:
            for payload in self._reader.feed(data):
                if self._is_lost:
                    return
                self._receive(payload)
        except FrameError:
            self.fail(ERR_MALFORMED, "what listens there sends frames that are too long")
        if not self._is_lost:
            self.channel.link_drained(self)

    def _receive(self, payload: bytes) -> None:
        if self.welcome is None:
            self._greet(payload)
            return
        try:
            reply = envelope_pb2.Reply.FromString(payload)
        except DecodeError:
            self.fail(ERR_MALFORMED, "the node's answer could not be read")
            return
        if reply.id == 0 and reply.status != 0:  # no request of ours: it speaks for the whole connection, and ends it
            self.fail(reply.status, reply.text)
            return
        if reply.id == PROBE_ID:
            return  # it is there: that was all we asked
        request = self.sent.get(reply.id)
        if request is not None and reply.HasField("stale") and not request.stale_ok:
            self.fail(ERR_MALFORMED, "an old state was shown to who had not asked for it")
            return
        self.answers += 1
        if reply.HasField("cluster"):
            self.channel.link_told(self, reply.cluster)
        if request is not None:
            del self.sent[reply.id]
            self.channel.link_answered(self, request, reply)
        elif reply.id in self.abandoned:
            self.abandoned.discard(reply.id)
            self.channel.counters.late += 1
        else:
            self.fail(ERR_MALFORMED, "the node's answer could not be read")  # an answer to what was not asked

    def _greet(self, payload: bytes) -> None:
        status, text = self._read_welcome(payload)
        if status != 0:
            self.fail(status, text)
            return
        self._settle(self.greeted)
        self.channel.link_ready(self)

    def _read_welcome(self, payload: bytes) -> Tuple[int, str]:
        try:
            welcome = envelope_pb2.Welcome.FromString(payload)
        except DecodeError:
            return ERR_MALFORMED, "what listens there is not a Carillon node"
        if welcome.status != 0:
            return welcome.status, welcome.text
        if welcome.version != PROTOCOL_VERSION:
            return ERR_VERSION, welcome.text
        try:
            self._handshake.check_welcome(welcome)
            self.channel.check_cluster(welcome.cluster_id)
        except CarillonError as error:
            return error.number, error.text
        self.welcome = welcome
        return 0, ""

    # ---- the transport's other words ----

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self.channel.link_drained(self)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self._settle(self.closed)
        # A refusal comes as an alert in place of the Welcome; later an error of TLS is a connection that broke.
        if self.welcome is None and (exc is None or isinstance(exc, ConnectionError)):
            self.fail(ERR_CLOSED, "the node has closed the connection in place of a greeting")
        elif exc is None or isinstance(exc, ssl.SSLError) and self.welcome is not None:
            self.fail(ERR_CLOSED, "the node has closed the connection")
        else:
            self.fail(*explain(exc))
