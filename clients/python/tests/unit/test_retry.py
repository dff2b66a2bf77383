"""Three answers, retries, deadlines and the window, against a node that does what the test tells it."""

import asyncio
import time
import unittest

import carillon
from carillon import _channel
from carillon.errors import number_of
from carillon.messages import envelope_pb2, registration_pb2
from lib.fake_node import FakeNode

SUBMIT = 5
SCHEDULE = 6


def accept(request):
    reply = registration_pb2.SubmitReply()
    reply.receipt.index = 7
    reply.changes.add(kind=registration_pb2.CHANGE_REGISTERED)
    return reply


def answer_all(connection, request):
    connection.answer(request, accept(request) if request.method == SUBMIT else registration_pb2.ScheduleReply())


class Case(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.node = FakeNode(answer_all)
        await self.node.start()
        self.clients = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.close()
        await self.node.stop()

    def client(self, **options):
        client = carillon.AsyncClient(self.node.address, **options)
        self.clients.append(client)
        return client

    async def connected(self, **options):
        """A client whose connection stands: what it asks is sent at once, however short the deadline."""
        client = self.client(**options)
        await client.connect()
        return client

    async def until(self, condition):
        end = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to that")
            await asyncio.sleep(0.001)

    def answer_in_turn(self, *answers):
        """Give each request the next of `answers`, functions of connection and request; the last one again."""
        left = list(answers)

        def handle(connection, request):
            (left.pop(0) if len(left) > 1 else left[0])(connection, request)

        self.node.handle = handle

    @staticmethod
    def cut(connection, request):
        connection.cut()

    @staticmethod
    def silent(connection, request):
        pass

    @staticmethod
    def refuse(name, retry_after_ms=0):
        return lambda connection, request: connection.answer(request, status=number_of(name), text=f"says {name}",
                                                             retry_after_ms=retry_after_ms)


class Answers(Case):
    async def test_change__whose_connection_breaks__is_repeated_with_the_same_key(self):
        self.answer_in_turn(self.cut, self.cut, answer_all)
        key = carillon.new_key()
        submitted = await self.client().register("s", "A 1", key=key)
        self.assertEqual((submitted.attempts, submitted.receipt.index), (3, 7))
        self.assertEqual([request.key for request in self.node.requests], [key.bytes] * 3)
        self.assertEqual(len({request.body for request in self.node.requests}), 1)
        self.assertEqual(len({request.id for request in self.node.requests}), 3)

    async def test_change__without_a_key_given__carries_one_key_of_its_own(self):
        self.answer_in_turn(self.cut, answer_all)
        client = self.client()
        await client.register("s", "A 1")
        await client.register("s", "A 1")
        first, again, second = (request.key for request in self.node.requests)
        self.assertEqual(first, again)
        self.assertNotEqual(first, second)
        self.assertEqual([len(key) for key in (first, second)], [16, 16])

    async def test_change__not_answered_in_time__is_unknown_and_says_its_key(self):
        self.answer_in_turn(self.silent)
        key = carillon.new_key()
        with self.assertRaises(carillon.OutcomeUnknown) as caught:
            await (await self.connected()).register("s", "A 1", key=key, deadline=0.05)
        self.assertEqual((caught.exception.key, caught.exception.name), (key, "ERR_TIMEOUT"))

    async def test_reading__not_answered_in_time__is_not_an_unknown_outcome(self):
        self.answer_in_turn(self.silent)
        with self.assertRaises(carillon.DeadlineExceeded) as caught:
            await (await self.connected()).schedule("s", deadline=0.05)
        self.assertNotIsInstance(caught.exception, carillon.OutcomeUnknown)

    async def test_unknown__then_refused_for_load__stays_unknown(self):
        self.answer_in_turn(self.cut, self.refuse("ERR_BUSY"))
        with self.assertRaises(carillon.OutcomeUnknown):
            await (await self.connected()).register("s", "A 1", deadline=2)
        self.assertGreater(len(self.node.requests), 1)

    async def test_unknown__then_not_permitted__stays_unknown(self):
        self.answer_in_turn(self.cut, self.refuse("ERR_PERMISSION"))
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client().register("s", "A 1")
        self.answer_in_turn(self.refuse("ERR_PERMISSION"))
        with self.assertRaises(carillon.NotPermitted):
            await self.client().register("s", "A 1")

    async def test_unknown__then_nobody_there__stays_unknown(self):
        async def end_of_node():
            await self.until(lambda: self.node.requests)
            await self.node.stop()

        self.answer_in_turn(self.silent)
        end = asyncio.ensure_future(end_of_node())
        with self.assertRaises(carillon.OutcomeUnknown):
            await (await self.connected()).register("s", "A 1", deadline=0.4)
        await end

    async def test_unknown__then_answered_under_its_key__is_that_answer(self):
        def refuse(connection, request):
            reply = registration_pb2.SubmitReply()
            reply.refusals.add(kind=registration_pb2.REFUSAL_BLOCKED, op=0xFFFFFFFF, evidence="fines")
            reply.refusals.add(kind=registration_pb2.REFUSAL_TIME_CONFLICT, op=1, evidence="C 3", remedy="drop it")
            connection.answer(request, reply, status=number_of("ERR_REFUSED"), text="refused by 2 rules")

        self.answer_in_turn(self.cut, refuse)
        with self.assertRaises(carillon.Refused) as caught:
            await self.client().register("s", "A 1", "B 2")
        first, second = caught.exception.refusals
        self.assertEqual((first.kind, first.section), (carillon.RefusalKind.BLOCKED, None))
        self.assertEqual((second.kind.word, str(second.section), second.remedy), ("time-conflict", "B 2", "drop it"))

    async def test_a_node_that_says_timeout__leaves_a_change_unknown_and_is_asked_again(self):
        self.answer_in_turn(self.refuse("ERR_TIMEOUT"), answer_all)
        self.assertEqual((await self.client().register("s", "A 1")).attempts, 2)
        self.answer_in_turn(self.refuse("ERR_TIMEOUT"), self.refuse("ERR_BUSY"))
        with self.assertRaises(carillon.OutcomeUnknown):
            await (await self.connected()).register("s", "A 1", deadline=1)

    async def test_error__with_words__is_raised_with_them_and_not_repeated(self):
        self.answer_in_turn(self.refuse("ERR_UNKNOWN_STUDENT"))
        with self.assertRaises(carillon.UnknownStudent) as caught:
            await self.client().register("s", "A 1")
        self.assertEqual((str(caught.exception), caught.exception.attempts), ("says ERR_UNKNOWN_STUDENT", 1))
        self.assertEqual(len(self.node.requests), 1)

    async def test_reply__that_is_not_what_the_method_promises__is_malformed(self):
        def garbage(connection, request):
            reply = envelope_pb2.Reply(id=request.id, body=b"\xff\xff\xff")
            connection.writer.write(len(reply.SerializeToString()).to_bytes(4, "little") + reply.SerializeToString())

        self.answer_in_turn(garbage)
        with self.assertRaises(carillon.ProtocolError):
            await self.client().schedule("s")


class Retries(Case):
    async def test_load__that_passes__is_waited_for_as_long_as_the_node_says(self):
        self.answer_in_turn(self.refuse("ERR_BUSY", retry_after_ms=150), answer_all)
        begun = time.monotonic()
        self.assertEqual((await self.client().register("s", "A 1")).attempts, 2)
        self.assertGreaterEqual(time.monotonic() - begun, 0.149)

    async def test_load__that_stays__is_unavailable_and_nothing_has_happened(self):
        self.answer_in_turn(self.refuse("ERR_BUSY"))
        with self.assertRaises(carillon.Unavailable) as caught:
            await (await self.connected()).register("s", "A 1", deadline=1)
        self.assertEqual(caught.exception.name, "ERR_BUSY")

    async def test_retry__that_the_deadline_does_not_allow__is_not_begun(self):
        self.answer_in_turn(self.refuse("ERR_BUSY", retry_after_ms=60000))
        begun = time.monotonic()
        with self.assertRaises(carillon.Unavailable):
            await self.client().register("s", "A 1", deadline=30)
        self.assertLess(time.monotonic() - begun, 10)

    async def test_no_retry__when_the_client_says_so(self):
        self.answer_in_turn(self.cut)
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client(retry=False).register("s", "A 1")
        self.assertEqual(len(self.node.requests), 1)
        with self.assertRaises(carillon.Unavailable):
            await self.client(retry=False).schedule("s")

    async def test_budget__bounds_the_retries_of_all_requests_together(self):
        self.answer_in_turn(self.refuse("ERR_BUSY"))
        client = self.client(outstanding_max=10)
        results = await asyncio.gather(*(client.register("s", "A 1", deadline=5) for _ in range(40)),
                                       return_exceptions=True)
        self.assertTrue(all(isinstance(result, carillon.Unavailable) for result in results))
        self.assertEqual(client.counters.retries, 10)
        self.assertEqual(len(self.node.requests), 50)

    async def test_budget__is_earned_back_a_tenth_an_answer(self):
        client = self.client(outstanding_max=10)
        self.answer_in_turn(self.refuse("ERR_BUSY"))
        await asyncio.gather(*(client.register("s", "A 1", deadline=5) for _ in range(40)), return_exceptions=True)
        self.node.handle = answer_all
        for _ in range(30):
            await client.schedule("s")
        self.answer_in_turn(self.refuse("ERR_BUSY"))
        await asyncio.gather(*(client.register("s", "A 1", deadline=5) for _ in range(40)), return_exceptions=True)
        self.assertEqual(client.counters.retries, 13)

    def test_pauses__grow_are_drawn_and_bounded(self):
        for failures, high in [(0, 0.01), (1, 0.02), (5, 0.32), (8, 1.0), (1000, 1.0)]:
            pauses = [_channel.pause_after(failures) for _ in range(200)]
            self.assertTrue(all(high / 2 <= pause <= high for pause in pauses), failures)
            self.assertGreater(len(set(pauses)), 100)


class Window(Case):
    async def test_window__of_the_welcome__is_never_exceeded(self):
        self.node.welcome.outstanding_max = 5
        waiting = []
        self.node.handle = lambda connection, request: waiting.append((connection, request))
        client = self.client(outstanding_max=256)
        tasks = [asyncio.ensure_future(client.register("s", "A 1")) for _ in range(100)]
        answered = 0
        while answered < 100:
            await self.until(lambda: len(waiting) == min(5, 100 - answered))
            await asyncio.sleep(0.001)
            self.assertLessEqual(len(waiting), 5)
            connection, request = waiting.pop()
            answer_all(connection, request)
            answered += 1
        await asyncio.gather(*tasks)

    async def test_answers__in_any_order__meet_their_requests(self):
        held = []

        def handle(connection, request):
            held.append(request)
            if len(held) == 300:
                for each in reversed(held):
                    asked = registration_pb2.ScheduleRequest.FromString(each.body)
                    connection.answer(each, registration_pb2.ScheduleReply(student=asked.student))

        self.node.handle = handle
        client = self.client(outstanding_max=512)
        schedules = await asyncio.gather(*(client.schedule(f"s{i}") for i in range(300)))
        self.assertEqual([schedule.student for schedule in schedules], [f"s{i}" for i in range(300)])
        self.assertEqual(len(self.node.connections), 1)

    async def test_cancelled__waiting_and_paused_and_sent__leave_no_place_taken(self):
        client = self.client(outstanding_max=4)
        self.node.handle = lambda connection, request: None
        tasks = [asyncio.ensure_future(client.register("s", "A 1")) for _ in range(8)]
        await self.until(lambda: len(self.node.requests) == 4)
        self.assertEqual(client.outstanding, 8)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.assertTrue(all(task.cancelled() for task in tasks))
        self.assertEqual(client.outstanding, 0)
        # The node still owes four answers: until they come there is no room, for the node counts them.
        self.assertEqual(client._channel.in_flight, 4)
        with self.assertRaises(carillon.Unavailable):
            await client.schedule("s", deadline=0.05)
        for request in self.node.requests[:]:
            answer_all(self.node.connections[0], request)
        self.node.handle = answer_all
        await asyncio.gather(*(client.register("s", "A 1") for _ in range(20)))
        self.assertEqual((client.outstanding, client._channel.in_flight, client.counters.late), (0, 0, 4))

    async def test_cancelled__before_it_is_sent_again__is_not_sent_again(self):
        self.answer_in_turn(self.refuse("ERR_BUSY", retry_after_ms=200))
        client = self.client()
        task = asyncio.ensure_future(client.register("s", "A 1"))
        await self.until(lambda: client.counters.retries == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.assertEqual(client.outstanding, 0)
        await asyncio.sleep(0.3)
        self.assertEqual(len(self.node.requests), 1)

    async def test_answer__to_what_was_not_asked__ends_the_connection(self):
        def handle(connection, request):
            if len(self.node.connections) == 1:
                connection.answer(request, request_id=request.id + 1000)
            else:
                answer_all(connection, request)

        self.node.handle = handle
        client = self.client()
        with self.assertRaises(carillon.OutcomeUnknown):
            await client.register("s", "A 1")
        await client.schedule("s")
        self.assertEqual((client.counters.lost, client.counters.connects), (1, 2))

    async def test_reply__to_no_request__says_why_the_connection_ends(self):
        for name, kind in [("ERR_MALFORMED", carillon.ProtocolError), ("ERR_STOPPED", None)]:
            self.answer_in_turn(lambda connection, request: connection.answer(
                request, status=number_of(name), text="about the connection", request_id=0), answer_all)
            client = self.client()
            if kind is None:  # it may pass
                await client.schedule("s")
            else:
                with self.assertRaisesRegex(kind, "about the connection"):
                    await client.schedule("s")
            self.assertEqual(client.counters.lost, 1)
        self.answer_in_turn(lambda connection, request: connection.answer(
            request, status=9999, text="of a later version", request_id=0), answer_all)
        with self.assertRaises(carillon.OutcomeUnknown):
            await self.client().register("s", "A 1")

    async def test_a_node_fallen_silent__is_left_for_a_new_connection(self):
        self.node.handle = lambda connection, request: (answer_all(connection, request)
                                                        if len(self.node.connections) > 1 else None)
        client = await self.connected(silence=0.05)
        with self.assertRaises(carillon.OutcomeUnknown):
            await client.register("s", "A 1", deadline=0.1)
        await client.register("s", "A 1", deadline=10)
        self.assertEqual(len(self.node.connections), 2)

    async def test_requests__carry_what_is_left_of_the_deadline(self):
        self.answer_in_turn(self.refuse("ERR_BUSY", retry_after_ms=300), answer_all)
        await (await self.connected()).register("s", "A 1", deadline=5)
        first, second = (request.deadline_ms for request in self.node.requests)
        self.assertTrue(4000 < first <= 5001, first)
        self.assertLess(second, first - 299)

    async def test_request__with_no_time_left__is_not_sent(self):
        client = self.client()
        for deadline in (0, -1, float("nan")):
            with self.assertRaises(carillon.Unavailable):
                await client.register("s", "A 1", deadline=deadline)
        await client.register("s", "A 1", deadline=float("inf"))
        self.assertEqual(len(self.node.requests), 1)

    async def test_request__too_large_for_a_frame__is_not_sent(self):
        with self.assertRaises(carillon.ProtocolError) as caught:
            await self.client().register("s" * (1 << 20), "A 1")
        self.assertEqual(caught.exception.name, "ERR_TOO_LARGE")
        self.assertEqual(self.node.requests, [])


class Connections(Case):
    async def test_nobody_there__is_an_answer_at_once(self):
        await self.node.stop()
        begun = time.monotonic()
        with self.assertRaises(carillon.Unavailable) as caught:
            await self.client().register("s", "A 1", deadline=60)
        self.assertEqual(caught.exception.name, "ERR_REFUSED_CONNECT")
        self.assertIn(f"port {self.node.port}", str(caught.exception))
        self.assertLess(time.monotonic() - begun, 10)
        with self.assertRaises(carillon.Unavailable):
            await self.client().connect()

    async def test_a_node_that_goes_and_comes_back__is_waited_for(self):
        client = self.client()
        await client.schedule("s")
        await self.node.stop()
        await asyncio.sleep(0.01)
        task = asyncio.ensure_future(client.register("s", "A 1", deadline=20))
        await asyncio.sleep(0.2)
        self.assertFalse(task.done())
        await self.node.start()
        self.assertEqual((await task).receipt.index, 7)
        self.assertEqual(client.counters.connects, 2)

    async def test_a_listener_that_never_greets__is_unavailable(self):
        self.node.welcome = None
        with self.assertRaises(carillon.Unavailable) as caught:
            await self.client(connect_timeout=0.1).register("s", "A 1")
        self.assertIn("nothing greets there", str(caught.exception))

    async def test_welcome__that_refuses__is_raised_with_the_nodes_words(self):
        self.node.welcome = envelope_pb2.Welcome(status=number_of("ERR_FULL"), text="too many connections")
        with self.assertRaises(carillon.Unavailable) as caught:
            await self.client().connect()
        self.assertEqual(caught.exception.name, "ERR_FULL")
        self.assertIn("too many connections", str(caught.exception))

    async def test_welcome__of_another_version_or_of_nonsense__is_final(self):
        class Nonsense:
            @staticmethod
            def SerializeToString():
                return b"\xff" * 20

        client = self.client()
        await client.schedule("s")
        self.node.connections[-1].cut()
        await self.until(lambda: client.counters.lost == 1)
        for welcome, name in [(envelope_pb2.Welcome(version=2, text="no common version"), "ERR_VERSION"),
                              (Nonsense, "ERR_MALFORMED")]:
            self.node.welcome = welcome
            with self.assertRaises(carillon.ProtocolError) as caught:
                await client.register("s", "A 1", deadline=20)
            self.assertEqual(caught.exception.name, name)

    async def test_hello__says_who_we_are_and_the_version(self):
        await self.client(name="test/1").connect()
        (hello,) = self.node.hellos
        self.assertEqual((hello.magic, hello.version_min, hello.version_max, hello.client),
                         (0x43524C4E, 1, 1, "test/1"))

    async def test_close__with_a_change_sent__tells_its_owner_that_it_is_unknown(self):
        self.node.handle = lambda connection, request: None
        client = self.client(outstanding_max=1)
        sent = asyncio.ensure_future(client.register("s", "A 1"))
        await self.until(lambda: self.node.requests)
        waiting = asyncio.ensure_future(client.register("s", "A 1"))
        await asyncio.sleep(0)
        await client.close()
        with self.assertRaises(carillon.OutcomeUnknown):
            await sent
        with self.assertRaises(carillon.Unavailable) as caught:
            await waiting
        self.assertEqual(caught.exception.name, "ERR_CANCELLED")
        with self.assertRaises(carillon.Unavailable):
            await client.schedule("s")

    async def test_close__before_anything_and_while_connecting__ends(self):
        await self.client().close()
        self.node.welcome = None
        client = self.client()
        task = asyncio.ensure_future(client.schedule("s"))
        await self.until(lambda: self.node.hellos)
        await client.close()
        with self.assertRaises(carillon.Unavailable):
            await task


class Options(unittest.TestCase):
    def test_options__beyond_their_bounds__are_refused(self):
        for options in ({"outstanding_max": 0}, {"outstanding_max": 65536}, {"name": "x" * 65}):
            with self.assertRaises(carillon.InvalidArgument):
                carillon.AsyncClient(**options)

    def test_client__in_another_event_loop__is_refused(self):
        client = carillon.AsyncClient("127.0.0.1:1")

        async def use():
            with self.assertRaises(carillon.Unavailable):
                await client.schedule("s")

        asyncio.run(use())
        with self.assertRaises(RuntimeError):
            asyncio.run(client.schedule("s"))
