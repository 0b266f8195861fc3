"""The customers and projects we wrote to Fortnox, each with a digest: `link:<company>:<ledger>:<kind>`.

With it a changed customer or project costs one request, and an unchanged one none. It belongs to one ledger, by tenant
id. It is a cache: what it does not hold is looked up in Fortnox.
"""

from typing import Any, NamedTuple

from redis import Redis

from ordering.queries import PREFIX


class LinkRecord(NamedTuple):
    """The digest of what Fortnox was last given, or a mark of `delivery.upsert`: a write that may have landed."""

    digest: str


class LinkStore:
    """The links of one company's ledger (None: unknown). Implements `delivery.upsert.Links`."""

    def __init__(self, redis: Redis, company: str, ledger: int | None, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}link:{company}:{ledger or ''}"

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """What was last written for this customer or project; None if unknown."""
        found: Any = self._redis.hget(f"{self._key}:{kind}", number)
        return None if found is None else LinkRecord(found)

    def remember(self, kind: str, number: str, digest: str) -> None:
        self._redis.hset(f"{self._key}:{kind}", number, digest)

    def forget(self, kind: str, number: str) -> None:
        """Makes the next write look in Fortnox first."""
        self._redis.hdel(f"{self._key}:{kind}", number)

    def forget_all(self) -> None:
        """Forgets everything about this ledger."""
        self._redis.delete(*(f"{self._key}:{kind}" for kind in ("customer", "project")))
