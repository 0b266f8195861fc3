"""Reports a supplier invoice that needs a person, as a failed event: it is mailed, listed and can be retried."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final

from delivery.expenses.sync import SyncResult
from delivery.polling import expenses_key
from messages import Message
from ordering import Ordering, Submission
from stores import ExpenseStore
from tasks.flows import EXPENSES

FAILURE_TYPE: Final = f"{EXPENSES.kind}.supplierInvoice"


@dataclass(frozen=True, slots=True)
class FailureReporter:
    """Reports one company's results. `request_report` asks for a round of mails."""

    company: str
    store: ExpenseStore
    ordering: Ordering
    request_report: Callable[[], None]

    def report(self, result: SyncResult) -> None:
        """Report the result's problems. The same failure is reported once; its event is skipped when it is over."""
        before = self.store.failure(result.number)
        if result.problems or (result.unresolved and self._is_open(before)):
            self.store.count("needAPerson")
        if result.unresolved and not result.problems:
            return
        event_id = self._event_id(result, before) if result.problems else None
        if event_id == before:
            return
        if event_id is not None:
            self._publish(result, event_id)
        if before is not None:
            over = Message("expense.went-through") if event_id is None else Message("expense.failed-anew")
            self.ordering.skip(self.company, before, over)
        invoice = result.reading.invoice
        self.store.set_failure(result.number, event_id, invoice.supplier_number if invoice else None)

    def _is_open(self, event_id: str | None) -> bool:
        """Return whether nobody has skipped the event."""
        record = self.ordering.event(self.company, event_id) if event_id else None
        return record is not None and record.status == "failed"

    def _event_id(self, result: SyncResult, before: str | None) -> str:
        """Return the same id for as long as a failure lasts, and another one when it comes back after it was over."""
        digest = hashlib.sha256(result.reason.to_json().encode()).hexdigest()[:8]
        event_id = first = "-".join(("supplierinvoice", result.number, *filter(None, (self.store.ledger,)), digest))
        for again in count(2):
            record = self.ordering.event(self.company, event_id)
            if event_id == before or record is None or record.status not in ("done", "skipped"):
                break
            event_id = f"{first}-{again}"
        return event_id

    def _publish(self, result: SyncResult, event_id: str) -> None:
        about = {"company": self.company, "givenNumber": result.number, "supplier": _supplier(result)}
        if self.store.ledger:
            about["ledger"] = self.store.ledger
        self.ordering.publish(
            Submission(
                company=self.company,
                id=event_id,
                key=expenses_key(self.company),
                type=FAILURE_TYPE,
                body=json.dumps(about, ensure_ascii=False),
                occurred_at=datetime.now(UTC),
                refused=result.reason,
                refused_remedy=result.remedy,
            )
        )
        self.store.count("failed")
        self.request_report()


def _supplier(result: SyncResult) -> str:
    """`Virke AB F-7`: the supplier and its invoice number."""
    invoice = result.reading.invoice
    return " ".join(filter(None, (invoice.supplier_name, invoice.invoice_number))) if invoice else ""
