"""Credential files: who we are for a node, and how we know it (docs/spec/identity.md, section 6)."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
import stat
from typing import Dict, Iterable, Iterator, NoReturn, Optional, Tuple

from .errors import make_error, number_of

FILE_BYTES_MAX = 16 << 10
FIRST_LINE = "carillon-credential 1"

_NEEDED = {"local": ("secret",), "token": ("token",), "certificate": ("certificate", "key")}
_HEX_BYTES = {"cluster": 16, "root": 32, "secret": 32, "token": 32}
_BASE64 = ("root-certificate", "certificate", "key")


@dataclasses.dataclass(frozen=True, repr=False)
class Credential:
    """What a file says. `root` is the fingerprint of the cluster's root key, the pin."""

    kind: str
    cluster: bytes
    root: bytes
    root_certificate: bytes = b""
    secret: bytes = b""
    token: bytes = b""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return f"Credential({self.kind} of cluster {self.cluster.hex()})"  # never a secret


def _malformed(what: str) -> NoReturn:
    raise make_error(number_of("ERR_MALFORMED"), f"the credential: {what}")


def _value(name: str, text: str) -> bytes:
    try:
        if name in _BASE64:
            return base64.b64decode(text, validate=True)
        value = bytes.fromhex(text)
        if len(text) == 2 * _HEX_BYTES[name] and len(value) == _HEX_BYTES[name]:
            return value
    except (binascii.Error, ValueError):
        pass
    _malformed(f"its {name} cannot be read")


def parse(text: str) -> Credential:
    """Read the text of a file. Raises ProtocolError (ERR_MALFORMED, ERR_VERSION)."""
    first, *lines = text.split("\n")
    if first != FIRST_LINE:
        if first.startswith("carillon-credential "):
            raise make_error(number_of("ERR_VERSION"), "the credential is of a version that this client does not know")
        _malformed("it does not begin as one")
    if not lines or lines.pop() != "":
        _malformed("its end is missing")
    words: Dict[str, str] = {}
    for line in lines:
        name, space, value = line.partition(" ")
        if not space or name in words:
            _malformed("a line cannot be read, or stands twice")
        words[name] = value
    kind = words.get("kind", "")
    if kind not in _NEEDED:
        _malformed("it is of a kind that this client does not know")
    own = {name for names in _NEEDED.values() for name in names}
    if not {"cluster", "root", *_NEEDED[kind]} <= set(words) or (own - set(_NEEDED[kind])) & set(words):
        _malformed(f"it is not a whole one of kind {kind}")
    values = {name.replace("-", "_"): _value(name, words[name])
              for name in (*_HEX_BYTES, *_BASE64) if name in words}
    return Credential(kind, **values)


def read(path: str) -> Credential:
    """Read a file that only its owner (the reader, or root) can read. Raises NotPermitted, ProtocolError, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise make_error(number_of("ERR_PERMISSION"), f"{path}: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if (not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 != 0
                or status.st_uid not in (0, os.geteuid())):
            raise make_error(number_of("ERR_PERMISSION"),
                             f"{path}: a credential has to be a file of its reader's own, of mode 0600")
        data = os.read(descriptor, FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(data) > FILE_BYTES_MAX:
        _malformed("it is too large")
    try:
        return parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        _malformed("it is not UTF-8")


def _login_place(host: str, port: int) -> Optional[str]:
    """Where `carillon login` puts the one for an address."""
    config, home = os.environ.get("XDG_CONFIG_HOME", ""), os.environ.get("HOME", "")
    if not config.startswith("/") and not home.startswith("/"):
        return None
    folder = config if config.startswith("/") else os.path.join(home, ".config")
    return os.path.join(folder, "carillon/credentials", f"{host.replace(':', '.')}_{port}")


def _places(host: str, port: int, is_loopback: bool) -> Iterator[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    login = _login_place(host, port)
    if login is not None:
        yield login
    if is_loopback:
        if runtime.startswith("/"):
            yield os.path.join(runtime, "carillon", str(port))
        yield f"/run/carillon/{port}"
        yield f"/tmp/carillon-{os.geteuid()}/{port}"


def _read_if_there(path: str) -> Optional[Credential]:
    try:
        return read(path)
    except FileNotFoundError:
        return None


def _of_others(host: str, port: int, others: Iterable[Tuple[str, int]]) -> Optional[Credential]:
    """The one of another address: it opens any node of its cluster, and its pin says whether this is one. Not a local
    one, which is of one node."""
    for other in others:
        place = _login_place(*other) if other != (host, port) else None
        credential = _read_if_there(place) if place is not None else None
        if credential is not None and credential.kind != "local":
            return credential
    return None


def find(host: str, port: int, is_loopback: bool, given: Optional[str] = None, is_given_address: bool = True,
         others: Iterable[Tuple[str, int]] = ()) -> Optional[Credential]:
    """The credential for an address: the one that is given (or that CARILLON_CREDENTIAL names), else the first that
    exists; for a node that another told of no local one that is given, for that is of one node. Raises as read() does;
    NotFound when what is given does not exist."""
    path = given if given is not None else os.environ.get("CARILLON_CREDENTIAL") or None
    if path is not None:
        try:
            credential = read(path)
        except FileNotFoundError:
            raise make_error(number_of("ERR_GONE"), f"{path}: there is no such credential") from None
        if is_given_address or credential.kind != "local":
            return credential
    for place in _places(host, port, is_loopback):
        found = _read_if_there(place)
        if found is not None:
            return found
    return _of_others(host, port, others)
