"""The events that a workload publishes, in order. Pure: the same arguments give the same plan."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, zip_longest
from typing import Any
from uuid import UUID

RETRY_AFTER = 0.5  # s


@dataclass(frozen=True, slots=True)
class Planned:
    """One event. `number` is its key within the company; `at` is when it is to be published, s after the start."""

    id: str
    company: str
    number: int
    work_ms: int = 0
    fails: bool = False
    at: float = 0.0

    @property
    def key(self) -> str:
        return f"{self.company}/{self.number}"

    @property
    def event(self) -> dict[str, Any]:
        """The published event: an invoice, since invoices are never superseded."""
        return {
            "id": self.id,
            "company": self.company,
            "type": "invoice.finalized",
            "occurredAt": "2026-11-20T09:00:00Z",
            "invoice": {
                "id": 106_939_000 + self.number,
                "invoiceNumber": self.number,
                "description": f"{self.work_ms} {int(self.fails)}",  # read by `bench.handler`
                "customer": {"id": 62_788_973, "customerNumber": f"C{self.number}"},
                "project": {"id": 62_788_980, "projectNumber": f"P{self.number}"},
                "invoiceDate": "2026-11-20",
                "dueDate": "2026-12-20",
                "currencyCode": "SEK",
                "totalIncludingVat": "12500.00",
                "lines": [{"accountNumber": "3010", "vatPercentage": "25", "amountExcludingVat": "10000.00"}],
            },
        }

    @property
    def size(self) -> int:
        """Bytes of its JSON."""
        return len(json.dumps(self.event, separators=(",", ":")))


Plan = Sequence[Planned]


def spread(
    events: int,
    *,
    keys: int,
    companies: int,
    work_ms: int = 0,
    failing: int = 0,
    name: str = "c",
    first_number: int = 1,
    seed: int = 1,
) -> list[Planned]:
    """Spread `events` evenly over the keys, and the keys over the companies. `failing` random events fail once."""
    chance = random.Random(f"{name} {events} {keys} {seed}")
    unlucky = set(chance.sample(range(events), failing))
    return [
        Planned(
            id=str(UUID(int=chance.getrandbits(128), version=4)),
            company=f"{name}{at % keys % companies:02}",
            number=first_number + at % keys,
            work_ms=work_ms,
            fails=at in unlucky,
        )
        for at in range(events)
    ]


def one_by_one(*plans: Plan) -> list[Planned]:
    """The plans' events in turn."""
    return [event for event in chain.from_iterable(zip_longest(*plans)) if event is not None]


def paced(plan: Plan, *, each: float) -> list[Planned]:
    """One event every `each` seconds."""
    return [replace(event, at=at * each) for at, event in enumerate(plan)]


def at_random(plan: Plan, least: float, most: float, chance: random.Random) -> list[Planned]:
    """One event after another, `least` to `most` seconds apart."""
    times = accumulate(chance.uniform(least, most) for _ in plan)
    return [replace(event, at=at) for event, at in zip(plan, times, strict=True)]


def shortest(plan: Plan, slots: int) -> float:
    """The fewest seconds possible in order: the busiest key's attempts and waits, or all work in `slots` processes."""
    by_key: dict[str, float] = {}
    for event in plan:
        attempts = 2 if event.fails else 1
        by_key[event.key] = by_key.get(event.key, 0.0) + event.work_ms / 1000 + (attempts - 1) * RETRY_AFTER
    return max(*by_key.values(), sum(event.work_ms for event in plan) / 1000 / slots)
