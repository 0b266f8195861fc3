"""The list attached to a mail: CSV as Excel opens it in Sweden and elsewhere. Pure. No I/O."""

import csv
import io
from collections.abc import Iterable
from typing import Final

from mails.items import Item
from mails.translate import said
from mails.words import Words, plain
from messages import Message

ROOM: Final = 5_000_000  # bytes: with the rest of the mail, and as mail is written, below the 10 MB that Postfix takes
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # Excel would run what begins so


def as_csv(items: Iterable[Item], words: Words, room: int = ROOM) -> tuple[bytes, int]:
    """Semicolons, CRLF, UTF-8 with the mark by which Excel knows it, and the language's decimal sign.

    Returns the file and how many of the items are in it: the first, as far as `room` (bytes) goes.
    """
    lines, size = [_line(words.columns)], 0
    for item in items:
        line = _line([_safe(value) for value in _row(item, words)])
        size += len(line)
        if size > room:
            break
        lines.append(line)
    return b"\xef\xbb\xbf" + b"".join(lines), len(lines) - 1


def _line(values: Iterable[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=";").writerow(values)
    return line.getvalue().encode()


def _row(item: Item, words: Words) -> tuple[str, ...]:
    record, about = item.record, item.thing

    def say(message: Message) -> str:
        return " ".join(said(message, words.language))

    amount = "" if about.total is None else f"{about.total:.2f}".replace(".", words.decimal_point)
    return (
        words.kinds[about.kind][0],
        about.number,
        about.name or about.customer_name or about.customer,
        amount,
        about.currency,
        words.statuses[record.status],
        say(record.reason),
        say(record.remedy),
        record.said,
        record.code,
        str(item.behind) if item.behind else "",
        words.time(record.settled_at or record.accepted_at),
        record.id,
    )


def _safe(value: str) -> str:
    """A negative amount stays a number; any other text that Excel would take for a formula is shown as text."""
    value = plain(value)
    if value.startswith(_FORMULA) and not value[1:].replace(",", "").replace(".", "").isdigit():
        return f"'{value}"
    return value
