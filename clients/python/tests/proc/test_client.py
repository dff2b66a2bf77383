"""Both faces against a real daemon with the samples."""

import asyncio
import re
import signal
import threading
import time
import unittest
from decimal import Decimal

import carillon
from carillon.messages import operator_pb2
from lib.daemon import SOURCE, Daemon

daemon = Daemon()


def setUpModule():
    daemon.start()
    daemon.import_samples()


def tearDownModule():
    daemon.close()


class Blocking(unittest.TestCase):
    def setUp(self):
        self.client = carillon.Client(daemon.address)
        self.addCleanup(self.client.close)

    def test_search__gives_hits_with_what_is_known_of_them(self):
        found = self.client.search("operating systems", institution="lindenmoor")
        hit = found.hits[0]
        self.assertEqual((hit.code, hit.title, hit.credits, hit.level), ("COMP 240", "Operating Systems",
                                                                         Decimal("4.00"), 3))
        self.assertEqual(str(hit.name), "lindenmoor:COMP 240@current")
        self.assertEqual(self.client.show(hit.name).title, hit.title)

    def test_search__page_by_page__gives_every_match_once(self):
        cursor, names = None, []
        while cursor != "":
            page = self.client.search("at:thalassa", limit=10, cursor=cursor or "", brief=True)
            names += [hit.name for hit in page.hits]
            cursor = page.next_cursor
        self.assertEqual((len(names), len(set(names)), page.matches), (65, 65, 65))

    def test_query__that_cannot_be_read__says_where(self):
        with self.assertRaises(carillon.QueryError) as caught:
            self.client.search("ocean (deep")
        self.assertEqual(caught.exception.position, 6)
        self.assertEqual(caught.exception.exit_code, 64)

    def test_a_day_of_a_student__registered_refused_waiting_swapped_dropped(self):
        submitted = self.client.register("lm-0016", "HIST 110#1")
        self.assertEqual([(change.kind.word, str(change.section)) for change in submitted.changes],
                         [("registered", "lindenmoor:HIST 110#1@current")])
        with self.assertRaises(carillon.Refused) as caught:
            self.client.register("lm-0016", "COMP 320#1", "HIST 110#1")
        self.assertEqual({refusal.kind for refusal in caught.exception.refusals},
                         {carillon.RefusalKind.PREREQUISITE_UNMET, carillon.RefusalKind.ALREADY_REGISTERED})
        self.assertTrue(all(refusal.remedy for refusal in caught.exception.refusals))
        self.assertGreater(caught.exception.receipt.index, submitted.receipt.index)
        item, = self.client.schedule("lm-0016").items
        self.assertEqual((item.since_index, item.credits), (submitted.receipt.index, Decimal("3.00")))
        swapped = self.client.swap("lm-0016", "HIST 110#1", carillon.SectionName("HIST 110", "2"))
        self.assertEqual([change.kind.word for change in swapped.changes], ["dropped", "registered"])
        self.assertFalse(swapped.waitlisted)
        self.assertEqual([student.token for student in self.client.roster("HIST 110#2").students], ["lm-0016"])
        self.client.drop("lm-0016", "HIST 110#2")
        self.assertEqual(self.client.schedule("lm-0016").items, ())

    def test_check__says_what_register_would_do__and_changes_nothing(self):
        checked = self.client.check("lm-0017", "HIST 110#1")
        self.assertTrue(checked.ok)
        self.assertFalse(self.client.check("lm-0017", "COMP 320#1").ok)
        self.assertEqual(self.client.schedule("lm-0017").items, ())

    def test_the_same_key__gives_the_same_answer__and_another_body_an_error(self):
        key = carillon.new_key()
        first = self.client.register("lm-0012", "HIST 110#1", key=key)
        again = self.client.register("lm-0012", "HIST 110#1", key=str(key))
        self.assertEqual((first.receipt, first.changes), (again.receipt, again.changes))
        with self.assertRaises(carillon.KeyReused):
            self.client.register("lm-0012", "HIST 120#1", key=key)
        outcome = self.client.outcome("lm-0012", key)
        self.assertEqual((outcome.known, outcome.receipt, outcome.error), (True, first.receipt, None))
        self.assertFalse(self.client.outcome("lm-0012", carillon.new_key()).known)
        with self.assertRaises(ValueError):
            self.client.register("lm-0012", "HIST 120#1", key="not a key")

    def test_names__that_lead_nowhere__are_typed(self):
        for kind, arguments in [(carillon.UnknownStudent, ("nobody", "HIST 110#1")),
                                (carillon.UnknownCourse, ("lm-0020", "HIST 999")),
                                (carillon.UnknownSection, ("lm-0020", "HIST 110#9")),
                                (carillon.Ambiguous, ("lm-0020", "COMP 101"))]:
            with self.assertRaises(kind):
                self.client.register(*arguments)

    def test_any_method__is_called_by_its_name(self):
        status = self.client.call("node.status", operator_pb2.StatusRequest())
        self.assertEqual(status.cluster_id, self.client.register("lm-0014", "HIST 110#1").receipt.cluster_id)

    def test_threads__register_at_once__and_nobody_is_lost(self):
        def register(number):
            self.client.register(f"bw-{number:04}", "MUSI 150#1")

        threads = [threading.Thread(target=register, args=(number,)) for number in range(1, 41)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.roster("MUSI 150#1").enrolled, 40)

    def test_the_example_of_the_readme__runs_in_ten_lines(self):
        text = (SOURCE / "clients/python/README.md").read_text(encoding="utf-8")
        example = re.search(r"(?:^    .*\n|^\n)+", text[text.index("    import carillon"):], re.M).group()
        lines = [line[4:] for line in example.splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 10)
        self.assertIn("127.0.0.1:7440", example)
        printed = []
        exec("\n".join(lines).replace("127.0.0.1:7440", daemon.address), {"print": lambda *words: printed.append(words)})
        self.assertIn("Data Structures", [words[-1] for words in printed])
        self.assertEqual([words[1:3] for words in printed if "prerequisite-unmet" in words],
                         [("prerequisite-unmet", "COMP 240"), ("prerequisite-unmet", "COMP 250")])


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_hundreds_at_once__share_one_connection_and_are_all_answered(self):
        async with carillon.AsyncClient(daemon.address, outstanding_max=512) as client:
            results = await asyncio.gather(*(client.schedule(f"lm-{number % 160 + 1:04}", deadline=60)
                                             for number in range(2000)))
            self.assertEqual([schedule.student for schedule in results],
                             [f"lm-{number % 160 + 1:04}" for number in range(2000)])
            self.assertEqual((client.counters.connects, client.outstanding), (1, 0))

    async def test_cancelled__under_load__leaves_no_place_taken(self):
        async with carillon.AsyncClient(daemon.address, outstanding_max=64) as client:
            for _ in range(10):
                tasks = [asyncio.ensure_future(client.schedule("lm-0001")) for _ in range(200)]
                await asyncio.sleep(0.002)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                self.assertTrue(all(isinstance(result, (carillon.Schedule, asyncio.CancelledError))
                                    for result in results))
                self.assertTrue(all(isinstance(result, carillon.Schedule) for result in results[1::2]))
            until = time.monotonic() + 10
            while client._channel.in_flight > 0 and time.monotonic() < until:  # answers nobody waits for any more
                await client.schedule("lm-0001")
            self.assertEqual((client.outstanding, client._channel.in_flight), (0, 0))

    async def test_a_stopped_daemon__leaves_a_change_unknown__and_its_key_tells(self):
        async with carillon.AsyncClient(daemon.address) as client:
            await client.connect()
            daemon.process.send_signal(signal.SIGSTOP)
            try:
                begun = time.monotonic()
                with self.assertRaises(carillon.OutcomeUnknown) as caught:
                    await client.register("th-0001", "lindenmoor:HIST 110#1", deadline=0.2)
                self.assertLess(time.monotonic() - begun, 10)
            finally:
                daemon.process.send_signal(signal.SIGCONT)
            submitted = await client.register("th-0001", "lindenmoor:HIST 110#1", key=caught.exception.key)
            item, = (await client.schedule("th-0001")).items
            self.assertEqual(item.since_index, submitted.receipt.index)
