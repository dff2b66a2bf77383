"""The daemon is killed (SIGKILL) between request and answer, again and again, and started again on its data; the
client repeats by itself. Nothing happens twice, and whatever was acknowledged is there.

Half of the kills come right after requests have been handed to the daemon, so their outcome is open; the other half
when the first answers are on their way and are swallowed, so that what they say has happened and the client cannot
know. 100 kills; 500 with CARILLON_CAMPAIGN=nightly."""

import asyncio
import json
import os
import random
import unittest

import carillon
from carillon.messages import operator_pb2
from lib.cutting_proxy import CuttingProxy
from lib.daemon import Daemon

KILLS = 500 if os.environ.get("CARILLON_CAMPAIGN") == "nightly" else 100
STUDENTS = 64
AT_ONCE = 8
SUBMIT = 5
REGISTERED = carillon.ChangeKind.REGISTERED
DROPPED = carillon.ChangeKind.DROPPED


class Ledger:
    """What students were told: by student, in order, (what, receipt index)."""

    def __init__(self):
        self.told = {f"k-{i}": [] for i in range(STUDENTS)}

    def has(self, student):
        return bool(self.told[student]) and self.told[student][-1][0] == REGISTERED


class Kill(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.seed = int(os.environ.get("CARILLON_SEED", random.randrange(1 << 32)))
        self.random = random.Random(self.seed)
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        self.proxy = CuttingProxy()
        await self.proxy.start()
        self.proxy.daemon_port = self.daemon.port
        self.import_population()
        self.ledger = Ledger()
        self.repeated = 0
        self.told_again = 0

    async def asyncTearDown(self):
        await self.proxy.stop()

    def import_population(self):
        """One section with exactly as many seats as there are students: a seat taken twice would be missed."""
        course = {"institution": "kill", "code": "K 1", "title": "Endings",
                  "sections": [{"id": "1", "capacity": STUDENTS}]}
        courses = self.daemon.folder / "courses.jsonl"
        courses.write_text(json.dumps(course) + "\n", encoding="utf-8")
        students = self.daemon.folder / "students.jsonl"
        students.write_text("".join(json.dumps({"institution": "kill", "token": token, "name": token}) + "\n"
                                    for token in (f"k-{i}" for i in range(STUDENTS))), encoding="utf-8")
        self.daemon.run("import", str(courses))
        self.daemon.run("import", "--students", str(students))

    async def toggle(self, client, student):
        """Register who is not, drop who is; the answer has to be yes, under one key, however often it is asked."""
        key = carillon.new_key()
        verb = client.drop if self.ledger.has(student) else client.register
        done = await verb(student, "K 1", key=key, deadline=120)
        self.ledger.told[student].append((done.changes[0].kind, done.receipt.index))
        self.repeated += key.bytes in self.proxy.repeated
        swallowed = self.proxy.swallowed.pop(key.bytes, None)
        if swallowed is not None:
            self.assertEqual(done.receipt.index, swallowed, "an answer was given twice, and differently")
            self.told_again += 1

    async def kill(self):
        """At some moment of the writing, or after it."""
        await asyncio.sleep(self.random.choice([0, 0, self.random.random() * 0.003]))
        self.assertEqual(self.daemon.kill(), -9)
        self.killed.set()

    async def one_round(self, client, number):
        self.killed = asyncio.Event()
        self.proxy.arm("request" if number % 2 == 0 else "answer", self.kill)
        students = self.random.sample(sorted(self.ledger.told), AT_ONCE)
        tasks = [asyncio.ensure_future(self.toggle(client, student)) for student in students]
        await self.killed.wait()
        await asyncio.get_running_loop().run_in_executor(None, self.daemon.start)
        self.proxy.daemon_port = self.daemon.port
        await asyncio.gather(*tasks)

    async def history(self, client, student):
        """What the audit trail says has happened to a student, in order. A request that was asked again under its key
        is an entry too, with the same answer: it stands right behind the first, for the student asks nothing else
        meanwhile."""
        request = operator_pb2.AuditRequest(student=student, limit=1000)
        reply = await client.call("node.audit", request)
        self.assertEqual(reply.next_after_index, 0)
        history = []
        for record in reply.records:
            if record.method == SUBMIT:
                self.assertEqual((record.status, len(record.changes)), (0, 1))
                if not history or history[-1][0] != record.changes[0].kind:
                    history.append((record.changes[0].kind, record.index))
        return history

    async def check_student(self, client, student, told):
        words = f"{student}, seed {self.seed}"
        self.assertEqual(await self.history(client, student), told, words)
        kinds = [kind for kind, _ in told]
        self.assertEqual(kinds, ([REGISTERED, DROPPED] * len(told))[:len(told)], words)
        since = [item.since_index for item in (await client.schedule(student)).items]
        self.assertEqual(since, [told[-1][1]] if self.ledger.has(student) else [], words)

    async def test_killed_between_request_and_answer__nothing_happens_twice_and_what_was_told_is_there(self):
        # A window as wide as the campaign is long: the retry budget follows from it, and this is about retries.
        async with carillon.AsyncClient(f"127.0.0.1:{self.proxy.port}", credential=self.daemon.credential, stays=True,
                                        outstanding_max=KILLS * AT_ONCE) as client:
            for number in range(KILLS):
                await self.one_round(client, number)
            words = f"seed {self.seed}"
            for student, told in self.ledger.told.items():
                await self.check_student(client, student, told)
            roster = await client.roster("K 1", limit=1000)
            seated = {student for student in self.ledger.told if self.ledger.has(student)}
            self.assertEqual({student.token for student in roster.students}, seated, words)
            self.assertEqual((roster.enrolled, len(roster.students)), (len(seated), len(seated)), words)
        self.assertEqual(sum(len(told) for told in self.ledger.told.values()), KILLS * AT_ONCE)
        # The kills were where they are meant to be: in the middle.
        self.assertGreaterEqual(self.repeated, KILLS, words)
        self.assertGreaterEqual(self.told_again, KILLS // 2, words)
        self.assertIn("all in order", self.daemon.run("verify"))
        print(f"# {KILLS} kills, {KILLS * AT_ONCE} changes, {self.repeated} repeated, {self.told_again} of them"
              f" had been answered; {words}", flush=True)
