"""Finding events, newest first, by company, status, key and time. Reads indices from one end; scans nothing settled."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.ordering.engine import STATUSES, UNSETTLED, EventRecord, Ordering

SETTLED: Final = tuple(status for status in STATUSES if status not in UNSETTLED)
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for. Times are those of settling, of what is under way those of being accepted."""

    company: str = ""
    status: str = ""
    keys: tuple[str, ...] = ()
    code: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, record: EventRecord) -> bool:
        return (
            self.company in ("", record.company)
            and self.status in ("", record.status)
            and (not self.keys or record.key in self.keys)
            and self.code in ("", record.code)
            and (self.since is None or told(record) >= self.since)
            and (self.until is None or told(record) <= self.until)
        )

    @property
    def indices(self) -> tuple[str, ...]:
        """The company's indices that hold what fits."""
        if not self.status:
            return ("open", "failed") if self.code else ("open", *SETTLED)
        return ("open",) if self.status in UNSETTLED else (self.status,)


def told(record: EventRecord) -> datetime:
    """When the event was settled; of one under way, when it was accepted."""
    return record.settled_at or record.accepted_at


def find(ordering: Ordering, wanted: Filter, page: int = PAGE) -> Iterator[EventRecord]:
    """Every event that fits, newest first, read `page` by page as it is asked for."""
    if wanted.keys:
        records = ordering.events(ref for key in wanted.keys for ref in ordering.of_key(key))
        yield from sorted(filter(wanted.fits, records), key=told, reverse=True)
        return
    until, last = wanted.until, set[tuple[str, str]]()
    while True:
        found = ordering.latest(
            wanted.indices,
            company=wanted.company,
            since=wanted.since,
            until=until,
            most=page + len(last),
            status=wanted.status if wanted.status in UNSETTLED else "",
            code=wanted.code,
        )
        new = [one for one in found if one[:2] not in last]
        if not new:
            return
        yield from filter(wanted.fits, ordering.events(one[:2] for one in new))
        # The next page begins within the same millisecond, so what was seen of it is left out there.
        same = {one[:2] for one in new if one.at == new[-1].at}
        last = same | last if new[-1].at == until else same
        until = new[-1].at
