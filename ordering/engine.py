"""The engine's Python face: one method per transition, typed values in and out, all state in Redis."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import ResponseError

from messages import NOTHING, Message, text
from ordering.outcomes import (
    Done,
    Failed,
    Held,
    Outcome,
    Pause,
    Release,
    Retry,
    Skipped,
    Snooze,
    Superseded,
    TargetUnavailable,
)

LAYOUT: Final = "1"  # of the keys in Redis; see lua/common.lua
STATUSES: Final = (
    "waiting",
    "ready",
    "running",
    "retrying",
    "held",
    "failed",
    "done",
    "superseded",
    "skipped",
)
UNSETTLED: Final = ("waiting", "ready", "running", "retrying", "held")
UNDER_WAY: Final = ("waiting", "ready", "running", "retrying")
UNDER_WAY_COUNTS: Final = tuple(f"n:{status}" for status in UNDER_WAY)
PAGE: Final = 500  # events that are read at a time
LOOKS: Final = (
    1000  # events that are looked at in one go: some 20 ms over 1,000 companies, in which Redis serves nobody else
)
HELD_PASSED_OVER: Final = 1000  # open events of a company that are looked at for the oldest under way

LUA = Path(__file__).parent / "lua"


class LeaseLost(RuntimeError):
    """The event is no longer this holder's: its lease lapsed, so whatever it does next must not count."""

    def __init__(self, company: str, event_id: str) -> None:
        super().__init__(company, event_id)
        self.company = company
        self.event_id = event_id

    def __str__(self) -> str:
        return f"the lease on event {self.event_id} of {self.company} lapsed"


class UnknownLayout(RuntimeError):
    """Redis holds the state of another version of this system."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return (
            f"Redis holds layout version {self.found}, this version works with {LAYOUT}. Run the version that "
            "wrote it until nothing is waiting, or point REDIS_URL at another database."
        )


@dataclass(frozen=True, slots=True)
class Submission:
    """An event as the engine sees it. `needs` are the ordering keys that must be through first.

    A `recurring` event comes again and again under one id: while it is open or failed, the id is known; once it is
    through, it is forgotten, and the id is accepted anew.
    """

    company: str
    id: str
    key: str
    type: str
    body: str
    occurred_at: datetime
    needs: tuple[str, ...] = ()
    snapshot: bool = False
    control: bool = False
    sequence: int | None = None
    refused: Message = NOTHING
    refused_remedy: Message = NOTHING
    recurring: bool = False


class Wakeup(NamedTuple):
    """A worker is to be told that this event may start."""

    company: str
    id: str
    type: str
    key: str


class Found(NamedTuple):
    """An event as an index knows it."""

    company: str
    id: str
    at: datetime


class Page(NamedTuple):
    """Some events of an index, how many were looked at for them, and the last of those; None when no more are left."""

    found: tuple[Found, ...]
    looked: int
    end: Found | None


@dataclass(frozen=True, slots=True)
class Admission:
    """`known`: an event with this id was accepted before, and nothing was changed."""

    known: bool
    wakeups: tuple[Wakeup, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on an event, good while its lease is renewed. `progress`: steps taken by earlier holders."""

    company: str
    id: str
    fence: int
    type: str
    key: str
    attempts: int
    body: str = field(repr=False)
    progress: Mapping[str, str] = field(repr=False)
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Pumped:
    """What became ready by time alone, and how long until something else will (None: nothing is due)."""

    next_due: timedelta | None
    wakeups: tuple[Wakeup, ...]


