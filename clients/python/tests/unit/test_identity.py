"""Who is at the other end: credentials, TLS under the pinned root, and proofs of the local secret."""

import asyncio
import hmac
import logging
import os
import pathlib
import ssl
import unittest

import carillon
from carillon import _certificate, _credential
from carillon.messages import envelope_pb2, registration_pb2
from lib.authority import Authority, RefusingNode, TlsNode
from lib.fake_node import FakeNode

SECRET = bytes(range(32))
TOKEN = bytes(range(32, 64))

ours = None
others = None


def setUpModule():
    global ours, others
    ours = Authority()
    others = Authority()
    for authority in (ours, others):
        authority.issue("node")
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # refused handshakes are what this is about
    # Nothing of the machine's own credentials is looked at.
    os.environ.pop("CARILLON_CREDENTIAL", None)
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        os.environ[name] = str(ours.folder / name)


def tearDownModule():
    ours.close()
    others.close()


def answer(connection, request):
    connection.answer(request, registration_pb2.ScheduleReply(student="s"))


def welcome(**values):
    return envelope_pb2.Welcome(**{"version": 1, "outstanding_max": 1024, "cluster_id": bytes.fromhex(ours.cluster),
                                   "node_id": bytes(16), **values})


class Tls(unittest.IsolatedAsyncioTestCase):
    async def ask(self, context, credential, **values):
        """Ask a node that greets with `context`. Returns it."""
        async with TlsNode(context, answer, welcome(**values)) as node:
            async with carillon.AsyncClient(node.address, credential=credential, connect_timeout=5) as client:
                self.assertEqual((await client.schedule("s", deadline=10)).student, "s")
        return node

    async def refuse(self, context, words, credential=None, kind=TlsNode, **values):
        """One refuses the other: the client says so, and the node never sees a request."""
        node = kind(context, answer, welcome(**values))
        await node.start()
        try:
            async with carillon.AsyncClient(node.address, credential=credential or
                                            ours.credential("token", token=TOKEN.hex())) as client:
                with self.assertRaisesRegex(carillon.Unauthenticated, words):
                    await client.schedule("s", deadline=10)
        finally:
            await node.stop()
        self.assertEqual(node.requests, [])
        return node

    async def test_token__travels_in_the_hello_over_tls(self):
        node = await self.ask(ours.server_context("node"), ours.credential("token", token=TOKEN.hex()))
        (hello,) = node.hellos
        self.assertEqual((hello.credential.kind, hello.credential.token), (envelope_pb2.CREDENTIAL_TOKEN, TOKEN))

    async def test_certificate__is_shown_in_the_handshake_and_nothing_in_the_hello(self):
        ours.issue("holder", role="operator", usage="clientAuth")
        context = ours.server_context("node")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ours.folder / "root.crt")
        node = await self.ask(context, ours.credential("certificate", **ours.holder("holder")))
        self.assertFalse(node.hellos[0].HasField("credential"))

    async def test_node_that_refuses_our_certificate__is_told_as_what_it_is(self):
        others.issue("holder", role="operator", usage="clientAuth")
        context = ours.server_context("node")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ours.folder / "root.crt")
        await self.refuse(context, "the node refuses this client: unknown ca",
                          ours.credential("certificate", **others.holder("holder")), RefusingNode)
        await self.refuse(context, "the node refuses this client: .*certificate required", None, RefusingNode)

    async def test_node__of_another_root__is_refused(self):
        node = await self.refuse(others.server_context("node"), "is not who it has to be")
        self.assertEqual(node.hellos, [])

    async def test_node__expired_or_not_yet_valid__is_refused(self):
        ours.issue("expired", end="20210101000000Z")
        ours.issue("early", begin="20980101000000Z")
        await self.refuse(ours.server_context("expired"), "expired")
        await self.refuse(ours.server_context("early"), "not yet valid")

    async def test_node__whose_certificate_is_of_another_form__is_refused(self):
        cluster = ours.cluster
        for number, (words, issue) in enumerate([
                ("not a node's", {"role": "operator"}),
                ("not a node's", {"role": "client"}),
                ("unsuitable certificate purpose", {"usage": "clientAuth"}),
                ("of another cluster", {"names": "URI:carillon://" + "ab" * 16 + "/node/" + "cd" * 16}),
                ("who it is for", {"names": f"DNS:carillon, URI:carillon://{cluster}/node/" + "cd" * 16}),
                ("who it is for", {"names": "DNS:carillon"}),
                ("who it is for", {"names": f"URI:carillon://{cluster}/node/a/b"}),
                ("not a node's", {"names": f"URI:carillon://{cluster}/node/a"}),
                ("not Ed25519", {"algorithm": "EC"})]):
            ours.issue(f"odd{number}", **issue)
            node = await self.refuse(ours.server_context(f"odd{number}"), words)
            self.assertEqual(node.hellos, [], words)

    async def test_node__that_speaks_tls_1_2_or_no_alpn__is_refused(self):
        old = ours.server_context("node")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        await self.refuse(old, "the node refuses this client: protocol version", None, RefusingNode)
        silent = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        silent.load_cert_chain(ours.folder / "node.chain", ours.folder / "node.key")
        node = await self.refuse(silent, "does not speak carillon/1")
        self.assertEqual(node.hellos, [])

    async def test_node__of_another_cluster_by_its_welcome__is_refused(self):
        await self.refuse(ours.server_context("node"), "of another cluster", cluster_id=bytes(16))

    async def test_root_certificate__that_is_not_the_pinned_one__is_refused_before_connecting(self):
        theirs = others.credential("token", token=TOKEN.hex())
        with open(theirs, encoding="utf-8") as file:
            pinned = dict(line.split(" ", 1) for line in file.read().splitlines()[1:])["root-certificate"]
        node = await self.refuse(others.server_context("node"), "root certificate",
                                 ours.credential("token", token=TOKEN.hex(), root_certificate=pinned))
        self.assertEqual(node.connections, [])
        await self.refuse(ours.server_context("node"), "root certificate",
                          ours.credential("token", token=TOKEN.hex(), root_certificate=None))

    async def test_a_plain_listener__is_not_spoken_to_by_who_holds_a_token(self):
        node = FakeNode(answer, welcome())
        await node.start()
        async with carillon.AsyncClient(node.address, connect_timeout=1,
                                        credential=ours.credential("token", token=TOKEN.hex())) as client:
            with self.assertRaises(carillon.CarillonError):
                await client.schedule("s", deadline=5)
        await node.stop()
        self.assertEqual((node.hellos, node.requests), ([], []))

    async def test_address__that_is_not_this_machine__needs_a_credential(self):
        for credential in (None, ours.credential("local", secret=SECRET.hex(), root_certificate=None)):
            async with carillon.AsyncClient("192.0.2.1:7440", credential=credential) as client:
                with self.assertRaisesRegex(carillon.Unauthenticated, "carillon login"):
                    await client.connect()

    async def test_host__that_is_no_name__is_refused_at_once(self):
        async with carillon.AsyncClient("two..dots:1", credential=ours.credential("token", token=TOKEN.hex())) as client:
            with self.assertRaises(carillon.InvalidArgument) as caught:
                await client.schedule("s", deadline=60)
        self.assertEqual(caught.exception.name, "ERR_ADDRESS")

    async def test_close__over_tls__ends_with_close_notify(self):
        context = ours.server_context("node")
        ends = []
        node = TlsNode(context, answer, welcome())
        accept = node._accept

        async def watch(reader, writer):
            await accept(reader, writer)
            ends.append(reader.at_eof())

        node._accept = watch
        await node.start()
        async with carillon.AsyncClient(node.address, credential=ours.credential("token", token=TOKEN.hex())) as client:
            await client.schedule("s")
        await asyncio.sleep(0.05)
        await node.stop()
        self.assertEqual(ends, [True])


