"""The page of each situation, as docs/situations has it: what happened, how it looks in Fortnox, what to do. Pure."""

from functools import cache
from itertools import count, takewhile
from typing import NamedTuple

from messages import Message
from messages.catalogue import knows


class SituationPage(NamedTuple):
    """The texts of a situation of `fortnox.situations`."""

    title: Message
    happened: Message
    shown: Message  # how it looks in Fortnox
    steps: tuple[Message, ...]  # what to do


@cache
def situation_page(name: str) -> SituationPage:
    steps = (Message(f"situation.{name}.step-{n}") for n in count(1))
    return SituationPage(
        Message(f"situation.{name}.title"),
        Message(f"situation.{name}.happened"),
        Message(f"situation.{name}.shown"),
        tuple(takewhile(lambda step: knows(step.key), steps)),
    )
