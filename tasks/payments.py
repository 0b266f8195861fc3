"""Payments of transferred invoices: posted in Fortnox, they become payments in Moment. One poll at a time a company.

A poll works in slices, as that of the expenses does.
"""

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from delivery.context import DISABLED, TransferContext
from delivery.payments import PaymentRules, PaymentSync
from delivery.polling import polls_key
from fortnox.errors import FortnoxError, GrantDead, Throttled, WindowFull
from messages import Message
from moment.errors import MomentError
from ordering import Done, Failed, Outcome, Release, Skipped, Snooze
from tasks.base import transfer_task
from tasks.expenses import LEAVE, SLICE, while_down
from tasks.flows import INVOICE, PAYMENTS, flow_of

log = structlog.get_logger(__name__)

LISTED: Final = "listed"
LETS_OTHERS_RUN = Message("expenses.lets-others-run")


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What to look at: all that changed, what the feed told of or, when a person retries a failure, one invoice."""

    invoice: str | None = None
    hinted: bool = False
    prerequisites: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: str) -> "PaymentRequest":
        request = json.loads(body)
        return cls(request.get("invoiceNumber"), request.get("hinted", False))


@transfer_task(PAYMENTS.task, PaymentRequest.read)
def poll(context: TransferContext) -> Outcome:
    """Bring back what changed, as far as one slice goes."""
    if context.event.hinted:
        context.services.feed.looked(polls_key(context.claim.company, PAYMENTS))
    if context.connection.state == "disabled":
        return DISABLED
    if not context.connection.integration.payments.enabled:
        return Skipped(Message("payments.switched-off"))
    sync = _open(context)
    try:
        if context.event.invoice is not None:
            return _retried(sync, context.event.invoice)
        return _poll(context, sync)
    except WindowFull as full:
        return Snooze(timedelta(seconds=full.retry_after), Message("expenses.transfers-first"))
    except (FortnoxError, MomentError) as error:
        if isinstance(error, Throttled | GrantDead) or not context.event.hinted:
            return while_down(context, error)
        log.warning("payments.hint_left_to_poll", error=type(error).__name__)
        return Done()


def _open(context: TransferContext) -> PaymentSync:
    services, company, tenant_id = context.services, context.claim.company, context.connection.tenant_id
    return PaymentSync(
        company=company,
        fortnox=services.fortnox.open(context.lease, LEAVE),
        moment=services.moment.api,
        store=services.stores.payments(company, tenant_id),
        ours=services.stores.transferred(company, tenant_id),
        rules=PaymentRules(context.connection.integration.payments.from_date, context.settings.ledger_currency),
        check=context.lease.check,
        ordering=services.ordering,
        request_report=services.request_report,
    )


def _poll(context: TransferContext, sync: PaymentSync) -> Outcome:
    deadline = time.monotonic() + SLICE
    if sync.store.cursor is None:
        _remember_earlier(context, sync)
    if not context.event.hinted and not context.taken(LISTED):
        if not sync.list_changes(deadline):
            return Release(reason=LETS_OTHERS_RUN)
        context.record(LISTED)
    return Done() if sync.work(deadline) else Release(reason=LETS_OTHERS_RUN)


def _remember_earlier(context: TransferContext, sync: PaymentSync) -> None:
    """Add the invoices that a version before 0.2.0 transferred, as far as their events are kept.

    Those from before the company connected may be of another ledger, and are left out.
    """
    ordering, company, after = context.services.ordering, context.claim.company, None
    while True:
        page = ordering.latest(["done"], companies=[company], since=context.connection.connected_at, after=after)
        records = ordering.events((one.company, one.id) for one in page.found)
        invoices = {one.key.rpartition("/")[2]: one.id for one in records if flow_of(one.type) is INVOICE}
        for number in invoices.keys() - sync.ours.known(invoices):
            sync.ours.add(number, invoices[number])
        if (after := page.end) is None:
            return


def _retried(sync: PaymentSync, invoice: str) -> Outcome:
    """Return how a person's retry of one invoice ended."""
    reason = sync.sync(invoice)
    if reason is not None:
        number = Message("payments.refused", number=invoice, reason=reason)
        return Failed(number, Message("payments.refused.remedy"))
    sync.store.set_failure(invoice, None)
    return Done()
