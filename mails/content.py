"""What a mail says, before it becomes text and HTML. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from messages.catalogue import Language

Tone = Literal["action", "waiting", "information", "recovered"]  # `mail.tag.<tone>` is its word


@dataclass(frozen=True, slots=True)
class ListItem:
    """A line of a list, with more lines beneath it."""

    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs, then a list, a command to copy, a link, and a closing paragraph.

    `button`: what the link's button says; the heading where it is empty.
    """

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[ListItem, ...] = ()
    command: str = ""
    link: str = ""
    button: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class MailAttachment:
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailContent:
    """`facts` are pairs of label and value. `tag` says the tone in words."""

    subject: str
    title: str
    tone: Tone
    tag: str
    language: Language
    lead: str = ""
    facts: Sequence[tuple[str, str]] = ()
    sections: Sequence[Section] = ()
    footer: Sequence[str] = ()
    file: MailAttachment | None = None
