"""What the engine promises, in plain Python: written from the promises, not from the scripts. Pure. No I/O.

No waiting lists, no wake-ups, no counters that are kept up to date: after each action everything that follows
from the promises is worked out anew from the bare facts (who was admitted when, who runs, who failed). That is
slow and short, so that it can be read and believed. `checks.py` compares it with what Redis holds.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter

from messages import Message
from ordering import (
    Done,
    Failed,
    Held,
    Outcome,
    Pause,
    Release,
    Retry,
    Skipped,
    Snooze,
    Submission,
    Superseded,
    TargetUnavailable,
)

IDLE = frozenset({"waiting", "held"})
ACTIVE = frozenset({"ready", "running", "retrying"})
OPEN = IDLE | ACTIVE
FORGOTTEN = frozenset({"done", "superseded", "skipped"})  # after the retention; a failed event is kept

SETTLED = FORGOTTEN | {"failed"}

WAITING, HELD, READY = frozenset({"waiting"}), frozenset({"held"}), frozenset({"ready"})
EITHER = WAITING | HELD
MAYBE_READY = EITHER | READY

JUMP = 1_000_000_000
DAY = 24 * 3600 * 1000  # ms
TICK = 1_000  # ms: what less is no step of the clock
SILENCE = 2_000  # ms without any script


@dataclass(frozen=True, slots=True)
class Rules:
    """The engine's settings, in ms where they are times."""

    lease: int = 30_000
    worker_lease: int = 1_800  # less than SILENCE, so that it lapses in one step of time
    release_limit: int = 3
    rewake: int = 8_000
    crash_limit: int = 3
    lapse_limit: int = 3
    breaker_threshold: int = 3
    first_rest: int = 5_000
    longest_rest: int = 300_000


@dataclass(slots=True, eq=False)
class Event:
    """An accepted event and what became of it. `place`: its ticket, or that of the snapshot whose place it took."""

    company: str
    id: str
    key: str
    needs: tuple[str, ...]
    snapshot: bool
    control: bool
    recurring: bool
    invalid: bool
    sequence: int | None
    body: str
    accepted: int
    place: int
    status: str = "waiting"
    blocker: str = ""  # the key it waits for or is held behind
    refused_by: str = ""  # while held: the key for which the target refused it, until that goes through
    refused_for: str = ""  # the same, until it is held no more: the engine may put off looking at it
    refused_at: int = 0
    again: bool = False  # done, but for something that was left out: a person may have it run again
    broken: bool = False  # failed, and its key has not gone through since
    started: bool = False
    released: bool = False  # holds one of its company's slots
    woken: int = 0  # when its wake-up was sent; of a repeated one, later
    wakes: int = 0  # how often it was repeated
    fence: str = ""
    holder: str = ""
    lease: int = 0  # good up to and including this ms
    claimed: int = 0
    due: int = 0
    attempts: int = 0
    crashes: int = 0
    lapses: int = 0
    settled: int = 0
    progress: dict[str, str] = field(default_factory=dict)
    ref: str = field(init=False)

    def __post_init__(self) -> None:
        self.ref = f"{self.company}:{self.id}"


@dataclass(slots=True)
class Company:
    """`counts`: every event ever accepted, by the status it is in or was in when it was forgotten."""

    paused: Message | None = None
    rests: int | None = None
    troubles: int = 0
    troubled: str = ""
    probing: bool = False
    published: bool = False  # an event of it was accepted once
    stale_told: int | None = None  # the day on which a person was last told that a sequence superseded an event
    jump_told: int | None = None  # the same of a sequence that rose too much
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Key:
    """What is remembered of a key: the last place and sequence that went through, and when."""

    through: int | None = None
    sequence: int | None = None
    done_at: int | None = None
    events: list[Event] = field(default_factory=list)

    def line(self) -> list[Event]:
        """Those that are not settled, in the order in which they are to run."""
        return sorted([e for e in self.events if e.status in OPEN], key=_by_place)


