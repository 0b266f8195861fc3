"""Finding events by company, status, key and time, newest first. Reads each index from one end, with no scan."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ordering.queries import LOOKS, PAGE, Queries
from ordering.records import STATUSES, UNSETTLED, EventRecord, IndexEntry, to_epoch_ms

SETTLED: Final = tuple(status for status in STATUSES if status not in UNSETTLED)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to find. All words of `code` are in the event's code.

    `since` and `until` compare the time settled, or accepted while an event is open.
    """

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
            and fits_code(self.code, record.code)
            and (self.since is None or listed_at(record) >= self.since)
            and (self.until is None or listed_at(record) <= self.until)
        )

    @property
    def indices(self) -> tuple[str, ...]:
        """The company's indices that can hold a fitting event."""
        if not self.status:
            return ("open", "failed") if self.code else ("open", *SETTLED)
        return ("open",) if self.status in UNSETTLED else (self.status,)


def fits_code(wanted: str, code: str) -> bool:
    """Whether all words of `wanted` are in the code: a situation, a number, both, or none."""
    return set(wanted.split()) <= set(code.split())


def listed_at(record: EventRecord) -> datetime:
    """When the event was settled, or accepted while it is open: the time that events are listed by."""
    return record.settled_at or record.accepted_at


def find_some(
    ordering: Queries, wanted: Filter, most: int, after: IndexEntry | None = None, looks: int = LOOKS
) -> tuple[list[EventRecord], IndexEntry | None]:
    """The newest events that fit, at most `most`, from those listed after `after`; and where to go on, None at the end.

    Looks at about `looks` events at most, so it may find fewer than there are, even none.
    """
    if wanted.keys:
        return some_of(find(ordering, wanted), most, after)
    found: list[EventRecord] = []
    while looks > 0 and len(found) < most:
        some = ordering.latest(
            wanted.indices,
            companies=[wanted.company] if wanted.company else [],
            since=wanted.since,
            until=wanted.until,
            after=after,
            most=most - len(found),
            status=wanted.status if wanted.status in UNSETTLED else "",
            code=wanted.code,
        )
        found += filter(wanted.fits, ordering.events(one[:2] for one in some.found))
        looks -= max(some.looked, 1)
        after = some.end
        if after is None:
            break
    return found, after


def some_of(
    records: Iterable[EventRecord], most: int, after: IndexEntry | None
) -> tuple[list[EventRecord], IndexEntry | None]:
    """The newest `most` of these events, from those listed after `after`; and where to go on, None at the end. Pure."""
    rest = sorted((record for record in records if after is None or _place(entry_of(record)) > _place(after)), key=_key)
    return rest[:most], entry_of(rest[most - 1]) if len(rest) > most else None


def comes_before(record: EventRecord, end: IndexEntry) -> bool:
    """Whether the event is listed at this place or before it. Pure."""
    return _key(record) <= _place(end)


Place = tuple[int, bytes, tuple[int, ...]]


def _key(record: EventRecord) -> Place:
    return _place(entry_of(record))


def _place(entry: IndexEntry) -> Place:
    """Newest first; within one millisecond by company, then by id descending, as `latest.lua` lists them."""
    return -to_epoch_ms(entry.at), entry.company.encode(), (*(-byte for byte in entry.id.encode()), 1)


def entry_of(record: EventRecord) -> IndexEntry:
    """The event as an index lists it."""
    return IndexEntry(record.company, record.id, listed_at(record))


def find(
    ordering: Queries, wanted: Filter, page: int = PAGE, looked: Callable[[int], object] = lambda n: None
) -> Iterator[EventRecord]:
    """Every event that fits, newest first, read page by page on demand.

    `looked` is called with how many more events were looked at: by status or code, many for each that fits.
    """
    if wanted.keys:
        records = ordering.events(ref for key in wanted.keys for ref in ordering.of_key(key))
        yield from sorted(filter(wanted.fits, records), key=listed_at, reverse=True)
        return
    after: IndexEntry | None = None
    while True:
        some = ordering.latest(
            wanted.indices,
            companies=[wanted.company] if wanted.company else [],
            since=wanted.since,
            until=wanted.until,
            after=after,
            most=page,
            status=wanted.status if wanted.status in UNSETTLED else "",
            code=wanted.code,
        )
        looked(some.looked)
        if some.found:
            yield from filter(wanted.fits, ordering.events(one[:2] for one in some.found))
        if some.end is None:
            return
        after = some.end
