"""What a company's customers are called, for the mails: an invoice's event carries only the customer's number.

A memory that fades: a name that was not transferred for 400 days is forgotten, and the mail gives the number alone.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from redis import Redis

KEPT = timedelta(days=400)


class NameStore:
    """Names of all companies' customers: `name:<company>:<customer number>`."""

    def __init__(self, redis: Redis, prefix: str = "mf:") -> None:
        self._redis = redis
        self._prefix = prefix

    def remember(self, company: str, number: str, name: str) -> None:
        self._redis.set(self._key(company, number), name, ex=KEPT)

    def of(self, company: str, numbers: Iterable[str]) -> dict[str, str]:
        """The names of those of these that have one."""
        asked = sorted(set(numbers))
        if not asked:
            return {}
        found: Any = self._redis.mget([self._key(company, number) for number in asked])
        return {number: name for number, name in zip(asked, found, strict=True) if name}

    def _key(self, company: str, number: str) -> str:
        return f"{self._prefix}name:{company}:{number}"
