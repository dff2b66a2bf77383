"""What the verbs return: plain immutable records. None stands for what the catalogue does not say."""

from __future__ import annotations

import dataclasses
import enum
from decimal import Decimal
from typing import Any, Dict, Iterable, List, Optional, Tuple, TypeVar

from .names import SectionName

WHOLE_REQUEST = 0xFFFFFFFF

_MARKS = {2: None, 3: None}
_DAYS = "MTWRFSU"


class _Kind(enum.IntEnum):
    """An enum of the protocol; a number that this version does not know reads as NONE."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls(0) if isinstance(value, int) and value != 0 else None

    @property
    def word(self) -> str:
        """The kind as the command line writes it: "time-conflict"."""
        return self.name.lower().replace("_", "-")


class RefusalKind(_Kind):
    """Why a rule stands in the way."""

    NONE = 0
    SEAT_UNAVAILABLE = 1
    WAITLIST_AVAILABLE = 2
    TIME_CONFLICT = 3
    CREDIT_LOAD_EXCEEDED = 4
    COURSE_LIMIT = 5
    PREREQUISITE_UNMET = 6
    COREQUISITE_MISSING = 7
    LEVEL_RESTRICTED = 8
    ALREADY_REGISTERED = 9
    ALREADY_TAKEN = 10
    BLOCKED = 11
    WINDOW_CLOSED = 12
    WINDOW_NOT_OPEN = 13
    NOT_REGISTERED = 14
    WAITLIST_FULL = 15
    ALREADY_WAITLISTED = 16
    SECTION_WITHDRAWN = 17
    UNKNOWN_COURSE = 18
    UNKNOWN_SECTION = 19
    UNKNOWN_STUDENT = 20
    AMBIGUOUS_NAME = 21
    CREDITS_UNMET = 22
    STUDENT_WITHDRAWN = 23
    DUPLICATE_OP = 24
    SEAT_UNDECIDED = 25


class ChangeKind(_Kind):
    """What happened to a student's place."""

    NONE = 0
    REGISTERED = 1
    DROPPED = 2
    WAITLISTED = 3
    WAITLIST_LEFT = 4


class OpKind(_Kind):
    """What an op asks for."""

    NONE = 0
    ADD = 1
    DROP = 2


class RuleKind(_Kind):
    """A node of a rule tree."""

    NONE = 0
    AND = 1
    OR = 2
    N_OF = 3
    COURSE = 4
    LEVEL = 5
    CREDITS = 6


@dataclasses.dataclass(frozen=True)
class Op:
    """One part of a request: add a section, or drop one. `promotion_drops`: left when (and only when) the place on
    the waitlist becomes a seat."""

    kind: OpKind
    section: SectionName
    waitlist: bool = False
    promotion_drops: Tuple[SectionName, ...] = ()


@dataclasses.dataclass(frozen=True)
class Receipt:
    """Where in the cluster's log an answer stands; it can be checked later."""

    cluster_id: bytes
    group: int
    term: int
    index: int


@dataclasses.dataclass(frozen=True)
class Staleness:
    """How old the state behind an answer may be: whatever was answered to anybody earlier than `age` seconds before it
    is in it, and so is the shard's entry `applied_index`."""

    age: float
    applied_index: int


@dataclasses.dataclass(frozen=True)
class Refusal:
    """One failing rule. `section` is the op's name as it was given, None when the request as a whole fails."""

    kind: RefusalKind
    section: Optional[SectionName]
    op: Optional[int]
    evidence: str
    remedy: str
    rule_node: int = 0

    def __str__(self) -> str:
        return (f"{self.section if self.section is not None else 'the request'}: {self.kind.word}"
                + (f": {self.evidence}" if self.evidence else "") + (f" ({self.remedy})" if self.remedy else ""))


@dataclasses.dataclass(frozen=True)
class Change:
    """What happened, or would, to one op. `waitlist_place` counts from 1; None without a place."""

    kind: ChangeKind
    section: SectionName
    waitlist_place: Optional[int] = None


