"""Tells people what they have to know, a round at a time: what came up is sorted by cause, what is due is mailed.

The engine keeps what nobody was told of (`unreported`) until it is among the untold of its topic here; from there it
goes after the SMTP server has the mail. A mail that the server may have is sent again as it was, with the same
Message-ID. Of one company the longest due goes first, and none before it; what holds up one holds up no other.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from itertools import groupby
from typing import NamedTuple, NoReturn

import sentry_sdk
import structlog
from redis.exceptions import RedisError

from delivery.services import Services
from mails import outages as standstills
from mails.causes import cause
from mails.content import MailContent
from mails.items import gather
from mails.listing import ROOM
from mails.mime import as_sent, message
from mails.recipients import Recipients, operator, recipients
from mails.smtp import Left, NotSent, Refused, ServerTrouble, SmtpSender, TooLarge, is_for_good
from mails.writer import WORDS, History, Standstill, Writer
from messages import Message
from ordering.engine import UNDER_WAY
from stores.mails import HOUR, Later, MailState, Stop, Topic

log = structlog.get_logger(__name__)

READ = 1000  # things to tell that are sorted at a time
ROUND = 60.0  # seconds; what is left goes in the next round
LATER = 300_000  # ms until a mail is tried again for an address that was put off alone; then ever longer
GIVEN_UP = 24 * HOUR  # ms after which such an address is as good as refused

Write = Callable[[Writer], MailContent]


class Due(NamedTuple):
    """A mail that may go, since when, and how it is sent: that says whether the server has it."""

    at: int
    company: str
    send: Callable[[], bool]


class ServerDown(Exception):
    """No mail goes out in this round any more."""


class Dispatcher:
    """`now` is the time; `keep` is called before each mail, and raises when another holds the lock."""

    def __init__(
        self,
        services: Services,
        smtp: SmtpSender,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        keep: Callable[[], object] = lambda: None,
    ) -> None:
        self._services = services
        self._smtp = smtp
        self._now = now
        self._keep = keep
        self._state = MailState(services.redis)

    def round(self) -> int:
        """Returns how many mails the server took."""
        self._sort()
        stops = self._look_at_stops()
        waits, now = self._state.waits(), self._ms()
        if waits.get("", 0) > now:
            return 0
        mails = [*self._topics_due(), *stops, *self._later_due()]
        # Whose last mail did not go out comes last: it may be that mail's doing that the server then served nobody.
        mails.sort(key=lambda due: (due.company in waits, due.at))
        return self._send(mails, {scope for scope, until in waits.items() if until > now})

    # What came up

    def _sort(self) -> None:
        """Each under its topic. Done twice it changes nothing, so dying in between does no harm."""
        while reports := self._services.ordering.unreported(READ):
            now = self._ms()
            topics: dict[Topic, list[str]] = {}
            for company, group in groupby(sorted(one[:2] for one in reports if one.id), key=lambda pair: pair[0]):
                for record in self._services.ordering.events((company, event_id) for _, event_id in group):
                    if about := cause(record):
                        topics.setdefault(Topic(company, about), []).append(record.id)
            places = {(one.company, one.id): at for at, one in enumerate(reports)}
            for topic, ids in topics.items():
                company = topic.company
                self._state.add(topic, sorted(ids, key=lambda one: places[company, one]), now)
            self._services.ordering.reported(*reports)
            if len(reports) < READ:
                break

    def _topics_due(self) -> list[Due]:
        return [
            Due(at, topic.company, partial(self._tell_events, topic)) for at, topic in self._state.due(self._ms(), READ)
        ]

    def _later_due(self) -> list[Due]:
        return [
            Due(at, ref.partition(":")[0], partial(self._send_later, ref))
            for at, ref in self._state.later_due(self._ms(), READ)
        ]

    def _look_at_stops(self) -> list[Due]:
        now, stopped, kept = self._ms(), self._services.ordering.stopped(), self._state.stops()
        due = []
        for company in sorted({*kept, *stopped}):
            before = kept.get(company)
            was = replace(before) if before else None
            stop = standstills.seen(before, stopped.get(company), now)
            if stop != was:
                self._state.keep_stop(company, stop)
            if stop is not None and (since := standstills.due(stop)[0]) <= now:
                due.append(Due(since, company, partial(self._tell_stop, company, stop)))
        return due

    # What is due

    def _send(self, mails: Sequence[Due], waits: set[str]) -> int:
        sent, ends = 0, time.monotonic() + ROUND
        waiting = set(waits)
        try:
            for due in mails:
                if due.company in waiting or time.monotonic() > ends:
                    continue
                self._keep()
                if self._sent(due):
                    sent += 1
                elif self._state.waits().get(due.company, 0) > self._ms():
                    waiting.add(due.company)
        except ServerDown:
            self._state.put_off("", self._ms())
        return sent

    def _sent(self, due: Due) -> bool:
        """Whether the mail went out. One that cannot be written puts off its own company alone. Raises `ServerDown`."""
        try:
            return due.send()
        except (ServerDown, RedisError):
            raise
        except Exception as error:
            log.error("mail.broke", company=due.company, exc_info=error)
            with sentry_sdk.new_scope() as scope:
                scope.set_tag("company", due.company)
                sentry_sdk.capture_exception(error)
            self._count("not_sent")
            self._state.put_off(due.company, self._ms())
            return False

    def _tell_events(self, topic: Topic) -> bool:
        past = self._state.told_of(topic)
        ids, upto = self._state.untold(topic, past.doubt)
        items = gather(self._services.ordering, self._services.stores.names, topic.company, topic.cause, ids)
        if not items:
            self._state.told(topic, upto, 0, self._ms(), doubt=bool(past.doubt))  # mended before anyone was told
            return False
        history = History(len(items), past.total, _time(past.started))
        self._state.doubt(topic, upto)
        sent = self._deliver(
            topic.company,
            lambda writer: writer.events(items, history),
            thread=f"{topic.ref}:{past.started}",
            n=past.n + 1,
            about=topic.cause.partition(":")[0],
            events=len(items),
            surely_not=lambda: None if past.doubt else self._state.no_doubt(topic),
        )
        if sent:
            self._state.told(topic, upto, len(items), self._ms())
        return sent

    def _tell_stop(self, company: str, stop: Stop) -> bool:
        now = self._ms()
        step = 0 if stop.well_since else standstills.passed(stop, now)
        if not step and self._goes_on_untold(company):
            self._state.keep_stop(company, None)
            return False
        counts = self._services.ordering.counts(company)
        still = Standstill(
            reason=Message.from_json(stop.reason),
            since=_time(stop.since),
            now=_time(stop.well_since or now),
            waiting=sum(counts[status] for status in UNDER_WAY),
            next_step=standstills.next_step(stop, step) if step else None,
            link=self._services.consent_address(company) or "",
        )

        def write(writer: Writer) -> MailContent:
            if not step:
                return writer.well(still, stop.what)
            return writer.paused(still, step - 1) if stop.what == "paused" else writer.outage(still)

        about = stop.what if step else "well"
        sent = self._deliver(company, write, thread=f"{company}:{stop.what}:{stop.since}", n=step, about=about)
        if sent:
            self._state.keep_stop(company, replace(stop, steps=step) if step else None)
        return sent

    def _goes_on_untold(self, company: str) -> bool:
        """The company left, or gave up what waited: nobody knows whether Fortnox answers."""
        connection = self._services.stores.connections.find(company)
        return (connection is not None and connection.state == "disabled") or self._services.ordering.in_doubt(company)

    # Handing over

    def _deliver(
        self,
        company: str,
        write: Write,
        *,
        thread: str,
        n: int,
        about: str,
        events: int = 0,
        surely_not: Callable[[], object] = lambda: None,
    ) -> bool:
        """Whether the server has the mail. Raises `ServerDown`."""

        def mail(to: Recipients, note: str = "", room: int = ROOM) -> EmailMessage:
            content = _with_note(write(Writer(company, WORDS[to.language], room)), note)
            return self._message(content, to, company, thread, n)

        def hand_over(to: Recipients, note: str = "") -> Left:
            """Without its list where the server takes no mail of that size."""
            try:
                whole = mail(to, note)
                left = self._smtp.send(whole)
            except TooLarge as error:
                log.warning("mail.too_large", company=company, answer=str(error))
                whole = mail(to, note, room=0)
                left = self._smtp.send(whole)
            self._keep_for_later(company, whole, {one: said for one, said in left.items() if not is_for_good(said)})
            return {one: said for one, said in left.items() if is_for_good(said)}

        to = recipients(self._services, company)
        if not to.addresses:
            log.error("mail.no_recipient", company=company)  # kept, and listed by `events list`
            surely_not()
            self._state.put_off(company, self._ms(), HOUR)
            return False
        try:
            try:
                refused = hand_over(to, _why_operator(to))
            except Refused as error:
                if to.operator or not (last := operator(self._services)).addresses:
                    raise
                log.warning("mail.address_refused", company=company, answer=str(error))
                refused = hand_over(last, _refused_note(last, ", ".join(to.addresses), error.answer))
                to = last
        except NotSent as error:
            log.warning("mail.not_sent", company=company, error=type(error).__name__, why=str(error))
            self._count("not_sent")
            if not (isinstance(error, ServerTrouble) and error.in_doubt):
                surely_not()
            if isinstance(error, ServerTrouble):
                self._server_down(company, error)
            self._state.put_off(company, self._ms())
            return False
        self._state.well("", company)
        self._count("sent")
        log.info("mail.sent", company=company, about=about, events=events, to="operator" if to.operator else "company")
        self._tell_of_refused(company, refused, mail)
        return True

    def _tell_of_refused(self, company: str, refused: Left, mail: Callable[[Recipients, str], EmailMessage]) -> None:
        """Others of the company have the mail; the operator hears of the address that was refused."""
        if not refused:
            return
        log.warning("mail.address_refused", company=company, answer=next(iter(refused.values()))[:3])
        last = operator(self._services)
        if last.addresses:
            try:
                self._smtp.send(mail(last, _refused_note(last, ", ".join(refused), "; ".join(refused.values()))))
            except NotSent as error:
                log.warning("mail.not_sent", company=company, error=type(error).__name__, why=str(error))

    # Addresses that are put off alone

    def _keep_for_later(self, company: str, mail: EmailMessage, left: Left) -> None:
        """Others of the company have the mail; these get the same one later."""
        if left:
            now = self._ms()
            log.info("mail.address_put_off", company=company, answer=next(iter(left.values()))[:3])
            self._state.keep_later(
                f"{company}:{mail['Message-ID']}", Later(mail.as_bytes().decode("ascii"), tuple(left), now), now + LATER
            )

    def _send_later(self, ref: str) -> bool:
        """Whether one of the addresses has it now. Raises `ServerDown`."""
        company, _, message_id = ref.partition(":")
        later, now = self._state.later(ref), self._ms()
        try:
            left = self._smtp.send(as_sent(later.mail), later.to)
        except ServerTrouble as error:
            log.warning("mail.not_sent", company=company, error=type(error).__name__, why=str(error))
            self._server_down(company, error)
        except NotSent as error:
            left = dict.fromkeys(later.to, error.answer if isinstance(error, Refused) else str(error))
        waits = tuple(one for one, said in left.items() if not is_for_good(said))
        if waits and now - later.since < GIVEN_UP:
            self._state.keep_later(ref, later._replace(to=waits), now + max(LATER, now - later.since))
            left = {one: said for one, said in left.items() if one not in waits}
        else:
            self._state.no_later(ref)
        self._tell_of_refused(
            company,
            left,
            lambda to, note: self._message(
                Writer(company, WORDS[to.language]).undelivered(note), to, company, message_id, 0
            ),
        )
        if got := len({*left, *waits}) < len(later.to):
            self._state.well("")
            self._count("sent")
        return got

    def _server_down(self, company: str, error: ServerTrouble) -> NoReturn:
        if error.in_doubt:
            self._state.put_off(company, self._ms())
        raise ServerDown from None

    def _message(self, content: MailContent, to: Recipients, company: str, thread: str, n: int) -> EmailMessage:
        sender = self._services.settings.alerts_from
        return message(content, sender=sender, to=to.addresses, company=company, thread=thread, n=n, now=self._now())

    def _count(self, outcome: str) -> None:
        self._services.telemetry.counters.count("mails", outcome)

    def _ms(self) -> int:
        return round(self._now().timestamp() * 1000)


def _why_operator(to: Recipients) -> str:
    if not to.operator:
        return ""
    if to.unusable:
        return _refused_note(to, to.unusable, "it is no e-mail address")
    return WORDS[to.language].no_address


def _refused_note(to: Recipients, address: str, why: str) -> str:
    return WORDS[to.language].refused_address.format(address=address[:200], why=why)


def _with_note(content: MailContent, note: str) -> MailContent:
    return replace(content, lead=" ".join(filter(None, (note, content.lead)))) if note else content


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
