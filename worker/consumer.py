"""The worker's consumer: Celery's own, quicker in two places (docs/performance.md).

It fetches one message more than it has processes, so that one that is done finds the next at hand. A wake-up that
stands there while all of them are busy with something slow is repeated by the ordering engine, and taken by another
worker.

It gathers the task events for Flower and other monitors for a moment. Celery publishes each as it comes, three a task,
from the process that hands out the tasks; that took two fifths of its time. Nothing in the system reads them.
"""

import time
from typing import Any, Final

from celery.worker.consumer import Consumer

AT_HAND: Final = 1  # messages
GATHERED_SECONDS: Final = 0.2
GATHERED_MOST: Final = 500  # events; Celery's 24 would be sent fifty times a second


class QuickConsumer(Consumer):
    """Named in `config.celery`."""

    hub: Any  # Celery has more than its published types know
    initial_prefetch_count: int
    event_dispatcher: Any
    _flush_events: Any
    _sends_at = 0.0  # a time rather than a flag: a lost connection clears the hub's timers

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.initial_prefetch_count += AT_HAND

    @property
    def max_prefetch_count(self) -> int:
        """What Celery goes back to after a lost connection."""
        return super().max_prefetch_count + AT_HAND

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # the stubs have it return something
        self.event_dispatcher.buffer_limit = GATHERED_MOST
        now = time.monotonic()
        if self.hub is not None and now >= self._sends_at:
            self._sends_at = now + GATHERED_SECONDS
            self.hub.call_later(GATHERED_SECONDS, self._flush_events)
