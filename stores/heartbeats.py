"""When each part last showed that it moves: the hash `heartbeats`, part → seconds since the epoch by Redis' clock."""

import time
from datetime import timedelta
from typing import Final

from redis import Redis
from redis.client import Pipeline

EVERY: Final = 5.0  # seconds: a part of one process writes no more often
PUMP: Final = "pump"
WORKER: Final = "worker"
MAIL: Final = "mail"
POLLS: Final = "polls"

TICK: Final = "return redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1])"


class Heartbeats:
    """One for a process; what it wrote lately it does not write again."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._key = f"{prefix}heartbeats"
        self._written: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """The part moves. Raises `RedisError`."""
        with self._redis.pipeline(transaction=False) as pipeline:
            self.add(pipeline, part)
            pipeline.execute()

    def add(self, pipeline: Pipeline, part: str) -> None:
        """The same along with what else is written."""
        now = time.monotonic()
        if now - self._written.get(part, -EVERY) >= EVERY:
            pipeline.eval(TICK, 1, self._key, part)
            self._written[part] = now

    def ages(self) -> dict[str, timedelta]:
        """How long ago each part last moved; one that never did is left out."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key)
            pipeline.time()
            found, (now, _) = pipeline.execute()
        return {part: timedelta(seconds=max(0, int(now) - int(at))) for part, at in found.items()}
