"""Takes a text apart into the JSON texts of its events, without parsing them. Pure. No I/O.

The text is JSON lines, objects that may go over several lines, or one array of objects; a byte order mark before it is
dropped. Each event's text is cut out, so that the limits of an event are checked before it is parsed.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Whole strings first, so that what is inside them does not count. Possessive, as in config/json_limits.py.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
BYTE_ORDER_MARK = "\ufeff"


class EventText(NamedTuple):
    """The text of one event. `line`: where it begins; `item`: its place in an array; both count from 1.

    `cut`: the array has no closing bracket.
    """

    text: str
    line: int
    item: int | None = None
    cut: bool = False


def event_texts(text: str) -> Iterator[EventText]:
    """The texts of the events in a text, in order."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    if text.lstrip()[:1] == "[":
        return _items(text)
    return _objects(text) if _over_several_lines(text) else _lines(text)


def _lines(text: str) -> Iterator[EventText]:
    return (EventText(line, n) for n, line in enumerate(text.split("\n"), start=1) if line.strip())


def _over_several_lines(text: str) -> bool:
    """Whether the first object goes on after its line. A line that was cut is not: another object follows it."""
    first, _, rest = text.lstrip().partition("\n")
    tokens = [token.group() for token in _TOKEN.finditer(first)]
    opened = sum(token in ("[", "{") for token in tokens) - sum(token in ("]", "}") for token in tokens)
    return opened > 0 and first[:1] == "{" and rest.lstrip()[:1] not in ("", "{")


def _objects(text: str) -> Iterator[EventText]:
    """Objects one after the other, each over any number of lines."""
    places = _Places(text)
    level = start = 0
    for token in _TOKEN.finditer(text):
        if token.group() in ("{", "["):
            level += 1
        elif token.group() in ("}", "]"):
            level -= 1
            if level <= 0:
                yield places.cut_out(start, token.end())
                level, start = 0, token.end()
    if text[start:].strip():
        yield places.cut_out(start, len(text))


def _items(text: str) -> Iterator[EventText]:
    """The elements of the array that the text begins with, and what follows it."""
    places = _Places(text)
    start = text.index("[") + 1
    level, item = 1, 0
    for token in _TOKEN.finditer(text, start):
        found = token.group()
        if level == 1 and found == "}":
            break
        level += (found in ("{", "[")) - (found in ("}", "]"))
        if level == 0 or (level == 1 and found == ","):
            item += 1
            if level or item > 1 or text[start : token.start()].strip():
                yield places.cut_out(start, token.start(), item)
            start = token.end()
        if level == 0:
            if text[start:].strip():
                yield places.cut_out(start, len(text))
            return
    yield places.cut_out(start, len(text), item + 1, cut=True)


class _Places:
    """Counts lines while the text is gone through once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line, self._at = 1, 0

    def cut_out(self, start: int, end: int, item: int | None = None, *, cut: bool = False) -> EventText:
        piece = self._text[start:end]
        begins = start + len(piece) - len(piece.lstrip())
        self._line += self._text.count("\n", self._at, begins)
        self._at = begins
        return EventText(piece.strip(), self._line, item, cut)
