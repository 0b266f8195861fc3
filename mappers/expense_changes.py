"""Plans what to change in Moment: the expenses it should have, against what it was last sent. Pure. No I/O.

An expense's place is the row number in its id. Rows can move, for example when a VAT row is added before them, and
their expenses follow. An expense that was invoiced to the customer cannot: it keeps its place and stands for its row.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from moment.expenses import Expense

IN_DOUBT = "?"  # a write was started, and its outcome is not known
WITHDRAWN = "-"


class Action(StrEnum):
    """What to do with one expense."""

    CREATE = "create"
    CORRECT = "correct"
    WITHDRAW = "withdraw"


ORDER = (Action.WITHDRAW, Action.CORRECT, Action.CREATE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What Moment was last sent for a place: the expense's digest, or `IN_DOUBT`.

    `reported`: the expense was invoiced and stays; a person was told that it should be this digest, or `WITHDRAWN`.
    `moved`: the expense was invoiced and stays; this is the row it now stands for, perhaps its own again.
    """

    digest: str
    reported: str = ""
    moved: int | None = None

    def __str__(self) -> str:
        moved = "" if self.moved is None else f">{self.moved}"
        return self.digest + moved + (f"!{self.reported}" if self.reported else "")

    @classmethod
    def read(cls, text: str) -> "Sent":
        there, _, reported = text.partition("!")
        digest, _, moved = there.partition(">")
        return cls(digest, reported, int(moved) if moved else None)

    @property
    def invoiced(self) -> bool:
        """Whether the expense is known to be invoiced."""
        return bool(self.reported) or self.moved is not None


class Change(NamedTuple):
    """One change in Moment. `row` is where the expense is in Fortnox, for messages; no `expense` means withdraw."""

    place: int
    action: Action
    expense: Expense | None
    row: int


class Plan(NamedTuple):
    """The next step: what to record of invoiced expenses whose row has moved, then the change to make, if any."""

    moved: Mapping[int, Sent]
    change: Change | None


def plan(wanted: Mapping[int, Expense], sent: Mapping[int, Sent], tried: Collection[Change]) -> Plan:
    """Return the next step towards a Moment that has exactly the wanted rows. Changes in `tried` are not repeated."""
    moved = moved_invoiced(wanted, sent)
    return Plan(moved, next_change(wanted, {**sent, **moved}, tried))


def place_of(row: int, sent: Mapping[int, Sent]) -> int:
    """Return the place of a row's expense: its own number, unless an invoiced expense moved. No two rows share one."""
    for place, one in sent.items():
        if one.moved == row:
            return place
    place = row
    while place in sent and (moved := sent[place].moved) is not None:
        place = moved  # free, since the row of that number is where this one was
    return place


def changes(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> tuple[Change, ...]:
    """Return every change, by place, after which Moment has exactly the wanted rows."""
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


def next_change(wanted: Mapping[int, Expense], sent: Mapping[int, Sent], tried: Collection[Change]) -> Change | None:
    """Return the next change that was not tried yet; None if none is left.

    Write an expense only after the place that held it is released, so that no amount is in Moment twice; if that was
    refused, do not write it at all. Rows that swapped places block each other, so one of them goes first.
    """
    due = changes(wanted, sent)
    left = [change for change in due if change not in tried]
    held = {change.place: sent[change.place].digest for change in due if change.place in sent}

    def held_at(change: Change) -> set[int]:
        digest = change.expense and change.expense.digest
        return {place for place, has in held.items() if has == digest and place != change.place}

    blocked = {change.place for change in due if change in tried}
    while more := {change.place for change in left if held_at(change) & blocked} - blocked:
        blocked |= more
    free = (change for change in left if change.place not in blocked)
    return min(free, key=lambda one: (bool(held_at(one)), ORDER.index(one.action), one.place), default=None)


def moved_invoiced(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> dict[int, Sent]:
    """Return the invoiced expenses whose row is now another one, as they are to be recorded. Nobody is told of them."""
    now = dict(sent)
    for place, one in sorted(sent.items()):
        row = _moved_to(place, wanted, now) if one.invoiced else None
        if row is not None:
            now = {at: replace(other, moved=None) if other.moved == row else other for at, other in now.items()}
            now[place] = Sent(one.digest, moved=row)  # its own row, too: that it was invoiced must not be forgotten
    return {place: one for place, one in now.items() if one != sent[place]}


def _moved_to(place: int, wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> int | None:
    """Return the row that equals the expense of this place, if the place's own row no longer does.

    Prefer a row that Moment has no equal expense for; else take one whose expense can still be withdrawn.
    """
    digest = sent[place].digest
    equal = {row: sent.get(place_of(row, sent)) for row, expense in wanted.items() if expense.digest == digest}
    if any(place_of(row, sent) == place for row in equal):
        return None
    missing = [row for row, at in equal.items() if at is None or at.digest != digest]
    return min(missing or [row for row, at in equal.items() if at and not at.invoiced], default=None)


def unresolved(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> dict[int, Change]:
    """Return, by place, the invoiced expenses that still differ in the way that a person was told."""
    unreported = {place: replace(one, reported="") for place, one in sent.items()}
    return {change.place: change for change in changes(wanted, unreported) if _is_reported(change, sent)}


def settled(wanted: Mapping[int, Expense], sent: Mapping[int, Sent]) -> dict[int, Sent]:
    """Return, as they are to be recorded, the reported expenses that Fortnox and Moment agree on again."""
    found = {}
    for row, expense in wanted.items():
        place = place_of(row, sent)
        if (one := sent.get(place)) and one.reported and expense.digest == one.digest:
            found[place] = replace(one, reported="")
    return found


def target(expense: Expense | None) -> str:
    """Return the digest that a place should have: the expense's, or `WITHDRAWN`."""
    return WITHDRAWN if expense is None else expense.digest


def _is_reported(change: Change, sent: Mapping[int, Sent]) -> bool:
    return change.place in sent and sent[change.place].reported == target(change.expense)


def _action(expense: Expense | None, before: Sent | None) -> Action | None:
    if before is None:
        return None if expense is None else Action.CREATE
    if target(expense) in (before.digest, before.reported):
        return None
    return Action.WITHDRAW if expense is None else Action.CORRECT
