"""TLS with a real daemon: who comes in, who does not, and the conversation again."""

import asyncio
import hashlib
import logging
import os
import unittest

import carillon
from carillon.messages import identity_pb2, operator_pb2
from lib import conversation
from lib.authority import Authority
from lib.daemon import SOURCE, Daemon

daemon = Daemon()
authority = None


def setUpModule():
    global authority
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # refused handshakes are what this is about
    daemon.start()
    daemon.import_samples()
    authority = Authority(keys=daemon.folder / "data/keys")
    authority.issue("operator", role="operator", usage="clientAuth")


def tearDownModule():
    authority.close()
    daemon.close()


def hold_certificate(name, issuer=None, **values):
    """The path of a credential for this daemon with NAME's certificate."""
    return authority.credential("certificate", **{**(issuer or authority).holder(name), **values})


class Tls(unittest.IsolatedAsyncioTestCase):
    async def refused(self, credential, words):
        async with carillon.AsyncClient(daemon.address, credential=credential) as client:
            with self.assertRaisesRegex(carillon.Unauthenticated, words):
                await client.schedule("lm-0001", deadline=10)

    async def test_operators_certificate__does_everything_over_tls(self):
        async with carillon.AsyncClient(daemon.address, credential=hold_certificate("operator")) as client:
            submitted = await client.register("bw-0001", "MUSI 150#1")
            self.assertEqual([student.token for student in (await client.roster("MUSI 150#1")).students], ["bw-0001"])
            status = await client.call("node.status", operator_pb2.StatusRequest())
            self.assertEqual(status.cluster_id, submitted.receipt.cluster_id)
            await client.drop("bw-0001", "MUSI 150#1")
            link = client._channel._link
            self.assertEqual(link._transport.get_extra_info("ssl_object").version(), "TLSv1.3")

    async def test_hundreds_at_once__over_one_connection_of_tls(self):
        async with carillon.AsyncClient(daemon.address, credential=hold_certificate("operator"),
                                        outstanding_max=512) as client:
            results = await asyncio.gather(*(client.schedule(f"lm-{number % 160 + 1:04}") for number in range(1000)))
            self.assertEqual([schedule.student for schedule in results],
                             [f"lm-{number % 160 + 1:04}" for number in range(1000)])
            self.assertEqual(client.counters.connects, 1)

    async def test_certificates__that_do_not_fit__are_refused_by_the_node(self):
        other = Authority()
        self.addCleanup(other.close)
        other.issue("stranger", role="operator", usage="clientAuth")
        authority.issue("ended", role="operator", usage="clientAuth", end="20210101000000Z")
        authority.issue("early", role="operator", usage="clientAuth", begin="20980101000000Z")
        authority.issue("elsewhere", usage="clientAuth", names="URI:carillon://" + "ab" * 16 + "/operator/x")
        for credential, words in [(hold_certificate("stranger", other), "unknown ca"),
                                  (hold_certificate("ended"), "certificate expired"),
                                  (hold_certificate("early"), "bad certificate"),
                                  (hold_certificate("elsewhere"), "bad certificate")]:
            await self.refused(credential, f"the node refuses this client: {words}")

    async def test_node__that_is_not_of_the_pinned_root__is_refused_by_the_client(self):
        other = Authority()
        self.addCleanup(other.close)
        other.issue("operator", role="operator", usage="clientAuth")
        await self.refused(other.credential("certificate", **other.holder("operator")), "is not who it has to be")

    async def test_token__that_the_node_does_not_know__is_refused_in_words(self):
        await self.refused(authority.credential("token", token="5a" * 32), "the token is unknown")

    async def test_students_token__may_what_the_student_may__until_it_is_revoked(self):
        token = os.urandom(32)
        async with carillon.AsyncClient(daemon.address) as registrar:
            issue = identity_pb2.TokenIssueRequest(hash=hashlib.sha256(token).digest(), student="bw-0002", by="test")
            issued = await registrar.call("registrar.token_issue", issue)
            async with carillon.AsyncClient(daemon.address,
                                            credential=authority.credential("token", token=token.hex())) as student:
                await student.register("bw-0002", "MUSI 150#1")
                item, = (await student.schedule("bw-0002")).items
                self.assertEqual(item.section.code, "MUSI 150")
                self.assertTrue((await student.search("ocean")).hits)
                for forbidden in (student.schedule("bw-0003"), student.drop("bw-0003", "MUSI 150#1"),
                                  student.roster("MUSI 150#1")):
                    with self.assertRaises(carillon.NotPermitted) as caught:
                        await forbidden
                    self.assertEqual(caught.exception.name, "ERR_FORBIDDEN")
                await registrar.call("registrar.token_revoke", identity_pb2.TokenRevokeRequest(id=issued.id, by="test"))
                for _ in range(2):  # on the connection that stands, and at the door
                    with self.assertRaises(carillon.Unauthenticated):
                        await student.schedule("bw-0002", deadline=10)

    async def test_secret__of_another_node__is_refused_in_words(self):
        await self.refused(authority.credential("local", secret="5a" * 32), "the proof of the local credential")


class Conversation(unittest.TestCase):
    maxDiff = None

    def test_conversation__over_tls__is_the_same(self):
        fresh = Daemon()
        self.addCleanup(fresh.close)
        fresh.start()
        fresh.import_samples()
        root = Authority(keys=fresh.folder / "data/keys")
        self.addCleanup(root.close)
        root.issue("operator", role="operator", usage="clientAuth")
        script = (SOURCE / "tests/proc/conversation.txt").read_text(encoding="utf-8")
        with carillon.Client(fresh.address,
                             credential=root.credential("certificate", **root.holder("operator"))) as client:
            self.assertEqual(conversation.hold(client, script), script)