@dataclass(frozen=True, slots=True)
class CompanyState:
    """How a company is doing. `paused`: why, if it is; `probing`: its target is down, and something waits for it.

    `oldest`: when its oldest event under way was accepted, held ones left out (see `Ordering.oldest`); `failed_since`:
    when the one failed that has been failed longest.
    """

    counts: Mapping[str, int]
    paused: Message | None
    resting: bool
    probing: bool
    oldest: datetime | None
    failed_since: datetime | None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What is known of an event. `key` is its ordering key; times are aware, UTC."""

    id: str
    company: str
    type: str
    key: str
    status: str
    reason: Message
    remedy: Message
    code: str
    attempts: int
    occurred_at: datetime
    accepted_at: datetime
    settled_at: datetime | None
    blocker: str
    said: str = ""


class Unreported(NamedTuple):
    """Something to tell a person; an empty `id` means the company. `at`: what `reported` compares."""

    company: str
    id: str
    at: str = ""


class Behind(NamedTuple):
    """Events held behind a key: how many, and the first of them as (company, event id).

    `released`: how many of them go on when what failed is given up; those that the target refused do not.
    """

    number: int
    first: tuple[tuple[str, str], ...]
    released: int = 0


class Ordering:
    """The ordering engine over one Redis. Safe to share between threads; not across a fork."""

    def __init__(
        self,
        redis: Redis,
        *,
        lease: timedelta = timedelta(seconds=30),
        release_limit: int = 8,
        retention: timedelta = timedelta(days=90),
        prefix: str = "mf:",
        rewake: timedelta = timedelta(seconds=4),
        crash_limit: int = 3,
        lapse_limit: int = 10,
        breaker_threshold: int = 3,
        breaker_rest: tuple[timedelta, timedelta] = (timedelta(seconds=5), timedelta(minutes=5)),
        clock: Callable[[], int] | None = None,
        sender: str = "local send = nil",
    ) -> None:
        """`redis` must decode responses. `clock` (ms) replaces the server's, for tests with simulated time.

        `sender`: Lua source of `send(company, id, type, key)`, which sends a wake-up from within the script that
        releases the event, if the queue is in the same Redis. Without it, wake-ups are returned, to be sent by the
        caller.

        An event is set aside after `crash_limit` deaths in a row of the process that held it, which `died` tells,
        or after `lapse_limit` lapsed leases in a row: those may as well be the deaths of innocent machines.
        """
        self.redis = redis
        self.lease = lease
        self.prefix = prefix
        self._rewake = rewake
        self._crash_limit = crash_limit
        self._lapse_limit = lapse_limit
        self._breaker = (breaker_threshold, *map(_ms, breaker_rest))
        self._shared = (release_limit, _ms(retention))
        self._clock = clock
        common = (LUA / "common.lua").read_text()
        self._scripts: dict[str, Script] = {
            path.stem: redis.register_script("\n".join((sender, common, path.read_text())))
            for path in sorted(LUA.glob("*.lua"))
            if path.stem != "common"
        }

    def check_layout(self) -> None:
        """Raises `UnknownLayout` when Redis holds another version's state; marks an empty one as ours."""
        key = f"{self.prefix}layout"
        found = self.redis.get(key)
        if found is None:
            with suppress(ResponseError):  # one that takes no writes can be looked at all the same
                self.redis.setnx(key, LAYOUT)
            found = self.redis.get(key)
        if found not in (None, LAYOUT):
            raise UnknownLayout(str(found))

    def publish(self, event: Submission) -> Admission:
        """Accepts an event: once this returns, it is never lost. With `refused`, it is kept as failed."""
        accepted, woken = self._run(
            "publish",
            event.company,
            event.id,
            event.key,
            " ".join(event.needs),
            event.type,
            int(event.snapshot),
            int(event.control),
            "" if event.sequence is None else event.sequence,
            _ms_since_epoch(event.occurred_at),
            event.body,
            _stored(event.refused),
            _stored(event.refused_remedy),
            int(event.recurring),
        )
        return Admission(known=not accepted, wakeups=_wakeups(woken))

    def claim(self, company: str, event_id: str, holder: str = "") -> Claim | None:
        """The event, if it may start now and no one else has it. `holder` names the process, for `died`."""
        answer = self._run("claim", company, event_id, _ms(self.lease), holder)
        if answer[0] == 0:
            return None
        fence, type_, key, attempts, body, progress, accepted = answer
        return Claim(
            company=company,
            id=event_id,
            fence=fence,
            type=type_,
            key=key,
            attempts=int(attempts),
            body=body,
            progress=dict(zip(progress[::2], progress[1::2], strict=True)),
            accepted_at=_time(accepted),
        )

    def renew(self, claim: Claim) -> bool:
        """Keeps the event for another lease; False when it is no longer this holder's."""
        return bool(self._run("renew", claim.company, claim.id, claim.fence, _ms(self.lease)))

    def record(self, claim: Claim, step: str, value: str = "") -> None:
        """Records a step taken, for whoever may have to go on from here. Raises `LeaseLost`."""
        if not self._run("record", claim.company, claim.id, claim.fence, step, value):
            raise LeaseLost(claim.company, claim.id)

    def died(self, company: str, event_id: str, holder: str) -> tuple[Wakeup, ...]:
        """The process is gone: if it held the event, another may have it now. Wrong news breaks promise 1."""
        return _wakeups(self._run("died", company, event_id, holder, self._crash_limit)[1])

    def settle(self, claim: Claim, outcome: Outcome) -> tuple[Wakeup, ...]:
        """Applies the outcome. Returns what it released and did not send itself.

        Raises `LeaseLost`, and then nothing was changed.
        """
        settled, woken = self._run("settle", claim.company, claim.id, claim.fence, *self._arguments(outcome))
        if not settled:
            raise LeaseLost(claim.company, claim.id)
        return _wakeups(woken)

    def pump(self, most: int = 100) -> Pumped:
        """Moves on what time alone moves. Call it when `next_due` has passed, from as many workers as there are."""
        next_due, woken = self._run("pump", most, _ms(self._rewake), self._lapse_limit)
        wait = None if next_due == "-1" else timedelta(milliseconds=int(next_due))
        return Pumped(next_due=wait, wakeups=_wakeups(woken))

    def pause(self, company: str, reason: Message) -> None:
        """The company's events wait until `resume`, and a person is told; accepting goes on, and control events run."""
        self._run("pause", company, _stored(reason))

    def resume(self, company: str) -> tuple[Wakeup, ...]:
        """The company goes on, whether it was paused, resting or probing."""
        return _wakeups(self._run("resume", company)[1])

    def reopen(self, company: str, key: str) -> tuple[Wakeup, ...]:
        """What was refused for this key goes on, as if an event of the key had gone through. It may have none."""
        return _wakeups(self._run("reopen", company, key)[1])

    def retry(self, company: str, event_id: str, *, mark: str = "") -> tuple[str, tuple[Wakeup, ...]]:
        """Runs a failed, skipped, held or retrying event again, or one that is done but for something left out.

        `mark` is recorded like a step taken: a person's word for whoever delivers it. Returns the event's new status:
        "" if it has no other.
        """
        status, woken = self._run("retry", company, event_id, mark)
        return status, _wakeups(woken)

    def skip(self, company: str, event_id: str, reason: Message) -> tuple[bool, tuple[Wakeup, ...]]:
        """Gives up an event that is not running; what waited for it goes on. False if it cannot be skipped."""
        skipped, woken = self._run("skip", company, event_id, _stored(reason))
        return bool(skipped), _wakeups(woken)

    # Looking, not changing

    def companies(self) -> list[str]:
        found: Any = self.redis.smembers(f"{self.prefix}companies")
        return sorted(found)

    def counts(self, company: str) -> dict[str, int]:
        """How many events of the company are in each status."""
        found: Any = self.redis.hmget(self._key("company", company), [f"n:{status}" for status in STATUSES])
        return {status: int(n or 0) for status, n in zip(STATUSES, found, strict=True)}

    def states(self, companies: Iterable[str]) -> dict[str, CompanyState]:
        """How these companies are doing, in two round trips."""
        names = list(companies)
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(self._key("company", name))
                for index in ("open", "failed"):
                    pipeline.zrange(f"{self._key('company', name)}:{index}", 0, 0, withscores=True)
            found = pipeline.execute()
            holding = [name for name, fields in zip(names, found[::3], strict=True) if int(fields.get("n:held", 0))]
            for name in holding:
                self._run("oldest", name, HELD_PASSED_OVER, client=pipeline)
            under_way = dict(zip(holding, pipeline.execute(), strict=True))
        first = {name: open_[0][1] if open_ else "" for name, open_ in zip(names, found[1::3], strict=True)} | under_way
        return {
            name: CompanyState(
                counts={status: int(fields.get(f"n:{status}", 0)) for status in STATUSES},
                paused=_maybe(fields.get("paused")),
                resting="rests" in fields,
                probing="probing" in fields and any(int(fields.get(n, 0)) for n in UNDER_WAY_COUNTS),
                oldest=_time(first[name]) if first[name] else None,
                failed_since=_time(failed[0][1]) if failed else None,
            )
            for name, fields, failed in zip(names, found[::3], found[2::3], strict=True)
        }

    def paused(self, company: str) -> Message | None:
        """Why the company is paused, if it is."""
        found: Any = self.redis.hget(self._key("company", company), "paused")
        return _maybe(found)

    def resting(self, company: str) -> bool:
        """Whether the company rests: throttled, or its target is down."""
        return bool(self.redis.hexists(self._key("company", company), "rests"))

    def stopped(self) -> dict[str, Message]:
        """Companies of which nothing goes through, and why: the reason of a pause, or `NOTHING` in an outage.

        Where the last event that waited for the target was given up, nothing is at a standstill.
        """
        companies = self.companies()
        pipeline = self.redis.pipeline(transaction=False)
        for company in companies:
            pipeline.hmget(self._key("company", company), ["paused", "probing", *UNDER_WAY_COUNTS])
        found = zip(companies, pipeline.execute(), strict=True)
        return {
            company: Message.from_json(paused or "")
            for company, (paused, probing, *counts) in found
            if paused is not None or (probing and any(int(n or 0) for n in counts))
        }

    def in_doubt(self, company: str) -> bool:
        """Whether the target was down when it was last tried, though nothing may be left that tries."""
        return bool(self.redis.hexists(self._key("company", company), "probing"))

    def oldest(self, company: str) -> datetime | None:
        """When the oldest event under way was accepted; held ones are passed over, the first 1,000 of them.

        Behind more than those it is the time of the last of them: what is under way may be younger, but is not older.
        """
        return self.states([company])[company].oldest

    def overdue(self) -> timedelta:
        """How long the longest overdue transition has waited to be moved on: about 0 while any pump runs."""
        now = self._now()
        since = [now]
        for name, allowed in (("due", 0), ("resting", 0), ("leases", 0), ("woken", _ms(self._rewake))):
            first: Any = self.redis.zrange(f"{self.prefix}{name}", 0, 0, withscores=True)
            since += [int(score) + allowed for _, score in first]
        return timedelta(milliseconds=now - min(since))

    def event(self, company: str, event_id: str) -> EventRecord | None:
        found: Any = self.redis.hgetall(self._key("event", f"{company}:{event_id}"))
        return _record(company, event_id, found) if found else None

    def body(self, company: str, event_id: str) -> str | None:
        """The event's JSON, kept until it is superseded, or done with nothing left out."""
        return self.redis.get(self._key("body", f"{company}:{event_id}"))  # type: ignore[return-value]

    def progress(self, company: str, event_id: str) -> dict[str, str]:
        return self.redis.hgetall(self._key("progress", f"{company}:{event_id}"))  # type: ignore[return-value]

    def unsettled(self, company: str) -> Iterator[EventRecord]:
        """Events under way, oldest first."""
        return self._records(company, f"{self._key('company', company)}:open")

    def failed(self, company: str) -> Iterator[EventRecord]:
        """Events that need a person, in the order in which they failed, up to now.

        Those that are retried or skipped meanwhile do not upset it, and what fails again is not met again.
        """
        index, until = f"{self._key('company', company)}:failed", self._now()
        last, skip = (0, ""), 0
        while some := self._scored(index, last[0], until, skip):
            new = [one for one in some if one > last]
            yield from self.events((company, event_id) for _, event_id in new)
            skip = 0 if new else skip + len(some)  # of one millisecond are more than a page
            last = max(some[-1], last)

    def _scored(self, index: str, first: int, last: int, skip: int) -> list[tuple[int, str]]:
        found: Any = self.redis.zrange(index, first, last, byscore=True, offset=skip, num=PAGE, withscores=True)
        return [(int(score), event_id) for event_id, score in found]

    def _now(self) -> int:
        """In ms since the epoch, by the clock that the scripts go by."""
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self.redis.time()  # type: ignore[misc]
        return int(seconds * 1000 + microseconds // 1000)

    def latest(
        self,
        indices: Iterable[str],
        *,
        company: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        after: Found | None = None,
        most: int = 100,
        status: str = "",
        code: str = "",
    ) -> Page:
        """The newest in a company's indices, or in all companies', newest first.

        Indices are `open` (by time accepted) and `failed`, `done`, `superseded`, `skipped` (by time settled); `until`
        is included. At most `LOOKS` events are looked at, so fewer than there are may be found: `after` goes on where
        a page ended.
        """
        first: object = "-inf" if since is None else _ms_since_epoch(since)
        last: object = "+inf" if until is None else _ms_since_epoch(until)
        company_id = ("", "")
        if after is not None:
            last, company_id = _ms_since_epoch(after.at), after[:2]
        looked, at, *end_and_found = self._run(
            "latest", company, " ".join(indices), first, last, most, status, code, LOOKS, *company_id
        )
        (end_company, end_id), flat = end_and_found[:2], end_and_found[2:]
        found = tuple(Found(flat[i], flat[i + 1], _time(flat[i + 2])) for i in range(0, len(flat), 3))
        return Page(found, looked, Found(end_company, end_id, _time(at)) if at else None)

    def of_key(self, key: str) -> list[tuple[str, str]]:
        """(company, event id) of every event of an ordering key that is open or remembered, in no order."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for part in ("line", "failed", "settled"):
                pipeline.zrange(f"{self._key('key', key)}:{part}", 0, -1)
            ids = {event_id for found in pipeline.execute() for event_id in found}
        return [(key.partition("/")[0], event_id) for event_id in ids]

    def is_newest(self, record: EventRecord) -> bool:
        """Whether no event of its key was admitted after it, but such as were superseded or given up."""
        place: Any = self.redis.hget(self._key("event", f"{record.company}:{record.id}"), "place")
        key = self._key("key", record.key)
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(key, "through")
            for part in ("line", "failed"):
                pipeline.zrange(f"{key}:{part}", -1, -1, withscores=True)
            through, *last = pipeline.execute()
        places = [int(through or 0), *(int(score) for found in last for _, score in found)]
        return max(places) <= int(place or 0)

    def unreported(self, most: int = 100) -> list[Unreported]:
        """What a person must be told of, oldest first."""
        found: Any = self.redis.zrange(f"{self.prefix}reports", 0, most - 1, withscores=True)
        return [Unreported(*_ref(ref), f"{score:.0f}") for ref, score in found]

    def untold(self, company: str, event_id: str) -> bool:
        """Whether a person has yet to be told of this event."""
        return self.redis.zscore(f"{self.prefix}reports", f"{company}:{event_id}") is not None

    def reported(self, *reports: Unreported) -> None:
        """A person was told of these, or surely will be. What came up since they were read stays to be told."""
        if reports:
            flat = [part for one in reports for part in (f"{one.company}:{one.id}", one.at)]
            self._run("reported", *flat)

    def behind(self, keys: Iterable[str], most: int = 5) -> list[Behind]:
        """For each key, what is held behind it: by its failure, or because the target refused it for that key."""
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys:
            for index in (f"{self._key('key', key)}:held", f"{self._key('key', key)}:refused"):
                pipeline.zcard(index)
                pipeline.zrange(index, 0, most - 1)
        found = pipeline.execute()
        return [
            Behind(n + m, tuple(_ref(ref) for ref in [*held, *refused][:most]), n)
            for n, held, m, refused in (found[at : at + 4] for at in range(0, len(found), 4))
        ]

    def events(self, refs: Iterable[tuple[str, str]]) -> list[EventRecord]:
        """What is known of these (company, event id), in this order; what is no longer remembered is left out."""
        named = list(refs)
        with self.redis.pipeline(transaction=False) as pipeline:
            for company, event_id in named:
                pipeline.hgetall(self._key("event", f"{company}:{event_id}"))
            found = pipeline.execute()
        return [_record(*ref, fields) for ref, fields in zip(named, found, strict=True) if fields]

    def bodies(self, company: str, ids: Iterable[str], longest: int) -> dict[str, str]:
        """The JSON of these, by id; left out where it is gone, or longer than this many bytes."""
        ids = tuple(ids)
        sizes = self.redis.pipeline(transaction=False)
        for event_id in ids:
            sizes.strlen(self._key("body", f"{company}:{event_id}"))
        short = [one for one, size in zip(ids, sizes.execute(), strict=True) if 0 < size <= longest]
        if not short:
            return {}
        found: Any = self.redis.mget([self._key("body", f"{company}:{event_id}") for event_id in short])
        return {one: body for one, body in zip(short, found, strict=True) if body}

    def _records(self, company: str, index: str) -> Iterator[EventRecord]:
        size: Any = self.redis.zcard(index)
        for start in range(0, size, PAGE):
            ids: Any = self.redis.zrange(index, start, start + PAGE - 1)
            yield from self.events((company, event_id) for event_id in ids)

    def _key(self, kind: str, name: str) -> str:
        return f"{self.prefix}{kind}:{name}"

    def _run(self, script: str, *arguments: object, client: Redis | None = None) -> Any:
        now = "" if self._clock is None else self._clock()
        args: Any = [now, *self._shared, *arguments]
        return self._scripts[script](keys=[self.prefix], args=args, client=client)

    def _arguments(self, outcome: Outcome) -> Iterable[object]:
        """ARGV[7…] of settle.lua."""
        delay: int | str = ""
        code = held = said = ""
        reason = remedy = NOTHING
        tell = False
        match outcome:
            case Done(reason, remedy):
                name, tell = "done", bool(reason)
            case Failed(reason, remedy, code, said):
                name = "failed"
            case Held(held, reason, remedy, code, said, tell):
                name = "held"
            case Skipped(reason):
                name = "skipped"
            case Superseded(reason):
                name = "superseded"
            case Retry(after, reason, code):
                name, delay = "retry", _ms(after)
            case TargetUnavailable(after, reason, code):
                name, delay = "unavailable", _ms(after)
            case Release(rest, reason):
                name, delay = "release", "" if rest is None else _ms(rest)
            case Snooze(after, reason):
                name, delay = "snooze", _ms(after)
            case Pause(reason, remedy, code):
                name = "pause"
        again = isinstance(outcome, Done) and outcome.again
        return (
            name,
            _stored(reason),
            _stored(remedy),
            code,
            delay,
            held,
            int(tell),
            *self._breaker,
            int(again),
            said,
        )


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def _ms_since_epoch(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _time(ms: str | float) -> datetime:
    return datetime.fromtimestamp(float(ms) / 1000, UTC)


def _stored(message: Message) -> str:
    return (message if isinstance(message, Message) else text(message)).to_json()


def _maybe(reason: str | None) -> Message | None:
    return None if reason is None else Message.from_json(reason)


def _ref(ref: str) -> tuple[str, str]:
    company, _, event_id = ref.partition(":")
    return company, event_id


def _wakeups(flat: list[str]) -> tuple[Wakeup, ...]:
    return tuple(Wakeup(*flat[at : at + 4]) for at in range(0, len(flat), 4))


def _record(company: str, event_id: str, found: Mapping[str, str]) -> EventRecord:
    settled = found.get("settled")
    return EventRecord(
        id=event_id,
        company=company,
        type=found["type"],
        key=found["key"],
        status=found["status"],
        reason=Message.from_json(found.get("reason", "")),
        remedy=Message.from_json(found.get("remedy", "")),
        code=found.get("code", ""),
        attempts=int(found.get("attempts", 0)),
        occurred_at=_time(found["occurred"]),
        accepted_at=_time(found["accepted"]),
        settled_at=_time(settled) if settled else None,
        blocker=found.get("blocker", ""),
        said=found.get("said", ""),
    )
