"""What a mail tells of: the events with what is known of them, in the order in which they came. Reads only."""

from collections.abc import Sequence
from typing import NamedTuple

from mails.causes import cause
from mails.things import Thing, thing
from ordering import Behind, EventRecord, Ordering
from stores import NameStore

PAGE = 500
SMALL = 100_000  # bytes of an event that is read only to be listed; one with files in it can have 20 MB
SHOWN = 20  # events named in a mail itself
NAMED_BEHIND = 5  # held events named for each of those


class Item(NamedTuple):
    """An event, what it is about, and what waits behind it: how many, and the first of them."""

    record: EventRecord
    thing: Thing
    behind: int = 0
    behind_first: tuple[Thing, ...] = ()


def gather(ordering: Ordering, names: NameStore, company: str, about: str, ids: Sequence[str]) -> list[Item]:
    """Those of these events that still have that cause: what was mended meanwhile is not told."""
    items: list[Item] = []
    for start in range(0, len(ids), PAGE):
        records = [
            one for one in ordering.events((company, one) for one in ids[start : start + PAGE]) if cause(one) == about
        ]
        things = _things(ordering, names, company, records)
        behind = ordering.behind([one.key for one in records], NAMED_BEHIND)
        for record, what, after in zip(records, things, behind, strict=True):
            named = _named(ordering, names, company, after) if after.first and len(items) < SHOWN else ()
            items.append(Item(record, what, after.number, named))
    return items


def _things(ordering: Ordering, names: NameStore, company: str, records: Sequence[EventRecord]) -> list[Thing]:
    bodies = ordering.bodies(company, [one.id for one in records], SMALL)
    things = [thing(one.key, one.id, bodies.get(one.id)) for one in records]
    called = names.of(company, [one.customer for one in things if one.customer])
    return [one._replace(customer_name=called.get(one.customer, "")) for one in things]


def _named(ordering: Ordering, names: NameStore, company: str, behind: Behind) -> tuple[Thing, ...]:
    records = ordering.events(behind.first)
    return tuple(_things(ordering, names, company, records))
