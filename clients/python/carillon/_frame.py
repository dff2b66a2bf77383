"""Frames: a 32-bit little-endian length and that many bytes (docs/spec/protocol.md, section 1)."""

from __future__ import annotations

import struct
from typing import Iterator

FRAME_BYTES_MAX = 1 << 20

_LENGTH = struct.Struct("<I")


class FrameError(Exception):
    """The bytes are not frames; the connection cannot go on."""


def encode(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Cuts a stream of bytes into frames. Holds at most one frame that is not whole."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The payloads that are whole with `data`. Raises FrameError when a length is 0 or beyond the bound."""
        held = self._held
        held += data
        at = 0
        try:
            while len(held) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(held, at)
                if not 0 < length <= FRAME_BYTES_MAX:
                    raise FrameError("a frame of %d bytes" % length)
                end = at + _LENGTH.size + length
                if len(held) < end:
                    return
                payload = bytes(memoryview(held)[at + _LENGTH.size:end])
                at = end
                yield payload
        finally:
            del held[:at]
