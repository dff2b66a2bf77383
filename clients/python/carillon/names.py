"""Section names as people write them: ``[institution:]CODE[#SECTION][@term]``."""

from __future__ import annotations

import dataclasses
from typing import Union

_NAME_BYTES_MAX = 400
_SPACE = " \t\r\n\v\f"


@dataclasses.dataclass(frozen=True)
class SectionName:
    """The name of a section, or of a course when `section` is empty. Parts that are not needed may be empty.

    Codes contain spaces, dots, slashes and dashes, but none of the three separators; a section may contain ``#`` and
    a term may not contain ``@``.
    """

    code: str
    section: str = ""
    institution: str = ""
    term: str = ""

    @classmethod
    def parse(cls, text: str) -> SectionName:
        """Take a name apart. Raises ValueError that says what is wrong with it."""
        rest = text.strip(_SPACE)
        if len(rest.encode("utf-8", "surrogatepass")) > _NAME_BYTES_MAX:
            raise ValueError("the name is too long")
        head, at, term = rest.rpartition("@")  # the last one: a section may contain an @, a term may not
        if at:
            rest = head
            if not term.strip(_SPACE):
                raise ValueError("no term follows the @")
        rest, number, section = rest.partition("#")
        if number and not section.strip(_SPACE):
            raise ValueError("no section follows the #")
        head, colon, code = rest.partition(":")
        institution = head if colon else ""
        if colon and not institution.strip(_SPACE):
            raise ValueError("no institution stands before the colon")
        code = (code if colon else rest).strip(_SPACE)
        if not code:
            raise ValueError("no course code in it")
        return cls(code, section.strip(_SPACE), institution.strip(_SPACE), term.strip(_SPACE) if at else "")

    def __str__(self) -> str:
        return ((f"{self.institution}:" if self.institution else "") + self.code
                + (f"#{self.section}" if self.section else "") + (f"@{self.term}" if self.term else ""))


#: What every verb takes for a name: a text to be taken apart, or a name that is.
Name = Union[str, SectionName]


def name_of(name: Name) -> SectionName:
    """`name` as a SectionName. Raises ValueError."""
    return name if isinstance(name, SectionName) else SectionName.parse(name)
