"""What exists in Fortnox because we wrote it, and a digest of what was last written: `link:<company>:<ledger>:<kind>`.

It is remembered of one ledger, by its tenant id: what one has says nothing of another that the company moves to. A
changed customer or project then costs one request and an unchanged one none. The store is a memory, not the truth:
what it does not know is looked up in Fortnox.
"""

from typing import Any, NamedTuple

from redis import Redis


class LinkRecord(NamedTuple):
    """The digest of what Fortnox was last given, or a mark of `delivery.upsert`: a write that may have landed."""

    digest: str


class LinkStore:
    """Links of one company's ledger (None: it is not known which). Implements `delivery.upsert.Links`."""

    def __init__(self, redis: Redis, company: str, ledger: int | None, prefix: str = "mf:") -> None:
        self._redis = redis
        self._key = f"{prefix}link:{company}:{ledger or ''}"

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """What was last written for this customer or project; None when nothing is known of it."""
        found: Any = self._redis.hget(f"{self._key}:{kind}", number)
        return None if found is None else LinkRecord(found)

    def remember(self, kind: str, number: str, digest: str) -> None:
        self._redis.hset(f"{self._key}:{kind}", number, digest)

    def forget(self, kind: str, number: str) -> None:
        """Whoever comes next looks in Fortnox before writing."""
        self._redis.hdel(f"{self._key}:{kind}", number)

    def forget_all(self) -> None:
        """As in a ledger that was never written to."""
        self._redis.delete(*(f"{self._key}:{kind}" for kind in ("customer", "project")))
