"""Writes the content of mails, in one company's language. The sentences are in the catalogues. Pure. No I/O."""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from mails.audience import Audience
from mails.causes import cause
from mails.content import ListItem, MailAttachment, MailContent, Section, Tone
from mails.damage import DAMAGED
from mails.entities import LONGEST_NAME, Entity, entity_of_key
from mails.items import SHOWN, Item
from mails.listing import MAX_BYTES, as_csv
from messages import Message, Param
from messages.catalogue import Language, lines, one_line, shown
from stores.mails import OutageKind

TO_MOMENT = {"supplierInvoice", "expenses", "payments"}  # kinds that are transferred from Fortnox to Moment
SNAPSHOTS = {"customer", "project"}  # kinds that Moment sends whole when they are saved again
TONES: dict[str, Tone] = {
    "failed": "action",
    "held": "waiting",
    "done": "information",
    "superseded": "information",
}
COMPANY = Audience()  # without a console, and without a contact


class Earlier(NamedTuple):
    """How many events of the same cause earlier mails reported, and since when."""

    events: int
    since: datetime


class OutageReport(NamedTuple):
    """A company's outage up to `now`, and the transfers that wait for its end.

    `next_mail`: how long it has lasted when the next mail about it comes; None when none does. `consent_url` is where
    the company consents again, where that is known.
    """

    kind: OutageKind
    reason: Message
    since: datetime
    now: datetime
    waiting: int
    next_mail: timedelta | None = None
    consent_url: str = ""

    @property
    def duration(self) -> timedelta:
        return self.now - self.since


