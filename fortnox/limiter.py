"""Fortnox's rate limit, shared by every worker: a moving window in Redis for each company. It never sleeps.

Fortnox allows 25 requests in any 5 seconds for a client and company
(https://www.fortnox.se/developer/guides-and-good-to-know/rate-limits-for-fortnox-api); bursts of 25 still see
429, so 24 is the default. One round trip when there is room, one more to say when there will be.
"""

import time
from typing import NamedTuple

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage

from fortnox.errors import Details, WindowFull

PREFIX = "fortnox:rate"
SHORTEST_WAIT = 0.001  # a slot is free only after its five seconds, not at them


class Room(NamedTuple):
    """How full a company's window is."""

    used: int
    free_in: float  # seconds until the next request has room; 0 when it has


class Limiter:
    """At most `requests` in any `seconds` seconds for a company, over all processes that share this Redis.

    Times are those of the workers' clocks; keep them synchronised (NTP): a skew shortens the window by as
    much.
    """

    def __init__(self, client: "redis.Redis", limit: tuple[int, int] = (24, 5)) -> None:
        self._requests, self._seconds = limit
        self._item = RateLimitItemPerSecond(self._requests, self._seconds, namespace="company")
        self._storage = RedisStorage("redis://", client.connection_pool, key_prefix=PREFIX)

    def acquire(self, company: str, leave: int = 0) -> None:
        """Takes one slot of the company's window, or raises `WindowFull` with the seconds until there is one.

        `leave` keeps that many slots free for others: work that is not urgent stands back for work that is.
        """
        allowed = max(1, self._requests - leave)
        # The strategy class would file a lower limit under a key of its own; the storage takes key and limit
        # apart.
        if not self._storage.acquire_entry(self._key(company), allowed, self._seconds):
            wait = self.room(company, leave).free_in
            raise WindowFull(Details(situation="", message="Our own limiter."), max(wait, SHORTEST_WAIT))

    def room(self, company: str, leave: int = 0) -> Room:
        """How full the window is now, and when it has room again."""
        allowed = max(1, self._requests - leave)
        oldest, used = self._storage.get_moving_window(self._key(company), allowed, self._seconds)
        # When the window is full, `oldest` is the entry whose leaving makes room.
        free_in = oldest + self._seconds - time.time() + SHORTEST_WAIT if used >= allowed else 0.0
        return Room(used, max(free_in, 0.0))

    def _key(self, company: str) -> str:
        return self._item.key_for(company)
