"""The asyncio face."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Iterable, Optional, Sequence, Tuple, Type

from google.protobuf.message import DecodeError

from . import _address, model
from ._channel import Channel, Counters
from ._methods import TABLE as METHODS
from ._methods import Method
from ._peers import Peers
from ._request import Answer
from .errors import (CarillonError, DeadlineExceeded, QueryError, Refused, make_error, make_refused, make_unknown,
                     number_of)
from .keys import Key, key_of
from .messages import registration_pb2, search_pb2
from .model import Checked, Course, Op, OpKind, Outcome, Roster, Schedule, SearchResult, Submitted
from .names import Name, SectionName, name_of

OUTSTANDING_MAX = 65535
NAME_BYTES_MAX = 64


def ops_of(adds: Iterable[Name], drops: Iterable[Name], waitlist: bool,
           promotion_drops: Iterable[Name]) -> Tuple[Op, ...]:
    """Drops first, then adds, each in the order given."""
    on_promotion = tuple(name_of(name) for name in promotion_drops)
    return (tuple(Op(OpKind.DROP, name_of(name)) for name in drops)
            + tuple(Op(OpKind.ADD, name_of(name), waitlist, on_promotion) for name in adds))


def _section_message(name: SectionName) -> Any:
    return registration_pb2.SectionName(institution=name.institution, code=name.code, section=name.section,
                                        term=name.term)


def _submit_message(student: str, ops: Sequence[Op]) -> Any:
    return registration_pb2.SubmitRequest(student=student, ops=[
        registration_pb2.Op(kind=int(op.kind), institution=op.section.institution, code=op.section.code,
                            section=op.section.section, term=op.section.term, waitlist=op.waitlist,
                            promotion_drops=[_section_message(name) for name in op.promotion_drops])
        for op in ops])


class AsyncClient:
    """A connection to one node of a cluster, used from one event loop; it connects by itself, and again when the connection
    breaks: to that node, or to another of its cluster, whose nodes it learns from the one it talks to.

    Any number of tasks may call at once: their requests are pipelined over the one connection, `outstanding_max` of
    them unanswered, and the rest wait their turn. Every verb takes `deadline` in seconds (else the client's, else the
    method's own) and ends by then. A verb that changes something takes `key`, an idempotency key; without one it makes
    one of its own. Cancelling a verb gives the request up: a change that was sent may still happen.

        async with carillon.AsyncClient() as client:
            await client.register("lm-0007", "COMP 240#1")
    """

    def __init__(self, address: str = _address.DEFAULT, *, credential: Optional[str] = None,
                 name: str = "carillon-python", outstanding_max: int = 256, deadline: Optional[float] = None,
                 connect_timeout: float = 5.0, silence: float = 5.0, retry: bool = True,
                 stays: bool = False) -> None:
        """Nothing is sent yet. `address`: "host:port", or up to 16 of them with commas between, of which one has to answer.
        `credential`: the path of a credential file; without it the one that CARILLON_CREDENTIAL
        names, or that `carillon login` or a node of this machine has put in its place. `name`: who we are, for the
        node's log. `silence`: a connection this long without a word, when a request on it is given up, is replaced.
        `retry`: repeat by itself where that is safe. `stays`: talk to the addresses that are given only, and not to
        nodes that they tell of."""
        if not 0 < outstanding_max <= OUTSTANDING_MAX:
            raise make_error(number_of("ERR_ARGUMENT"), f"outstanding_max: 1 to {OUTSTANDING_MAX}")
        if len(name.encode()) > NAME_BYTES_MAX:
            raise make_error(number_of("ERR_ARGUMENT"), f"name: at most {NAME_BYTES_MAX} bytes")
        self._peers = Peers(address, credential, stays)
        self._options = (name, outstanding_max, connect_timeout, silence, retry)
        self._deadline = deadline
        self._channel: Optional[Channel] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    # ---- the connection ----

    def _open(self) -> Channel:
        loop = asyncio.get_running_loop()
        if self._channel is None:
            self._channel = Channel(self._peers, *self._options)
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("an AsyncClient belongs to the event loop that first used it")
        return self._channel

    async def connect(self) -> None:
        """Connect and be greeted. Optional: verbs connect by themselves. Raises Unavailable, ProtocolError, ..."""
        await self._open().connect()

    async def close(self) -> None:
        """End what is unanswered (a change that was sent with OutcomeUnknown) and close the connection."""
        await self._open().close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Any) -> None:
        await self.close()

    @property
    def counters(self) -> Counters:
        """Numbers since the client was made."""
        return self._channel.counters if self._channel is not None else Counters()

    @property
    def outstanding(self) -> int:
        """How many requests have not ended."""
        return self._channel.outstanding if self._channel is not None else 0

    # ---- any method ----

    async def call(self, method: str, message: Any, *, key: Optional[Key] = None,
                   deadline: Optional[float] = None) -> Any:
        """Call any method of the node by its name ("node.status") with its request message of `carillon.messages`.

        Returns the method's reply message. A method that changes something gets a key. Raises CarillonError, whose
        `reply` is the reply message when the node sent one; Refused without its refusals read.
        """
        return (await self._call(METHODS[method], message, key, deadline))[0]

    async def _call(self, method: Method, message: Any, key: Optional[Key], deadline: Optional[float],
                    stale_ok: bool = False) -> Tuple[Any, Answer]:
        """The reply message, and what it came in."""
        own: Optional[uuid.UUID] = key_of(key) if method.changes else None
        limit = deadline if deadline is not None else self._deadline if self._deadline is not None else method.deadline
        answer = await self._open().call(method.number, method.changes, own.bytes if own is not None else b"",
                                         message.SerializeToString(), limit, stale_ok,
                                         method.of_one_node)
        return self._read(method, answer, own), answer

    @staticmethod
    def _read(method: Method, answer: Answer, key: Optional[uuid.UUID]) -> Any:
        """The reply message of an answer; raises what it says instead."""
        reply = None
        if answer.status == 0 or answer.body:
            try:
                reply = method.reply.FromString(answer.body)
            except DecodeError:
                raise make_error(number_of("ERR_MALFORMED"), "the node's answer is not what the method promises",
                                 answer.attempts) from None
        if answer.status == 0:
            return reply
        error = make_error(answer.status, answer.text, answer.attempts, reply)
        if isinstance(error, DeadlineExceeded) and key is not None:
            raise make_unknown(error, key)
        raise error

    # ---- reading ----
    #
    # With `stale_ok` any node may answer from what it has applied, also one that is cut off; `staleness` of what is returned
    # says how old that may be.

    async def search(self, query: str, *, student: str = "", institution: str = "", term: str = "", limit: int = 0,
                     cursor: str = "", brief: bool = False, stale_ok: bool = False,
                     deadline: Optional[float] = None) -> SearchResult:
        """Find courses by code, title, instructor or description, best first.

        Bare words, "phrases", and ``subject:in MATH,CS level:300..499 credits:>=3 open:true at:INSTITUTION days:MWF
        NOT word (a OR b)``; with `student` also ``fits:me`` and ``eligible:me``. `limit` is at most 100 (0: 20),
        `cursor` the `next_cursor` of the page before. Raises QueryError with the position of what it could not read.
        """
        request = search_pb2.SearchRequest(query=query, student=student, institution=institution, term=term,
                                           limit=limit, cursor=cursor, brief=brief)
        try:
            reply, answer = await self._call(METHODS["catalogue.search"], request, None, deadline, stale_ok)
        except QueryError as error:
            if error.reply is not None and error.reply.query_error_at > 0:
                error.position = error.reply.query_error_at - 1
            raise
        return model.with_staleness(model.read_search(reply), answer.stale)

    async def show(self, course: Name, *, student: str = "", stale_ok: bool = False,
                   deadline: Optional[float] = None) -> Course:
        """A course with its sections and rules; with `student` each rule says whether it is met."""
        name = name_of(course)
        request = search_pb2.ShowRequest(institution=name.institution, code=name.code, term=name.term, student=student)
        reply, answer = await self._call(METHODS["catalogue.show"], request, None, deadline, stale_ok)
        return model.with_staleness(model.read_course(reply), answer.stale)

    async def check(self, student: str, *sections: Name, drop: Iterable[Name] = (), waitlist: bool = False,
                    promotion_drops: Iterable[Name] = (), deadline: Optional[float] = None) -> Checked:
        """What `register` with the same arguments would do, with every rule that stands in the way. Changes nothing."""
        ops = ops_of(sections, drop, waitlist, promotion_drops)
        try:
            reply, _ = await self._call(METHODS["registration.check"], _submit_message(student, ops), None, deadline)
        except Refused as error:
            if error.reply is None:
                raise
            reply = error.reply  # what would be refused is what was asked
        return model.read_checked(reply, tuple(op.section for op in ops))

    async def schedule(self, student: str, *, term: str = "", stale_ok: bool = False,
                       deadline: Optional[float] = None) -> Schedule:
        """A student's registrations, places on waitlists, blocks, permits and limits."""
        request = registration_pb2.ScheduleRequest(student=student, term=term)
        reply, answer = await self._call(METHODS["registration.schedule"], request, None, deadline, stale_ok)
        return model.with_staleness(model.read_schedule(reply), answer.stale)

    async def roster(self, section: Name, *, limit: int = 0, cursor: str = "", stale_ok: bool = False,
                     deadline: Optional[float] = None) -> Roster:
        """Who is in a section. `limit` is at most 1000 (0: 100), `cursor` the `next_cursor` of the page before."""
        request = registration_pb2.RosterRequest(section=_section_message(name_of(section)), limit=limit,
                                                 cursor=cursor)
        reply, answer = await self._call(METHODS["registration.roster"], request, None, deadline, stale_ok)
        return model.with_staleness(model.read_roster(reply), answer.stale)

    async def outcome(self, student: str, key: Key, *, deadline: Optional[float] = None) -> Outcome:
        """What became of the request with `key`. Not known may also mean: not yet; asking again with the key settles
        it."""
        request = registration_pb2.OutcomeRequest(student=student, key=key_of(key).bytes)
        reply, _ = await self._call(METHODS["registration.outcome"], request, None, deadline)
        return model.read_outcome(reply, make_error(reply.status).name if reply.status != 0 else None)

    # ---- changing ----

    async def submit(self, student: str, ops: Sequence[Op], *, key: Optional[Key] = None,
                     deadline: Optional[float] = None) -> Submitted:
        """Every op happens, or none does; at most 16. Raises Refused with every failing rule; OutcomeUnknown with the
        key to ask again with."""
        try:
            reply, answer = await self._call(METHODS["registration.submit"], _submit_message(student, ops), key,
                                             deadline)
        except Refused as error:
            raise self._refused(error, ops) from None
        return model.read_submitted(reply, answer.attempts)

    @staticmethod
    def _refused(error: Refused, ops: Sequence[Op]) -> CarillonError:
        if error.reply is None:
            return error
        return make_refused(error, model.read_refusals(error.reply.refusals, tuple(op.section for op in ops)),
                            model.read_receipt(error.reply.receipt))

    async def register(self, student: str, *sections: Name, drop: Iterable[Name] = (), waitlist: bool = False,
                       promotion_drops: Iterable[Name] = (), key: Optional[Key] = None,
                       deadline: Optional[float] = None) -> Submitted:
        """Register for all of `sections`, leaving all of `drop` in the same step, or change nothing.

        `waitlist`: take a place on the waitlist of a section that is full; `promotion_drops` are left when (and only
        when) the place becomes a seat.
        """
        return await self.submit(student, ops_of(sections, drop, waitlist, promotion_drops), key=key,
                                 deadline=deadline)

    async def drop(self, student: str, *sections: Name, key: Optional[Key] = None,
                   deadline: Optional[float] = None) -> Submitted:
        """Leave sections, or the places on their waitlists."""
        return await self.submit(student, ops_of((), sections, False, ()), key=key, deadline=deadline)

    async def swap(self, student: str, old: Name, new: Name, *, key: Optional[Key] = None,
                   deadline: Optional[float] = None) -> Submitted:
        """Drop one section and register for another in one step: when `new` is refused, `old` stays."""
        return await self.submit(student, ops_of((new,), (old,), False, ()), key=key, deadline=deadline)
