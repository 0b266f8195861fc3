"""Which events are told of together: those of one company with one cause. Pure. No I/O."""

import hashlib
import re

from messages import Message
from messages.catalogue import say
from ordering import EventRecord

_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,:/-]*")  # what differs from one event to the next


def cause(record: EventRecord) -> str | None:
    """`failed:2000401`; None when a person has nothing to hear of the event any more.

    The code is the cause where there is one. Else it is the reason, without its numbers and quoted values; all
    remarks are one cause, and so are all events that could not be read.
    """
    if record.status == "done":
        return "done:remark" if record.reason else None
    if record.status not in {"failed", "held"}:
        return None
    if record.key.split("/")[1:2] == ["invalid"] and not record.code:
        return f"{record.status}:invalid"
    return f"{record.status}:{record.code or _digest(' '.join(map(_kind, record.reason.parts)))}"


def _kind(message: Message) -> str:
    """What is said, without its values."""
    return _VALUES.sub("", say(message)) if message.key == "text" else message.key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
