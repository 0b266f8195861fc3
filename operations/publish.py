"""Publishing events from a text: all of them are valid, or none is accepted."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from delivery.admission import admit, read_event, remark_on
from delivery.services import Services
from messages import Message
from moment.events import Event, InvalidEvent, Problem
from operations.audit import Actor, acting
from operations.event_texts import event_texts


class BadEvent(NamedTuple):
    """What is not an event of the contract: the line where it begins, and its place in an array. Both count from 1."""

    line: int
    item: int | None
    problems: tuple[Problem, ...]


def read_events(text: str, most: int) -> tuple[list[Event], list[BadEvent]]:
    """The events of a text (see `event_texts`), and what of it is none. `most`: bytes of one event. Pure."""
    events: list[Event] = []
    bad: list[BadEvent] = []
    for one in event_texts(text):
        if one.cut:
            bad.append(BadEvent(one.line, one.item, (Problem("", Message("event.array-cut")),)))
            continue
        try:
            events.append(read_event(one.text, most))
        except InvalidEvent as error:
            bad.append(BadEvent(one.line, one.item, error.problems))
    return events, bad


def read_body(raw: bytes, most: int, *, lines: bool) -> tuple[list[Event], list[BadEvent]]:
    """The events of a body of one JSON object, or of JSON `lines`, and what of it is none. Pure."""
    events: list[Event] = []
    bad: list[BadEvent] = []
    for number, text in enumerate(raw.split(b"\n") if lines else [raw], start=1):
        if lines and not text.strip():
            continue
        try:
            events.append(read_event(text, most))
        except InvalidEvent as error:
            bad.append(BadEvent(number, None, error.problems))
    return events, bad


def publish(services: Services, event: Event) -> bool:
    """Accept an event; False where its id was known and nothing changed. Raises `RedisError`."""
    if admit(event, services.ordering, services.vault).known:
        return False
    remark_on(services, event)
    return True


def publish_each(services: Services, events: Iterable[Event], companies: set[str], *, by: Actor) -> Iterator[bool]:
    """Accept these events of these companies. Yields for each what `publish` returns. Raises `RedisError`."""
    with acting(services, by, "events.published", next(iter(companies)) if len(companies) == 1 else "", count=0) as act:
        for event in events:
            accepted = publish(services, event)
            act.details["count"] += accepted
            yield accepted
