"""Which events share a mail: those of one company that failed for the same cause. Pure. No I/O."""

import hashlib
from collections.abc import Iterator

from messages import Message
from ordering import EventRecord


def cause(record: EventRecord) -> str | None:
    """`failed:2000401`: the status and the code or, without a code, a digest of the keys of the reason's messages.

    All remarks are one cause, and so are all events that could not be read, and all that a sequence superseded. None:
    there is nothing to report.
    """
    if record.status == "done":
        return "done:remark" if record.reason else None
    if record.status == "superseded":
        return "superseded:sequence" if record.reason.key == "engine.stale-sequence" else None
    if record.status not in {"failed", "held"}:
        return None
    if record.key.split("/")[1:2] == ["invalid"] and not record.code:
        return f"{record.status}:invalid"
    return f"{record.status}:{record.code or _digest(' '.join(_keys(record.reason)))}"


def _keys(message: Message) -> Iterator[str]:
    """The keys of the message and of the messages within it. Equal failures differ in values alone."""
    for part in message.parts:
        yield part.key
        for param in part.params.values():
            if isinstance(param, Message):
                yield from _keys(param)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
