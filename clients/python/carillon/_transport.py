"""How a connection is made, and what its failures are called in the table of errors."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any, Callable, Tuple

from . import _address
from .errors import number_of

ERR_ADDRESS = number_of("ERR_ADDRESS")
ERR_CLOSED = number_of("ERR_CLOSED")
ERR_FULL = number_of("ERR_FULL")
ERR_IO = number_of("ERR_IO")
ERR_PERMISSION = number_of("ERR_PERMISSION")
ERR_REFUSED_CONNECT = number_of("ERR_REFUSED_CONNECT")

_SYSTEM = {
    errno.ECONNREFUSED: ERR_REFUSED_CONNECT, errno.ETIMEDOUT: ERR_REFUSED_CONNECT,
    errno.EHOSTUNREACH: ERR_REFUSED_CONNECT, errno.ENETUNREACH: ERR_REFUSED_CONNECT,
    errno.EADDRNOTAVAIL: ERR_ADDRESS, errno.EAFNOSUPPORT: ERR_ADDRESS,
    errno.EACCES: ERR_PERMISSION, errno.EPERM: ERR_PERMISSION,
    errno.EMFILE: ERR_FULL, errno.ENFILE: ERR_FULL, errno.ENOMEM: ERR_FULL, errno.ENOBUFS: ERR_FULL,
    errno.ECONNRESET: ERR_CLOSED, errno.EPIPE: ERR_CLOSED, errno.ECONNABORTED: ERR_CLOSED,
}


def system_status(error: OSError) -> int:
    """The number of the table for an error of the system; it goes no further than here."""
    if isinstance(error, socket.gaierror):
        return ERR_ADDRESS
    return _SYSTEM.get(error.errno or 0, ERR_IO)


class Transport:
    """Plain TCP to one address, for nodes on this machine."""

    def __init__(self, address: str) -> None:
        self.host, self.port = _address.parse(address)
        self.address = f"{self.host} port {self.port}"

    async def connect(self, make_protocol: Callable[[], asyncio.Protocol]) -> Any:
        """Connect once. Raises OSError; ValueError for a host that is no name."""
        return await asyncio.get_running_loop().create_connection(make_protocol, self.host, self.port)

    def explain(self, error: Exception) -> Tuple[int, str]:
        """Number and words for what connect() raised; no words: those of the table."""
        return system_status(error) if isinstance(error, OSError) else ERR_ADDRESS, ""
