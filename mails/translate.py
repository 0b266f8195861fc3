"""Says in Swedish what the system said in English, sentence by sentence. Pure. No I/O.

What has no Swedish stays as it is: an English reason is better than none.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from fortnox import errors as e
from fortnox.codes import explain
from fortnox.situations import SITUATIONS
from mails.swedish import SENTENCES
from messages import Message
from messages.catalogue import say

_FIELD = re.compile(r"\{(\w+)\}")
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_FIELDS = {
    "path": r"[a-z]\w*(?:\.\w+)+|company|id|type|occurredAt|sequence",
    "value": _QUOTED,
    "amount": r"-?\d[\d\s.]*(?:\ [A-Z]{3})?",
    "n": r"\d+",
    "row": r"\d+",
}
_KEPT = frozenset({"path", "value"})  # never looked up: they are data
_SENTENCE = re.compile(r"\s+(?=[A-ZÅÄÖ'\"])")  # where the next may begin
_PROBLEM = re.compile(r"; (?=[\w.]+: )")  # where the next names its field
SENTENCES_AT_MOST = 30
LONGEST = 2000  # characters: what the system itself says at a time is shorter


class Pattern(NamedTuple):
    """`literals`: what stands between the fields. A look at them is much cheaper than the expression."""

    literals: tuple[str, ...]
    english: re.Pattern[str]
    swedish: str


def said(message: Message, language: str) -> list[str]:
    """The message in the language, line by line."""
    sv = language == "sv"
    return [
        in_swedish(say(part)) if sv and part.key == "text" else say(part, "sv" if sv else "en")
        for part in message.parts
    ]


def in_swedish(text: str) -> str:
    """The same in Swedish; unchanged where a part of it has no Swedish."""
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    """A list of problems one by one: what is said of each field is said again, the list as a whole is not."""
    if len(problems := _PROBLEM.split(line)) > 1:
        said = [_of(one) for one in problems]
        if any(said):
            return "; ".join(swedish or one for swedish, one in zip(said, problems, strict=True))
    return _of(line) or line


def _of(text: str) -> str | None:
    return _translated(text.strip()) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)  # equal failures say the same
def _translated(text: str) -> str | None:
    """Sentence by sentence where each has its Swedish, else as a whole; None where neither goes."""
    for end in list(_SENTENCE.finditer(text))[:SENTENCES_AT_MOST]:
        first = _whole(text[: end.start()])
        if first is not None and (rest := _translated(text[end.end() :])) is not None:
            return f"{first} {rest}"
    return _whole(text)


def _whole(text: str) -> str | None:
    for pattern in _patterns():
        if _may_be(text, pattern.literals) and (match := pattern.english.fullmatch(text)):
            fields = {name: _field(name, value) for name, value in match.groupdict().items()}
            return pattern.swedish.format(**fields)
    return None


def _may_be(text: str, literals: tuple[str, ...]) -> bool:
    """Whether it has all of these, in their order."""
    at = 0
    for literal in literals:
        if (found := text.find(literal, at)) < 0:
            return False
        at = found + len(literal)
    return text.startswith(literals[0]) and text.endswith(literals[-1])


def _field(name: str, value: str) -> str:
    if name in _KEPT:
        return value
    return _translated(value) or value


@cache
def _patterns() -> tuple[Pattern, ...]:
    """The longest first, so that what says more wins over what would take it for a value."""
    pairs = dict(_of_fortnox()) | SENTENCES
    ordered = sorted(pairs.items(), key=lambda pair: -len(_FIELD.sub("", pair[0])))
    return tuple(Pattern(tuple(_FIELD.split(one)[::2]), _compiled(one), swedish) for one, swedish in ordered)


def _of_fortnox() -> Iterator[tuple[str, str]]:
    unknown = e.Details()
    unexplained = (
        e.Rejected(unknown),
        e.Unavailable(unknown),
        e.Throttled(unknown, 1.0),
        e.OutcomeUnknown(unknown),
        e.GrantDead(unknown),
    )
    both = [(situation.en, situation.sv) for situation in SITUATIONS.values()]
    both += [(explain(error, "en"), explain(error, "sv")) for error in unexplained]
    for english, swedish in both:
        yield english.reason, swedish.reason
        yield english.remedy, swedish.remedy


def _compiled(english: str) -> re.Pattern[str]:
    parts = _FIELD.split(english)  # text, name, text, name, …
    body = "".join(
        f"(?P<{part}>{_FIELDS.get(part, '.+?')})" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )
    return re.compile(body, re.DOTALL)
