"""Pages of the transfer log of very many companies, without looking into each company's indices for each page.

A process that shows such pages remembers when each company's events are listed: eight bytes for an event. Those times
say which few companies can have the events of a page; only these are looked into.
"""

import heapq
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from ordering.history import Filter, comes_before, some_of
from ordering.queries import Queries
from ordering.records import EPOCH, UNSETTLED, EventRecord, IndexEntry, to_epoch_ms, to_time

GROWING: Final = ("done", "superseded", "skipped")  # indices that only grow, but for what is past its retention
CHANGING: Final = ("open", "failed")
AT_A_TIME: Final = 100  # companies that one script reads
READ: Final = 2000  # times that it reads of one index at once
BEHIND: Final = 5000  # settled events that are taken in at once
OVERLAP: Final = 5000  # ms that are read again: after a fail-over Redis' clock may be a little behind
# How many of the newest times choose the companies that one script looks into.
RARE: Final = 1000  # where only some of the events fit
ALL_FIT: Final = 60  # where each does

Times: TypeAlias = "array[int]"
Having = Callable[[str], bool]  # whether this company has events that may fit
NO_TIMES: Final[Times] = array("q")


class Span(NamedTuple):
    """All events that are listed at `first` (ms) or later are of these companies. 0: there are no earlier ones."""

    companies: Sequence[str]
    first: int


class ListedTimes:
    """When each company's events are listed, as of the last `read`, with what settled until the last `catch_up`.

    One thread reads; any may catch up and ask.
    """

    def __init__(self, ordering: Queries, retention: timedelta) -> None:
        self._ordering = ordering
        self._retention = retention
        self._lock = threading.Lock()
        self._caught_up = ""  # the last entry of the stream of outcomes that was taken in
        self._times: dict[str, dict[str, Times]] = {name: {} for name in (*GROWING, *CHANGING)}

    def read(self, companies: Sequence[str], now: datetime) -> None:
        """Read the times that are new in these companies' indices."""
        oldest = to_epoch_ms(now - self._retention)
        if not self._caught_up:
            self._caught_up = self._ordering.last_outcome()
        for at in range(0, len(companies), AT_A_TIME):
            with self._lock:
                self._read_some(companies[at : at + AT_A_TIME], oldest)

    def catch_up(self) -> None:
        """Take in what settled since, as the stream of outcomes tells it. At most `BEHIND` entries at once."""
        with self._lock:
            if not self._caught_up:
                return
            self._caught_up, settled = self._ordering.outcomes_after(self._caught_up, BEHIND)
            new: dict[tuple[str, str], list[int]] = {}
            for index, name, ms in settled:
                new.setdefault((index, name), []).append(ms)
            for (index, name), times in new.items():
                if index in self._times:
                    held = self._times[index].get(name, NO_TIMES)
                    self._times[index][name] = held + array("q", (ms for ms in times if not held or ms > held[-1]))

    def _read_some(self, names: Sequence[str], oldest: int) -> None:
        kept = {(index, name): self._kept(index, name, oldest) for index in self._times for name in names}
        asked = list(kept)
        while asked:
            from_ = {of: kept[of][-1] if kept[of] else oldest if of[0] in GROWING else None for of in asked}
            new = self._ordering.times(from_, READ)
            for of, some in new.items():
                if some:
                    kept[of] = kept[of] + array("q", some)
            asked = [of for of, some in new.items() if len(some) == READ]
        for (index, name), times in kept.items():
            if times:
                self._times[index][name] = times
            else:
                self._times[index].pop(name, None)

    def keep(self, companies: Iterable[str]) -> None:
        """Forget all companies but these."""
        wanted = set(companies)
        for index, times in self._times.items():
            self._times[index] = {name: one for name, one in times.items() if name in wanted}

    def span(self, indices: Mapping[str, Having | None], until: int | None, most: int) -> Span:
        """The companies that have the newest `most` times up to `until`, ms.

        `indices`: those to look at, each with a test of which companies count; None: all do.
        """
        held = [(self._times[index].copy(), has) for index, has in indices.items()]
        newest = sorted(
            newest
            for of, has in held
            for name, times in of.items()
            if (newest := _newest(times, until)) and (has is None or has(name))
        )
        if not newest:
            return Span([], 0)
        least = newest[-min(most, len(newest))]  # a company all of whose times are older has none of the newest
        heads = [
            (-times[at - 1], name, at - 1, times)
            for of, has in held
            for name, times in of.items()
            if (at := _place(times, until, least)) and (has is None or has(name))
        ]
        heapq.heapify(heads)
        found: dict[str, None] = {}
        taken, first = 0, 0
        while heads and (taken < most or -heads[0][0] == first):
            negative, name, at, times = heads[0]
            found[name] = None
            taken, first = taken + 1, -negative
            if at:
                heapq.heapreplace(heads, (-times[at - 1], name, at - 1, times))
            else:
                heapq.heappop(heads)
        return Span(list(found), first if heads or len(newest) > most else 0)

    def _kept(self, index: str, name: str, oldest: int) -> Times:
        """The times that need not be read again."""
        if index not in GROWING:
            return NO_TIMES
        times = self._times[index].get(name, NO_TIMES)
        if not times:
            return times
        return times[bisect_left(times, oldest) : bisect_left(times, times[-1] - OVERLAP)]


