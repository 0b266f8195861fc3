"""The customers and projects we wrote to Fortnox, each with a digest: `link:<company>:<ledger>:<kind>`.

With it a changed customer or project costs one request, and an unchanged one none. It belongs to one ledger, by tenant
id. It is a cache: what it does not hold is looked up in Fortnox.
"""

from contextlib import nullcontext
from typing import NamedTuple

from redis import Redis

from config.redis_replicas import Confirmed
from ordering.queries import PREFIX
from stores.epoch import Epoch


class LinkRecord(NamedTuple):
    """The digest of what Fortnox was last given, or a mark of `delivery.upsert`: a write that may have landed.

    `outdated`: of an earlier epoch (`stores.epoch`), so Fortnox may have been given something else since.
    """

    digest: str
    outdated: bool = False


class LinkStore:
    """The links of one company's ledger (None: unknown). Implements `delivery.upsert.Links`."""

    def __init__(
        self, redis: Redis, company: str, ledger: int | None, prefix: str = PREFIX, confirmed: Confirmed = nullcontext
    ) -> None:
        """`confirmed`: as in `ConnectionStore`."""
        self._redis = redis
        self._confirmed = confirmed
        self._key = f"{prefix}link:{company}:{ledger or ''}"
        self._epoch = Epoch(redis, prefix)

    def remembered(self, kind: str, number: str) -> LinkRecord | None:
        """What was last written for this customer or project; None if unknown."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(f"{self._key}:{kind}", number)
            self._epoch.ask(pipeline)
            found, *answers = pipeline.execute()
        if found is None:
            return None
        epoch, digest = _parts(found)
        return LinkRecord(digest, outdated=epoch != self._epoch.answered(*answers))

    def remember(self, kind: str, number: str, digest: str, *, confirmed: bool = False) -> None:
        """`confirmed`: before a write in Fortnox, which an older state of this Redis must not be taken to precede."""
        epoch = self._epoch.began()
        with self._confirmed(self._redis) if confirmed else nullcontext(self._redis) as client:
            client.hset(f"{self._key}:{kind}", number, f"{epoch} {digest}" if epoch else digest)

    def forget(self, kind: str, number: str) -> None:
        """Makes the next write look in Fortnox first."""
        self._redis.hdel(f"{self._key}:{kind}", number)

    def forget_all(self) -> None:
        """Forgets everything about this ledger."""
        self._redis.delete(*(f"{self._key}:{kind}" for kind in ("customer", "project")))


def _parts(stored: str) -> tuple[int, str]:
    """The epoch in which it was recorded, and the digest."""
    epoch, _, digest = stored.partition(" ")
    return (int(epoch), digest) if epoch.isdecimal() else (0, stored)
