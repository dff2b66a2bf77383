"""One request on its way, and the answer it ends with."""

from __future__ import annotations

import asyncio
import enum
from typing import Any, NamedTuple, Optional, Tuple


class Place(enum.Enum):
    """Where a request is; it ends exactly once."""

    WAITING = 0  # for a connection with room
    SENT = 1
    PAUSED = 2  # before it is sent again
    ENDED = 3


class Answer(NamedTuple):
    status: int  # 0, or a number of the table of errors
    text: str
    body: bytes
    attempts: int
    stale: Optional[Tuple[int, int]] = None  # how old the state may be, in ms, and the newest entry that is in it


class Request:
    """What the channel knows of a request."""

    __slots__ = ("method", "changes", "key", "body", "due", "future", "place", "id", "attempts", "unknown", "status",
                 "deadline_timer", "pause_timer", "stale_ok", "link", "of_one_node")

    def __init__(self, method: int, changes: bool, key: bytes, body: bytes, due: float,
                 future: asyncio.Future[Answer], stale_ok: bool = False, of_one_node: bool = False) -> None:
        self.method = method
        self.changes = changes
        self.key = key
        self.body = body
        self.due = due
        self.future = future
        self.stale_ok = stale_ok
        self.of_one_node = of_one_node  # another would answer for itself
        self.link: Any = None  # that it was sent on
        self.place = Place.WAITING
        self.id = 0  # of the last attempt: a late answer to an earlier one never meets this request
        self.attempts = 0
        self.unknown = False  # some attempt may have changed something and was not answered
        self.status = 0  # of the last attempt that ended: what the deadline reports when nothing is unknown
        self.deadline_timer: Optional[asyncio.TimerHandle] = None
        self.pause_timer: Optional[asyncio.TimerHandle] = None

    @property
    def repeatable(self) -> bool:
        return not self.changes or bool(self.key)

    def stop_timers(self) -> None:
        for timer in (self.deadline_timer, self.pause_timer):
            if timer is not None:
                timer.cancel()
        self.deadline_timer = self.pause_timer = None

    def finish(self, answer: Answer) -> None:
        self.place = Place.ENDED
        self.stop_timers()
        if not self.future.done():
            self.future.set_result(answer)
