"""Expenses that come back from Fortnox: each company's status, an import by hand, and what becomes of an invoice."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from delivery.expenses.choices import rules_of, switched_off
from delivery.expenses.pace import Pace
from delivery.expenses.reader import Approvals, Projects, Reader, Reading
from delivery.polling import POLL_ID, poll_asked
from delivery.services import Services
from fortnox.codes import explain as explain_error
from fortnox.errors import FortnoxError
from mappers.expense import ExpenseRow
from mappers.expense_changes import Sent, place_of
from messages import NOTHING, Message
from moment.errors import MomentError
from operations.audit import Actor, acting
from operations.errors import OperationError, WrongArgument
from operations.health import TAKEN_AFTER
from operations.naming import check_company
from ordering import UNSETTLED, EventRecord
from stores import ExpenseStore
from stores.expenses import Listing
from stores.heartbeats import WORKER

LOOK: Final = 0.2  # seconds between two looks at an import
ASK_AGAIN: Final = 5.0  # seconds after which a poll is queued again: one that was just ending did not see the import


@dataclass(frozen=True, slots=True)
class ExpenseStatus:
    """How a company's expenses stand. `state` is `ExpenseStore.summary`; `failed` supplier invoices need a person."""

    company: str
    next_poll: datetime | None
    poll: EventRecord | None
    state: Mapping[str, Any]
    failed: int


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is. `counts` of what was done since it began; `waits_for` is `NOTHING` while it proceeds."""

    left: int  # supplier invoices; at least one while they are being listed
    listing: Listing | None
    waits_for: Message
    counts: Counter[str]
    done: bool


class RowState(StrEnum):
    """What Moment has of a row."""

    SENT = "sent"
    NOT_SENT = "not sent"
    INVOICED = "invoiced, stays"
    TO_SEND = "would be sent"
    TO_CORRECT = "would be corrected"
    TO_WITHDRAW = "would be withdrawn"


@dataclass(frozen=True, slots=True)
class InvoiceExplanation:
    """What of a supplier invoice is, or would be, in Moment. Nothing would change while something of it is unclear.

    `withdrawn_rows`: rows that Fortnox no longer has but Moment does. `failure`: the event that reports a problem.
    """

    reading: Reading
    rows: tuple[tuple[ExpenseRow, RowState], ...]
    withdrawn_rows: tuple[int, ...]
    failure: str | None
    paused: Message | None


def status(services: Services, company: str | None = None) -> list[ExpenseStatus]:
    """Return the status of the company, or of all that are polled. Raises `WrongArgument` if it is unknown."""
    if company is None:
        return [_status(services, name) for name in sorted(services.polling.polls.companies())]
    check_company(services, company)
    return [_status(services, company)]


def import_(services: Services, company: str, days_back: int, timeout: float, *, by: Actor) -> Iterator[ImportProgress]:
    """Sync again what changed within `days_back` days. Yield the progress until it is done or `timeout` seconds pass.

    A worker does it, so it goes on when nobody watches. Raises `OperationError` if the poll fails, and `WrongArgument`
    if the company has no expenses to import.
    """
    with acting(services, by, "expenses.imported", company, days=days_back):
        _check_follows(services, company)
        before = Counter(services.stores.expenses(company).summary()["counts"])
        services.stores.expenses(company).ask_import(days_back)
        poll_asked(services.ordering, company, anew=True)  # a failure from before says nothing about now
    deadline = time.monotonic() + timeout
    asked = time.monotonic()
    while True:
        if time.monotonic() > asked + ASK_AGAIN:
            poll_asked(services.ordering, company)
            asked = time.monotonic()
        yield (progress := _progress(services, company, before))
        if progress.done or time.monotonic() > deadline:
            return
        time.sleep(LOOK)


def explain(services: Services, company: str, given_number: str) -> InvoiceExplanation:
    """Return what becomes of each row of a supplier invoice, asking Fortnox and Moment now. Changes nothing.

    Raises `OperationError` if one of them does not answer or does not have it, and `WrongArgument` if the company has
    no expenses to import.
    """
    _check_follows(services, company)
    store = services.stores.expenses(company)
    try:
        reading = _reader(services, company, store).read(given_number, fresh=True)
    except FortnoxError as error:
        raise OperationError(Message.join(*explain_error(error))) from None
    except MomentError as error:
        raise OperationError(error.reason) from None
    if reading.invoice is None:
        raise OperationError(Message("expenses.no-such-invoice", number=given_number, company=company))
    sent, unclear = store.sent(given_number), bool(reading.unclear)
    before = {row.number: sent.get(place_of(row.number, sent)) for row in reading.rows}
    places = {place_of(row.number, sent) for row in reading.rows}
    return InvoiceExplanation(
        reading=reading,
        rows=tuple((row, _row_state(row, before[row.number], unclear)) for row in reading.rows),
        withdrawn_rows=() if unclear else tuple(sorted(set(sent) - places)),
        failure=store.failure(given_number),
        paused=services.ordering.paused(company),
    )


def why_waiting(services: Services, company: str, poll: EventRecord | None) -> Message:
    """Return what an import waits for; `NOTHING` while it proceeds."""
    if paused := services.ordering.paused(company):
        return Message("expenses.import-paused", company=company, reason=paused)
    if poll is None or poll.status == "running":
        return NOTHING
    age = services.telemetry.heartbeats.ages().get(WORKER)
    if age is None or age > TAKEN_AFTER:
        return Message("expenses.import-without-worker")
    if poll.status == "retrying" and poll.attempts:
        return Message("expenses.import-retries", reason=poll.reason)
    return Message("expenses.import-rests") if services.ordering.resting(company) else NOTHING


def _status(services: Services, company: str) -> ExpenseStatus:
    store = services.stores.expenses(company)
    failures = services.ordering.events((company, event_id) for event_id in store.failures().values())
    return ExpenseStatus(
        company=company,
        next_poll=services.polling.polls.next(company),
        poll=services.ordering.event(company, POLL_ID),
        state=store.summary(),
        failed=sum(record.status == "failed" for record in failures),
    )


def _progress(services: Services, company: str, before: Counter[str]) -> ImportProgress:
    poll = services.ordering.event(company, POLL_ID)
    if poll is not None and poll.status == "failed":
        raise OperationError(Message.join(poll.reason, poll.remedy))
    store = services.stores.expenses(company)
    left, listing, waits_for = store.due(), store.listing("import"), why_waiting(services, company, poll)
    if listing is not None:
        left = max(left, 1)
    counts = Counter(store.summary()["counts"])
    counts.subtract(before)
    done = left == 0 and (poll is None or poll.status not in UNSETTLED)
    return ImportProgress(left, listing, waits_for, counts, done)


def _check_follows(services: Services, company: str) -> None:
    check_company(services, company)
    connection = services.stores.connections.find(company)
    if connection is None:
        raise WrongArgument(Message("expenses.not-connected", company=company))
    if off := switched_off(connection):
        raise WrongArgument(Message("expenses.not-followed", company=company, reason=off.reason))


def _reader(services: Services, company: str, store: ExpenseStore) -> Reader:
    fortnox, pace = services.fortnox.read(company), Pace(services.settings.expense_poll_interval)
    connection, settings = services.stores.connections.get(company), services.stores.company_settings.get(company)
    return Reader(
        fortnox=fortnox,
        rules=rules_of(connection, settings, store.ledger),
        approvals=Approvals(fortnox, store, pace),
        projects=Projects(company, fortnox, services.moment.api, store, pace),
    )


def _row_state(row: ExpenseRow, before: Sent | None, unclear: bool) -> RowState:
    if unclear and not (before and before.invoiced):
        return RowState.SENT if before else RowState.NOT_SENT
    if before is None:
        return RowState.TO_SEND if row.expense else RowState.NOT_SENT
    if before.invoiced:
        return RowState.INVOICED
    if row.expense is None:
        return RowState.TO_WITHDRAW
    return RowState.SENT if before.digest == row.expense.digest else RowState.TO_CORRECT
