"""Runs the ordering engine's pump in every worker: due retries, lapsed leases, dead workers, lost wake-ups.

A thread of the worker's main process. It shows the others that this worker lives, so it runs until the process ends:
while a stopping worker's transfers finish, too. Any number of pumps may run at once.
"""

import atexit
import os
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from delivery.background import BackgroundThread
from delivery.services import Services
from stores import heartbeats, threads
from tasks.base import services_of, worker_of

LONGEST_WAIT = timedelta(milliseconds=250)  # another process may make something due at any time


def pump(services: Services, worker: str) -> float:
    """Pump once, as this worker. Return how many seconds to wait. Raises `RedisError`."""
    pumped = services.ordering.pump(worker=worker)
    services.telemetry.heartbeats.beat(heartbeats.PUMP)
    wait = LONGEST_WAIT if pumped.next_due is None else min(pumped.next_due, LONGEST_WAIT)
    return wait.total_seconds()


class PumpStep(bootsteps.StartStopStep):
    """Starts the pump with the worker's first consumer. A lost connection to the broker does not end it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._thread: BackgroundThread | None = None

    def start(self, consumer: Any) -> None:
        if self._thread is not None:
            return
        services, worker = services_of(consumer.app), worker_of(consumer.app)
        self._thread = BackgroundThread(threads.PUMP, partial(pump, services, worker), services.telemetry.threads)
        self._thread.start()
        atexit.register(self._leave, services, worker, os.getpid())

    def stop(self, consumer: Any) -> None:
        """Nothing: see above."""

    def _leave(self, services: Services, worker: str, pid: int) -> None:
        """What the worker's processes still held when they were ended goes on at once."""
        if self._thread is None or pid != os.getpid():
            return
        self._thread.stop()
        with suppress(RedisError):
            services.ordering.leave(worker)
