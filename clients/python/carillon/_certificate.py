"""What of a certificate is looked at beyond OpenSSL's own verification (docs/spec/identity.md, section 3)."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Mapping, Tuple

CERTIFICATE_BYTES_MAX = 4096

_ED25519 = bytes.fromhex("302a300506032b6570032100")  # a SubjectPublicKeyInfo up to the 32 bytes of the key
_SEQUENCE = 0x30
_VERSION = 0xA0


def _element(der: bytes, at: int, end: int) -> Tuple[int, int, int]:
    """Tag, and where contents begin and end, of the element at `at`. Raises ValueError."""
    if end - at < 2:
        raise ValueError("an element is cut off")
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 2 or end - start < count:
            raise ValueError("a length that no certificate of ours has")
        length = int.from_bytes(der[start:start + count], "big")
        start += count
    if end - start < length:
        raise ValueError("an element is cut off")
    return tag, start, start + length


def public_key(der: bytes) -> bytes:
    """The Ed25519 key (32 bytes) that a certificate is for. Raises ValueError."""
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise ValueError("it is too large")
    tag, at, end = _element(der, 0, len(der))
    if tag != _SEQUENCE:
        raise ValueError("it is no certificate")
    tag, at, end = _element(der, at, end)
    if tag != _SEQUENCE:
        raise ValueError("it is no certificate")
    tag, _, after = _element(der, at, end)
    if tag == _VERSION:
        at = after
    for _ in range(5):  # serial number, signature algorithm, issuer, validity, subject
        _, _, at = _element(der, at, end)
    _, _, after = _element(der, at, end)
    key = der[at:after]
    if len(key) != len(_ED25519) + 32 or not key.startswith(_ED25519):
        raise ValueError("its key is not Ed25519")
    return key[len(_ED25519):]


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of the key a certificate is for. Raises ValueError."""
    return hashlib.sha256(public_key(der)).digest()


def check_node(names: Mapping[str, Any], der: bytes, cluster: bytes) -> None:
    """Whether a verified certificate is a node's of `cluster`; `names` as of ssl.getpeercert(). Raises ValueError."""
    public_key(der)
    alternatives = names.get("subjectAltName", ())
    if len(alternatives) != 1 or alternatives[0][0] != "URI":
        raise ValueError("it does not say who it is for")
    found = re.fullmatch(r"carillon://([0-9a-f]{32})/([a-z]+)/([a-zA-Z0-9._-]{1,64})", alternatives[0][1])
    if found is None:
        raise ValueError("it does not say who it is for")
    if found[1] != cluster.hex():
        raise ValueError("it is of another cluster")
    if found[2] != "node" or re.fullmatch("[0-9a-f]{32}", found[3]) is None:
        raise ValueError("it is not a node's")
