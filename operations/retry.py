"""Retrying and skipping events by hand. Who did it is in the event's timeline and in the audit log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from delivery.context import recorded_as
from delivery.services import Services
from delivery.snapshots import ACCEPTED
from mails.causes import cause
from messages import Message
from messages.catalogue import say
from operations.audit import Actor, acting, audited
from operations.errors import OperationError, UnknownEvent
from operations.naming import find_event
from operations.states import State, event_state
from ordering import EventRecord
from ordering.history import Filter
from stores import TimelineEntry


@dataclass(frozen=True)
class Selection:
    """Which failed events to retry or to skip. Empty fields choose all. `code`: see `ordering.history.Filter`.

    `reason`: a text that the event's reason holds, in English; `cause`: see `mails.causes`.
    """

    company: str = ""
    code: str = ""
    reason: str = ""
    cause: str = ""

    def fits(self, record: EventRecord) -> bool:
        """Whether the event is chosen. Pure."""
        return (
            Filter(self.company, "failed", code=self.code).fits(record)
            and (not self.reason or self.reason.casefold() in say(record.reason).casefold())
            and (not self.cause or cause(record) == self.cause)
        )


@dataclass(frozen=True)
class Retried:
    """What a retry did. `became`: the event's new status, "" where it had gone on meanwhile.

    `newest`: whether no newer event of its key was accepted. `with_others`: it waited, with others, for a part of
    Fortnox that is tried again. `state`: what it waits for now.
    """

    record: EventRecord
    became: str
    newest: bool = True
    with_others: bool = False
    state: State | None = None


def cause_of(services: Services, company: str, event_id: str) -> str:
    """The cause for which this event failed; without a company, it is named as for `find_event`.

    Raises `OperationError` where there is no such failed event.
    """
    try:
        record = services.ordering.event(*find_event(services, *((company, event_id) if company else (event_id,))))
    except UnknownEvent:
        record = None
    if record is None:
        raise OperationError(Message("operation.like-unknown-event", event=event_id))
    if record.status != "failed":
        raise OperationError(Message("operation.like-not-failed", event=event_id, status=record.status))
    return cause(record) or ""


@audited("event.retried", event="event_id")
def retry(services: Services, company: str, event_id: str, *, by: Actor, accept_existing: bool = False) -> Retried:
    """Run one event again, now. With `accept_existing` its next transfer takes over what Fortnox has under its number.

    Raises `OperationError` where there is no such event or nothing to retry.
    """
    mark = recorded_as(ACCEPTED, services.stores.connections.ledger(company)) if accept_existing else ""
    record = services.ordering.event(company, event_id)
    if record is None:
        raise UnknownEvent(company, event_id)
    if services.fortnox.access_blocks.opened_for(record):
        _write(services, record, "retried by hand", {"by": str(by)}, datetime.now(UTC))
        return Retried(record, "ready", with_others=True)
    done = _retry(services, record, by, mark)
    if not done.became:
        status = record.status
        raise OperationError(Message("operation.nothing-to-retry", company=company, event=event_id, status=status))
    return done


def number_failed(services: Services, company: str | None) -> int:
    """How many events have failed, of the company or of all."""
    return sum(state.counts["failed"] for state in services.ordering.states(_names(services, company)).values())


def chosen(services: Services, selection: Selection) -> Iterator[EventRecord | None]:
    """The chosen failed events: by company, those that failed first before others.

    Yields once for each failed event: its record, or None where it was not chosen.
    """
    for company, state in services.ordering.states(_names(services, selection.company)).items():
        for record in services.ordering.failed(company) if state.counts["failed"] else ():
            yield record if selection.fits(record) else None


def retry_each(services: Services, records: Iterable[EventRecord], *, by: Actor) -> Iterator[Retried]:
    """Retry these events in this order. Each company that follows another has an entry in the audit log."""
    for company, its_own in groupby(records, lambda record: record.company):
        with acting(services, by, "events.retried", company, count=0) as act:
            for record in its_own:
                done = _retry(services, record, by)
                act.details["count"] += bool(done.became)
                yield done


def skip_each(services: Services, records: Iterable[EventRecord], reason: str, *, by: Actor) -> Iterator[bool]:
    """Skip these events. Yields whether each was; not what a worker runs or somebody skipped meanwhile.

    Each company that follows another has an entry in the audit log.
    """
    for company, its_own in groupby(records, lambda record: record.company):
        with acting(services, by, "events.skipped", company, count=0) as act:
            for record in its_own:
                skipped = _skip(services, record, reason, by)
                act.details["count"] += skipped
                yield skipped


@audited("event.skipped", event="event_id")
def skip(services: Services, company: str, event_id: str, reason: str, *, by: Actor) -> int:
    """Give up an event that is not running. Return how many events that waited for it may go on.

    Raises `OperationError` where there is no such event or it cannot be skipped.
    """
    record = services.ordering.event(company, event_id)
    if record is None:
        raise UnknownEvent(company, event_id)
    behind = services.ordering.behind([record.key])[0].released
    if not _skip(services, record, reason, by):
        status = record.status
        raise OperationError(Message("operation.not-skippable", company=company, event=event_id, status=status))
    return behind


def _skip(services: Services, record: EventRecord, reason: str, by: Actor) -> bool:
    asked = datetime.now(UTC)
    why = Message("event.skipped-by-hand", reason=reason, by=str(by))
    if not services.ordering.skip(record.company, record.id, why)[0]:
        return False
    said = Message("event.skip-reason", reason=reason).to_json()
    _write(services, record, "skipped by hand", {"by": str(by), "reason": said}, asked)
    return True


def _names(services: Services, company: str | None) -> list[str]:
    return [company] if company else services.ordering.companies()


def _retry(services: Services, record: EventRecord, by: Actor, mark: str = "") -> Retried:
    asked = datetime.now(UTC)
    became, _ = services.ordering.retry(record.company, record.id, mark=mark)
    if became in ("", "unknown"):
        return Retried(record, "")
    _write(services, record, "retried by hand", {"by": str(by)}, asked)
    now = services.ordering.event(record.company, record.id)
    state = event_state(services, now) if now else None
    return Retried(record, became, newest=services.ordering.is_newest(record), state=state)


def _write(services: Services, record: EventRecord, what: str, details: dict[str, str], at: datetime) -> None:
    services.telemetry.timeline.add(record.company, record.id, TimelineEntry(at, what, details))
