"""Access blocks: the parts of a company's Fortnox that are closed to us for lack of a licence, scope or permission.

The first event that Fortnox refuses closes the part, is reported to a person, and becomes the part's probe. The
company's other events for that part are then held without asking Fortnox; everything else continues. The probe is tried
again every ten minutes, by hand, and after each change of the connection. When it succeeds, the part opens and the held
events go through in order. The engine sees only events held behind a key such as `acme/access/customers`.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import structlog
from redis import Redis

from fortnox import Transport
from fortnox.errors import EVERYTHING, AccessMissing, Details, Rejected, StillBlocked, part_of
from ordering import Claim, EventRecord, Ordering
from ordering.engine import UNSETTLED

log = structlog.get_logger(__name__)

OPENING: Final = "opening"  # replaces a block while its held events are released
# A part that was closed again while it was opened stays closed.
FORGET = "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end"


class AccessBlock(NamedTuple):
    """The event that found a part closed, whether a person was told, and why it is closed."""

    event_id: str
    told: bool
    situation: str
    code: str


class AccessBlocks:
    """The access blocks of all companies: one hash, `closed`, from `acme/customers` to its block."""

    def __init__(self, redis: Redis, ordering: Ordering, prefix: str = "mf:") -> None:
        self._redis = redis
        self._ordering = ordering
        self._key = f"{prefix}closed"
        self._forget = redis.register_script(FORGET)

    @contextmanager
    def through(self, claim: Claim, path: str) -> Iterator[None]:
        """Wrap a request of this event. Raises `StillBlocked` where the part is closed and a person knows.

        An event about the connection itself always passes: it may open the part.
        """
        if about_connection(claim):
            yield
            return
        closed = self._closed(claim.company, EVERYTHING, part_of(path))
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
        self._open(company, [part for name, part, _ in self._all() if name == company])

    def opened_for(self, record: EventRecord) -> bool:
        """Open the part that this event waits for: a person wants it tried. Return False where it waits for none."""
        waits = record.blocker.startswith(key_of(record.company, ""))
        if waits:
            self._open(record.company, [record.blocker.rpartition("/")[2]])
        return waits

    def probe(self) -> None:
        """Retry the probe of each closed part of every company."""
        for company, part, closure in self._all():
            record = self._ordering.event(company, closure.event_id) if closure else None
            waits_here = record is not None and record.blocker == key_of(company, part)
            if record is None or record.status not in UNSETTLED or (record.status == "held" and not waits_here):
                self._open(company, [part])  # the next event becomes the probe
            elif record.status == "held" and closure and not self._ordering.untold(company, record.id):
                self._redis.hset(self._key, f"{company}/{part}", json.dumps(closure._replace(told=True)))
                self._ordering.retry(company, record.id)

    def _closed(self, company: str, *parts: str) -> dict[str, AccessBlock]:
        found: Any = self._redis.hmget(self._key, [f"{company}/{part}" for part in parts])
        return {part: closure for part, text in zip(parts, found, strict=True) if (closure := _read(text))}

    def _all(self) -> list[tuple[str, str, AccessBlock | None]]:
        found: Any = self._redis.hgetall(self._key)
        return [(*name.split("/", 1), _read(text)) for name, text in sorted(found.items())]

    def _close(self, claim: Claim, refused: AccessMissing) -> bool:
        """Close the part. Return whether this event tells a person: only the probe does, until it was told."""
        name = f"{claim.company}/{refused.part}"
        closure = AccessBlock(claim.id, False, refused.situation, refused.code)
        text = json.dumps(closure)
        if self._redis.hsetnx(self._key, name, text):
            log.warning("access.closed", company=claim.company, part=refused.part, error_code=refused.code)
            return True
        known = _read(self._redis.hget(self._key, name))  # type: ignore[arg-type]  # not awaitable: no asyncio
        if known is None:  # it is being opened
            self._redis.hset(self._key, name, text)
        return known is None or (known.event_id == claim.id and not known.told)

    def _open(self, company: str, parts: Iterable[str]) -> None:
        """Crash-safe: mark as opening, release, then delete; the next probe finishes what a crash left."""
        for part in parts:
            name = f"{company}/{part}"
            self._redis.hset(self._key, name, OPENING)
            self._ordering.reopen(company, key_of(company, part))
            self._forget(keys=[self._key], args=[name, OPENING])
            log.info("access.opened", company=company, part=part)


class AccessCheckedTransport(Transport):
    """A transport that checks the access blocks before each request of one event."""

    def __init__(self, closed: AccessBlocks, claim: Claim, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._closed = closed
        self._claim = claim

    def call(self, company: str, method: str, path: str, *numbers: str | int, **how: Any) -> Any:
        with self._closed.through(self._claim, path):
            return super().call(company, method, path, *numbers, **how)


def key_of(company: str, part: str) -> str:
    """The ordering key behind which events are held while the part is closed. No event has this key."""
    return f"{company}/access/{part}"


def about_connection(claim: Claim) -> bool:
    """Whether the event is about the connection itself. All others wait for such events, so these never wait."""
    return claim.key.split("/")[1] == "integration"


def _read(text: str | None) -> AccessBlock | None:
    return None if text in (None, OPENING) else AccessBlock(*json.loads(str(text)))