class Local(unittest.IsolatedAsyncioTestCase):
    @staticmethod
    def proof(hello, words):
        said = words + hello.credential.wall_ms.to_bytes(8, "little") + hello.credential.nonce
        return hmac.new(SECRET, said, "sha256").digest()

    async def test_local_secret__is_proved_by_both_and_never_sent(self):
        node = FakeNode(answer, welcome())

        class Proving:
            @staticmethod
            def SerializeToString():
                return welcome(proof=self.proof(node.hellos[-1], b"carillon local welcome 1")).SerializeToString()

        node.welcome = Proving
        await node.start()
        credential = ours.credential("local", secret=SECRET.hex())
        async with carillon.AsyncClient(node.address, credential=credential) as client:
            await client.schedule("s")
            node.connections[-1].cut()
            await client.schedule("s")
        await node.stop()
        first, second = node.hellos
        self.assertEqual(first.credential.kind, envelope_pb2.CREDENTIAL_LOCAL)
        self.assertEqual(first.credential.proof, self.proof(first, b"carillon local hello 1"))
        self.assertNotEqual(first.credential.nonce, second.credential.nonce)
        self.assertNotIn(SECRET, first.SerializeToString())
        self.assertTrue(64 <= len(first.SerializeToString()) <= 256)

    async def test_a_listener_that_does_not_hold_the_secret__is_refused(self):
        for proof in (b"", bytes(32)):
            async with FakeNode(answer, welcome(proof=proof)) as node:
                async with carillon.AsyncClient(node.address,
                                                credential=ours.credential("local", secret=SECRET.hex())) as client:
                    with self.assertRaisesRegex(carillon.Unauthenticated, "does not hold"):
                        await client.schedule("s")
                self.assertEqual(node.requests, [])

    async def test_unknown__then_refused_at_the_door__stays_unknown(self):
        async with FakeNode(lambda connection, request: connection.cut(), welcome()) as node:
            async with carillon.AsyncClient(node.address) as client:
                await client.connect()
                node.welcome = envelope_pb2.Welcome(status=36, text="no valid credential")
                with self.assertRaises(carillon.OutcomeUnknown):
                    await client.register("s", "A 1", deadline=5)
                with self.assertRaisesRegex(carillon.Unauthenticated, "no valid credential"):
                    await client.register("s", "A 1", deadline=5)


