"""Malformed events. Pure."""

from random import Random
from typing import Any

from tests.malformed.oddities import RAW, SPOILS, as_json, spoilt
from tests.unit.factories import credit_note_json, customer_json, integration_json, invoice_json, project_json

FACTORIES = (customer_json, project_json, invoice_json, credit_note_json, integration_json)


def malformed_event(chance: Random, marker: str, company: str) -> tuple[str, bytes]:
    """What is wrong with it, and an event that is changed in one place or more, as bytes. It holds the marker."""
    factory = chance.choice(FACTORIES)
    event: Any = {"marker": marker} | factory(event_id=marker, company=company)
    names = [factory.__name__]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        name, event = spoilt(chance, event)
        names.append(name)
    if marker not in str(event):
        event = {"marker": marker} | event | {"marker": marker}
    if isinstance(event.get("id"), str) and not event["id"].startswith(RAW) and marker not in event["id"]:
        event["id"] += marker  # two valid events with one id are one event
    raw = as_json(chance, event)
    if chance.random() < 0.3:
        spoil = chance.choice(list(SPOILS))
        names.append(spoil)
        raw = SPOILS[spoil](chance, raw)
    return "; ".join(names), raw
