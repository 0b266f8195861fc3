"""Runs the ordering engine's pump in every worker: due retries, lapsed leases, lost wake-ups.

A thread of the worker's main process, started with its consumer. Any number of pumps may run at once.
"""

import threading
from datetime import timedelta
from typing import Any

import structlog
from celery import Celery, bootsteps
from redis.exceptions import RedisError

from stores.heartbeats import PUMP
from tasks.base import services_of

log = structlog.get_logger(__name__)

LONGEST_WAIT = timedelta(milliseconds=250)  # another process may make something due at any time
WAIT_FOR_REDIS = timedelta(seconds=1)


class Pump(threading.Thread):
    """Pumps until told to stop."""

    def __init__(self, app: Celery) -> None:
        super().__init__(name="pump", daemon=True)
        self._app = app
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=5)

    def run(self) -> None:
        wait = timedelta(0)
        while not self._stopped.wait(wait.total_seconds()):
            wait = self._once()

    def _once(self) -> timedelta:
        services = services_of(self._app)
        try:
            pumped = services.ordering.pump()
            services.telemetry.heartbeats.beat(PUMP)
        except RedisError as error:
            log.warning("pump.waits_for_redis", error=type(error).__name__)
            return WAIT_FOR_REDIS
        return LONGEST_WAIT if pumped.next_due is None else min(pumped.next_due, LONGEST_WAIT)


class PumpStep(bootsteps.StartStopStep):
    """Starts and stops the pump with the worker's consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._pump: Pump | None = None

    def start(self, consumer: Any) -> None:
        self._pump = Pump(consumer.app)
        self._pump.start()

    def stop(self, consumer: Any) -> None:
        if self._pump is not None:
            self._pump.stop()
            self._pump = None
