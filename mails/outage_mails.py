"""Mails about outages: that nothing of a company goes through, reminders of it, and that it works again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from mails import outages
from mails.content import MailContent
from mails.damage import UNREADABLE
from mails.mailer import Mailer, OutgoingMail
from mails.schedule import DueMail, from_ms, to_ms
from mails.writer import OutageReport, Writer
from messages import Message
from ordering import UNDER_WAY, Ordering
from stores import ConnectionStore
from stores.mails import MailState, Outage


class OutageMails:
    """`consent_url` returns where the company can consent again, if that is known."""

    def __init__(
        self,
        ordering: Ordering,
        connections: ConnectionStore,
        state: MailState,
        mailer: Mailer,
        consent_url: Callable[[str], str | None],
        now: Callable[[], datetime],
    ) -> None:
        self._ordering = ordering
        self._connections = connections
        self._state = state
        self._mailer = mailer
        self._consent_url = consent_url
        self._now = now

    def due(self) -> list[DueMail]:
        """Look at all companies, remember their outages, and return the mails about them that may be sent now."""
        now, stopped, known = to_ms(self._now()), self._ordering.stopped(), self._state.outages()
        mails = []
        for company in sorted({*known, *stopped}):
            outage = outages.observe(known.get(company), stopped.get(company), now)
            if outage != known.get(company):
                self._state.save_outage(company, outage)
            if outage is not None and (at := outages.due(outage)) <= now:
                mails.append(DueMail(at, company, partial(self._send, company, outage)))
        return mails

    def _send(self, company: str, outage: Outage) -> bool:
        now = to_ms(self._now())
        step = 0 if outage.recovered else outages.steps_passed(outage, now)
        if outage.recovered and self._recovery_is_unknown(company):
            self._state.save_outage(company, None)
            return False
        report = self._report(company, outage, step, outage.recovered or now)

        def write(writer: Writer) -> MailContent:
            if outage.recovered:
                return writer.recovered(report)
            return writer.paused(report, step) if outage.kind == "paused" else writer.unavailable(report)

        about = "recovered" if outage.recovered else outage.kind
        self._mailer.send(OutgoingMail(company, f"{company}:{outage.kind}:{outage.since}", step, write, about))
        self._state.save_outage(company, None if outage.recovered else replace(outage, step=step))
        return True

    def _report(self, company: str, outage: Outage, step: int, until: int) -> OutageReport:
        counts = self._ordering.counts(company)
        return OutageReport(
            kind=outage.kind,
            reason=Message.from_json(outage.reason),
            since=from_ms(outage.since),
            now=from_ms(until),
            waiting=sum(counts[status] for status in UNDER_WAY),
            next_mail=outages.next_step(outage, step) if step else None,
            consent_url=self._link(company),
        )

    def _link(self, company: str) -> str:
        try:
            return self._consent_url(company) or ""
        except UNREADABLE:  # the company's connection; `AddressBook` tells the operator
            return ""

    def _recovery_is_unknown(self, company: str) -> bool:
        """The company left, or gave up all events that waited: nobody knows whether Fortnox answers."""
        try:
            connection = self._connections.find(company)
        except UNREADABLE:
            return True
        return (connection is not None and connection.state == "disabled") or self._ordering.in_doubt(company)
