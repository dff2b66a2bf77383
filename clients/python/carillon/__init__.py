"""Client of Carillon: search course catalogues and register students, with asyncio or blocking.

    import carillon

    with carillon.Client("127.0.0.1:7440") as client:
        for hit in client.search("data structures open:true").hits:
            print(hit.name, hit.title)
        try:
            client.register("lm-0007", "COMP 240#1")
        except carillon.Refused as refused:
            for refusal in refused.refusals:
                print(refusal.kind.word, refusal.evidence, refusal.remedy)
"""

from .aio import AsyncClient
from .blocking import Client
from .errors import (Ambiguous, CarillonError, DeadlineExceeded, InvalidArgument, KeyExpired, KeyReused, NotFound,
                     NotPermitted, OutcomeUnknown, ProtocolError, QueryError, Refused, Unauthenticated, Unavailable,
                     UnknownCourse, UnknownSection, UnknownStudent)
from .keys import new_key
from .model import (Block, Change, ChangeKind, Checked, Course, Hit, Meeting, Op, OpKind, Outcome, Permit, Receipt,
                    Refusal, RefusalKind, Roster, RosterStudent, Rule, RuleKind, Schedule, ScheduleItem, SearchResult,
                    Section, Staleness, Submitted, WaitlistItem)
from .names import SectionName

__version__ = "0.1.0"

__all__ = [
    "Ambiguous", "AsyncClient", "Block", "CarillonError", "Change", "ChangeKind", "Checked", "Client", "Course",
    "DeadlineExceeded", "Hit", "InvalidArgument", "KeyExpired", "KeyReused", "Meeting", "NotFound", "NotPermitted",
    "Op", "OpKind", "Outcome", "OutcomeUnknown", "Permit", "ProtocolError", "QueryError", "Receipt", "Refusal",
    "RefusalKind", "Refused", "Roster", "RosterStudent", "Rule", "RuleKind", "Schedule", "ScheduleItem",
    "SearchResult", "Section", "SectionName", "Staleness", "Submitted", "Unauthenticated", "Unavailable", "UnknownCourse", "UnknownSection",
    "UnknownStudent", "WaitlistItem", "new_key",
]
