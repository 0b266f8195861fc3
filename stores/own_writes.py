"""When we last wrote each thing in a company's ledger. The feed tells of our own writes too.

Keys, which expire after a day; times are by Fortnox's clock, which its events have as well.
  own:<company>:<kind>:<number>         sorted set: `<began> <ended> <verb>` of the writes, by their end
  own:<company>:told:<kind>:<number>    hash: event of the feed → the write that it told of
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from redis import Redis

from stores.feed import Hint

KEPT: Final = timedelta(days=1)
SLACK: Final = timedelta(seconds=2)  # `Date`, by which Fortnox's clock is known, is in whole seconds


class OwnWrites:
    """The writes of all companies."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis: Any = redis
        self._prefix = prefix

    def note(self, company: str, kind: str, number: str, verb: str, began: datetime, ended: datetime) -> None:
        """We wrote this thing within that time. `verb`: as the feed tells of such a write."""
        key = self._key(company, kind, number)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zadd(key, {f"{began.timestamp()} {ended.timestamp()} {verb}": ended.timestamp()})
        pipeline.zremrangebyscore(key, "-inf", (ended - KEPT).timestamp())
        pipeline.expire(key, KEPT)
        pipeline.execute()

    def explain(self, hint: Hint) -> bool:
        """Whether a write of ours made this change. A write explains one event, so that a person's is not taken for it.

        The answer for an event stays the same, however often it is told.
        """
        told_key = self._key(hint.company, f"told:{hint.kind}", hint.number)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrange(self._key(hint.company, hint.kind, hint.number), 0, -1)
        pipeline.hgetall(told_key)
        writes, told = pipeline.execute()
        if not writes:
            return False
        event = f"{hint.verb} {hint.offset} {hint.at.timestamp()}"
        if event in told:
            return True
        write = explaining(hint.verb, hint.at, writes, told.values())
        if write is None:
            return False
        pipeline.hset(told_key, event, write)
        pipeline.expire(told_key, KEPT)
        pipeline.execute()
        return True

    def _key(self, company: str, kind: str, number: str) -> str:
        return f"{self._prefix}own:{company}:{kind}:{number}"


def explaining(verb: str, at: datetime, writes: Collection[str], told: Collection[str]) -> str | None:
    """The write of that verb and time that no other event told of. Pure."""
    slack, when = SLACK.total_seconds(), at.timestamp()
    for write in writes:
        began, ended, wrote = write.split()
        if wrote == verb and write not in told and float(began) - slack <= when <= float(ended) + slack:
            return write
    return None
