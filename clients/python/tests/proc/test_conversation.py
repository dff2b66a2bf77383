"""The Python client and the C client hold the same conversation with a fresh node and print the same."""

import difflib
import subprocess
import unittest

import carillon
from carillon import _methods, errors
from lib import conversation
from lib.daemon import BINARIES, SOURCE, Daemon

SCRIPT = SOURCE / "tests/proc/conversation.txt"
SPEAKER = BINARIES / "tests/conversation"


def run(*arguments):
    return subprocess.run([SPEAKER, *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()


class Conversation(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        self.daemon.import_samples()
        self.script = SCRIPT.read_text(encoding="utf-8")

    def check(self, printed, who):
        if printed != self.script:
            self.fail("".join(difflib.unified_diff(self.script.splitlines(True), printed.splitlines(True),
                                                   "conversation.txt", who, n=1)))

    def test_conversation__of_the_c_client__is_the_script(self):
        self.check(run(self.daemon.address, str(SCRIPT)), "C client")

    def test_conversation__of_the_python_client__is_the_script(self):
        with carillon.Client(self.daemon.address) as client:
            self.check(conversation.hold(client, self.script), "Python client")


class Tables(unittest.TestCase):
    def setUp(self):
        self.rows = [line.split("\t") for line in run("--tables").splitlines()]

    def test_table_of_errors__is_the_c_librarys(self):
        theirs = [row[1:] for row in self.rows if row[0] == "error"]
        self.assertEqual(theirs, [[row.name, str(row.number), str(int(row.retryable)), str(row.http_status),
                                   str(row.exit_code), row.text] for row in errors.TABLE.values()])

    def test_registry_of_methods__is_the_c_librarys(self):
        theirs = [row[1:] for row in self.rows if row[0] == "method"]
        self.assertEqual(theirs, [[str(row.number), row.name, str(int(row.changes)), str(round(row.deadline * 1000)),
                                   row.request.DESCRIPTOR.name, row.reply.DESCRIPTOR.name]
                                  for row in _methods.TABLE.values()])
