"""The worker's consumer: Celery's own, with the task events for Flower and other monitors gathered for a moment.

Celery publishes each as it comes, three a task, from the process that hands out the tasks; that took two fifths of
its time (docs/performance.md). Nothing in the house reads them.
"""

import time
from typing import Any, Final

from celery.worker.consumer import Consumer

GATHERED_SECONDS: Final = 0.2


class GatheringConsumer(Consumer):
    """Named in `config.celery`. Sends the events that it has every 0.2 s, or when Celery's buffer of 24 is full."""

    hub: Any
    _flush_events: Any
    _sends_at = 0.0  # a time rather than a flag: a lost connection clears the hub's timers

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # the stubs have it return something
        now = time.monotonic()
        if self.hub is not None and now >= self._sends_at:
            self._sends_at = now + GATHERED_SECONDS
            self.hub.call_later(GATHERED_SECONDS, self._flush_events)
