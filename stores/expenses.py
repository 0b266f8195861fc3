"""The state of a company's expense polls: how far changes are listed, which supplier invoices to sync, what Moment has.

Keys of a company's first ledger are `mf:expenses:<company>:…`, of any other `mf:expenses:<company>:<tenant id>:…`.
  state            hash: how far changes are listed, listings under way, counts
  todo             sorted set: supplier invoices to sync, by the time from which
  backlog          sorted set: supplier invoices of an import, in order; synced when `todo` has nothing due
  sent             hash: supplier invoice → what Moment last got of each of its rows; some 40 bytes an invoice
  awaiting         set: supplier invoices that would count once approved (`lastmodified` may not show the approval)
  pending          set: all supplier invoices that awaited approval when last asked; expires
  failed           hash: supplier invoice → id of the failed event about it
  suppliers        hash: supplier invoice with a failed event → number of its supplier
  troubled         hash: supplier invoice → since when reading or writing it fails
  hinted           hash: supplier invoice → what the feed told of it, and how often it was looked for in vain
  walk:…           set: supplier invoices on the pages of a long list read so far; expires
  project:<n>      a project that may have expenses; expires
  unfit            hash: project that may not have expenses → what it lacks; expires
  lacking          set: projects that supplier invoices wait for; `lacking:<n>` the supplier invoices
  asking           set: those of `waiting_for` to ask about now
`mf:expenses:<company>:ledgers` is described at `Ledgers`.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from redis import Redis

from config.redis_replicas import Confirmed
from mappers.expense import ProjectState
from mappers.expense_changes import IN_DOUBT, Sent
from ordering.queries import PREFIX, answers
from stores.epoch import Epoch

Kind = Literal["changes", "import"]
# What the feed tells of a supplier invoice. A later one of two tells more.
TOLD: Final = ("created", "updated", "bookkeep", "cancelled")
WALK_KEPT = timedelta(hours=1)
EPOCH = "epoch"  # beside the rows of what was sent: the one in which it was recorded, if that is not the first
LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list in Fortnox that is being read page by page. `total`: entries on all pages, None before the first.

    `days`: how far an import reaches back. Its first page turns this into `since`, by Fortnox's clock.
    """

    since: datetime | None
    days: int | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(4))  # distinguishes it from a listing that replaces it
    started: datetime | None = None  # when its first page was read, by Fortnox's clock
    page: int = 1
    pages: int | None = None
    total: int | None = None
    passes: int = 0
    moved: bool = False  # entries moved between pages while it was read, so one may have been missed

    def to_json(self) -> str:
        return json.dumps({name: _text(value) for name, value in asdict(self).items()})

    @classmethod
    def from_json(cls, text: str) -> "Listing":
        fields = json.loads(text)
        return cls(**{**fields, "since": _moment(fields["since"]), "started": _moment(fields["started"])})


class ToldChange(NamedTuple):
    """What the feed told of a supplier invoice, and how often Fortnox's answer did not show it."""

    verb: str
    looks: int


