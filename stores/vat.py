"""What is known of VAT in a company's ledger, so that the remarks on VAT normally cost no request.

`vat:<company>:<ledger>:accounts` has the VAT code of each account, `…:cards` what customers' cards say, `…:set` a
digest of the VAT number that we set on a card, `…:told` the event that told each remark. The first two are caches: an
answer is good for `GOOD_FOR`.
"""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from redis import Redis

from mappers.vat import VatCard
from ordering.queries import PREFIX

GOOD_FOR = timedelta(days=30)
TOLD_FOR = timedelta(days=365)  # after that a remark is told again


class VatStore:
    """What is known of one company's ledger (None: unknown)."""

    def __init__(self, redis: Redis, company: str, ledger: int | None, prefix: str = PREFIX) -> None:
        self._redis = redis
        self._key = f"{prefix}vat:{company}:{ledger or ''}"

    def codes(self, accounts: Iterable[int]) -> dict[int, str]:
        """The VAT codes of those of these accounts that are known; "" for one without."""
        asked = sorted(set(accounts))
        found: Any = self._redis.hmget(f"{self._key}:accounts", [str(number) for number in asked]) if asked else []
        return {number: code for number, text in zip(asked, found, strict=True) if (code := _fresh(text)) is not None}

    def remember_codes(self, codes: Mapping[int, str]) -> None:
        if codes:
            key, now = f"{self._key}:accounts", time.time()
            self._redis.hset(key, mapping={str(number): json.dumps([now, code]) for number, code in codes.items()})
            self._redis.expire(key, GOOD_FOR)

    def card(self, customer: str) -> VatCard | None:
        """What the customer's card says; None if that is not known."""
        found = _fresh(self._redis.hget(f"{self._key}:cards", customer))
        return None if found is None else VatCard(*found)

    def remember_card(self, customer: str, card: VatCard) -> None:
        self._redis.hset(f"{self._key}:cards", customer, json.dumps([time.time(), card]))

    def set_by_us(self, customer: str) -> str | None:
        """The digest of the VAT number that we set on the customer's card; None if we set none."""
        found: Any = self._redis.hget(f"{self._key}:set", customer)
        return found if found is None else str(found)

    def remember_set(self, customer: str, digest: str) -> None:
        self._redis.hset(f"{self._key}:set", customer, digest)

    def told_by(self, subject: str) -> str | None:
        """The id of the event that told a person of this subject."""
        found = _fresh(self._redis.hget(f"{self._key}:told", subject), TOLD_FOR)
        return None if found is None else str(found)

    def told(self) -> list[str]:
        """All subjects that a person was told of."""
        found: Any = self._redis.hgetall(f"{self._key}:told")
        return sorted(subject for subject, text in found.items() if _fresh(text, TOLD_FOR) is not None)

    def tell(self, subject: str, event_id: str) -> None:
        """Record that this event tells of the subject."""
        self._redis.hset(f"{self._key}:told", subject, json.dumps([time.time(), event_id]))


def _fresh(text: Any, good_for: timedelta = GOOD_FOR) -> Any:
    """The stored value, or None if it is missing or too old."""
    if text is None:
        return None
    at, value = json.loads(text)
    return value if abs(time.time() - at) < good_for.total_seconds() else None
