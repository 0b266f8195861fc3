"""Incoming expenses: a company's supplier invoices in Fortnox become expenses in Moment. One poll at a time a company.

A poll works in slices. When its time is up, or Fortnox's rate limit has no capacity beside the company's transfers, it
gives its slot back and later goes on from the queue in `stores.expenses`.
"""

import json
import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from delivery.context import TransferContext
from delivery.expenses.choices import rules_of, switched_off
from delivery.expenses.failures import FailureReporter
from delivery.expenses.pace import Pace
from delivery.expenses.sync import AGAIN, ExpenseSync, SyncResult, open_sync
from delivery.polling import DOWN, expenses_key
from delivery.retry_policy import decide
from fortnox.errors import FortnoxError, GrantDead, Throttled, Transient, WindowFull
from messages import Message
from moment.errors import KeyRefused, MomentError, MomentUnavailable
from ordering import Done, Failed, Outcome, Release, Retry, Skipped, Snooze, TargetUnavailable
from ordering.backoff import ATTEMPTS
from stores import ExpenseStore
from tasks.base import transfer_task
from tasks.flows import EXPENSES

log = structlog.get_logger(__name__)

LEAVE = 6  # requests of the rate limit left to transfers that may come; while any are due, a poll leaves nearly all
SLICE = 5.0  # seconds after which a poll lets others run
LISTED = "listed"
OTHER_LEDGER = Message("expenses.other-ledger")


class LedgerChanged(Exception):
    """The company was connected to another ledger while this one was read."""


@dataclass(frozen=True, slots=True)
class PollRequest:
    """What to bring back: all that is due, what the feed told of or, when a person retries a failure, one supplier
    invoice.
    """

    given_number: str | None = None
    ledger: str = ""
    hinted: bool = False  # only what the feed told of
    prerequisites: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: str) -> "PollRequest":
        request = json.loads(body)
        return cls(request.get("givenNumber"), request.get("ledger", ""), request.get("hinted", False))


@transfer_task(EXPENSES.task, PollRequest.read)
def poll(context: TransferContext) -> Outcome:
    """Bring back what changed, as far as one slice goes."""
    if context.event.hinted:
        context.services.feed.looked(expenses_key(context.claim.company))
    if off := switched_off(context.connection):
        return off
    try:
        sync = _open(context, _current_ledger(context))
        if context.event.hinted:
            return _hinted(context, sync)
        if context.event.given_number is None:
            return _poll(context, sync)
        if context.event.ledger != sync.store.ledger:
            return Skipped(OTHER_LEDGER)
        return _retried(sync.store, sync.sync(context.event.given_number, fresh=True))
    except LedgerChanged:
        return Release(reason=OTHER_LEDGER)
    except WindowFull as full:
        return Snooze(timedelta(seconds=full.retry_after), Message("expenses.transfers-first"))
    except (Transient, MomentUnavailable, KeyRefused) as error:
        return while_down(context, error)


def while_down(context: TransferContext, error: FortnoxError | MomentError) -> Outcome:
    """Return a retry within the poll interval, so that no expense is late when the system works again.

    A transfer's delays grow to hours. After each day a person is told, and the next poll starts over.
    """
    interval, attempts = context.services.settings.expense_poll_interval, context.claim.attempts
    a_day = attempts * interval >= timedelta(days=1)
    claim = replace(context.claim, attempts=attempts if a_day else min(attempts, ATTEMPTS // 2))
    match decide(error, claim, (), chance=random.random()):
        case (Retry() | TargetUnavailable()) as again:
            return replace(again, after=min(again.after, interval))
        case Failed() as failed:
            return replace(failed, remedy=_remedy_while_down(error), code=DOWN)
        case other:
            return other


def _remedy_while_down(error: FortnoxError | MomentError) -> Message:
    match error:
        case KeyRefused():
            return Message("expenses.renew-api-key")
        case MomentError():
            return Message("expenses.resumes-with-moment")
    return Message("expenses.resumes-with-fortnox")


def _current_ledger(context: TransferContext) -> ExpenseStore:
    """Return the store of the ledger that the company is connected to.

    Where that is another one than until now, what had failed in the former ledger is skipped.
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
            context.services.ordering.skip(company, event_id, OTHER_LEDGER)
            former.set_failure(number, None)
    ledgers.enter(company, tenant_id)
    return ledgers.store(company, tenant_id)


def _open(context: TransferContext, store: ExpenseStore) -> ExpenseSync:
    def check() -> None:
        context.lease.check()
        if context.services.stores.connections.get(context.claim.company).tenant_id != context.connection.tenant_id:
            raise LedgerChanged

    return open_sync(
        context.claim.company,
        fortnox=context.services.fortnox.open(context.lease, LEAVE),
        moment=context.services.moment.api,
        store=store,
        rules=rules_of(context.connection, context.settings, store.ledger),
        check=check,
        pace=Pace(context.services.settings.expense_poll_interval),
    )


def _poll(context: TransferContext, sync: ExpenseSync) -> Outcome:
    deadline = time.monotonic() + SLICE
    if _listing_is_due(context, sync.store.cursor):
        if not sync.lister.queue_listed("changes", deadline):
            return Release(reason=Message("expenses.lists-on"))
        sync.lister.queue_approved()
        sync.store.record_poll(datetime.now(UTC))
        context.record(LISTED, datetime.now(UTC).isoformat())
    if not sync.lister.queue_listed("import", deadline):
        return Release(reason=Message("expenses.lists-on"))
    sync.lister.queue_awaiting_projects(deadline)
    _work(context, sync, deadline)
    return Release(reason=Message("expenses.lets-others-run")) if time.monotonic() >= deadline else Done()


def _hinted(context: TransferContext, sync: ExpenseSync) -> Outcome:
    """Look at what the feed told of. What goes wrong is left to the next poll, which tells a person."""
    deadline = time.monotonic() + SLICE
    try:
        _work(context, sync, deadline)
    except (FortnoxError, MomentError) as error:
        if isinstance(error, Throttled | GrantDead):
            raise
        log.warning("expenses.hint_left_to_poll", error=type(error).__name__)
        return Done()
    due = sync.store.next_hinted()
    if due is None:
        return Done()
    wait = max(due - datetime.now(UTC), timedelta(milliseconds=100))
    if wait > max(AGAIN):  # it failed: as after a poll
        return Done()
    return Snooze(wait, Message("expenses.not-shown-yet"))


def _work(context: TransferContext, sync: ExpenseSync, deadline: float) -> None:
    """Sync what is queued, and report what needs a person."""
    services = context.services
    reporter = FailureReporter(context.claim.company, sync.store, services.ordering, services.request_report)
    for result in sync.work(deadline):
        reporter.report(result)


def _listing_is_due(context: TransferContext, cursor: datetime | None) -> bool:
    """Return whether to list changes: at the start of a poll and, while a long one lasts, once an interval."""
    last = context.taken(LISTED)
    interval = context.services.settings.expense_poll_interval
    return last is None or cursor is None or datetime.now(UTC) - datetime.fromisoformat(last) >= interval


def _retried(store: ExpenseStore, result: SyncResult) -> Outcome:
    """Return how a person's retry of one supplier invoice ended."""
    if result.problems:
        return Failed(result.reason, result.remedy)
    store.set_failure(result.number, None)
    return Done()
