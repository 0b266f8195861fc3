"""Buffers what a process writes for people and metrics: a quiet process writes at once, a busy one four times a second,
so that it needs no round trip for each event.

Nothing depends on these writes. A process that ends flushes them; one that is killed loses the last quarter second.
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
    """Writes that are executed together in one pipeline."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
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
            with self._redis.pipeline(transaction=False) as pipeline:
                for write in pending:
                    write(pipeline)
                pipeline.execute()
        except RedisError as error:
            log.warning("write_buffer.not_written", number=len(pending), error=type(error).__name__)
