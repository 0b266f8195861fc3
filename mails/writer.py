"""From what is to be told to letters: the words are `Words`', the choice among them is made here. Pure. No I/O."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from mails.content import Attachment, Entry, MailContent, Section, Tone
from mails.items import SHOWN, Item
from mails.listing import ROOM, as_csv
from mails.things import Thing, of_key
from mails.translate import said
from mails.words import ENGLISH, Words, plain, sentence
from mails.words_sv import SWEDISH
from messages import Message
from messages.catalogue import say

WORDS = {"sv": SWEDISH, "en": ENGLISH}
WAY_BACK = {"supplierInvoice", "expenses"}  # kinds that go from Fortnox to Moment
LONGEST_NAME = 160  # characters; Moment lets a customer's name have thousands


class History(NamedTuple):
    """What was told of the same cause before: how many events, and since when; `events`: those of this mail."""

    events: int
    before: int
    since: datetime


class Standstill(NamedTuple):
    """`next_step`: after how long in all the next mail about it comes; None when none does."""

    reason: Message
    since: datetime
    now: datetime
    waiting: int
    next_step: timedelta | None = None
    link: str = ""

    @property
    def long(self) -> timedelta:
        return self.now - self.since


class Writer:
    """Writes to one company, in one language. `room`: how many bytes an attached list may have; 0 for none."""

    def __init__(self, company: str, words: Words, room: int = ROOM) -> None:
        self._company = company
        self._words = words
        self._room = room

    def events(self, items: Sequence[Item], history: History) -> MailContent:
        """Of events with one cause: failed, held, or through with a remark. At least one."""
        status = items[0].record.status
        tone: Tone = {"held": "waiting", "done": "remark"}.get(status, "stopped")  # type: ignore[assignment]
        content = MailContent(
            subject=f"Fortnox: {self._headline(items, history, in_title=False)}",
            title=sentence(self._headline(items, history, in_title=True)),
            tone=tone,
            tag={"waiting": self._words.tag_held, "remark": self._words.tag_remark}.get(tone, self._words.tag_failed),
            language=self._words.language,
            facts=self._facts(items, history),
            footer=(self._words.sent_by.format(company=self._company),),
        )
        sections = {"done": self._of_remarks, "held": self._of_held}.get(status, self._of_failed)
        return self._with_list(replace(content, sections=sections(items, history)), items, history)

    def paused(self, still: Standstill, step: int) -> MailContent:
        words = self._words
        subject = words.paused_subject if step == 0 else words.paused_again.format(long=words.long(still.long))
        link = bool(still.link)
        reconnect = Section(
            words.reconnect,
            paragraphs=(words.reconnect_link if link else words.reconnect_how,),
            command="" if link else f"moment-fortnox companies connect {self._company}",
            link=still.link,
        )
        return self._standstill(
            still,
            f"Fortnox: {subject[:1].lower() + subject[1:]}",
            words.paused_title,
            "stopped",
            words.tag_paused,
            (Section(words.why, self._say(still.reason)), reconnect, self._afterwards(words.paused_kept, still)),
        )

    def outage(self, still: Standstill) -> MailContent:
        words = self._words
        return self._standstill(
            still,
            words.outage_subject.format(long=words.long(still.long)),
            words.outage_title,
            "waiting",
            words.tag_outage,
            (
                Section(words.why, (words.outage_why.format(since=words.time(still.since)),)),
                Section(words.what_to_do, (words.outage_to_do,)),
                self._afterwards(words.outage_kept, still),
            ),
        )

    def well(self, still: Standstill, what: str) -> MailContent:
        words = self._words
        how = words.well_paused if what == "paused" else words.well_outage
        goes = words.counted(words.well_goes, still.waiting) if still.waiting else words.well_nothing
        return MailContent(
            subject=words.well_subject,
            title=words.well_title,
            tone="well",
            tag=words.tag_well,
            language=words.language,
            lead=how.format(since=words.time(still.since), long=words.long(still.long)),
            facts=((words.company, self._company),),
            sections=(Section(words.what_to_do, (words.nothing_to_do,)), Section(words.by_itself, (goes,))),
            footer=(words.sent_by.format(company=self._company),),
        )

    def undelivered(self, note: str) -> MailContent:
        """To the operator: an address of the company did not get what its others got."""
        words = self._words
        return MailContent(
            subject=words.undelivered.format(company=self._company),
            title=words.undelivered.format(company=self._company),
            tone="waiting",
            tag=words.tag_remark,
            language=words.language,
            lead=note,
            facts=((words.company, self._company),),
            footer=(words.sent_by.format(company=self._company),),
        )

    # The parts of a mail about events

    def _headline(self, items: Sequence[Item], history: History, *, in_title: bool) -> str:
        words, status = self._words, items[0].record.status
        if items[0].record.key.split("/")[1:2] == ["invalid"]:
            return words.counted(words.unreadable, history.events)
        kind = items[0].thing.kind
        if kind == "integration" and status != "held":
            return words.connection_failed if status == "failed" else words.connection_remark
        what = self._name(items[0]) if history.events == 1 else self._number_of(items, history.events)
        if status == "failed":
            title = words.failed_back_title if kind in WAY_BACK else words.failed_title
            return (title if in_title else words.failed).format(what=what)
        return words.counted(words.held if status == "held" else words.remark, history.events, what=what)

    def _number_of(self, items: Sequence[Item], n: int) -> str:
        kinds = {item.thing.kind for item in items}
        kind = kinds.pop() if len(kinds) == 1 else "event"
        return f"{self._words.whole(n)} {self._words.kinds[kind][n != 1]}"

    def _facts(self, items: Sequence[Item], history: History) -> tuple[tuple[str, str], ...]:
        words = self._words
        first = items[0]
        facts = [(words.company, self._company)]
        if history.events == 1:
            if first.thing.kind != "event":
                facts.append((words.what, self._name(first)))
            if first.thing.total is not None:
                facts.append((words.amount, words.money(first.thing.total, first.thing.currency)))
            facts.append((words.when, words.time(first.record.settled_at or first.record.accepted_at)))
            facts.append((words.event, first.record.id))
        else:
            facts.append((words.count, self._number_of(items, history.events)))
        if history.before:
            told = words.told_before.format(
                n=words.whole(history.before),
                total=words.whole(history.before + history.events),
                since=words.time(history.since),
            )
            facts.append((words.before, told))
        return tuple(facts)

    def _of_failed(self, items: Sequence[Item], history: History) -> tuple[Section, ...]:
        words = self._words
        sections = [*self._why(items), *self._which(items, history), *self._remedy(items)]
        told = (words.kept, words.more_hourly) if history.events > 1 else (words.kept,)
        sections.append(self._behind(items, told))
        sections.append(self._again(items, history))
        return tuple(sections)

    def _of_held(self, items: Sequence[Item], history: History) -> tuple[Section, ...]:
        words = self._words
        if items[0].record.blocker.split("/")[1:2] == ["access"]:
            then = words.part_closed
        elif history.events == 1:
            then = words.goes_on_after.format(blocker=self._call(of_key(items[0].record.blocker)))
        else:
            then = words.go_on_after
        return (
            *self._why(items),
            *self._which(items, history),
            *self._remedy(items),
            self._behind(items, (then, words.kept)),
        )

    def _of_remarks(self, items: Sequence[Item], history: History) -> tuple[Section, ...]:
        words = self._words
        remarks = (
            Section(words.remarks, self._say(items[0].record.reason))
            if history.events == 1
            else Section(words.remarks, entries=self._entries(items, history))
        )
        remedies = self._remedy(items)
        connection = items[0].thing.kind == "integration"
        after = words.goes_on_with_remark if connection else words.nothing_to_do_for_remark
        return (remarks, *(remedies or (Section(words.by_itself, (after,)),)))

    def _why(self, items: Sequence[Item]) -> tuple[Section, ...]:
        """What all say is said once; what differs stands with each in the list."""
        reason = self._say(items[0].record.reason) if _same(items, "reason") else ()
        said = self._of_fortnox(items[0]) if _same(items, "said", "reason") else ()
        return (Section(self._words.why, reason + said),) if reason + said else ()

    def _of_fortnox(self, item: Item) -> tuple[str, ...]:
        """Fortnox's own words, unless the reason has them already, and its code."""
        words, record = self._words, item.record
        code = record.code.rpartition(" ")[2]  # of `period-locked 2000401` Fortnox's part
        said = "" if record.said in say(record.reason) else plain(record.said)
        if said and code:
            return (words.fortnox_says.format(said=said, code=code),)
        if said:
            return (words.fortnox_says_only.format(said=said),)
        return (words.code_only.format(code=code),) if code and code not in say(record.reason) else ()

    def _which(self, items: Sequence[Item], history: History) -> tuple[Section, ...]:
        if history.events == 1:
            return ()
        return (Section(self._words.which, entries=self._entries(items, history)),)

    def _entries(self, items: Sequence[Item], history: History) -> tuple[Entry, ...]:
        reasons, said = not _same(items, "reason"), not _same(items, "said", "reason")
        entries = [
            Entry(
                self._name(item, amount=True),
                (self._say(item.record.reason) if reasons else ()) + (self._of_fortnox(item) if said else ()),
            )
            for item in items[:SHOWN]
        ]
        if history.events > len(entries):
            entries.append(Entry(self._words.and_more.format(n=self._words.whole(history.events - len(entries)))))
        return tuple(entries)

    def _remedy(self, items: Sequence[Item]) -> tuple[Section, ...]:
        remedies = dict.fromkeys(line for item in items[:SHOWN] for line in self._say(item.record.remedy))
        return (Section(self._words.what_to_do, tuple(remedies)),) if remedies else ()

    def _behind(self, items: Sequence[Item], told: tuple[str, ...]) -> Section:
        """What goes on by itself afterwards, by name."""
        words = self._words
        waiting = sum(item.behind for item in items)
        if not waiting:
            return Section(words.by_itself, told)
        named = [one for item in items[:SHOWN] for one in item.behind_first][:SHOWN]
        entries = [Entry(self._call(one)) for one in named]
        if waiting > len(named):
            entries.append(Entry(words.and_more.format(n=words.whole(waiting - len(named)))))
        told += (words.counted(words.behind if len(items) == 1 else words.behind_all, waiting),)
        return Section(words.by_itself, told, entries=tuple(entries))

    def _again(self, items: Sequence[Item], history: History) -> Section:
        words, record = self._words, items[0].record
        event_id = shlex.quote(record.id)  # a producer's, and somebody will paste the command
        if record.key.split("/")[1:2] == ["invalid"]:
            command = f"moment-fortnox events show {self._company} {event_id}"
            return Section(words.retry, (words.resend,), command=command)
        snapshots = all(item.thing.kind in {"customer", "project"} for item in items)
        same = f"--code {shlex.quote(record.code)}" if record.code else f"--like {event_id}"
        which = event_id if history.events == 1 else f"--all-failed {same}"
        return Section(
            words.retry,
            (words.retry_snapshot if snapshots else words.retry_other,),
            command=f"moment-fortnox events retry {self._company} {which}",
        )

    def _with_list(self, content: MailContent, items: Sequence[Item], history: History) -> MailContent:
        if history.events == 1:
            return content
        words = self._words
        day = max(item.record.settled_at or item.record.accepted_at for item in items).date().isoformat()
        name = words.list_name.format(company=self._company, date=day)
        file, listed = as_csv(items, words, self._room)
        told = words.list_attached.format(name=name)
        if listed < len(items):
            parts = (words.list_cut if listed else words.list_left_out, words.list_elsewhere)
            fields = {"name": name, "n": words.whole(listed), "left": words.whole(len(items) - listed)}
            told = " ".join(parts).format(company=self._company, status=items[0].record.status, **fields)
        sections = [
            replace(one, after=told) if one.heading in {words.which, words.remarks} else one for one in content.sections
        ]
        attachment = Attachment(name, file) if listed else None
        return replace(content, sections=tuple(sections), attachment=attachment)

    # The parts of a mail about a standstill

    def _standstill(
        self, still: Standstill, subject: str, title: str, tone: Tone, tag: str, sections: tuple[Section, ...]
    ) -> MailContent:
        words = self._words
        return MailContent(
            subject=subject,
            title=title,
            tone=tone,
            tag=tag,
            language=words.language,
            facts=(
                (words.company, self._company),
                (words.since, words.time(still.since)),
                (words.waiting, words.counted(words.waiting_events, still.waiting)),
            ),
            sections=sections,
            footer=(words.sent_by.format(company=self._company),),
        )

    def _afterwards(self, kept: str, still: Standstill) -> Section:
        words = self._words
        after = still.next_step
        told = words.told_no_more if after is None else words.told_next.format(long=words.long(after))
        return Section(words.by_itself, (kept, told))

    # What things are called

    def _name(self, item: Item, *, amount: bool = False) -> str:
        name = self._call(item.thing)
        if amount and item.thing.total is not None:
            name += f", {self._words.money(item.thing.total, item.thing.currency)}"
        return name

    def _call(self, about: Thing) -> str:
        """`faktura 1001 till Skånska Bygg AB`, on one line."""
        words = self._words
        name = " ".join(part for part in (words.kinds[about.kind][0], about.number, about.name) if part)
        if about.customer:
            whom = about.customer_name or words.customer_number.format(number=about.customer)
            name = words.to_customer.format(thing=name, customer=whom)
        return plain(name)[:LONGEST_NAME]

    def _say(self, message: Message) -> tuple[str, ...]:
        """Line by line: what differs between two invoices comes as a list."""
        return tuple(plain(line) for line in said(message, self._words.language) if line.strip())


def _same(items: Sequence[Item], *fields: Literal["reason", "said"]) -> bool:
    return len({tuple(getattr(item.record, name) for name in fields) for item in items}) == 1
