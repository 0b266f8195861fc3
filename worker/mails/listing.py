"""The list attached to a mail: CSV as Excel opens it in Sweden and elsewhere. Pure. No I/O."""

import csv
import io
from collections.abc import Iterable

from worker.mails.contents import Item
from worker.mails.translate import in_swedish
from worker.mails.words import Words, plain

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # Excel would run what begins so


def as_csv(items: Iterable[Item], words: Words) -> bytes:
    """Semicolons, CRLF, UTF-8 with the mark by which Excel knows it, and the language's decimal sign."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=";")
    writer.writerow(words.columns)
    for item in items:
        writer.writerow([_safe(value) for value in _row(item, words)])
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _row(item: Item, words: Words) -> tuple[str, ...]:
    record, about = item.record, item.thing
    say = in_swedish if words.language == "sv" else str
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
