"""The events that a mail reports, with what is known of each, in the order in which they ended. Reads only."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from redis.exceptions import ResponseError

from mails.causes import cause
from mails.damage import DAMAGED, UNREADABLE, damaged_record
from mails.entities import Entity, entity_of, entity_of_key
from ordering import Behind, EventRecord, Ordering
from stores import NameStore

log = structlog.get_logger(__name__)

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


def records(ordering: Ordering, refs: Sequence[tuple[str, str]], now: datetime) -> list[EventRecord]:
    """The records of these (company, event id); `damaged_record` for each that cannot be read."""
    found = []
    for record in ordering.events(refs):
        if record.unreadable:
            log.error("mail.damaged_record", company=record.company, event_id=record.id, fields=record.unreadable)
        found.append(damaged_record(record.company, record.id, now) if record.unreadable else record)
    return found


def gather(
    ordering: Ordering, names: NameStore, refs: Sequence[tuple[str, str]], about: str, now: datetime
) -> tuple[list[Item], list[tuple[str, str]]]:
    """Those of these events (company, event id) that still have this cause, and those that can no longer be read.

    One that was retried or skipped in the meantime is left out. Events of several companies are named by their keys.
    """
    items: list[Item] = []
    damaged: list[tuple[str, str]] = []
    companies = {company for company, _ in refs}
    for start in range(0, len(refs), PAGE):
        page = records(ordering, refs[start : start + PAGE], now)
        damaged += [(record.company, record.id) for record in page if record.code == DAMAGED]
        same_cause = [record for record in page if cause(record) == about]
        if len(companies) > 1:
            items += [Item(record, entity_of_key(record.key, record.id)) for record in same_cause]
        elif same_cause:
            items += _of_company(ordering, names, same_cause, now, room=SHOWN - len(items))
    return items, damaged


def _of_company(
    ordering: Ordering, names: NameStore, found: Sequence[EventRecord], now: datetime, room: int
) -> Iterator[Item]:
    """Items of one company; the first `room` of them name what waits behind them."""
    company = found[0].company
    entities, waiting = _entities(ordering, names, company, found), _behind(ordering, company, found)
    for at, (record, entity, behind) in enumerate(zip(found, entities, waiting, strict=True)):
        first: Sequence[Entity] = ()
        if behind.first and at < room:
            first = _entities(ordering, names, company, records(ordering, behind.first, now))
        yield Item(record, entity, behind.number, tuple(first))


def _entities(ordering: Ordering, names: NameStore, company: str, found: Sequence[EventRecord]) -> list[Entity]:
    bodies = ordering.bodies(company, [record.id for record in found], MAX_BODY)
    entities = [_entity(record, bodies.get(record.id)) for record in found]
    called = names.of(company, [entity.customer for entity in entities if entity.customer])
    return [entity._replace(customer_name=called.get(entity.customer, "")) for entity in entities]


def _entity(record: EventRecord, body: str | None) -> Entity:
    try:
        return entity_of(record.key, record.id, body)
    except UNREADABLE:
        return entity_of_key(record.key, record.id)


def _behind(ordering: Ordering, company: str, found: Sequence[EventRecord]) -> list[Behind]:
    try:
        return ordering.behind([record.key for record in found], SHOWN_BEHIND)
    except ResponseError as error:  # a key of Redis that is not of the expected type
        log.error("mail.damaged_record", company=company, error=str(error))
        return [Behind(0, ())] * len(found)