class Writer:
    """Writes about one company in one language. An attached list has at most `max_bytes`; with 0 there is none."""

    def __init__(
        self, company: str, language: Language, max_bytes: int = MAX_BYTES, *, audience: Audience = COMPANY
    ) -> None:
        self._company = company
        self._language = language
        self._max_bytes = max_bytes
        self._audience = audience

    def about(self, company: str) -> "Writer":
        """The same, about another company."""
        if company == self._company:
            return self
        return Writer(company, self._language, self._max_bytes, audience=self._audience._replace(name=""))

    def events(self, items: Sequence[Item], earlier: Earlier | None = None) -> MailContent:
        """About events with one cause: failed, held, superseded, or done with a remark. At least one."""
        status = items[0].record.status
        subject, title = self._headline(items)
        content = self._content(subject, title, TONES[status], self._event_facts(items, earlier))
        write_sections = {
            "failed": self._of_failed,
            "held": self._of_held,
            "done": self._of_remarks,
            "superseded": self._of_superseded,
        }[status]
        if len(items) == 1:
            return replace(content, sections=write_sections(items, ()))
        closing, file = self._list(items)
        heading = Message("mail.remarks") if status == "done" else Message("mail.which")
        which = Section(self.say(heading), items=self._named(items), closing=closing)
        return replace(content, sections=write_sections(items, (which,)), file=file)

    def companies(self, items: Sequence[Item], earlier: Earlier | None = None) -> MailContent:
        """To the operator, about events of several companies with one cause. A command finds the events themselves."""
        counts = Counter(item.record.company for item in items)
        headline = Message("mail.companies", companies=len(counts), events=len(items))
        facts: list[tuple[Message, Param]] = [
            (Message("mail.fact.companies"), len(counts)),
            (Message("mail.fact.count"), _count(items)),
            *self._earlier(items, earlier),
        ]
        content = self._content(headline, headline, TONES[items[0].record.status], facts, of_company=False)
        named = [
            ListItem(self.say(Message("mail.companies.one", company=company, n=n)))
            for company, n in counts.most_common(SHOWN)
        ]
        first = items[:1]
        return replace(
            content,
            sections=(
                *self._why(first),
                Section(self.say(Message("mail.which")), items=(*named, *self._more(len(counts) - len(named)))),
                *self._remedy(first),
                self._with_button(
                    self._section(
                        Message("mail.retry"), Message("mail.companies.failures"), command="moment-fortnox failures"
                    ),
                    Message("mail.button.failures"),
                    self._link(company=""),
                ),
            ),
        )

    def paused(self, outage: OutageReport, step: int) -> MailContent:
        """The company must connect again; a reminder from the second step on."""
        subject = Message("mail.paused") if step == 1 else Message("mail.paused-still", duration=outage.duration)
        return self._about_outage(
            outage,
            self._content(subject, Message("mail.paused.title"), "action"),
            Section(self.say(Message("mail.why")), self._lines(outage.reason)),
            self._reconnect(outage.consent_url),
            kept=Message("mail.paused.kept"),
        )

    def unavailable(self, outage: OutageReport) -> MailContent:
        """Fortnox does not answer; nobody has to do anything."""
        subject = Message("mail.unavailable", duration=outage.duration)
        return self._about_outage(
            outage,
            self._content(subject, Message("mail.unavailable.title"), "waiting", prefixed=False),
            self._section(Message("mail.why"), Message("mail.unavailable.why", since=outage.since)),
            self._section(Message("mail.what-to-do"), Message("mail.unavailable.what-to-do", whom=self._audience.whom)),
            kept=Message("mail.unavailable.kept"),
        )

    def recovered(self, outage: OutageReport) -> MailContent:
        """The end of an outage that was mailed about."""
        if outage.kind == "paused":
            title = Message("mail.recovered.paused")
            lead = Message("mail.recovered.paused.since", since=outage.since, duration=outage.duration)
        else:
            title = Message("mail.recovered.unavailable", duration=outage.duration)
            lead = Message("mail.recovered.unavailable.since", since=outage.since)
        waiting = outage.waiting
        goes_on = Message("mail.recovered.waiting", n=waiting) if waiting else Message("mail.recovered.nothing-waits")
        return replace(
            self._content(title, title, "recovered", prefixed=False),
            lead=self.say(lead),
            sections=(self._section(Message("mail.automatically"), goes_on, Message("mail.recovered.what-to-do")),),
        )

    def undelivered(self) -> MailContent:
        """To the operator: an address of the company did not get a mail that its other addresses got."""
        title = Message("mail.undelivered", company=self._company)
        return self._content(title, title, "information")

    def lost_data(self, what: Message) -> MailContent:
        """To the operator: Redis no longer holds what it held."""
        title = Message("mail.lost")
        return replace(
            self._content(title, title, "action", prefixed=False, of_company=False),
            sections=(
                Section(self.say(Message("mail.why")), self._lines(what)),
                self._section(Message("mail.what-to-do"), Message("mail.lost.what-to-do")),
                self._section(
                    Message("mail.details"),
                    Message("mail.lost.acknowledge"),
                    command="moment-fortnox health --acknowledge",
                ),
            ),
        )

    def new_link(self) -> MailContent:
        """To the company: the link that somebody asked for anew."""
        title = Message("mail.new-link")
        section = self._section(Message("mail.new-link.heading"), Message("mail.new-link.what"))
        button = self._with_button(section, Message("mail.button.company"), self._link())
        return replace(self._content(title, title, "information"), sections=(button,))

    # Parts that every mail has

    def _content(
        self,
        subject: Message,
        title: Message,
        tone: Tone,
        facts: Iterable[tuple[Message, Param]] = (),
        *,
        prefixed: bool = True,
        of_company: bool = True,
    ) -> MailContent:
        """`prefixed`: the subject needs a word that the mail is about Fortnox. `of_company`: it is about one."""
        company = ((Message("mail.fact.company"), self._named_company()),) if of_company else ()
        return MailContent(
            subject=self.say(Message("mail.subject", headline=subject) if prefixed else subject),
            title=_capitalized(self.say(title)),
            tone=tone,
            tag=self.say(Message(f"mail.tag.{tone}")),
            language=self._language,
            facts=tuple((self.say(label), self.say(value)) for label, value in (*company, *facts)),
            footer=tuple(map(self.say, self._footer())) if of_company else (),
        )

    def _named_company(self) -> Param:
        """`Skånska Bygg AB (acme)`; the code alone where the name is not known."""
        name = one_line(self._audience.name, LONGEST_NAME)
        known = name not in ("", self._company)
        return Message("mail.company", name=name, company=self._company) if known else self._company

    def _footer(self) -> Iterable[Message]:
        yield Message("mail.sent-by", company=self._named_company())
        if self._audience.contact and not self._audience.is_operator:
            yield Message("mail.questions", contact=self._audience.contact)
        yield Message("mail.replies") if self._audience.reply_to else Message("mail.no-replies")

    def _link(self, company: str | None = None, *, event: str = "", cause: str = "", connect: bool = False) -> str:
        """The address of a page of the console; "" without one."""
        if self._audience.link_to is None:
            return ""
        about = self._company if company is None else company
        return self._audience.link_to(about, event=event, cause=cause, connect=connect)

    def _with_button(self, section: Section, label: Message, link: str) -> Section:
        """The section with a button, where there is a link."""
        return replace(section, link=link, button=self.say(label)) if link else section

    def _section(self, heading: Message, *paragraphs: Message, command: str = "", link: str = "") -> Section:
        return Section(self.say(heading), tuple(map(self.say, paragraphs)), command=command, link=link)

    def say(self, value: Param) -> str:
        return shown(value, self._language)

    def _lines(self, message: Message) -> tuple[str, ...]:
        return tuple(lines(message, self._language))

    # Mails about events

    def _headline(self, items: Sequence[Item]) -> tuple[Message, Message]:
        """The subject and the title."""
        n, kind, status = len(items), items[0].entity.kind, items[0].record.status
        if _is_unreadable(items[0]) or items[0].record.code == DAMAGED:
            damaged = Message("mail.unreadable", n=n) if _is_unreadable(items[0]) else Message("mail.damaged", n=n)
            return damaged, damaged
        if kind == "integration" and status == "failed":
            return Message("mail.connection-failed"), Message("mail.connection-failed.title")
        if kind == "integration" and status == "done":
            return Message("mail.connection-remark"), Message("mail.connection-remark.title")
        if kind == "expenses" and status == "failed":
            return Message("mail.import-failed"), Message("mail.import-failed.title")
        what = items[0].entity.label if n == 1 else _count(items)
        if status == "failed":
            to_moment = Message("mail.failed-to-moment", what=what)
            if kind in TO_MOMENT:
                return to_moment, to_moment
            return Message("mail.failed", what=what), Message("mail.failed.title", what=what)
        if status == "superseded":
            return Message("mail.superseded", what=what), Message("mail.superseded", what=what)
        headline = Message("mail.held", n=n, what=what) if status == "held" else Message("mail.remark", n=n, what=what)
        return headline, headline

    def _event_facts(self, items: Sequence[Item], earlier: Earlier | None) -> Iterable[tuple[Message, Param]]:
        record, entity = items[0].record, items[0].entity
        if len(items) > 1:
            yield Message("mail.fact.count"), _count(items)
        else:
            if entity.kind != "event":
                yield Message("mail.fact.what"), entity.label
            if entity.amount:
                yield Message("mail.fact.amount"), entity.amount
            if record.code != DAMAGED:
                yield Message("mail.fact.when"), record.settled_at or record.accepted_at
            yield Message("mail.fact.event"), record.id
        yield from self._earlier(items, earlier)

    def _earlier(self, items: Sequence[Item], earlier: Earlier | None) -> Iterable[tuple[Message, Param]]:
        if earlier and earlier.events:
            total = earlier.events + len(items)
            yield (
                Message("mail.fact.earlier"),
                Message("mail.earlier", before=earlier.events, since=earlier.since, total=total),
            )

    def _of_failed(self, items: Sequence[Item], which: tuple[Section, ...]) -> tuple[Section, ...]:
        if items[0].record.code == DAMAGED:
            return (*self._why(items), *which, *self._remedy(items), self._retry(items))
        kept = (Message("mail.kept"), Message("mail.gathered")) if len(items) > 1 else (Message("mail.kept"),)
        why, then = self._why(items), (*self._remedy(items), self._retry(items))
        # A long list comes behind what to do, unless the list alone says why.
        return (*why, *then, *which, self._behind(items, *kept)) if why else (*which, *then, self._behind(items, *kept))

    def _of_held(self, items: Sequence[Item], which: tuple[Section, ...]) -> tuple[Section, ...]:
        blocker = items[0].record.blocker
        if blocker.split("/")[1:2] == ["access"]:
            then = Message("mail.part-closed")
        elif len(items) == 1:
            then = Message("mail.retried-after", blocker=entity_of_key(blocker).label)
        else:
            then = Message("mail.each-retried-after")
        return (
            *self._why(items),
            *which,
            *self._remedy(items),
            *self._look(items),
            self._behind(items, then, Message("mail.kept")),
        )

    def _of_remarks(self, items: Sequence[Item], which: tuple[Section, ...]) -> tuple[Section, ...]:
        remarks = which or (Section(self.say(Message("mail.remarks")), self._lines(items[0].record.reason)),)
        if remedy := self._remedy(items):
            return (*remarks, *remedy)
        on_connection = items[0].entity.kind == "integration"
        then = Message("mail.remark-on-connection") if on_connection else Message("mail.remark-harmless")
        return (*remarks, self._section(Message("mail.automatically"), then))

    def _of_superseded(self, items: Sequence[Item], which: tuple[Section, ...]) -> tuple[Section, ...]:
        kept = self._section(Message("mail.automatically"), Message("mail.superseded.kept"))
        return (*self._why(items), *which, *self._remedy(items), kept)

    def _why(self, items: Sequence[Item]) -> tuple[Section, ...]:
        """What is the same for all events. What differs is with each event in the list."""
        reason = self._lines(items[0].record.reason) if _same_reason(items) else ()
        fortnox = self._of_fortnox(items[0]) if _same_reason(items) and _same_answer(items) else ()
        return (Section(self.say(Message("mail.why")), reason + fortnox),) if reason + fortnox else ()

    def _of_fortnox(self, item: Item) -> tuple[str, ...]:
        """Fortnox's own words and its code, unless the reason quotes them."""
        record = item.record
        code = record.code.rpartition(" ")[2]  # Fortnox's part of `period-locked 2000401`
        answer = "" if _quotes(record.reason, record.said) else record.said
        if answer and code:
            return (self.say(Message("mail.fortnox-says-with-code", said=answer, code=code)),)
        if answer:
            return (self.say(Message("mail.fortnox-says", said=answer)),)
        return (self.say(Message("mail.code", code=code)),) if code and not _quotes(record.reason, code) else ()

    def _named(self, items: Sequence[Item]) -> tuple[ListItem, ...]:
        """The first events by name, each with what the mail does not say of all."""
        reasons, answers = not _same_reason(items), not (_same_reason(items) and _same_answer(items))
        named = [
            ListItem(
                self.say(_with_amount(item.entity)),
                (self._lines(item.record.reason) if reasons else ()) + (self._of_fortnox(item) if answers else ()),
            )
            for item in items[:SHOWN]
        ]
        return (*named, *self._more(len(items) - len(named)))

    def _remedy(self, items: Sequence[Item]) -> tuple[Section, ...]:
        remedies = tuple(dict.fromkeys(line for item in items[:SHOWN] for line in self._remedy_of(item)))
        return (Section(self.say(Message("mail.what-to-do")), remedies),) if remedies else ()

    def _remedy_of(self, item: Item) -> tuple[str, ...]:
        return self._lines(self._audience.told(item.record.remedy))

    def _behind(self, items: Sequence[Item], *paragraphs: Message) -> Section:
        """What happens automatically: these paragraphs, and what continues afterwards, by name."""
        waiting = sum(item.behind for item in items)
        if not waiting:
            return self._section(Message("mail.automatically"), *paragraphs)
        one = len(items) == 1
        waits = Message("mail.behind-one", n=waiting) if one else Message("mail.behind-several", n=waiting)
        named = [entity for item in items[:SHOWN] for entity in item.behind_first][:SHOWN]
        listed = [ListItem(self.say(entity.label)) for entity in named]
        section = self._section(Message("mail.automatically"), *paragraphs, waits)
        return replace(section, items=(*listed, *self._more(waiting - len(named))))

    def _more(self, n: int) -> tuple[ListItem, ...]:
        return (ListItem(self.say(Message("mail.and-more", n=n))),) if n > 0 else ()

    def _retry(self, items: Sequence[Item]) -> Section:
        """How the events are tried again: by a command or on a page, or by whom."""
        if _is_unreadable(items[0]) or items[0].record.code == DAMAGED:
            return self._details(items)
        page = self._page(items)
        snapshots = all(item.entity.kind in SNAPSHOTS for item in items)
        if self._audience.is_operator:
            how = Message("mail.retry-snapshots") if snapshots else Message("mail.retry-others")
            section = self._section(Message("mail.retry"), how, command=self._command(items))
        elif page:
            how = Message("mail.retry-snapshots.page") if snapshots else Message("mail.retry-others.page")
            section = self._section(Message("mail.retry"), how)
        else:
            whom = self._audience.whom
            how = Message("mail.retry-others.whom", whom=whom)
            if snapshots:
                how = Message("mail.retry-snapshots.whom", whom=whom)
            section = self._section(Message("mail.retry"), how)
        return self._with_button(section, Message("mail.button.failure", n=len(items)), page)

    def _details(self, items: Sequence[Item]) -> Section:
        """How the operator sees what cannot be read."""
        heading, page = Message("mail.details"), self._page(items)
        if not self._audience.is_operator:
            return self._section(heading, Message("mail.show-event.whom", whom=self._audience.whom))
        command = f"moment-fortnox events show {self._company} {_quoted(items[0].record.id)}"
        section = self._section(heading, Message("mail.show-event"), command=command)
        return self._with_button(section, Message("mail.button.event", n=len(items)), page)

    def _look(self, items: Sequence[Item]) -> tuple[Section, ...]:
        """The page that shows the events, for those that wait; none without a console."""
        if not (page := self._page(items)):
            return ()
        section = self._section(Message("mail.details"), Message("mail.look", n=len(items)))
        return (self._with_button(section, Message("mail.button.event", n=len(items)), page),)

    def _page(self, items: Sequence[Item]) -> str:
        """The console's page of the event, of the cause, or of the company where its events wait."""
        if len(items) == 1:
            return self._link(event=items[0].record.id)
        return self._link(cause=(cause(items[0].record) or "") if items[0].record.status == "failed" else "")

    def _command(self, items: Sequence[Item]) -> str:
        """What retries these events, and no others."""
        record = items[0].record
        event_id = _quoted(record.id)
        same_cause = f"--code {shlex.quote(record.code)}" if record.code else f"--like {event_id}"
        which = event_id if len(items) == 1 else f"--all-failed {same_cause}"
        return f"moment-fortnox events retry {self._company} {which}"

    def _reconnect(self, consent_url: str) -> Section:
        """How the company connects again."""
        page, heading = self._link(connect=True), Message("mail.reconnect")
        if self._audience.is_operator:
            command = f"moment-fortnox companies connect {self._company}"
            section = self._section(heading, Message("mail.reconnect.how"), command=command)
            return self._with_button(section, heading, page)
        if page:
            return self._with_button(self._section(heading, Message("mail.reconnect.page")), heading, page)
        if consent_url:
            return self._section(heading, Message("mail.reconnect.link", whom=self._audience.whom), link=consent_url)
        return self._section(heading, Message("mail.reconnect.whom", whom=self._audience.whom))

    def _list(self, items: Sequence[Item]) -> tuple[str, MailAttachment | None]:
        """A sentence about the attached list, and the list."""
        day = max(item.record.settled_at or item.record.accepted_at for item in items).date().isoformat()
        name = f"fortnox-{self._company}-{day}.csv"
        content, listed = as_csv(items, self._language, self._max_bytes, self._audience.told)
        if listed == len(items):
            return self.say(Message("mail.list.attached", name=name)), MailAttachment(name, content)
        elsewhere = Message("mail.list.whom", whom=self._audience.whom)
        if self._audience.is_operator:
            elsewhere = Message("mail.list.elsewhere", company=self._company, status=items[0].record.status)
        if not listed:
            return self.say(Message.join(Message("mail.list.left-out"), elsewhere)), None
        cut = Message("mail.list.cut", name=name, listed=listed, left=len(items) - listed)
        return self.say(Message.join(cut, elsewhere)), MailAttachment(name, content)

    # Mails about outages

    def _about_outage(
        self, outage: OutageReport, content: MailContent, *sections: Section, kept: Message
    ) -> MailContent:
        after = outage.next_mail
        next_mail = Message("mail.next-mail", duration=after) if after else Message("mail.last-mail")
        facts = (
            *content.facts,
            (self.say(Message("mail.fact.since")), self.say(outage.since)),
            (self.say(Message("mail.fact.waiting")), self.say(Message("mail.transfers", n=outage.waiting))),
        )
        automatically = self._section(Message("mail.automatically"), kept, next_mail)
        return replace(content, facts=facts, sections=(*sections, automatically))


