"""What can go wrong, as exceptions. Every error of the node's table is a CarillonError with that row's name.

There are three answers to a change: yes (the verb returns), no (nothing has happened and nothing will: every
exception but one), and unknown (`OutcomeUnknown`): then ask again with its `key`, which is safe and tells which.
"""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any, Dict, Optional, Sequence, Tuple, Type

from ._tables import ERRORS
from .model import Receipt, Refusal

EXIT_UNAVAILABLE = 5


@dataclasses.dataclass(frozen=True)
class ErrorRow:
    """One row of the table of errors."""

    name: str
    number: int
    retryable: bool
    http_status: int
    exit_code: int
    text: str


#: The table by number, as it travels in Reply.status.
TABLE: Dict[int, ErrorRow] = {row[1]: ErrorRow(*row) for row in ERRORS}

_NUMBERS = {row.name: row.number for row in TABLE.values()}


def number_of(name: str) -> int:
    """The number of the error `name` ("ERR_BUSY")."""
    return _NUMBERS[name]


class CarillonError(Exception):
    """An error of the table: `name` ("ERR_GONE"), `number`, `text` (what happened, where, and what to do)."""

    def __init__(self, row: ErrorRow, text: str, attempts: int = 0, reply: Any = None) -> None:
        super().__init__(text or row.text)
        self.row = row
        self.text = text or row.text
        #: How often the request was sent; 0 when it never was.
        self.attempts = attempts
        #: The method's reply message, when one came with the error.
        self.reply = reply

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def number(self) -> int:
        return self.row.number

    @property
    def retryable(self) -> bool:
        """Whether the very same request may succeed later."""
        return self.row.retryable

    @property
    def exit_code(self) -> int:
        """The exit code that the command line ends with for this error."""
        return self.row.exit_code

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (type(self), self.args, {**self.__dict__, "reply": None})


def _restore(kind: Type[CarillonError], args: Tuple[Any, ...], state: Dict[str, Any]) -> CarillonError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class Refused(CarillonError):
    """Refused by rule; nothing has changed. `refusals` lists every failing rule with its remedy."""

    refusals: Tuple[Refusal, ...] = ()
    receipt: Optional[Receipt] = None

    def __str__(self) -> str:
        return "; ".join(str(refusal) for refusal in self.refusals) or self.text


class Unavailable(CarillonError):
    """No node answers, or it refuses for load, a full disk, or because it is stopping. Nothing has changed."""


class DeadlineExceeded(CarillonError):
    """No answer in time to a request that changes nothing."""


class OutcomeUnknown(DeadlineExceeded):
    """No answer in time to a change: it may or may not have been made. Asking again with `key` is safe and tells."""

    key: Optional[uuid.UUID] = None


class NotFound(CarillonError):
    """What was named does not exist."""


class UnknownStudent(NotFound):
    """No such student."""


class UnknownCourse(NotFound):
    """No such course."""


class UnknownSection(NotFound):
    """No such section."""


class Ambiguous(CarillonError):
    """The name fits more than one; the text names them."""


class InvalidArgument(CarillonError, ValueError):
    """An argument is not acceptable."""


class QueryError(InvalidArgument):
    """The query is not well formed, at byte `position` of its UTF-8."""

    position: Optional[int] = None


class KeyReused(CarillonError):
    """The idempotency key was used for another request."""


class KeyExpired(CarillonError):
    """The idempotency key is older than 24 hours."""


class NotPermitted(CarillonError):
    """Not permitted to whoever we are."""


class Unauthenticated(NotPermitted):
    """The node does not know who we are, or is not who it has to be."""


class ProtocolError(CarillonError):
    """The two sides do not understand each other."""


_KINDS: Dict[str, Type[CarillonError]] = {
    "ERR_REFUSED": Refused,
    "ERR_TIMEOUT": DeadlineExceeded,
    "ERR_UNKNOWN_STUDENT": UnknownStudent,
    "ERR_UNKNOWN_COURSE": UnknownCourse,
    "ERR_UNKNOWN_SECTION": UnknownSection,
    "ERR_UNKNOWN_IMPORT": NotFound,
    "ERR_GONE": NotFound,
    "ERR_AMBIGUOUS": Ambiguous,
    "ERR_ARGUMENT": InvalidArgument,
    "ERR_ADDRESS": InvalidArgument,
    "ERR_QUERY": QueryError,
    "ERR_KEY_REUSED": KeyReused,
    "ERR_KEY_EXPIRED": KeyExpired,
    "ERR_PERMISSION": NotPermitted,
    "ERR_FORBIDDEN": NotPermitted,
    "ERR_UNAUTHENTICATED": Unauthenticated,
    "ERR_MALFORMED": ProtocolError,
    "ERR_TOO_LARGE": ProtocolError,
    "ERR_NOSPACE_REPLY": ProtocolError,
    "ERR_VERSION": ProtocolError,
    "ERR_METHOD": ProtocolError,
}


def make_error(number: int, text: str = "", attempts: int = 0, reply: Any = None) -> CarillonError:
    """The exception for a number of the table (ERR_INTERNAL for one that is not in it)."""
    row = TABLE.get(number) or TABLE[_NUMBERS["ERR_INTERNAL"]]
    kind = _KINDS.get(row.name)
    if kind is None:
        kind = Unavailable if row.exit_code == EXIT_UNAVAILABLE else CarillonError
    return kind(row, text, attempts, reply)


def make_unknown(error: CarillonError, key: uuid.UUID) -> OutcomeUnknown:
    """The DeadlineExceeded of a change that carried `key`."""
    unknown = OutcomeUnknown(error.row, error.text, error.attempts, error.reply)
    unknown.key = key
    return unknown


def make_refused(error: CarillonError, refusals: Sequence[Refusal], receipt: Optional[Receipt]) -> Refused:
    """The Refused of an answer with its failing rules."""
    refused = Refused(error.row, error.text, error.attempts, error.reply)
    refused.refusals = tuple(refusals)
    refused.receipt = receipt
    return refused
