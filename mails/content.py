"""A content before it has a form: what its text and its HTML both say. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["stopped", "waiting", "remark", "well"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list, and what is said of it beneath."""

    text: str
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs, then a list, a command to type, a link to follow and a last word."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    command: str = ""
    link: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailContent:
    """`facts` are label and value; `footer` tells who sent it and why."""

    subject: str
    title: str
    tone: Tone
    tag: str  # the tone in a word
    language: str
    lead: str = ""
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = ()
    footer: Sequence[str] = ()
    attachment: Attachment | None = None
