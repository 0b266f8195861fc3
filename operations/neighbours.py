"""What holds an event, and what it holds."""

from dataclasses import dataclass

from delivery.services import Services
from ordering import EventRecord

SHOWN = 20  # of those that it holds


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`held_by`: the failed or open events of the key it waits for. `holds`: the first of `n` that wait for it."""

    held_by: list[EventRecord]
    holds: list[EventRecord]
    n: int


def neighbours(services: Services, record: EventRecord) -> Neighbours:
    """What the event waits for, and what waits for it."""
    before = services.ordering.events(services.ordering.of_key(record.blocker)) if record.blocker else []
    behind = services.ordering.behind([record.key], SHOWN)[0] if record.status == "failed" else None
    return Neighbours(
        held_by=[one for one in before if one.status not in ("done", "superseded", "skipped") and one.id != record.id],
        holds=services.ordering.events(behind.first) if behind else [],
        n=behind.number if behind else 0,
    )
