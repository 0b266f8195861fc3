"""What a user is told, as data: a key and its parameters. `messages.catalogue` makes sentences of it. Pure. No I/O.

A message is stored and passed on as it is (also from Lua); it becomes a sentence only where it is shown, in the
reader's language. Nothing parses a sentence.

    Message("invoice.number-taken", number="1001", customer="10001 Skånska Bygg AB")

The type of a parameter decides how it is shown. A `str` is a value as it is (a name, an invoice number, Fortnox's own
words), an `int` a count, a `Decimal` a number. A message can be a parameter of another.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

JOINED = "joined"  # the key of several messages as one


class Money(NamedTuple):
    """An amount and its currency (ISO 4217)."""

    amount: Decimal
    currency: str


class Message:
    """A key of the catalogues and the parameters of its sentence. Immutable. `NOTHING` is the only false one."""

    __slots__ = ("key", "params")

    key: str
    params: Mapping[str, "Param"]

    def __init__(self, key: str, /, **params: "Param") -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "params", params)

    @classmethod
    def join(cls, *messages: "Message") -> "Message":
        """Join messages to one, leaving out `NOTHING`."""
        said = [one for message in messages for one in message.parts]
        return said[0] if len(said) == 1 else cls(JOINED, parts=tuple(said)) if said else NOTHING

    @property
    def parts(self) -> tuple["Message", ...]:
        """The messages that were joined to this one; else this one alone, or none where it is `NOTHING`."""
        if self.key == JOINED:
            return self.params["parts"]  # type: ignore[return-value]
        return (self,) if self.key else ()

    def to_json(self) -> str:
        """For storing; "" where it is `NOTHING`. Lua writes the same form: `[["key", {"name": "value"}], …]`."""
        return json.dumps([_plain(one) for one in self.parts], ensure_ascii=False) if self else ""

    @classmethod
    def from_json(cls, text: str) -> "Message":
        """What `to_json` stored. Never raises: what cannot be read is told as such."""
        if not text:
            return NOTHING
        try:
            return cls.join(*map(_message, json.loads(text)))
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
        return hash((self.key, tuple(sorted((name, repr(value)) for name, value in self.params.items()))))

    def __repr__(self) -> str:
        """Without the parameters: they may hold a company's data, and a `repr` may be logged."""
        return f"Message({self.key!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.key, dict(self.params))


Param = str | int | Decimal | Money | date | datetime | timedelta | Message | tuple[Message, ...]

NOTHING = Message("")


def text(sentence: str) -> Message:
    """A sentence that has no key yet, line by line."""
    return Message.join(*(Message("text", text=line) for line in sentence.split("\n") if line))


def _rebuilt(key: str, params: dict[str, Param]) -> Message:
    return Message(key, **params)


def _plain(message: Message) -> list[Any]:
    return [message.key, {name: _encoded(value) for name, value in message.params.items()}]


def _encoded(value: Param) -> Any:
    match value:
        case Message():
            return {"message": _plain(value)}
        case Money(amount, currency):
            return {"money": [str(amount), currency]}
        case tuple():
            return {"messages": [_plain(one) for one in value if isinstance(one, Message)]}
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"time": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case timedelta():
            return {"seconds": value.total_seconds()}
        case _:
            return value


def _message(stored: Any) -> Message:
    key, params = stored
    if not isinstance(key, str):
        raise TypeError("a message's key is a text")
    return Message(key, **{str(name): _decoded(value) for name, value in dict(params).items()})


def _decoded(value: Any) -> Param:
    if isinstance(value, str | int):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "message":
            return _message(content)
        case "messages":
            return tuple(map(_message, content))
        case "money":
            return Money(Decimal(content[0]), str(content[1]))
        case "decimal":
            return Decimal(content)
        case "time":
            return datetime.fromisoformat(content)
        case "date":
            return date.fromisoformat(content)
        case "seconds":
            return timedelta(seconds=content)
    raise ValueError(f"no such kind of parameter: {kind}")
