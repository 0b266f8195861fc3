"""Limits that hold for an event before it is parsed, wherever it comes from (docs/producers.md). Pure. No I/O.

They keep one event from exhausting memory, the interpreter's stack or the arithmetic of whoever reads it.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from messages import Message
from moment.events import MAX_EVENT_BYTES, InvalidEvent, Problem

DEPTH: Final = 32  # lists and objects inside one another
DIGITS: Final = 30  # of a number
EXPONENT: Final = 30  # of a number, either way
PARTS: Final = 500_000  # lists and objects: each takes up to 200 bytes of memory, and two in the text

# Whole strings first, so that brackets and digits inside them do not count; of numbers only those that may exceed the
# limits. Possessive, so that a long string is read without memory for each of its characters.
_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]|[\]}]|[0-9.]++[eE][0-9+-]*+|[0-9.]{%d,}+' % (DIGITS + 1), re.DOTALL
)


def check_limits(raw: bytes, *, most: int = MAX_EVENT_BYTES, depth: int = DEPTH) -> None:
    """Raises `InvalidEvent` where the JSON text is too large, no UTF-8, too deep, or has a number beyond the limits."""
    if len(raw) > most:
        raise _invalid(Message("event.too-large", bytes=str(len(raw)), most=str(most)))
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise _invalid(Message("event.not-utf8", byte=str(error.start))) from None
    level = parts = 0
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"[{":
            level, parts = level + 1, parts + 1
            if parts > PARTS:
                raise _invalid(Message("event.too-many-parts", most=str(PARTS)))
            if level > depth:
                raise _invalid(Message("event.deeper-than", levels=str(depth)))
        elif first in b"]}":
            level -= 1
        elif first != ord('"'):
            _check_number(token.group().decode())


def check_object(given: object, *, most: int = MAX_EVENT_BYTES) -> None:
    """The same for an object that its producer has parsed. Its size is that of its text, about."""
    size, left = 0, [(given, 1)]
    while left:
        value, level = left.pop()
        size += 1
        if isinstance(value, str | bytes):
            size += len(value)
        elif isinstance(value, bool):
            pass
        elif isinstance(value, int) and abs(value) >= 10**DIGITS:
            raise _invalid(Message("event.number-too-long", digits=str(DIGITS)))
        elif isinstance(value, float | Decimal):
            _check_number(str(value))
        elif isinstance(value, Mapping | list | tuple):
            if level > DEPTH:
                raise _invalid(Message("event.deeper-than", levels=str(DEPTH)))
            if isinstance(value, Mapping):
                left.extend((key, level) for key in value)
            left.extend((one, level + 1) for one in (value.values() if isinstance(value, Mapping) else value))
        if size > most:
            raise _invalid(Message("event.larger-than", most=str(most)))


def _check_number(number: str) -> None:
    mantissa, _, exponent = number.lower().partition("e")
    if sum(char.isdigit() for char in mantissa) > DIGITS:
        raise _invalid(Message("event.number-too-long", digits=str(DIGITS)))
    digits = exponent.lstrip("+-0")
    if len(digits) > 2 or (digits.isdigit() and int(digits) > EXPONENT):
        raise _invalid(Message("event.exponent-beyond", most=str(EXPONENT)))


def _invalid(problem: Message) -> InvalidEvent:
    return InvalidEvent((Problem("", problem),))
