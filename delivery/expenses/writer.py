"""Applies changes to expenses in Moment, each recorded in Redis before the next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from delivery.expenses.reader import Problem
from mappers.expense import Rules, external_id
from mappers.expense_changes import IN_DOUBT, WITHDRAWN, Action, Change, Sent
from messages import Message, Money
from moment.api import MomentApi
from moment.errors import ExpenseExists, ExpenseInvoiced, MomentRefused, NotThere, UnknownProject
from moment.expenses import Expense
from stores.expenses import ExpenseStore

log = structlog.get_logger(__name__)

DONE = {Action.CREATE: "created", Action.CORRECT: "corrected", Action.WITHDRAW: "withdrawn"}


@dataclass(frozen=True)
class ExpenseWriter:
    """One company's. `check` is called before each change; it raises when this process may not go on."""

    company: str
    moment: MomentApi
    store: ExpenseStore
    rules: Rules
    check: Callable[[], None]

    def record(self, number: str, sent: dict[int, Sent], place: int, one: Sent | None) -> None:
        """Record what Moment last got for a place; None where it has nothing there."""
        if one is None:
            sent.pop(place, None)
        else:
            sent[place] = one
        self.store.send(number, sent)

    def apply(self, number: str, change: Change, sent: dict[int, Sent]) -> Problem | None:
        """Make one change in Moment and record it. Return why a person is needed, if so.

        The place is recorded as in doubt before the request, and as sent after its answer.
        """
        before = sent.get(change.place)
        self.check()
        self.record(number, sent, change.place, Sent(IN_DOUBT, moved=before.moved if before else None))
        try:
            self._act(number, change)
        except ExpenseInvoiced:
            return self._keep_invoiced(number, change, before, sent)
        except MomentRefused as error:
            self.record(number, sent, change.place, before)
            if isinstance(error, UnknownProject) and change.expense is not None:
                self.store.forget_project(change.expense.project_number)
            return Problem(
                Message(
                    "expense.row-refused",
                    row=str(change.row),
                    expense=described(change.expense),
                    reason=error.reason,
                ),
                Message("expense.row-refused.remedy"),
            )
        after = None if change.expense is None else Sent(change.expense.digest, moved=before.moved if before else None)
        self.record(number, sent, change.place, after)
        self.store.count(DONE[change.action])
        log.info("expense.sent", given_number=number, place=change.place, action=str(change.action))
        return None

    def _act(self, number: str, change: Change) -> None:
        name = external_id(number, change.place, self.rules.ledger)
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
        """Correct the expense. Whether it is billable is decided in Moment and stays."""
        try:
            found = self.moment.expense(self.company, expense.external_id)
        except NotThere:
            if not or_create:
                raise
            return self.moment.create(self.company, expense)
        if not expense.as_found(found):
            billable = found.get("billable", expense.billable)
            self.moment.correct(self.company, expense.model_copy(update={"billable": billable}))

    def _withdraw(self, expense_id: str) -> None:
        try:
            self.moment.withdraw(self.company, expense_id)
        except NotThere:
            return  # already deleted

    def _keep_invoiced(self, number: str, change: Change, before: Sent | None, sent: dict[int, Sent]) -> Problem | None:
        """Record that the expense stays as it is, because it is invoiced to the customer. Return the difference."""
        notified = WITHDRAWN if change.expense is None else change.expense.digest
        there = self._in_moment(number, change.place)
        has = before.digest if before else IN_DOUBT
        if has == IN_DOUBT and (expense := _read(there)):
            has = expense.digest
        self.record(number, sent, change.place, Sent(has, notified, before.moved if before else None))
        return _difference(change, there)

    def difference(self, number: str, change: Change) -> Problem | None:
        """What differs between an invoiced expense and its row; None where a person has deleted it."""
        return _difference(change, self._in_moment(number, change.place))

    def _in_moment(self, number: str, place: int) -> Mapping[str, Any] | None:
        """The expense as Moment has it; None where a person has deleted it."""
        try:
            return self.moment.expense(self.company, external_id(number, place, self.rules.ledger))
        except NotThere:
            return None


def _difference(change: Change, there: Mapping[str, Any] | None) -> Problem | None:
    if there is None:
        return None
    expense = _read(there)
    was = described(expense) if expense else Message("expense.unreadable")
    return Problem(
        Message("expense.invoiced-already", row=str(change.row), there=was, expense=described(change.expense)),
        Message("expense.invoiced-already.remedy"),
    )


def described(expense: Expense | None) -> Message:
    """The expense in a few words, for a person."""
    if expense is None:
        return Message("expense.gone")
    return Message(
        "expense.described",
        amount=Money(expense.amount_excluding_vat, expense.currency_code),
        account=expense.account_number,
        project=expense.project_number,
    )


def _read(document: Mapping[str, Any] | None) -> Expense | None:
    try:
        return Expense.model_validate(document)
    except ValueError:
        return None
