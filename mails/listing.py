"""The list attached to a mail: CSV as Excel opens it in Sweden and elsewhere. Pure. No I/O."""

import csv
import io
from collections.abc import Callable, Iterable
from typing import Final

from mails.items import Item
from messages import Message
from messages.catalogue import Language, one_line, say, shown

MAX_BYTES: Final = (
    5_000_000  # with the rest of the mail, base64 included, below the 10 MB that Postfix takes by default
)
COLUMNS: Final = (
    *("kind", "number", "name", "amount", "currency", "status", "reason", "remedy", "said", "code"),
    *("behind", "when", "event"),
)
DECIMAL_SIGN: Final = {"sv": ",", "en": "."}
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"  # tells Excel that the file is UTF-8
LONGEST: Final = 2000  # characters of a cell
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # Excel would run a cell that begins with one of these


def as_csv(
    items: Iterable[Item],
    language: Language,
    max_bytes: int = MAX_BYTES,
    told: Callable[[Message], Message] = lambda message: message,
) -> tuple[bytes, int]:
    """The file, and how many of the items are in it: the first ones, as far as `max_bytes` goes.

    `told`: a remedy as the reader gets it.

    Semicolons, CRLF, UTF-8 with a byte order mark, and the language's decimal sign.
    """
    lines, size = [_line([say(Message(f"mail.column.{column}"), language) for column in COLUMNS])], 0
    for item in items:
        line = _line([_cell(value) for value in _row(item, language, told(item.record.remedy))])
        size += len(line)
        if size > max_bytes:
            break
        lines.append(line)
    return BYTE_ORDER_MARK + b"".join(lines), len(lines) - 1


def _line(values: Iterable[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=";").writerow(values)
    return line.getvalue().encode()


def _row(item: Item, language: Language, remedy: Message) -> tuple[str, ...]:
    """In the order of `COLUMNS`."""
    record, entity = item.record, item.entity
    amount = "" if entity.total is None else f"{entity.total:.2f}".replace(".", DECIMAL_SIGN[language])
    return (
        say(Message(f"noun.{entity.kind}", n=1), language),
        entity.number,
        entity.name or entity.customer_name or entity.customer,
        amount,
        entity.currency,
        say(Message(f"mail.status.{record.status}"), language),
        say(record.reason, language),
        say(remedy, language),
        record.said,
        record.code,
        str(item.behind) if item.behind else "",
        shown(record.settled_at or record.accepted_at, language),
        record.id,
    )


def _cell(value: str) -> str:
    """A negative amount stays a number; any other text that Excel would take for a formula is shown as text."""
    value = one_line(value, LONGEST)
    if value.startswith(_FORMULA) and not value[1:].replace(",", "").replace(".", "").isdigit():
        return f"'{value}"
    return value
