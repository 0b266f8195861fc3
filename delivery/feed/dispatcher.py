"""Acts on what the feed told, in one worker at a time.

Supplier invoices and invoices are queued to be looked at, at once. Failures that a change may have mended are gathered
within a second and tried again (`releaser.py`). Hints are dropped after that, so that a crash repeats them.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from config.redis import redis_client
from delivery.feed.lease import ThreadLease
from delivery.feed.releaser import Releaser, Thing
from delivery.polling import expenses_key, hints_asked, polls_key
from delivery.services import Services
from delivery.watching import look, looks_asked
from stores import Connection
from stores.feed import DISPATCHER, MISSED, Hint
from tasks.flows import EXPENSES, HINTS, PAYMENTS

GATHER: Final = timedelta(seconds=1)  # releases are gathered for so long
PAGE: Final = 500  # hints at a time
EACH: Final = 0.2  # seconds between two looks for hints
ASK_AGAIN: Final = 1.0  # seconds between two wake-ups of what is still to be looked at
LEASE: Final = 8  # seconds

AGAIN: Final = 3.0  # seconds until what failed again is tried once more


class OnceMore(NamedTuple):
    """What was released at `since`, and is looked at again when it is due, by the monotonic clock."""

    due: float
    company: str
    things: list[Thing]
    since: datetime


class HintDispatcher:
    """`step` is called again and again, by one thread."""

    def __init__(self, services: Services, name: str) -> None:
        self._services = services
        self._redis = redis_client(services.settings)
        self._lease = ThreadLease(self._redis, DISPATCHER, name, LEASE)
        self._seen = 0  # of the hints in the list, those whose looks are queued
        self._ask_at = 0.0
        self._releaser = Releaser(services)
        self._once_more: deque[OnceMore] = deque()

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
        self._release_again()
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
        changed = [hint for hint in hints if hint.kind == "invoice" and hint.verb in ("updated", "bookkeep")]
        invoices = self._services.stores.transferred(company, connection.tenant_id).known(
            {hint.number for hint in changed}
        )
        ours = {hint.number for hint in changed if hint.number in invoices and not self._own(hint)}
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
            if missed := [hint for hint in some if hint.verb == MISSED]:
                kinds = {kind for hint in missed for kind in hint.kind.split()}
                self._look_back(company, kinds, max(hint.received for hint in missed))
            changes = [hint for hint in some if hint.verb in ("created", "updated") and not self._own(hint)]
            mended = list(dict.fromkeys((hint.kind, hint.number) for hint in changes))
            now = datetime.now(UTC)
            if mended and self._releaser.release(company, mended):
                self._once_more.append(OnceMore(time.monotonic() + AGAIN, company, mended, now))

    def _look_back(self, company: str, kinds: set[str], until: datetime) -> None:
        """Events of these kinds were missed until then: try again what they could have mended. `company`: "" is all."""
        ordering, feed = self._services.ordering, self._services.feed
        names = [company] if company else ordering.companies()
        for start in range(0, len(names), PAGE):
            for name, state in ordering.states(names[start : start + PAGE]).items():
                waits = state.counts["failed"] or state.counts["held"]
                now = datetime.now(UTC)
                if waits and (due := feed.to_look_back(name, kinds, now)):
                    self._releaser.release_all(name, due, until)
                    feed.looked_back(name, due, now)

    def _release_again(self) -> None:
        """Release once more what failed again for the same thing: an event of the feed can precede the API."""
        while self._once_more and self._once_more[0].due <= time.monotonic():
            _, company, things, since = self._once_more.popleft()
            self._releaser.release(company, things, since)

    def _own(self, hint: Hint) -> bool:
        return self._services.stores.own_writes.explain(hint)


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
