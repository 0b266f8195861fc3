"""When each part of the system last did something: the hash `heartbeats`, part → Redis' clock in seconds."""

import time
from datetime import timedelta
from typing import Final

from redis import Redis
from redis.client import Pipeline

from ordering.queries import PREFIX, answers

EVERY: Final = 5.0  # seconds between two heartbeats of a part in one process
PUMP: Final = "pump"
WORKER: Final = "worker"
MAIL: Final = "mail"
POLLS: Final = "polls"

TICK: Final = "return redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1])"


class Heartbeats:
    """Heartbeats of one process. A part that beat within the last `EVERY` seconds is not written again."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}heartbeats"
        self._writable = f"{prefix}health"
        self._written: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """Records that the part works. Raises `RedisError`."""
        with self._redis.pipeline(transaction=False) as pipeline:
            self.add(pipeline, part)
            pipeline.execute()

    def add(self, pipeline: Pipeline, part: str) -> None:
        """Adds the heartbeat to a pipeline."""
        now = time.monotonic()
        if now - self._written.get(part, -EVERY) >= EVERY:
            pipeline.eval(TICK, 1, self._key, part)
            self._written[part] = now

    def ages(self) -> dict[str, timedelta]:
        """How long ago each part last beat; a part that never did is left out."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key)
            pipeline.time()
            found, (now, _) = answers(pipeline, damaged={})
        return {part: timedelta(seconds=max(0, int(now) - int(at))) for part, at in found.items() if at.isdigit()}

    def check_writable(self, client: Redis) -> None:
        """Writes a key that expires. Raises `ResponseError` or `WrongNode` where Redis takes no writes."""
        client.set(self._writable, "", ex=60)
