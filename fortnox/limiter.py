"""Fortnox's rate limit, shared by every worker: a moving window in Redis for each company. It never sleeps.

Fortnox allows 25 requests in any 5 seconds for a client and company
(https://www.fortnox.se/developer/guides-and-good-to-know/rate-limits-for-fortnox-api); bursts of 25 still see
429, so 24 is the default. One round trip when there is room, one more to say when there will be.
"""

import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage

from fortnox.errors import Details, WindowFull

PREFIX = "fortnox:rate"
SHORTEST_WAIT = 0.001  # seconds; a slot is free only after its time, not at it
# Our window is this much longer than Fortnox's, as requests arrive unevenly: when a full window empties, the first of
# the next burst would overtake the last of the one before, and Fortnox would count 26. Of 24 requests that eight
# processes on two cores send in one moment, the last arrives a tenth of a second after the first
# (bench/workloads/invoices.py).
UNEVEN = 0.1
TICK = 0.1  # seconds; limits takes a window's length as a whole number


class Window(NamedTuple):
    """How full a company's window is."""

    used: int
    free_in: float  # seconds until the next request has room; 0 when it has


class RedisClock:
    """The time by Redis' clock, in seconds since the epoch: a worker's own may be off by minutes.

    Redis is asked now and then; in between this process's monotonic clock goes on from there.
    """

    ASKED_EVERY: Final = 30.0  # seconds

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._ahead = 0.0
        self._good_until = float("-inf")

    def __call__(self) -> float:
        asked = time.monotonic()
        if asked > self._good_until:
            answer: Any = self._redis.time()
            seconds, microseconds = answer
            now = time.monotonic()
            self._ahead = seconds + microseconds / 1e6 - (asked + now) / 2
            self._good_until = now + self.ASKED_EVERY
            return now + self._ahead
        return asked + self._ahead


class SharedStorage(RedisStorage):
    """limits' storage in Redis, on Redis' clock: limits takes that of each process. Its times are in heartbeats."""

    def __init__(self, client: "redis.Redis") -> None:
        super().__init__("redis://", client.connection_pool, key_prefix=PREFIX)
        self._clock = RedisClock(client)

    def clock(self) -> float:
        return self._clock() / TICK

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return bool(self.lua_acquire_moving_window([self.prefixed_key(key)], [self.clock(), limit, expiry, amount]))

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self.clock()
        found = self.lua_moving_window([self.prefixed_key(key)], [now - expiry, limit])
        return (float(found[0]), found[1]) if found else (now, 0)


class Limiter:
    """At most `requests` in any `seconds` seconds for a company, over all processes that share this Redis."""

    def __init__(self, client: "redis.Redis", limit: tuple[int, int] = (24, 5)) -> None:
        self._requests, seconds = limit
        self._window = round((seconds + UNEVEN) / TICK)
        self._item = RateLimitItemPerSecond(self._requests, seconds, namespace="company")
        self._storage = SharedStorage(client)

    def acquire(self, company: str, leave: int = 0) -> None:
        """Takes one slot of the company's window, or raises `WindowFull` with the seconds until there surely is one.

        `leave` keeps that many slots free for others: work that is not urgent stands back for work that is.
        """
        allowed = max(1, self._requests - leave)
        # The strategy class would file a lower limit under a key of its own; the storage takes key and limit
        # apart.
        if not self._storage.acquire_entry(self._key(company), allowed, self._window):
            raise _full(self.window(company, leave))

    def check(self, company: str) -> None:
        """Raises `WindowFull` where there is no room now: for before work that a request is to follow."""
        if (window := self.window(company)).free_in:
            raise _full(window)

    def window(self, company: str, leave: int = 0) -> Window:
        """How full the window is now, and when it has room again."""
        allowed = max(1, self._requests - leave)
        oldest, used = self._storage.get_moving_window(self._key(company), allowed, self._window)
        if used < allowed:
            return Window(used, 0.0)
        # When the window is full, `oldest` is the entry whose leaving makes room.
        free_in = (oldest + self._window - self._storage.clock()) * TICK
        return Window(used, max(free_in, 0.0) + SHORTEST_WAIT)

    def used(self, companies: Iterable[str]) -> dict[str, float]:
        """The share (0 to 1) of each company's window that is used now, for the metrics; in one round trip."""
        names = list(companies)
        since = self._storage.clock() - self._window
        # The storage keeps a list of times, newest first, of which it tells one company's alone.
        client = self._storage.storage
        with client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.lrange(self._storage.prefixed_key(self._key(name)), 0, -1)
            windows = pipeline.execute()
        return {
            name: sum(float(at) >= since for at in window) / self._requests
            for name, window in zip(names, windows, strict=True)
        }

    def _key(self, company: str) -> str:
        return self._item.key_for(company)


def _full(window: Window) -> WindowFull:
    return WindowFull(Details(situation="", message="Our own limiter."), window.free_in)
