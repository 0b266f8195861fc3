"""Keeps a company's expenses in Moment equal to its supplier invoices in Fortnox."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

import structlog

from delivery.expenses.lister import ChangeLister
from delivery.expenses.pace import Pace
from delivery.expenses.reader import Inspection, InvoiceReader, Problem
from delivery.expenses.writer import ExpenseWriter
from delivery.leases import HandedBack
from fortnox.client import Fortnox
from fortnox.codes import explain
from fortnox.errors import FortnoxError, Unavailable, WindowFull
from mappers.expense import Rules
from mappers.expense_changes import Change, Sent, place_of, plan, standing
from messages import Message
from moment.api import MomentApi
from moment.errors import KeyRefused, MomentError, MomentUnavailable
from moment.expenses import Expense
from stores.expenses import ExpenseStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ExpenseSync:
    """One company's. `check` is called before anything that Fortnox said is stored or sent to Moment.

    It raises when another process holds the poll, or when the company is connected to another ledger by now. A supplier
    invoice that fails stays queued and holds up no other.
    """

    company: str
    fortnox: Fortnox
    moment: MomentApi
    store: ExpenseStore
    rules: Rules
    check: Callable[[], None]
    pace: Pace = field(default_factory=Pace)

    @cached_property
    def reader(self) -> InvoiceReader:
        return InvoiceReader(self.company, self.fortnox, self.moment, self.store, self.rules, self.pace)

    @cached_property
    def lister(self) -> ChangeLister:
        return ChangeLister(self.fortnox, self.store, self.rules, self.reader, self.check)

    @cached_property
    def writer(self) -> ExpenseWriter:
        return ExpenseWriter(self.company, self.moment, self.store, self.rules, self.check)

    def inspect_queued(self, deadline: float) -> Iterator[Inspection]:
        """Inspect queued supplier invoices, one after the other, until the queue is empty or the time is up.

        What is yielded leaves the queue when the next is asked for, so that the caller can tell of it first.
        """
        while (
            time.monotonic() < deadline and (number := self.store.take(datetime.now(UTC), self.pace.again)) is not None
        ):
            try:
                inspection = self.inspect(number)
            except (WindowFull, HandedBack):
                self.store.postpone(number, datetime.now(UTC))  # nothing is wrong with it
                raise
            except (Unavailable, MomentUnavailable, KeyRefused) as error:
                if not self._troubled_for_long(number):
                    raise  # it is taken up again in a while, others before
                inspection = Inspection(number, None, problems=(_no_answer(error),))
            yield inspection
            if inspection.problems:
                self.store.postpone(number, datetime.now(UTC) + self.pace.refused_again)
            else:
                self.store.looked_at(number)

    def inspect(self, number: str, *, asked: bool = False) -> Inspection:
        """Read the supplier invoice and make Moment agree with it. `asked`: by a person, now.

        One event tells of all that is wrong with a supplier invoice. So a difference that a person was notified of, and
        that still exists, is named again: when something else changed, when no event tells of it, or when a person
        asks.
        """
        inspection = self.reader.read(number, asked=asked)
        sent = self.store.sent(number)
        wanted = {row.number: row.expense for row in inspection.rows if row.expense is not None}
        notified = standing(wanted, sent)
        results = self._apply_all(number, wanted, sent)
        still = standing(wanted, sent)
        if results or asked or self.store.failure(number) is None:
            results |= {place: self.writer.difference(number, still[place]) for place in notified if place in still}
        problems = tuple(problem for _, problem in sorted(results.items()) if problem is not None)
        self._forget_settled(number, wanted, sent)
        self._remember_what_it_waits_for(inspection)
        self.store.count("looked")
        self.store.count("skipped", sum(row.expense is None for row in inspection.rows))
        log.info(
            "expense.looked", given_number=number, pending=inspection.pending or None, skipped=_skipped(inspection)
        )
        return replace(inspection, problems=problems, standing=bool(standing(wanted, sent)))

    def _apply_all(
        self, number: str, wanted: Mapping[int, Expense], sent: dict[int, Sent]
    ) -> dict[int, Problem | None]:
        """Apply the plan change by change. Return the results by place."""
        results: dict[int, Problem | None] = {}
        tried: list[Change] = []
        while True:
            moved, change = plan(wanted, sent, tried)
            for place, one in moved.items():
                self.writer.record(number, sent, place, one)
                results[place] = None
                log.info("expense.moved", given_number=number, place=place, row=one.moved or place)
            if change is None:
                return results
            tried.append(change)
            results[change.place] = self.writer.apply(number, change, sent)

    def _forget_settled(self, number: str, wanted: Mapping[int, Expense], sent: dict[int, Sent]) -> None:
        """A difference that a person was notified of is over where Fortnox again says what Moment has."""
        for row, expense in wanted.items():
            place = place_of(row, sent)
            if (one := sent.get(place)) and one.told and expense.digest == one.digest:
                self.writer.record(number, sent, place, replace(one, told=""))

    def _remember_what_it_waits_for(self, inspection: Inspection) -> None:
        if inspection.pending:
            self.store.await_approval(inspection.number)
        else:
            self.store.approved(inspection.number)
        if lacking := {row.project for row in inspection.rows if row.project and row.lacks_project}:
            self.store.lack(inspection.number, lacking)

    def _troubled_for_long(self, number: str) -> bool:
        now = datetime.now(UTC)
        return now - self.store.troubled_since(number, now) >= self.pace.notified_after


def _skipped(inspection: Inspection) -> str:
    """`payable 1, account_not_chosen 3 4`: which rows do not count, by why."""
    rows: dict[str, list[str]] = {}
    for row in inspection.rows:
        if row.reason is not None:
            rows.setdefault(row.reason.code, []).append(str(row.number))
    return ", ".join(f"{why} {' '.join(numbers)}" for why, numbers in rows.items())


def _no_answer(error: FortnoxError | MomentError) -> Problem:
    reason = explain(error).reason if isinstance(error, FortnoxError) else error.reason
    return Problem(Message.join(reason, Message("expense.tried-a-day")), Message("expense.tried-a-day.remedy"))
