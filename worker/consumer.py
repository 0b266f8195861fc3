"""The worker's consumer: Celery's own, safer, and faster in two places (docs/performance.md).

It prefetches one message more than it has processes, so that a process that finishes finds the next one ready. If all
processes are busy with something slow, the ordering engine repeats the waiting wake-up, and another worker takes it.

A message that is not ordinary (`worker.ingress`) is kept as a failed event and acknowledged. A producer's message that
is redelivered may have ended the worker that had it: it is not handed to Celery again, but taken here, without the
pool.

It buffers the task events for Flower and other monitors. Celery publishes three of them for each task, one by one, from
the process that hands out the tasks; that took two fifths of its time. Nothing in the system reads them.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog
from celery.worker.consumer import Consumer
from kombu.transport.virtual import Message as Received
from redis.exceptions import RedisError

from config.celery import RECONNECT
from config.logging import LONGEST_TASK_NAME
from delivery.admission import set_aside, take
from messages import Message
from stores.redeliveries import Redeliveries
from tasks.base import services_of
from tasks.flows import RECEIVE
from worker.ingress import NotOrdinary, Task, as_received, ordinary

log = structlog.get_logger(__name__)

PREFETCHED: Final = 1  # messages beyond the number of processes
BUFFER_SECONDS: Final = 0.2
BUFFER_MOST: Final = 500  # events; Celery's 24 would be sent fifty times a second


class QuickConsumer(Consumer):
    """Celery creates it by its name in `config.celery`."""

    hub: Any  # missing in Celery's published types
    initial_prefetch_count: int
    event_dispatcher: Any
    _flush_events: Any
    _sends_at = 0.0  # a time rather than a flag: a lost connection clears the hub's timers

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.initial_prefetch_count += PREFETCHED

    @property
    def max_prefetch_count(self) -> int:
        """What Celery returns to after a lost connection."""
        return super().max_prefetch_count + PREFETCHED

    def ensure_connected(self, conn: Any) -> Any:
        """Celery does not read these from the transport's options."""
        conn.ensure_connection = partial(conn.ensure_connection, **RECONNECT)
        return super().ensure_connected(conn)

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # the stubs say that it returns something
        self.event_dispatcher.buffer_limit = BUFFER_MOST
        now = time.monotonic()
        if self.hub is not None and now >= self._sends_at:
            self._sends_at = now + BUFFER_SECONDS
            self.hub.call_later(BUFFER_SECONDS, self._flush_events)

    def create_task_handler(self, *given: Any, **options: Any) -> Callable[[Received], Any]:
        handle = super().create_task_handler(*given, **options)
        services = services_of(self.app)

        def on_message(message: Received) -> Any:
            try:
                task = ordinary(message, self.app.tasks, services.settings.max_event_bytes, datetime.now(UTC))
            except NotOrdinary as refused:
                return self._set_aside(message, refused.reason)
            if task.name == RECEIVE.name and message.delivery_info.get("redelivered"):
                return self._take(message, task)
            return handle(message)

        return on_message

    # What Celery itself finds fault with, though it passed. Its own methods acknowledge such messages and drop them.

    def on_decode_error(self, message: Received, exc: Exception) -> None:
        self._set_aside(message, Message("ingress.not-json", error=type(exc).__name__))

    def on_unknown_message(self, body: Any, message: Received) -> None:
        self._set_aside(message, Message("ingress.no-task"))

    def on_unknown_task(self, body: Any, message: Received, exc: Exception) -> None:
        self._set_aside(message, Message("ingress.unknown-task", task=str(exc)))

    def on_invalid_task(self, body: Any, message: Received, exc: Exception) -> None:
        self._set_aside(message, Message("ingress.not-json", error=type(exc).__name__))

    def _set_aside(self, message: Received, reason: Message) -> None:
        task = str(message.headers.get("task", ""))[:LONGEST_TASK_NAME]
        log.warning("message.set_aside", reason=reason.key, task=task or None)
        set_aside(services_of(self.app), as_received(message), reason)
        message.ack()

    def _take(self, message: Received, task: Task) -> None:
        """Take an event that was delivered before. What does not live through that is kept without being read."""
        services = services_of(self.app)
        redeliveries, digest = Redeliveries(services.redis), hashlib.sha256(as_received(message)).hexdigest()
        if not redeliveries.begin(digest):
            return self._set_aside(message, Message("event.ended-workers"))
        try:
            (event,) = (*task.args, *task.kwargs.values())
            log.info("message.taken_again", became=take(services, event))
        finally:
            with suppress(RedisError):
                redeliveries.end(digest)
        message.ack()
