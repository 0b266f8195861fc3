"""The worker's consumer: Celery's own, faster in two places (docs/performance.md).

It prefetches one message more than it has processes, so that a process that finishes finds the next one ready. If all
processes are busy with something slow, the ordering engine repeats the waiting wake-up, and another worker takes it.

It buffers the task events for Flower and other monitors. Celery publishes three of them for each task, one by one, from
the process that hands out the tasks; that took two fifths of its time. Nothing in the system reads them.
"""

import time
from typing import Any, Final

from celery.worker.consumer import Consumer

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

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # the stubs say that it returns something
        self.event_dispatcher.buffer_limit = BUFFER_MOST
        now = time.monotonic()
        if self.hub is not None and now >= self._sends_at:
            self._sends_at = now + BUFFER_SECONDS
            self.hub.call_later(BUFFER_SECONDS, self._flush_events)
