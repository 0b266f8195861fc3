"""Makes Moment's expenses of a supplier invoice agree with Fortnox, and records what Moment has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog

from mappers.expense import external_id
from mappers.expense_changes import IN_DOUBT, Action, Change, Sent, plan, settled, target
from messages import Message, Money
from moment.api import MomentApi
from moment.errors import ExpenseExists, ExpenseInvoiced, MomentRefused, NotThere, ProjectNotThere
from moment.expenses import Expense
from stores import ExpenseStore

log = structlog.get_logger(__name__)

COUNTED = {Action.CREATE: "created", Action.CORRECT: "corrected", Action.WITHDRAW: "withdrawn"}


class ExpenseProblem(NamedTuple):
    """Why a person is needed for a supplier invoice, and what to do."""

    reason: Message
    remedy: Message


@dataclass(frozen=True, slots=True)
class Applier:
    """Writes the expenses of one ledger (`ledger` as in `ExpenseStore`).

    `check` is called before each write; it raises if what was read from Fortnox may no longer count.
    """

    company: str
    moment: MomentApi
    store: ExpenseStore
    check: Callable[[], None]

    def apply(
        self, number: str, wanted: Mapping[int, Expense], sent: dict[int, Sent]
    ) -> dict[int, ExpenseProblem | None]:
        """Make every change that is due, updating `sent`. Return the problem, or None, of each place that was due."""
        results: dict[int, ExpenseProblem | None] = {}
        tried: list[Change] = []
        while True:
            moved, change = plan(wanted, sent, tried)
            for place, one in moved.items():
                self._record(number, sent, place, one)
                results[place] = None
                log.info("expense.moved", given_number=number, place=place, row=one.moved or place)
            if change is None:
                break
            tried.append(change)
            results[change.place] = self._change(number, change, sent)
        return results

    def difference(self, number: str, change: Change) -> ExpenseProblem | None:
        """Return how an invoiced expense differs from Fortnox; None if a person has deleted it, which settles it."""
        return _difference(change, self._in_moment(number, change.place))

    def forget_settled(self, number: str, wanted: Mapping[int, Expense], sent: dict[int, Sent]) -> None:
        """Record which reported differences are over."""
        for place, one in settled(wanted, sent).items():
            self._record(number, sent, place, one)

    def _change(self, number: str, change: Change, sent: dict[int, Sent]) -> ExpenseProblem | None:
        """Make one change. It is recorded as in doubt before it is sent, until its outcome is known."""
        before = sent.get(change.place)
        moved = before.moved if before else None
        self.check()
        self._record(number, sent, change.place, Sent(IN_DOUBT, moved=moved))
        try:
            self._send(number, change)
        except ExpenseInvoiced:
            return self._keep_invoiced(number, change, before, sent)
        except MomentRefused as error:
            self._record(number, sent, change.place, before)
            if isinstance(error, ProjectNotThere) and change.expense is not None:
                self.store.forget_project(change.expense.project_number)
            reason = Message(
                "expense.rejected", row=str(change.row), expense=described(change.expense), reason=error.reason
            )
            return ExpenseProblem(reason, Message("expense.correct-cause"))
        after = None if change.expense is None else Sent(change.expense.digest, moved=moved)
        self._record(number, sent, change.place, after)
        self.store.count(COUNTED[change.action])
        log.info("expense.sent", given_number=number, place=change.place, action=str(change.action))
        return None

    def _send(self, number: str, change: Change) -> None:
        name = external_id(number, change.place, self.store.ledger)
        if change.expense is None:
            return self._withdraw(name)
        expense = change.expense.model_copy(update={"external_id": name})
        if change.action is Action.CORRECT:
            return self._correct(expense, or_create=True)
        try:
            self.moment.create(self.company, expense)
        except ExpenseExists:
            self._correct(expense, or_create=False)

    def _correct(self, expense: Expense, *, or_create: bool) -> None:
        """Correct the expense where it differs. `billable` stays as it is in Moment, where people decide it."""
        try:
            found = self.moment.expense(self.company, expense.external_id)
        except NotThere:
            if not or_create:
                raise
            return self.moment.create(self.company, expense)
        if not expense.as_found(found):
            billable = found.get("billable")
            kept = {"billable": billable} if isinstance(billable, bool) else {}
            self.moment.correct(self.company, expense.model_copy(update=kept))

    def _withdraw(self, expense_id: str) -> None:
        try:
            self.moment.withdraw(self.company, expense_id)
        except NotThere:
            return  # a person, or an earlier attempt, has deleted it

    def _keep_invoiced(
        self, number: str, change: Change, before: Sent | None, sent: dict[int, Sent]
    ) -> ExpenseProblem | None:
        """Record that the expense stays as it was invoiced. Return what a person is told of the difference."""
        found = self._in_moment(number, change.place)
        digest = before.digest if before else IN_DOUBT
        if digest == IN_DOUBT and (expense := _readable(found)):
            digest = expense.digest
        moved = before.moved if before else None
        self._record(number, sent, change.place, Sent(digest, target(change.expense), moved))
        return _difference(change, found)

    def _in_moment(self, number: str, place: int) -> Mapping[str, Any] | None:
        try:
            return self.moment.expense(self.company, external_id(number, place, self.store.ledger))
        except NotThere:
            return None

    def _record(self, number: str, sent: dict[int, Sent], place: int, one: Sent | None) -> None:
        if one is None:
            sent.pop(place, None)
        else:
            sent[place] = one
        self.store.record_sent(number, sent, confirmed=one is not None and one.digest == IN_DOUBT)


def described(expense: Expense | None) -> Message:
    """Describe an expense in a few words."""
    if expense is None:
        return Message("expense.none")
    amount = Money(expense.amount_excluding_vat, expense.currency_code)
    return Message("expense.described", amount=amount, account=expense.account_number, project=expense.project_number)


def _difference(change: Change, found: Mapping[str, Any] | None) -> ExpenseProblem | None:
    if found is None:
        return None
    expense = _readable(found)
    invoiced = described(expense) if expense else Message("expense.unreadable")
    reason = Message("expense.already-invoiced", row=str(change.row), invoiced=invoiced, now=described(change.expense))
    return ExpenseProblem(reason, Message("expense.settle-difference"))


def _readable(document: Mapping[str, Any] | None) -> Expense | None:
    try:
        return Expense.model_validate(document)
    except ValueError:
        return None
