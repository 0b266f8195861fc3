"""Failed events by their cause, across companies."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from delivery.services import Services
from fortnox.codes import labelled
from mails.causes import cause
from messages import NOTHING, Message
from operations.retry import Selection, chosen
from ordering import EventRecord
from ordering.glance import FailedRef, failed_refs
from ordering.history import fits_code, listed_at


@dataclass
class Failure:
    """One cause. `code` may be empty. `reason`, `remedy` and `said` are the oldest event's, whose id stands for it."""

    cause: str
    code: str
    reason: Message = NOTHING
    remedy: Message = NOTHING
    said: str = ""
    companies: dict[str, int] = field(default_factory=dict)  # how many events of each
    oldest: datetime | None = None
    company: str = ""  # of the oldest event
    event_id: str = ""
    only_code: bool = False  # no other cause has a code of which this one's words are a part

    @property
    def events(self) -> int:
        return sum(self.companies.values())

    @property
    def situation(self) -> str:
        """The situation that the code names (`fortnox.situations`); "" if it names none."""
        return labelled(self.code)

    def add(self, record: EventRecord) -> None:
        self.companies[record.company] = self.companies.get(record.company, 0) + 1
        if self.oldest is None or listed_at(record) < self.oldest:
            self.oldest, self.company, self.event_id = listed_at(record), record.company, record.id
            self.reason, self.remedy, self.said = record.reason, record.remedy, record.said


def failures(services: Services, company: str = "", looked: Callable[[int], object] = lambda n: None) -> list[Failure]:
    """The causes for which events of the company, or of all, have failed, the most frequent first.

    `looked` is called with 1 for each failed event.
    """
    return by_cause(_counted(chosen(services, Selection(company)), looked))


def _counted(found: Iterable[EventRecord | None], looked: Callable[[int], object]) -> Iterator[EventRecord]:
    for record in found:
        looked(1)
        if record is not None:
            yield record


def by_cause(records: Iterable[EventRecord]) -> list[Failure]:
    """The causes of these failed events, the most frequent first. Pure."""
    found: dict[str, Failure] = {}
    for record in records:
        about = cause_name(record)
        found.setdefault(about, Failure(about, record.code)).add(record)
    for one in found.values():
        one.only_code = [each for each in found.values() if one.code and fits_code(one.code, each.code)] == [one]
    return sorted(found.values(), key=lambda one: -one.events)


def cause_name(record: EventRecord) -> str:
    """The cause of a failed event, as `Failure.cause` has it. Pure."""
    return cause(record) or record.status


class FailedEvents:
    """The failed events of companies. A record that was read once is not read again: it changes only by failing anew.

    Safe to share between threads.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[FailedRef, EventRecord] = {}
        self._lock = threading.Lock()

    def of(self, companies: Iterable[str]) -> list[EventRecord]:
        """The failed events of these companies, those that failed first before others within each."""
        refs = failed_refs(self._services.ordering, companies)
        new = [one for one in refs if one not in self._known]
        records = {(one.company, one.id): one for one in self._services.ordering.events(one[:2] for one in new)}
        with self._lock:
            for one in new:
                if found := records.get(one[:2]):
                    self._known[one] = found
            return [self._known[one] for one in refs if one in self._known and self._known[one].status == "failed"]

    def keep(self, refs: Iterable[EventRecord]) -> None:
        """Forget all records but these."""
        wanted = {(record.company, record.id) for record in refs}
        with self._lock:
            self._known = {ref: record for ref, record in self._known.items() if ref[:2] in wanted}
