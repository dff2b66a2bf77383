"""Holds the conversation of tests/proc/conversation.txt through the package and returns what it prints; the other
speaker is tests/proc/conversation.c."""

import carillon
from carillon.messages import registrar_pb2


class Talk:
    def __init__(self, client):
        self.client = client
        self.lines = []
        self.keys = {}
        self.receipts = []

    def say(self, line):
        self.lines.append(line)

    # ---- printing ----

    def receipt(self, receipt):
        if receipt is not None:
            if receipt.index not in self.receipts:
                self.receipts.append(receipt.index)
            self.say(f"receipt {self.receipts.index(receipt.index) + 1}")

    def changes(self, changes):
        for change in changes:
            place = f" place {change.waitlist_place}" if change.waitlist_place is not None else ""
            self.say(f"{change.kind.word} {change.section}{place}")

    def refusals(self, refusals):
        for refusal in refusals:
            name = refusal.section if refusal.section is not None else "the request"
            self.say(f"refused {name} {refusal.kind.word} [{refusal.evidence}] {refusal.remedy}")

    @staticmethod
    def credits(credits):
        return "?" if credits is None else str(credits)

    @staticmethod
    def capacity(capacity):
        return " no limit" if capacity is None else f" capacity {capacity}"

    @staticmethod
    def meetings(meetings):
        return "".join(f"; {meeting} {meeting.location}" for meeting in meetings)

    # ---- verbs ----

    def register(self, words, key=None, drop=(), waitlist=False, **promotion):
        done = self.client.register(words[0], *words[1:], key=key, drop=drop, waitlist=waitlist,
                                    promotion_drops=promotion.get("for", ()))
        self.changes(done.changes)
        self.receipt(done.receipt)

    def drop(self, words, key=None):
        done = self.client.drop(words[0], *words[1:], key=key)
        self.changes(done.changes)
        self.receipt(done.receipt)

    def swap(self, words, key=None):
        done = self.client.swap(*words, key=key)
        self.changes(done.changes)
        self.receipt(done.receipt)

    def check(self, words, drop=(), waitlist=False):
        checked = self.client.check(words[0], *words[1:], drop=drop, waitlist=waitlist)
        self.changes(checked.changes)
        self.refusals(checked.refusals)

    def outcome(self, words, key):
        outcome = self.client.outcome(words[0], key)
        self.say("known " + (outcome.error or "OK") if outcome.known else "not known")
        self.changes(outcome.changes)
        self.refusals(outcome.refusals)
        self.receipt(outcome.receipt)

    def search(self, words, student="", limit=0):
        found = self.client.search(words[0], student=student, limit=limit)
        self.say(f"matches {found.matches}{'+' if found.matches_more else ''} coverage {found.coverage}")
        if found.corrected:
            self.say(f"corrected {found.corrected}")
        for hit in found.hits:
            title = hit.marked_title.replace("\2", "<").replace("\3", ">")
            self.say(f"hit {hit.name} {title} credits {self.credits(hit.credits)} level {hit.level or 0}"
                     f" open {hit.sections_open}/{hit.sections}")

    def rules(self, rule, depth):
        met = {True: "yes", False: "no", None: "?"}[rule.met]
        self.say(f"rule {depth} {rule.kind.word} {rule.code} {rule.count} grade"
                 f" {'any' if rule.grade_min is None else rule.grade_min}"
                 f"{' concurrent' if rule.concurrent else ''} met {met}")
        for child in rule.children:
            self.rules(child, depth + 1)

    def show(self, words, student=""):
        course = self.client.show(words[0], student=student)
        self.say(f"course {course.institution}:{course.code}@{course.term} {course.title}"
                 f" credits {self.credits(course.credits)} level {course.level or 0}")
        for instructor in course.instructors:
            self.say(f"instructor {instructor}")
        if course.prerequisites is not None:
            self.rules(course.prerequisites, 0)
        for section in course.sections:
            self.say(f"section {section.id} enrolled {section.enrolled} waiting {section.waiting}"
                     f"{self.capacity(section.capacity)}{self.meetings(section.meetings)}")
        for code in course.unlocks:
            self.say(f"unlocks {code}")

    def schedule(self, words):
        schedule = self.client.schedule(words[0])
        unknown = " and unknown ones" if schedule.credits_incomplete else ""
        self.say(f"student {schedule.student} {schedule.name} of {schedule.institution} level {schedule.level or 0},"
                 f" at most {schedule.courses_max} courses, {schedule.credits} credits{unknown}")
        for item in schedule.items:
            self.say(f"registered {item.section} {item.title} credits {self.credits(item.credits)}"
                     f"{self.meetings(item.meetings)}")
        for item in schedule.waitlist:
            self.say(f"waiting {item.section} {item.title} place {item.place} skips {item.skips}"
                     + "".join(f" for {name}" for name in item.promotion_drops))
        for block in schedule.blocks:
            self.say(f"block {block.reason} by {block.by}")

    def roster(self, words, limit=0):
        cursor = None
        while cursor != "":
            page = self.client.roster(words[0], limit=limit, cursor=cursor or "")
            self.say(f"page {page.section} {page.title} enrolled {page.enrolled} waiting {page.waiting}"
                     f"{self.capacity(page.capacity)}")
            for what, students in (("student", page.students), ("waits", page.waitlist)):
                for student in students:
                    self.say(f"{what} {student.token} {student.name} of {student.institution}"
                             + (" over capacity" if student.over_capacity else "")
                             + (f" place {student.waitlist_place}" if student.waitlist_place is not None else ""))
            cursor = page.next_cursor

    def block(self, words, remove=False):
        self.client.call("registrar.block", registrar_pb2.BlockRequest(student=words[0], reason=words[1],
                                                                       by="conversation", remove=remove))

    def lift(self, words):
        self.block(words, remove=True)

    # ---- lines ----

    def perform(self, line):
        verb, _, rest = line.partition(" ")
        words, options = [], {}
        for word in rest.split(" | "):
            name, equals, value = word.partition("=")
            if word == "waitlist":
                options["waitlist"] = True
            elif not equals or name not in ("key", "student", "limit", "drop", "for"):
                words.append(word)
            elif name == "key":
                options["key"] = self.keys.setdefault(value, carillon.new_key())
            elif name == "limit":
                options["limit"] = int(value)
            elif name == "student":
                options["student"] = value
            else:
                options.setdefault(name, []).append(value)
        try:
            getattr(self, verb)(words, **options)
        except carillon.Refused as refused:
            self.refusals(refused.refusals)
            self.receipt(refused.receipt)
        except carillon.QueryError as error:
            self.say(f"error {error.name} {error.text} at {error.position}")
        except carillon.CarillonError as error:
            self.say(f"error {error.name} {error.text}")


def hold(client, script, make_talk=Talk):
    """Comments and empty lines are said again; answers of the script are left out, for ours come."""
    talk = make_talk(client)
    for line in script.splitlines():
        if line.startswith("#") or not line:
            talk.say(line)
        elif line.startswith("> "):
            talk.say(line)
            talk.perform(line[2:])
    return "".join(f"{line}\n" for line in talk.lines)
