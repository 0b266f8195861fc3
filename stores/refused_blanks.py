"""That a company's ledger refuses `API_BLANK` on a new invoice: `noblank:<company>:<ledger>`.

Found out once, it saves each later invoice the refused request. It is a cache and may be lost; it is asked again after
30 days, since Fortnox may have changed.
"""

from datetime import timedelta

from redis import Redis

from ordering.queries import PREFIX

REMEMBERED = timedelta(days=30)


class RefusedBlanks:
    """What is known of one company's ledger (None: unknown)."""

    def __init__(self, redis: Redis, company: str, ledger: int | None, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}noblank:{company}:{ledger or ''}"

    def known(self) -> bool:
        """Whether the ledger has refused one in the last 30 days."""
        return bool(self._redis.exists(self._key))

    def remember(self) -> None:
        """Records that the ledger takes the invoice without them, and refused it with them."""
        self._redis.set(self._key, "1", ex=REMEMBERED)
