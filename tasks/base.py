"""The base class of the transfer tasks, and how a task finds its services."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, cast

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import Celery, Task
from celery.app.task import Context
from celery.exceptions import Retry as ShownAsRetry
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from delivery.attempt import Attempt
from delivery.pauses import end_if_stale
from delivery.runner import Deliver, Read, run, settle
from delivery.services import Services
from fortnox.codes import labelled
from moment.events import parse_event
from ordering import Done, Failed, Held, LeaseLost, Outcome, Pause, Release, Retry, TargetUnavailable

log = structlog.get_logger(__name__)

REPORTED = (Failed, Held, Pause)  # outcomes that a person is told


class HasServices(Protocol):
    services: Services


def services_of(app: Celery) -> Services:
    """The services of this process. `app` is the system's own (`worker.bootstrap.App`)."""
    return cast(HasServices, app).services


def this_process(request: Context) -> str:
    """The name under which this process claims events."""
    return f"{request.hostname}/{os.getpid()}"


class TransferFailed(Exception):
    """Shows a failed transfer as FAILURE in Flower. The event is settled before it is raised."""


class TransferTask(Task[Any, Any]):
    """Base of the transfer tasks: `deliver` claims, runs and settles one event."""

    abstract = True
    Request = "worker.requests:TransferRequest"
    throws = (TransferFailed,)  # an accountant's error: logged without a traceback

    def deliver(self, company: str, event_id: str, transfer: Deliver, read: Read = parse_event) -> str:
        services = services_of(self.app)
        try:
            claim = services.ordering.claim(company, event_id, this_process(self.request))
        except (RedisConnectionError, RedisTimeoutError) as error:  # the wake-up will be repeated
            log.warning("transfer.waits_for_redis", company=company, event_id=event_id, error=type(error).__name__)
            return "Redis is down"
        if claim is None:
            return "not its turn"
        with (
            structlog.contextvars.bound_contextvars(
                company=company, key=claim.key, event_id=event_id, attempt=claim.attempts + 1
            ),
            Attempt(claim, services.telemetry) as attempt,
        ):
            try:
                outcome = run(claim, services, transfer, read, interrupted_by=SoftTimeLimitExceeded)
                settle(claim, services, outcome)
            except LeaseLost:
                log.warning("transfer.lease_lost")
                attempt.lost()
                return "lease lost"
            if isinstance(outcome, Pause):
                with suppress(RedisError):  # beat looks again
                    end_if_stale(services, company)
            if isinstance(outcome, Failed) and labelled(outcome.code) == "period-locked":
                with suppress(RedisError):  # a person can retry it
                    services.polling.locks.add(company, datetime.now(UTC))
            return self._report(attempt, outcome)

    def _report(self, attempt: Attempt, outcome: Outcome) -> str:
        attempt.end(outcome)
        log.info(
            "transfer.settled",
            outcome=type(outcome).__name__.lower(),
            error_code=getattr(outcome, "code", "") or None,
        )
        if isinstance(outcome, REPORTED) or (isinstance(outcome, Done) and outcome.notice):
            services_of(self.app).request_report()
        return self._shown(outcome)

    def _shown(self, outcome: Outcome) -> str:
        match outcome:
            case Retry(after) | TargetUnavailable(after) | Release(rest=timedelta() as after):  # the last: throttled
                raise ShownAsRetry(f"again in {after}", when=datetime.now(UTC) + after)
            case Failed(code=code):
                raise TransferFailed(code)
            case _:
                return type(outcome).__name__.lower()
