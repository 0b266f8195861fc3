"""Finds out which supplier invoices to sync, and queues them.

They are queued before the cursor moves, so that a crash loses none of them.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from delivery.expenses.reader import Approvals, Projects
from fortnox.client import Fortnox, SupplierInvoicePage
from fortnox.models import SupplierInvoiceListItem
from mappers.expense import Rules, skip_reason
from stores.expenses import ExpenseStore, Kind, Listing

log = structlog.get_logger(__name__)

OVERLAP = timedelta(minutes=1)  # `lastmodified` is in minutes, and a change may show a moment after its time
PASSES = 3  # how often a list that changes while it is read is read at most


@dataclass(frozen=True, slots=True)
class Lister:
    """Lists one company's supplier invoices.

    `check` is called before anything that Fortnox answered is recorded; it raises if the answer may no longer count.
    """

    fortnox: Fortnox
    store: ExpenseStore
    rules: Rules
    approvals: Approvals
    projects: Projects
    check: Callable[[], None]

    def queue_listed(self, kind: Kind, deadline: float) -> bool:
        """Queue listed invoices for syncing. Return False if time ran out; the next call goes on from there."""
        listing = self._listing(kind)
        while listing is not None and time.monotonic() < deadline:
            listing = self._queue_page(kind, listing)
        return listing is None

    def queue_approved(self) -> None:
        """Queue invoices that only awaited approval and now have it: `lastmodified` need not show that."""
        if awaiting := self.store.awaiting():
            self.store.add((n for n in awaiting if not self.approvals.is_pending(n)), datetime.now(UTC))

    def queue_awaiting_projects(self, deadline: float) -> None:
        """Queue invoices of any age whose rows waited for a project that now may have expenses."""
        while time.monotonic() < deadline and (project := self.store.next_awaited_project()) is not None:
            fit = all(self.projects.state(project))
            if fit:
                self.store.add(self.store.waiting_for(project), datetime.now(UTC), behind=True)
            self.store.project_checked(project, fit=fit)

    def _listing(self, kind: Kind) -> Listing | None:
        """Return the listing under way, or a new one where changes are due; None where nothing is to be listed."""
        listing = self.store.listing(kind)
        if listing is None and kind == "changes":
            cursor = self.store.cursor
            return Listing(since=cursor - OVERLAP if cursor else None)
        if listing is not None and listing.days is not None and listing.since is None:
            # The cursor is by Fortnox's clock, which `now` is only after an answer.
            return replace(listing, since=(self.store.cursor or self.fortnox.now) - timedelta(days=listing.days))
        return listing

    def _queue_page(self, kind: Kind, listing: Listing) -> Listing | None:
        """Read one page. Return the listing as it goes on, or one that replaced it meanwhile; None when it is done."""
        page = self.fortnox.supplier_invoices.page(listing.page, modified_since=listing.since)
        self.check()
        if kind == "changes" and listing.since is None and listing.page == 1:
            log.info("expenses.first_listing", supplier_invoices=page.total, since=self.rules.from_date or "ever")
        started = listing.started or self.fortnox.now
        behind = kind == "import" or listing.since is None
        self.store.forget_pending()  # what is listed now may have begun to await approval since the last answer
        self.store.add(self._relevant(page.items), datetime.now(UTC), behind=behind)
        moved = listing.moved or self._entries_moved(kind, listing, page)
        if not page.is_last:
            following = replace(listing, page=listing.page + 1, moved=moved)
        elif moved and listing.passes + 1 < PASSES:
            following = replace(listing, page=1, moved=False, passes=listing.passes + 1)
        else:
            if kind == "import":  # whoever asked for it may have corrected projects
                self.store.forget_unfit()
                self.store.queue_awaited_projects()
            ended = self.store.end_listing(kind, listing, started if kind == "changes" else None)
            return None if ended else self._listing(kind)
        following = replace(following, started=started, total=page.total, pages=page.pages)
        return following if self.store.save_listing(kind, following) else self._listing(kind)

    def _entries_moved(self, kind: Kind, listing: Listing, page: SupplierInvoicePage) -> bool:
        """Return whether the list has changed since its first page, so that an entry may have been missed.

        An entry that moves to a page already read leaves a trace: another entry leaves the list, which changes the
        total, or comes again on a later page.
        """
        if listing.total not in (None, page.total):
            return True
        if listing.page == 1 and page.is_last:
            return False
        numbers = [item.given_number for item in page.items]
        return bool(numbers) and not self.store.remember_page(kind, numbers, anew=listing.page == 1)

    def _relevant(self, items: Iterable[SupplierInvoiceListItem]) -> list[str]:
        """Return those that may count or that Moment has something of. The others cost no request."""
        known = self.store.known([item.given_number for item in items])
        return [i.given_number for i in items if i.given_number in known or self._may_count(i)]

    def _may_count(self, item: SupplierInvoiceListItem) -> bool:
        reason = skip_reason(item, self.rules)
        return reason is None or reason.unclear
