"""A client's requests: pipelined over one connection, to one node or another of the cluster, repeated where that is safe, ended exactly once.

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
from typing import Any, Dict, Optional, Set

from ._frame import FRAME_BYTES_MAX
from ._link import Link
from ._peers import Peer, Peers
from ._request import Answer, Place, Request
from ._transport import Handshake, explain
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

# The node says of itself that it is not the one to ask.
ANOTHER_IS_BETTER = {number_of("ERR_NOT_LEADER"), number_of("ERR_STOPPED")}

# Refused before the key was looked at.
NOT_OF_THE_KEY = {number_of("ERR_PERMISSION"), number_of("ERR_UNAUTHENTICATED"), number_of("ERR_FORBIDDEN")}

WAITING_MAX = 65535
DEADLINE_MAX = 24 * 3600.0  # a key lives no longer
ENVELOPE_BYTES_MAX = 64  # what a Request adds to its body, and some
LEAVE_TIMEOUT = 2.0  # a connection that is left may take to answer what was sent
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

    def __init__(self, peers: Peers, name: str, outstanding_max: int, connect_timeout: float, silence: float,
                 retry: bool) -> None:
        self.counters = Counters()
        self.node: Any = None  # the Welcome of the last connection
        self._loop = asyncio.get_running_loop()
        self._peers = peers
        self._name = name
        self._outstanding_max = outstanding_max
        self._connect_timeout = connect_timeout
        self._silence = silence
        self._retry = retry
        self._waiting: collections.OrderedDict[int, Request] = collections.OrderedDict()
        self._paused: Dict[int, Request] = {}
        self._next_id = 1
        self._link: Optional[Link] = None  # greeted
        self._leaving: Set[Link] = set()  # greeted, and take nothing more: another one has taken over
        self._greeting: Optional[Link] = None
        self._connecting: Optional[asyncio.Task[None]] = None
        self._pause: Optional[asyncio.TimerHandle] = None  # before the next connection
        self._failures = 0  # of connections, in a row
        self._connect_status = 0
        self._connect_text = ""
        self._is_refused = False  # since connect() was called every peer has failed
        self._budget_max = max(outstanding_max, BUDGET_RETRIES_MIN) * BUDGET_RETRY
        self._budget = self._budget_max
        self._is_closed = False

    # ---- requests ----

    @property
    def outstanding(self) -> int:
        """How many requests have not ended."""
        return len(self._waiting) + len(self._paused) + sum(len(link.sent) for link in self._links)

    @property
    def in_flight(self) -> int:
        """How many the node has not answered, given up ones included."""
        return sum(len(link.sent) + len(link.abandoned) for link in self._links)

    @property
    def _links(self) -> Set[Link]:
        return self._leaving | ({self._link} if self._link is not None else set())

    async def call(self, method: int, changes: bool, key: bytes, body: bytes, deadline: float,
                   stale_ok: bool = False, of_one_node: bool = False) -> Answer:
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
        request = Request(method, changes, key, body, self._loop.time() + deadline, self._loop.create_future(),
                          stale_ok, of_one_node)
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
            request.link = link
            link.send(request, request.id)

    def _remove(self, request: Request) -> None:
        """Take it out of wherever it is."""
        if request.place is Place.WAITING:
            del self._waiting[request.id]
        elif request.place is Place.PAUSED:
            del self._paused[request.id]
        elif request.place is Place.SENT and request.id in request.link.sent:
            request.link.abandon(request)
            self._settle(request.link)

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
            self._doubt(request.link)

    def _give_up(self, request: Request) -> None:
        """The deadline is there."""
        if request.place is Place.SENT:
            request.unknown = request.unknown or request.changes
            self._end_failed(request, ERR_TIMEOUT)
            self._doubt(request.link)
        elif request.status != 0:
            self._end_failed(request, request.status)
        elif self._connect_status != 0:
            self._end_failed(request, self._connect_status, self._connect_text)
        else:
            self._end_failed(request, ERR_BUSY, "the request found no place in time; it was not sent")

    def _doubt(self, link: Link) -> None:
        """A request was given up: a connection that has been silent for too long is replaced, for a peer that vanished
        without a word would otherwise hold our requests for ever."""
        if link in self._links and link.is_silent(self._silence):
            link.fail(ERR_CLOSED, "the node has fallen silent")

    # ---- again ----

    def _pause_request(self, request: Request, at_least: float = 0.0) -> bool:
        """Put it aside to be sent again. False when it may not be, or there is no time or budget left."""
        if not self._retry or self._is_closed or self._budget < BUDGET_RETRY or not request.repeatable:
            return False
        if request.of_one_node and self.has_others:
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
        old, self._link = self._link, link
        self._failures = 0
        self._connect_status = 0
        self.counters.connects += 1
        self._peers.greeted(link.peer, welcome)
        if old is not None:
            self._leave(old)
        self._dispatch()

    def link_told(self, link: Link, cluster: Any) -> None:
        self._peers.learn(link.peer, cluster)

    @property
    def has_others(self) -> bool:
        """Whether more than one node is known."""
        return len(self._peers.all) > 1

    def check_cluster(self, cluster: bytes) -> None:
        self._peers.check_cluster(cluster)

    # ---- from one node to another ----

    def _leave(self, link: Link) -> None:
        """It takes nothing more, and closes when what was sent on it is answered; what is not in time is asked again
        elsewhere, under the same keys."""
        self._leaving.add(link)
        self._loop.call_later(LEAVE_TIMEOUT, self._leave_now, link)
        self._settle(link)

    def _settle(self, link: Link) -> None:
        if link in self._leaving and not link.sent:
            self._leaving.discard(link)
            link.close()

    def _leave_now(self, link: Link) -> None:
        if link in self._leaving:
            self._leaving.discard(link)
            link.close()
            self._resend(link, ERR_CLOSED, "")

    def _look_around(self, link: Link, status: int) -> None:
        """After an answer of `link`: had another node better be asked?"""
        if link is not self._link or self._is_closed:
            return
        if status in ANOTHER_IS_BETTER and link.peer is self._peers.target and self.has_others:
            self._peers.failed(link.peer, False, None)
            self._ensure_link()
        elif self._peers.wants_to_move(link.peer, link.answers):
            self._ensure_link()

    def link_answered(self, link: Link, request: Request, reply: Any) -> None:
        status = reply.status if reply.status == 0 or reply.status in TABLE else ERR_INTERNAL
        request.status = status
        self._look_around(link, status)
        self._settle(link)
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
        stale = (reply.stale.age_ms, reply.stale.applied_index) if reply.HasField("stale") else None
        self._end(request, Answer(status, reply.text, reply.body, request.attempts, stale))

    def link_drained(self, link: Link) -> None:
        if link is self._link:
            self._dispatch()

    def link_lost(self, link: Link, status: int, text: str) -> None:
        was_ready = link in self._links
        if link in self._leaving:
            self._leaving.discard(link)
        elif was_ready:
            self._link = None
        elif link is self._greeting:
            self._greeting = None
        else:
            return
        is_another = self._note_failure(link.peer, status, text)
        if not was_ready:
            self._refuse(is_another)
            return
        self.counters.lost += 1
        self._resend(link, self._connect_status, self._connect_text)

    def _resend(self, link: Link, status: int, text: str) -> None:
        requests = list(link.sent.values())
        link.sent.clear()
        for request in requests:
            request.status = status
            request.unknown = request.unknown or request.changes
            can_pass = TABLE[request.status].retryable or request.status == ERR_IO
            if not (can_pass and self._pause_request(request)):
                self._end_failed(request, request.status, text)

    # ---- connections ----

    def _note_failure(self, peer: Peer, status: int, text: str) -> bool:
        """Returns whether there is another peer to try before anybody is told."""
        if status not in TABLE:
            status = ERR_INTERNAL
        self._connect_status = status
        self._connect_text = f"{text or TABLE[status].text} ({peer.transport.address})"
        self._failures += 1
        is_hopeless = not TABLE[status].retryable and status not in (ERR_IO, ERR_EOF)
        is_another = self._peers.failed(peer, is_hopeless, self._link.peer if self._link is not None else None)
        # One that was not tried yet is tried at once, or nearly; once all have failed the pauses grow.
        rounds = -(-self._failures // len(self._peers.all))
        if not self._is_closed and self._pause is None:
            self._pause = self._loop.call_later(pause_after(0 if is_another else rounds), self._pause_over)
        return is_another

    def _pause_over(self) -> None:
        self._pause = None
        self._ensure_link()

    def _refuse(self, is_another: bool) -> None:
        """No connection can be had, to any address. Before a node was ever spoken to that is an answer; later it is worth
        waiting for, unless the failures say something about the nodes rather than the moment."""
        if is_another or self._link is not None:
            return
        self._is_refused = True
        if self._peers.are_hopeless or self.counters.connects == 0:
            for request in list(self._waiting.values()):
                self._end_failed(request, self._connect_status, self._connect_text)

    def _ensure_link(self) -> None:
        if self._is_closed or self._connecting is not None or self._pause is not None:
            return
        if self._link is None and not self._waiting or self._link is not None and self._link.peer is self._peers.target:
            return
        self._connecting = self._loop.create_task(self._connect())

    async def connect(self) -> None:
        """Connect and be greeted, by the first node that does. Raises what the last attempt met when none does."""
        self._is_refused = False
        while self._link is None and not self._is_closed:
            if self._pause is not None:
                self._pause.cancel()
                self._pause = None
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect())
            await asyncio.wait({self._connecting})
            if self._link is None and self._is_refused:
                raise make_error(self._connect_status, self._connect_text)
        if self._is_closed:
            raise make_error(ERR_CANCELLED, "the client is closed")

    async def _connect(self) -> None:
        """One attempt, from the socket to the greeting, within `connect_timeout`."""
        peer = self._peers.target
        # The first round goes quickly over those that do not answer: the next may.
        quick = self.has_others and not self._peers.is_patient
        try:
            await asyncio.wait_for(self._greet(peer), self._connect_timeout / (4 if quick else 1))
        except asyncio.TimeoutError:
            # Nothing was asked yet: no answer here means that nobody is there, not that an outcome is unknown.
            self._attempt_failed(peer, ERR_REFUSED_CONNECT,
                                 "nothing answers at that address in time" if not self._is_greeting
                                 else "the connection was taken, but nothing greets there")
        except (OSError, ValueError, CarillonError) as error:
            self._attempt_failed(peer, *explain(error))
        finally:
            self._connecting = None
        self._ensure_link()

    async def _greet(self, peer: Peer) -> None:
        link: Optional[Link] = None

        def make_link(handshake: Handshake) -> Link:
            nonlocal link
            link = self._greeting = Link(self, peer, self._name, handshake)
            return link

        await peer.transport.connect(make_link, self._peers.check_cluster)
        assert link is not None
        await link.greeted

    @property
    def _is_greeting(self) -> bool:
        return self._greeting is not None and self._greeting.is_connected

    def _attempt_failed(self, peer: Peer, status: int, text: str) -> None:
        if self._greeting is not None:
            self._greeting.fail(status, text)
            return
        self._refuse(self._note_failure(peer, status, text))

    # ---- the end ----

    async def close(self) -> None:
        """End every request that has not ended with ERR_CANCELLED (one that may have changed something: ERR_TIMEOUT),
        and close the connection."""
        self._is_closed = True
        links, greeting, connecting = self._links, self._greeting, self._connecting
        self._leaving = set()
        sent = [request for link in links for request in link.sent.values()]
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
        for each in (*links, greeting):
            if each is not None:
                each.close()
                await each.wait_closed(CLOSE_TIMEOUT)
        self._link = self._greeting = None