@dataclasses.dataclass(frozen=True)
class Submitted:
    """An accepted request: one change an op, in order."""

    changes: Tuple[Change, ...]
    receipt: Receipt
    #: How often it was sent until this answer came.
    attempts: int = 1

    @property
    def waitlisted(self) -> bool:
        """Whether a place on a waitlist is among the changes."""
        return any(change.kind is ChangeKind.WAITLISTED for change in self.changes)


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a request would do, or every rule that stands in its way."""

    changes: Tuple[Change, ...]
    refusals: Tuple[Refusal, ...]
    as_of: Receipt

    @property
    def ok(self) -> bool:
        return not self.refusals


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of the request with a key: not `known`, or its changes or refusals, or the `error` it met."""

    known: bool
    changes: Tuple[Change, ...]
    refusals: Tuple[Refusal, ...]
    error: Optional[str]
    receipt: Optional[Receipt]


@dataclasses.dataclass(frozen=True)
class Meeting:
    """`days` as letters MTWRFSU; times in minutes after midnight, the end exclusive."""

    days: str
    start_min: int
    end_min: int
    location: str

    def __str__(self) -> str:
        return "%s %02d:%02d-%02d:%02d" % (self.days, *divmod(self.start_min, 60), *divmod(self.end_min, 60))


@dataclasses.dataclass(frozen=True)
class Rule:
    """A node of a prerequisite tree. `met` says whether the student asked about fulfils it; None without one.

    `count`: how many children (N_OF), the level (LEVEL) or the hundredths of credits (CREDITS) that are needed.
    """

    kind: RuleKind
    children: Tuple[Rule, ...]
    count: int
    institution: str
    code: str
    grade_min: Optional[Decimal]
    concurrent: bool
    met: Optional[bool]


@dataclasses.dataclass(frozen=True)
class Section:
    """A section as it stands. `capacity` None: no limit."""

    id: str
    capacity: Optional[int]
    enrolled: int
    waiting: int
    meetings: Tuple[Meeting, ...]
    withdrawn: bool

    @property
    def full(self) -> bool:
        return self.capacity is not None and self.enrolled >= self.capacity


@dataclasses.dataclass(frozen=True)
class Course:
    """A course with its sections. `prerequisites_text` is as published; `prerequisites` what registering checks."""

    institution: str
    term: str
    code: str
    title: str
    description: str
    credits: Optional[Decimal]
    level: Optional[int]
    prerequisites_text: str
    prerequisites: Optional[Rule]
    instructors: Tuple[str, ...]
    sections: Tuple[Section, ...]
    unlocks: Tuple[str, ...]
    unknown_codes: Tuple[str, ...]
    withdrawn: bool
    source: str
    licence: str
    as_of: Receipt
    staleness: Optional[Staleness] = None  # with stale_ok


@dataclasses.dataclass(frozen=True)
class Hit:
    """A course that was found. The marked texts have what matched between U+0002 and U+0003."""

    institution: str
    term: str
    code: str
    marked_title: str
    marked_snippet: str
    score: int
    credits: Optional[Decimal]
    level: Optional[int]
    sections: int
    sections_open: int
    instructors: Tuple[str, ...]

    @property
    def title(self) -> str:
        return self.marked_title.translate(_MARKS)

    @property
    def snippet(self) -> str:
        return self.marked_snippet.translate(_MARKS)

    @property
    def name(self) -> SectionName:
        """The course's name, for show()."""
        return SectionName(self.code, "", self.institution, self.term)


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """The hits, best first. `matches` counts all (a lower bound when `matches_more`); `next_cursor` is "" at the end."""

    hits: Tuple[Hit, ...]
    matches: int
    matches_more: bool
    next_cursor: str
    corrected: str
    coverage: str
    node_us: int
    staleness: Optional[Staleness] = None  # with stale_ok


@dataclasses.dataclass(frozen=True)
class ScheduleItem:
    """A registration."""

    section: SectionName
    title: str
    credits: Optional[Decimal]
    instructors: Tuple[str, ...]
    meetings: Tuple[Meeting, ...]
    since_index: int
    since_ms: int
    withdrawn: bool


