"""The invoices that we transferred into a company's ledger, for what Fortnox tells of them later.

`transferred:<company>:<ledger>`           hash: invoice number → id of its event
`billed:<company>:<ledger>:<number>`       what was sent, compressed, and how Fortnox's answer differed; expires
"""

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from redis import Redis


class Billed(NamedTuple):
    """An invoice as it was transferred. `payload` is its JSON; `differences`: those that were there from the start."""

    event_id: str
    payload: str
    differences: tuple[str, ...]


class TransferredInvoices:
    """Those of one company's ledger (None: unknown)."""

    def __init__(
        self,
        redis: Redis,
        company: str,
        ledger: int | None,
        retention: timedelta = timedelta(days=90),
        prefix: str = "mf:",
    ) -> None:
        self._redis: Any = redis
        self._retention = retention
        self._key = f"{prefix}transferred:{company}:{ledger or ''}"
        self._billed = f"{prefix}billed:{company}:{ledger or ''}"

    def add(self, number: str, event_id: str, payload: str = "", differences: Iterable[str] = ()) -> None:
        """Remember the invoice and, with its `payload`, for the retention what was billed."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(self._key, number, event_id)
        if payload:
            text = json.dumps([event_id, payload, list(differences)]).encode()
            pipeline.set(f"{self._billed}:{number}", b85encode(zlib.compress(text)).decode(), ex=self._retention)
        pipeline.execute()

    def known(self, numbers: Iterable[str]) -> dict[str, str]:
        """The event of each of these invoices that we transferred."""
        asked = list(numbers)
        found = self._redis.hmget(self._key, asked) if asked else ()
        return {number: event for number, event in zip(asked, found, strict=True) if event is not None}

    def billed(self, number: str) -> Billed | None:
        found = self._redis.get(f"{self._billed}:{number}")
        if found is None:
            return None
        event_id, payload, differences = json.loads(zlib.decompress(b85decode(found)))
        return Billed(event_id, payload, tuple(differences))
