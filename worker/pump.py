"""Runs the ordering engine's pump in every worker: due retries, lapsed leases, lost wake-ups.

A thread of the worker's main process, started with its consumer. Any number of pumps may run at once.
"""

from datetime import timedelta
from typing import Any

from celery import bootsteps

from delivery.background import BackgroundThread
from delivery.services import Services
from stores import heartbeats, threads
from tasks.base import services_of

LONGEST_WAIT = timedelta(milliseconds=250)  # another process may make something due at any time


def pump(services: Services) -> float:
    """Pump once. Return how many seconds to wait. Raises `RedisError`."""
    pumped = services.ordering.pump()
    services.telemetry.heartbeats.beat(heartbeats.PUMP)
    wait = LONGEST_WAIT if pumped.next_due is None else min(pumped.next_due, LONGEST_WAIT)
    return wait.total_seconds()


class PumpStep(bootsteps.StartStopStep):
    """Starts and stops the pump with the worker's consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._thread: BackgroundThread | None = None

    def start(self, consumer: Any) -> None:
        services = services_of(consumer.app)
        self._thread = BackgroundThread(threads.PUMP, lambda: pump(services), services.telemetry.threads)
        self._thread.start()

    def stop(self, consumer: Any) -> None:
        if self._thread is not None:
            self._thread.stop()
            self._thread = None