@dataclasses.dataclass(frozen=True)
class WaitlistItem:
    """A place on a waitlist, and why a seat last went past it."""

    section: SectionName
    title: str
    place: int
    since_ms: int
    promotion_drops: Tuple[SectionName, ...]
    skips: int
    last_skip: Optional[RefusalKind]
    last_skip_ms: int
    last_skip_evidence: str


@dataclasses.dataclass(frozen=True)
class Block:
    """What keeps a student from registering."""

    reason: str
    by: str
    since_ms: int


@dataclasses.dataclass(frozen=True)
class Permit:
    """What a student may do beyond the rules; `kinds` are bits: 1 capacity, 2 rule, 4 time."""

    section: SectionName
    kinds: int
    reason: str
    by: str
    since_ms: int


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A student's registrations, places, blocks, permits and limits. `credits` sums the known ones."""

    student: str
    name: str
    institution: str
    level: Optional[int]
    items: Tuple[ScheduleItem, ...]
    waitlist: Tuple[WaitlistItem, ...]
    blocks: Tuple[Block, ...]
    permits: Tuple[Permit, ...]
    courses_max: int
    credits_max: Optional[Decimal]
    credits: Decimal
    credits_incomplete: bool
    withdrawn: bool
    as_of: Receipt
    staleness: Optional[Staleness] = None  # with stale_ok


@dataclasses.dataclass(frozen=True)
class RosterStudent:
    """A student on a roster, or on its waitlist with a place."""

    token: str
    name: str
    institution: str
    since_index: int
    since_ms: int
    over_capacity: bool
    waitlist_place: Optional[int]


@dataclasses.dataclass(frozen=True)
class Roster:
    """One page of a section's students by order of registration; the waitlist comes with the first page."""

    section: SectionName
    title: str
    capacity: Optional[int]
    enrolled: int
    waiting: int
    students: Tuple[RosterStudent, ...]
    waitlist: Tuple[RosterStudent, ...]
    next_cursor: str
    as_of: Receipt
    staleness: Optional[Staleness] = None  # with stale_ok


# ---- from messages ----

def read_name(message: Any) -> SectionName:
    return SectionName(message.code, message.section, message.institution, message.term)


def read_receipt(message: Any) -> Receipt:
    return Receipt(message.cluster_id, message.group, message.term, message.index)


Aged = TypeVar("Aged", Course, SearchResult, Schedule, Roster)


def with_staleness(record: Aged, stale: Optional[Tuple[int, int]]) -> Aged:
    """`stale`: milliseconds, and the newest entry; None: the state was not old."""
    return record if stale is None else dataclasses.replace(record, staleness=Staleness(stale[0] / 1000, stale[1]))


def read_credits(known: bool, hundredths: int) -> Optional[Decimal]:
    return Decimal(hundredths).scaleb(-2) if known else None


def read_changes(messages: Iterable[Any]) -> Tuple[Change, ...]:
    return tuple(Change(ChangeKind(m.kind), read_name(m.section), m.waitlist_place or None) for m in messages)


def read_refusals(messages: Iterable[Any], names: Tuple[SectionName, ...]) -> Tuple[Refusal, ...]:
    return tuple(Refusal(RefusalKind(m.kind), names[m.op] if m.op < len(names) else None,
                         None if m.op == WHOLE_REQUEST else m.op, m.evidence, m.remedy, m.rule_node)
                 for m in messages)


def read_submitted(message: Any, attempts: int) -> Submitted:
    return Submitted(read_changes(message.changes), read_receipt(message.receipt), attempts)


def read_checked(message: Any, names: Tuple[SectionName, ...]) -> Checked:
    return Checked(read_changes(message.changes), read_refusals(message.refusals, names), read_receipt(message.as_of))


def _days(bits: int) -> str:
    return "".join(letter for i, letter in enumerate(_DAYS) if bits >> i & 1)


def _meeting(message: Any) -> Meeting:
    return Meeting(_days(message.days), message.start_min, message.end_min, message.location)


