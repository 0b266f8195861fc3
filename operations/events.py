"""Finding events, and what became of each: its record, the steps taken, its timeline, and its line of the log."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from delivery.services import Services
from operations.audit import Actor, audited
from operations.bodies import ShownWrite, received, refused_write
from operations.errors import UnknownEvent
from operations.states import State, event_state
from ordering import EventRecord
from ordering.history import Filter, find
from ordering.queries import PAGE
from stores import TimelineEntry


@dataclass(frozen=True)
class EventDetails:
    """An event, what it waits for, the steps that were recorded for it, and everything that happened, oldest first."""

    record: EventRecord
    state: State
    steps: Mapping[str, str]
    timeline: list[TimelineEntry]


@dataclass(frozen=True)
class LogLine:
    """An event as the transfer log has it. `seconds`: from accepted to settled; `requests`: to Fortnox."""

    record: EventRecord
    number: str
    seconds: float | None
    requests: int


def latest(
    services: Services, wanted: Filter, limit: int, looked: Callable[[int], object] = lambda n: None
) -> tuple[list[EventRecord], bool]:
    """The newest `limit` events that fit, and whether there are more. `looked`: see `ordering.history.find`."""
    found = list(islice(find(services.ordering, wanted, min(limit + 1, PAGE), looked), limit + 1))
    return found[:limit], len(found) > limit


def show(services: Services, company: str, event_id: str) -> EventDetails:
    """One event in full. Raises `UnknownEvent`."""
    record = services.ordering.event(company, event_id)
    steps = services.ordering.progress(company, event_id)
    written = services.telemetry.timeline.read(company, event_id)
    if record is None:
        raise UnknownEvent(company, event_id)
    return EventDetails(record, event_state(services, record), steps, whole_timeline(record, written))


def body(services: Services, company: str, event_id: str, *, unmasked: bool = False) -> Any:
    """What was received, see `operations.bodies`. None where it is no longer kept: the event is done or superseded."""
    kept = services.ordering.body(company, event_id)
    return None if kept is None else received(kept, unmasked=unmasked)


def refused(services: Services, company: str, event_id: str, *, unmasked: bool = False) -> ShownWrite | None:
    """What the event last sent to Fortnox that was refused, and the answer. None where none is kept."""
    kept = services.telemetry.refused_writes.read(company, event_id)
    return None if kept is None else refused_write(kept, unmasked=unmasked)


@audited("event.unmasked", event="event_id")
def unmasked(services: Services, company: str, event_id: str, *, by: Actor) -> tuple[Any, ShownWrite | None]:
    """`body` and `refused` with personal data, for `by`."""
    received_body = body(services, company, event_id, unmasked=True)
    return received_body, refused(services, company, event_id, unmasked=True)


def whole_timeline(record: EventRecord, written: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    """The written entries, preceded by the admission, and followed by the event's end where no attempt ended it."""
    timeline = [
        TimelineEntry(record.accepted_at, "admitted", {}),
        *sorted(written, key=lambda entry: entry.at),
    ]
    if record.settled_at and not timeline[-1].what.startswith(record.status):
        details = {"code": record.code, "reason": record.reason.to_json()}
        timeline.append(
            TimelineEntry(record.settled_at, record.status, {name: value for name, value in details.items() if value})
        )
    return timeline


def export(services: Services, wanted: Filter) -> Iterator[LogLine]:
    """The transfer log, newest event first, read page by page."""
    found = find(services.ordering, wanted)
    while page := list(islice(found, PAGE)):
        timelines = services.telemetry.timeline.read_many((record.company, record.id) for record in page)
        for record, timeline in zip(page, timelines, strict=True):
            yield log_line(record, timeline)


def log_line(record: EventRecord, timeline: Iterable[TimelineEntry]) -> LogLine:
    """The event's line of the log."""
    return LogLine(
        record=record,
        number=record.key.split("/")[-1],
        seconds=(record.settled_at - record.accepted_at).total_seconds() if record.settled_at else None,
        requests=sum(entry.what == "request" for entry in timeline),
    )
