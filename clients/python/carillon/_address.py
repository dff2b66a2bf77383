"""Addresses: "host:port", "[v6]:port" or "host"."""

from __future__ import annotations

from typing import Tuple

from .errors import make_error, number_of

DEFAULT = "127.0.0.1:7440"

_PORT_DEFAULT = 7440


def _split(text: str) -> Tuple[str, str]:
    """Host and port; a bare v6 address has two colons or more and no port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and (rest[0] != ":" or len(rest) == 1)):
            raise ValueError
        return host, rest[1:]
    host, colon, port = text.partition(":")
    if ":" in port:
        return text, ""
    if colon and not port:
        raise ValueError
    return host, port


def parse(text: str) -> Tuple[str, int]:
    """Take an address apart. Raises InvalidArgument (ERR_ADDRESS)."""
    try:
        host, digits = _split(text)
        if digits and not (digits.isascii() and digits.isdigit()):
            raise ValueError
        port = int(digits) if digits else _PORT_DEFAULT
        if not 0 < port <= 65535:
            raise ValueError
    except ValueError:
        raise make_error(number_of("ERR_ADDRESS"), f"{text}: host:port, [v6]:port or host is expected") from None
    return ("127.0.0.1" if host in ("", "localhost") else host), port
