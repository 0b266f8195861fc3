"""Failed events by their cause, across companies."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from delivery.services import Services
from mails.causes import cause
from messages import NOTHING, Message
from operations.retry import Selection, chosen
from ordering import EventRecord
from ordering.history import fits_code, listed_at


@dataclass
class Failure:
    """One cause. `code` may be empty. `reason` and `said` are the oldest event's, whose id stands for the cause."""

    cause: str
    code: str
    reason: Message = NOTHING
    said: str = ""
    companies: dict[str, int] = field(default_factory=dict)  # how many events of each
    oldest: datetime | None = None
    company: str = ""  # of the oldest event
    event_id: str = ""
    only_code: bool = False  # no other cause has a code of which this one's words are a part

    @property
    def events(self) -> int:
        return sum(self.companies.values())

    def add(self, record: EventRecord) -> None:
        self.companies[record.company] = self.companies.get(record.company, 0) + 1
        if self.oldest is None or listed_at(record) < self.oldest:
            self.oldest, self.company, self.event_id = listed_at(record), record.company, record.id
            self.reason, self.said = record.reason, record.said


def failures(services: Services, company: str = "", looked: Callable[[int], object] = lambda n: None) -> list[Failure]:
    """The causes for which events of the company, or of all, have failed, the most frequent first.

    `looked` is called with 1 for each failed event.
    """
    found: dict[str, Failure] = {}
    for record in chosen(services, Selection(company)):
        looked(1)
        if record is not None:
            about = cause(record) or record.status
            found.setdefault(about, Failure(about, record.code)).add(record)
    for one in found.values():
        one.only_code = [each for each in found.values() if one.code and fits_code(one.code, each.code)] == [one]
    return sorted(found.values(), key=lambda one: -one.events)
