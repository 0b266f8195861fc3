"""Finding events, and what became of each: its record, the steps taken, its timeline, and its line of the log."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from delivery.services import Services
from operations.audit import Actor, audited
from operations.bodies import ShownBodies, received, shown_write
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


def bodies(services: Services, company: str, event_id: str) -> ShownBodies:
    """What was received, sent to Fortnox and answered, as far as it is kept, masked; see `operations.bodies`."""
    return _bodies(services, company, event_id, unmasked=False)


@audited("event.unmasked", event="event_id")
def unmasked(services: Services, company: str, event_id: str, *, by: Actor) -> ShownBodies:
    """`bodies` with personal data, for `by`."""
    return _bodies(services, company, event_id, unmasked=True)


def _bodies(services: Services, company: str, event_id: str, *, unmasked: bool) -> ShownBodies:
    kept = services.telemetry.bodies.read(company, event_id)
    body = services.ordering.body(company, event_id) or kept.received
    return ShownBodies(
        None if body is None else received(body, unmasked=unmasked),
        [shown_write(write, unmasked=unmasked) for write in kept.writes],
    )


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
