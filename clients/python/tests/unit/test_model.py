"""Frames, records and errors, held to the schemas and the tables they stand for."""

import inspect
import pickle
import unittest
from decimal import Decimal

import carillon
from carillon import _methods, errors, model
from carillon._frame import FRAME_BYTES_MAX, FrameError, FrameReader, encode
from carillon.messages import catalogue_pb2, registration_pb2, search_pb2


class Frames(unittest.TestCase):
    def test_frames__cut_at_every_byte__are_the_same_frames(self):
        payloads = [b"a", b"bc" * 300, b"\0"]
        stream = b"".join(encode(payload) for payload in payloads)
        for cut in range(len(stream) + 1):
            reader = FrameReader()
            self.assertEqual(list(reader.feed(stream[:cut])) + list(reader.feed(stream[cut:])), payloads)

    def test_frames__byte_by_byte__are_the_same_frames(self):
        reader = FrameReader()
        stream = encode(b"abc") + encode(b"d")
        self.assertEqual([p for i in range(len(stream)) for p in reader.feed(stream[i:i + 1])], [b"abc", b"d"])

    def test_frames__empty_or_too_long__end_the_stream_after_the_good_ones(self):
        for bad in (0, FRAME_BYTES_MAX + 1, 0xFFFFFFFF):
            frames = FrameReader().feed(encode(b"good") + bad.to_bytes(4, "little"))
            self.assertEqual(next(frames), b"good")
            with self.assertRaises(FrameError):
                next(frames)
        whole = bytes(FRAME_BYTES_MAX)
        self.assertEqual(list(FrameReader().feed(encode(whole))), [whole])


class Enums(unittest.TestCase):
    def check(self, ours, theirs, prefix):
        self.assertEqual({kind.name: kind.value for kind in ours},
                         {name[len(prefix):]: value for name, value in theirs.items()})

    def test_enums__of_the_package__are_those_of_the_schemas(self):
        self.check(carillon.RefusalKind, registration_pb2.RefusalKind, "REFUSAL_")
        self.check(carillon.ChangeKind, registration_pb2.ChangeKind, "CHANGE_")
        self.check(carillon.OpKind, registration_pb2.OpKind, "OP_")
        self.check(carillon.RuleKind, catalogue_pb2.RuleKind, "RULE_")

    def test_enum__of_a_newer_node__reads_as_none(self):
        self.assertIs(carillon.RefusalKind(999), carillon.RefusalKind.NONE)
        self.assertEqual(carillon.RefusalKind.TIME_CONFLICT.word, "time-conflict")


class Records(unittest.TestCase):
    def test_rules__in_prefix_order__become_a_tree_with_ticks(self):
        reply = search_pb2.ShowReply()
        for kind, children, count, code in [(catalogue_pb2.RULE_AND, 2, 0, ""), (catalogue_pb2.RULE_N_OF, 2, 1, ""),
                                            (catalogue_pb2.RULE_COURSE, 0, 0, "A"),
                                            (catalogue_pb2.RULE_COURSE, 0, 0, "B"),
                                            (catalogue_pb2.RULE_LEVEL, 0, 3, "")]:
            reply.course.prerequisites.add(kind=kind, children=children, count=count, code=code)
        reply.course.prerequisites[3].grade_min = 271
        reply.ticks.add(rule_node=0, met=False)
        reply.ticks.add(rule_node=2, met=True)
        rule = model.read_course(reply).prerequisites
        self.assertEqual([child.kind.name for child in rule.children], ["N_OF", "LEVEL"])
        self.assertEqual([child.code for child in rule.children[0].children], ["A", "B"])
        self.assertEqual(rule.children[0].children[1].grade_min, Decimal("2.70"))
        self.assertEqual((rule.met, rule.children[0].met, rule.children[0].children[0].met), (False, None, True))

    def test_rules__that_are_no_tree__are_none_at_all(self):
        for shape in ([2, 0], [0, 0], [3], [0xFFFFFFFF], []):
            reply = search_pb2.ShowReply()
            for children in shape:
                reply.course.prerequisites.add(kind=catalogue_pb2.RULE_AND, children=children)
            self.assertIsNone(model.read_course(reply).prerequisites, shape)

    def test_rules__as_deep_as_a_list_may_be__are_read_without_recursion(self):
        reply = search_pb2.ShowReply()
        for _ in range(255):
            reply.course.prerequisites.add(kind=catalogue_pb2.RULE_AND, children=1)
        reply.course.prerequisites.add(kind=catalogue_pb2.RULE_COURSE, code="end")
        rule = model.read_course(reply).prerequisites
        for _ in range(255):
            (rule,) = rule.children
        self.assertEqual(rule.code, "end")

    def test_what_is_not_known__is_none_and_never_nought(self):
        reply = search_pb2.ShowReply()
        reply.sections.add(id="1", enrolled=3)
        reply.sections.add(id="2", capacity_known=True, capacity=0)
        course = model.read_course(reply)
        self.assertIsNone(course.credits)
        self.assertIsNone(course.level)
        self.assertEqual([section.capacity for section in course.sections], [None, 0])
        self.assertEqual([section.full for section in course.sections], [False, True])
        self.assertEqual(model.read_credits(True, 0), Decimal("0.00"))
        self.assertEqual(str(model.read_credits(True, 450)), "4.50")

    def test_hits__have_texts_with_and_without_marks(self):
        reply = search_pb2.SearchReply()
        reply.hits.add(code="A 1", title="\2Data\3 Structures", snippet="of \2data\3")
        (hit,) = model.read_search(reply).hits
        self.assertEqual((hit.title, hit.snippet), ("Data Structures", "of data"))
        self.assertEqual(hit.marked_title, "\2Data\3 Structures")

    def test_refusals__of_the_whole_request_and_of_an_op__say_which(self):
        names = (carillon.SectionName("A 1"), carillon.SectionName("B 2"))
        reply = registration_pb2.SubmitReply()
        reply.refusals.add(kind=registration_pb2.REFUSAL_COURSE_LIMIT, op=0xFFFFFFFF, evidence="6 of 5")
        reply.refusals.add(kind=registration_pb2.REFUSAL_ALREADY_TAKEN, op=1, evidence="B 2", remedy="choose another")
        whole, second = model.read_refusals(reply.refusals, names)
        self.assertEqual((whole.section, whole.op, str(whole)), (None, None, "the request: course-limit: 6 of 5"))
        self.assertEqual((second.section, second.op), (names[1], 1))
        self.assertEqual(str(second), "B 2: already-taken: B 2 (choose another)")


