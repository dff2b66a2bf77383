"""A client's requests: pipelined over one connection, repeated where that is safe, ended exactly once.

The rules are those of the C library. A request is waiting (for a connection with room), sent, or paused (before it is
sent again). Three answers only: yes, no, or unknown (ERR_TIMEOUT). A change whose connection broke, or that was not
answered in time, is unknown, and stays so whatever a later attempt meets, unless that attempt is answered under the
same key. Repeated within the deadline: requests that change nothing, and changes that carry a key, when the
connection broke or the node says that the cause may pass; after a jittered exponential pause; while the budget lasts
(one window of retries, a tenth more for each answer), so that a struggling node is not buried under repetitions.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import random
from typing import Any, Dict, Optional

from ._frame import FRAME_BYTES_MAX
from ._link import Link
from ._request import Answer, Place, Request
from ._transport import Handshake, Transport, explain
from .errors import TABLE, CarillonError, make_error, number_of

ERR_BUSY = number_of("ERR_BUSY")
ERR_CANCELLED = number_of("ERR_CANCELLED")
ERR_CLOSED = number_of("ERR_CLOSED")
ERR_EOF = number_of("ERR_EOF")
ERR_INTERNAL = number_of("ERR_INTERNAL")
ERR_IO = number_of("ERR_IO")
ERR_REFUSED_CONNECT = number_of("ERR_REFUSED_CONNECT")
ERR_TIMEOUT = number_of("ERR_TIMEOUT")
ERR_TOO_LARGE = number_of("ERR_TOO_LARGE")

# Refused before the key was looked at.
NOT_OF_THE_KEY = {number_of("ERR_PERMISSION"), number_of("ERR_UNAUTHENTICATED"), number_of("ERR_FORBIDDEN")}

WAITING_MAX = 65535
DEADLINE_MAX = 24 * 3600.0  # a key lives no longer
ENVELOPE_BYTES_MAX = 64  # what a Request adds to its body, and some
CLOSE_TIMEOUT = 1.0  # for the other side to close as well
PAUSE_MIN = 0.010
PAUSE_MAX = 1.0
BUDGET_ANSWER = 1  # tenths of a retry that an answer earns
BUDGET_RETRY = 10  # tenths that a retry costs
BUDGET_RETRIES_MIN = 10


def pause_after(failures: int) -> float:
    """The pause, in seconds, after so many failures: exponential, the upper half drawn."""
    high = min(PAUSE_MIN * 2 ** min(failures, 8), PAUSE_MAX)
    return random.uniform(high / 2, high)


@dataclasses.dataclass
class Counters:
    """Numbers since the client was made."""

    requests: int = 0  # ended
    retries: int = 0
    connects: int = 0  # greeted connections
    lost: int = 0  # greeted connections that broke
    late: int = 0  # answers to requests that were given up


class Channel:
    """Belongs to one event loop, and so to one thread."""

    def __init__(self, transport: Transport, name: str, outstanding_max: int, connect_timeout: float, silence: float,
                 retry: bool) -> None:
        self.counters = Counters()
        self.node: Any = None  # the Welcome of the last connection
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._name = name
        self._outstanding_max = outstanding_max
        self._connect_timeout = connect_timeout
        self._silence = silence
        self._retry = retry
        self._waiting: collections.OrderedDict[int, Request] = collections.OrderedDict()
        self._paused: Dict[int, Request] = {}
        self._next_id = 1
        self._link: Optional[Link] = None  # greeted
        self._greeting: Optional[Link] = None
        self._connecting: Optional[asyncio.Task[None]] = None
        self._pause: Optional[asyncio.TimerHandle] = None  # before the next connection
        self._failures = 0  # of connections, in a row
        self._connect_status = 0
        self._connect_text = ""
        self._budget_max = max(outstanding_max, BUDGET_RETRIES_MIN) * BUDGET_RETRY
        self._budget = self._budget_max
        self._is_closed = False

    # ---- requests ----

    @property
    def outstanding(self) -> int:
        """How many requests have not ended."""
        return len(self._waiting) + len(self._paused) + (len(self._link.sent) if self._link is not None else 0)

    @property
    def in_flight(self) -> int:
        """How many the node has not answered, given up ones included."""
        return len(self._link.sent) + len(self._link.abandoned) if self._link is not None else 0

    async def call(self, method: int, changes: bool, key: bytes, body: bytes, deadline: float) -> Answer:
        """Send one request and wait for its end. Cancelling gives it up: its place is free at once."""
        if self._is_closed:
            raise make_error(ERR_CANCELLED, "the client is closed")
        if len(body) > FRAME_BYTES_MAX - ENVELOPE_BYTES_MAX:
            raise make_error(ERR_TOO_LARGE)
        if len(self._waiting) >= WAITING_MAX:
            raise make_error(ERR_BUSY, "too many requests wait for their turn")
        if not deadline > 0:  # not a number, too
            raise make_error(ERR_BUSY, "there was no time left; it was not sent")
        deadline = min(deadline, DEADLINE_MAX)
        request = Request(method, changes, key, body, self._loop.time() + deadline, self._loop.create_future())
        request.deadline_timer = self._loop.call_at(request.due, self._give_up, request)
        self._wait(request)
        self._dispatch()
        self._ensure_link()
        try:
            return await request.future
        finally:
            if request.place is not Place.ENDED:
                self._forget(request)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _wait(self, request: Request) -> None:
        request.place = Place.WAITING
        request.id = self._new_id()
        self._waiting[request.id] = request

    def _dispatch(self) -> None:
        link = self._link
        while link is not None and self._waiting and link.has_room:
            _, request = self._waiting.popitem(last=False)
            request.attempts += 1
            request.place = Place.SENT
            link.send(request, request.id)

    def _remove(self, request: Request) -> None:
        """Take it out of wherever it is."""
        if request.place is Place.WAITING:
            del self._waiting[request.id]
        elif request.place is Place.PAUSED:
            del self._paused[request.id]
        elif request.place is Place.SENT and self._link is not None and request.id in self._link.sent:
            self._link.abandon(request)

    def _end(self, request: Request, answer: Answer) -> None:
        self._remove(request)
        self.counters.requests += 1
        request.finish(answer)

    def _end_failed(self, request: Request, status: int, text: str = "") -> None:
        """End without an answer. Unknown is never turned into no: a change that may have happened ends with
        ERR_TIMEOUT, whatever its last attempt met."""
        if request.unknown and status != ERR_TIMEOUT:
            status, text = ERR_TIMEOUT, ""
        self._end(request, Answer(status, text, b"", request.attempts))

    def _forget(self, request: Request) -> None:
        """Its owner was cancelled."""
        was_sent = request.place is Place.SENT
        self._remove(request)
        request.place = Place.ENDED
        request.stop_timers()
        self.counters.requests += 1
        if was_sent:
            self._doubt()

    def _give_up(self, request: Request) -> None:
        """The deadline is there."""
        if request.place is Place.SENT:
            request.unknown = request.unknown or request.changes
            self._end_failed(request, ERR_TIMEOUT)
            self._doubt()
        elif request.status != 0:
            self._end_failed(request, request.status)
        elif self._connect_status != 0:
            self._end_failed(request, self._connect_status, self._connect_text)
        else:
            self._end_failed(request, ERR_BUSY, "the request found no place in time; it was not sent")

    def _doubt(self) -> None:
        """A request was given up: a connection that has been silent for too long is replaced, for a peer that vanished
        without a word would otherwise hold our requests for ever."""
        if self._link is not None and self._link.is_silent(self._silence):
            self._link.fail(ERR_CLOSED, "the node has fallen silent")

    # ---- again ----

    def _pause_request(self, request: Request, at_least: float = 0.0) -> bool:
        """Put it aside to be sent again. False when it may not be, or there is no time or budget left."""
        if not self._retry or self._is_closed or self._budget < BUDGET_RETRY or not request.repeatable:
            return False
        resume = self._loop.time() + max(pause_after(request.attempts), at_least)
        if resume >= request.due:
            return False
        self._budget -= BUDGET_RETRY
        self.counters.retries += 1
        request.place = Place.PAUSED
        request.id = self._new_id()
        self._paused[request.id] = request
        request.pause_timer = self._loop.call_at(resume, self._resume, request)
        return True

    def _resume(self, request: Request) -> None:
        del self._paused[request.id]
        self._wait(request)
        self._dispatch()
        self._ensure_link()

    # ---- what the link says ----

    def link_ready(self, link: Link) -> None:
        welcome = link.welcome
        link.room_max = min(welcome.outstanding_max or 1, self._outstanding_max)
        self.node = welcome
        self._greeting = None
        self._link = link
        self._failures = 0
        self._connect_status = 0
        self.counters.connects += 1
        self._dispatch()

    def link_answered(self, link: Link, request: Request, reply: Any) -> None:
        status = reply.status if reply.status == 0 or reply.status in TABLE else ERR_INTERNAL
        request.status = status
        if status == ERR_TIMEOUT and request.changes:
            request.unknown = True
        if status != 0 and TABLE[status].retryable:
            if not self._pause_request(request, reply.retry_after_ms / 1000):
                self._end_failed(request, status, reply.text)
            return
        self._budget = min(self._budget + BUDGET_ANSWER, self._budget_max)
        if status in NOT_OF_THE_KEY and request.unknown:
            # It says nothing of what an earlier attempt has done.
            self._end_failed(request, status, reply.text)
            return
        self._end(request, Answer(status, reply.text, reply.body, request.attempts))

    def link_drained(self, link: Link) -> None:
        if link is self._link:
            self._dispatch()

    def link_lost(self, link: Link, status: int, text: str) -> None:
        was_ready = link is self._link
        if was_ready:
            self._link = None
        elif link is self._greeting:
            self._greeting = None
        else:
            return
        self._note_failure(status, text)
        if not was_ready:
            self._refuse()
            return
        self.counters.lost += 1
        requests = list(link.sent.values())
        link.sent.clear()
        for request in requests:
            request.status = self._connect_status
            request.unknown = request.unknown or request.changes
            can_pass = TABLE[request.status].retryable or request.status == ERR_IO
            if not (can_pass and self._pause_request(request)):
                self._end_failed(request, request.status, self._connect_text)

    # ---- connections ----

    def _note_failure(self, status: int, text: str) -> None:
        if status not in TABLE:
            status = ERR_INTERNAL
        self._connect_status = status
        self._connect_text = f"{text or TABLE[status].text} ({self._transport.address})"
        self._failures += 1
        if not self._is_closed and self._pause is None:
            self._pause = self._loop.call_later(pause_after(self._failures), self._pause_over)

    def _pause_over(self) -> None:
        self._pause = None
        self._ensure_link()

    def _refuse(self) -> None:
        """No connection can be had. Before a node was ever spoken to that is an answer; later it is worth waiting for,
        unless the failure says something about the node rather than the moment."""
        status = self._connect_status
        is_final = not TABLE[status].retryable and status not in (ERR_IO, ERR_EOF)
        if is_final or self.counters.connects == 0:
            for request in list(self._waiting.values()):
                self._end_failed(request, status, self._connect_text)

    def _ensure_link(self) -> None:
        if (self._is_closed or self._link is not None or self._connecting is not None or self._pause is not None
                or not self._waiting):
            return
        self._connecting = self._loop.create_task(self._connect())

    async def connect(self) -> None:
        """Connect and be greeted, once. Raises what the attempt met."""
        while self._link is None and not self._is_closed:
            if self._pause is not None:
                self._pause.cancel()
                self._pause = None
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect())
            await asyncio.wait({self._connecting})
            if self._link is None and self._connect_status != 0:
                raise make_error(self._connect_status, self._connect_text)
        if self._is_closed:
            raise make_error(ERR_CANCELLED, "the client is closed")

    async def _connect(self) -> None:
        """One attempt, from the socket to the greeting, within `connect_timeout`."""
        try:
            await asyncio.wait_for(self._greet(), self._connect_timeout)
        except asyncio.TimeoutError:
            # Nothing was asked yet: no answer here means that nobody is there, not that an outcome is unknown.
            self._attempt_failed(ERR_REFUSED_CONNECT, "nothing answers at that address in time" if not self._is_greeting
                                 else "the connection was taken, but nothing greets there")
        except (OSError, ValueError, CarillonError) as error:
            self._attempt_failed(*explain(error))
        finally:
            self._connecting = None
        self._ensure_link()

    async def _greet(self) -> None:
        link: Optional[Link] = None

        def make_link(handshake: Handshake) -> Link:
            nonlocal link
            link = self._greeting = Link(self, self._name, handshake)
            return link

        await self._transport.connect(make_link)
        assert link is not None
        await link.greeted

    @property
    def _is_greeting(self) -> bool:
        return self._greeting is not None and self._greeting.is_connected

    def _attempt_failed(self, status: int, text: str) -> None:
        if self._greeting is not None:
            self._greeting.fail(status, text)
            return
        self._note_failure(status, text)
        self._refuse()

    # ---- the end ----

    async def close(self) -> None:
        """End every request that has not ended with ERR_CANCELLED (one that may have changed something: ERR_TIMEOUT),
        and close the connection."""
        self._is_closed = True
        link, greeting, connecting = self._link, self._greeting, self._connecting
        sent = list(link.sent.values()) if link is not None else []
        for request in sent:
            request.unknown = request.unknown or request.changes
        for request in sent + list(self._waiting.values()) + list(self._paused.values()):
            self._end_failed(request, ERR_CANCELLED)
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if connecting is not None:
            connecting.cancel()
            await asyncio.wait({connecting})
        for each in (link, greeting):
            if each is not None:
                each.close()
                await each.wait_closed(CLOSE_TIMEOUT)
        self._link = self._greeting = None
