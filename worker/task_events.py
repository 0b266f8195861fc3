"""Task events for Flower and other monitors, sent by a pool process about attempts that had no message of their own."""

import threading
from typing import Any, Final

import structlog
from celery import Celery
from celery.events import EventDispatcher

log = structlog.get_logger(__name__)

GATHERED_SECONDS: Final = 0.2
MOST: Final = 500  # events that are sent at once, at the latest


class TaskEvents:
    """Sends a process's task events, gathered for a moment. They are lost where the broker is away: nothing reads them
    but monitors, and no transfer may fail for them."""

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app = app
        self._hostname = hostname
        self._dispatcher: EventDispatcher | None = None  # with a connection of its own
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()

    def send(self, kind: str, **fields: Any) -> None:
        with self._lock:
            try:
                if self._dispatcher is None:
                    self._dispatcher = self._connected()
                self._dispatcher.send(kind, **fields)
            except Exception as error:  # noqa: BLE001 - see above
                self._drop(error)

    def flush(self) -> None:
        """Send what was gathered."""
        with self._lock:
            self._timer = None
            try:
                if self._dispatcher is not None:
                    self._dispatcher.flush()
            except Exception as error:  # noqa: BLE001 - see above
                self._drop(error)

    def _connected(self) -> EventDispatcher:
        return EventDispatcher(
            self._app.connection_for_write(),
            app=self._app,
            hostname=self._hostname,
            buffer_while_offline=False,
            buffer_group=["task"],
            buffer_limit=MOST,
            on_send_buffered=self._flush_soon,
        )

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(GATHERED_SECONDS, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def _drop(self, error: Exception) -> None:
        self._dispatcher = None
        log.warning("task_events.not_sent", error=type(error).__name__)
