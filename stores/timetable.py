"""When each company is polled and reconciled next: one sorted set for each, read at one end.

A company's code decides its slot in the interval, so a thousand companies are spread over it.
"""

import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from redis import Redis

from ordering.queries import PREFIX

SWEDEN = ZoneInfo("Europe/Stockholm")
NIGHT_STARTS, NIGHT_LASTS = time(1, 0), timedelta(hours=4)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

NextSlot = Callable[[str, datetime], datetime]


def phase(company: str) -> float:
    """The company's place in every interval, 0 to 1."""
    return zlib.crc32(company.encode()) / 2**32


def every(interval: timedelta) -> NextSlot:
    """A slot in each interval."""

    def next_slot(company: str, after: datetime) -> datetime:
        first = EPOCH + phase(company) * interval
        return first + ((after - first) // interval + 1) * interval

    return next_slot


def nightly(company: str, after: datetime) -> datetime:
    """The company's first slot after `after`: once each night from 1 to 5 o'clock, Swedish time."""
    day = after.astimezone(SWEDEN).date() - timedelta(days=1)
    while True:
        slot = datetime.combine(day, NIGHT_STARTS, SWEDEN).astimezone(UTC) + phase(company) * NIGHT_LASTS
        if slot > after:
            return slot
        day += timedelta(days=1)


class Timetable:
    """Which company is due when, for one kind of job."""

    def __init__(self, redis: Redis, name: str, next_slot: NextSlot, prefix: str = PREFIX) -> None:
        self._redis: Any = redis
        self._key = f"{prefix}timetable:{name}"
        self._next_slot = next_slot

    def add(self, company: str, now: datetime) -> None:
        """Schedules the company, unless it is scheduled already."""
        self._redis.zadd(self._key, {company: self._next_slot(company, now).timestamp()}, nx=True)

    def remove(self, company: str) -> None:
        self._redis.zrem(self._key, company)

    def due(self, now: datetime, most: int) -> list[str]:
        """At most `most` companies that are due, the longest due first."""
        found = self._redis.zrangebyscore(self._key, "-inf", now.timestamp(), start=0, num=most)
        return [str(company) for company in found]

    def done(self, companies: Iterable[str], now: datetime) -> None:
        """Schedules these for their next slot. Missed slots are not made up for."""
        slots = {company: self._next_slot(company, now).timestamp() for company in companies}
        if slots:
            self._redis.zadd(self._key, slots, xx=True)

    def next(self, company: str) -> datetime | None:
        """When the company is due next; None if it is not scheduled."""
        found = self._redis.zscore(self._key, company)
        return None if found is None else datetime.fromtimestamp(found, UTC)

    def companies(self) -> frozenset[str]:
        return frozenset(self._redis.zrange(self._key, 0, -1))

    def __len__(self) -> int:
        return int(self._redis.zcard(self._key))
