"""Publishing events from lines of JSON: all of them are valid, or none is accepted."""

from collections.abc import Iterable
from typing import NamedTuple

from delivery.admission import admit, read_event
from delivery.services import Services
from moment.events import Event, InvalidEvent, Problem


class BadLine(NamedTuple):
    """A line that is not an event of the contract. Lines count from 1."""

    number: int
    problems: tuple[Problem, ...]


def read_lines(lines: Iterable[str], most: int) -> tuple[list[Event], list[BadLine]]:
    """The events of lines with one each, and the lines that are none. `most`: bytes of one event. Pure."""
    events: list[Event] = []
    bad: list[BadLine] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            events.append(read_event(line, most))
        except InvalidEvent as error:
            bad.append(BadLine(number, error.problems))
    return events, bad


def publish(services: Services, event: Event) -> bool:
    """Accept an event; False where its id was known and nothing changed. Raises `RedisError`."""
    return not admit(event, services.ordering, services.vault).known
