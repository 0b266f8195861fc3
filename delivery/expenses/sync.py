"""Syncs one company's queued supplier invoices with Moment, one after the other.

A supplier invoice that fails stays queued and holds up no other.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from delivery.expenses.applier import Applier, ExpenseProblem
from delivery.expenses.lister import Lister
from delivery.expenses.pace import Pace
from delivery.expenses.reader import Approvals, Projects, Reader, Reading
from delivery.leases import HandedBack
from fortnox.client import Fortnox
from fortnox.codes import explain
from fortnox.errors import ConfigurationNeeded, FortnoxError, Rejected, Unavailable, WindowFull
from fortnox.models import SupplierInvoice
from mappers.expense import Rules
from mappers.expense_changes import unresolved
from messages import Message
from moment.api import MomentApi
from moment.errors import KeyRefused, MomentError, MomentRefused, MomentUnavailable
from stores import ExpenseStore

log = structlog.get_logger(__name__)

# A supplier invoice that does not show yet what the feed told is read again after these: an event can precede the API.
AGAIN: Final = (timedelta(seconds=0.5), timedelta(seconds=1), timedelta(seconds=3))


class NotShownYet(Exception):
    """Fortnox's answer does not show what the feed told. The supplier invoice is queued to be read again."""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How syncing a supplier invoice ended. `unresolved`: a difference that a person was told of earlier remains."""

    reading: Reading
    problems: tuple[ExpenseProblem, ...] = ()
    unresolved: bool = False

    @property
    def number(self) -> str:
        return self.reading.number

    @property
    def reason(self) -> Message:
        return Message.join(*(problem.reason for problem in self.problems))

    @property
    def remedy(self) -> Message:
        """What to do; each thing once."""
        return Message.join(*dict.fromkeys(problem.remedy for problem in self.problems))


@dataclass(frozen=True, slots=True)
class ExpenseSync:
    """The parts that bring back one company's expenses, and the loop over its queue."""

    store: ExpenseStore
    lister: Lister
    reader: Reader
    applier: Applier
    pace: Pace

    def work(self, deadline: float) -> Iterator[SyncResult]:
        """Sync what is queued until nothing is due or the time is up.

        A result leaves the queue when the next one is asked for, so that a crash before it is reported loses nothing.
        """
        while (
            time.monotonic() < deadline and (number := self.store.take(datetime.now(UTC), self.pace.retry)) is not None
        ):
            try:
                result = self.sync(number)
            except NotShownYet:
                continue
            except (WindowFull, HandedBack):
                self.store.postpone(number, datetime.now(UTC))  # not its fault: it is due at once
                raise
            except (Unavailable, MomentUnavailable, KeyRefused) as error:
                if not self._unanswered_for_long(number):
                    raise
                result = SyncResult(Reading(number, None), (_unanswered(error),))
            except ConfigurationNeeded:  # of the whole ledger
                raise
            except (Rejected, MomentRefused) as error:
                result = SyncResult(Reading(number, None), (_rejected(error),))
            yield result
            if result.problems:
                self.store.postpone(number, datetime.now(UTC) + self.pace.retry_rejected)
            else:
                self.store.finish(number)

    def sync(self, number: str, *, fresh: bool = False) -> SyncResult:
        """Read the supplier invoice and make Moment agree with it. `fresh`: a person asks, so nothing cached is used.

        One event reports all problems of a supplier invoice. So a difference reported earlier is reported again when
        something else changed, when no event reports it, and when a person asks.
        """
        reading = self.reader.read(number, fresh=fresh)
        self._expect(reading)
        if unclear := reading.unclear:  # what Moment has stays as it is
            self._record(reading)
            return SyncResult(reading, tuple(_unclear(why, rows) for why, rows in unclear.items()))
        sent, wanted = self.store.sent(number), reading.wanted
        reported = unresolved(wanted, sent)
        results = self.applier.apply(number, wanted, sent)
        remaining = unresolved(wanted, sent)
        if results or fresh or self.store.failure(number) is None:
            again = {place: remaining[place] for place in reported if place in remaining}
            results |= {place: self.applier.difference(number, change) for place, change in again.items()}
        self.applier.forget_settled(number, wanted, sent)
        self._record(reading)
        problems = tuple(problem for _, problem in sorted(results.items()) if problem is not None)
        return SyncResult(reading, problems, bool(unresolved(wanted, sent)))

    def _expect(self, reading: Reading) -> None:
        """Raises `NotShownYet` where the feed told of more than was read, a few times."""
        expected = self.store.expected(reading.number)
        if expected is None or shows(reading.invoice, expected.verb) or expected.looks >= len(AGAIN):
            return
        self.store.look_again(reading.number, expected, datetime.now(UTC) + AGAIN[expected.looks])
        raise NotShownYet

    def _record(self, reading: Reading) -> None:
        """Record what the supplier invoice waits for, and count it."""
        if reading.pending:
            self.store.await_approval(reading.number)
        else:
            self.store.approved(reading.number)
        if projects := reading.awaited_projects:
            self.store.wait_for_projects(reading.number, projects)
        self.store.count("looked")
        self.store.count("skipped", len(reading.rows) - len(reading.wanted))
        log.info(
            "expense.looked", given_number=reading.number, pending=reading.pending or None, skipped=reading.skipped
        )

    def _unanswered_for_long(self, number: str) -> bool:
        now = datetime.now(UTC)
        return now - self.store.failing_since(number, now) >= self.pace.report_after


def shows(invoice: SupplierInvoice | None, verb: str) -> bool:
    """Whether a supplier invoice as it was read shows what the feed told of it. An update shows nowhere. Pure."""
    match verb:
        case "cancelled":
            return invoice is None or invoice.cancelled
        case "bookkeep":
            return invoice is not None and (invoice.booked or invoice.cancelled)
    return invoice is not None


def open_sync(
    company: str,
    fortnox: Fortnox,
    moment: MomentApi,
    store: ExpenseStore,
    rules: Rules,
    check: Callable[[], None],
    pace: Pace,
) -> ExpenseSync:
    """Put the parts together. `check`: as in `Lister` and `Applier`."""
    approvals = Approvals(fortnox, store, pace)
    projects = Projects(company, fortnox, moment, store, pace)
    return ExpenseSync(
        store=store,
        lister=Lister(fortnox, store, rules, approvals, projects, check),
        reader=Reader(fortnox, rules, approvals, projects),
        applier=Applier(company, moment, store, check),
        pace=pace,
    )


def _unclear(why: Message, rows: list[str]) -> ExpenseProblem:
    reason = Message("expense.unclear-rows", rows=", ".join(rows), reason=why) if rows else why
    if why.key == "expense.hidden-field":
        return ExpenseProblem(reason, Message("expense.grant-permission"))
    return ExpenseProblem(reason, Message("expense.correct-in-fortnox"))


def _rejected(error: Rejected | MomentRefused) -> ExpenseProblem:
    reason = explain(error)[0] if isinstance(error, FortnoxError) else error.reason
    return ExpenseProblem(reason, Message("expense.correct-cause"))


def _unanswered(error: FortnoxError | MomentError) -> ExpenseProblem:
    reason = explain(error)[0] if isinstance(error, FortnoxError) else error.reason
    return ExpenseProblem(Message("expense.unanswered", reason=reason), Message("expense.retried-regularly"))
