"""What a user is told, as data: a key and its parameters. `messages.catalogue` makes sentences of it. Pure. No I/O.

A message is stored and passed on as it is, also by Lua. It becomes a sentence only where it is shown, in the reader's
language. Nothing parses a sentence.

    Message("invoice.number-taken", number="1001", customer="10001 Skånska Bygg AB")

The type of a parameter decides how it is shown. A `str` is a value as it is (a name, an invoice number, Fortnox's own
words), an `int` a count, a `Decimal` a number. A message can be a parameter of another. The parameter `n` selects the
plural.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

JOINED = "joined"  # the key of several messages as one
MAX_DEPTH = 8  # of messages within messages; what is stored deeper was not written by this system
MAX_DIGITS = 60  # of a number, before or after the point


class Money(NamedTuple):
    """An amount and its currency (ISO 4217)."""

    amount: Decimal
    currency: str


class Message:
    """A key of the catalogues and the parameters of its sentence. Immutable. Only `NOTHING` is false."""

    __slots__ = ("key", "params")

    key: str
    params: Mapping[str, "Param"]

    def __init__(self, key: str, /, **params: "Param") -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "params", params)

    @classmethod
    def join(cls, *messages: "Message") -> "Message":
        """Several messages as one, without `NOTHING`. Each part is a line of its own where lines are shown."""
        parts = tuple(part for message in messages for part in message.parts)
        return parts[0] if len(parts) == 1 else cls(JOINED, parts=parts) if parts else NOTHING

    @property
    def parts(self) -> tuple["Message", ...]:
        """The messages joined in this one; this one alone where none were joined; none where it is `NOTHING`."""
        if self.key == JOINED:
            return self.params["parts"]  # type: ignore[return-value]
        return (self,) if self.key else ()

    def to_json(self) -> str:
        """For storing; "" for `NOTHING`. Lua writes the same form: `[["key", {"name": "value"}], …]`."""
        return json.dumps([_encoded(part) for part in self.parts], ensure_ascii=False) if self else ""

    @classmethod
    def from_json(cls, text: str) -> "Message":
        """The message that `to_json` stored. Never raises: `unreadable` holds text that is no message."""
        if not text:
            return NOTHING
        try:
            return cls.join(*map(_decoded, json.loads(text)))
        except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError, RecursionError):
            return Message("unreadable", text=text)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a message is immutable: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a message is immutable: {name}")

    def __bool__(self) -> bool:
        return bool(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.key, self.params) == (other.key, other.params)

    def __hash__(self) -> int:
        return hash((self.key, frozenset(self.params.items())))

    def __repr__(self) -> str:
        """Without the parameters: they may hold a company's data, and a `repr` may be logged."""
        return f"Message({self.key!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.key, dict(self.params))


Param = str | int | Decimal | Money | date | datetime | timedelta | Message | tuple[Message, ...]

NOTHING = Message("")


def _rebuilt(key: str, params: dict[str, Param]) -> Message:
    return Message(key, **params)


def _encoded(message: Message) -> list[Any]:
    return [message.key, {name: _encoded_param(value) for name, value in message.params.items()}]


def _encoded_param(value: Param) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()  # half a character (a lone surrogate) cannot be stored
        case Message():
            return {"message": _encoded(value)}
        case Money(amount, currency):
            return {"money": [str(amount), currency]}
        case tuple():
            return {"messages": [_encoded(one) for one in value if isinstance(one, Message)]}
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case timedelta():
            return {"microseconds": value // timedelta(microseconds=1)}
        case _:
            return value


def _decoded(stored: Any, depth: int = 0) -> Message:
    key, params = stored
    if not isinstance(key, str) or depth > MAX_DEPTH:
        raise ValueError("not a message")
    message = Message(key, **{str(name): _decoded_param(value, depth) for name, value in params.items()})
    if key == JOINED and not isinstance(message.params["parts"], tuple):
        raise ValueError("nothing was joined")
    return message


def _decoded_param(value: Any, depth: int) -> Param:
    if isinstance(value, str | int):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "message":
            return _decoded(content, depth + 1)
        case "messages":
            return tuple(_decoded(one, depth + 1) for one in content)
        case "money":
            amount, currency = content
            return Money(_decimal(amount), str(currency))
        case "decimal":
            return _decimal(content)
        case "time":
            return datetime.fromisoformat(content)
        case "date":
            return date.fromisoformat(content)
        case "microseconds":
            return timedelta(microseconds=content)
    raise ValueError(f"no such kind of parameter: {kind}")


def _decimal(stored: str) -> Decimal:
    value = Decimal(stored)
    if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError("not an amount")
    return value