def _newest(times: Times, until: int | None) -> int:
    """The newest of these times up to `until`; 0 where there is none."""
    at = len(times) if until is None else bisect_right(times, until)
    return times[at - 1] if at else 0


def _place(times: Times, until: int | None, least: int) -> int:
    """How many of these times are up to `until`; 0 where the newest of them is less than `least`."""
    at = len(times) if until is None else bisect_right(times, until)
    return at if at and times[at - 1] >= least else 0


def find_listed(
    ordering: Queries,
    times: ListedTimes,
    wanted: Filter,
    most: int,
    after: IndexEntry | None,
    looks: int,
    has: Callable[[str, str], bool],
) -> tuple[list[EventRecord], IndexEntry | None]:
    """The newest events of all companies that fit, as `history.find_some` finds those of one.

    `has(company, status)`: whether the company has open events of the status.
    """
    indices = _indices(wanted, has)
    since = 0 if wanted.since is None else to_epoch_ms(wanted.since)
    status = wanted.status if wanted.status in UNSETTLED else ""
    span_of = RARE if wanted.code or status else ALL_FIT
    if after is None and wanted.until is not None:
        after = _from(to_epoch_ms(wanted.until))
    found: list[EventRecord] = []
    while looks > 0 and len(found) < most:
        span = times.span(indices, None if after is None else to_epoch_ms(after.at), span_of)
        if not span.companies:
            return found, None
        some = ordering.latest(
            indices,
            companies=span.companies,
            since=to_time(max(span.first, since)),
            after=after,
            most=most - len(found),
            status=status,
            code=wanted.code,
        )
        found += filter(wanted.fits, ordering.events(one[:2] for one in some.found))
        looks -= max(some.looked, 1)
        after = some.end or (_from(span.first - 1) if span.first > since else None)
        if after is None:
            return found, None
    return found, after


def with_newest(
    page: tuple[list[EventRecord], IndexEntry | None], newest: Iterable[EventRecord], most: int
) -> tuple[list[EventRecord], IndexEntry | None]:
    """The first page with events that are newer than the times that it was found by. Pure."""
    records, end = page
    unique = {(one.company, one.id): one for one in (*records, *newest) if end is None or comes_before(one, end)}
    first, cut = some_of(unique.values(), most, None)
    return first, cut or end


def _indices(wanted: Filter, has: Callable[[str, str], bool]) -> dict[str, Having | None]:
    """The indices that can hold a fitting event, each with a test of which companies have one; None: any may."""

    def of_status(company: str) -> bool:
        return has(company, wanted.status)

    def of_cause(company: str) -> bool:
        return has(company, "held") or has(company, "retrying")

    having = of_status if wanted.status in UNSETTLED else of_cause if wanted.code else None
    return {index: having if index == "open" else None for index in wanted.indices}


def _from(ms: int) -> IndexEntry:
    """The place before all events listed at this time."""
    return IndexEntry("", "", EPOCH + timedelta(milliseconds=ms))
