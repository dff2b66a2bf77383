"""The local credential: who we are to a node on this machine (docs/spec/identity.md sections 6 and 7)."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import struct
import time
from typing import Dict, Optional

_FIRST_LINE = "carillon-credential 1"
_BYTES_MAX = 16 << 10


def _read(path: str) -> Optional[Dict[str, str]]:
    """The names and values of a credential file that nobody else can read; None without one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode) or info.st_mode & 0o077 or info.st_uid not in (0, os.geteuid()):
            return None
        lines = file.read(_BYTES_MAX).decode("utf-8", "replace").split("\n")
    if lines[0] != _FIRST_LINE:
        return None
    return dict(line.split(" ", 1) for line in lines[1:] if " " in line)


class LocalCredential:
    """One connection's proof of the secret, and the check that the node holds it too."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.wall_ms = int(time.time() * 1000)
        self.nonce = os.urandom(16)

    def _prove(self, words: bytes) -> bytes:
        message = words + struct.pack("<Q", self.wall_ms) + self.nonce
        return hmac.new(self._secret, message, hashlib.sha256).digest()

    @property
    def proof(self) -> bytes:
        return self._prove(b"carillon local hello 1")

    def is_shared_by(self, welcome_proof: bytes) -> bool:
        return hmac.compare_digest(welcome_proof, self._prove(b"carillon local welcome 1"))


def find_local(host: str, port: int) -> Optional[LocalCredential]:
    """The credential for the node at a loopback address, as it lies there now."""
    if not (host.startswith("127.") or host in ("::1", "localhost")):
        return None
    folders = ["/run/carillon", f"/tmp/carillon-{os.geteuid()}"]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        folders.insert(0, f"{runtime}/carillon")
    for folder in folders:
        values = _read(f"{folder}/{port}")
        if values is not None and values.get("kind") == "local" and len(values.get("secret", "")) == 64:
            return LocalCredential(bytes.fromhex(values["secret"]))
    return None
