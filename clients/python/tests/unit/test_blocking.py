"""The blocking face: many threads on one connection, and an end at any moment."""

import asyncio
import os
import signal
import threading
import time
import unittest

import carillon
from carillon.messages import registration_pb2
from lib.fake_node import FakeNode


class Blocking(unittest.TestCase):
    """The node runs on a loop in a thread of its own."""

    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.node = FakeNode(self.echo)
        self.do(self.node.start())

    def tearDown(self):
        self.do(self.node.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    @staticmethod
    def echo(connection, request):
        asked = registration_pb2.ScheduleRequest.FromString(request.body)
        connection.answer(request, registration_pb2.ScheduleReply(student=asked.student))

    def until(self, condition):
        end = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to that")
            time.sleep(0.001)

    def test_threads__many__share_a_connection_and_get_their_own_answers(self):
        wrong = []

        def ask(client, number):
            for i in range(20):
                if client.schedule(f"s{number}.{i}").student != f"s{number}.{i}":
                    wrong.append((number, i))

        with carillon.Client(self.node.address) as client:
            threads = [threading.Thread(target=ask, args=(client, number)) for number in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(client.counters.requests, 320)
        self.assertEqual(wrong, [])
        self.assertEqual(len(self.node.connections), 1)

    def test_close__from_another_thread__ends_the_call_that_waits(self):
        self.node.handle = lambda connection, request: None
        client = carillon.Client(self.node.address)
        met = []

        def ask():
            try:
                client.register("s", "A 1")
            except carillon.CarillonError as error:
                met.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        self.until(lambda: self.node.requests)
        client.close()
        thread.join()
        self.assertIsInstance(met[0], carillon.OutcomeUnknown)
        client.close()
        with self.assertRaises(carillon.Unavailable):
            client.schedule("s")

    def test_interrupted__by_ctrl_c__gives_the_request_up(self):
        self.node.handle = lambda connection, request: os.kill(os.getpid(), signal.SIGINT)
        with carillon.Client(self.node.address) as client:
            with self.assertRaises(KeyboardInterrupt):
                client.schedule("s")
            self.until(lambda: client.counters.requests == 1)
            self.assertEqual(client._async.outstanding, 0)

    def test_client__once_closed__leaves_no_thread(self):
        before = threading.active_count()
        client = carillon.Client(self.node.address)
        client.connect()
        self.assertEqual(threading.active_count(), before + 1)
        client.close()
        self.assertEqual(threading.active_count(), before)

    def test_client__in_a_child_process__says_whose_it_is(self):
        with carillon.Client(self.node.address) as client:
            client.schedule("s")
            child = os.fork()
            if child == 0:
                try:
                    client.schedule("s")
                except carillon.Unavailable as error:
                    os._exit(0 if "process that made it" in str(error) else 2)
                finally:
                    os._exit(3)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertEqual(client.schedule("t").student, "t")
