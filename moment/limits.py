"""Limits that hold for an event before it is parsed, wherever it comes from (docs/producers.md). Pure. No I/O."""

from collections.abc import Mapping
from decimal import Decimal

from config.json_limits import DEPTH, DIGITS, BeyondLimit, check_json, check_number
from moment.events import MAX_EVENT_BYTES, beyond_limit


def check_limits(raw: bytes, *, most: int = MAX_EVENT_BYTES, depth: int = DEPTH) -> None:
    """Raises `InvalidEvent` if the JSON text is too large, no UTF-8, too deep, or has a number beyond the limits."""
    try:
        check_json(raw, most=most, depth=depth)
    except BeyondLimit as error:
        raise beyond_limit(error) from None


def check_object(given: object, *, most: int = MAX_EVENT_BYTES) -> None:
    """The same for an object that its producer has parsed. Its size is about that of its text."""
    try:
        _check_object(given, most)
    except BeyondLimit as error:
        raise beyond_limit(error) from None


def _check_object(given: object, most: int) -> None:
    size, left = 0, [(given, 1)]
    while left:
        value, level = left.pop()
        size += 1
        if isinstance(value, str | bytes):
            size += len(value)
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**DIGITS:
            raise BeyondLimit("digits", DIGITS)
        elif isinstance(value, float | Decimal):
            check_number(str(value))
        elif isinstance(value, Mapping | list | tuple):
            if level > DEPTH:
                raise BeyondLimit("depth", DEPTH)
            if isinstance(value, Mapping):
                left.extend((key, level) for key in value)
            left.extend((one, level + 1) for one in (value.values() if isinstance(value, Mapping) else value))
        if size > most:
            raise BeyondLimit("bytes", most)
