"""What is to be looked at in a company's ledger because something changed there: the sorted set `looks:<company>`, by
the time from which.
"""

from datetime import datetime
from typing import Any

from redis import Redis


class LookStore:
    """The looks of one company. Each is a kind and a number, `invoice/1001`, or a kind alone."""

    def __init__(self, redis: Redis, company: str, prefix: str = "mf:") -> None:
        self._redis: Any = redis
        self._key = f"{prefix}looks:{company}"

    def add(self, look: str, at: datetime) -> None:
        self._redis.zadd(self._key, {look: at.timestamp()})

    def next(self, now: datetime) -> str | None:
        """The look that has been due for longest."""
        found = self._redis.zrangebyscore(self._key, "-inf", now.timestamp(), start=0, num=1)
        return str(found[0]) if found else None

    def done(self, look: str, began: datetime) -> None:
        """It was looked at. One that was asked for since then stays."""
        score = self._redis.zscore(self._key, look)
        if score is not None and score <= began.timestamp():
            self._redis.zrem(self._key, look)
