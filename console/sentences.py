"""What a template says in the reader's language."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from messages import Message
from messages.catalogue import SWEDEN, Language, lines, money, say, shown


def sentences(
    language: Language, told: Callable[[Message], Message] = lambda message: message
) -> Mapping[str, Callable[..., Any]]:
    """The functions that templates have: `m('key', name=value)` is the sentence of a key, `say` that of a message.

    `told`: a message as this reader gets it.
    """
    return {
        "m": lambda key, **params: say(Message(key, **params), language),
        "say": lambda message: say(told(message), language),
        "lines": lambda message: lines(told(message), language),
        "shown": lambda value: shown(value, language),
        "amount": lambda value: money(value, "", language).strip(),
        "clock": lambda at: clock(at, language),
        "json": as_json,
    }


def clock(at: datetime, language: Language) -> str:
    """The time by the clock in Sweden, to the second: `14:05:09`, with the day where that is not today."""
    local = at.astimezone(SWEDEN)
    if local.date() == datetime.now(SWEDEN).date():
        return f"{local:%H:%M:%S}"
    return f"{shown(local.date(), language)} {local:%H:%M:%S}"


def as_json(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, ensure_ascii=False, indent=2)
