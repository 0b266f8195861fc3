"""The values that go into the ordering engine and come out of it, and how they are stored. Pure. No I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from messages import NOTHING, Message

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
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS: Final = round(datetime(2300, 1, 1, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Submission:
    """An event to publish. `needs` are the ordering keys whose earlier events must be through first.

    `refused` says why the event is kept as failed instead. The id of a `recurring` event may come again: it is known
    while the event is open or failed, and forgotten once the event is through.
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
    """Tells a worker that this event may start."""

    company: str
    id: str
    type: str
    key: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to `publish`. `known`: an event with this id was accepted before, and nothing was changed."""

    known: bool
    wakeups: tuple[Wakeup, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to run an event, valid while its lease is renewed and its worker lives.

    `progress`: steps taken by earlier claims. `fence`: which claim it is; a counter and a nonce.
    """

    company: str
    id: str
    fence: str
    type: str
    key: str
    attempts: int
    body: str = field(repr=False)
    progress: Mapping[str, str] = field(repr=False)
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Pumped:
    """The answer to `pump`: what became ready, and how long until more is due (None: nothing is scheduled)."""

    next_due: timedelta | None
    wakeups: tuple[Wakeup, ...]


@dataclass(frozen=True, slots=True)
class CompanyState:
    """How a company is doing. `paused`: why, if it is paused; `rests_until`: when it goes on, if it rests.

    `probing`: its target is down and events wait for it.
    `oldest`: when its oldest event under way was accepted, held ones left out (see `Queries.oldest`); `failed_since`:
    when its longest failed event failed.
    """

    counts: Mapping[str, int]
    paused: Message | None
    rests_until: datetime | None
    probing: bool
    oldest: datetime | None
    failed_since: datetime | None

    @property
    def resting(self) -> bool:
        return self.rests_until is not None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """What is known of an event. `key` is its ordering key; times are aware, UTC.

    `said`: the target's own words about it. `before`: why it had failed or waited, where a person skipped it.
    `unreadable`: the stored fields that are missing or cannot be read; the reason names them too.
    """

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
    before: Message = NOTHING
    needs: tuple[str, ...] = ()  # the ordering keys of its prerequisites
    document: str = ""  # the target's number of what was made of it
    voucher: str = ""
    unreadable: tuple[str, ...] = ()


class IndexEntry(NamedTuple):
    """An event as an index lists it."""

    company: str
    id: str
    at: datetime


class IndexPage(NamedTuple):
    """Some entries of an index, how many were looked at to find them, and the last of those (None: none is left)."""

    found: tuple[IndexEntry, ...]
    looked: int
    end: IndexEntry | None


class Unreported(NamedTuple):
    """Something that a person must be told; an empty `id` means the company. `at`: its version, for `reported`."""

    company: str
    id: str
    at: str = ""


class Behind(NamedTuple):
    """Events held behind a key: how many, and the first of them as (company, event id).

    `released`: how many of them go on when the failed event of the key is skipped. Those that the target refused
    do not: they need an event of the key to go through.
    """

    number: int
    first: tuple[tuple[str, str], ...]
    released: int = 0


def event_record(company: str, event_id: str, fields: Mapping[str, str]) -> EventRecord:
    """The record that an event's hash holds. Never raises.

    A field that is missing or cannot be read is named in `unreadable` and in the reason. Something that can be shown
    stands in its place: the status `unreadable`, the time 1970.
    """
    unreadable = tuple(name for name, reads in READABLE.items() if not reads(fields.get(name, "")))
    reason = Message.from_json(fields.get("reason", ""))
    if unreadable:
        reason = Message.join(reason, Message("engine.unreadable-record", fields=", ".join(unreadable)))
    settled = fields.get("settled")
    return EventRecord(
        id=event_id,
        company=company,
        type=fields.get("type", ""),
        key=fields.get("key", ""),
        status="unreadable" if "status" in unreadable else fields["status"],
        reason=reason,
        remedy=Message.from_json(fields.get("remedy", "")),
        code=fields.get("code", ""),
        attempts=to_int(fields.get("attempts")),
        occurred_at=to_time(fields.get("occurred", "")),
        accepted_at=to_time(fields.get("accepted", "")),
        settled_at=to_time(settled) if settled else None,
        blocker=fields.get("blocker", ""),
        said=fields.get("said", ""),
        before=Message.from_json(fields.get("before", "")),
        needs=tuple(fields.get("needs", "").splitlines()),
        document=fields.get("document", ""),
        voucher=fields.get("voucher", ""),
        unreadable=unreadable,
    )


def wakeups(flat: list[str]) -> tuple[Wakeup, ...]:
    """Wake-ups from a script's flat list."""
    return tuple(Wakeup(*flat[at : at + 4]) for at in range(0, len(flat), 4))


def ref(company: str, event_id: str) -> str:
    """How an event is named in Redis."""
    return f"{company}:{event_id}"


def split_ref(name: str) -> tuple[str, str]:
    company, _, event_id = name.partition(":")
    return company, event_id


def to_ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def to_epoch_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def to_time(ms: str | float) -> datetime:
    """The time of these ms since the epoch. Never raises: what is no time between 1970 and 2300 is the nearest such."""
    try:
        return EPOCH + timedelta(milliseconds=min(max(float(ms), 0), LAST_MS))
    except (ValueError, OverflowError):
        return EPOCH


def in_utc(time: datetime) -> str:
    """The time in ISO 8601 as the scripts write it: UTC, ms, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_int(value: str | None) -> int:
    """The whole number, 0 where there is none. Never raises."""
    try:
        return int(value or 0)
    except ValueError:
        return 0


def _is_time(value: str) -> bool:
    try:
        return 0 <= float(value) <= LAST_MS
    except ValueError:
        return False


READABLE: Final[Mapping[str, Callable[[str], object]]] = {
    "type": bool,
    "key": bool,
    "status": STATUSES.__contains__,
    "occurred": _is_time,
    "accepted": _is_time,
    "settled": lambda value: not value or _is_time(value),
    "attempts": lambda value: not value or value.isdecimal(),
}
