"""How a connection is made and who has to be at the other end, and what its failures are called in the table of errors
(docs/spec/identity.md, sections 3, 6 and 7)."""

from __future__ import annotations

import asyncio
import base64
import errno
import hmac
import ipaddress
import os
import socket
import ssl
import time
from typing import Any, Callable, List, Optional, Tuple

from . import _address, _certificate, _credential
from ._credential import Credential
from .errors import CarillonError, make_error, number_of
from .messages import envelope_pb2

ALPN = "carillon/1"
NONCE_BYTES = 16

ERR_ADDRESS = number_of("ERR_ADDRESS")
ERR_CLOSED = number_of("ERR_CLOSED")
ERR_FULL = number_of("ERR_FULL")
ERR_IO = number_of("ERR_IO")
ERR_PERMISSION = number_of("ERR_PERMISSION")
ERR_REFUSED_CONNECT = number_of("ERR_REFUSED_CONNECT")
ERR_UNAUTHENTICATED = number_of("ERR_UNAUTHENTICATED")

_SYSTEM = {
    errno.ECONNREFUSED: ERR_REFUSED_CONNECT, errno.ETIMEDOUT: ERR_REFUSED_CONNECT,
    errno.EHOSTUNREACH: ERR_REFUSED_CONNECT, errno.ENETUNREACH: ERR_REFUSED_CONNECT,
    errno.EADDRNOTAVAIL: ERR_ADDRESS, errno.EAFNOSUPPORT: ERR_ADDRESS,
    errno.EACCES: ERR_PERMISSION, errno.EPERM: ERR_PERMISSION,
    errno.EMFILE: ERR_FULL, errno.ENFILE: ERR_FULL, errno.ENOMEM: ERR_FULL, errno.ENOBUFS: ERR_FULL,
    errno.ECONNRESET: ERR_CLOSED, errno.EPIPE: ERR_CLOSED, errno.ECONNABORTED: ERR_CLOSED,
}


def explain(error: Exception) -> Tuple[int, str]:
    """Number and words for what ended a connection or an attempt at one; no words: those of the table."""
    if isinstance(error, CarillonError):
        return error.number, error.text
    if isinstance(error, ssl.SSLCertVerificationError):
        return ERR_UNAUTHENTICATED, f"the node is not who it has to be: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        if error.reason is not None and "ALERT" in error.reason:
            words = error.reason.partition("ALERT_")[2].lower().replace("_", " ")
            return ERR_UNAUTHENTICATED, f"the node refuses this client: {words}"
        return ERR_UNAUTHENTICATED, f"no encrypted connection can be made: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return ERR_ADDRESS, ""
    if isinstance(error, OSError):
        if error.errno is None and isinstance(error, ConnectionError):
            return ERR_CLOSED, "the node has closed the connection"
        return _SYSTEM.get(error.errno or 0, ERR_IO), ""
    if isinstance(error, ValueError):
        return ERR_ADDRESS, ""  # a host that is no name
    return ERR_CLOSED, ""


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _private_key_pem(der: bytes) -> str:
    lines = base64.encodebytes(der).decode("ascii")
    return f"-----BEGIN PRIVATE KEY-----\n{lines}-----END PRIVATE KEY-----\n"


def tls_context(credential: Credential) -> ssl.SSLContext:
    """TLS 1.3 to nodes under the pinned root, and with our certificate if we have one. Raises NotPermitted."""
    try:
        if _certificate.fingerprint(credential.root_certificate) != credential.root:
            raise ValueError("it is not of the root key that is pinned")
    except ValueError as error:
        raise make_error(ERR_UNAUTHENTICATED, f"the credential's root certificate: {error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # nodes are known by their cluster's root and the name in their certificate
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN])
    try:
        context.load_verify_locations(cadata=credential.root_certificate)
        if credential.certificate:
            _load_own(context, credential)
    except ssl.SSLError as error:
        raise make_error(ERR_UNAUTHENTICATED, f"the credential: {error.reason or error}") from None
    return context


def _load_own(context: ssl.SSLContext, credential: Credential) -> None:
    """OpenSSL takes files only: this one is in memory, and nobody else's."""
    descriptor = os.memfd_create("carillon", os.MFD_CLOEXEC)
    try:
        text = ssl.DER_cert_to_PEM_cert(credential.certificate) + _private_key_pem(credential.key)
        os.write(descriptor, text.encode("ascii"))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


