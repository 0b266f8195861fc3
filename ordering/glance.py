"""Quick looks over many companies at once, for pages: which events failed, and how many ended in each hour."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ordering.queries import Queries, answers
from ordering.records import to_epoch_ms, to_time

HOURS: Final = 24

# One command for a company instead of 48.
COUNT: Final = """
-- KEYS indices  ARGV bounds, ms, ascending  returns for each index the number between each two bounds
local answer = {}
for i, key in ipairs(KEYS) do
  answer[i] = {}
  for at = 1, #ARGV - 1 do answer[i][at] = redis.call('ZCOUNT', key, ARGV[at], '(' .. ARGV[at + 1]) end
end
return answer
"""


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
        found = answers(pipeline, damaged=())
    return [
        FailedRef(name, event_id, to_time(score))
        for name, entries in zip(names, found, strict=True)
        for event_id, score in entries
    ]


def newest_times(ordering: Queries, companies: Iterable[str]) -> dict[str, datetime | None]:
    """When each company's newest open event was accepted, in one round trip."""
    names = list(companies)
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zrange(f"{ordering.prefix}company-open:{name}", -1, -1, withscores=True)
        found = answers(pipeline)
    return {name: to_time(some[0][1]) if some else None for name, some in zip(names, found, strict=True)}


def last_hours(ordering: Queries, companies: Iterable[str], now: datetime) -> dict[str, list[Hour]]:
    """For each company, the events that ended in each of the last 24 hours, the oldest hour first. One round trip."""
    names, first = list(companies), now - timedelta(hours=HOURS)
    bounds = [to_epoch_ms(first + timedelta(hours=hour)) for hour in range(HOURS + 1)]
    count = ordering.redis.register_script(COUNT)
    with ordering.redis.pipeline(transaction=False) as pipeline:
        for name in names:
            keys = [f"{ordering.prefix}company-{index}:{name}" for index in ("done", "failed")]
            count(keys=keys, args=bounds, client=pipeline)
        found = answers(pipeline, damaged=[[0] * HOURS] * 2)
    return {
        name: [Hour(*pair) for pair in zip(*counts, strict=True)] for name, counts in zip(names, found, strict=True)
    }
