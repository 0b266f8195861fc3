"""Acts on what the feed told, in one worker at a time.

Supplier invoices and invoices are queued to be looked at, at once. Failures that a change may have mended are gathered
within a second, and each is tried again once. Hints are dropped after that, so that a crash repeats them.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from config.redis import redis_client
from delivery.feed.lease import ThreadLease
from delivery.feed.releases import LATER, concerns, invoice_in, may_concern
from delivery.polling import expenses_key, hints_asked, polls_key
from delivery.services import Services
from delivery.watching import look, looks_asked
from ordering import EventRecord
from stores import Connection, TimelineEntry
from stores.feed import DISPATCHER, Hint
from tasks.flows import EXPENSES, HINTS, PAYMENTS

log = structlog.get_logger(__name__)

GATHER: Final = timedelta(seconds=1)  # releases are gathered for so long
PAGE: Final = 500  # hints at a time
EACH: Final = 0.2  # seconds between two looks for hints
ASK_AGAIN: Final = 1.0  # seconds between two wake-ups of what is still to be looked at
LEASE: Final = 8  # seconds

Thing = tuple[str, str]  # a kind and a number


class HintDispatcher:
    """`step` is called again and again, by one thread."""

    def __init__(self, services: Services, name: str) -> None:
        self._services = services
        self._redis = redis_client(services.settings)
        self._lease = ThreadLease(self._redis, DISPATCHER, name, LEASE)
        self._seen = 0  # of the hints in the list, those whose looks are queued
        self._ask_at = 0.0

    def step(self) -> float:
        """Act on the hints that are there. Return the seconds to wait. Raises `RedisError`."""
        if not self._lease.held():
            self._seen = 0
            return 1.0
        texts = self._services.feed.waiting(PAGE)
        hints = [Hint.from_json(text) for text in texts]
        self._look(hints[self._seen :])
        self._seen = len(hints)
        if hints and datetime.now(UTC) - hints[0].received >= GATHER:
            self._release(hints)
            self._services.feed.drop(texts)
            self._seen = 0
        self._ask()
        return 0.0 if len(texts) == PAGE and self._seen == 0 else EACH

    def close(self) -> None:
        """Let another worker act at once. Raises `RedisError`."""
        try:
            self._lease.release()
        finally:
            self._redis.close()

    # Looks

    def _look(self, hints: Iterable[Hint]) -> None:
        """Queue what is to be read in Fortnox."""
        for company, some in _by_company(hints).items():
            connection = self._services.stores.connections.find(company)
            if connection is None or connection.state != "connected":
                continue
            if supplier := [hint for hint in some if hint.kind == "supplier-invoice"]:
                self._look_at_supplier_invoices(connection, supplier)
            self._look_at_invoices(connection, [hint for hint in some if hint.kind == "invoice"])
            if connection.integration.payments.enabled:
                self._look_at_payments(connection, some)
        if hints:
            self._ask_at = 0.0

    def _look_at_supplier_invoices(self, connection: Connection, hints: Iterable[Hint]) -> None:
        if not connection.integration.expenses.enabled:
            return
        store, now = self._services.stores.expenses(connection.company), datetime.now(UTC)
        store.forget_pending()  # one of them may have begun to await approval since it was asked for
        for hint in hints:
            store.hint(hint.number, hint.verb, now)
        self._services.feed.look(expenses_key(connection.company))

    def _look_at_invoices(self, connection: Connection, hints: list[Hint]) -> None:
        company = connection.company
        ours = self._services.stores.transferred(company, connection.tenant_id)
        known = ours.known({hint.number for hint in hints})
        for hint in hints:
            if hint.number in known and hint.verb != "created" and not self._own(hint):
                look(self._services, company, f"invoice/{hint.number}")

    def _look_at_payments(self, connection: Connection, hints: Iterable[Hint]) -> None:
        """A payment was posted or deleted, or an invoice of ours changed, which its balance may have done."""
        company = connection.company
        payments = {hint.number for hint in hints if hint.kind == "invoicepayment"}
        invoices = {hint.number for hint in hints if hint.kind == "invoice" and hint.verb in ("updated", "bookkeep")}
        ours = self._services.stores.transferred(company, connection.tenant_id).known(invoices)
        if payments or ours:
            store = self._services.stores.payments(company, connection.tenant_id)
            store.hint(payments)
            store.add(ours, datetime.now(UTC))
            self._services.feed.look(polls_key(company, PAYMENTS))

    def _ask(self) -> None:
        """Wake the transfers that look, as long as something is to be looked at: one may just have ended."""
        if (now := time.monotonic()) < self._ask_at:
            return
        self._ask_at = now + ASK_AGAIN
        for key in self._services.feed.looking():
            company, kind = key.split("/", 1)
            ASKED[kind](self._services, company)

    # Releases

    def _release(self, hints: Iterable[Hint]) -> None:
        for company, some in _by_company(hints).items():
            things = {(hint.kind, hint.number): hint for hint in some if hint.verb in ("created", "updated")}
            mended = {thing: hint for thing, hint in things.items() if not self._own(hint)}
            if mended:
                self._release_of(company, list(mended))

    def _release_of(self, company: str, things: list[Thing]) -> None:
        ordering = self._services.ordering
        keys = [f"{company}/{kind}/{number}" for kind, number in things if kind in ("customer", "project")]
        for key, behind in zip(keys, ordering.behind(keys) if keys else (), strict=True):
            if behind.number:
                ordering.reopen(company, key)
        for kind, number in things:
            if kind == "project":
                self._awaited_project(company, number)
        if not ordering.counts(company)["failed"]:
            return
        for record in ordering.failed(company):
            thing = next((one for one in things if self._concerns(one, record)), None)
            if thing is not None:
                self._retry(record, thing)
        if any(kind in LATER for kind, _ in things):
            self._release_later(company, things)

    def _concerns(self, thing: Thing, record: EventRecord) -> bool:
        if not may_concern(*thing, record):
            return False
        invoice = invoice_in(self._services.ordering.body(record.company, record.id))
        rounding = self._services.stores.company_settings.get(record.company).rounding_account
        return concerns(*thing, record, invoice, rounding)

    def _retry(self, record: EventRecord, thing: Thing) -> None:
        became, _ = self._services.ordering.retry(record.company, record.id)
        if became in ("", "unknown"):
            return
        kind, number = thing
        log.info("feed.released", company=record.company, event_id=record.id, kind=kind)
        entry = TimelineEntry(datetime.now(UTC), "tried again", {"because": f"{kind} {number} changed in Fortnox"})
        self._services.telemetry.timeline.add(record.company, record.id, entry)

    def _release_later(self, company: str, things: list[Thing]) -> None:
        kinds = {kind for kind, _ in things}
        if "financial-year" in kinds:
            look(self._services, company, "financial-year")
        suppliers = {number for kind, number in things if kind == "supplier"}
        if suppliers:
            self._release_suppliers(company, suppliers)

    def _release_suppliers(self, company: str, suppliers: set[str]) -> None:
        """Look again at the failed supplier invoices of these suppliers."""
        store = self._services.stores.expenses(company)
        failed = [number for number, supplier in store.failed_suppliers().items() if supplier in suppliers]
        if failed:
            store.add(failed, datetime.now(UTC))
            self._services.feed.look(expenses_key(company))

    def _awaited_project(self, company: str, number: str) -> None:
        """Look again at the supplier invoices whose rows wait for this project."""
        store = self._services.stores.expenses(company)
        if waiting := store.waiting_for(number):
            store.forget_project(number)
            store.add(waiting, datetime.now(UTC))
            self._services.feed.look(expenses_key(company))

    def _own(self, hint: Hint) -> bool:
        return self._services.stores.own_writes.explain(hint.company, hint.kind, hint.number, hint.at)


def _by_company(hints: Iterable[Hint]) -> dict[str, list[Hint]]:
    found: dict[str, list[Hint]] = {}
    for hint in hints:
        found.setdefault(hint.company, []).append(hint)
    return found


ASKED: Final[dict[str, Callable[[Services, str], None]]] = {
    EXPENSES.kind: lambda services, company: hints_asked(services.ordering, company, EXPENSES),
    PAYMENTS.kind: lambda services, company: hints_asked(services.ordering, company, PAYMENTS),
    HINTS.kind: lambda services, company: looks_asked(services.ordering, company),
}
