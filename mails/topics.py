"""Mails about events: one for each topic, which is a cause of one company.

Companies that never connected have no address, so the operator is told of them. They share a topic for each cause. Its
pending events are named with their company; those of a company that connects meanwhile move to a topic of its own.

The engine lists an event as unreported until it is pending in a topic here; it stays pending until the SMTP server has
the mail. A mail that the server may have is sent again unchanged, with the same Message-ID.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from mails.audience import only_operator_mends
from mails.causes import cause
from mails.content import MailContent
from mails.damage import DAMAGED_CAUSE, damaged_record, report_bug
from mails.entities import Entity
from mails.items import Item, gather, records
from mails.mailer import Mailer, OutgoingMail
from mails.schedule import DueMail, from_ms, to_ms
from mails.smtp import MailNotSent
from mails.writer import Earlier, Writer
from ordering import Ordering, Unreported
from stores import ConnectionStore, NameStore
from stores.mails import MailState, Topic

log = structlog.get_logger(__name__)

UNCONNECTED: Final = "_unconnected"  # in the place of a company: all that never connected
PAGE: Final = 1000  # reports sorted, or topics read, at a time


class TopicMails:
    def __init__(
        self,
        ordering: Ordering,
        connections: ConnectionStore,
        names: NameStore,
        state: MailState,
        mailer: Mailer,
        now: Callable[[], datetime],
    ) -> None:
        self._ordering = ordering
        self._connections = connections
        self._names = names
        self._state = state
        self._mailer = mailer
        self._now = now

    def due(self) -> list[DueMail]:
        """Sort what the engine lists into topics, and return the topics whose mail may be sent now."""
        while reports := self._ordering.unreported(PAGE):
            self._sort(reports)
            if len(reports) < PAGE:
                break
        now = to_ms(self._now())
        for _, topic in self._state.due_topics(now, PAGE):
            if topic.company == UNCONNECTED and not self._state.history(topic).maybe_sent:
                self._move_connected(topic)
        return [
            DueMail(at, topic.company, partial(self._send, topic)) for at, topic in self._state.due_topics(now, PAGE)
        ]

    def _sort(self, reports: list[Unreported]) -> None:
        """Repeating it changes nothing, so it may be interrupted anywhere."""
        now = self._now()
        topics: dict[Topic, list[str]] = {}
        refs = [(report.company, report.id) for report in reports if report.id]
        connected = self._connections.known({company for company, _ in refs})
        for record in records(self._ordering, refs, now):
            if about := cause(record):
                shares = record.company not in connected and not record.company.startswith("_")
                topic = Topic(UNCONNECTED if shares else record.company, about)
                topics.setdefault(topic, []).append(_member(topic, record.company, record.id))
        for topic, ids in topics.items():
            self._state.add_pending(topic, ids, to_ms(now))
        self._ordering.reported(*reports)

    def _send(self, topic: Topic) -> bool:
        history = self._state.history(topic)
        ids, upto = self._state.pending(topic, history.maybe_sent)
        now = self._now()
        items, damaged = gather(self._ordering, self._names, [_ref(topic, one) for one in ids], topic.cause, now)
        if damaged and (about_damage := topic._replace(cause=DAMAGED_CAUSE)) != topic:
            self._state.add_pending(about_damage, [_member(topic, *one) for one in damaged], to_ms(now))
        if not items:  # all were retried or skipped in the meantime
            self._state.mark_sent(topic, upto, 0, to_ms(self._now()), maybe=bool(history.maybe_sent))
            return False
        earlier = Earlier(history.events, from_ms(history.started))
        mail = OutgoingMail(
            topic.company,
            thread=f"{topic.ref}:{history.started}",
            number=history.mails + 1,
            write=lambda writer: write_events(writer, items, earlier, now),
            about=topic.cause.partition(":")[0],
            events=len(items),
            to="operator" if all(only_operator_mends(item.record) for item in items) else "company",
        )
        self._state.mark_maybe_sent(topic, upto)
        try:
            self._mailer.send(mail)
        except MailNotSent as error:
            if not (error.maybe_sent or history.maybe_sent):
                self._state.mark_not_sent(topic)
            raise
        self._state.mark_sent(topic, upto, len(items), to_ms(self._now()))
        return True

    def _move_connected(self, topic: Topic) -> None:
        """Move the events of companies that have connected to topics of their own."""
        members, _ = self._state.pending(topic, 0)
        refs = {member: _ref(topic, member) for member in members}
        connected = self._connections.known({company for company, _ in refs.values()})
        for company in connected:
            moved = {member: event_id for member, (one, event_id) in refs.items() if one == company}
            self._state.add_pending(Topic(company, topic.cause), list(moved.values()), to_ms(self._now()))
            self._state.drop_pending(topic, list(moved))


def write_events(writer: Writer, items: Sequence[Item], earlier: Earlier, now: datetime) -> MailContent:
    """A mail about these events. If it cannot be written, which is a bug, a mail with their ids."""
    company = items[0].record.company
    writer = writer.about(company)
    try:
        if any(item.record.company != company for item in items):
            return writer.companies(items, earlier)
        return writer.events(items, earlier)
    except Exception as error:
        log.error("mail.broke", company=company, exc_info=error)
        report_bug(company, error)
        damaged = [damaged_record(item.record.company, item.record.id, now) for item in items]
        return writer.events([Item(record, Entity("event", record.id)) for record in damaged], earlier)


def _member(topic: Topic, company: str, event_id: str) -> str:
    """How an event is named among the pending ones of a topic."""
    return f"{company}:{event_id}" if topic.company == UNCONNECTED else event_id


def _ref(topic: Topic, member: str) -> tuple[str, str]:
    """The company and the id of a pending event."""
    if topic.company != UNCONNECTED:
        return topic.company, member
    company, _, event_id = member.partition(":")
    return company, event_id
