"""The Redis door: `XADD moment:events * event '<json>'`, read by every worker through a consumer group.

One worker reads at a time, so that events are admitted in the stream's order; it holds a short lease, and when it dies
the next takes over and starts with what the dead one had read and not acknowledged. An entry is acknowledged and
removed only after its event was admitted, so nothing is lost from the moment XADD returns; an entry admitted twice (a
crash in between, a reader that comes back late) is recognised by its event id.
"""

import os
import socket
import threading
from typing import Any, Final

import structlog
from celery import Celery, bootsteps
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from config import Settings
from config.redis import redis_client
from stores.locks import HELD_BY_ANOTHER, KEPT, ReaderLease
from tasks.base import services_of
from tasks.receive import take

log = structlog.get_logger(__name__)

STREAM: Final = "moment:events"
GROUP: Final = "moment-fortnox"
FIELD: Final = "event"

BATCH = 50
BLOCK = 1000  # ms that one read waits for entries
READER_LEASE = 5  # s after which a dead reader's work is taken over
WAIT = 1.0  # s between two looks whether the reader is gone


def reading_client(settings: Settings) -> Redis:
    """A client that reads whatever a producer wrote: bytes that are no text are refused like any invalid event."""
    return redis_client(settings, decode_responses=True, encoding_errors="replace")


class StreamReader:
    """Reads the stream as one member of the group. `turn` does one round."""

    def __init__(self, app: Celery, redis: Redis, name: str) -> None:
        self._app = app
        self._redis = redis
        self._name = name
        self._lease = ReaderLease(redis, STREAM, name, READER_LEASE)

    def turn(self) -> bool:
        """Admits a batch if this reader holds the lease. False when it is another's turn. Raises `RedisError`."""
        if self._lease.ask() == HELD_BY_ANOTHER:
            return False
        entries = self._left_behind() or self._new()
        # One that was stopped while it read, and so lost its lease, leaves them to whoever holds it now.
        if self._lease.ask() == KEPT:
            self._admit(entries)
        return True

    def resign(self) -> None:
        """Lets the next reader start at once."""
        self._lease.release()

    def prepare(self) -> None:
        """The stream and its group exist afterwards."""
        try:
            self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _left_behind(self) -> list[tuple[str, dict[str, str]]]:
        """Entries that any reader, this one too, was given and did not acknowledge, oldest first."""
        answer: Any = self._redis.xautoclaim(STREAM, GROUP, self._name, min_idle_time=0, start_id="0-0", count=BATCH)
        return [entry for entry in answer[1] if entry[0] is not None]  # Redis 6 names removed entries too

    def _new(self) -> list[tuple[str, dict[str, str]]]:
        answer: Any = self._redis.xreadgroup(GROUP, self._name, {STREAM: ">"}, count=BATCH, block=BLOCK)
        return [entry for _, entries in answer or [] for entry in entries]

    def _admit(self, entries: list[tuple[str, dict[str, str]]]) -> None:
        for entry_id, fields in entries:
            take(self._app, fields.get(FIELD, fields))
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.xack(STREAM, GROUP, entry_id)
                pipeline.xdel(STREAM, entry_id)
                pipeline.execute()


class StreamThread(threading.Thread):
    """Reads until told to stop, in the worker's main process."""

    def __init__(self, app: Celery) -> None:
        super().__init__(name="stream", daemon=True)
        self._app = app
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=BLOCK / 1000 + 4)

    def run(self) -> None:
        redis = reading_client(services_of(self._app).settings)
        # Of its own, also where an earlier thread of this worker has not ended yet.
        reader = StreamReader(self._app, redis, f"{socket.gethostname()}:{os.getpid()}:{self.native_id}")
        ready = False
        while not self._stopped.is_set():
            try:
                if not ready:
                    reader.prepare()
                    ready = True
                if not reader.turn():
                    self._stopped.wait(WAIT)
            except RedisError as error:
                ready = False  # a Redis that was emptied has no group any more
                log.warning("stream.waits_for_redis", error=type(error).__name__)
                self._stopped.wait(WAIT)
        try:
            reader.resign()
        except RedisError:
            log.info("stream.not_resigned")
        redis.close()


class StreamStep(bootsteps.StartStopStep):
    """Starts and stops the reader with the worker's consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._thread: StreamThread | None = None

    def start(self, consumer: Any) -> None:
        self._thread = StreamThread(consumer.app)
        self._thread.start()

    def stop(self, consumer: Any) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
