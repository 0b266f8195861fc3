"""A transfer: one Celery task takes one event, delivers it and settles it. The same steps for every kind."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import structlog
from celery import Task
from celery.exceptions import Retry as ShownAsRetry
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from delivery.attempt import Attempt
from delivery.bugs import is_bug, report_bug
from delivery.leases import HandedBack, LeaseHandle
from delivery.pauses import end_if_stale
from delivery.retry_policy import decide
from delivery.services import Services, services_of
from delivery.wakeups import ask_for_report
from fortnox import Fortnox, FortnoxError
from fortnox.errors import OutcomeUnknown, PrerequisiteMissing, Throttled
from moment.events import parse_event
from ordering import (
    Claim,
    Done,
    Failed,
    Held,
    LeaseLost,
    Outcome,
    Pause,
    Retry,
    Skipped,
    TargetUnavailable,
)
from stores import CompanySettings, Connection, LinkStore, NeverConnected
from worker.requests import this_process

log = structlog.get_logger(__name__)

WAIT_FOR_REDIS = 0.5  # seconds between two tries to settle
NOT_TAKEN, IN_DOUBT, TAKEN = "", "?", "1"  # what is recorded for a step
SEEN = "seen"  # the step under which an attempt hands on what it saw
SEEN_SECONDS = 20.0  # that this holds good: a few of the rate limit's windows
IN_LEDGER = "@"  # between a step and the tenant id of the ledger that it was taken in

TELL = (Failed, Held, Pause)  # outcomes that a person is told of
DISABLED = Skipped("The integration is disabled for this company.")


class TransferFailed(Exception):
    """Shows a failed transfer as FAILURE in Flower; everything is settled when it is raised."""


@dataclass(frozen=True)
class TransferContext:
    """One event in the hands of one holder, with what it takes to deliver it."""

    event: Any
    claim: Claim
    lease: LeaseHandle
    services: Services
    steps: dict[str, str] = field(default_factory=dict)  # taken in this ledger, by earlier holders and by this one
    seen: dict[str, tuple[float, str]] = field(default_factory=dict)  # by what it is about: when, and what

    @cached_property
    def connection(self) -> Connection:
        """The company's connection. Raises `NeverConnected`."""
        return self.services.connections.get(self.claim.company)

    @cached_property
    def settings(self) -> CompanySettings:
        """What the company has set for itself."""
        return self.services.company_settings.get(self.claim.company)

    @cached_property
    def fortnox(self) -> Fortnox:
        """The company's ledger. Every request makes sure first that the event is still this holder's."""
        return self.services.fortnox(self.lease)

    @property
    def links(self) -> LinkStore:
        return self.services.links(self.claim.company, self.lease.ledger)

    def switched_off(self, kind: Literal["customers", "projects", "invoices"]) -> Skipped | None:
        """Why this kind of thing is not transferred for the company, if it is not."""
        if self.connection.state == "disabled":
            return DISABLED
        if not getattr(self.connection.integration.transfers, kind):
            return Skipped(f"The transfer of {kind} is switched off for this company.")
        return None

    def taken(self, step: str) -> str | None:
        """What was recorded when this step was taken, by whichever holder; None when it was not, or may not be."""
        value = self.steps.get(step)
        return None if value in (None, NOT_TAKEN, IN_DOUBT) else value

    def in_doubt(self, step: str) -> bool:
        """Whether an earlier holder may have taken the step without living to record it: look before taking it."""
        return self.steps.get(step) == IN_DOUBT

    @contextmanager
    def taking(self, step: str) -> Iterator[None]:
        """Around the one request that takes the step: it is in doubt from before until it is recorded as taken.

        An error that says that nothing was changed ends the doubt; where there was no room for the request, all is as
        it was. Raises `LeaseLost`.
        """
        before = self.steps.get(step, NOT_TAKEN)
        self.record(step, IN_DOUBT)
        try:
            yield
        except (Throttled, HandedBack):
            self.record(step, before)
            raise
        except FortnoxError as error:
            self.seen.clear()
            if not isinstance(error, OutcomeUnknown):
                self.record(step, NOT_TAKEN)
            raise
        self.seen.clear()  # a write may change it

    def cached(self, what: str) -> str | None:
        """What was seen in Fortnox a moment ago, by this attempt or by one before it that ended for want of room."""
        at, found = self.seen.get(what, (0.0, None))
        return found if abs(time.time() - at) < SEEN_SECONDS else None  # by the clock of whichever worker

    def remember(self, what: str, found: str) -> None:
        """Notes what a look or a refusal has shown, so that the attempt after one that was throttled goes on from it.

        With eight that want the same room, two requests in a row are hard to come by.
        """
        self.seen[what] = (time.time(), found)

    @contextmanager
    def passing_on_the_cache(self) -> Iterator[None]:
        """Around an attempt. One that ends in any other way, or dies, leaves nothing of it. Raises `LeaseLost`."""
        if noted := self.steps.get(SEEN):
            self.seen.update(json.loads(noted))
            self.record(SEEN, NOT_TAKEN)
        try:
            yield
        except (Throttled, HandedBack):
            if self.seen:
                self.record(SEEN, json.dumps(self.seen))
            raise

    def record(self, step: str, value: str = TAKEN) -> None:
        """Records a step, and in which ledger, before the next is taken. Raises `LeaseLost`."""
        self.services.ordering.record(self.claim, recorded_as(step, self.lease.ledger), value)
        self.steps[step] = value


