"""Celery messages as the worker's main process handles them.

A pool process that dies with an event in hand (out of memory, a crash in a C library, the hard time limit) is reported
to the ordering engine, so the event is taken up at once instead of when its lease lapses.
"""

from typing import Any

import structlog
from celery.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from tasks.base import services_of

log = structlog.get_logger(__name__)

SHOWN = "(an event)"


class TransferRequest(Request):
    """A transfer's message in the worker's main process.

    https://docs.celeryq.dev/en/stable/userguide/tasks.html#requests-and-custom-requests
    """

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().on_failure(exc_info, *args, **kwargs)
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), WorkerLostError):  # billiard wraps it together with its traceback
            self._process_died()
        return answer

    def on_timeout(self, soft: bool, timeout: float) -> None:
        super().on_timeout(soft, timeout)
        if not soft:
            self._process_died()

    def _process_died(self) -> None:
        if state.should_terminate:  # it was this worker that ended it
            return
        company, event_id = self.args
        process = f"{self.hostname}/{self.worker_pid}"
        log.warning("transfer.process_died", company=company, event_id=event_id, process=process)
        try:
            services_of(self.task.app).ordering.died(company, event_id, process)
        except RedisError as error:
            log.warning("transfer.waits_for_its_lease", company=company, event_id=event_id, error=type(error).__name__)


class Unshown(Request):
    """A producer's message: its arguments are shown as `(an event)`.

    A name, an address or an authorization code would otherwise be in Flower and in every log line of a failure.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = SHOWN, ""
        self.request_dict.update(argsrepr=SHOWN, kwargsrepr="")