def _quoted(event_id: str) -> str:
    """A producer's id, in a command that somebody will paste."""
    return shlex.quote(one_line(event_id))


def _is_unreadable(item: Item) -> bool:
    return item.record.key.split("/")[1:2] == ["invalid"]


def _same_reason(items: Sequence[Item]) -> bool:
    return all(item.record.reason == items[0].record.reason for item in items)


def _same_answer(items: Sequence[Item]) -> bool:
    return all(item.record.said == items[0].record.said for item in items)


def _count(items: Sequence[Item]) -> Message:
    """`47 invoices`; `47 items` where they are of several kinds."""
    kinds = {item.entity.kind for item in items}
    kind = kinds.pop() if len(kinds) == 1 else "event"
    return Message("mail.entity.several", n=len(items), noun=Message(f"noun.{kind}", n=len(items)))


def _with_amount(entity: Entity) -> Message:
    if entity.amount is None:
        return entity.label
    return Message("mail.entity.with-amount", what=entity.label, amount=entity.amount)


def _quotes(message: Message, value: str) -> bool:
    """Whether the value is in one of the message's parameters."""
    return any(value in text for text in _texts(message))


def _texts(message: Message) -> Iterable[str]:
    for part in message.parts:
        for param in part.params.values():
            match param:
                case str():
                    yield param
                case Message():
                    yield from _texts(param)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