class Errors(unittest.TestCase):
    def test_every_row_of_the_table__is_raised_as_a_typed_exception(self):
        self.assertGreaterEqual(len(errors.TABLE), 35)
        for number, row in errors.TABLE.items():
            error = errors.make_error(number)
            self.assertIsInstance(error, carillon.CarillonError)
            self.assertEqual((error.name, error.number, error.text), (row.name, number, row.text))
            if row.exit_code == 5:
                self.assertIsInstance(error, carillon.Unavailable)

    def test_an_error_that_is_not_in_the_table__is_internal(self):
        self.assertEqual(errors.make_error(9999).name, "ERR_INTERNAL")

    def test_errors__that_cross_a_process__stay_what_they_are(self):
        refusal = carillon.Refusal(carillon.RefusalKind.BLOCKED, None, None, "fines", "pay")
        refused = errors.make_refused(errors.make_error(errors.number_of("ERR_REFUSED"), "refused by 1 rule"),
                                      [refusal], None)
        again = pickle.loads(pickle.dumps(refused))
        self.assertEqual((type(again), again.refusals, str(again)), (carillon.Refused, (refusal,), str(refused)))

    def test_exceptions__all__are_exported(self):
        for name, kind in inspect.getmembers(errors, inspect.isclass):
            if issubclass(kind, carillon.CarillonError):
                self.assertIs(getattr(carillon, name), kind)
        for name in carillon.__all__:
            self.assertTrue(hasattr(carillon, name), name)


class Methods(unittest.TestCase):
    def test_methods__of_the_registry__have_their_messages(self):
        submit = _methods.TABLE["registration.submit"]
        self.assertEqual((submit.number, submit.changes, submit.deadline), (5, True, 10.0))
        self.assertIs(submit.request, registration_pb2.SubmitRequest)
        self.assertIs(submit.reply, registration_pb2.SubmitReply)
        self.assertFalse(_methods.TABLE["catalogue.search"].changes)


class Faces(unittest.TestCase):
    def test_the_blocking_face__has_every_verb_of_the_asyncio_face_with_its_signature(self):
        for name, verb in inspect.getmembers(carillon.AsyncClient, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                self.assertEqual(inspect.signature(getattr(carillon.Client, name)), inspect.signature(verb), name)
        self.assertEqual(str(inspect.signature(carillon.Client)), str(inspect.signature(carillon.AsyncClient)))

    def test_public_names__all__have_docstrings_and_type_hints(self):
        for kind in (carillon.AsyncClient, carillon.Client):
            for name, function in inspect.getmembers(kind, inspect.isfunction):
                if name.startswith("_"):
                    continue
                self.assertTrue(function.__doc__, name)
                hinted = inspect.signature(function)
                self.assertIsNot(hinted.return_annotation, inspect.Signature.empty, name)
                for parameter in list(hinted.parameters.values())[1:]:
                    self.assertIsNot(parameter.annotation, inspect.Parameter.empty, f"{name} {parameter}")
