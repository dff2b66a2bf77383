"""Idempotency keys: a UUID of version 7 (RFC 9562), made once per intention and used for every repetition of it."""

from __future__ import annotations

import os
import time
import uuid
from typing import Optional, Union

Key = Union[uuid.UUID, str, bytes]


def new_key() -> uuid.UUID:
    """A new key, from the wall clock and random bits. The node keeps the answer under it for 24 hours."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def key_of(key: Optional[Key]) -> uuid.UUID:
    """`key` as a UUID; a new one for None. Raises ValueError when it is not a UUID of version 7."""
    if key is None:
        return new_key()
    if isinstance(key, bytes):
        key = uuid.UUID(bytes=key)
    elif isinstance(key, str):
        key = uuid.UUID(key)
    if key.variant != uuid.RFC_4122 or key.version != 7:
        raise ValueError(f"{key} is not a UUID of version 7")
    return key
