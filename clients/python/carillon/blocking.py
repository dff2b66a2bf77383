"""The blocking face: the asyncio face on a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any, Coroutine, Iterable, Optional, Sequence, Type, TypeVar

from . import _address
from ._channel import Counters
from .aio import AsyncClient
from .errors import make_error, number_of
from .keys import Key
from .model import Checked, Course, Op, Outcome, Roster, Schedule, SearchResult, Submitted
from .names import Name

T = TypeVar("T")


class Client:
    """A connection to one node of a cluster, for programs without an event loop. Any number of threads may call at once; their
    requests share the connection. See AsyncClient, whose verbs, options and errors these are.

        with carillon.Client() as client:
            client.register("lm-0007", "COMP 240#1")
    """

    def __init__(self, address: str = _address.DEFAULT, *, credential: Optional[str] = None,
                 name: str = "carillon-python", outstanding_max: int = 256, deadline: Optional[float] = None,
                 connect_timeout: float = 5.0, silence: float = 5.0, retry: bool = True,
                 stays: bool = False) -> None:
        self._async = AsyncClient(address, credential=credential, name=name, outstanding_max=outstanding_max,
                                  deadline=deadline, connect_timeout=connect_timeout, silence=silence, retry=retry,
                                  stays=stays)
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._is_closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="carillon", daemon=True)
        self._thread.start()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop's thread. Interrupted (Ctrl-C), it is cancelled there."""
        with self._lock:
            if self._is_closed or os.getpid() != self._process:
                work.close()
                raise make_error(number_of("ERR_CANCELLED"), "the client is closed" if self._is_closed else
                                 "the client belongs to the process that made it")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def connect(self) -> None:
        """Connect and be greeted. Optional: verbs connect by themselves."""
        self._wait(self._async.connect())

    def close(self) -> None:
        """End what is unanswered (a change that was sent with OutcomeUnknown) and close the connection."""
        with self._lock:
            if self._is_closed or os.getpid() != self._process:
                return
            self._is_closed = True
            future = asyncio.run_coroutine_threadsafe(self._async.close(), self._loop)
        try:
            future.result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Any) -> None:
        self.close()

    @property
    def counters(self) -> Counters:
        """Numbers since the client was made."""
        return self._async.counters

    def call(self, method: str, message: Any, *, key: Optional[Key] = None, deadline: Optional[float] = None) -> Any:
        """Call any method of the node by its name with its request message; returns the reply message."""
        return self._wait(self._async.call(method, message, key=key, deadline=deadline))

    def search(self, query: str, *, student: str = "", institution: str = "", term: str = "", limit: int = 0,
               cursor: str = "", brief: bool = False, stale_ok: bool = False,
               deadline: Optional[float] = None) -> SearchResult:
        """Find courses, best first."""
        return self._wait(self._async.search(query, student=student, institution=institution, term=term, limit=limit,
                                             cursor=cursor, brief=brief, stale_ok=stale_ok, deadline=deadline))

    def show(self, course: Name, *, student: str = "", stale_ok: bool = False,
             deadline: Optional[float] = None) -> Course:
        """A course with its sections and rules."""
        return self._wait(self._async.show(course, student=student, stale_ok=stale_ok, deadline=deadline))

    def check(self, student: str, *sections: Name, drop: Iterable[Name] = (), waitlist: bool = False,
              promotion_drops: Iterable[Name] = (), deadline: Optional[float] = None) -> Checked:
        """What `register` with the same arguments would do. Changes nothing."""
        return self._wait(self._async.check(student, *sections, drop=drop, waitlist=waitlist,
                                            promotion_drops=promotion_drops, deadline=deadline))

    def schedule(self, student: str, *, term: str = "", stale_ok: bool = False,
                 deadline: Optional[float] = None) -> Schedule:
        """A student's registrations, places on waitlists, blocks, permits and limits."""
        return self._wait(self._async.schedule(student, term=term, stale_ok=stale_ok, deadline=deadline))

    def roster(self, section: Name, *, limit: int = 0, cursor: str = "", stale_ok: bool = False,
               deadline: Optional[float] = None) -> Roster:
        """One page of who is in a section."""
        return self._wait(self._async.roster(section, limit=limit, cursor=cursor, stale_ok=stale_ok,
                                             deadline=deadline))

    def outcome(self, student: str, key: Key, *, deadline: Optional[float] = None) -> Outcome:
        """What became of the request with `key`."""
        return self._wait(self._async.outcome(student, key, deadline=deadline))

    def submit(self, student: str, ops: Sequence[Op], *, key: Optional[Key] = None,
               deadline: Optional[float] = None) -> Submitted:
        """Every op happens, or none does."""
        return self._wait(self._async.submit(student, ops, key=key, deadline=deadline))

    def register(self, student: str, *sections: Name, drop: Iterable[Name] = (), waitlist: bool = False,
                 promotion_drops: Iterable[Name] = (), key: Optional[Key] = None,
                 deadline: Optional[float] = None) -> Submitted:
        """Register for all of `sections`, leaving all of `drop` in the same step, or change nothing."""
        return self._wait(self._async.register(student, *sections, drop=drop, waitlist=waitlist,
                                               promotion_drops=promotion_drops, key=key, deadline=deadline))

    def drop(self, student: str, *sections: Name, key: Optional[Key] = None,
             deadline: Optional[float] = None) -> Submitted:
        """Leave sections, or the places on their waitlists."""
        return self._wait(self._async.drop(student, *sections, key=key, deadline=deadline))

    def swap(self, student: str, old: Name, new: Name, *, key: Optional[Key] = None,
             deadline: Optional[float] = None) -> Submitted:
        """Drop one section and register for another in one step: when `new` is refused, `old` stays."""
        return self._wait(self._async.swap(student, old, new, key=key, deadline=deadline))
