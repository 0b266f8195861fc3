"""What has to change in Moment: what it should have against what was last sent. Pure. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from moment.expenses import Expense

IN_DOUBT = "?"  # a write was begun, and nobody lived to say how it ended
WITHDRAWN = "-"


class Action(StrEnum):
    """What is to be done with one expense."""

    CREATE = "create"
    CORRECT = "correct"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Sent:
    """What Moment last got of a row: a digest, or `IN_DOUBT`.

    `told`: the expense was invoiced, so it stays; a person was told that it should be this (or `WITHDRAWN`).
    """

    digest: str
    told: str = ""

    def __str__(self) -> str:
        return f"{self.digest}!{self.told}" if self.told else self.digest

    @classmethod
    def read(cls, text: str) -> "Sent":
        digest, _, told = text.partition("!")
        return cls(digest, told)


class Change(NamedTuple):
    """One thing to do. `expense` is None for one to withdraw."""

    row: int
    action: Action
    expense: Expense | None


def changes(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> tuple[Change, ...]:
    """What to do, row by row, so that Moment has exactly the wanted; nothing where it has them already."""
    found = []
    for row in sorted({*wanted, *sent}):
        action = _action(wanted.get(row), sent.get(row))
        if action is not None:
            found.append(Change(row, action, wanted.get(row)))
    return tuple(found)


def _action(expense: Expense | None, before: Sent | None) -> Action | None:
    if before is None:
        return None if expense is None else Action.CREATE
    should_be = WITHDRAWN if expense is None else expense.digest
    if should_be == before.digest or should_be == before.told:
        return None
    return Action.WITHDRAW if expense is None else Action.CORRECT
