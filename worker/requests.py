"""The pool's processes as the ordering engine knows them, and the news of their deaths.

A process that dies with an event in hand (out of memory, a crash in a C library, the hard time limit) is seen by its
worker's main process: the event is taken up at once, instead of when its lease lapses.
"""

import os
from typing import Any

import structlog
from celery.app.task import Context
from celery.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from delivery.services import services_of

log = structlog.get_logger(__name__)


def this_process(request: Context) -> str:
    """The name under which this process holds the events that it transfers."""
    return f"{request.hostname}/{os.getpid()}"


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
