"""Names, keys and addresses: the same rules as the C library's."""

import time
import unittest
import uuid

import carillon
from carillon import _address
from carillon.keys import key_of

# The table of tests/unit/test_cli_name.c.
NAMES = [
    ("COMP 240#1", ("COMP 240", "1", "", "")),
    ("COMP 240", ("COMP 240", "", "", "")),
    ("lindenmoor:COMP 240#1@2027-spring", ("COMP 240", "1", "lindenmoor", "2027-spring")),
    ("10.87@current", ("10.87", "", "", "current")),
    ("HIGR 238/ANTH 268/COGR 225A#A01", ("HIGR 238/ANTH 268/COGR 225A", "A01", "", "")),
    ("GERM 247#A#2", ("GERM 247", "A#2", "", "")),
    ("ACCT1111#A-LEC (6949)", ("ACCT1111", "A-LEC (6949)", "", "")),
    ("mail@school#x@y@fall", ("mail@school", "x@y", "", "fall")),
    (" thalassa : ΝΑΥ 101 # 1 ", ("ΝΑΥ 101", "1", "thalassa", "")),
    ("POLI 191A–B", ("POLI 191A–B", "", "", "")),
]

BAD_NAMES = [
    ("", "no course code in it"),
    ("#1", "no course code in it"),
    ("COMP 240#", "no section follows the #"),
    ("COMP 240#1@", "no term follows the @"),
    (":COMP 240", "no institution stands before the colon"),
    ("x:", "no course code in it"),
    ("x" * 401, "the name is too long"),
    ("é" * 201, "the name is too long"),
]


class Names(unittest.TestCase):
    def test_name_parse__names_of_real_catalogues__are_taken_apart(self):
        for text, parts in NAMES:
            self.assertEqual(carillon.SectionName.parse(text), carillon.SectionName(*parts), text)

    def test_name_format__of_a_parsed_name__gives_a_name_that_parses_the_same(self):
        for text, _ in NAMES:
            name = carillon.SectionName.parse(text)
            if "@" not in name.code:  # no import accepts such a code
                self.assertEqual(carillon.SectionName.parse(str(name)), name)

    def test_name_parse__a_name_with_an_empty_part__says_which(self):
        for text, words in BAD_NAMES:
            with self.assertRaisesRegex(ValueError, f"^{words}$"):
                carillon.SectionName.parse(text)
        carillon.SectionName.parse("x" * 400)


class Keys(unittest.TestCase):
    def test_key__made_now__is_a_uuid_of_version_7_with_the_time(self):
        before = time.time_ns() // 1_000_000
        key = carillon.new_key()
        after = time.time_ns() // 1_000_000
        self.assertEqual((key.version, key.variant), (7, uuid.RFC_4122))
        self.assertTrue(before <= key.int >> 80 <= after)

    def test_keys__made_at_once__differ(self):
        self.assertEqual(len({carillon.new_key() for _ in range(10000)}), 10000)

    def test_key__as_text_and_bytes_and_uuid__is_the_same_key(self):
        key = carillon.new_key()
        self.assertEqual([key_of(key), key_of(str(key)), key_of(key.bytes)], [key] * 3)
        self.assertEqual(key_of(None).version, 7)

    def test_key__of_another_version__is_refused(self):
        for key in (uuid.uuid4(), str(uuid.uuid4()), uuid.uuid4().bytes, bytes(16), b"short", "no key"):
            with self.assertRaises(ValueError):
                key_of(key)


class Addresses(unittest.TestCase):
    def test_address__of_every_form__is_taken_apart(self):
        for text, parts in [("10.0.0.1:80", ("10.0.0.1", 80)), ("10.0.0.1", ("10.0.0.1", 7440)),
                            ("localhost:1", ("127.0.0.1", 1)), (":81", ("127.0.0.1", 81)),
                            ("[::1]:80", ("::1", 80)), ("[::1]", ("::1", 7440)), ("::1", ("::1", 7440)),
                            ("node.example:7", ("node.example", 7))]:
            self.assertEqual(_address.parse(text), parts, text)

    def test_address__that_is_none__is_refused(self):
        for text in ("x:", "x:0", "x:65536", "x:1a", "x:-1", "[::1", "[::1]x", "[::1]:", "x:١"):
            with self.assertRaises(carillon.InvalidArgument, msg=text) as caught:
                carillon.AsyncClient(text)
            self.assertEqual(caught.exception.name, "ERR_ADDRESS")
