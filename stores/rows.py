"""The accounts and VAT rates that a company's invoices use: `rows:<company>`, scored by when each was last used.

A connection is checked against it. It is a small cache and may be lost.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from redis import Redis

from ordering.queries import PREFIX

REMEMBERED = timedelta(days=90)


class UsedAccount(NamedTuple):
    """An account of invoice rows and the VAT rate of those rows, in percent."""

    number: int
    vat: Decimal


class UsedAccounts:
    """The used accounts of one company."""

    def __init__(self, redis: Redis, company: str, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}rows:{company}"

    def remember(self, used: Iterable[UsedAccount]) -> None:
        """Records that these are in use now."""
        now = datetime.now(UTC).timestamp()
        seen = {f"{account.number}/{account.vat.normalize():f}": now for account in used}
        if seen:
            self._redis.zadd(self._key, seen)

    def recent(self) -> set[UsedAccount]:
        """The accounts used in the last 90 days."""
        since = (datetime.now(UTC) - REMEMBERED).timestamp()
        found: Any = self._redis.zrange(self._key, int(since), "+inf", byscore=True)
        return {UsedAccount(int(number), Decimal(vat)) for number, _, vat in (one.partition("/") for one in found)}
