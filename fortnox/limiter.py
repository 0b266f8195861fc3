"""Fortnox's rate limit, shared by all workers: a moving window in Redis for each company. It never sleeps.

Fortnox allows 25 requests in any 5 seconds for a client and company
(https://www.fortnox.se/developer/guides-and-good-to-know/rate-limits-for-fortnox-api). Bursts of 25 still see 429, so
24 is the default. A request costs one round trip, and one more to learn how long to wait if the window is full.
"""

import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage

from fortnox.errors import Details, WindowFull

PREFIX = "fortnox:rate"
SHORTEST_WAIT = 0.001  # seconds; a slot is free after its time, not at it
# Seconds that our window is longer than Fortnox's. Requests arrive unevenly: the first of a new burst would overtake
# the last of the burst before, and Fortnox would count 26. When eight processes on two cores send 24 requests at once,
# the last arrives a tenth of a second after the first (bench/workloads/invoices.py).
MARGIN = 0.1
AHEAD = 10  # ticks; the processes' readings of the clock differ by less
TICK = 0.1  # seconds; limits wants a window's length as a whole number


class Window(NamedTuple):
    """How full a company's window is."""

    used: int
    free_in: float  # seconds until the next request is allowed; 0 if it is now


class RedisClock:
    """Redis' clock, in seconds since the epoch, since a worker's own may be minutes off.

    Redis is asked every 30 seconds; in between, this process's monotonic clock continues from its answer.
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
    """limits' storage in Redis, by Redis' clock instead of each process's. Times are in ticks."""

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
    """Allows `limit` = (requests, seconds): so many requests of a company in any such time, over all processes."""

    def __init__(self, client: "redis.Redis", limit: tuple[int, int] = (24, 5)) -> None:
        self._requests, seconds = limit
        self._window = round((seconds + MARGIN) / TICK)
        self._item = RateLimitItemPerSecond(self._requests, seconds, namespace="company")
        self._storage = SharedStorage(client)

    def acquire(self, company: str, leave: int = 0) -> None:
        """Take one slot of the company's window. Raises `WindowFull` with the seconds until one is free.

        `leave` slots stay free for more urgent work.
        """
        allowed = max(1, self._requests - leave)
        # limits' strategy class would keep a lower limit under a key of its own. The storage takes key and limit apart.
        while not self._storage.acquire_entry(self._key(company), allowed, self._window):
            window = self.window(company, leave)
            if window.free_in:
                raise _full(window)

    def check(self, company: str) -> None:
        """Raises `WindowFull` if no request is allowed now. Ask before work that ends in a request."""
        if (window := self.window(company)).free_in:
            raise _full(window)

    def window(self, company: str, leave: int = 0) -> Window:
        """Return how full the window is, and when the next request is allowed."""
        allowed = max(1, self._requests - leave)
        oldest, used = self._storage.get_moving_window(self._key(company), allowed, self._window)
        if oldest > self._storage.clock() + AHEAD:  # Redis' clock was set back. At worst Fortnox says 429.
            self._storage.clear(self._key(company))
            return Window(0, 0.0)
        if used < allowed:
            return Window(used, 0.0)
        # `oldest` is the entry that must expire first.
        free_in = (oldest + self._window - self._storage.clock()) * TICK
        return Window(used, max(free_in, 0.0) + SHORTEST_WAIT)

    def used(self, companies: Iterable[str]) -> dict[str, float]:
        """Return the used share (0 to 1) of each company's window, in one round trip. For the metrics."""
        names = list(companies)
        since = self._storage.clock() - self._window
        # The storage answers for one company at a time, so its lists of times (newest first) are read here.
        client = self._storage.storage
        with client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.lrange(self._storage.prefixed_key(self._key(name)), 0, -1)
            windows = pipeline.execute(raise_on_error=False)
        if broken := next((one for one in windows if isinstance(one, Exception) and "WRONGTYPE" not in str(one)), None):
            raise broken
        return {
            name: sum(float(at) >= since for at in window) / self._requests
            for name, window in zip(names, windows, strict=True)
            if not isinstance(window, Exception)  # a damaged key
        }

    def _key(self, company: str) -> str:
        return self._item.key_for(company)


def _full(window: Window) -> WindowFull:
    return WindowFull(Details(situation="", message="Our own limiter."), window.free_in)
