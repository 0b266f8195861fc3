"""Incoming expenses: a company's supplier invoices in Fortnox, as expenses in Moment. One poll at a time for a company.

A poll works in slices: when its time is up, or Fortnox's rate limit has no room beside the company's invoices, it gives
its slot back and goes on later, from the list in `stores.expenses`.
"""

import hashlib
import json
import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import structlog
from celery import shared_task

from delivery.context import TransferContext
from delivery.expenses import ExpenseSync, Inspection, Pace
from delivery.polling import DOWN, expenses_key
from delivery.retry_policy import decide
from delivery.services import Services
from fortnox.errors import FortnoxError, Transient, WindowFull
from mappers.expense import Rules
from messages import Message
from moment.errors import KeyRefused, MomentError, MomentUnavailable
from ordering import Done, Failed, Outcome, Release, Retry, Skipped, Snooze, Submission, TargetUnavailable
from ordering.backoff import ATTEMPTS
from stores import CompanySettings, Connection, ExpenseStore
from tasks.base import TransferTask
from tasks.flows import EXPENSES

log = structlog.get_logger(__name__)

LEAVE = 6  # requests of the rate limit's window left to transfers that may come; those that are there have nearly all
SLICE = 5.0  # seconds after which others have their turn
LISTED = "listed"
FAILURE_TYPE = f"{EXPENSES.kind}.supplierInvoice"
ELSEWHERE = Message("expense.other-ledger")


class OtherLedger(Exception):
    """The company was connected to another ledger while this one was read."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a poll is asked for: all there is to do or, when a person retries a failure, one supplier invoice."""

    given_number: str | None = None
    ledger: str = ""
    prerequisites: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: str) -> "Order":
        order = json.loads(body)
        return cls(order.get("givenNumber"), order.get("ledger", ""))


@shared_task(name=EXPENSES.task.name, base=TransferTask, bind=True)
def transfer(task: TransferTask, company: str, event_id: str) -> Any:
    return task.deliver(company, event_id, poll, Order.read)


def poll(context: TransferContext) -> Outcome:
    """Brings back what changed, as far as one slice goes."""
    if off := switched_off(context.connection):
        return off
    try:
        sync = sync_for(context, at_home(context))
        if context.event.given_number is None:
            return _poll(context, sync)
        if context.event.ledger != sync.store.ledger:
            return Skipped(ELSEWHERE)
        return _again(sync, sync.inspect(context.event.given_number, asked=True))
    except OtherLedger:
        return Release(reason=ELSEWHERE)
    except WindowFull as full:
        return Snooze(timedelta(seconds=full.retry_after), Message("expense.transfers-first"))
    except (Transient, MomentUnavailable, KeyRefused) as error:
        return _while_down(context, error)


