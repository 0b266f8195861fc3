"""What has to change in Moment: what it should have against what was last sent. Pure. No I/O.

An expense's place is the row number in its id. Rows move, as when somebody adds a VAT row before them, and expenses
follow. One that was invoiced to the customer cannot: it stands for its row from its old place.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from moment.expenses import Expense

IN_DOUBT = "?"  # a write was begun, and its result was never recorded
WITHDRAWN = "-"


class Action(StrEnum):
    """What to do with one expense."""

    CREATE = "create"
    CORRECT = "correct"
    WITHDRAW = "withdraw"


ORDER = (Action.WITHDRAW, Action.CORRECT, Action.CREATE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What Moment last got for a place: a digest, or `IN_DOUBT`.

    `told`: the expense is invoiced, so it stays; a person was notified that it should be this (or `WITHDRAWN`).
    `moved`: the expense is invoiced, so it stays; this is its row by now.
    """

    digest: str
    told: str = ""
    moved: int | None = None

    def __str__(self) -> str:
        moved = "" if self.moved is None else f">{self.moved}"
        return self.digest + moved + (f"!{self.told}" if self.told else "")

    @classmethod
    def read(cls, text: str) -> "Sent":
        there, _, told = text.partition("!")
        digest, _, moved = there.partition(">")
        return cls(digest, told, int(moved) if moved else None)

    @property
    def invoiced(self) -> bool:
        """Whether it is known to be."""
        return bool(self.told) or self.moved is not None


class Change(NamedTuple):
    """One thing to do. `row` is for a person: where it is in Fortnox. `expense` is None for one to withdraw."""

    place: int
    action: Action
    expense: Expense | None
    row: int


def place_of(row: int, sent: Mapping[int, Sent]) -> int:
    """The place of a row's expense: its own, unless an invoiced one has moved. Two rows never have the same."""
    for place, one in sent.items():
        if one.moved == row:
            return place
    place = row
    while place in sent and (moved := sent[place].moved) is not None:
        place = moved  # which is free: its own row is where this one was
    return place


def changes(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> tuple[Change, ...]:
    """All changes, place by place, that give Moment exactly the wanted rows."""
    rows = {place_of(row, sent): row for row in wanted}
    found = []
    for place in sorted({*rows, *sent}):
        before = sent.get(place)
        row = rows.get(place, (before and before.moved) or place)
        expense = wanted[row] if place in rows else None
        action = _action(expense, before)
        if action is not None:
            found.append(Change(place, action, expense, row))
    return tuple(found)


class Plan(NamedTuple):
    """`moved`: places to record anew, as their rows have moved. `change`: the next change in Moment, if any."""

    moved: Mapping[int, Sent]
    change: Change | None


def plan(wanted: Mapping[int, Expense], sent: Mapping[int, Sent], tried: Collection[Change]) -> Plan:
    """What to do next so that Moment has exactly the wanted rows. `tried`: changes already made or refused.

    Ask again after each change: its result may alter what is left to do.
    """
    moved = found_again(wanted, sent)
    return Plan(moved, following(wanted, {**sent, **moved}, tried))


def following(wanted: Mapping[int, Expense], sent: Mapping[int, Sent], tried: Collection[Change]) -> Change | None:
    """The next change that was not tried yet. An expense is never in Moment twice because rows have moved.

    Write an expense only after the row that held it is released, and not at all where the release was refused. Rows
    that swapped places have to begin somewhere: then the order of actions decides.
    """
    due = changes(wanted, sent)
    left = [change for change in due if change not in tried]
    having = {change.place: sent[change.place].digest for change in due if change.place in sent}

    def had_at(change: Change) -> set[int]:
        digest = change.expense and change.expense.digest
        return {place for place, has in having.items() if has == digest and place != change.place}

    stuck = {change.place for change in due if change in tried}
    while more := {change.place for change in left if had_at(change) & stuck} - stuck:
        stuck |= more
    free = (change for change in left if change.place not in stuck)
    return min(free, key=lambda one: (bool(had_at(one)), ORDER.index(one.action), one.place), default=None)


def found_again(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> dict[int, Sent]:
    """Invoiced expenses whose row has moved, as they are to be recorded. Nobody is notified of those."""
    now = dict(sent)
    for place, one in sorted(sent.items()):
        row = _elsewhere(place, wanted, now) if one.invoiced else None
        if row is not None:
            now = {at: replace(other, moved=None) if other.moved == row else other for at, other in now.items()}
            now[place] = Sent(one.digest, moved=None if row == place else row)
    return {place: one for place, one in now.items() if one != sent[place]}


def _elsewhere(place: int, wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> int | None:
    """The row that says what this place has, where its own row says something else.

    Prefers a row of which Moment has no expense; else one whose expense can still be withdrawn.
    """
    digest = sent[place].digest
    saying = {row: sent.get(place_of(row, sent)) for row, expense in wanted.items() if expense.digest == digest}
    if any(place_of(row, sent) == place for row in saying):
        return None
    without = [row for row, at in saying.items() if at is None or at.digest != digest]
    return min(without or [row for row, at in saying.items() if at and not at.invoiced], default=None)


def standing(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> dict[int, Change]:
    """The places whose invoiced expense still differs in the way that a person was notified of."""
    untold = {place: replace(one, told="") for place, one in sent.items()}
    return {change.place: change for change in changes(wanted, untold) if _is_told(change, sent)}


def _is_told(change: Change, sent: Mapping[int, Sent]) -> bool:
    return change.place in sent and sent[change.place].told == _should_be(change.expense)


def _action(expense: Expense | None, before: Sent | None) -> Action | None:
    if before is None:
        return None if expense is None else Action.CREATE
    if _should_be(expense) in (before.digest, before.told):
        return None
    return Action.WITHDRAW if expense is None else Action.CORRECT


def _should_be(expense: Expense | None) -> str:
    return WITHDRAWN if expense is None else expense.digest