def recorded_as(step: str, ledger: int | None) -> str:
    """The name under which a step is recorded that is taken in this ledger. Pure."""
    return step if ledger is None else f"{step}{IN_LEDGER}{ledger}"


def counting(progress: Mapping[str, str], ledger: int | None) -> dict[str, str]:
    """The recorded steps that count in this ledger: those taken there, and those taken where none was known.

    What was created in one ledger is not there in another, though that may well have something of the same number, and
    what a person said of the one (`--accept-existing`) is not said of the other. Pure.
    """
    taken_here = f"{IN_LEDGER}{ledger}"
    anywhere = {name: value for name, value in progress.items() if IN_LEDGER not in name}
    here = {name.removesuffix(taken_here): value for name, value in progress.items() if name.endswith(taken_here)}
    return anywhere | here


Deliver = Callable[[TransferContext], Outcome]
Read = Callable[[str], Any]  # an event's body → the event, which names its prerequisites


class TransferTask(Task[Any, Any]):
    """Base of the transfer tasks: `deliver` runs one with the event's lease kept."""

    abstract = True
    Request = "worker.requests:TransferRequest"
    throws = (TransferFailed,)  # an accountant's error: logged without a traceback

    def deliver(self, company: str, event_id: str, transfer: Deliver, read: Read = parse_event) -> str:
        services = services_of(self.app)
        try:
            claim = services.ordering.claim(company, event_id, this_process(self.request))
        except (RedisConnectionError, RedisTimeoutError) as error:  # the wake-up will be repeated
            log.warning("transfer.waits_for_redis", company=company, event_id=event_id, error=type(error).__name__)
            return "Redis is away"
        if claim is None:
            return "not its turn"
        with (
            structlog.contextvars.bound_contextvars(
                company=company, key=claim.key, event_id=event_id, attempt=claim.attempts + 1
            ),
            Attempt(claim, services) as attempt,
        ):
            try:
                outcome = run(claim, services, transfer, read)
                settle(claim, services, outcome)
            except LeaseLost:
                log.warning("transfer.lease_lost")
                attempt.lost()
                return "lease lost"
            if isinstance(outcome, Pause):
                with suppress(RedisError):  # beat looks again
                    end_if_stale(services, company)
            return self._tell(attempt, outcome)

    def _tell(self, attempt: Attempt, outcome: Outcome) -> str:
        attempt.end(outcome)
        log.info(
            "transfer.settled",
            outcome=type(outcome).__name__.lower(),
            error_code=getattr(outcome, "code", "") or None,
        )
        if isinstance(outcome, TELL) or (isinstance(outcome, Done) and outcome.notice):
            ask_for_report(self.app)
        return self._shown(outcome)

    def _shown(self, outcome: Outcome) -> str:
        match outcome:
            case Retry() | TargetUnavailable():
                raise ShownAsRetry(f"again in {outcome.after}", when=datetime.now(UTC) + outcome.after)
            case Failed(code=code):
                raise TransferFailed(code)
            case _:
                return type(outcome).__name__.lower()


def settle(claim: Claim, services: Services, outcome: Outcome) -> None:
    """Says how a claimed event ended. A Redis that is away is waited for as long as the lease may hold: what was done
    would else be looked up and gone through again. Raises `LeaseLost`.
    """
    deadline = time.monotonic() + services.ordering.lease.total_seconds() * 2 / 3  # renewed within the third before
    while True:
        try:
            services.ordering.settle(claim, outcome)
            return
        except (RedisConnectionError, RedisTimeoutError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("transfer.waits_for_redis", error=type(error).__name__)
            time.sleep(WAIT_FOR_REDIS)


def run(claim: Claim, services: Services, transfer: Deliver, read: Read = parse_event) -> Outcome:
    """Delivers a claimed event and says how that ended. Raises `LeaseLost` when it is no longer ours to say."""
    needs: tuple[str, ...] = ()
    try:
        event = read(claim.body)
        needs = tuple(map(str, event.prerequisites))
        with services.leases.keep(claim) as lease:
            steps = counting(claim.progress, lease.ledger) if claim.progress else {}
            context = TransferContext(event, claim, lease, services, steps)
            with context.passing_on_the_cache():
                return transfer(context)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - `decide` tells the errors apart, and a bug fails loudly
        if isinstance(error, NeverConnected) and _is_disabled(services, claim.company):
            return DISABLED  # a moment ago
        outcome = decide(error, claim, needs, chance=random.random())
        if isinstance(error, PrerequisiteMissing) and isinstance(outcome, Held):
            _doubt(services, outcome.key)
        if is_bug(outcome):
            report_bug(error, claim)
        return outcome


def _is_disabled(services: Services, company: str) -> bool:
    connection = services.connections.find(company)
    return connection is not None and connection.state == "disabled"


def _doubt(services: Services, key: str) -> None:
    """Fortnox does not have this customer or project as it was written: the next event of it writes it anew."""
    company, kind, number = key.split("/", 2)
    services.links(company, services.connections.ledger(company)).forget(kind, number)
