"""The nodes of a cluster, found from any of them, against nodes that do what the test tells them."""

import unittest

import carillon
from carillon import _frame, _peers
from carillon.errors import number_of
from carillon.messages import catalogue_pb2, envelope_pb2, operator_pb2, registration_pb2, search_pb2
from lib.fake_node import FakeNode

NONE = 0
SUBMIT = 5
SCHEDULE = 6
IDS = (b"the first node..", b"the second node.")
CLUSTER = b"cluster of tests"


def answer(connection, request):
    if request.method == SUBMIT:
        reply = registration_pb2.SubmitReply()
        reply.receipt.index = 7
        connection.answer(request, reply)
    else:
        connection.answer(request, registration_pb2.ScheduleReply())


class Peers(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.nodes = [FakeNode(answer), FakeNode(answer)]
        for node, node_id in zip(self.nodes, IDS):
            await node.start()
            node.welcome = envelope_pb2.Welcome(version=1, outstanding_max=1024, cluster_id=CLUSTER, node_id=node_id)
        self.first, self.second = self.nodes
        self.clients = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.close()
        for node in self.nodes:
            await node.stop()

    def client(self, *addresses, **options):
        client = carillon.AsyncClient(",".join(addresses), **options)
        self.clients.append(client)
        return client

    def told(self, leader=None):
        return envelope_pb2.Cluster(nodes=[
            envelope_pb2.ClusterNode(node_id=node_id, address=node.address, leads=[0, 1] if i == leader else [])
            for i, (node, node_id) in enumerate(zip(self.nodes, IDS))])

    def tell(self, leader=None):
        for node in self.nodes:
            node.welcome.cluster.CopyFrom(self.told(leader))

    def die(self, connection, request):
        """The node dies of its first request."""
        self.first._server.close()
        for each in self.first.connections:
            each.cut()

    async def test_first_address__dead__the_second_answers(self):
        await self.first.stop()
        client = self.client(self.first.address, self.second.address)
        await client.connect()
        await client.register("s", "A 1")
        self.assertEqual(len(self.second.requests), 1)

    async def test_all_addresses__dead__is_said_once_all_were_tried(self):
        for node in self.nodes:
            await node.stop()
        client = self.client(self.first.address, self.second.address)
        with self.assertRaises(carillon.Unavailable):
            await client.connect()
        with self.assertRaises(carillon.Unavailable):
            await client.register("s", "A 1", deadline=5)

    def test_list__that_is_none__is_refused(self):
        for address in ("127.0.0.1:1,127.0.0.1:0", "127.0.0.1:1,x:y", ",".join(f"127.0.0.1:{i}" for i in range(1, 18))):
            with self.assertRaises(carillon.InvalidArgument):
                carillon.Client(address)

    async def test_node__that_dies_of_a_change__has_it_done_elsewhere_under_its_key(self):
        self.tell()
        self.first.handle = self.die
        done = await self.client(self.first.address).register("s", "A 1")
        self.assertEqual(done.attempts, 2)
        self.assertEqual(len(self.first.requests), 1)
        self.assertEqual([request.key for request in self.second.requests], [self.first.requests[0].key])

    async def test_what_is_about_one_node__is_not_asked_of_another(self):
        self.tell()
        self.first.handle = self.die
        with self.assertRaises(carillon.Unavailable):
            await self.client(self.first.address).call("node.status", operator_pb2.StatusRequest())
        self.assertEqual(self.second.requests, [])

    async def test_client__told_to_stay__asks_nobody_else(self):
        self.tell()
        self.first.handle = self.die
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client(self.first.address, stays=True).register("s", "A 1", deadline=0.5)
        self.assertEqual(self.second.hellos, [])

    async def test_told_with_an_answer__nodes_are_known_from_then_on(self):
        def tell(connection, request):
            reply = envelope_pb2.Reply(id=request.id, cluster=self.told())
            connection.writer.write(_frame.encode(reply.SerializeToString()))

        self.first.handle = tell
        client = self.client(self.first.address)
        await client.schedule("s")
        await self.first.stop()
        await client.schedule("s")
        self.assertEqual(len(self.second.requests), 1)

    async def test_node__of_another_cluster__is_not_taken(self):
        self.tell()
        self.first.handle = self.die
        self.second.welcome.cluster_id = b"another cluster."
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client(self.first.address).register("s", "A 1", deadline=1)
        self.assertGreater(len(self.second.hellos), 0)
        self.assertEqual(self.second.requests, [])

    async def test_node__that_falls_silent__is_left_in_time(self):
        self.tell()
        self.first.handle = lambda connection, request: None  # its machine is gone, and said no word
        done = await self.client(self.first.address).register("s", "A 1")
        self.assertEqual(done.attempts, 2)
        self.assertEqual(len(self.second.requests), 1)
        self.assertEqual([request.method for request in self.first.requests], [SUBMIT, NONE])

    async def test_node__that_takes_its_time__is_waited_for(self):
        self.tell()
        self.first.handle = lambda connection, request: (connection.answer(request) if request.method == NONE
                                                         else None)
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client(self.first.address).register("s", "A 1", deadline=3.5)
        self.assertEqual(self.second.requests, [])
        self.assertGreaterEqual(len(self.first.requests), 3)

    async def test_node__that_knows_no_leader__is_left(self):
        self.tell()
        self.first.handle = lambda connection, request: connection.answer(request, status=number_of("ERR_NOT_LEADER"))
        client = self.client(self.first.address)
        await client.register("s", "A 1")
        await client.register("s", "A 1")
        self.assertEqual(len(self.second.requests), 2)
        self.assertEqual(client.counters.lost, 0)  # it was left in order

    async def test_the_one_that_leads__is_asked_after_many_answers(self):
        self.tell(leader=1)
        client = self.client(self.first.address)
        for _ in range(3 * _peers.SETTLE_ANSWERS):
            await client.schedule("s")
        self.assertEqual(len(self.first.requests) + len(self.second.requests), 3 * _peers.SETTLE_ANSWERS)
        self.assertGreater(len(self.second.requests), 0)
        self.assertEqual(client.counters.retries, 0)

    async def test_the_one_that_leads__dead__costs_nothing(self):
        self.tell(leader=1)
        await self.second.stop()
        client = self.client(self.first.address)
        for _ in range(3 * _peers.SETTLE_ANSWERS):
            await client.schedule("s")
        self.assertEqual(client.counters.retries, 0)
        self.assertEqual(len(self.first.requests), 3 * _peers.SETTLE_ANSWERS)

    async def test_address__of_no_use__is_not_taken(self):
        self.first.welcome.cluster.CopyFrom(self.told())
        for address in ("0.0.0.0:7440", "[::]:7440", "no name at all", "x:y"):
            self.first.welcome.cluster.nodes[1].address = address
            client = self.client(self.first.address)
            await client.connect()
            self.assertEqual(len(client._channel._peers.all), 1, address)

    async def test_loopback_address__told_from_elsewhere__is_not_taken(self):
        peers = _peers.Peers("192.0.2.7:7440", None)
        peers.learn(peers.target, self.told())
        self.assertEqual(len(peers.all), 1)

    # ---- old states ----

    @staticmethod
    def old(body):
        def handle(connection, request):
            reply = envelope_pb2.Reply(id=request.id, body=body.SerializeToString(),
                                       stale=envelope_pb2.Staleness(age_ms=1500, applied_index=77))
            connection.writer.write(_frame.encode(reply.SerializeToString()))
        return handle

    async def test_old_state__asked_for__says_its_age(self):
        client = self.client(self.first.address)
        for body, ask in (
                (registration_pb2.ScheduleReply(), lambda: client.schedule("s", stale_ok=True)),
                (registration_pb2.RosterReply(), lambda: client.roster("A 1#1", stale_ok=True)),
                (search_pb2.SearchReply(), lambda: client.search("a", stale_ok=True)),
                (search_pb2.ShowReply(course=catalogue_pb2.Course(code="A 1")),
                 lambda: client.show("A 1", stale_ok=True))):
            self.first.handle = self.old(body)
            found = await ask()
            self.assertEqual(found.staleness, carillon.Staleness(1.5, 77))
            self.assertTrue(self.first.requests[-1].stale_ok)

    async def test_old_state__not_asked_for__is_not_taken(self):
        self.first.handle = self.old(registration_pb2.ScheduleReply())
        with self.assertRaises(carillon.ProtocolError):
            await self.client(self.first.address).schedule("s")

    async def test_new_state__has_no_age(self):
        self.assertIsNone((await self.client(self.first.address).schedule("s")).staleness)
