"""Looks at what the feed told of, and at what makes no event but is waited for. One transfer at a time a company.

An invoice of ours is compared with what was transferred. A financial year, and the end of the locked period, decide
which of the failures that wait for them are tried again.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from delivery.context import DISABLED, TransferContext
from delivery.feed.releases import invoice_in
from delivery.watching import CHANGE_TYPE, LOCKED, looks_key
from fortnox.codes import labelled
from fortnox.errors import FortnoxError, GrantDead, NotFound, Rejected, Throttled, WindowFull
from fortnox.models import FortnoxInvoice
from fortnox.payloads import InvoicePayload
from mappers import compare
from messages import NOTHING, Message
from ordering import Done, EventRecord, Outcome, Snooze, Submission
from stores import TimelineEntry
from stores.transferred import Billed
from tasks.base import transfer_task
from tasks.flows import HINTS

log = structlog.get_logger(__name__)

LEAVE: Final = 6  # requests of the rate limit left to transfers
TRIES: Final = 8  # of a look while Fortnox does not answer: some twenty minutes
YEARS_ASKED: Final = 10  # financial years asked for in one look
NOT_AS_BILLED: Final = frozenset({"NotAsBilled", "RoundedOff"})  # codes of an invoice that differs in Fortnox
OPEN: Final = frozenset({"failed", "held", "retrying"})  # statuses of an event that waits for its invoice to be posted


@dataclass(frozen=True, slots=True)
class LookRequest:
    """All that is due or, with a `reason`, one change that a person is told of."""

    reason: Message = NOTHING
    remedy: Message = NOTHING
    prerequisites: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: str) -> "LookRequest":
        request = json.loads(body)
        return cls(Message.from_json(request.get("reason", "")), Message.from_json(request.get("remedy", "")))


@transfer_task(HINTS.task, LookRequest.read)
def look(context: TransferContext) -> Outcome:
    """Look at all that is due, or tell of one change."""
    if context.event.reason:
        return Done(context.event.reason, context.event.remedy)
    services, company = context.services, context.claim.company
    services.feed.looked(looks_key(company))
    if context.connection.state == "disabled":
        services.polling.locks.remove(company)
        return DISABLED
    try:
        _look_at_all(context)
    except WindowFull as full:
        return Snooze(timedelta(seconds=full.retry_after), Message("expenses.transfers-first"))
    except FortnoxError as error:
        if isinstance(error, Throttled | GrantDead) or context.claim.attempts < TRIES:
            raise
        log.warning("look.left", error=type(error).__name__)  # until something changes again
    return Done()


def _look_at_all(context: TransferContext) -> None:
    """What Fortnox refuses to show is left. Raises any other error, and then the rest stays queued."""
    looks = context.services.stores.looks(context.claim.company)
    while (what := looks.next(began := datetime.now(UTC))) is not None:
        kind, _, number = what.partition("/")
        try:
            LOOKS[kind](context, number)
        except Rejected as refused:
            log.warning("look.refused", kind=kind, error_code=refused.code or None)
        looks.done(what, began)


# An invoice of ours


def _invoice(context: TransferContext, number: str) -> None:
    """Tell what a person changed in an invoice that we transferred, and go on where a person posted it."""
    billed = context.services.stores.transferred(context.claim.company, context.connection.tenant_id).billed(number)
    if billed is None:
        return
    try:
        found = context.services.fortnox.open(context.lease, LEAVE).invoices.get(number)
    except NotFound:
        return
    payload = InvoicePayload.model_validate_json(billed.payload)
    if found.external_invoice_reference1 != payload.external_invoice_reference1:
        return  # the number is another invoice's now
    if reason := changed(found, payload, billed):
        _tell(context, number, billed, reason)
    _go_on(context, billed.event_id, found, payload)


def changed(found: FortnoxInvoice, payload: InvoicePayload, billed: Billed) -> Message:
    """What differs from what was transferred, and did not then; `NOTHING` without any. Pure."""
    number = str(payload.document_number)
    if found.cancelled:
        return Message("hints.invoice-cancelled", number=number)
    comparison = compare(found, payload)
    real = (*comparison.head, *(row for row in comparison.rows if row.real), *comparison.aside)
    new = [one.message for one in real if one.message.to_json() not in billed.differences]
    return Message.join(Message("hints.invoice-changed", number=number), *new) if new else NOTHING


def _tell(context: TransferContext, number: str, billed: Billed, reason: Message) -> None:
    """Tell a person, once for each state of the invoice, and write it to the timeline of its event."""
    company, now = context.claim.company, datetime.now(UTC)
    digest = hashlib.sha256(reason.to_json().encode()).hexdigest()[:12]
    remedy = Message("hints.invoice-changed.remedy")
    known = context.services.ordering.publish(
        Submission(
            company=company,
            id=f"changed-{number}-{digest}",
            key=f"{looks_key(company)}/{number}",
            type=CHANGE_TYPE,
            body=json.dumps({"company": company, "reason": reason.to_json(), "remedy": remedy.to_json()}),
            occurred_at=now,
        )
    ).known
    if not known:
        entry = TimelineEntry(now, "changed in Fortnox", {"reason": reason.to_json()})
        context.services.telemetry.timeline.add(company, billed.event_id, entry)


def _go_on(context: TransferContext, event_id: str, found: FortnoxInvoice, payload: InvoicePayload) -> None:
    """A person posted the invoice, or corrected one that was not as billed: its event finds that, and goes on."""
    record = context.services.ordering.event(context.claim.company, event_id)
    if record is None or record.status not in OPEN:
        return
    if found.booked:
        _retry(context, record, f"invoice {payload.document_number} was posted in Fortnox")
    elif record.code in NOT_AS_BILLED and not (found.cancelled or found.round_off) and compare(found, payload).equal:
        _retry(context, record, f"invoice {payload.document_number} was corrected in Fortnox")


# What has no event of its own


def _financial_year(context: TransferContext, _: str) -> None:
    """Try again the failures whose invoice date now has a financial year."""
    fortnox = context.services.fortnox.open(context.lease, LEAVE)
    years: list[tuple[date, date]] = []
    asked = 0
    for record, day in _failures(context, "financial-year-missing"):
        if not _in(years, day) and asked < YEARS_ASKED:
            asked += 1
            years += [
                (one.from_date, one.to_date) for one in fortnox.financial_years(day) if one.from_date and one.to_date
            ]
        if _in(years, day):
            _retry(context, record, f"{day} has a financial year in Fortnox")


def _in(years: list[tuple[date, date]], day: date) -> bool:
    return any(first <= day <= last for first, last in years)


def _locked_period(context: TransferContext, _: str) -> None:
    """Try again the failures whose invoice date is no longer locked. Nothing is asked where none waits."""
    waiting = list(_failures(context, "period-locked"))
    if not waiting:
        context.services.polling.locks.remove(context.claim.company)
        return
    until = context.services.fortnox.open(context.lease, LEAVE).locked_until()
    for record, day in waiting:
        if until is None or day > until:
            _retry(context, record, "the period is open in Fortnox")


def _failures(context: TransferContext, situation: str) -> Iterator[tuple[EventRecord, date]]:
    """The company's failed invoices of this situation, with their dates."""
    ordering, company = context.services.ordering, context.claim.company
    for record in ordering.failed(company):
        if labelled(record.code) == situation and (invoice := invoice_in(ordering.body(company, record.id))):
            yield record, invoice.invoice_date


def _retry(context: TransferContext, record: EventRecord, because: str) -> None:
    context.lease.check()
    became, _ = context.services.ordering.retry(record.company, record.id)
    if became not in ("", "unknown"):
        log.info("look.released", released=record.id)
        entry = TimelineEntry(datetime.now(UTC), "tried again", {"because": because})
        context.services.telemetry.timeline.add(record.company, record.id, entry)


LOOKS: Final = {"invoice": _invoice, "financial-year": _financial_year, LOCKED: _locked_period}