def _rule(nodes: Any, ticks: Dict[int, bool]) -> Optional[Rule]:
    """The tree of a list in prefix order, from its end: the subtrees that follow a node are complete when it comes."""
    done: List[Rule] = []
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        children = tuple(reversed(done[len(done) - node.children:])) if node.children else ()
        if len(children) != node.children:
            return None
        del done[len(done) - node.children:]
        grade = Decimal(node.grade_min - 1).scaleb(-2) if node.grade_min else None
        done.append(Rule(RuleKind(node.kind), children, node.count, node.institution, node.code, grade,
                         node.concurrent, ticks.get(index)))
    return done[0] if len(done) == 1 else None


def read_course(message: Any) -> Course:
    course = message.course
    ticks = {tick.rule_node: tick.met for tick in message.ticks}
    sections = tuple(Section(s.id, s.capacity if s.capacity_known else None, s.enrolled, s.waiting,
                             tuple(_meeting(m) for m in s.meetings), s.withdrawn) for s in message.sections)
    return Course(course.institution, course.term, course.code, course.title, course.description,
                  read_credits(course.credits_known, course.credits_hundredths), course.level or None,
                  course.prerequisites_text, _rule(course.prerequisites, ticks), tuple(course.instructors), sections,
                  tuple(message.unlocks), tuple(message.unknown_codes), message.withdrawn, course.source,
                  course.licence, read_receipt(message.as_of))


def read_search(message: Any) -> SearchResult:
    hits = tuple(Hit(h.institution, h.term, h.code, h.title, h.snippet, h.score,
                     read_credits(h.credits_known, h.credits_hundredths), h.level or None, h.sections,
                     h.sections_open, tuple(h.instructors)) for h in message.hits)
    return SearchResult(hits, message.matches, message.matches_more, message.next_cursor, message.corrected,
                        message.coverage, message.node_us)


def _schedule_item(item: Any) -> ScheduleItem:
    meetings = tuple(Meeting(_days(days), start, end, location) for days, start, end, location in
                     zip(item.meeting_days, item.meeting_start_min, item.meeting_end_min, item.meeting_location))
    return ScheduleItem(read_name(item.section), item.title, read_credits(item.credits_known, item.credits_hundredths),
                        tuple(item.instructors), meetings, item.since_index, item.since_ms, item.withdrawn)


def _waitlist_item(item: Any) -> WaitlistItem:
    return WaitlistItem(read_name(item.section), item.title, item.place, item.since_ms,
                        tuple(read_name(name) for name in item.promotion_drops), item.skips,
                        RefusalKind(item.last_skip) if item.last_skip else None, item.last_skip_ms,
                        item.last_skip_evidence)


def read_schedule(message: Any) -> Schedule:
    return Schedule(message.student, message.name, message.institution, message.level or None,
                    tuple(_schedule_item(item) for item in message.items),
                    tuple(_waitlist_item(item) for item in message.waitlist),
                    tuple(Block(b.reason, b.by, b.since_ms) for b in message.blocks),
                    tuple(Permit(read_name(p.section), p.kinds, p.reason, p.by, p.since_ms) for p in message.permits),
                    message.courses_max,
                    read_credits(message.credits_max_hundredths != 0, message.credits_max_hundredths),
                    Decimal(message.credits_hundredths).scaleb(-2), message.credits_incomplete, message.withdrawn,
                    read_receipt(message.as_of))


def _roster_student(message: Any) -> RosterStudent:
    return RosterStudent(message.token, message.name, message.institution, message.since_index, message.since_ms,
                         message.over_capacity, message.waitlist_place or None)


def read_roster(message: Any) -> Roster:
    return Roster(read_name(message.section), message.title, message.capacity if message.capacity_known else None,
                  message.enrolled, message.waiting, tuple(_roster_student(s) for s in message.students),
                  tuple(_roster_student(s) for s in message.waitlist), message.next_cursor,
                  read_receipt(message.as_of))


def read_outcome(message: Any, error: Optional[str]) -> Outcome:
    outcome = message.outcome
    return Outcome(message.known, read_changes(outcome.changes), read_refusals(outcome.refusals, ()), error,
                   read_receipt(outcome.receipt) if outcome.HasField("receipt") else None)
