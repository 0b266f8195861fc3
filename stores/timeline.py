"""What happened to an event, step by step: one bounded list per event, `timeline:<company>:<id>`, of JSON entries.

It holds no data of the company's except in the reasons of outcomes. It expires together with its event.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.client import Pipeline

from ordering.queries import PREFIX

LONGEST: Final = 100  # entries of one event; older ones are dropped
LONGEST_TEXT: Final = 500  # characters of a reason
ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
NOTHING: Final[Mapping[str, int]] = {}

# Every attempt appends: one script costs a client a sixth of what six commands cost.
APPEND: Final = """
-- KEYS timeline, event, counters (where something is counted)
-- ARGV how many entries to keep, seconds to keep the timeline of a forgotten event, number of entries, entries, counts
redis.call('RPUSH', KEYS[1], unpack(ARGV, 4, 3 + ARGV[3]))
redis.call('LTRIM', KEYS[1], -ARGV[1], -1)
local left = redis.call('PTTL', KEYS[2])
if left >= 0 then redis.call('PEXPIRE', KEYS[1], left)
elseif left == -1 then redis.call('PERSIST', KEYS[1]) -- the event is open or failed
else redis.call('EXPIRE', KEYS[1], ARGV[2]) end
for i = 4 + ARGV[3], #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[i], ARGV[i + 1]) end
"""


class TimelineEntry(NamedTuple):
    """Something that happened: `claimed`, `request`, an outcome, or what a person did. `at` is aware, UTC."""

    at: datetime
    what: str
    details: Mapping[str, Any]


class TimelineStore:
    """The timelines of all events."""

    def __init__(self, redis: Redis, retention: timedelta = timedelta(days=90), prefix: str = PREFIX) -> None:
        self._redis = redis
        self._retention = round(retention.total_seconds())
        self._prefix = prefix

    def append(
        self,
        pipeline: Pipeline,
        company: str,
        event_id: str,
        entries: Iterable[TimelineEntry],
        *,
        counters: str = "",
        tally: Mapping[str, int] = NOTHING,
    ) -> None:
        """Adds a command to the pipeline that appends the entries and adds `tally` to the hash `counters`.

        The timeline expires with its event, even if this runs after the event was settled.
        """
        lines = [_written(entry) for entry in entries]
        added = [word for pair in tally.items() for word in pair]
        keys = [self._key(company, event_id), f"{self._prefix}event:{company}:{event_id}"]
        keys += [counters] if added else []  # "" is a key that a user of Redis may not touch
        pipeline.eval(APPEND, len(keys), *keys, LONGEST, self._retention, len(lines), *lines, *added)

    def add(self, company: str, event_id: str, entry: TimelineEntry) -> None:
        """Appends one entry at once."""
        with self._redis.pipeline(transaction=False) as pipeline:
            self.append(pipeline, company, event_id, [entry])
            pipeline.execute()

    def read(self, company: str, event_id: str) -> list[TimelineEntry]:
        """The event's entries, oldest first."""
        return self.read_many([(company, event_id)])[0]

    def read_many(self, refs: Iterable[tuple[str, str]]) -> list[list[TimelineEntry]]:
        """The entries of each of these (company, event id), in one round trip."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for ref in refs:
                pipeline.lrange(self._key(*ref), 0, -1)
            return [[_read(line) for line in lines] for lines in pipeline.execute()]

    def _key(self, company: str, event_id: str) -> str:
        return f"{self._prefix}timeline:{company}:{event_id}"


def _written(entry: TimelineEntry) -> str:
    details = {name: _short(value) for name, value in entry.details.items() if value not in (None, "")}
    at = round(entry.at.timestamp() * 1000)
    return ENCODE({"at": at, "what": entry.what, **details})


def _short(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value[:LONGEST_TEXT] if isinstance(value, str) else value


def _read(line: str) -> TimelineEntry:
    details = json.loads(line)
    at, what = details.pop("at"), details.pop("what")
    if "next" in details:
        details["next"] = _time(details["next"])
    return TimelineEntry(_time(at), what, details)


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
