"""The names of a company's accounts: `chart:<company>`, number → name, for a day. A cache; it may be lost."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from redis import Redis

KEPT: Final = timedelta(days=1)


class Charts:
    """The charts of accounts of all companies."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def read(self, company: str) -> dict[str, str]:
        found: Any = self._redis.hgetall(self._key(company))
        return dict(sorted(found.items()))

    def write(self, company: str, names: Mapping[str, str]) -> None:
        with self._redis.pipeline() as pipeline:
            pipeline.delete(self._key(company))
            if names:
                pipeline.hset(self._key(company), mapping=dict(names))
                pipeline.expire(self._key(company), KEPT)
            pipeline.execute()

    def _key(self, company: str) -> str:
        return f"{self._prefix}chart:{company}"
