"""The stream to which producers add events: `XADD moment:events * event '<json>'`, read through a consumer group.

An entry is removed once its event is kept, so the oldest entry is the oldest that waits.
"""

from datetime import timedelta
from typing import Any, Final, NamedTuple

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

STREAM: Final = "moment:events"
GROUP: Final = "moment-fortnox"
FIELD: Final = b"event"

OLDEST: Final = """
local entry = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), entry and entry[1] or '', redis.call('TIME')[1]}
"""


class StreamEntry(NamedTuple):
    """An entry as bytes. `deliveries`: how many readers were given it, this one included."""

    id: bytes
    fields: dict[bytes, bytes]
    deliveries: int = 1

    @property
    def event(self) -> bytes:
        """The event's JSON; of an entry without one, its fields as text."""
        return self.fields.get(FIELD) or repr(self.fields).encode()


class EventStream:
    """The stream as one reader of the group sees it. Needs a client that returns bytes. Methods raise `RedisError`.

    Entries are read one by one: each may be as large as an event may be.
    """

    def __init__(self, redis: Redis, reader: str) -> None:
        self._redis = redis
        self._reader = reader

    def prepare(self) -> None:
        """Create the stream and the group where they do not exist."""
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def left_behind(self, ours: set[bytes]) -> StreamEntry | None:
        """The oldest entry that any reader was given and did not remove. `ours`: entries that this reader took before.

        Redis counts a delivery only where another reader had the entry, so the count is that of the readers.
        """
        answer: Any = self._redis.xautoclaim(STREAM, GROUP, self._reader, 0, start_id="0-0", count=1, justid=True)
        if not answer:
            return None
        entry_id: bytes = answer[0]
        if entry_id in ours:
            found: Any = self._redis.xrange(STREAM, entry_id, entry_id)
        else:
            found = self._redis.xclaim(STREAM, GROUP, self._reader, 0, [entry_id])
        if not found or found[0][1] is None:
            self.remove(entry_id)  # somebody removed it from the stream alone
            return None
        pending: Any = self._redis.xpending_range(STREAM, GROUP, min=entry_id, max=entry_id, count=1)
        return StreamEntry(entry_id, found[0][1], pending[0]["times_delivered"] if pending else 1)

    def next(self, block: int, done: bytes | None = None) -> StreamEntry | None:
        """Remove the entry that is `done`, and read a new one. None where none comes within `block` milliseconds."""
        with self._redis.pipeline(transaction=False) as pipeline:
            if done is not None:
                _remove(pipeline, done)
            pipeline.xreadgroup(GROUP, self._reader, {STREAM: ">"}, count=1, block=block)
            answer: Any = pipeline.execute()[-1]
        return next((StreamEntry(*entry) for _, entries in answer or [] for entry in entries), None)

    def remove(self, entry_id: bytes) -> None:
        """Remove an entry whose event is kept."""
        with self._redis.pipeline(transaction=False) as pipeline:
            _remove(pipeline, entry_id)
            pipeline.execute()


def _remove(pipeline: Pipeline, entry_id: bytes) -> None:
    """Crash-safe: an entry that is removed and not acknowledged is acknowledged by `left_behind`."""
    pipeline.xdel(STREAM, entry_id)
    pipeline.xack(STREAM, GROUP, entry_id)


class StreamState(NamedTuple):
    """How many entries wait, and for how long the oldest has."""

    entries: int
    oldest: timedelta


def stream_state(redis: Redis) -> StreamState:
    """Raises `RedisError`."""
    answer: Any = redis.eval(OLDEST, 1, STREAM)
    entries, oldest, now = int(answer[0]), str(answer[1]), int(answer[2])
    added = int(oldest.partition("-")[0]) / 1000 if oldest else now
    return StreamState(entries, timedelta(seconds=max(0.0, now - added)))
