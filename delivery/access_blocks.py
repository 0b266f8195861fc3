"""The parts of a company's Fortnox that are closed to us, for want of a licence, a scope or a permission.

The first event that is refused closes the part and is told to a person; it stays the part's probe. The company's
other events for that part are then held without asking Fortnox, and everything else goes on. When the probe is let
in (it is tried again every ten minutes, by hand, and after each change of the connection), the part opens, and what
was held goes through in order. The engine sees only events held behind a key such as `acme/access/customers`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis import Redis

from fortnox import Transport
from fortnox.errors import EVERYTHING, AccessMissing, Details, Rejected, StillBlocked, part_of
from ordering import Claim, EventRecord, Ordering
from ordering.engine import UNSETTLED
from stores.access_blocks import AccessBlock, AccessBlockStore

log = structlog.get_logger(__name__)


class AccessBlocks:
    """Closed parts of all companies."""

    def __init__(self, redis: Redis, ordering: Ordering) -> None:
        self._store = AccessBlockStore(redis)
        self._ordering = ordering

    @contextmanager
    def through(self, claim: Claim, path: str) -> Iterator[None]:
        """Around a request of this event's. Raises `StillBlocked` without a request, or where somebody was told before.

        An event about the connection itself always passes: it may be what opens the part.
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
        except Rejected:  # of its own account: the part is open
            self._open(claim.company, closed)
            raise
        self._open(claim.company, closed)

    def reopen(self, company: str) -> None:
        """Whatever is closed for the company may be open now: all that was held is tried again."""
        self._open(company, [part for name, part, _ in self._store.all() if name == company])

    def opened_for(self, record: EventRecord) -> bool:
        """Whether the event waits for a closed part. Then somebody wants it tried, and what waits with it."""
        waits = record.blocker.startswith(key_of(record.company, ""))
        if waits:
            self._open(record.company, [record.blocker.rpartition("/")[2]])
        return waits

    def probe(self) -> None:
        """Lets the event that found a part closed try again, for each part of every company."""
        for company, part, closure in self._store.all():
            record = self._ordering.event(company, closure.event_id) if closure else None
            waits_here = record is not None and record.blocker == key_of(company, part)
            if record is None or record.status not in UNSETTLED or (record.status == "held" and not waits_here):
                self._open(company, [part])  # the next one to come is the probe
            elif record.status == "held" and closure and not self._ordering.is_unreported(company, record.id):
                self._store.mark_told(company, part, closure)
                self._ordering.retry(company, record.id)

    def _close(self, claim: Claim, refused: AccessMissing) -> bool:
        """Whether a person is to be told: by the first that is refused, also if it must come again to be settled."""
        block = AccessBlock(claim.id, False, refused.situation, refused.code)
        new, known = self._store.add(claim.company, refused.part, block)
        if new:
            log.warning("access.closed", company=claim.company, part=refused.part, error_code=refused.code)
        return known is None or (known.event_id == claim.id and not known.told)

    def _open(self, company: str, parts: Iterable[str]) -> None:
        """Marked first and forgotten last: one that dies in between leaves the rest to the next probe."""
        for part in parts:
            self._store.mark_opening(company, part)
            self._ordering.reopen(company, key_of(company, part))
            self._store.forget_opening(company, part)
            log.info("access.opened", company=company, part=part)


class AccessCheckedTransport(Transport):
    """A transport that asks before each request of one event's."""

    def __init__(self, closed: AccessBlocks, claim: Claim, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._closed = closed
        self._claim = claim

    def call(self, company: str, method: str, path: str, *numbers: str | int, **how: Any) -> Any:
        with self._closed.through(self._claim, path):
            return super().call(company, method, path, *numbers, **how)


def key_of(company: str, part: str) -> str:
    """The ordering key that events wait behind while the part is closed. No event has it."""
    return f"{company}/access/{part}"


def about_connection(claim: Claim) -> bool:
    """Whether the event is about the company's connection: all others wait for those, so they wait for nothing."""
    return claim.key.split("/")[1] == "integration"
