"""Tries again what a change in a company's ledger may have mended, and nothing else. Asks Fortnox nothing itself."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import structlog

from delivery.feed.releases import concerns, invoice_in, may_concern, mendable
from delivery.polling import expenses_key
from delivery.services import Services
from delivery.watching import look
from ordering import EventRecord
from stores import TimelineEntry

log = structlog.get_logger(__name__)

Thing = tuple[str, str]  # a kind and a number


class Releaser:
    def __init__(self, services: Services) -> None:
        self._services = services

    def release(self, company: str, things: list[Thing], since: datetime | None = None) -> bool:
        """Try again the failures that these things concern, and what is held behind them. Return whether any was.

        With `since`, only what failed then or later.
        """
        released = self._held(company, things)
        if not self._services.ordering.counts(company)["failed"]:
            return released
        for record in self._services.ordering.failed(company):
            thing = next((one for one in things if self._concerns(one, record)), None)
            failed_at = record.settled_at
            if thing is not None and (since is None or (failed_at is not None and failed_at >= since)):
                released |= self._retry(record, "{} {} changed in Fortnox".format(*thing))
        if since is None:
            self._ask_later(company, things)
        return released

    def release_all(self, company: str, kinds: Collection[str], until: datetime) -> None:
        """Try again all that changes of these kinds until then could have mended: which there were is not known."""
        ordering = self._services.ordering
        for key in self._blockers(company, until):
            if key.split("/")[1] in ("customer", "project") and key.split("/")[1] in kinds:
                ordering.reopen(company, key)
        for record in ordering.failed(company):
            settled_at = record.settled_at
            if settled_at is not None and settled_at <= until and any(mendable(kind, record) for kind in kinds):
                self._retry(record, "Fortnox's feed missed changes")
        self._ask_later(company, [("financial-year", "")] if "financial-year" in kinds else [])
        store = self._services.stores.expenses(company)
        if "supplier" in kinds:
            self._look_at(company, store.failed_suppliers())
        if "project" in kinds:
            store.queue_awaited_projects()  # for the next poll

    def _blockers(self, company: str, until: datetime) -> set[str]:
        """The keys behind which something is held that came until then."""
        ordering, found, after = self._services.ordering, set[str](), None
        while True:
            page = ordering.latest(["open"], companies=[company], status="held", after=after)
            held = ordering.events((one.company, one.id) for one in page.found)
            found |= {one.blocker for one in held if one.accepted_at <= until}
            if (after := page.end) is None:
                return found - {""}

    def _held(self, company: str, things: list[Thing]) -> bool:
        """What is held behind a customer or project, and the supplier invoices whose rows wait for a project."""
        ordering = self._services.ordering
        keys = [f"{company}/{kind}/{number}" for kind, number in things if kind in ("customer", "project")]
        held = [key for key, behind in zip(keys, ordering.behind(keys) if keys else (), strict=True) if behind.number]
        for key in held:
            ordering.reopen(company, key)
        for kind, number in things:
            if kind == "project":
                self._awaited_project(company, number)
        return bool(held)

    def _concerns(self, thing: Thing, record: EventRecord) -> bool:
        if not may_concern(*thing, record):
            return False
        invoice = invoice_in(self._services.ordering.body(record.company, record.id))
        rounding = self._services.stores.company_settings.get(record.company).rounding_account
        return concerns(*thing, record, invoice, rounding)

    def _retry(self, record: EventRecord, because: str) -> bool:
        became, _ = self._services.ordering.retry(record.company, record.id)
        if became in ("", "unknown"):
            return False
        log.info("feed.released", company=record.company, event_id=record.id)
        entry = TimelineEntry(datetime.now(UTC), "tried again", {"because": because})
        self._services.telemetry.timeline.add(record.company, record.id, entry)
        return True

    def _ask_later(self, company: str, things: Iterable[Thing]) -> None:
        """A financial year has to be asked for; a supplier's failed supplier invoices are looked at."""
        if any(kind == "financial-year" for kind, _ in things):
            look(self._services, company, "financial-year")
        suppliers = {number for kind, number in things if kind == "supplier"}
        store = self._services.stores.expenses(company)
        failed = store.failed_suppliers() if suppliers else {}
        self._look_at(company, [number for number, supplier in failed.items() if supplier in suppliers])

    def _awaited_project(self, company: str, project: str) -> None:
        store = self._services.stores.expenses(company)
        if waiting := store.waiting_for(project):
            store.forget_project(project)
            self._look_at(company, waiting)

    def _look_at(self, company: str, supplier_invoices: Iterable[str]) -> None:
        if numbers := list(supplier_invoices):
            self._services.stores.expenses(company).add(numbers, datetime.now(UTC))
            self._services.feed.look(expenses_key(company))