class Handshake:
    """Who is who on one connection, with the credential (None: without one) it was made with."""

    def __init__(self, credential: Optional[Credential]) -> None:
        self._credential = credential
        self._wall_ms = 0
        self._nonce = os.urandom(NONCE_BYTES)

    @property
    def is_tls(self) -> bool:
        return self._credential is not None and self._credential.kind != "local"

    def _proof(self, words: bytes) -> bytes:
        assert self._credential is not None
        said = words + self._wall_ms.to_bytes(8, "little") + self._nonce
        return hmac.new(self._credential.secret, said, "sha256").digest()

    def check_peer(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands: is the right node at the other end? Raises NotPermitted."""
        if not self.is_tls:
            return
        assert self._credential is not None
        peer = transport.get_extra_info("ssl_object")
        try:
            if peer is None or peer.version() != "TLSv1.3":
                raise ValueError("it does not speak TLS 1.3")
            if peer.selected_alpn_protocol() != ALPN:
                raise ValueError(f"it does not speak {ALPN}")
            _certificate.check_node(peer.getpeercert() or {}, peer.getpeercert(binary_form=True) or b"",
                                    self._credential.cluster)
        except ValueError as error:
            raise make_error(ERR_UNAUTHENTICATED, f"the node is not who it has to be: {error}") from None

    def introduce(self, hello: Any) -> None:
        """Add the credential to a Hello."""
        if self._credential is None:
            return
        if self._credential.kind == "local":
            # Only now: a node takes no proof that is older than its own listening.
            self._wall_ms = time.time_ns() // 1_000_000
            hello.credential.kind = envelope_pb2.CREDENTIAL_LOCAL
            hello.credential.wall_ms = self._wall_ms
            hello.credential.nonce = self._nonce
            hello.credential.proof = self._proof(b"carillon local hello 1")
        elif self._credential.kind == "token":
            hello.credential.kind = envelope_pb2.CREDENTIAL_TOKEN
            hello.credential.token = self._credential.token

    def check_welcome(self, welcome: Any) -> None:
        """Whether the node that took our Hello is the right one. Raises NotPermitted."""
        if self._credential is None:
            return
        if self._credential.kind == "local" and not hmac.compare_digest(welcome.proof,
                                                                        self._proof(b"carillon local welcome 1")):
            raise make_error(ERR_UNAUTHENTICATED, "what listens there does not hold this machine's secret of the node")
        if welcome.cluster_id != self._credential.cluster:
            raise make_error(ERR_UNAUTHENTICATED, "the node is of another cluster than the credential")


class Transport:
    """Connections to one address: TLS, or plain TCP on this machine, as the credential says that is found for it."""

    def __init__(self, address: str, credential: Optional[str] = None, is_given: bool = True) -> None:
        """`is_given`: by who made the client; else another node has told of it."""
        self.host, self.port = _address.parse(address)
        self.address = f"{self.host} port {self.port}"
        self.others: List[Tuple[str, int]] = []  # where else a credential may lie
        self._credential = credential
        self._is_given = is_given

    def _find(self) -> Optional[Credential]:
        local = is_loopback(self.host)
        credential = _credential.find(self.host, self.port, local, self._credential, self._is_given, self.others)
        if not local and (credential is None or credential.kind == "local"):
            raise make_error(ERR_UNAUTHENTICATED, "there is no credential for this address; `carillon login` makes one")
        return credential

    async def connect(self, make_protocol: Callable[[Handshake], asyncio.Protocol],
                      check_cluster: Callable[[bytes], None]) -> Any:
        """Connect once; the credential is read anew, and `check_cluster` judges whose it is. Raises OSError, ValueError,
        CarillonError."""
        credential = self._find()
        if credential is not None:
            check_cluster(credential.cluster)
        handshake = Handshake(credential)
        context = tls_context(credential) if credential is not None and handshake.is_tls else None
        return await asyncio.get_running_loop().create_connection(lambda: make_protocol(handshake), self.host, self.port,
                                                                  ssl=context)
