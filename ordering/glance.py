"""Quick looks over many companies at once, for pages: which events failed, and how many ended in each hour."""

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ordering.queries import Queries
from ordering.records import to_epoch_ms, to_time

HOURS: Final = 24


class FailedRef(NamedTuple):
    """A failed event and when it failed. One that fails again has another time."""

    company: str
    id: str
    at: datetime


class Hour(NamedTuple):
    """How many events ended in an hour."""

    done: int
    failed: int


def failed_refs(ordering: Queries, companies: Iterable[str]) -> list[FailedRef]:
    """Every failed event of these companies, in one round trip."""
    names = list(companies)
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zrange(f"{ordering.prefix}company-failed:{name}", 0, -1, withscores=True)
        found = pipeline.execute()
    return [
        FailedRef(name, event_id, to_time(score))
        for name, entries in zip(names, found, strict=True)
        for event_id, score in entries
    ]


def last_hours(ordering: Queries, companies: Iterable[str], now: datetime) -> dict[str, list[Hour]]:
    """For each company, the events that ended in each of the last 24 hours, the oldest hour first. One round trip."""
    names, first = list(companies), now - timedelta(hours=HOURS)
    bounds = [to_epoch_ms(first + timedelta(hours=hour)) for hour in range(HOURS + 1)]
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            for index in ("done", "failed"):
                for since, until in itertools.pairwise(bounds):
                    pipeline.zcount(f"{ordering.prefix}company-{index}:{name}", since, f"({until}")
        found: list[Any] = pipeline.execute()
    return {
        name: [
            Hour(*pair)
            for pair in zip(
                found[at * 2 * HOURS : (at * 2 + 1) * HOURS],
                found[(at * 2 + 1) * HOURS : (at + 1) * 2 * HOURS],
                strict=True,
            )
        ]
        for at, name in enumerate(names)
    }