def _while_down(context: TransferContext, error: FortnoxError | MomentError) -> Outcome:
    """One of the two does not serve: tried again at least every interval, so that no expense is late once it does.

    A transfer's pauses grow to hours. A person is told each day, and the next poll begins anew.
    """
    interval, attempts = context.services.settings.expense_poll_interval, context.claim.attempts
    told = attempts * interval >= timedelta(days=1)
    claim = replace(context.claim, attempts=attempts if told else min(attempts, ATTEMPTS // 2))
    match decide(error, claim, (), chance=random.random()):
        case (Retry() | TargetUnavailable()) as again:
            return replace(again, after=min(again.after, interval))
        case Failed() as lasting:
            return replace(lasting, remedy=_by_itself(error), code=DOWN)
        case other:
            return other


def _by_itself(error: FortnoxError | MomentError) -> Message:
    match error:
        case KeyRefused():
            return Message("expense.new-key-needed")
        case MomentError():
            return Message("expense.moment-down")
    return Message("expense.fortnox-down")


def switched_off(connection: Connection) -> Skipped | None:
    if connection.state == "disabled":
        return Skipped(Message("transfer.disabled"))
    if not connection.integration.expenses.enabled:
        return Skipped(Message("expense.switched-off"))
    return None


def at_home(context: TransferContext) -> ExpenseStore:
    """What is known of the ledger that the company is connected to.

    Where that is another than until now, nobody can do anything about what failed in the one before.
    """
    company, ledgers = context.claim.company, context.services.stores.ledgers
    tenant_id = (
        context.connection.tenant_id
        or context.services.fortnox.open(context.lease, LEAVE).company_information().database_number
    )
    if tenant_id is None:
        return ledgers.store(company, None)
    if former := ledgers.former(company, tenant_id):
        log.warning("expenses.other_ledger", tenant_id=tenant_id)
        for number, event_id in former.failures().items():
            context.services.ordering.skip(company, event_id, ELSEWHERE)
            former.set_failure(number, None)
    ledgers.enter(company, tenant_id)
    return ledgers.store(company, tenant_id)


def sync_for(context: TransferContext, store: ExpenseStore) -> ExpenseSync:
    def check() -> None:
        context.lease.check()
        if context.services.stores.connections.get(context.claim.company).tenant_id != context.connection.tenant_id:
            raise OtherLedger

    return ExpenseSync(
        company=context.claim.company,
        fortnox=context.services.fortnox.open(context.lease, LEAVE),
        moment=context.services.moment.api,
        store=store,
        rules=rules_of(context.connection, context.settings, store.ledger),
        check=check,
        pace=Pace(context.services.settings.expense_poll_interval),
    )


def rules_of(connection: Connection, settings: CompanySettings, ledger: str) -> Rules:
    chosen = connection.integration.expenses
    return Rules(
        accounts=chosen.account_numbers,
        cost_accounts=tuple(settings.cost_accounts.split(",")),
        billable=chosen.billable_by_default,
        from_date=chosen.from_date,
        requires=settings.expense_requires,
        currency=settings.ledger_currency,
        ledger=ledger,
    )


def _poll(context: TransferContext, sync: ExpenseSync) -> Outcome:
    deadline = time.monotonic() + SLICE
    if _listing_is_due(context, sync.store.cursor):
        if not sync.lister.queue_listed("changes", deadline):
            return Release(reason=Message("expense.slice-over"))
        sync.lister.queue_approved()
        sync.store.note_poll(datetime.now(UTC))
        context.record(LISTED, datetime.now(UTC).isoformat())
    if not sync.lister.queue_listed("import", deadline):
        return Release(reason=Message("expense.slice-over"))
    sync.lister.queue_waiting(deadline)
    for inspection in sync.inspect_queued(deadline):
        tell(context.services, sync, inspection)
    return Release(reason=Message("expense.slice-over")) if time.monotonic() >= deadline else Done()


def _listing_is_due(context: TransferContext, cursor: datetime | None) -> bool:
    """A poll lists what changed at its start and, when it is a long one, again each interval."""
    last = context.taken(LISTED)
    interval = context.services.settings.expense_poll_interval
    return last is None or cursor is None or datetime.now(UTC) - datetime.fromisoformat(last) >= interval


def _again(sync: ExpenseSync, inspection: Inspection) -> Outcome:
    """How a person's retry of one supplier invoice ended."""
    if inspection.problems:
        return Failed(*told(inspection))
    sync.store.set_failure(inspection.number, None)
    return Done()


def tell(services: Services, sync: ExpenseSync, inspection: Inspection) -> None:
    """Makes a failed event of a supplier invoice that needs a person, so that it is mailed, listed and can be retried.

    The same failure is told once; when it is over, its event is skipped.
    """
    company, store = sync.company, sync.store
    before = store.failure(inspection.number)
    if inspection.problems or (inspection.standing and _is_open(services, company, before)):
        store.count("needAPerson")
    if inspection.standing and not inspection.problems:
        return
    event_id = None
    if inspection.problems:
        reason, remedy = told(inspection)
        event_id = _event_id(services, sync, inspection.number, reason, before)
        if event_id != before:
            _fail(services, sync, inspection, event_id, reason, remedy)
    if before is not None and event_id != before:
        services.ordering.skip(
            company, before, Message("expense.went-through") if event_id is None else Message("expense.failed-anew")
        )
    if event_id != before:
        store.set_failure(inspection.number, event_id)


def _is_open(services: Services, company: str, event_id: str | None) -> bool:
    """Whether nobody has skipped it."""
    record = services.ordering.event(company, event_id) if event_id else None
    return record is not None and record.status == "failed"


def _event_id(services: Services, sync: ExpenseSync, number: str, reason: Message, before: str | None) -> str:
    """The same event for as long as a failure lasts; another when it comes again after it was over."""
    digest = hashlib.sha256(reason.to_json().encode()).hexdigest()[:8]
    event_id = first = "-".join(("supplierinvoice", number, *filter(None, (sync.store.ledger,)), digest))
    for again in count(2):
        record = services.ordering.event(sync.company, event_id)
        if event_id == before or record is None or record.status not in ("done", "skipped"):
            break
        event_id = f"{first}-{again}"
    return event_id


def told(inspection: Inspection) -> tuple[Message, Message]:
    """What a person reads: each reason, and each thing to do once."""
    remedies = dict.fromkeys(problem.remedy for problem in inspection.problems)
    return Message.join(*(problem.reason for problem in inspection.problems)), Message.join(*remedies)


def _fail(
    services: Services, sync: ExpenseSync, inspection: Inspection, event_id: str, reason: Message, remedy: Message
) -> None:
    about = {"company": sync.company, "givenNumber": inspection.number, "supplier": _supplier(inspection)}
    if sync.store.ledger:
        about["ledger"] = sync.store.ledger
    services.ordering.publish(
        Submission(
            company=sync.company,
            id=event_id,
            key=expenses_key(sync.company),
            type=FAILURE_TYPE,
            body=json.dumps(about, ensure_ascii=False),
            occurred_at=datetime.now(UTC),
            refused=reason,
            refused_remedy=remedy,
        )
    )
    sync.store.count("failed")
    services.request_report()


def _supplier(inspection: Inspection) -> str:
    """`Virke AB F-7`: whose invoice it is, and what they call it."""
    invoice = inspection.invoice
    return " ".join(filter(None, (invoice.supplier_name, invoice.invoice_number))) if invoice else ""
