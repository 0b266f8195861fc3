"""Limits on JSON that comes from outside, checked on its bytes before it is parsed. Pure. No I/O.

They keep a text from exhausting memory, the interpreter's stack or the arithmetic of whoever reads it.
"""

import re
from typing import Final, Literal

DEPTH: Final = 32  # lists and objects inside one another
DIGITS: Final = 30  # of a number
EXPONENT: Final = 30  # of a number, either way
VALUES: Final = 500_000  # each takes up to 200 bytes of memory, and two in the text

Kind = Literal["bytes", "utf8", "surrogate", "depth", "values", "digits", "exponent"]

# Whole strings first, so that what is inside them does not count; of numbers only those that may exceed the limits.
# Possessive, so that a long string is read without memory for each of its characters.
_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{,]|[\]}]|[0-9.]++[eE][0-9+-]*+|[0-9.]{%d,}+' % (DIGITS + 1), re.DOTALL
)
_MAYBE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


class BeyondLimit(ValueError):
    """The text breaks a limit. `most` is the limit; for `utf8`, where the fault is."""

    def __init__(self, kind: Kind, most: int = 0) -> None:
        super().__init__(kind, most)
        self.kind = kind
        self.most = most


def check_json(raw: bytes, *, most: int, depth: int = DEPTH) -> None:
    """Raises `BeyondLimit` for more than `most` bytes, bytes that are no UTF-8, and all else that no JSON here has.

    The text may still be no JSON.
    """
    if len(raw) > most:
        raise BeyondLimit("bytes", most)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise BeyondLimit("utf8", error.start) from None
    level = values = 0
    surrogates = _MAYBE_SURROGATE.search(raw) is not None
    for token in _TOKEN.finditer(raw):
        first = raw[token.start()]
        if first in b"[{,":
            values += 1
            if values > VALUES:
                raise BeyondLimit("values", VALUES)
            if first != ord(","):
                level += 1
                if level > depth:
                    raise BeyondLimit("depth", depth)
        elif first in b"]}":
            level -= 1
        elif first != ord('"'):
            check_number(token.group().decode())
        elif surrogates:
            _check_surrogates(token.group())


def check_number(number: str) -> None:
    """Raises `BeyondLimit` for too many digits or too large an exponent."""
    mantissa, _, exponent = number.lower().partition("e")
    if sum(char.isdigit() for char in mantissa) > DIGITS:
        raise BeyondLimit("digits", DIGITS)
    digits = exponent.lstrip("+-0")
    if len(digits) > 2 or (digits.isdigit() and int(digits) > EXPONENT):
        raise BeyondLimit("exponent", EXPONENT)


def _check_surrogates(text: bytes) -> None:
    """Refuses half a character: an escaped surrogate without the other one of its pair."""
    high_until = -1  # where a high surrogate ends that waits for its low one
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1], 16) if escape[1] else 0
        low = 0xDC00 <= code <= 0xDFFF
        if low != (escape.start() == high_until) or (high_until >= 0 and not low):
            raise BeyondLimit("surrogate")
        high_until = escape.end() if 0xD800 <= code <= 0xDBFF else -1
    if high_until >= 0:
        raise BeyondLimit("surrogate")
