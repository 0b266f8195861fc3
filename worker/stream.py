"""Reads the stream to which producers add events, in every worker: `XADD moment:events * event '<json>'`.

One worker reads at a time, so that events are admitted in the stream's order. It holds a short lease; when it dies, the
next one takes over and starts with the entries that the dead one was given and did not remove. An entry is removed only
after its event is kept, so nothing is lost once XADD has returned. An entry that is admitted twice (after a crash in
between, or by a reader that comes back late) is recognised by its event's id.

Whatever an entry holds, it is kept as an event or as a failed one, and the next is read. An entry of which readers died
is kept without being parsed.
"""

import os
import socket
import time
from itertools import count
from typing import Any, Final

from celery import bootsteps

from config.redis import redis_client
from delivery.admission import set_aside, take
from delivery.background import BackgroundThread
from delivery.services import Services
from messages import Message
from stores.event_stream import STREAM, EventStream, StreamEntry
from stores.locks import HELD_BY_ANOTHER, KEPT, ReaderLease
from stores.threads import STREAM_READER
from tasks.base import services_of

BLOCK = 1000  # ms that one read waits for entries
READER_LEASE = 5  # s after which another worker takes over from a dead reader
WAIT = 1.0  # s between two looks whether the reader is gone
DEATHS: Final = 3  # readers that may have an entry; one more does not parse it

_numbers = count()


class StreamReader:
    """One member of the group that reads the stream. `step` reads one entry."""

    def __init__(self, services: Services, name: str) -> None:
        self._services = services
        self._redis = redis_client(services.settings)
        self._stream = EventStream(self._redis, name)
        self._lease = ReaderLease(self._redis, STREAM, name, READER_LEASE)
        self._ready = False
        self._renew_at = 0.0  # by the monotonic clock, which runs on while a process is stopped
        self._look_back = True  # entries may be left behind
        self._taken: set[bytes] = set()  # entries that this reader took and did not finish
        self._done: bytes | None = None  # removed with the next read

    def step(self) -> float:
        """Keep the next entry, if this reader holds the lease. Return the seconds to wait. Raises `RedisError`."""
        try:
            return self._step()
        except Exception:
            self._ready = False  # a Redis that was emptied has no group any more
            self._look_back = True
            raise

    def close(self) -> None:
        """Remove what is done, and let the next reader start at once. Raises `RedisError`."""
        try:
            self._remove_done()
            self._lease.release()
        finally:
            self._redis.close()

    def _step(self) -> float:
        if not self._ready:
            self._stream.prepare()
            self._ready = True
        if self._leased() == HELD_BY_ANOTHER:
            return WAIT
        entry = self._next()
        # A reader that was stopped while it read may have lost its lease: then the entry is the new holder's.
        if entry is not None and self._leased() == KEPT:
            self._keep(entry)
        return 0.0

    def _leased(self) -> int:
        """Whether the lease is held; asks Redis only where it may have lapsed."""
        now = time.monotonic()
        if now < self._renew_at:
            return KEPT
        held = self._lease.ask()
        self._renew_at = now + READER_LEASE / 3 if held != HELD_BY_ANOTHER else 0.0
        self._look_back = True
        return held

    def _next(self) -> StreamEntry | None:
        if self._look_back:
            self._remove_done()
            if entry := self._stream.left_behind(self._taken):
                return entry
            self._look_back = False
        entry = self._stream.next(BLOCK, self._done)
        self._done = None
        return entry

    def _remove_done(self) -> None:
        if self._done is not None:
            self._stream.remove(self._done)
            self._done = None

    def _keep(self, entry: StreamEntry) -> None:
        self._taken.add(entry.id)
        if entry.deliveries > DEATHS:
            set_aside(self._services, entry.event, Message("event.ended-workers"))
        else:
            take(self._services, entry.event)
        self._done = entry.id
        self._taken.discard(entry.id)


class StreamStep(bootsteps.StartStopStep):
    """Starts and stops the reader with the worker's consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._thread: BackgroundThread | None = None

    def start(self, consumer: Any) -> None:
        services = services_of(consumer.app)
        # A name of its own, also where an earlier reader of this worker has not ended yet.
        reader = StreamReader(services, f"{socket.gethostname()}:{os.getpid()}:{next(_numbers)}")
        states = services.telemetry.threads
        self._thread = BackgroundThread(STREAM_READER, reader.step, states, ended=reader.close)
        self._thread.start()

    def stop(self, consumer: Any) -> None:
        if self._thread is not None:
            self._thread.stop(timeout=BLOCK / 1000 + 4)
            self._thread = None