class Model:
    """The promises as a machine: one method per action, each followed by `settle_down`."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = 0
        self.tickets = 0
        self.fences = 0
        self.clock: int | None = None  # about the latest time that a script saw
        self.workers: dict[str, int] = {}  # until when each is known to live
        self.claims: dict[str, dict[str, str]] = {}  # by worker and process: what it claimed last
        self.events: dict[str, Event] = {}
        self.companies: dict[str, Company] = {}
        self.keys: dict[str, Key] = {}
        self.reports: dict[str, int] = {}
        self.outcomes: list[tuple[str, str, int]] = []  # ref, status and time of everything that settled, for producers
        self.just_published = ""  # the ref of the event that this step published
        self.by_sequence: list[Event] = []  # superseded by their sequence alone in this step: one of them may be told

    # Actions

    @staticmethod
    def gives_way(older: Event, new: Submission) -> bool:
        """Whether an event that was refused as invalid, and failed, gives way to the corrected one with its id."""
        return older.invalid and older.status == "failed" and not new.refused

    def follow_clock(self) -> None:
        """Set back, it takes with it what is scheduled. After a silence no worker is thought dead for that."""
        seen = self.clock
        if seen is not None and abs(self.now - seen) < TICK:
            return
        self.clock = self.now
        if seen is None:
            return
        by = self.now - seen
        if by < 0:
            for event in self.events.values():
                event.due, event.lease, event.woken = event.due + by, event.lease + by, event.woken + by
            for company in self.companies.values():
                company.rests = None if company.rests is None else company.rests + by
        if by < 0 or by > SILENCE:
            self.workers = {worker: until + by for worker, until in self.workers.items()}

    def publish(self, event: Submission) -> bool:
        """Whether it is new. A newer snapshot takes the place of one that has not started."""
        self.follow_clock()
        if older := self.events.get(f"{event.company}:{event.id}"):
            if not self.gives_way(older, event):
                return False
            older.recurring = True  # nothing of it stays
            self._finish(older, "skipped")
            self.reports.pop(older.ref, None)
        self.tickets += 1
        new = Event(
            company=event.company,
            id=event.id,
            key=event.key,
            needs=event.needs,
            snapshot=event.snapshot,
            control=event.control,
            recurring=event.recurring,
            invalid=bool(event.refused),
            sequence=event.sequence,
            body=event.body,
            accepted=self.now,
            place=self.tickets,
        )
        key = self.keys.setdefault(event.key, Key())
        line = key.line()
        self.events[new.ref] = new
        self.just_published = new.ref
        self.companies.setdefault(event.company, Company()).published = True
        key.events.append(new)
        if event.refused:
            self._finish(new, "failed")
        elif line and self._may_take_place(new, line[-1], key):
            older = line[-1]
            if older.sequence is not None and new.sequence is not None and new.sequence < older.sequence:
                self._finish(new, "superseded")
                self.by_sequence.append(new)
            else:
                new.place = older.place
                self._finish(older, "superseded")
        return True

    def may_be_claimed(self, event: Event | None) -> bool:
        """Only what was released, while its company may start something; one at a time when that is a probe."""
        if event is None or event.status != "ready" or not event.released:
            return False
        company = self.companies[event.company]
        alone = not any(o.released and o is not event for o in self.of_company(event.company))
        return company.rests is None and (event.control or company.paused is None) and (alone or not company.probing)

    def claim(self, event: Event | None, fence: str | None, holder: str) -> None:
        """`fence`: what the holder got, None where it got nothing; then the event gives its slot back."""
        self.follow_clock()
        if event is None:
            return
        if fence is None:
            event.released = event.released and event.status != "ready"
            return
        worker = self._worker_of(holder)
        if worker:  # it holds one event at a time
            self._free(holder, self.claims.setdefault(worker, {}).get(holder, ""))
            self.claims[worker][holder] = event.ref
        event.holder, event.fence = holder, fence
        self.fences += 1
        event.status, event.claimed, event.lease, event.started = "running", self.now, self.now + self.rules.lease, True

    def holds(self, ref: str, fence: str) -> bool:
        """Whether who got this fencing token may still change anything."""
        event = self.events.get(ref)
        return event is not None and event.status == "running" and event.fence == fence and self.now <= event.lease

    def renew(self, event: Event) -> None:
        self.follow_clock()
        event.lease = self.now + self.rules.lease
        if worker := self._worker_of(event.holder):
            self.workers[worker] = max(self.workers[worker], self.now + self.rules.worker_lease)

    def record(self, event: Event, step: str, value: str) -> None:
        event.progress[step] = value

    def died(self, event: Event | None, holder: str) -> None:
        """The process is gone; it may not be the one that holds the event, or hold another by now."""
        self.follow_clock()
        if worker := self._worker_of(holder):
            event = self.events.get(self.claims.get(worker, {}).pop(holder, event.ref if event else ""))
        if event is not None and event.status == "running" and event.holder == holder:
            event.crashes += 1
            self._orphan(event, event.crashes >= self.rules.crash_limit)

    def leave(self, worker: str) -> None:
        """It stopped: what its processes held goes on."""
        self.follow_clock()
        self.workers.pop(worker, None)
        for process, ref in self.claims.pop(worker, {}).items():
            self._free(process, ref)

    def _worker_of(self, process: str) -> str:
        """The worker of a process, if it is known to live."""
        worker = process.rpartition("/")[0]
        return worker if worker in self.workers else ""

    def _free(self, process: str, ref: str) -> Event | None:
        event = self.events.get(ref)
        if event is None or event.status != "running" or event.holder != process:
            return None
        event.status, event.released = "ready", False
        return event

    def _orphan(self, event: Event, set_aside: bool) -> None:
        event.released = False
        event.status = "ready"
        if set_aside:
            self._finish(event, "failed")

    def woke(self, event: Event, again: bool) -> None:
        """A wake-up was sent: when it is released, and then after twice as long each time."""
        event.wakes = event.wakes + 1 if again else 0
        event.woken = self.now + (self.rules.rewake * (2 ** min(event.wakes, 4) - 1) if again else 0)

    def settle(self, event: Event, outcome: Outcome) -> None:
        self.follow_clock()
        company = self.companies[event.company]
        event.crashes = event.lapses = 0
        event.released = False
        if not isinstance(outcome, Release | Snooze | Pause | TargetUnavailable):
            event.attempts += 1
            company.troubles, company.troubled, company.probing = 0, "", False
        match outcome:
            case Done(notice, _, again, _, _):
                if notice:
                    self.reports[event.ref] = self.now
                self._finish(event, "done", again)
            case Failed():
                self._finish(event, "failed")
            case Skipped():
                self._finish(event, "skipped")
            case Superseded():
                self._finish(event, "superseded")
            case Retry(after):
                event.status, event.due = "retrying", self.now + ms(after)
            case Held(key, tell=tell):
                event.status = "waiting"
                went_through = self.keys.get(key, Key()).done_at
                if went_through is None or (went_through < event.claimed <= self.now):  # later: the clock was set back
                    event.status, event.refused_at = "held", self.now
                    event.refused_by = event.refused_for = key
                    if tell:
                        self.reports[event.ref] = self.now
            case TargetUnavailable(after):
                self._trouble(event, company)
                event.status, event.due = "retrying", self.now + ms(after)
            case Release(rest):
                event.status = "ready"
                if rest is not None:
                    self._rest(company, self.now + ms(rest))
            case Snooze(after):
                event.status, event.due, event.attempts = "retrying", self.now + ms(after), 0
            case Pause(reason):
                event.status = "ready"
                if company.paused is None:
                    company.paused = reason
                    self.reports[f"{event.company}:"] = self.now
                if event.control:
                    self._finish(event, "failed")

    def pump(self, most: int, worker: str) -> None:
        """At most so many of each, the most overdue first."""
        self.follow_clock()
        due = [e for e in self.events.values() if e.status == "retrying" and e.due <= self.now]
        for event in sorted(due, key=lambda e: (e.due, e.ref))[:most]:
            event.status = "ready"
        lapsed = [e for e in self.events.values() if e.status == "running" and e.lease < self.now]
        for event in sorted(lapsed, key=lambda e: (e.lease, e.ref))[:most]:
            event.lapses += 1
            self._orphan(event, event.lapses >= self.rules.lapse_limit)
        self._pump_workers(most, worker)
        rested = [(c.rests, name) for name, c in self.companies.items() if c.rests is not None and c.rests <= self.now]
        for _, name in sorted(rested)[:most]:
            self.companies[name].rests = None

    def _pump_workers(self, most: int, worker: str) -> None:
        """The one that pumps lives; what the dead held goes on, and what they were told is told again."""
        renewed = self.now + self.rules.worker_lease
        if worker and renewed - self.workers.get(worker, 0) >= TICK:
            self.workers[worker] = renewed
        dead = sorted((until, name) for name, until in self.workers.items() if until < self.now)[:most]
        for _, name in dead:
            del self.workers[name]
            for process, ref in self.claims.pop(name, {}).items():
                if event := self._free(process, ref):
                    event.lapses += 1
                    self._orphan(event, event.lapses >= self.rules.lapse_limit)
        if dead:
            for event in self.events.values():
                event.wakes, event.woken = 0, min(event.woken, self.now - self.rules.rewake)

    def pause(self, company: str, reason: Message) -> None:
        known = self.companies.setdefault(company, Company())
        if known.paused is None:
            known.paused = reason
            self.reports[f"{company}:"] = self.now

    def resume(self, company: str) -> None:
        self.follow_clock()
        known = self.companies.setdefault(company, Company())
        known.paused, known.rests, known.troubles, known.troubled, known.probing = None, None, 0, "", False

    def reopen(self, key: str) -> None:
        """What was refused for the key goes on."""
        self.follow_clock()
        self.keys.setdefault(key, Key()).done_at = self.now
        self._lift(key)

    def retry(self, event: Event | None) -> bool:
        """Whether a person's wish to run it again is granted. A settled one goes to its old place."""
        self.follow_clock()
        if event is None:
            return False
        if event.status in ("failed", "skipped") or event.again:
            event.again = False
            event.status, event.broken, event.attempts, event.crashes, event.lapses = "waiting", False, 0, 0, 0
            self.reports.pop(event.ref, None)
            return True
        line = self.keys[event.key].line()
        busy = any(o.status in ACTIVE for o in line if o is not event)
        if event.status in ("retrying", "held") and line[0] is event and not busy:
            event.status, event.refused_by, event.attempts = "ready", "", 0
            self.reports.pop(event.ref, None)
            return True
        return False

    def skip(self, event: Event | None) -> bool:
        """Whether it could be given up: not once it runs or is settled, but a failed one."""
        self.follow_clock()
        if event is None or event.status in ("running", "done", "superseded", "skipped"):
            return False
        self._finish(event, "skipped")
        self.reports.pop(event.ref, None)
        return True

    def reported(self, ref: str) -> None:
        self.reports.pop(ref, None)

    def forget(self) -> None:
        """The retention of everything that was settled has passed."""
        for event in [e for e in self.events.values() if e.status in FORGOTTEN]:
            counts = self.companies[event.company].counts
            counts[event.status] = counts.get(event.status, 0) + 1
            del self.events[event.ref]
            self.keys[event.key].events.remove(event)
        for key in self.keys.values():
            key.through = key.sequence = key.done_at = None

    # What follows from the facts

    def settle_down(self, put_off: Container[str] = ()) -> None:
        """Starts, or supersedes, every idle event that may go on; but those that the engine may put off looking at."""
        for name in {event.key: None for event in self.events.values() if event.status in IDLE}:
            key = self.keys[name]
            while line := key.line():
                head = line[0]
                if head.status not in IDLE or head.ref in put_off:
                    break
                allowed = self.allowed(head)
                if allowed == READY:
                    head.status, head.refused_by = "ready", ""
                elif allowed == {"superseded"}:
                    if head.sequence is not None and key.sequence is not None and (key.through or 0) <= head.place:
                        self.by_sequence.append(head)
                    self._finish(head, "superseded")
                    continue
                break

    def allowed(self, event: Event) -> frozenset[str]:
        """The statuses that an idle event may be in now.

        Order (2): only the first of its key, while no other of it is under way. Prerequisites (4): it waits while
        an earlier event of a key it needs is open, and is held while one has failed and that key has not gone
        through since; and where it was refused for such a key, until that goes through.
        """
        key = self.keys[event.key]
        line = key.line()
        open_, broken = self.blockers(event)
        if line[0] is not event or any(e.status in ACTIVE for e in line):
            held = event.status == "held" and (event.refused_by or open_ or broken)
            return EITHER if held else WAITING
        if self._stale(event, key):
            return frozenset({"superseded"})
        if event.refused_by:
            return HELD if event.refused_at <= self.now else MAYBE_READY  # the clock was set back: it is tried early
        if open_:
            # Held, and what failed is being tried again: it is looked at when that has come to an end.
            return EITHER if broken or event.status == "held" else WAITING
        return HELD if broken else READY

    def blockers(self, event: Event) -> tuple[list[str], list[str]]:
        """The keys it needs that have an earlier open event, and those with an earlier failure not mended."""
        open_, broken = [], []
        for need in event.needs:
            for other in self.keys[need].events if need in self.keys else ():
                if other.place < event.place:
                    if other.status in OPEN:
                        open_.append(need)
                    elif other.broken:
                        broken.append(need)
        return open_, broken

    def of_company(self, company: str) -> Iterable[Event]:
        return (e for e in self.events.values() if e.company == company)

    def next_due(self, more_at_once: bool) -> int | None:
        """In how many ms time alone will move something on."""
        times = [self.now] if more_at_once else []
        for event in self.events.values():
            if event.status == "retrying":
                times.append(event.due)
            elif event.status == "running":
                times.append(event.lease + 1)
            elif event.status == "ready" and event.released:
                times.append(event.woken + self.rules.rewake)
        times += [until + 1 for until in self.workers.values()]
        times += [c.rests for c in self.companies.values() if c.rests is not None]
        return max(0, min(times) - self.now) if times else None

    def _may_take_place(self, new: Event, older: Event, key: Key) -> bool:
        """Superseding (5): only a snapshot that has not started, and only where the new one overtakes nothing.

        Nothing it needs may have been admitted in between and be open or broken still, and no newer one of its
        own key may have gone through.
        """
        if not (new.snapshot and older.snapshot) or older.started or older.needs != new.needs:
            return False
        if key.through is not None and key.through > older.place:
            return False
        others = (o for need in new.needs if need in self.keys for o in self.keys[need].events)
        return not any(o.place > older.place and (o.status in OPEN or o.broken) for o in others)

    @staticmethod
    def _stale(event: Event, key: Key) -> bool:
        """A snapshot is not applied after a newer one: by its sequence where both have one, else by its place."""
        if not event.snapshot:
            return False
        if event.sequence is not None and key.sequence is not None:
            return event.sequence < key.sequence
        return key.through is not None and key.through > event.place

    def _finish(self, event: Event, status: str, again: bool = False) -> None:
        event.status, event.settled, event.again = status, self.now, again
        event.released, event.refused_by, event.blocker = False, "", ""
        event.broken = status == "failed"
        if not event.recurring:
            self.outcomes.append((event.ref, status, self.now))
        key = self.keys[event.key]
        if status == "failed":
            self.reports[event.ref] = self.now
        elif event.recurring:  # its id comes again
            del self.events[event.ref]
            key.events.remove(event)
        elif status != "skipped" and not again:
            event.progress.clear()
        if status != "done":
            return
        if event.control:  # what failed before it is out of date
            for other in [one for one in key.events if one.broken and one.place < event.place]:
                self._finish(other, "superseded")
                self.reports.pop(other.ref, None)
        key.done_at = self.now
        key.through = max(event.place, key.through or 0)
        if event.sequence is not None:
            company = self.companies[event.company]
            if key.sequence is not None and event.sequence - key.sequence > JUMP and company.jump_told != self.today:
                company.jump_told = self.today
                self.reports[event.ref] = self.now
            key.sequence = event.sequence
        for other in key.events:
            other.broken = False
        self._lift(event.key)

    @property
    def today(self) -> int:
        return self.now // DAY

    def _lift(self, key: str) -> None:
        for other in self.events.values():
            if other.refused_by == key:
                other.refused_by = ""

    def _trouble(self, event: Event, company: Company) -> None:
        """Several in a row, of more than one event, open the breaker; then one probe goes at a time.

        What was under way when the company began to rest neither counts nor is charged; a probe is not charged.
        """
        if company.rests is not None:
            return
        if not company.probing:
            event.attempts += 1
            if company.troubled == event.id:
                return
        company.troubled = event.id
        company.troubles += 1
        over = company.troubles - self.rules.breaker_threshold
        if over >= 0:
            company.probing = True
            self._rest(company, self.now + min(self.rules.first_rest * 2**over, self.rules.longest_rest))

    def _rest(self, company: Company, till: int) -> None:
        if till > self.now and till > (company.rests or 0):
            company.rests = till


_by_place = attrgetter("place")


def ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
