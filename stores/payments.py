"""The state of a company's payment polls: how far changes are listed, which invoices to look at, what Moment has.

Keys begin with `mf:payments:<company>:<ledger>:`.
  state     hash: `cursor`; of a listing under way, `started`, and of each list `page`, `total` and `passes`
  todo      sorted set: invoices to look at, by the time from which
  hinted    set: payments that the feed told of, whose invoice is to be found out
  sent      hash: invoice → what Moment has of it, by external id
  invoice   hash: payment → its invoice, of those that Moment has
  failed    hash: invoice → id of the failed event about it
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from redis import Redis


class PaymentStore:
    """Those of one company's ledger (None: unknown)."""

    def __init__(self, redis: Redis, company: str, ledger: int | None, prefix: str = "mf:") -> None:
        self._redis: Any = redis
        base = f"{prefix}payments:{company}:{ledger or ''}"
        self._state, self._todo, self._hinted = f"{base}:state", f"{base}:todo", f"{base}:hinted"
        self._sent, self._invoice, self._failed = f"{base}:sent", f"{base}:invoice", f"{base}:failed"

    # Listing

    @property
    def cursor(self) -> datetime | None:
        """Every change before this time is listed. None: nothing was ever listed."""
        return _moment(self._redis.hget(self._state, "cursor"))

    @property
    def started(self) -> datetime | None:
        """When the listing under way read its first page, by Fortnox's clock."""
        return _moment(self._redis.hget(self._state, "started"))

    def page(self, name: str) -> int:
        """The page of this list that comes next; 0 where it is read to its end."""
        return int(self._redis.hget(self._state, f"page:{name}") or 1)

    def read(self, name: str, following: int, started: datetime, total: int | None) -> None:
        """A page is read, and what is on it queued. `following`: as `page`; `total`: entries on all pages."""
        state = {f"page:{name}": following, "started": started.isoformat()}
        self._redis.hset(self._state, mapping=state if total is None else {**state, f"total:{name}": total})

    def total(self, name: str) -> int | None:
        """How many entries the list had when a page of it was last read; None before the first."""
        found = self._redis.hget(self._state, f"total:{name}")
        return None if found is None else int(found)

    def read_again(self, name: str, most: int) -> bool:
        """Read the list from its first page again, because it changed. False where that was done `most` times."""
        return int(self._redis.hincrby(self._state, f"passes:{name}", 1)) <= most

    def end_listing(self, names: Iterable[str], cursor: datetime) -> None:
        pipeline = self._redis.pipeline()
        fields = [f"{field}:{name}" for field in ("page", "total", "passes") for name in names]
        pipeline.hdel(self._state, "started", *fields)
        pipeline.hset(self._state, "cursor", cursor.isoformat())
        pipeline.execute()

    # Invoices to look at

    def add(self, invoices: Iterable[str], now: datetime) -> None:
        if places := {number: now.timestamp() for number in invoices}:
            self._redis.zadd(self._todo, places)

    def next(self, now: datetime) -> str | None:
        found = self._redis.zrangebyscore(self._todo, "-inf", now.timestamp(), start=0, num=1)
        return str(found[0]) if found else None

    def postpone(self, invoice: str, until: datetime) -> None:
        self._redis.zadd(self._todo, {invoice: until.timestamp()})

    def finish(self, invoice: str, began: datetime) -> None:
        """It was looked at. One that changed since then stays queued."""
        score = self._redis.zscore(self._todo, invoice)
        if score is not None and score <= began.timestamp():
            self._redis.zrem(self._todo, invoice)

    def hint(self, payments: Iterable[str]) -> None:
        if numbers := list(payments):
            self._redis.sadd(self._hinted, *numbers)

    def hinted(self) -> str | None:
        return self._redis.srandmember(self._hinted)  # type: ignore[no-any-return]

    def found_out(self, payment: str) -> None:
        self._redis.srem(self._hinted, payment)

    def invoice_of(self, payment: str) -> str | None:
        """The invoice of a payment that Moment has."""
        return self._redis.hget(self._invoice, payment)  # type: ignore[no-any-return]

    # What Moment has

    def sent(self, invoice: str) -> dict[str, str]:
        """What Moment has of the invoice: external id → digest; "?" where a write may have landed."""
        found = self._redis.hget(self._sent, invoice)
        return json.loads(found) if found else {}

    def known(self, invoices: Iterable[str]) -> frozenset[str]:
        """Those of which Moment has something."""
        numbers = list(invoices)
        found = self._redis.hmget(self._sent, numbers) if numbers else ()
        return frozenset(number for number, sent in zip(numbers, found, strict=True) if sent)

    def record_sent(self, invoice: str, sent: Mapping[str, str], payments: Iterable[str]) -> None:
        """Store what Moment has. `payments`: Fortnox's numbers of the invoice's payments."""
        pipeline = self._redis.pipeline()
        if sent:
            pipeline.hset(self._sent, invoice, json.dumps(dict(sent)))
        else:
            pipeline.hdel(self._sent, invoice)
        for number in payments:
            pipeline.hset(self._invoice, number, invoice)
        pipeline.execute()

    # Failures

    def failure(self, invoice: str) -> str | None:
        return self._redis.hget(self._failed, invoice)  # type: ignore[no-any-return]

    def set_failure(self, invoice: str, event_id: str | None) -> None:
        if event_id is None:
            self._redis.hdel(self._failed, invoice)
        else:
            self._redis.hset(self._failed, invoice, event_id)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
