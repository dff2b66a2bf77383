"""Three nodes of which the one dies that the client talks to: the conversation of every client goes on and is the same."""

import difflib
import socket
import time
import unittest

import carillon
from lib import conversation
from lib.daemon import SOURCE, Daemon

SCRIPT = SOURCE / "tests/proc/conversation.txt"
LINES_BEFORE_DEATH = 80  # searching is over, and registering begins


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Cluster(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.nodes = [Daemon() for _ in range(3)]
        for node in self.nodes:
            self.addCleanup(node.close)
            node.port = free_port()
        first, *others = self.nodes
        first.start()
        for node in others:
            words = first.run("node", "invite").split()
            node.start("--join", next(word for word in words if word.startswith("carillon-invite:")))
        self.until(lambda: self.voters_made() == 2)
        first.import_samples()

    def until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, "".join(node.log for node in self.nodes))
            time.sleep(0.05)

    def voters_made(self):
        return sum(line.count("group-changes group=1 ") for node in self.nodes for line in node.log.splitlines()
                   if "change=2" in line)

    def hold(self, client, victim):
        """The conversation, with a death in the middle of it."""

        class Dying(conversation.Talk):
            def perform(talk, line):
                if victim.process is not None and len(talk.lines) > LINES_BEFORE_DEATH:
                    victim.kill()
                super().perform(line)

        script = SCRIPT.read_text(encoding="utf-8")
        printed = conversation.hold(client, script, Dying)
        if printed != script:
            self.fail("".join(difflib.unified_diff(script.splitlines(True), printed.splitlines(True),
                                                   "conversation.txt", "Python client", n=1)))

    def test_conversation__whose_leader_dies__is_the_script(self):
        with carillon.Client(self.nodes[0].address) as client:
            self.hold(client, self.nodes[0])
            self.assertGreater(client.counters.connects, 1)
            self.nodes[1].kill()
            found = client.schedule("lm-0002", stale_ok=True, deadline=10)
            self.assertGreater(found.staleness.age, 0)
            time.sleep(1)
            later = client.schedule("lm-0002", stale_ok=True, deadline=10)
            self.assertGreater(later.staleness.age, found.staleness.age + 0.9)
            self.assertEqual(later.items, found.items)

    def test_conversation__whose_follower_dies__is_the_script(self):
        with carillon.Client(self.nodes[1].address) as client:
            self.hold(client, self.nodes[1])
            self.assertGreater(client.counters.connects, 1)
