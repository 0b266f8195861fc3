"""How often events had a field that is not of the contract, by its path: the hash `unknown-fields`, bounded."""

from collections.abc import Iterable
from typing import Any, Final

from redis import Redis

from ordering.queries import PREFIX

MOST: Final = 100  # paths counted apart: a producer chooses the names, and each is a series of a metric
OTHERS: Final = "(others)"

COUNT: Final = """
-- KEYS counts   ARGV how many paths are counted apart, the name of the others, paths
for i = 3, #ARGV do
  local apart = redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[1])
  redis.call('HINCRBY', KEYS[1], apart and ARGV[i] or ARGV[2], 1)
end
"""


class UnknownFields:
    """The counts of all processes."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}unknown-fields"

    def count(self, paths: Iterable[str]) -> None:
        """Add one to each path. Raises `RedisError`."""
        self._redis.eval(COUNT, 1, self._key, str(MOST), OTHERS, *paths)

    def read(self) -> dict[str, int]:
        """The counts since Redis was empty, by path."""
        found: Any = self._redis.hgetall(self._key)
        return {path: int(count) for path, count in found.items()}
