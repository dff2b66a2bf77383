"""The generator reads the C tables whole, or says that it cannot."""

import importlib.util
import pathlib
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[4]


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", SOURCE / "clients/python/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Generator(unittest.TestCase):
    def setUp(self):
        self.generate = load_generator()
        self.errors = (SOURCE / "src/base/error.h").read_text(encoding="utf-8")
        self.methods = (SOURCE / "src/wire/method.c").read_text(encoding="utf-8")
        self.envelope = (SOURCE / "proto/envelope.proto").read_text(encoding="utf-8")

    def test_generator__a_row_over_several_lines__is_read(self):
        rows = {row[0]: row for row in self.generate.read_errors(self.errors)}
        self.assertEqual(rows["ERR_SHRINK"], ("ERR_SHRINK", 30, False, 409, 2,
                                              "the import would remove more than half; --force allows it"))

    def test_generator__a_row_it_cannot_read__stops_it(self):
        for change in [("X(ERR_BUSY, 6, true,", "X(ERR_BUSY, six, true,"), ("X(ERR_IO, 3,", "X(ERR_IO, 33,")]:
            self.assertIn(change[0], self.errors)
            with self.assertRaises(SystemExit):
                self.generate.read_errors(self.errors.replace(*change))
        self.assertIn("WRITE, STUDENT,   10000", self.methods)
        with self.assertRaises(SystemExit):
            self.generate.read_methods(self.methods.replace("WRITE, STUDENT,   10000", "WRITE, STUDENT,   LONG"),
                                       self.envelope)

    def test_generator__all_schemas__are_modules_of_the_package(self):
        from carillon import messages
        self.assertEqual(sorted(messages.__all__),
                         sorted(f"{path.stem}_pb2" for path in (SOURCE / "proto").glob("*.proto")))
        for name in messages.__all__:
            self.assertTrue(getattr(messages, name).DESCRIPTOR.name.startswith("carillon/messages/"))
