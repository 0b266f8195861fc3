"""Finds the supplier invoices that may have changed, and queues them for inspection.

They are queued before their page counts as read, and leave the queue when Moment has them. So when a process is killed
in between, another one continues.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from delivery.expenses.reader import InvoiceReader
from fortnox.client import Fortnox, SupplierInvoicePage
from fortnox.models import SupplierInvoiceListItem
from mappers.expense import Rules, refused
from stores.expenses import ExpenseStore, Kind, Listing

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=1)  # `lastmodified` has minutes, and a change may show a moment after its time
WALKS = 3  # how often a list that changes while it is read is read


@dataclass(frozen=True)
class ChangeLister:
    """One company's. `check` is called before anything that Fortnox said is stored; it raises when that may not be."""

    fortnox: Fortnox
    store: ExpenseStore
    rules: Rules
    reader: InvoiceReader
    check: Callable[[], None]

    def queue_listed(self, kind: Kind, deadline: float) -> bool:
        """Queue listed supplier invoices for inspection. Return False if time ran out; the listing goes on later."""
        listing = self._listing(kind)
        while listing is not None and time.monotonic() < deadline:
            listing = self._list_page(kind, listing)
        return listing is None

    def _listing(self, kind: Kind) -> Listing | None:
        """The listing and the page at which it continues; None where nothing is to be listed."""
        listing = self.store.listing(kind)
        if listing is None and kind == "changes":
            cursor = self.store.cursor
            return Listing(since=cursor - OVERLAP if cursor else None)
        if listing is not None and listing.days is not None and listing.since is None:
            return replace(listing, since=self.fortnox.now - timedelta(days=listing.days))
        return listing

    def _list_page(self, kind: Kind, listing: Listing) -> Listing | None:
        """Read one page. Return the listing at its next page, or one that was asked for meanwhile; None at the end."""
        page = self.fortnox.supplier_invoices.page(listing.page, modified_since=listing.since)
        self.check()
        if kind == "changes" and listing.since is None and listing.page == 1:
            log.info("expenses.first_listing", supplier_invoices=page.total, since=self.rules.from_date or "ever")
        started = listing.started or self.fortnox.now
        behind = kind == "import" or listing.since is None
        self.store.forget_pending()  # what is listed now may wait for approval since that was asked
        self.store.add(self._worth_a_look(page.items), datetime.now(UTC), behind=behind)
        moved = listing.moved or self._rows_moved(kind, listing, page)
        if not page.is_last:
            following = replace(listing, page=listing.page + 1, moved=moved)
        elif moved and listing.walks + 1 < WALKS:
            following = replace(listing, page=1, moved=False, walks=listing.walks + 1)
        else:
            if kind == "import":  # whoever asked for it may have mended what projects lack
                self.store.forget_unfit()
                self.store.ask_lacking()
            through = self.store.listed(kind, listing, started if kind == "changes" else None)
            return None if through else self._listing(kind)
        following = replace(following, started=started, total=page.total, pages=page.pages)
        return following if self.store.list_on(kind, following) else self._listing(kind)

    def _rows_moved(self, kind: Kind, listing: Listing, page: SupplierInvoicePage) -> bool:
        """Whether rows moved between pages since the first page was read, so that one may have been missed.

        A row that moves to a page already read leaves a trace: the row that left changes the total, or comes again on a
        later page.
        """
        if listing.total not in (None, page.total):
            return True
        if listing.page == 1 and page.is_last:
            return False
        numbers = [item.given_number for item in page.items]
        return bool(numbers) and not self.store.walk(kind, numbers, anew=listing.page == 1)

    def _worth_a_look(self, items: Iterable[SupplierInvoiceListItem]) -> list[str]:
        """Those that may count, and those of which Moment has an expense. The others are not read."""
        known = self.store.known([item.given_number for item in items])
        return [i.given_number for i in items if i.given_number in known or not refused(i, self.rules)]

    def queue_approved(self) -> None:
        """Queue those that waited for approval and now have it, which `lastmodified` may not show."""
        if waiting := self.store.awaiting():
            self.store.add((n for n in waiting if not self.reader.is_pending(n)), datetime.now(UTC))

    def queue_waiting(self, deadline: float) -> None:
        """Queue those that waited for a project which can now have expenses, however long ago they changed."""
        while time.monotonic() < deadline and (project := self.store.next_lacking()) is not None:
            fit = all(self.reader.project(project))
            if fit:
                self.store.add(self.store.lacking(project), datetime.now(UTC), behind=True)
            self.store.asked(project, fit=fit)
