"""When we last wrote each thing in a company's ledger: lists `own:<company>:<kind>:<number>` that expire after a day.

The feed tells of our own writes too. Times are by Fortnox's clock, which its events have as well.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from redis import Redis

KEPT: Final = timedelta(days=1)
MOST: Final = 10  # writes of one thing
SLACK: Final = timedelta(seconds=2)  # `Date`, by which Fortnox's clock is known, is in whole seconds


class OwnWrites:
    """The writes of all companies."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis: Any = redis
        self._prefix = prefix

    def note(self, company: str, kind: str, number: str, began: datetime, ended: datetime) -> None:
        """We wrote this thing within that time."""
        key = self._key(company, kind, number)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.lpush(key, f"{began.timestamp()} {ended.timestamp()}")
        pipeline.ltrim(key, 0, MOST - 1)
        pipeline.expire(key, KEPT)
        pipeline.execute()

    def explain(self, company: str, kind: str, number: str, at: datetime) -> bool:
        """Whether a write of ours made the change of that time."""
        slack, when = SLACK.total_seconds(), at.timestamp()
        found = (map(float, one.split()) for one in self._redis.lrange(self._key(company, kind, number), 0, -1))
        return any(began - slack <= when <= ended + slack for began, ended in found)

    def _key(self, company: str, kind: str, number: str) -> str:
        return f"{self._prefix}own:{company}:{kind}:{number}"
