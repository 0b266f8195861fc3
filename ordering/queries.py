"""Looking at the ordering engine's state, in few round trips. Changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline
from redis.commands.core import Script

from messages import Message
from ordering.records import (
    STATUSES,
    UNDER_WAY,
    Behind,
    CompanyState,
    EventRecord,
    IndexEntry,
    IndexPage,
    Unreported,
    event_record,
    ref,
    split_ref,
    to_epoch_ms,
    to_int,
    to_ms,
    to_time,
)

OUTCOMES: Final = "moment:outcomes"  # the stream with an entry for each event that settles
PREFIX: Final = "mf:"  # of every key
COMPANIES: Final = "companies"  # the set of all companies
LUA: Final = Path(__file__).parent / "lua"
PAGE: Final = 500  # events read at a time
LOOKS: Final = 1000  # events one script looks at: some 20 ms over 1,000 companies, while which Redis serves nobody else
HELD_PASSED_OVER: Final = 1000  # open events of a company looked at to find the oldest under way
UNDER_WAY_COUNTS: Final = tuple(f"n:{status}" for status in UNDER_WAY)
UNREADABLE: Final = object()
# The engine's keys that are not of one company: without any of them nothing moves.
COUNTERS: Final = ("tickets", "fences", "wakeups", "clock")
SHARED: Final = {
    **dict.fromkeys(("due", "leases", "woken", "resting", "reports", "damaged", "workers"), "zset"),
    **dict.fromkeys((COMPANIES, "unblocked"), "set"),
    **dict.fromkeys(COUNTERS, "string"),
    "counters": "hash",
}


class Queries:
    """Everything that can be asked about events and companies. Safe to share between threads; not across a fork."""

    def __init__(
        self,
        redis: Redis,
        *,
        release_limit: int,
        retention: timedelta,
        prefix: str,
        rewake: timedelta,
        clock: Callable[[], int] | None,
        sender: str,
    ) -> None:
        self.redis = redis
        self.prefix = prefix
        self._rewake = rewake
        self._shared = (release_limit, to_ms(retention))
        self._clock = clock
        common = (LUA / "common.lua").read_text()
        self._scripts: dict[str, Script] = {
            path.stem: redis.register_script("\n".join((sender, common, path.read_text())))
            for path in sorted(LUA.glob("*.lua"))
            if path.stem != "common"
        }

    # Companies

    def companies(self) -> list[str]:
        """Every company that ever had an event, sorted."""
        found: Any = self.redis.smembers(f"{self.prefix}{COMPANIES}")
        return sorted(found)

    def has_company(self, company: str) -> bool:
        """Whether the company ever had an event."""
        return bool(self.redis.sismember(f"{self.prefix}{COMPANIES}", company))

    def counts(self, company: str) -> dict[str, int]:
        """How many events of the company are in each status."""
        found: Any = self.redis.hmget(self._key("company", company), [f"n:{status}" for status in STATUSES])
        return {status: to_int(n) for status, n in zip(STATUSES, found, strict=True)}

    def states(self, companies: Iterable[str]) -> dict[str, CompanyState]:
        """How these companies are doing, in two round trips."""
        names = list(companies)
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hgetall(self._key("company", name))
                for index in ("open", "failed"):
                    pipeline.zrange(self._key(f"company-{index}", name), 0, 0, withscores=True)
            found = answers(pipeline)
            found[::3] = [fields or {} for fields in found[::3]]
            holding = [name for name, fields in zip(names, found[::3], strict=True) if to_int(fields.get("n:held"))]
            for name in holding:
                self._run("oldest", name, HELD_PASSED_OVER, client=pipeline)
            under_way = dict(zip(holding, answers(pipeline), strict=True))
        first = {name: open_[0][1] if open_ else "" for name, open_ in zip(names, found[1::3], strict=True)} | under_way
        return {
            name: CompanyState(
                counts={status: to_int(fields.get(f"n:{status}")) for status in STATUSES},
                paused=_maybe(fields.get("paused")),
                rests_until=to_time(fields["rests"]) if "rests" in fields else None,
                probing="probing" in fields and any(to_int(fields.get(n)) for n in UNDER_WAY_COUNTS),
                oldest=to_time(first[name]) if first[name] else None,
                failed_since=to_time(failed[0][1]) if failed else None,
            )
            for name, fields, failed in zip(names, found[::3], found[2::3], strict=True)
        }

    def oldest(self, company: str) -> datetime | None:
        """When the company's oldest event under way was accepted. Held events are passed over, at most 1,000 of them.

        Where more than 1,000 are held, the time of the 1,000th: no event under way is older.
        """
        return self.states([company])[company].oldest

    def paused(self, company: str) -> Message | None:
        """Why the company is paused; None when it is not."""
        found: Any = self.redis.hget(self._key("company", company), "paused")
        return _maybe(found)

    def resting(self, company: str) -> bool:
        """Whether the company rests: it is throttled, or its target is down."""
        return bool(self.redis.hexists(self._key("company", company), "rests"))

    def stopped(self) -> dict[str, Message]:
        """The companies that deliver nothing, and why: the reason of a pause, or `NOTHING` in an outage.

        An outage for which no event waits any more does not count.
        """
        companies = self.companies()
        pipeline = self.redis.pipeline(transaction=False)
        for company in companies:
            pipeline.hmget(self._key("company", company), ["paused", "probing", *UNDER_WAY_COUNTS])
        found = zip(companies, answers(pipeline, damaged=[None] * (2 + len(UNDER_WAY_COUNTS))), strict=True)
        return {
            company: Message.from_json(paused or "")
            for company, (paused, probing, *counts) in found
            if paused is not None or (probing and any(map(to_int, counts)))
        }

    def in_doubt(self, company: str) -> bool:
        """Whether the target was down when last tried, even if no event is left to try it again."""
        return bool(self.redis.hexists(self._key("company", company), "probing"))

    def unusable(self) -> list[str]:
        """The shared keys that were overwritten: of another type than they should be, or counters without a number."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in SHARED:
                pipeline.type(f"{self.prefix}{name}")
            for name in COUNTERS:
                pipeline.get(f"{self.prefix}{name}")
            found = answers(pipeline)
        types = dict(zip(SHARED, found, strict=False))
        numbers = dict(zip(COUNTERS, found[len(SHARED) :], strict=True))
        return [
            f"{self.prefix}{name}"
            for name, wanted in SHARED.items()
            if types[name] not in (wanted, "none") or not (numbers.get(name) or "0").isdigit()
        ]

    def overdue(self) -> timedelta:
        """How late the most overdue transition is: about 0 while any pump runs."""
        now = self._now()
        since = [now]
        for name, allowed in (("due", 0), ("resting", 0), ("leases", 0), ("woken", to_ms(self._rewake))):
            first: Any = self.redis.zrange(f"{self.prefix}{name}", 0, 0, withscores=True)
            since += [int(score) + allowed for _, score in first]
        return timedelta(milliseconds=now - min(since))

    # Events

    def event(self, company: str, event_id: str) -> EventRecord | None:
        """The event; None when it never came or is no longer remembered."""
        return next(iter(self.events([(company, event_id)])), None)

    def companies_with(self, event_id: str) -> list[str]:
        """The companies that have an event of this id, in one round trip."""
        names = self.companies()
        with self.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(self._key("event", ref(name, event_id)))
            found = pipeline.execute()
        return [name for name, has in zip(names, found, strict=True) if has]

    def events(self, refs: Iterable[tuple[str, str]]) -> list[EventRecord]:
        """The records of these (company, event id), in this order. Events no longer remembered are left out.

        Never raises because of what Redis holds: a record says what of it cannot be read.
        """
        named = list(refs)
        with self.redis.pipeline(transaction=False) as pipeline:
            for company, event_id in named:
                key = self._key("event", ref(company, event_id))
                pipeline.execute_command("HGETALL", key, NEVER_DECODE=True)  # type: ignore[no-untyped-call]
            found = answers(pipeline, damaged=UNREADABLE)
        return [
            event_record(*one, {} if fields is UNREADABLE else _decoded(fields))
            for one, fields in zip(named, found, strict=True)
            if fields
        ]

    def next_attempt(self, record: EventRecord) -> datetime | None:
        """When a retrying event is tried again; None where it is not retrying."""
        due: Any = self.redis.zscore(f"{self.prefix}due", ref(record.company, record.id))
        return None if due is None else to_time(due)

    def is_released(self, record: EventRecord) -> bool:
        """Whether a ready event has one of its company's slots, so that a worker may take it."""
        return bool(self.redis.sismember(self._key("company-released", record.company), record.id))

    def body(self, company: str, event_id: str) -> str | None:
        """The event's JSON, kept until the event is superseded, or done with nothing left out."""
        return self.redis.get(self._key("body", ref(company, event_id)))  # type: ignore[return-value]

    def bodies(self, company: str, ids: Iterable[str], longest: int) -> dict[str, str]:
        """The JSON of these events by id, without those that are gone or longer than `longest` bytes."""
        keys = {event_id: self._key("body", ref(company, event_id)) for event_id in ids}
        sizes = self.redis.pipeline(transaction=False)
        for key in keys.values():
            sizes.strlen(key)
        short = [one for one, size in zip(keys, sizes.execute(), strict=True) if 0 < size <= longest]
        if not short:
            return {}
        found: Any = self.redis.mget([keys[event_id] for event_id in short])
        return {one: body for one, body in zip(short, found, strict=True) if body}

    def progress(self, company: str, event_id: str) -> dict[str, str]:
        """The steps that the event's transfers recorded."""
        return self.redis.hgetall(self._key("progress", ref(company, event_id)))  # type: ignore[return-value]

    def unsettled(self, company: str) -> Iterator[EventRecord]:
        """The company's open events, oldest first."""
        index = self._key("company-open", company)
        size: Any = self.redis.zcard(index)
        for start in range(0, size, PAGE):
            ids: Any = self.redis.zrange(index, start, start + PAGE - 1)
            yield from self.events((company, event_id) for event_id in ids)

    def failed(self, company: str) -> Iterator[EventRecord]:
        """The company's failed events, in the order in which they failed, up to now.

        Events may be retried or skipped while this is read. One that fails again is not listed twice.
        """
        index, until = self._key("company-failed", company), self._now()
        last, skip = (0, ""), 0
        while some := self._scored(index, last[0], until, skip):
            new = [one for one in some if one > last]
            yield from self.events((company, event_id) for _, event_id in new)
            skip = 0 if new else skip + len(some)  # more than a page of them share a millisecond
            last = max(some[-1], last)

    def latest(
        self,
        indices: Iterable[str],
        *,
        companies: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        after: IndexEntry | None = None,
        most: int = 100,
        status: str = "",
        code: str = "",
    ) -> IndexPage:
        """The newest events in the indices of these companies, of all where none is named, newest first.

        Indices are `open` (by time accepted) and `failed`, `done`, `superseded`, `skipped` (by time settled); `until`
        is included. One call looks at `LOOKS` events at most, so it may find fewer than there are: pass the page's
        `end` as `after` to continue.
        """
        first: object = 0 if since is None else to_epoch_ms(since)
        last: object = "+inf" if until is None else to_epoch_ms(until)
        company_id = ("", "")
        if after is not None:
            last, company_id = to_epoch_ms(after.at), after[:2]
        looked, at, *end_and_found = self._run(
            "latest", " ".join(companies), " ".join(indices), first, last, most, status, code, LOOKS, *company_id
        )
        (end_company, end_id), flat = end_and_found[:2], end_and_found[2:]
        found = tuple(IndexEntry(flat[i], flat[i + 1], to_time(flat[i + 2])) for i in range(0, len(flat), 3))
        return IndexPage(found, looked, IndexEntry(end_company, end_id, to_time(at)) if at else None)

    def times(self, after: Mapping[tuple[str, str], int | None], most: int) -> dict[tuple[str, str], list[int]]:
        """The times in companies' indices, oldest first, in ms: by (index, company), at most `most` after the given."""
        asked = (value for (index, name), ms in after.items() for value in (index, name, "-inf" if ms is None else ms))
        found = self._run("times", most, *asked)
        return {of: [int(float(ms)) for ms in times.split()] for of, times in zip(after, found, strict=True)}

    def last_outcome(self) -> str:
        """The id of the newest entry of the stream of outcomes; `0` where it has none."""
        found: Any = self.redis.xrevrange(OUTCOMES, count=1)
        return str(found[0][0]) if found else "0"

    def outcomes_after(self, last: str, most: int) -> tuple[str, list[tuple[str, str, int]]]:
        """(status, company, ms) of the events that settled after this entry of the stream, oldest first; and the last
        entry read.
        """
        found: Any = self.redis.xrange(OUTCOMES, f"({last}", count=most)
        settled = [
            (str(fields.get("status")), str(fields.get("company")), to_epoch_ms(datetime.fromisoformat(fields["at"])))
            for _, fields in found
            if "at" in fields
        ]
        return (str(found[-1][0]) if found else last), settled

    # Ordering keys

    def of_key(self, key: str) -> list[tuple[str, str]]:
        """(company, event id) of every event of an ordering key that is open or remembered, unordered."""
        with self.redis.pipeline(transaction=False) as pipeline:
            for part in ("line", "failed", "settled"):
                pipeline.zrange(self._key(f"key-{part}", key), 0, -1)
            ids = {event_id for found in pipeline.execute() for event_id in found}
        return [(key.partition("/")[0], event_id) for event_id in ids]

    def is_newest(self, record: EventRecord) -> bool:
        """Whether every event that its key accepted after it was superseded or skipped."""
        place: Any = self.redis.hget(self._key("event", ref(record.company, record.id)), "place")
        with self.redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._key("key", record.key), "through")
            for part in ("line", "failed"):
                pipeline.zrange(self._key(f"key-{part}", record.key), -1, -1, withscores=True)
            through, *last = pipeline.execute()
        places = [to_int(through), *(int(score) for found in last for _, score in found)]
        return max(places) <= to_int(place)

    def behind(self, keys: Iterable[str], most: int = 5) -> list[Behind]:
        """For each key, the events held behind it: it has a failed event, or the target refused them because of it."""
        pipeline = self.redis.pipeline(transaction=False)
        for key in keys:
            for index in (self._key("key-held", key), self._key("key-refused", key)):
                pipeline.zcard(index)
                pipeline.zrange(index, 0, most - 1)
        found = pipeline.execute()
        return [
            Behind(n + m, tuple(split_ref(one) for one in [*held, *refused][:most]), n)
            for n, held, m, refused in (found[at : at + 4] for at in range(0, len(found), 4))
        ]

    def damaged(self) -> list[IndexEntry]:
        """Events that were set aside because their hash could not be read, by when that was found."""
        found: Any = self.redis.zrange(f"{self.prefix}damaged", 0, -1, withscores=True)
        return [IndexEntry(*split_ref(one), to_time(at)) for one, at in found]

    def damaged_count(self) -> int:
        """How many `damaged` lists."""
        return int(self.redis.zcard(f"{self.prefix}damaged"))  # type: ignore[arg-type]  # not awaitable: no asyncio

    def forget_damaged(self, entries: Iterable[IndexEntry]) -> None:
        """Take these from what `damaged` lists."""
        if refs := [ref(entry.company, entry.id) for entry in entries]:
            self.redis.zrem(f"{self.prefix}damaged", *refs)

    # Reports to people

    def unreported(self, most: int = 100) -> list[Unreported]:
        """What a person must still be told, oldest first."""
        found: Any = self.redis.zrange(f"{self.prefix}reports", 0, most - 1, withscores=True)
        return [Unreported(*split_ref(one), f"{score:.0f}") for one, score in found]

    def unreported_count(self) -> int:
        """How many reports a person must still be told."""
        return int(self.redis.zcard(f"{self.prefix}reports"))  # type: ignore[arg-type]  # not awaitable: no asyncio

    def is_unreported(self, company: str, event_id: str) -> bool:
        """Whether a person must still be told of this event."""
        return self.redis.zscore(f"{self.prefix}reports", ref(company, event_id)) is not None

    def _scored(self, index: str, first: int, last: int, skip: int) -> list[tuple[int, str]]:
        found: Any = self.redis.zrange(index, first, last, byscore=True, offset=skip, num=PAGE, withscores=True)
        return [(int(score), event_id) for event_id, score in found]

    def _now(self) -> int:
        """Milliseconds since the epoch, by the clock that the scripts use."""
        if self._clock is not None:
            return self._clock()
        seconds, microseconds = self.redis.time()  # type: ignore[misc]
        return int(seconds * 1000 + microseconds // 1000)

    def _key(self, kind: str, name: str) -> str:
        return f"{self.prefix}{kind}:{name}"

    def _run(self, script: str, *arguments: object, client: Redis | None = None) -> Any:
        now = "" if self._clock is None else self._clock()
        args: Any = [now, *self._shared, *arguments]
        return self._scripts[script](keys=[self.prefix, OUTCOMES], args=args, client=client)


def _decoded(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}


def answers(pipeline: Pipeline, damaged: Any = None) -> list[Any]:
    """Run reads of many companies' keys. Where a key is of another type than it should be, its answer is `damaged`.

    So one company's damaged key hides that company's figures alone. Raises other `RedisError`s.
    """
    found: list[Any] = pipeline.execute(raise_on_error=False)
    for one in found:
        if isinstance(one, Exception) and "WRONGTYPE" not in str(one):
            raise one
    return [damaged if isinstance(one, Exception) else one for one in found]


def _maybe(reason: str | None) -> Message | None:
    return None if reason is None else Message.from_json(reason)
