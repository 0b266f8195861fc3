"""Celery's requests in the worker's main process, for transfers and for producers' messages.

A pool process that dies with an event (out of memory, a crash in a C library, the hard time limit) is reported to the
ordering engine, so that the event is retried at once instead of when its lease lapses.
"""

from typing import Any

import structlog
from celery.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from tasks.base import process_name, services_of

log = structlog.get_logger(__name__)

SHOWN = "(an event)"


class TransferRequest(Request):
    """A transfer's message.

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
        if state.should_terminate:  # this worker ended it
            return
        company, event_id = self.args
        process = process_name(self.task.app, self.hostname, self.worker_pid)
        log.warning("transfer.process_died", company=company, event_id=event_id, process=process)
        try:
            services_of(self.task.app).ordering.died(company, event_id, process)
        except RedisError as error:
            log.warning("transfer.waits_for_its_lease", company=company, event_id=event_id, error=type(error).__name__)


class HiddenArguments(Request):
    """A producer's message: its arguments are shown as `(an event)`.

    Otherwise a name, an address or an authorization code would be in Flower and in every log line of a failure.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._argsrepr, self._kwargsrepr = SHOWN, ""
        self.request_dict.update(argsrepr=SHOWN, kwargsrepr="")
