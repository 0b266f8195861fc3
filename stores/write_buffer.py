"""Buffers what a process writes for people and metrics: a quiet process writes at once, a busy one four times a second,
so that it needs no round trip for each event.

Nothing depends on these writes. A process that ends flushes them; one that is killed loses the last quarter second.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from stores.threads import WRITE_BUFFER, ThreadStates

log = logging.getLogger(__name__)  # the standard one: commands build this, and start without structlog

GATHERED_SECONDS: Final = 0.25

Write = Callable[["Pipeline"], None]


class WriteBuffer:
    """Writes that are executed together in one pipeline."""

    def __init__(self, redis: Redis, threads: ThreadStates) -> None:
        self._redis = redis
        self._threads = threads
        self._lock = threading.Lock()
        self._pending: list[Write] = []
        self._timer: threading.Timer | None = None
        self._sent = float("-inf")

    def put(self, write: Write) -> None:
        """Buffers a write, a function that adds commands to a pipeline. It runs within a quarter of a second."""
        with self._lock:
            self._pending.append(write)
            if time.monotonic() - self._sent < GATHERED_SECONDS:
                if self._timer is None:
                    self._timer = threading.Timer(GATHERED_SECONDS, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Runs all buffered writes now. If Redis fails, they are logged and dropped."""
        with self._lock:
            pending, self._pending = self._pending, []
            self._timer, self._sent = None, time.monotonic()
        if not pending:
            return
        try:
            self._write(pending)
        except RedisError as error:
            log.warning("write_buffer.not_written", extra={"number": len(pending), "error": type(error).__name__})
        except Exception:  # noqa: BLE001 - one of them cannot be written: it must not take the others with it
            self._write_each(pending)

    def _write_each(self, pending: list[Write]) -> None:
        for write in pending:
            try:
                self._write([write])
            except RedisError as error:
                log.warning("write_buffer.not_written", extra={"number": 1, "error": type(error).__name__})
            except Exception as error:  # noqa: BLE001 - counted; the next one may be written
                log.error("write_buffer.failed", extra={"error": type(error).__name__})
                with suppress(RedisError):
                    self._threads.failed(WRITE_BUFFER)

    def _write(self, pending: list[Write]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for write in pending:
                write(pipeline)
            pipeline.execute()
