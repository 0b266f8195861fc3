"""The names of customers, for mails: an invoice's event carries only the customer's number.

A name expires 400 days after its last transfer; the mail then gives the number alone.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from redis import Redis

from ordering.queries import PREFIX

KEPT = timedelta(days=400)


class NameStore:
    """Names of all companies' customers: `name:<company>:<customer number>`."""

    def __init__(self, redis: Redis, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._prefix = prefix

    def remember(self, company: str, number: str, name: str) -> None:
        self._redis.set(self._key(company, number), name, ex=KEPT)

    def of(self, company: str, numbers: Iterable[str]) -> dict[str, str]:
        """The known names of these customers, by number."""
        asked = sorted(set(numbers))
        if not asked:
            return {}
        found: Any = self._redis.mget([self._key(company, number) for number in asked])
        return {number: name for number, name in zip(asked, found, strict=True) if name}

    def _key(self, company: str, number: str) -> str:
        return f"{self._prefix}name:{company}:{number}"
