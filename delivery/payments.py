"""Makes Moment's payments of a company's invoices agree with Fortnox: list what changed, look at each invoice, apply.

An invoice that we transferred is looked at when it changed or one of its payments did. A payment that is deleted leaves
no trace in a list, but changes its invoice's balance. Nothing is listed twice: the cursor moves when the lists are read
to their ends, and everything on them is queued before that.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from delivery.polling import polls_key
from fortnox.client import STOCKHOLM, Fortnox
from fortnox.errors import NotFound
from mappers.payment import needs_currency, to_payments
from messages import Message
from moment.api import MomentApi
from moment.errors import MomentRefused, NotThere
from ordering import Ordering, Submission
from stores.payments import PaymentStore
from stores.transferred import TransferredInvoices
from tasks.flows import PAYMENTS

log = structlog.get_logger(__name__)

OVERLAP: Final = timedelta(minutes=1)  # `lastmodified` is in minutes, and a change may show a moment after its time
RETRY_REJECTED: Final = timedelta(hours=6)
READ_AGAIN: Final = 3  # times that a list which changes while it is read is begun anew
LISTS: Final = ("payments", "invoices")
IN_DOUBT: Final = "?"
FAILURE_TYPE: Final = f"{PAYMENTS.kind}.invoice"


@dataclass(frozen=True, slots=True)
class PaymentRules:
    """What a company chose."""

    since: date | None
    ledger_currency: str


@dataclass(frozen=True, slots=True)
class PaymentSync:
    """One company's payments in one ledger.

    `check` is called before each write to Moment; it raises if what was read from Fortnox may no longer count.
    """

    company: str
    fortnox: Fortnox
    moment: MomentApi
    store: PaymentStore
    ours: TransferredInvoices
    rules: PaymentRules
    check: Callable[[], None]
    ordering: Ordering
    request_report: Callable[[], None]

    def list_changes(self, deadline: float) -> bool:
        """Queue our invoices that changed since the cursor. Return False if time ran out; the next call goes on."""
        cursor = self.store.cursor
        since = cursor - OVERLAP if cursor is not None else self._first()
        for name in LISTS:
            while (page := self.store.page(name)) > 0:
                if time.monotonic() >= deadline:
                    return False
                self._list_page(name, page, since)
        self.store.end_listing(LISTS, self.store.started or self.fortnox.now)
        return True

    def work(self, deadline: float) -> bool:
        """Look at what is queued. Return whether all that is due was looked at."""
        while time.monotonic() < deadline:
            if (payment := self.store.hinted()) is not None:
                self._find_out(payment)
            elif (invoice := self.store.next(began := datetime.now(UTC))) is not None:
                self._look(invoice, began)
            else:
                return True
        return False

    def sync(self, invoice: str) -> Message | None:
        """Make Moment agree with one invoice. Return why it could not, where Moment refuses. Raises other errors.

        Two requests, and one for each payment in a foreign currency.
        """
        try:
            found = self.fortnox.invoices.get(invoice)
        except NotFound:
            return None
        payments = self.fortnox.invoice_payments.of_invoice(invoice)
        if needs_currency(found, self.rules.ledger_currency):
            payments = tuple(self.fortnox.invoice_payments.get(one.number) for one in payments)
        wanted = to_payments(
            found,
            payments,
            since=self.rules.since,
            today=self.fortnox.now.astimezone(STOCKHOLM).date(),
            ledger_currency=self.rules.ledger_currency,
        )
        sent = self.store.sent(invoice)
        numbers = [one.number for one in payments]
        try:
            for name in [name for name in sent if name not in wanted]:
                self._undo(invoice, name)
                del sent[name]
                self.store.record_sent(invoice, sent, numbers)
            for name, payment in wanted.items():
                if sent.get(name) != payment.digest:
                    self.store.record_sent(invoice, sent | {name: IN_DOUBT}, numbers)
                    self.check()
                    self.moment.put_payment(self.company, payment)
                    sent[name] = payment.digest
                    self.store.record_sent(invoice, sent, numbers)
                    log.info("payment.sent", kind=payment.kind)
        except MomentRefused as refused:
            return refused.reason
        return None

    def _first(self) -> datetime | None:
        """Since when the first poll lists: from the chosen day, else all."""
        since = self.rules.since
        return datetime(since.year, since.month, since.day, tzinfo=STOCKHOLM) if since else None

    def _list_page(self, name: str, number: int, since: datetime | None) -> None:
        if name == "payments":
            payments = self.fortnox.invoice_payments.page(number, modified_since=since)
            invoices, is_last, total = {one.invoice_number for one in payments.items}, payments.is_last, payments.total
        else:
            changed = self.fortnox.invoices.page(number, modified_since=since)
            settled = {one.document_number for one in changed.items if one.balance != one.total}
            known = self.store.known(one.document_number for one in changed.items)
            invoices, is_last, total = settled | known, changed.is_last, changed.total
        self.check()
        started = self.store.started or self.fortnox.now
        self.store.add(self.ours.known(invoices), datetime.now(UTC))
        moved = number > 1 and self.store.total(name) not in (None, total)  # an entry may have changed its page
        following = 1 if moved and self.store.read_again(name, READ_AGAIN) else 0 if is_last else number + 1
        self.store.read(name, following, started, total)

    def _find_out(self, payment: str) -> None:
        """Queue the invoice of a payment that the feed told of."""
        invoice = self.store.invoice_of(payment)
        if invoice is None:
            try:
                invoice = self.fortnox.invoice_payments.get(payment).invoice_number
            except NotFound:  # it is deleted, and Moment does not have it
                invoice = ""
        self.store.add(self.ours.known([invoice]), datetime.now(UTC))
        self.store.found_out(payment)

    def _look(self, invoice: str, began: datetime) -> None:
        reason = self.sync(invoice)
        self.report(invoice, reason)
        if reason is None:
            self.store.finish(invoice, began)
        else:
            self.store.postpone(invoice, datetime.now(UTC) + RETRY_REJECTED)

    def report(self, invoice: str, reason: Message | None) -> None:
        """Keep what Moment refuses as a failed event, once for each reason; skip it when it is over."""
        before = self.store.failure(invoice)
        event_id = None if reason is None else f"payment-{invoice}-{_digest(reason)}"
        if event_id == before:
            return
        if reason is not None and event_id is not None:
            self.ordering.publish(
                Submission(
                    company=self.company,
                    id=event_id,
                    key=polls_key(self.company, PAYMENTS),
                    type=FAILURE_TYPE,
                    body=json.dumps({"company": self.company, "invoiceNumber": invoice}),
                    occurred_at=datetime.now(UTC),
                    refused=Message("payments.refused", number=invoice, reason=reason),
                    refused_remedy=Message("payments.refused.remedy"),
                )
            )
            self.request_report()
        if before is not None:
            self.ordering.skip(self.company, before, Message("payments.went-through"))
        self.store.set_failure(invoice, event_id)

    def _undo(self, invoice: str, external_id: str) -> None:
        self.check()
        try:
            self.moment.undo_payment(self.company, invoice, external_id)
        except NotThere:
            return  # a person, or an earlier attempt, has deleted it
        log.info("payment.undone")


def _digest(reason: Message) -> str:
    return hashlib.sha256(reason.to_json().encode()).hexdigest()[:8]