class Files(unittest.TestCase):
    def test_credential__of_every_kind__is_read(self):
        token = _credential.read(ours.credential("token", token=TOKEN.hex(), later="a thing"))
        self.assertEqual((token.kind, token.token, token.cluster.hex()), ("token", TOKEN, ours.cluster))
        self.assertEqual(token.root, _certificate.fingerprint(token.root_certificate))
        local = _credential.read(ours.credential("local", secret=SECRET.hex()))
        self.assertEqual(local.secret, SECRET)
        self.assertNotIn(SECRET.hex(), repr(local) + str(local))

    def test_credential__that_is_not_whole__is_malformed(self):
        good = {"kind": "token", "cluster": "00" * 16, "root": "11" * 32, "token": "22" * 32}

        def text(**values):
            lines = {**good, **values}
            return "carillon-credential 1\n" + "".join(f"{n} {v}\n" for n, v in lines.items() if v is not None)

        _credential.parse(text())
        for bad in (text()[:-1], text() + "token 00\n", text() + "word\n", text(kind="other"), text(kind=None),
                    text(cluster="00"), text(cluster="0" * 31 + "g"), text(cluster="00 " * 10 + "00"),
                    text(token=None), text(root=None), text(secret="33" * 32), text(**{"root-certificate": "?"}),
                    "", "carillon", "carillon-credential 1"):
            with self.assertRaises(carillon.ProtocolError) as caught:
                _credential.parse(bad)
            self.assertEqual(caught.exception.name, "ERR_MALFORMED", bad)
        with self.assertRaises(carillon.ProtocolError) as caught:
            _credential.parse(text().replace("credential 1", "credential 2"))
        self.assertEqual(caught.exception.name, "ERR_VERSION")

    def test_credential__that_others_can_read_or_that_is_no_file__is_refused(self):
        path = ours.credential("token", token=TOKEN.hex())
        for mode in (0o644, 0o640, 0o602, 0o601):
            os.chmod(path, mode)
            with self.assertRaises(carillon.NotPermitted):
                _credential.read(path)
        os.chmod(path, 0o400)
        _credential.read(path)
        link = path + ".link"
        os.symlink(path, link)
        self.addCleanup(os.unlink, link)
        os.mkfifo(path + ".fifo", 0o600)
        self.addCleanup(os.unlink, path + ".fifo")
        for other in (link, path + ".fifo", str(ours.folder)):
            with self.assertRaises(carillon.NotPermitted):
                _credential.read(other)
        with open(path + ".large", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as large:
            large.write("carillon-credential 1\n" + "x y\n" * 5000)
        with self.assertRaisesRegex(carillon.ProtocolError, "too large"):
            _credential.read(path + ".large")

    def test_credential__is_looked_for_in_its_places__in_order(self):
        config = ours.folder / "XDG_CONFIG_HOME/carillon/credentials"
        runtime = ours.folder / "XDG_RUNTIME_DIR/carillon"
        config.mkdir(parents=True)
        runtime.mkdir(parents=True)

        def put(path, token):
            path.write_bytes(pathlib.Path(ours.credential("token", token=token * 32)).read_bytes())
            path.chmod(0o600)

        self.assertIsNone(_credential.find("127.0.0.1", 7001, True))
        put(runtime / "7001", "aa")
        self.assertEqual(_credential.find("127.0.0.1", 7001, True).token[0], 0xaa)
        self.assertIsNone(_credential.find("192.0.2.1", 7001, False))
        put(config / "127.0.0.1_7001", "bb")
        put(config / "..1_7001", "cc")
        self.assertEqual(_credential.find("127.0.0.1", 7001, True).token[0], 0xbb)
        self.assertEqual(_credential.find("::1", 7001, True).token[0], 0xcc)
        os.environ["CARILLON_CREDENTIAL"] = ours.credential("token", token="dd" * 32)
        self.addCleanup(os.environ.pop, "CARILLON_CREDENTIAL")
        self.assertEqual(_credential.find("127.0.0.1", 7001, True).token[0], 0xdd)
        self.assertEqual(_credential.find("127.0.0.1", 7001, True, str(config / "..1_7001")).token[0], 0xcc)
        with self.assertRaises(carillon.NotFound):
            _credential.find("127.0.0.1", 7001, True, "/nonexistent/credential")

    def test_certificate__cut_or_changed_at_any_byte__is_never_read_beyond_its_end(self):
        der = ours.der("node")
        whole = _certificate.public_key(der)
        self.assertEqual(len(whole), 32)
        for end in range(len(der)):
            with self.assertRaises(ValueError):
                _certificate.public_key(der[:end])
        for at in range(len(der)):
            changed = der[:at] + bytes([der[at] ^ 0xff]) + der[at + 1:]
            try:
                self.assertEqual(len(_certificate.public_key(changed)), 32)
            except ValueError:
                pass
