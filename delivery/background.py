"""Threads that must not end: each repeats a step, and starts again after an unexpected error."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from redis.exceptions import RedisError

from config.redis import is_outage
from delivery.attempt import this_worker
from delivery.bugs import report_error
from stores.threads import ThreadStates

log = structlog.get_logger(__name__)

WAIT_FOR_REDIS: Final = 1.0  # seconds
SHORTEST_WAIT: Final = 0.5  # seconds after a first unexpected error; doubled with each further one
LONGEST_WAIT: Final = 30.0  # less than after what the thread counts as gone (`stores.threads`)


class BackgroundThread(threading.Thread):
    """Repeats `step` until stopped. `step` returns the seconds until it is called again.

    A Redis that is down is waited for. Any other error is reported and counted, the thread counts as down, and `step`
    is tried again, later each time. `first`: seconds until the first step. `ended` is called when the thread stops.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float],
        states: ThreadStates,
        *,
        first: float = 0.0,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._step = step
        self._states = states
        self._first = first
        self._ended = ended
        self._stopped = threading.Event()
        self._failures = 0  # in a row

    def stop(self, timeout: float = 5.0) -> None:
        self._stopped.set()
        self.join(timeout)

    def run(self) -> None:
        wait = self._first
        while not self._stopped.wait(wait):
            wait = self._once()
        with suppress(Exception):
            if self._failures:
                self._states.up(self.name, this_worker())
            self._ended()

    def _once(self) -> float:
        try:
            wait = self._step()
            if self._failures:
                self._states.up(self.name, this_worker())
                log.warning("thread.works_again", thread=self.name)
                self._failures = 0
            return wait
        except RedisError as error:
            if is_outage(error):
                log.warning("thread.waits_for_redis", thread=self.name, error=type(error).__name__)
                return WAIT_FOR_REDIS
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - reported and counted; the thread has to go on
            return self._failed(error)

    def _failed(self, error: Exception) -> float:
        self._failures += 1
        if self._failures == 1:
            report_error(error, thread=self.name)
        log.error("thread.failed", thread=self.name, error=type(error).__name__, exc_info=error)
        with suppress(RedisError):
            self._states.failed(self.name)
            self._states.down(self.name, this_worker())
        return min(LONGEST_WAIT, SHORTEST_WAIT * 2.0 ** min(self._failures - 1, 10))
