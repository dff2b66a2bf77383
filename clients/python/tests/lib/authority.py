"""A cluster's root and the certificates under it (docs/spec/identity.md, section 3), good ones and bad ones, made by
the command openssl; and a node that greets over TLS."""

import asyncio
import base64
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

from carillon import _certificate
from lib.fake_node import FakeNode

CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {folder}
database = {folder}/index
rand_serial = yes
default_md = default
policy = any
unique_subject = no
[any]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectAltName = URI:carillon://{cluster}
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectAltName = {names}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = empty
[empty]
"""

NODE = "0123456789abcdef" * 2


class Authority:
    """A root of its own in a temporary folder, or with the root key of a node: `keys` is its folder of keys."""

    def __init__(self, cluster=None, keys=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carillon-authority-"))
        (self.folder / "index").touch()
        self._count = 0
        if keys is not None:
            for name in ("root.key", "root.crt"):
                shutil.copyfile(keys / name, self.folder / name)
            self.cluster = _certificate.fingerprint(self.der("root"))[:16].hex()
            return
        self._key("root")
        self.cluster = "00" * 16
        self._self_sign()
        # The id is the hash of the key, which is known only now.
        self.cluster = cluster or _certificate.fingerprint(self.der("root"))[:16].hex()
        self._self_sign()

    def close(self):
        shutil.rmtree(self.folder)

    def _run(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments}: {done.stderr}")

    def _key(self, name, algorithm="ed25519"):
        options = ["-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "EC" else []
        self._run("genpkey", "-algorithm", algorithm, *options, "-out", f"{name}.key")

    def _config(self, **values):
        words = {"folder": self.folder, "cluster": self.cluster, "usage": "serverAuth", "names": "URI:x:y", **values}
        (self.folder / "config").write_text(CONFIG.format(**words), encoding="utf-8")

    def _self_sign(self):
        self._config()
        self._run("req", "-x509", "-new", "-key", "root.key", "-subj", f"/CN=carillon {self.cluster}", "-days", "7300",
                  "-config", "config", "-extensions", "root", "-out", "root.crt")

    def issue(self, name, role="node", names=None, usage="serverAuth, clientAuth", begin="20200101000000Z",
              end="20990101000000Z", algorithm="ed25519"):
        """Make NAME.key and NAME.crt, the root behind it in NAME.chain."""
        self._key(name, algorithm)
        who = NODE if role == "node" else "somebody"
        self._config(usage=usage, names=names or f"URI:carillon://{self.cluster}/{role}/{who}")
        self._run("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={role} {who}", "-config", "config", "-out",
                  f"{name}.csr")
        self._run("ca", "-batch", "-notext", "-config", "config", "-extensions", "leaf", "-in", f"{name}.csr", "-keyfile",
                  "root.key", "-cert", "root.crt", "-startdate", begin, "-enddate", end, "-out", f"{name}.crt")
        (self.folder / f"{name}.chain").write_text((self.folder / f"{name}.crt").read_text()
                                                   + (self.folder / "root.crt").read_text())

    def der(self, name):
        return ssl.PEM_cert_to_DER_cert((self.folder / f"{name}.crt").read_text())

    def credential(self, kind, **values):
        """The path of a credential file; `values` replace or add lines, None leaves one out."""
        lines = {"kind": kind, "address": "127.0.0.1:1", "cluster": self.cluster,
                 "root": _certificate.fingerprint(self.der("root")).hex(),
                 "root-certificate": base64.b64encode(self.der("root")).decode()}
        lines.update({name.replace("_", "-"): value for name, value in values.items()})
        self._count += 1
        path = self.folder / f"credential-{self._count}"
        path.write_text("carillon-credential 1\n" + "".join(f"{name} {value}\n" for name, value in lines.items()
                                                            if value is not None), encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    def holder(self, name):
        """The lines of a credential of kind certificate for NAME."""
        pem = (self.folder / f"{name}.key").read_text()
        key = "".join(line for line in pem.splitlines() if "PRIVATE KEY" not in line)
        return {"certificate": base64.b64encode(self.der(name)).decode(), "key": key}

    def server_context(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.chain", self.folder / f"{name}.key")
        context.set_alpn_protocols(["carillon/1"])
        return context


class TlsNode(FakeNode):
    """A FakeNode behind TLS."""

    def __init__(self, context, handle=None, welcome=None):
        super().__init__(handle, welcome)
        self._context = context

    async def start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]


class RefusingNode:
    """Takes one TLS connection after another on a thread and lets OpenSSL say in its own words what is wrong; asyncio
    would close without them."""

    def __init__(self, context, *_):
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self.connections = []
        self.hellos = []
        self.requests = []

    def _serve(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.connections.append(peer)
            peer.settimeout(5)
            raw = peer.dup()
            try:
                with self._context.wrap_socket(peer, server_side=True) as stream:
                    self.hellos.append(stream.recv(1024))
            except OSError:
                self._linger(raw)
            finally:
                raw.close()

    @staticmethod
    def _linger(raw):
        """A socket closed with bytes unread resets the connection, and the alert on its way may be lost."""
        try:
            raw.settimeout(5)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(1024):
                pass
        except OSError:
            pass

    async def start(self):
        self._thread.start()

    async def stop(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
