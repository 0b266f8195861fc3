"""What happened in the ledgers, in order: what the feed tells its subscribers.

Names of topics and types: https://www.fortnox.se/developer/guides-and-good-to-know/websockets. Offsets are opaque and
count the events of all tenants.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.clock import Clock
from sandbox.http import Json

KEPT: Final = 200_000  # events; Fortnox keeps them for 14 days

TOPICS: Final = {
    "invoice": "invoices",
    "invoicepayment": "invoices",
    "reminder": "invoices",
    "supplier-invoice": "supplier-invoices",
    "customer": "customers",
    "project": "projects",
    "supplier": "suppliers",
    "cost-center": "cost-centers",
    "voucher": "vouchers",
    "financial-year": "financial-years",
    "account": "financial-years",  # not documented; probably here
}
SCOPES: Final = {
    "invoices": "invoice",
    "supplier-invoices": "supplierinvoice",
    "customers": "customer",
    "projects": "project",
    "suppliers": "supplier",
    "cost-centers": "costcenter",
    "vouchers": "bookkeeping",
    "financial-years": "bookkeeping",
}
SECOND_VERSIONS: Final = frozenset({"customer-updated"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One event. `number` counts all events; the offset hides it."""

    number: int
    topic: str
    type: str
    tenant: str
    tenant_id: int
    entity: str
    timestamp: str

    @property
    def offset(self) -> str:
        return offset_of(self.number)

    def as_json(self) -> Json:
        return {
            "topic": self.topic,
            "offset": self.offset,
            "type": self.type,
            "tenantId": self.tenant_id,
            "entityId": self.entity,
            "timestamp": self.timestamp,
        }


def offset_of(number: int) -> str:
    return f"x{number * 7919 + 104729:x}"


def number_of(offset: str) -> int | None:
    """The number of the event with this offset; None where it is no offset of ours."""
    try:
        number, rest = divmod(int(offset.removeprefix("x"), 16) - 104729, 7919)
    except ValueError:
        return None
    return None if rest or number < 0 else number


class Happenings:
    """The log, and whom to wake when it grows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: set[asyncio.Event] = set()
        self.clear()

    def clear(self) -> None:
        self.log: deque[Happening] = deque(maxlen=KEPT)
        self.last = 0

    def note(self, tenant: str, tenant_id: int, kind: str, entity: str, topic: str | None = None) -> Happening:
        """Add an event: `kind` without its version, such as `customer-updated`, or a whole type where `topic` says."""
        self.last += 1
        version = "" if topic else "-v2" if kind in SECOND_VERSIONS else "-v1"
        stem = kind.rpartition("-")[0]
        happening = Happening(
            self.last,
            topic or TOPICS[stem],
            f"{kind}{version}",
            tenant,
            tenant_id,
            entity,
            self._clock.local().isoformat(timespec="milliseconds"),
        )
        self.log.append(happening)
        for one in self.waiting:
            one.set()
        return happening

    def since(self, number: int) -> Iterator[Happening]:
        """The events after this one that are still kept."""
        first = self.last - len(self.log)
        return (self.log[place] for place in range(max(0, number - first), len(self.log)))
