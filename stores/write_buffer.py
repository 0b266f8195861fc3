"""Gathers what the attempts of one process write for people and metrics: at once when little happens, several times a
second all together when much does, so that a busy process has no round trip for each event.

Nothing depends on it. A process that is killed takes the last moment's write_buffer with it; one that ends writes them.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

GATHERED_SECONDS: Final = 0.25

Write = Callable[["Pipeline"], None]


class WriteBuffer:
    """Adds of write_buffer to a pipeline, executed together."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._pending: list[Write] = []
        self._timer: threading.Timer | None = None
        self._sent = float("-inf")

    def put(self, write: Write) -> None:
        """Takes what adds a note to a pipeline; written within a quarter of a second."""
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
        """Writes everything now. A Redis that does not take it is told of in the log."""
        with self._lock:
            pending, self._pending = self._pending, []
            self._timer, self._sent = None, time.monotonic()
        if not pending:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for write in pending:
                    write(pipeline)
                pipeline.execute()
        except RedisError as error:
            log.warning("write_buffer.not_written", number=len(pending), error=type(error).__name__)
