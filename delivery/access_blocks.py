"""Access blocks: the parts of a company's Fortnox that are closed to us for lack of a licence, scope or permission.

The first event that Fortnox refuses closes the part, is reported to a person, and becomes the part's probe. The
company's other events for that part are then held without asking Fortnox; everything else continues. The probe is tried
again every ten minutes, by hand, and after each change of the connection. When it succeeds, the part opens and the held
events go through in order. The engine sees only events held behind a key such as `acme/access/customers`.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis import Redis

from fortnox.errors import EVERYTHING, AccessMissing, Details, Rejected, StillBlocked, Throttled, part_of
from fortnox.transport import Transport
from ordering import UNSETTLED, Claim, EventRecord, Ordering
from stores.access_blocks import AccessBlock, AccessBlockStore

log = structlog.get_logger(__name__)

# Company, path, the numbers in it, the body, and when the request began and ended by Fortnox's clock.
OnChange = Callable[[str, str, tuple[str | int, ...], Any, datetime, datetime], None]


class AccessBlocks:
    """Opens and closes the parts of all companies."""

    def __init__(self, redis: Redis, ordering: Ordering) -> None:
        self._store = AccessBlockStore(redis)
        self._ordering = ordering

    @contextmanager
    def through(self, claim: Claim, path: str) -> Iterator[None]:
        """Wrap a request of this event. Raises `StillBlocked` where the part is closed and a person knows.

        An event about the connection itself always passes: it may open the part.
        """
        if about_connection(claim):
            yield
            return
        closed = self._store.of(claim.company, (EVERYTHING, part_of(path)))
        for closure in closed.values():
            if closure.event_id != claim.id:
                raise StillBlocked(Details(path=path, code=closure.code, situation=closure.situation))
        try:
            yield
        except AccessMissing as refused:
            self._open(claim.company, [part for part in closed if part != refused.part])
            if not refused.part or self._close(claim, refused):
                raise
            raise StillBlocked(refused.details) from None
        except Rejected:  # for another reason: the part is open
            self._open(claim.company, closed)
            raise
        self._open(claim.company, closed)

    def reopen(self, company: str) -> None:
        """Open all parts of the company, so that everything they held is tried again."""
        self._open(company, [part for name, part, _ in self._store.all() if name == company])

    def opened_for(self, record: EventRecord) -> bool:
        """Open the part that this event waits for: a person wants it tried. Return False where it waits for none."""
        waits = record.blocker.startswith(key_of(record.company, ""))
        if waits:
            self._open(record.company, [record.blocker.rpartition("/")[2]])
        return waits

    def probe(self) -> None:
        """Retry the probe of each closed part of every company."""
        for company, part, closure in self._store.all():
            record = self._ordering.event(company, closure.event_id) if closure else None
            waits_here = record is not None and record.blocker == key_of(company, part)
            if record is None or record.status not in UNSETTLED or (record.status == "held" and not waits_here):
                self._open(company, [part])  # the next event becomes the probe
            elif record.status == "held" and closure and not self._ordering.is_unreported(company, record.id):
                self._store.mark_told(company, part, closure)
                self._ordering.retry(company, record.id)

    def _close(self, claim: Claim, refused: AccessMissing) -> bool:
        """Close the part. Return whether this event tells a person: only the probe does, until it was told."""
        block = AccessBlock(claim.id, False, refused.situation, refused.code)
        new, known = self._store.add(claim.company, refused.part, block)
        if new:
            log.warning("access.closed", company=claim.company, part=refused.part, error_code=refused.code)
        return known is None or (known.event_id == claim.id and not known.told)

    def _open(self, company: str, parts: Iterable[str]) -> None:
        """Crash-safe: mark as opening, release, then delete; the next probe finishes what a crash left."""
        for part in parts:
            self._store.mark_opening(company, part)
            self._ordering.reopen(company, key_of(company, part))
            self._store.forget_opening(company, part)
            log.info("access.opened", company=company, part=part)


class AccessCheckedTransport(Transport):
    """A transport that checks the access blocks before each request of one event."""

    def __init__(
        self, closed: AccessBlocks, claim: Claim, *given: Any, on_change: OnChange | None = None, **options: Any
    ) -> None:
        super().__init__(*given, **options)
        self._closed = closed
        self._claim = claim
        self._on_change = on_change

    def call(self, company: str, method: str, path: str, *numbers: str | int, **how: Any) -> Any:
        began = time.monotonic()
        changed = method != "GET" and self._on_change is not None
        try:
            with self._closed.through(self._claim, path):
                return super().call(company, method, path, *numbers, **how)
        except (Rejected, Throttled):
            changed = False
            raise
        finally:
            if changed and self._on_change is not None:
                ended = self.now
                began_at = ended - timedelta(seconds=time.monotonic() - began)
                self._on_change(company, path, numbers, how.get("body"), began_at, ended)


def key_of(company: str, part: str) -> str:
    """The ordering key behind which events are held while the part is closed. No event has this key."""
    return f"{company}/access/{part}"


def about_connection(claim: Claim) -> bool:
    """Whether the event is about the connection itself. All others wait for such events, so these never wait."""
    return claim.key.split("/")[1] == "integration"
