"""The service registry: one row a method, from the node's own (src/wire/method.c)."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict

from . import messages
from ._tables import METHODS

_MODULES = [getattr(messages, name) for name in messages.__all__]


def _type(name: str) -> Any:
    return next(getattr(module, name) for module in _MODULES if hasattr(module, name))


@dataclasses.dataclass(frozen=True)
class Method:
    number: int
    name: str
    changes: bool  # becomes a log entry, and needs a key
    deadline: float  # in seconds, when nobody names one
    request: Any
    reply: Any
    of_one_node: bool  # it is about the very node that is asked


#: Every method by its name ("registration.submit").
TABLE: Dict[str, Method] = {
    name: Method(number, name, kind == "WRITE", deadline_ms / 1000, _type(request), _type(reply), kind == "NODE")
    for number, name, kind, deadline_ms, request, reply in METHODS
}
