"""The base class of the transfer tasks, and how a task finds its services.

A process that settles an event claims the next one in the same write, for a short while: that saves the broker's part
of an attempt. Flower and other monitors see each attempt all the same.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Protocol, cast
from uuid import uuid4

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task, shared_task
from celery.exceptions import Retry as ShownAsRetry
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from delivery.admission import was_refused
from delivery.attempt import Attempt
from delivery.pauses import end_if_stale
from delivery.runner import Deliver, Read, run, settle
from delivery.services import Services
from fortnox.codes import labelled
from moment.events import parse_stored
from ordering import Claim, Done, Failed, Held, LeaseLost, Outcome, Pause, Release, Retry, TargetUnavailable
from tasks.flows import UNREADABLE, TaskRecord, flow_of

log = structlog.get_logger(__name__)

REPORTED = (Failed, Held, Pause)  # outcomes that a person is told
MOST_IN_A_ROW: Final = 20  # events for one message
LONGEST_ROW: Final = 0.05  # seconds after which no further event is claimed


class WorkerApp(Protocol):
    """The system's own app (`worker.bootstrap.App`). `worker`: the worker's name, "" elsewhere."""

    services: Services
    worker: str

    def send_task_event(self, kind: str, **fields: Any) -> None: ...


def services_of(app: Celery) -> Services:
    """The services of this process."""
    return cast(WorkerApp, app).services


def worker_of(app: Celery) -> str:
    """The name of the worker that this process belongs to."""
    return cast(WorkerApp, app).worker


def process_name(app: Celery, hostname: str | None, pid: object) -> str:
    """The name under which a worker's process claims events."""
    return f"{worker_of(app) or hostname}/{pid}"


class TransferFailed(Exception):
    """Shows a failed transfer as FAILURE in Flower. The event is settled before it is raised."""


class TransferTask(Task[Any, Any]):
    """Base of the transfer tasks: `deliver` claims, runs and settles one event, then others for a short while."""

    abstract = True
    Request = "worker.requests:TransferRequest"
    throws = (TransferFailed,)  # an accountant's error: logged without a traceback
    transfer: ClassVar[Deliver]
    read: ClassVar[Read] = staticmethod(parse_stored)

    def deliver(self, company: str, event_id: str) -> str:
        services = services_of(self.app)
        try:
            claim = services.ordering.claim(company, event_id, self._process())
        except (RedisConnectionError, RedisTimeoutError) as error:  # the wake-up will be repeated
            log.warning("transfer.waits_for_redis", company=company, event_id=event_id, error=type(error).__name__)
            return "Redis is down"
        if claim is None:
            return "not its turn"
        row = Row(services, MOST_IN_A_ROW if worker_of(self.app) else 1)
        ended, following = self.attempt(claim, row)
        while following is not None:
            following = self._follow(following, row)
        return self._shown(ended)

    def attempt(self, claim: Claim, row: "Row") -> tuple[Outcome | None, Claim | None]:
        """Run and settle a claimed event. How it ended, None where its lease lapsed; and the next claim, if any."""
        services = services_of(self.app)
        with (
            structlog.contextvars.bound_contextvars(
                company=claim.company, key=claim.key, event_id=claim.id, attempt=claim.attempts + 1
            ),
            Attempt(claim, services.telemetry) as attempt,
        ):
            try:
                task = self._task(UNREADABLE) if was_refused(claim.key) else self
                outcome = run(claim, services, type(task).transfer, type(task).read, SoftTimeLimitExceeded)
                following = settle(claim, services, outcome, self._process() if row.goes_on() else "")
            except LeaseLost:
                log.warning("transfer.lease_lost")
                attempt.lost()
                return None, None
            if isinstance(outcome, Pause):
                with suppress(RedisError):  # beat looks again
                    end_if_stale(services, claim.company)
            if isinstance(outcome, Failed) and labelled(outcome.code) == "period-locked":
                with suppress(RedisError):  # a person can retry it
                    services.polling.locks.add(claim.company, datetime.now(UTC))
            self._report(attempt, outcome)
            return outcome, following

    def _follow(self, claim: Claim, row: "Row") -> Claim | None:
        """Run an event without a message of its own, and tell monitors as if it had one. Return the next claim."""
        flow = flow_of(claim.type)
        task = self._task(flow.task if flow else UNREADABLE)
        tell, started = task.teller(claim), time.monotonic()
        tell("task-received", name=task.name, args=f"({claim.key.replace('/', ' ')})", kwargs="{}", retries=0)
        tell("task-started")
        ended, following = task.attempt(claim, row)
        try:
            result = task._shown(ended)
        except ShownAsRetry as again:
            tell("task-retried", exception=repr(again), traceback="")
        except TransferFailed as failed:
            tell("task-failed", exception=repr(failed), traceback="")
        else:
            tell("task-succeeded", result=repr(result), runtime=time.monotonic() - started)
        return following

    def teller(self, claim: Claim) -> Callable[..., None]:
        """Send a task event about an attempt at this event, which gets an id of its own."""
        uuid, app = str(uuid4()), cast(WorkerApp, self.app)

        def tell(kind: str, **fields: Any) -> None:
            app.send_task_event(kind, uuid=uuid, **fields)

        return tell

    def _task(self, record: TaskRecord) -> "TransferTask":
        return cast(TransferTask, self.app.tasks[record.name])

    def _process(self) -> str:
        main = threading.current_thread() is threading.main_thread()  # as in Celery's default pool
        name = process_name(self.app, self.request.hostname, os.getpid())
        return name if main else f"{name}.{threading.get_ident()}"

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.end(outcome)
        log.info(
            "transfer.settled",
            outcome=type(outcome).__name__.lower(),
            error_code=getattr(outcome, "code", "") or None,
        )
        if isinstance(outcome, REPORTED) or (isinstance(outcome, Done) and outcome.notice):
            services_of(self.app).request_report()

    def _shown(self, outcome: Outcome | None) -> str:
        match outcome:
            case None:
                return "lease lost"
            case Retry(after) | TargetUnavailable(after) | Release(rest=timedelta() as after):  # the last: throttled
                raise ShownAsRetry(f"again in {after}", when=datetime.now(UTC) + after)
            case Failed(code=code):
                raise TransferFailed(code)
            case _:
                return type(outcome).__name__.lower()


class Row:
    """The events that a process runs for one message. It ends soon, so that Celery stays in charge of the process."""

    def __init__(self, services: Services, most: int) -> None:
        self._services = services
        self._until = time.monotonic() + LONGEST_ROW
        self._left = most

    def goes_on(self) -> bool:
        """Whether one more may be claimed. Each call counts one."""
        self._left -= 1
        return self._left > 0 and time.monotonic() < self._until and not self._services.stopping


def transfer_task(record: TaskRecord, read: Read = parse_stored) -> Callable[[Deliver], Deliver]:
    """Make a function the Celery task of this record: it transfers one event, whose body `read` reads."""

    def register(transfer: Deliver) -> Deliver:
        @shared_task(
            name=record.name, base=TransferTask, bind=True, transfer=staticmethod(transfer), read=staticmethod(read)
        )
        def task(self: TransferTask, company: str, event_id: str) -> Any:
            return self.deliver(company, event_id)

        return transfer

    return register
