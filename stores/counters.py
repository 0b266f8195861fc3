"""Counters for the metrics: one hash, `counters`, that all processes add to.

A field is `family|label|…`. A histogram has `family|label|…|bucket` (each observation in one bucket) and
`family|label|…|sum` (ms). Every label is one of a few values known to the program, never a company's or a producer's.
"""

from bisect import bisect_left
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline

from ordering.queries import PREFIX

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0, 86400.0)
BEYOND: Final = "+Inf"


class Tally(dict[str, int]):
    """Counts to add, by field."""

    def add(self, *field: str, by: int = 1) -> None:
        name = "|".join(field)
        self[name] = self.get(name, 0) + by

    def observe(self, *field: str, seconds: float) -> None:
        """Adds one observation to a histogram of durations."""
        at = bisect_left(SECONDS, seconds)
        self.add(*field, f"{SECONDS[at]:g}" if at < len(SECONDS) else BEYOND)
        self.add(*field, "sum", by=max(0, round(seconds * 1000)))


class Counters:
    """The counters of all processes."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self.key = f"{prefix}counters"

    def add(self, pipeline: Pipeline, tally: Tally) -> None:
        """Adds the tally to a pipeline, so that it costs no round trip of its own."""
        for field, by in tally.items():
            pipeline.hincrby(self.key, field, by)

    def count(self, *field: str) -> None:
        """Adds one at once. Raises `RedisError`."""
        self._redis.hincrby(self.key, "|".join(field), 1)

    def read(self) -> dict[tuple[str, ...], int]:
        """Everything counted since Redis was empty."""
        found: Any = self._redis.hgetall(self.key)
        return {tuple(field.split("|")): int(count) for field, count in found.items() if count.isdigit()}
