"""Messages that the broker has redelivered, while a worker reads them: `redelivered:<digest>`, for a day."""

from datetime import timedelta
from typing import Final

from redis import Redis

from ordering.queries import PREFIX

REMEMBERED: Final = timedelta(days=1)


class Redeliveries:
    """Every method raises `RedisError`."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = f"{prefix}redelivered:"

    def begin(self, digest: str) -> bool:
        """Return False where a worker began with this message before, and never ended: it died of it."""
        return bool(self._redis.set(f"{self._prefix}{digest}", 1, nx=True, ex=REMEMBERED))

    def end(self, digest: str) -> None:
        self._redis.delete(f"{self._prefix}{digest}")
