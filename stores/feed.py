"""What Fortnox's feed has told, in order, until it is acted on; how far it was read; and whether it is connected.

Keys, all beginning with `mf:feed:`.
  offsets          hash: topic → offset of the last event that is in `hints`
  hints            list: what changed, as JSON, oldest first
  looking          set: ordering keys of what is to be looked at, `acme/expenses`
  state            JSON that expires: what the listener says of itself
  heard            when the feed was last connected, in seconds since the epoch
  looked-back      hash: `<company>:<kind>` → when all that such events could have mended was last tried again
`reader` and `hints:reader` are the leases of the listener and of the dispatcher (`stores.locks`).
"""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from redis import Redis

from stores.counters import Counters, Tally

LISTENER: Final = "mf:feed"  # of the lease's key
DISPATCHER: Final = "mf:feed:hints"
SILENT_AFTER: Final = timedelta(seconds=15)  # then whoever listened is gone
MISSED: Final = (
    "missed"  # the verb of a hint that events of its kinds were missed: of its company, or of all if it is ""
)
LOOKS_BACK_EVERY: Final = timedelta(minutes=10)  # at most, for a company's events of one kind

# Removes the first entries of the list, unless another dispatcher has done so.
DROP: Final = """
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
return 1
"""


class Hint(NamedTuple):
    """Something changed in a company's ledger: a `kind` of thing, by its number. `at` is by Fortnox's clock.

    `received`: when the feed told it, by ours. `offset`: the event's, which it has each time it is told.
    """

    company: str
    kind: str
    verb: str
    number: str
    at: datetime
    received: datetime
    offset: str = ""

    def to_json(self) -> str:
        return json.dumps([*self[:4], self.at.timestamp(), self.received.timestamp(), self.offset])

    @classmethod
    def from_json(cls, text: str) -> "Hint":
        company, kind, verb, number, at, received, *offset = json.loads(text)
        times = (datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(received, UTC))
        return cls(company, kind, verb, number, *times, *offset)


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the listener said of itself within the last 15 s. `why`: why it is not connected."""

    connected: bool
    worker: str
    companies: int = 0
    since: float = 0.0  # seconds since the epoch
    why: str = ""


class FeedStore:
    """Methods raise `RedisError`."""

    def __init__(self, redis: Redis, counters: Counters, prefix: str = "mf:") -> None:
        self._redis: Any = redis
        self._counters = counters
        self._base = f"{prefix}feed"
        self._hints = f"{self._base}:hints"
        self._drop = redis.register_script(DROP)

    # The listener's

    def offsets(self) -> dict[str, str]:
        return self._redis.hgetall(f"{self._base}:offsets")  # type: ignore[no-any-return]

    def take(self, hints: Iterable[Hint], offsets: Mapping[str, str], tally: Tally) -> int:
        """Keep the hints, and then how far the feed was read, in one step. Return how many hints wait."""
        texts = [hint.to_json() for hint in hints]
        pipeline = self._redis.pipeline(transaction=True)
        if texts:
            pipeline.rpush(self._hints, *texts)
        if offsets:
            pipeline.hset(f"{self._base}:offsets", mapping=dict(offsets))
        self._counters.add(pipeline, tally)
        pipeline.llen(self._hints)
        return int(pipeline.execute()[-1])

    def say(self, state: FeedState) -> None:
        text = json.dumps([state.connected, state.worker, state.companies, state.since, state.why])
        self._redis.set(f"{self._base}:state", text, ex=SILENT_AFTER)
        if state.connected:
            self._redis.set(f"{self._base}:heard", time.time())

    def heard(self) -> datetime | None:
        """When the feed was last connected."""
        found = self._redis.get(f"{self._base}:heard")
        return datetime.fromtimestamp(float(found), UTC) if found else None

    def state(self) -> FeedState | None:
        """None where nobody listens."""
        found = self._redis.get(f"{self._base}:state")
        return FeedState(*json.loads(found)) if found else None

    # The dispatcher's

    def waiting(self, most: int) -> list[str]:
        """The oldest hints, as they are kept."""
        return list(self._redis.lrange(self._hints, 0, most - 1))

    def length(self) -> int:
        return int(self._redis.llen(self._hints))

    def drop(self, done: Sequence[str]) -> bool:
        """Remove these, the oldest. False where they were removed by another dispatcher."""
        return bool(self._drop(keys=[self._hints], args=[done[0], len(done)])) if done else True

    def to_look_back(self, company: str, kinds: Collection[str], now: datetime) -> frozenset[str]:
        """The kinds of which missed events are to be made good: all but those that were, within `LOOKS_BACK_EVERY`."""
        asked = sorted(kinds)
        last = self._redis.hmget(f"{self._base}:looked-back", [f"{company}:{kind}" for kind in asked])
        least = (now - LOOKS_BACK_EVERY).timestamp()
        return frozenset(kind for kind, at in zip(asked, last, strict=True) if at is None or float(at) <= least)

    def looked_back(self, company: str, kinds: Iterable[str], now: datetime) -> None:
        """The missed events of these kinds were made good. To be called afterwards: else a crash would skip them."""
        times = {f"{company}:{kind}": now.timestamp() for kind in kinds}
        self._redis.hset(f"{self._base}:looked-back", mapping=times)

    def look(self, key: str) -> None:
        """Something of this ordering key is to be looked at."""
        self._redis.sadd(f"{self._base}:looking", key)

    def looked(self, key: str) -> None:
        """A transfer of this ordering key has begun to look."""
        self._redis.srem(f"{self._base}:looking", key)

    def looking(self) -> frozenset[str]:
        return frozenset(self._redis.smembers(f"{self._base}:looking"))