class ExpenseStore:
    """The state of one company's ledger. It could be rebuilt from Fortnox and Moment."""

    def __init__(
        self, redis: Redis, company: str, ledger: str = "", prefix: str = PREFIX, confirmed: Confirmed = nullcontext
    ) -> None:
        """`ledger`: the tenant id, unless it is the company's first ledger. `confirmed`: as in `ConnectionStore`."""
        self.ledger = ledger
        self._redis: Any = redis
        self._confirmed = confirmed
        self._base = f"{prefix}expenses:{company}" + (f":{ledger}" if ledger else "")
        self.state_key = f"{self._base}:state"
        self._todo, self._backlog = f"{self._base}:todo", f"{self._base}:backlog"
        self._sent, self._awaiting = f"{self._base}:sent", f"{self._base}:awaiting"
        self._troubled = f"{self._base}:troubled"
        self._pending, self._failed = f"{self._base}:pending", f"{self._base}:failed"
        self._unfit, self._lacking = f"{self._base}:unfit", f"{self._base}:lacking"
        self._suppliers = f"{self._base}:suppliers"
        self._asking, self._hinted = f"{self._base}:asking", f"{self._base}:hinted"
        self._epoch = Epoch(redis, prefix)

    # Listing

    @property
    def cursor(self) -> datetime | None:
        """Every change before this time is listed. None: nothing was ever listed."""
        return _moment(self._redis.hget(self.state_key, "cursor"))

    def listing(self, kind: Kind) -> Listing | None:
        found = self._redis.hget(self.state_key, f"listing:{kind}")
        return Listing.from_json(found) if found else None

    def save_listing(self, kind: Kind, listing: Listing) -> bool:
        """Stores how far the listing has come. False: another listing replaced it meanwhile."""
        return bool(self._run("listed", f"listing:{kind}", listing.id, listing.to_json(), ""))

    def remember_page(self, kind: Kind, numbers: list[str], *, anew: bool) -> bool:
        """Remembers a page's entries. False: one was on an earlier page too, so entries moved between pages."""
        key = f"{self._base}:walk:{kind}"
        pipeline = self._redis.pipeline()
        if anew:
            pipeline.delete(key)
        pipeline.sadd(key, *numbers)
        pipeline.expire(key, WALK_KEPT)
        return bool(pipeline.execute()[-2] == len(numbers))

    def end_listing(self, kind: Kind, listing: Listing, cursor: datetime | None = None) -> bool:
        """Ends the listing and advances the cursor, if one is given. False as in `save_listing`."""
        until = "" if cursor is None else cursor.isoformat()
        return bool(self._run("listed", f"listing:{kind}", listing.id, "", until))

    def ask_import(self, days: int) -> None:
        """Asks for an import of this many days. One under way that reaches back less far starts over."""
        self._run("ask_import", "listing:import", Listing(since=None, days=days).to_json())

    # Supplier invoices to sync

    def add(self, numbers: Iterable[str], now: datetime, *, behind: bool = False) -> None:
        """Queues them for syncing, with `behind` after all changes. One queued already never moves back."""
        places = {number: now.timestamp() for number in numbers}
        if places and behind:
            self._redis.zadd(self._backlog, places, nx=True)
        elif places:
            self._redis.zadd(self._todo, places, lt=True)

    def take(self, now: datetime, again: timedelta) -> str | None:
        """The next one to sync, or None. It stays queued, due again after `again`, until `finish` is called."""
        found = self._redis.zrangebyscore(self._todo, "-inf", now.timestamp(), start=0, num=1)
        found = found or self._redis.zrange(self._backlog, 0, 0)
        if not found:
            return None
        number = str(found[0])
        self.postpone(number, now + again)
        return number

    def postpone(self, number: str, until: datetime) -> None:
        """Queues it for that time."""
        pipeline = self._redis.pipeline()
        pipeline.zadd(self._todo, {number: until.timestamp()})
        pipeline.zrem(self._backlog, number)
        pipeline.execute()

    def finish(self, number: str) -> None:
        """It is synced: takes it off the queue."""
        pipeline = self._redis.pipeline()
        pipeline.zrem(self._todo, number)
        pipeline.hdel(self._troubled, number)
        pipeline.hdel(self._hinted, number)
        pipeline.execute()

    def hint(self, number: str, verb: str, now: datetime) -> None:
        """The feed told of it: queues it for now, before what changed later."""
        before = self.expected(number)
        told = verb if verb in TOLD else "updated"
        strongest = max(told, before.verb if before else told, key=TOLD.index)
        self._redis.hset(self._hinted, number, f"{strongest}:0")
        self.add([number], now)

    def expected(self, number: str) -> ToldChange | None:
        found = self._redis.hget(self._hinted, number)
        return None if found is None else ToldChange(found.partition(":")[0], int(found.partition(":")[2]))

    def look_again(self, number: str, expected: ToldChange, until: datetime) -> None:
        """Queues it for that time: Fortnox's answer did not show yet what the feed told."""
        self._redis.hset(self._hinted, number, f"{expected.verb}:{expected.looks + 1}")
        self.postpone(number, until)

    def next_hinted(self) -> datetime | None:
        """When the next of those is due that the feed told of; None where none is queued."""
        numbers = self._redis.hkeys(self._hinted)
        due = [score for score in (self._redis.zmscore(self._todo, numbers) if numbers else ()) if score is not None]
        return datetime.fromtimestamp(min(due), UTC) if due else None

    def failing_since(self, number: str, now: datetime) -> datetime:
        """Since when syncing it has failed: since now, if this is the first time."""
        self._redis.hsetnx(self._troubled, number, now.isoformat())
        return _moment(self._redis.hget(self._troubled, number)) or now

    def due(self, now: datetime | None = None) -> int:
        """How many are to be synced now, without those queued for later."""
        until = (now or datetime.now(UTC)).timestamp()
        return int(self._redis.zcount(self._todo, "-inf", until)) + int(self._redis.zcard(self._backlog))

    def queued(self) -> int:
        """How many are queued."""
        return int(self._redis.zcard(self._todo)) + int(self._redis.zcard(self._backlog))

    # What Moment has

    def sent(self, number: str) -> dict[int, Sent]:
        """What Moment has of the supplier invoice, by row; in doubt where it was recorded in an earlier epoch."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(self._sent, number)
            self._epoch.ask(pipeline)
            found, *answers = pipeline.execute()
        rows = json.loads(found) if found else {}
        outdated = rows.pop(EPOCH, 0) != self._epoch.answered(*answers)
        sent = {int(row): Sent.read(text) for row, text in rows.items()}
        return {row: replace(one, digest=IN_DOUBT) for row, one in sent.items()} if outdated else sent

    def record_sent(self, number: str, sent: Mapping[int, Sent], *, confirmed: bool = False) -> None:
        """Stores what Moment now has of the supplier invoice, by row. `confirmed`: where it must not be lost."""
        rows = {str(row): str(one) for row, one in sorted(sent.items())}
        epoch = self._epoch.began() if sent else 0
        with self._confirmed(self._redis) if confirmed else nullcontext(self._redis) as client:
            if sent:
                client.hset(self._sent, number, json.dumps(rows | ({EPOCH: epoch} if epoch else {})))
            else:
                client.hdel(self._sent, number)

    def known(self, numbers: list[str]) -> frozenset[str]:
        """Those that Moment has something of, or that failed: they are synced even if they no longer count."""
        if not numbers:
            return frozenset()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._sent, numbers)
        pipeline.hmget(self._failed, numbers)
        sent, failed = pipeline.execute()
        return frozenset(n for n, one, other in zip(numbers, sent, failed, strict=True) if one or other)

    # Approval

    def await_approval(self, number: str) -> None:
        self._redis.sadd(self._awaiting, number)

    def approved(self, number: str) -> None:
        self._redis.srem(self._awaiting, number)

    def awaiting(self) -> frozenset[str]:
        return frozenset(self._redis.smembers(self._awaiting))

    def set_pending(self, numbers: frozenset[str], ttl: timedelta) -> None:
        """Stores, for that long, all supplier invoices that await approval."""
        pipeline = self._redis.pipeline()
        pipeline.delete(self._pending)
        pipeline.sadd(self._pending, "", *numbers)  # "" is no number: an empty set would not be there
        pipeline.pexpire(self._pending, ttl)
        pipeline.execute()

    def forget_pending(self) -> None:
        self._redis.delete(self._pending)

    def pending(self, number: str) -> bool | None:
        """Whether it awaits approval; None if that was not asked lately."""
        pipeline = self._redis.pipeline()
        pipeline.exists(self._pending)
        pipeline.sismember(self._pending, number)
        known, waits = pipeline.execute()
        return bool(waits) if known else None

    # Failures

    def failure(self, number: str) -> str | None:
        """The id of the failed event about this supplier invoice."""
        return self._redis.hget(self._failed, number)  # type: ignore[no-any-return]

    def failures(self) -> dict[str, str]:
        """Supplier invoice → id of the failed event about it, skipped ones included."""
        return self._redis.hgetall(self._failed)  # type: ignore[no-any-return]

    def set_failure(self, number: str, event_id: str | None, supplier: str | None = None) -> None:
        """`supplier`: the number of its supplier, where it is known."""
        pipeline = self._redis.pipeline()
        pipeline.hdel(self._suppliers, number)
        if event_id is None:
            pipeline.hdel(self._failed, number)
        else:
            pipeline.hset(self._failed, number, event_id)
            if supplier is not None:
                pipeline.hset(self._suppliers, number, supplier)
        pipeline.execute()

    def failed_suppliers(self) -> dict[str, str]:
        """Supplier invoice → number of its supplier, of those with a failed event."""
        return self._redis.hgetall(self._suppliers)  # type: ignore[no-any-return]

    # Projects

    def project(self, number: str) -> ProjectState | None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(f"{self._base}:project:{number}")
        pipeline.hget(self._unfit, number)
        fit, unfit = pipeline.execute()
        found = fit or unfit
        return ProjectState(found[0] == "1", found[1] == "1") if found else None

    def cache_project(self, number: str, state: ProjectState, ttl: timedelta) -> None:
        """Remembers the project for that long. All projects that may not have expenses expire together."""
        known = f"{int(state.in_moment)}{int(state.starts)}"
        if all(state):
            self._redis.set(f"{self._base}:project:{number}", known, px=ttl)
            return
        pipeline = self._redis.pipeline()
        pipeline.hset(self._unfit, number, known)
        pipeline.pttl(self._unfit)
        if pipeline.execute()[-1] < 0:
            self._redis.pexpire(self._unfit, ttl)

    def forget_project(self, number: str) -> None:
        pipeline = self._redis.pipeline()
        pipeline.delete(f"{self._base}:project:{number}")
        pipeline.hdel(self._unfit, number)
        pipeline.execute()

    def forget_unfit(self) -> None:
        """Asks about all these projects again: somebody may have added what they lack."""
        self._redis.delete(self._unfit)

    def wait_for_projects(self, number: str, projects: Iterable[str]) -> None:
        """Remembers that rows of the supplier invoice wait for these projects."""
        pipeline = self._redis.pipeline()
        for project in projects:
            pipeline.sadd(f"{self._lacking}:{project}", number)
            pipeline.sadd(self._lacking, project)
        pipeline.execute()

    def queue_awaited_projects(self) -> None:
        """Queues all projects that supplier invoices wait for, to ask about them."""
        self._redis.sunionstore(self._asking, self._lacking)

    def next_awaited_project(self) -> str | None:
        return self._redis.srandmember(self._asking)  # type: ignore[no-any-return]

    def waiting_for(self, project: str) -> frozenset[str]:
        """The supplier invoices that wait for the project."""
        return frozenset(self._redis.smembers(f"{self._lacking}:{project}"))

    def project_checked(self, project: str, *, fit: bool) -> None:
        """Takes the project off the queue. If it is fit, nothing waits for it any more."""
        pipeline = self._redis.pipeline()
        pipeline.srem(self._asking, project)
        if fit:
            pipeline.srem(self._lacking, project)
            pipeline.delete(f"{self._lacking}:{project}")
        pipeline.execute()

    # Counts, for people

    def _run(self, script: str, *arguments: str) -> Any:
        return self._redis.register_script(_source(script))(keys=[self.state_key], args=arguments)

    def count(self, what: str, by: int = 1) -> None:
        self._redis.hincrby(self.state_key, f"n:{what}", by)

    def record_poll(self, when: datetime) -> None:
        self._redis.hset(self.state_key, "polled", when.isoformat())

    def summary(self) -> dict[str, Any]:
        """The state, as `expenses status --json` prints it."""
        state = self._redis.hgetall(self.state_key)
        counts = {name.removeprefix("n:"): int(n) for name, n in sorted(state.items()) if name.startswith("n:")}
        return {
            "lastPoll": state.get("polled"),
            "listedUntil": state.get("cursor"),
            "listing": [_shown(state[name]) for name in ("listing:changes", "listing:import") if name in state],
            "toLookAt": self.queued(),
            "awaitingApproval": int(self._redis.scard(self._awaiting)),
            "supplierInvoicesSent": int(self._redis.hlen(self._sent)),
            "counts": counts,
        }


@cache
def _source(script: str) -> str:
    return (LUA / f"{script}.lua").read_text()


class Ledgers:
    """The Fortnox ledgers that a company was connected to: a list of tenant ids, oldest first.

    Each ledger numbers its supplier invoices from 1, so the state of one must never be used for another.
    """

    def __init__(self, redis: Redis, prefix: str = PREFIX, confirmed: Confirmed = nullcontext) -> None:
        self._redis: Any = redis
        self._prefix = prefix
        self._confirmed = confirmed

    def store(self, company: str, tenant_id: int | None) -> ExpenseStore:
        """The store of that ledger; of the last one if the tenant id is not known."""
        pipeline = self._redis.pipeline(transaction=False)
        for place in (0, -1):
            pipeline.lindex(self._key(company), place)
        return self._store(company, tenant_id, *pipeline.execute())

    def cursors(self, ledgers: Mapping[str, int | None]) -> dict[str, datetime]:
        """How far changes are listed in each company's ledger, given by tenant id; in two round trips.

        Companies of which nothing was ever listed are left out.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for company in ledgers:
                for place in (0, -1):
                    pipeline.lindex(self._key(company), place)
            entered = answers(pipeline)
            for (company, tenant_id), first, last in zip(ledgers.items(), entered[::2], entered[1::2], strict=True):
                pipeline.hget(self._store(company, tenant_id, first, last).state_key, "cursor")
            found = zip(ledgers, map(_moment, answers(pipeline)), strict=True)
        return {company: cursor for company, cursor in found if cursor is not None}

    def former(self, company: str, tenant_id: int) -> ExpenseStore | None:
        """The store of the ledger used until now; None if it is this one."""
        last = self._redis.lindex(self._key(company), -1)
        return None if last in (None, str(tenant_id)) else self.store(company, int(last))

    def enter(self, company: str, tenant_id: int) -> None:
        """Makes this the ledger in use."""
        if self._redis.lindex(self._key(company), -1) != str(tenant_id):
            self._redis.rpush(self._key(company), tenant_id)

    def _store(self, company: str, tenant_id: int | None, first: str | None, last: str | None) -> ExpenseStore:
        ledger = last if tenant_id is None else str(tenant_id)
        name = "" if first in (None, ledger) else ledger or ""
        return ExpenseStore(self._redis, company, name, self._prefix, self._confirmed)

    def _key(self, company: str) -> str:
        return f"{self._prefix}expenses:{company}:ledgers"


def _shown(listing: str) -> dict[str, Any]:
    one = Listing.from_json(listing)
    return {"since": _text(one.since), "page": one.page, "pages": one.pages}


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
