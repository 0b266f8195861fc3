"""The events that a mail reports, with what is known of each, in the order in which they ended. Reads only."""

from collections.abc import Sequence
from typing import NamedTuple

from mails.causes import cause
from mails.entities import Entity, entity_of
from ordering import Behind, EventRecord, Ordering
from stores import NameStore

PAGE = 500
MAX_BODY = 100_000  # bytes; a larger event, with files in it, is named by its key
SHOWN = 20  # events that the mail itself names
SHOWN_BEHIND = 5  # events that it names behind each of those


class Item(NamedTuple):
    """An event, what it is about, how many events wait behind it, and the first of those."""

    record: EventRecord
    entity: Entity
    behind: int = 0
    behind_first: tuple[Entity, ...] = ()


def gather(ordering: Ordering, names: NameStore, company: str, about: str, ids: Sequence[str]) -> list[Item]:
    """The events that still have this cause. One that was retried or skipped in the meantime is left out."""
    items: list[Item] = []
    for start in range(0, len(ids), PAGE):
        records = [
            one for one in ordering.events((company, one) for one in ids[start : start + PAGE]) if cause(one) == about
        ]
        entities = _entities(ordering, names, company, records)
        behind = ordering.behind([one.key for one in records], SHOWN_BEHIND)
        for record, what, after in zip(records, entities, behind, strict=True):
            named = _named(ordering, names, company, after) if after.first and len(items) < SHOWN else ()
            items.append(Item(record, what, after.number, named))
    return items


def _entities(ordering: Ordering, names: NameStore, company: str, records: Sequence[EventRecord]) -> list[Entity]:
    bodies = ordering.bodies(company, [one.id for one in records], MAX_BODY)
    entities = [entity_of(one.key, one.id, bodies.get(one.id)) for one in records]
    called = names.of(company, [one.customer for one in entities if one.customer])
    return [one._replace(customer_name=called.get(one.customer, "")) for one in entities]


def _named(ordering: Ordering, names: NameStore, company: str, behind: Behind) -> tuple[Entity, ...]:
    records = ordering.events(behind.first)
    return tuple(_entities(ordering, names, company, records))
